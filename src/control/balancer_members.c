/* control/balancer_members.c - members of a backend: a projection of Instances, never a copy.
 *
 * An instance that shall not serve any more and is still at the proxy is drained: it stays a member
 * without new traffic until it is idle there or its time is over. */
#include "control/balancer.h"
#include "control/balancers.h"
#include "control/results.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdio.h>
#include <string.h>

struct selection {
    struct balancer_scene *scene;
    const json_t *spec, *members; /* of the backend */
    struct balancer_backend *backend;
    const struct balancer_backend_status *now; /* at the proxy; NULL: nothing */
    int64_t drain_ms;
    uint16_t port;
    size_t capacity;
};

void balancer_member_id(const json_t *instance, char to[BALANCER_NAME_SIZE])
{
    (void)snprintf(to, BALANCER_NAME_SIZE, "%.63s.%.8s", object_name(instance),
                   object_uid(instance));
}

/* --- who is selected --- */

static const json_t *labels_of(const json_t *object) { return json_at(object, "metadata.labels"); }

static bool is_of_group(const json_t *instance, const char *group)
{
    const char *label = json_string_value(json_object_get(labels_of(instance), LABEL_GROUP));

    return str_equal(label, group) &&
           object_has_owner(instance, (struct owner){ .kind = kind_instance_group.name, .name = group });
}

static bool has_labels(const json_t *instance, const json_t *wanted)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)wanted, name, value)
        if (!str_equal(json_string_value(json_object_get(labels_of(instance), name)),
                       json_string_value(value)))
            return false;
    return json_object_size(wanted) > 0;
}

static bool is_named(const json_t *instance, const json_t *names)
{
    size_t i;
    json_t *name;

    json_array_foreach ((json_t *)names, i, name)
        if (str_equal(json_string_value(name), object_name(instance)))
            return true;
    return false;
}

static bool is_selected(const struct selection *selection, const json_t *instance)
{
    const char *group = json_text_at(selection->members, "instanceGroup", NULL);

    if (json_object_get(labels_of(instance), LABEL_WARM))
        return false;
    if (group)
        return is_of_group(instance, group);
    return has_labels(instance, json_at(selection->members, "selector.matchLabels")) ||
           is_named(instance, json_object_get(selection->members, "instances"));
}

static bool find_address(const struct selection *selection, const json_t *instance,
                         struct ip_addr *ret_addr)
{
    const char *network = json_text_at(selection->scene->object, "spec.network", NULL);
    const json_t *cards = json_at(instance, "status.networks");
    struct err err;

    for (size_t i = 0; i < json_array_size(cards); i++) {
        const json_t *card = json_array_get(cards, i);
        const char *text =
            json_text_at(card, "ipv4Address", json_text_at(card, "ipv6Address", NULL));
        if (str_equal(json_text_at(card, "network", NULL), network) && text)
            return ip_parse(text, ret_addr, &err) == 0;
    }
    return false;
}

/* --- who serves --- */

static bool is_false(const json_t *instance, const char *condition)
{
    return str_equal(json_text_at(condition_get(instance, condition), "status", NULL), "False");
}

static const char *drain_annotation(const json_t *instance)
{
    return json_string_value(
        json_object_get(json_at(instance, "metadata.annotations"), ANNOTATION_DRAIN));
}

/* A member of a group that has not been found ready yet: health checks know less of that than its group. */
static bool is_awaited(const json_t *instance)
{
    const char *group = json_string_value(json_object_get(labels_of(instance), LABEL_GROUP));

    return group && !condition_get(instance, CONDITION_SERVING) && is_of_group(instance, group);
}

static bool shall_leave(const json_t *instance)
{
    return is_awaited(instance) || object_is_deleting(instance) || condition_is_true(instance, CONDITION_DRAINING) ||
           drain_annotation(instance) || is_false(instance, CONDITION_SERVING);
}

/* --- draining --- */

static const struct balancer_member_status *at_proxy(const struct selection *selection,
                                                     const char *id)
{
    return selection->now ? balancer_status_member(selection->now, id) : NULL;
}

/* Not its phase: one that is to be stopped is in another, and runs on while it is drained. One that
 * has been a member stays one while its process lives: after a restart of the daemon it takes a
 * moment until machines are known to run, and they served all the time. */
static bool is_running(const struct selection *selection, const json_t *instance, const char *id)
{
    struct compute *compute = control_setup(selection->scene->work->control)->compute;
    struct machine_status machine;

    if (condition_is_true(instance, "Ready") || !at_proxy(selection, id))
        return condition_is_true(instance, "Ready");
    compute->ops->observe(compute, object_uid(instance), &machine);
    return machine.state != MACHINE_ABSENT && machine.state != MACHINE_ENDED;
}

/* When it began: as it is stored, so that a restart does not begin anew; else when first seen, also
 * where the annotation, which people write, says a time to come. */
static int64_t drain_begin_ms(const struct selection *selection, const json_t *instance,
                              const char *id)
{
    struct work *work = selection->scene->work;
    auto_free char *result = str_printf("drain %s/%s", selection->backend->name, id);
    const json_t *draining = condition_get(instance, CONDITION_DRAINING);
    const char *texts[] = { drain_annotation(instance),
                            condition_is_true(instance, CONDITION_DRAINING)
                                ? json_text_at(draining, "lastTransitionTime", NULL)
                                : NULL,
                            json_text_at(instance, "metadata.deletionTimestamp", NULL) };
    const int64_t *seen_ms = work_result(work, result);
    int64_t begin_ms, now_ms = control_wall_ms(work->control);
    struct err err;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i] && time_parse(texts[i], &begin_ms, &err) == 0 && begin_ms <= now_ms)
            return begin_ms;
    if (seen_ms)
        return *seen_ms;
    work_result_keep(work, result, now_ms);
    return now_ms;
}

