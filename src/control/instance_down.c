/* control/instance_down.c - stopping, giving everything back, deleting. */
#include "control/instance.h"
#include "control/balancers.h"
#include "control/instance_hold.h"
#include "control/internal.h"
#include "control/placement.h"
#include "control/results.h"
#include "control/turns.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdlib.h>

/* --- stopping --- */

enum { PRESS_AGAIN_MS = 3000, DRAIN_LOOK_MS = 1000 };

#define STOP_BEGAN "stop began"

static int64_t clock_ms(const struct scene *scene)
{
    return loop_now_ms(control_setup(scene->work->control)->loop);
}

/* How long ago the stored condition says that it was; none when the clock has been put back since. */
static int64_t stopping_for_ms(const struct scene *scene)
{
    int64_t now_ms = control_wall_ms(scene->work->control), since_ms = now_ms;
    struct err err;

    (void)time_parse(json_text_at(condition_get(scene->object, "Stopping"), "lastTransitionTime", ""), &since_ms, &err);
    return now_ms > since_ms ? now_ms - since_ms : 0;
}

/* What goes because a group is made smaller or updated shall lose no request, however little its guest
 * cares about its own end. */
static bool is_member_of_group(const struct scene *scene)
{
    return object_has_owner(scene->object, (struct owner){ .kind = kind_instance_group.name });
}

/* It has done nothing for anybody: its guest is not woken to shut down beside those that serve. */
static bool goes_unused(const struct scene *scene)
{
    return object_is_deleting(scene->object) && is_member_of_group(scene) &&
           json_object_get(json_at(scene->object, "metadata.labels"), LABEL_WARM);
}

/* The wall clock is believed once, when this daemon first sees the stop: whoever puts it forward or back
 * afterwards neither cuts the guest's time short nor draws it out. */
static int64_t until_forced_ms(struct scene *scene)
{
    int64_t timeout_ms = goes_unused(scene) ? 0 : view_duration_ms(&kind_instance, scene->object, "spec.stopTimeout");

    if (!work_result(scene->work, STOP_BEGAN))
        work_result_keep(scene->work, STOP_BEGAN, clock_ms(scene) - stopping_for_ms(scene));
    return *(const int64_t *)work_result(scene->work, STOP_BEGAN) + timeout_ms - clock_ms(scene);
}

/* A guest that still boots does not hear the button: it is pressed again and again. Returns the
 * milliseconds until the next time. */
static int64_t press_power(struct scene *scene)
{
    struct compute *compute = control_setup(scene->work->control)->compute;
    int64_t now_ms = clock_ms(scene);
    const int64_t *pressed_ms = work_result(scene->work, "pressed");

    if (scene->machine.state == MACHINE_PAUSED) {
        if (work_op_begin(scene->work, "resume"))
            compute->ops->resume(compute, scene->uid, work_op_done(scene->work, "resume"));
        return PRESS_AGAIN_MS;
    }
    if (work_op_succeeded(scene->work, "press") && pressed_ms &&
        now_ms - *pressed_ms < PRESS_AGAIN_MS)
        return *pressed_ms + PRESS_AGAIN_MS - now_ms;
    if (work_op_begin(scene->work, "press")) {
        work_result_keep(scene->work, "pressed", now_ms);
        compute->ops->press_power(compute, scene->uid, work_op_done(scene->work, "press"));
    }
    return PRESS_AGAIN_MS;
}

static void kill_machine(struct scene *scene)
{
    struct compute *compute = control_setup(scene->work->control)->compute;

    if (work_op_begin(scene->work, "kill"))
        compute->ops->kill(compute, scene->uid, work_op_done(scene->work, "kill"));
}

void machine_release(struct scene *scene)
{
    struct compute *compute = control_setup(scene->work->control)->compute;

    if (work_op(scene->work, "start", NULL) == OP_RUNNING || !work_op_begin(scene->work, "release"))
        return;
    work_op_reset(scene->work, "start");
    work_op_reset(scene->work, "seed");
    compute->ops->release(compute, scene->uid, work_op_done(scene->work, "release"));
}

/* Load balancers let it finish what it has begun, unless it is to be forced at once. True: done. */
static bool is_drained(struct scene *scene)
{
    struct control *control = scene->work->control;
    bool is_forced = view_duration_ms(&kind_instance, scene->object, "spec.stopTimeout") == 0 &&
                     !is_member_of_group(scene);

    if (condition_is_true(scene->object, "Stopping"))
        return true; /* it hears no more requests anyway */
    if (is_forced || host_is_shutting_down(control) || scene->machine.state == MACHINE_CRASHED ||
        scene->machine.state == MACHINE_PAUSED || balancers_let_go(control, scene->object)) {
        if (condition_get(scene->object, CONDITION_DRAINING))
            work_condition(scene->work, CONDITION_DRAINING, false, "Drained", "%s", "");
        return true;
    }
    work_condition(scene->work, CONDITION_DRAINING, true, "Asked", "load balancers finish its requests");
    return false;
}

static struct verdict stop_process(struct scene *scene)
{
    int64_t left_ms, press_ms;

    if (!is_drained(scene)) {
        work_phase(scene->work, object_is_deleting(scene->object) ? "Terminating" : "Stopping",
                   "load balancers finish its requests");
        return VERDICT_AGAIN(DRAIN_LOOK_MS);
    }

