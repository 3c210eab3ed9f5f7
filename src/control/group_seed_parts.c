/* control/group_seed_parts.c - what a seed is made of: an Instance for as long as it takes to freeze it,
 * and the Snapshot that members go on from.
 *
 * The Instance carries no label of the template, so that no selector of a balancer finds it. */
#include "control/group.h"
#include "control/balancers.h"
#include "control/internal.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdlib.h>

/* --- making --- */

static json_t *labels_of_seed(const struct group_scene *scene)
{
    return json_pack("{s:s,s:o}", LABEL_SEED, scene->name, LABEL_REVISION, json_printf("%d", scene->revision));
}

static json_t *seed_of(struct group_scene *scene, const char *name)
{
    json_t *instance = group_instance_of(scene, name);

    json_set_at(instance, "metadata.labels", labels_of_seed(scene));
    json_set_at(instance, "spec.powerState", json_string("Running"));
    json_set_at(instance, "spec.rootDisk.deletePolicy", json_string("Delete"));
    json_set_at(instance, "spec.stopTimeout", json_string("0s")); /* nothing of it is needed afterwards */
    return instance;
}

static json_t *snapshot_of(struct group_scene *scene, const char *name)
{
    json_t *snapshot = group_instance_of(scene, name); /* for its metadata */

    json_object_del(json_object_get(snapshot, "metadata"), "annotations");
    json_set_at(snapshot, "metadata.labels", labels_of_seed(scene));
    json_set_at(snapshot, "spec", json_pack("{s:s,s:b}", "instanceName", name, "memory", 1));
    return snapshot;
}

/* Made once by this daemon: one that is gone after that was deleted by somebody. */
static enum part part(struct group_scene *scene, const struct kind *kind, const char *name,
                      json_t *(*make)(struct group_scene *scene, const char *name), json_t **ret_object,
                      struct err *err)
{
    auto_free char *op = str_printf("create %s %s", kind->singular, name);
    auto_json json_t *object = work_find(scene->work, kind, scene->namespace_name, name);

    if (object && group_owns(scene, object) && !object_is_deleting(object)) {
        *ret_object = json_incref(object);
        return PART_THERE;
    }
    switch (work_op(scene->work, op, err)) {
    case OP_RUNNING: return PART_COMING;
    case OP_FAILED: return PART_REFUSED;
    default: break;
    }
    if (object || work_op_succeeded(scene->work, op))
        return PART_LOST;
    if (work_op_begin(scene->work, op))
        control_create(scene->work->control, kind, make(scene, name), work_op_done(scene->work, op));
    return PART_COMING;
}

enum part seed_instance(struct group_scene *scene, const char *name, json_t **ret_object, struct err *err)
{
    return part(scene, &kind_instance, name, seed_of, ret_object, err);
}

enum part seed_snapshot(struct group_scene *scene, const char *name, json_t **ret_object, struct err *err)
{
    return part(scene, &kind_snapshot, name, snapshot_of, ret_object, err);
}

/* --- going --- */

static void remove_object(struct group_scene *scene, const struct kind *kind, const char *name)
{
    auto_free char *op = str_printf("delete %s %s", kind->singular, name);
    struct err err = { 0 };

    if (work_op(scene->work, op, &err) == OP_FAILED && err.code == ERR_CONFLICT)
        work_op_reset(scene->work, op);
    if (work_op_begin(scene->work, op))
        control_delete(scene->work->control, kind, scene->namespace_name, name, work_op_done(scene->work, op));
}

bool seed_instance_dismissed(struct group_scene *scene, const char *name)
{
    auto_free char *op = str_printf("create %s %s", kind_instance.singular, name);
    auto_json json_t *instance = work_find(scene->work, &kind_instance, scene->namespace_name, name);

    group_book_forget_seed(scene->book);
    if (work_op(scene->work, op, NULL) == OP_RUNNING)
        return false;
    if (!instance || object_is_deleting(instance) || !group_owns(scene, instance))
        return true;
    remove_object(scene, &kind_instance, name);
    return false;
}

/* --- snapshots --- */

bool snapshot_is_usable(const json_t *snapshot)
{
    return snapshot && !object_is_deleting(snapshot) && condition_is_true(snapshot, "Ready") &&
           condition_is_true(snapshot, "MemoryReady");
}

struct search {
    struct group_scene *scene;
    const json_t *template;
    char *found;
};

static const char *label(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(json_at(object, "metadata.labels"), name));
}

static void compare(void *arg, const json_t *snapshot)
{
    struct search *search = arg;
    const char *revision = label(snapshot, LABEL_REVISION);

    if (search->found || !revision || !label(snapshot, LABEL_SEED) || !group_owns(search->scene, snapshot) ||
        !snapshot_is_usable(snapshot))
        return;
    if (json_equal(group_revision_template(search->scene, atoi(revision)), search->template))
        search->found = str_dup(object_name(snapshot));
}

char *seed_snapshot_of_template(struct group_scene *scene, const json_t *template)
{
    struct search search = { scene, template, NULL };

    control_each_mentioning(scene->work->control, &kind_snapshot, scene->namespace_name, scene->uid, compare, &search);
    return search.found;
}

static bool is_stood_on(const struct group_scene *scene, const char *snapshot)
{
    for (size_t i = 0; i < scene->count; i++)
        if (!scene->instances[i] ||
            str_equal(view_text(&kind_instance, scene->instances[i], "spec.snapshot"), snapshot))
            return true;
    return false;
}

struct sweep {
    struct group_scene *scene;
    const char *keep;
    bool is_clean;
};

static void sweep_one(void *arg, const json_t *snapshot)
{
    struct sweep *sweep = arg;
    const char *name = object_name(snapshot);

    if (!label(snapshot, LABEL_SEED) || !group_owns(sweep->scene, snapshot) || str_equal(name, sweep->keep) ||
        str_equal(name, sweep->scene->snapshot))
        return;
    sweep->is_clean = false;
    if (!object_is_deleting(snapshot) && !is_stood_on(sweep->scene, name))
        remove_object(sweep->scene, &kind_snapshot, name);
}

bool seed_snapshots_sweep(struct group_scene *scene, const char *keep)
{
    struct sweep sweep = { scene, keep, true };

    control_each_mentioning(scene->work->control, &kind_snapshot, scene->namespace_name, scene->uid, sweep_one,
                            &sweep);
    return sweep.is_clean;
}