static void forget_drain(const struct selection *selection, const char *id)
{
    auto_free char *result = str_printf("drain %s/%s", selection->backend->name, id);

    work_result_forget(selection->scene->work, result);
}

/* Whether one that leaves, an instance or an address (NULL), is still waited for. */
static bool is_draining(const struct selection *selection, const json_t *instance, const char *id)
{
    struct balancer_scene *scene = selection->scene;
    const struct balancer_member_status *member = at_proxy(selection, id);
    int64_t left_ms;

    if (!member || member->state == BALANCER_MEMBER_LEAVING || (instance && !is_running(selection, instance, id)))
        return false;
    if (member->state == BALANCER_MEMBER_DRAINING && !member->connections && !member->queue &&
        !scene->status->has_retired)
        return false;
    left_ms = drain_begin_ms(selection, instance, id) + selection->drain_ms -
              control_wall_ms(scene->work->control);
    if (left_ms <= 0)
        return false;
    if (scene->again_ms < 0 || left_ms < scene->again_ms)
        scene->again_ms = left_ms;
    return true;
}

/* --- the list --- */

static struct balancer_member *add(struct selection *selection, const char *id,
                                   const struct ip_addr *addr)
{
    struct balancer_backend *backend = selection->backend;
    struct balancer_member *member;

    if (backend->member_count == BALANCER_MEMBERS_MAX)
        return NULL;
    if (backend->member_count == selection->capacity) {
        selection->capacity = selection->capacity ? 2 * selection->capacity : 8;
        backend->members =
            mem_resize(backend->members, selection->capacity * sizeof *backend->members);
    }
    member = &backend->members[backend->member_count++];
    *member = (struct balancer_member){ .addr = *addr, .port = selection->port };
    (void)snprintf(member->id, sizeof member->id, "%s", id);
    return member;
}

static void look_at(void *arg, const json_t *instance)
{
    struct selection *selection = arg;
    struct balancer_member *member;
    char id[BALANCER_NAME_SIZE];
    struct ip_addr addr;
    bool leaves = !is_selected(selection, instance) || shall_leave(instance);

    selection->scene->instance_count++;
    if (!find_address(selection, instance, &addr))
        return;
    balancer_member_id(instance, id);
    if (leaves ? !is_draining(selection, instance, id) : !is_running(selection, instance, id))
        return;
    member = add(selection, id, &addr);
    if (!member)
        return;
    member->is_draining = leaves;
    member->is_proven = condition_is_true(instance, CONDITION_SERVING);
    if (!leaves)
        forget_drain(selection, id);
}

static bool is_added(const struct selection *selection, const char *id)
{
    for (size_t i = 0; i < selection->backend->member_count; i++)
        if (str_equal(selection->backend->members[i].id, id))
            return true;
    return false;
}

/* Those that are not in the list any more and have something to finish. */
static void add_leaving_addresses(struct selection *selection)
{
    for (size_t i = 0; selection->now && i < selection->now->member_count; i++) {
        const char *id = selection->now->members[i].id;
        struct balancer_member *member;
        struct ip_addr addr;
        struct err err;

        if (ip_parse(id, &addr, &err) < 0 || is_added(selection, id))
            continue;
        if (!is_draining(selection, NULL, id)) {
            forget_drain(selection, id);
            continue;
        }
        member = add(selection, id, &addr);
        if (member)
            member->is_draining = true;
    }
}

static void add_addresses(struct selection *selection)
{
    const json_t *addresses = json_object_get(selection->members, "addresses");
    size_t i;
    json_t *item;

    json_array_foreach ((json_t *)addresses, i, item) {
        struct ip_addr addr;
        struct err err;
        char id[IP_TEXT_SIZE];
        if (ip_parse(json_string_value(item), &addr, &err) < 0)
            continue;
        ip_format(&addr, id);
        (void)add(selection, id, &addr);
        forget_drain(selection, id);
    }
}

/* At the proxy, from when there was no list of addresses. */
static bool has_instances(const struct selection *selection)
{
    struct ip_addr addr;
    struct err err;

    for (size_t i = 0; selection->now && i < selection->now->member_count; i++)
        if (ip_parse(selection->now->members[i].id, &addr, &err) < 0)
            return true;
    return false;
}

void balancer_members_add(struct balancer_scene *scene, const json_t *spec,
                          struct balancer_backend *backend)
{
    struct selection selection = { .scene = scene,
                                   .spec = spec,
                                   .backend = backend,
                                   .members = json_object_get(spec, "members"),
                                   .now = balancer_status_backend(scene->status, backend->name),
                                   .port = (uint16_t)json_int_at(spec, "port", 0) };
    struct err err;

    if (duration_parse(json_text_at(spec, "drainTimeout", "30s"), &selection.drain_ms, &err) < 0)
        selection.drain_ms = 0;
    add_addresses(&selection);
    add_leaving_addresses(&selection);
    if (!json_object_get(selection.members, "addresses") || has_instances(&selection))
        work_each(scene->work, &kind_instance, object_namespace(scene->object), look_at,
                  &selection);
}
