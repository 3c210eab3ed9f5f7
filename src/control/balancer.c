/* control/balancer.c - LoadBalancer: from what is stored to what the driver is told, and when.
 *
 * Each call makes the whole config anew from the objects: members are a projection of Instances.
 * The driver is told when it differs from the last one that was carried out. */
#include "control/balancer.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/autoscalers.h"
#include "control/balancers.h"
#include "control/results.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdlib.h>

enum {
    FIGURES_MS = 10 * 1000, /* between two writes of figures, when nothing else changes */
    CLOSED_LOOK_MS = 5000,  /* between two attempts at a port that was taken */
    LOOK_AGAIN_MS = 1000,
    UNREAD_LOOK_MS = 100,
    UNREAD_MAX_MS = 10 * 1000,
    INSTANCES_PER_MS = 4, /* looking at many instances is not repeated at each of their changes */
};

/* --- telling the driver: first the network's namespace is asked for --- */

struct telling {
    struct balancer_driver *driver;
    struct balancer_config *config;
    struct done done;
};

static void on_namespace(void *arg, const struct err *err, int take_fd)
{
    struct telling *telling = arg;

    if (err)
        done_call(telling->done, err);
    else
        telling->driver->ops->ensure(telling->driver, telling->config, take_fd, telling->done);
    balancer_config_free(telling->config);
    free(telling);
}

static void tell(struct balancer_scene *scene)
{
    const struct control_setup *setup = control_setup(scene->work->control);
    struct telling *telling = mem_new(struct telling);

    *telling = (struct telling){ setup->balancer, balancer_config_copy(scene->config),
                                 work_op_done(scene->work, "ensure") };
    setup->network->ops->namespace_open(setup->network, object_uid(scene->network), on_namespace,
                                        telling);
}

/* A port may be free again by now. */
static bool is_due_again(struct balancer_scene *scene)
{
    const int64_t *told_ms = work_result(scene->work, "told at");
    bool is_closed = false;

    for (size_t i = 0; i < scene->status->listener_count; i++)
        is_closed |= !scene->status->listeners[i].is_open;
    return is_closed && told_ms &&
           control_wall_ms(scene->work->control) - *told_ms >= CLOSED_LOOK_MS;
}

static void tell_if_different(struct balancer_scene *scene)
{
    const int64_t *told = work_result(scene->work, "told");
    int64_t sum = (int64_t)balancer_config_sum(scene->config);
    bool is_done = told && *told == sum && work_op_succeeded(scene->work, "ensure");

    if (!scene->config->listener_count || (is_done && !is_due_again(scene)))
        return;
    if (told && *told != sum && work_op(scene->work, "ensure", NULL) == OP_FAILED)
        work_op_reset(scene->work, "ensure"); /* something else is wanted: it needn't wait */
    if (!work_op_begin(scene->work, "ensure"))
        return;
    work_result_keep(scene->work, "told", sum);
    work_result_keep(scene->work, "told at", control_wall_ms(scene->work->control));
    tell(scene);
}

/* --- holding instances --- */

struct holding {
    const struct balancer_scene *scene;
    struct map *uids;
};

static void hold_if_member(void *arg, const json_t *instance)
{
    struct holding *holding = arg;
    const struct balancer_status *status = holding->scene->status;
    char id[BALANCER_NAME_SIZE];

    balancer_member_id(instance, id);
    for (size_t i = 0; i < status->backend_count; i++) {
        const struct balancer_member_status *member =
            balancer_status_member(&status->backends[i], id);
        if (member && member->state != BALANCER_MEMBER_LEAVING)
            map_set(holding->uids, object_uid(instance), holding);
    }
    for (size_t i = 0; i < holding->scene->config->backend_count; i++)
        for (size_t j = 0; j < holding->scene->config->backends[i].member_count; j++)
            if (str_equal(holding->scene->config->backends[i].members[j].id, id))
                map_set(holding->uids, object_uid(instance), holding);
}

static void hold(struct balancer_scene *scene)
{
    auto_clean(map_free_auto) struct map *uids = map_new(NULL);
    struct holding holding = { scene, uids };

    control_each(scene->work->control, &kind_instance, object_namespace(scene->object),
                 hold_if_member, &holding);
    balancer_hold(scene->work, uids);
}

/* --- reconcile --- */

static void scene_done(struct balancer_scene *scene)
{
    json_decref(scene->network);
    json_decref(scene->certificate_problems);
    balancer_config_free(scene->config);
}

