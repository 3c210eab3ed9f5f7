/* control/group_leave.c - members on their way out.
 *
 *   with a leave hook:  drain (annotations) -> balancers let go -> hook -> delete
 *   without:            delete; the Instance controller drains it before it stops the machine */
#include "control/group.h"
#include "control/balancers.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

static const char *const reasons[] = {
    [LEAVE_TOO_MANY] = "there are more than wanted",
    [LEAVE_OUTDATED] = "its template is outdated",
    [LEAVE_GROUP_GOES] = "the group is deleted",
};

static bool begin_op(struct group_scene *scene, const char *op)
{
    /* A conflict is a reason to look again, not to wait. */
    struct err err = { 0 };

    if (work_op(scene->work, op, &err) == OP_FAILED && err.code == ERR_CONFLICT)
        work_op_reset(scene->work, op);
    return work_op_begin(scene->work, op);
}

static void delete_member(struct group_scene *scene, size_t member)
{
    const char *name = scene->members[member].name;
    auto_free char *op = str_printf("delete %s", name);

    if (scene->instances[member] && !object_is_deleting(scene->instances[member]) && begin_op(scene, op))
        control_delete(scene->work->control, &kind_instance, scene->namespace_name, name,
                       work_op_done(scene->work, op));
}

static void drain_member(struct group_scene *scene, size_t member)
{
    auto_free char *op = str_printf("drain %s", scene->members[member].name);
    char now[TIME_TEXT_SIZE];
    json_t *copy, *annotations;

    if (!begin_op(scene, op))
        return;
    copy = json_deep_copy(scene->instances[member]);
    time_format(group_now_ms(scene), now, sizeof now);
    if (!json_at(copy, "metadata.annotations"))
        json_set_at(copy, "metadata.annotations", json_object());
    annotations = json_at(copy, "metadata.annotations");
    json_object_set_new(annotations, ANNOTATION_DRAIN, json_string(now));
    json_object_set_new(annotations, ANNOTATION_LEAVING, json_string("true"));
    control_update(scene->work->control, &kind_instance, copy, work_op_done(scene->work, op));
}

static bool has_leave_hook(const struct group_scene *scene, size_t member)
{
    const json_t *instance = scene->instances[member];

    return json_at(scene->object, "spec.hooks.leave") && instance && member_has_served(instance) &&
           condition_is_true(instance, "Running");
}

void group_leave_member(struct group_scene *scene, size_t member, enum leave_reason reason)
{
    if (!scene->instances[member])
        return; /* not in the store yet: the next look finds it */
    auto_free char *failure = reason == LEAVE_FAILED ? member_failure(scene, member) : NULL;
    work_event(scene->work, failure ? "Warning" : "Normal", "MemberLeaves", "member %s goes: %s",
               scene->members[member].name, failure ? failure : reasons[reason]);
    if (reason != LEAVE_FAILED && has_leave_hook(scene, member))
        drain_member(scene, member);
    else
        delete_member(scene, member);
}

static bool leave_hook_is_over(struct group_scene *scene, size_t member)
{
    auto_free char *op = str_printf("leave %s", scene->members[member].name);
    struct err err = { 0 };

    if (!has_leave_hook(scene, member) || work_op_succeeded(scene->work, op))
        return true;
    if (work_op(scene->work, op, &err) == OP_FAILED) {
        work_event(scene->work, "Warning", "LeaveFailed", "member %s: %s", scene->members[member].name, err.text);
        return true;
    }
    group_hook_run(scene, member, "spec.hooks.leave", op);
    return false;
}

void group_leaving_go_on(struct group_scene *scene)
{
    for (size_t i = 0; i < scene->count; i++) {
        if (scene->members[i].state != MEMBER_LEAVING || object_is_deleting(scene->instances[i]))
            continue;
        if (balancers_let_go(scene->work->control, scene->instances[i]) && leave_hook_is_over(scene, i))
            delete_member(scene, i);
        else
            group_again(scene, 1000);
    }
}