    work_phase(scene->work, object_is_deleting(scene->object) ? "Terminating" : "Stopping", NULL);
    work_condition(scene->work, "Ready", false, "Stopping", "%s", "");
    if (!condition_is_true(scene->object, "Stopping")) {
        work_op_reset(scene->work, "press");
        work_result_forget(scene->work, STOP_BEGAN);
        work_condition(scene->work, "Stopping", true, "Asked", "%s", "");
        return VERDICT_SETTLED; /* the clock runs from when this is stored */
    }
    left_ms = until_forced_ms(scene);
    if (left_ms <= 0 || scene->machine.state == MACHINE_CRASHED) {
        kill_machine(scene);
        return VERDICT_SETTLED;
    }
    press_ms = press_power(scene);
    return VERDICT_AGAIN(left_ms < press_ms ? left_ms : press_ms);
}

bool machine_halt(struct scene *scene, struct verdict *ret_verdict)
{
    launch_forget(scene);
    *ret_verdict = VERDICT_SETTLED;
    if (scene->machine.state == MACHINE_ABSENT) {
        if (condition_is_true(scene->object, "Stopping"))
            work_condition(scene->work, "Stopping", false, "Stopped", "%s", "");
        return work_op(scene->work, "start", NULL) != OP_RUNNING;
    }
    if (scene->machine.state != MACHINE_ENDED) {
        *ret_verdict = stop_process(scene);
        return false;
    }
    if (condition_is_true(scene->object, "Ended"))
        machine_release(scene);
    else
        end_record(scene, scene->machine.end, scene->machine.message);
    return false;
}

/* --- giving back --- */

bool instance_take_down(struct scene *scene, struct verdict *ret_verdict)
{
    bool ports_gone, volumes_free;

    if (!machine_halt(scene, ret_verdict))
        return false;
    ports_gone = ports_remove(scene);
    volumes_free = volumes_unclaim(scene, true);
    if (!ports_gone || !volumes_free)
        return false;
    placement_give_back(scene->work->control, scene->uid);
    json_remove_at(scene->object, "status.host");
    json_remove_at(scene->object, "status.usage");
    json_remove_at(scene->object, "status.machine");
    json_remove_at(scene->object, "status.disks");
    json_remove_at(scene->object, "status.cdrom");
    return true;
}

/* A claim or a root volume on its way to the store must not arrive after the end. */
static bool is_seed_removed(struct scene *scene)
{
    struct storage_driver *storage = control_setup(scene->work->control)->storage;

    if (work_op(scene->work, "seed", NULL) == OP_RUNNING)
        return false;
    if (work_op_succeeded(scene->work, "remove seed"))
        return true;
    if (work_op_begin(scene->work, "remove seed"))
        storage->ops->seed_remove(storage, scene->uid, work_op_done(scene->work, "remove seed"));
    return false;
}

static bool are_logs_removed(struct scene *scene)
{
    struct compute *compute = control_setup(scene->work->control)->compute;

    if (work_op_succeeded(scene->work, "remove logs"))
        return true;
    if (work_op_begin(scene->work, "remove logs"))
        compute->ops->logs_remove(compute, scene->uid, work_op_done(scene->work, "remove logs"));
    return false;
}

struct verdict instance_finalize(struct work *work, bool *ret_gone)
{
    auto_scene struct scene scene = { 0 };
    struct verdict verdict = VERDICT_SETTLED;

    if (instance_is_held(work->control, object_uid(work->object)))
        return VERDICT_SETTLED;
    scene_begin(&scene, work);
    turn_end(work->control, TURN_TO_BEGIN, scene.uid);
    turn_end(work->control, TURN_TO_FINISH, scene.uid);
    work_phase(work, "Terminating", NULL);
    if (!instance_take_down(&scene, &verdict) || !ports_remove_rest(&scene) || !is_seed_removed(&scene) ||
        !are_logs_removed(&scene) || !root_volume_dispose(&scene))
        return verdict;
    addresses_forget(work->control, scene.uid);
    *ret_gone = true;
    return VERDICT_SETTLED;
}

/* --- the host goes down --- */

#define SHUTDOWN "shutdown"
enum { SHUTDOWN_LOOK_MS = 100 };

struct shutdown {
    struct control *control;
    struct loop_source *timer;
    struct done done;
};

static void shutdown_free(void *pointer)
{
    struct shutdown *shutdown = pointer;

    loop_source_free(shutdown->timer);
    free(shutdown);
}

bool host_is_shutting_down(struct control *control)
{
    return control_extension(control, SHUTDOWN) != NULL;
}

static void look_whether_down(void *arg)
{
    struct shutdown *shutdown = arg;
    struct compute *compute = control_setup(shutdown->control)->compute;
    char **uids = compute->ops->list(compute);
    bool is_down = !uids || !uids[0];

    compute_uids_free(uids);
    if (is_down)
        done_call(shutdown->done, NULL);
    else
        loop_timer_again(shutdown->timer, SHUTDOWN_LOOK_MS);
}

static void wake(void *arg, const json_t *instance)
{
    control_wake(arg, &kind_instance, object_namespace(instance), object_name(instance));
}

void control_shutdown_host(struct control *control, struct done done)
{
    struct shutdown *shutdown;

    if (host_is_shutting_down(control))
        return;
    shutdown = mem_new(struct shutdown);
    *shutdown = (struct shutdown){ .control = control, .done = done };
    shutdown->timer = loop_timer(control_setup(control)->loop, SHUTDOWN_LOOK_MS, look_whether_down, shutdown);
    control_set_extension(control, SHUTDOWN, shutdown, shutdown_free);
    control_each(control, &kind_instance, NULL, wake, control);
}