static struct verdict wait_for(struct work *work, const char *reason, const char *message)
{
    work_phase(work, "Pending", message);
    work_condition(work, "Ready", false, reason, "%s", message);
    return VERDICT_SETTLED;
}

/* Each change of an instance has all of them looked at: not more often than so. */
static bool is_too_soon(struct work *work, int64_t *ret_wait_ms)
{
    const int64_t *not_before_ms = work_result(work, "not before");

    *ret_wait_ms = not_before_ms ? *not_before_ms - control_wall_ms(work->control) : 0;
    return *ret_wait_ms > 0;
}

/* Clients wait for the first member of a group. */
static void wake_groups(struct balancer_scene *scene)
{
    const json_t *specs = json_at(scene->object, "spec.backends");

    for (size_t i = 0; i < json_array_size(specs); i++) {
        const json_t *spec = json_array_get(specs, i);
        const char *group = json_text_at(spec, "members.instanceGroup", NULL);
        const struct balancer_backend_status *backend =
            balancer_status_backend(scene->status, json_text_at(spec, "name", ""));
        if (group && backend && backend->held)
            autoscaler_wake(scene->work->control, object_namespace(scene->object), group);
    }
}

static struct verdict reconcile_scene(struct balancer_scene *scene)
{
    struct err failure = { 0 };
    int64_t again_ms = FIGURES_MS;

    wake_groups(scene);
    balancer_config_make(scene);
    tell_if_different(scene);
    hold(scene);
    bool failed = work_op(scene->work, "ensure", &failure) == OP_FAILED;
    balancer_show(scene, failed ? &failure : NULL);
    work_result_keep(scene->work, "not before",
                     control_wall_ms(scene->work->control) +
                         (int64_t)(scene->instance_count / INSTANCES_PER_MS));
    if (scene->again_ms >= 0)
        again_ms = scene->again_ms < LOOK_AGAIN_MS ? scene->again_ms + 1 : LOOK_AGAIN_MS;
    else if (!str_equal(view_text(&kind_load_balancer, scene->object, "status.phase"), "Ready"))
        again_ms = LOOK_AGAIN_MS;
    return VERDICT_AGAIN(again_ms);
}

/* After a restart: who its members are is not read from the proxy yet. */
static bool is_unread(struct work *work, const struct balancer_status *status)
{
    const int64_t *first_ms = work_result(work, "first look");
    int64_t now_ms = control_wall_ms(work->control);

    if (status->state != BALANCER_RUNNING || status->read_wall_ms)
        return false;
    if (!first_ms)
        work_result_keep(work, "first look", now_ms);
    return !first_ms || now_ms - *first_ms < UNREAD_MAX_MS;
}

static struct verdict reconcile(struct work *work)
{
    struct balancer_driver *driver = control_setup(work->control)->balancer;
    __attribute__((cleanup(scene_done))) struct balancer_scene scene = {
        .work = work, .object = work->object, .again_ms = -1, .certificate_problems = json_object()
    };
    int64_t wait_ms;

    if (!driver)
        return wait_for(work, "NoDriver", "this daemon has no load balancing");
    scene.network = work_find(work, &kind_network, object_namespace(work->object),
                              view_text(&kind_load_balancer, work->object, "spec.network"));
    if (!scene.network || !condition_is_true(scene.network, "Ready"))
        return wait_for(work, "WaitsForNetwork", "waits for its network");
    if (is_too_soon(work, &wait_ms))
        return VERDICT_AGAIN(wait_ms);
    scene.status = driver->ops->observe(driver, object_uid(work->object));
    if (is_unread(work, scene.status))
        return VERDICT_AGAIN(UNREAD_LOOK_MS);
    return reconcile_scene(&scene);
}

static struct verdict finalize(struct work *work, bool *ret_gone)
{
    struct balancer_driver *driver = control_setup(work->control)->balancer;

    work_phase(work, "Terminating", NULL);
    balancer_hold(work, NULL);
    *ret_gone = !driver ||
                (work_op(work, "ensure", NULL) != OP_RUNNING && work_op_succeeded(work, "remove"));
    if (!*ret_gone && work_op(work, "ensure", NULL) != OP_RUNNING && work_op_begin(work, "remove"))
        driver->ops->remove(driver, object_uid(work->object), work_op_done(work, "remove"));
    return VERDICT_SETTLED;
}

const struct controller controller_balancer = {
    .kind = &kind_load_balancer,
    .finalizer = "virga.dev/balancer",
    .reconcile = reconcile,
    .finalize = finalize,
    .start = balancer_holds_start,
};
