/* control/instance_disks.c - the root volume, and the claim on every volume.
 *
 * A claim is status.attachedToUID of the Volume, written by compare-and-swap: of two instances
 * that want one volume, one finds it taken. */
#include "control/instance.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

char *root_volume_name(const struct scene *scene)
{
    const char *stored = scene_text(scene, "status.rootVolume");

    return stored ? str_dup(stored) : str_printf("%s-root", scene->name);
}

static const char *holder_of(const json_t *volume)
{
    const char *uid = view_text(&kind_volume, volume, "status.attachedToUID");

    return uid && uid[0] ? uid : NULL;
}

/* A root volume says in an annotation whose it is. It has its instance as an owner as well while it
 * is to go with it: garbage collection deletes what has an owner, also before its owner. */
static const char root_of[] = "virga.dev/root-of";

static bool has_owner(const struct scene *scene, const json_t *volume)
{
    return object_has_owner(volume, (struct owner){ .uid = scene->uid });
}

static bool is_owned(const struct scene *scene, const json_t *volume)
{
    const json_t *annotations = json_at(volume, "metadata.annotations");

    return has_owner(scene, volume) ||
           str_equal(json_string_value(json_object_get(annotations, root_of)), scene->uid);
}

static bool is_retained(const struct scene *scene)
{
    return str_equal(scene_text(scene, "spec.rootDisk.deletePolicy"), "Retain");
}

static bool is_usable(const struct scene *scene, const json_t *volume)
{
    return volume && str_equal(view_text(&kind_volume, volume, "status.phase"), "Ready") &&
           !object_is_deleting(volume) && str_equal(holder_of(volume), scene->uid) &&
           view_bytes(&kind_volume, volume, "status.size") >= view_bytes(&kind_volume, volume, "spec.size");
}

bool volume_is_usable(const struct scene *scene, const char *name)
{
    return is_usable(scene, json_object_get(scene->volumes, name));
}

static bool root_is_wanted_size(const struct scene *scene, const json_t *root)
{
    return view_bytes(&kind_volume, root, "spec.size") >=
           view_bytes(&kind_instance, scene->object, "spec.rootDisk.size");
}

bool volumes_hold(const struct scene *scene)
{
    const json_t *disks = scene_list(scene, "spec.disks");
    auto_free char *root_name = root_volume_name(scene);
    const json_t *root = json_object_get(scene->volumes, root_name);

    if (!scene_text(scene, "status.rootVolume") || !is_usable(scene, root) ||
        !is_owned(scene, root) || !root_is_wanted_size(scene, root))
        return false;
    for (size_t i = 0; i < json_array_size(disks); i++) {
        const char *name = json_text_at(json_array_get(disks, i), "volume", "");
        if (!is_usable(scene, json_object_get(scene->volumes, name)))
            return false;
    }
    return true;
}

/* --- the root volume --- */

static void add_owner(struct scene *scene, json_t *volume)
{
    if (!json_is_array(json_at(volume, "metadata.ownerReferences")))
        json_set_at(volume, "metadata.ownerReferences", json_array());
    json_array_append_new(json_at(volume, "metadata.ownerReferences"),
                          json_pack("{s:s,s:s,s:s,s:s,s:b}", "apiVersion", kind_api_version(&kind_instance),
                                    "kind", kind_instance.name, "name", scene->name, "uid", scene->uid,
                                    "controller", 1));
}

static void remove_owner(struct scene *scene, json_t *volume)
{
    json_t *owners = json_at(volume, "metadata.ownerReferences");

    for (size_t i = json_array_size(owners); i-- > 0;)
        if (str_equal(json_text_at(json_array_get(owners, i), "uid", NULL), scene->uid))
            json_array_remove(owners, i);
    if (json_array_size(owners) == 0)
        json_remove_at(volume, "metadata.ownerReferences");
}

static void create_root(struct scene *scene, const char *name)
{
    const json_t *size = json_at(scene->object, "spec.rootDisk.size");
    const char *pool = scene_text(scene, "spec.rootDisk.pool"), *image = scene_text(scene, "spec.image");
    const char *snapshot = scene_text(scene, "spec.snapshot");
    json_t *volume;

    scene_waits_for_op(scene, "create root", "the root volume is being made");
    if (!work_op_begin(scene->work, "create root"))
        return;
    volume = json_pack("{s:{s:s,s:s,s:{s:s}},s:{},s:{s:s,s:s}}", "metadata", "name", name, "namespace",
                       scene->namespace_name, "annotations", root_of, scene->uid, "spec", "status",
                       "attachedTo", scene->name, "attachedToUID", scene->uid);
    if (!is_retained(scene))
        add_owner(scene, volume);
    if (pool)
        json_set_at(volume, "spec.pool", json_string(pool));
    if (size)
        json_set_at(volume, "spec.size", json_deep_copy(size));
    if (snapshot)
        json_set_at(volume, "spec.source.snapshot", json_string(snapshot));
    else if (image)
        json_set_at(volume, "spec.source.image", json_string(image));
    control_create(scene->work->control, &kind_volume, volume, work_op_done(scene->work, "create root"));
}

/* Writes a changed copy of another object; a conflict is no failure but a reason to look again. */
static void update(struct scene *scene, const char *op, const json_t *volume,
                   json_t *(*change)(struct scene *scene, const json_t *volume))
{
    struct err err = { 0 };

    if (work_op(scene->work, op, &err) == OP_FAILED && err.code == ERR_CONFLICT)
        work_op_reset(scene->work, op);
    if (work_op_begin(scene->work, op))
        control_update(scene->work->control, &kind_volume, change(scene, volume),
                       work_op_done(scene->work, op));
}

static json_t *grown(struct scene *scene, const json_t *volume)
{
    json_t *copy = json_deep_copy(volume);

    json_set_at(copy, "spec.size", json_deep_copy(json_at(scene->object, "spec.rootDisk.size")));
    return copy;
}

/* --- claims --- */

static json_t *claimed(struct scene *scene, const json_t *volume)
{
    json_t *copy = json_deep_copy(volume);

    json_set_at(copy, "status.attachedTo", json_string(scene->name));
    json_set_at(copy, "status.attachedToUID", json_string(scene->uid));
    return copy;
}

static json_t *unclaimed(struct scene *scene, const json_t *volume)
{
    json_t *copy = json_deep_copy(volume);

    json_remove_at(copy, "status.attachedTo");
    json_remove_at(copy, "status.attachedToUID");
    return copy;
}

/* Held by an instance that is there, or by a machine that has not ended. */
static bool is_held(const struct scene *scene, const char *holder)
{
    struct compute *compute = control_setup(scene->work->control)->compute;
    auto_json json_t *instance = control_find_uid(scene->work->control, &kind_instance, holder);
    struct machine_status machine;

    compute->ops->observe(compute, holder, &machine);
    return instance || machine.state != MACHINE_ABSENT;
}

static void claim(struct scene *scene, const char *name)
{
    const json_t *volume = json_object_get(scene->volumes, name);
    const char *holder = volume ? holder_of(volume) : NULL;
    const char *message = volume ? view_text(&kind_volume, volume, "status.message") : NULL;

    if (!volume || object_is_deleting(volume)) {
        scene_waits(scene, "VolumeNotFound", "waiting for volume %s", name);
    } else if (holder && !str_equal(holder, scene->uid) && is_held(scene, holder)) {
        scene_waits(scene, "VolumeInUse", "volume %s is attached to instance %s", name,
                    view_text(&kind_volume, volume, "status.attachedTo"));
    } else if (!holder || !str_equal(holder, scene->uid)) {
        auto_free char *op = str_printf("claim %s", name);
        scene_waits(scene, "InProgress", "volume %s is being attached", name);
        update(scene, op, volume, claimed);
    } else if (!is_usable(scene, volume)) {
        scene_waits(scene, "VolumeNotReady", "volume %s: %s", name, message ? message : "being prepared");
    }
}

static void climb_root(struct scene *scene, const char *name)
{
    const json_t *root = json_object_get(scene->volumes, name);

    if (!scene_text(scene, "status.rootVolume"))
        json_set_at(scene->object, "status.rootVolume", json_string(name));
    else if (!root && scene_has_process(scene))
        scene_waits(scene, "VolumeNotFound", "root volume %s is gone", name);
    else if (!root)
        create_root(scene, name);
    else if (!is_owned(scene, root))
        scene_waits(scene, "VolumeExists", "volume %s exists and is not this instance's", name);
    else if (!root_is_wanted_size(scene, root))
        update(scene, "grow root", root, grown);
    else
        claim(scene, name);
}

void volumes_climb(struct scene *scene)
{
    const json_t *disks = scene_list(scene, "spec.disks");
    auto_free char *root = root_volume_name(scene);

    climb_root(scene, root);
    for (size_t i = 0; i < json_array_size(disks); i++) {
        const char *name = json_text_at(json_array_get(disks, i), "volume", "");
        if (!is_usable(scene, json_object_get(scene->volumes, name)))
            claim(scene, name);
    }
}

/* --- letting go --- */

struct held {
    struct scene *scene;
    bool all;
    unsigned count;
};

static bool is_named(const struct scene *scene, const json_t *volume)
{
    return json_object_get(scene->volumes, object_name(volume)) != NULL;
}

static bool has_attached(const struct scene *scene, const json_t *volume)
{
    const json_t *disks = scene_list(scene, "status.disks");

    for (size_t i = 0; i < json_array_size(disks); i++)
        if (str_equal(json_text_at(json_array_get(disks, i), "volumeUID", NULL), object_uid(volume)))
            return true;
    return false;
}

static void let_go(void *arg, const json_t *volume)
{
    struct held *held = arg;

    if (!str_equal(holder_of(volume), held->scene->uid) || (!held->all && is_named(held->scene, volume)))
        return;
    held->count++;
    if (scene_has_process(held->scene) && has_attached(held->scene, volume))
        return;
    auto_free char *op = str_printf("unclaim %s", object_name(volume));
    update(held->scene, op, volume, unclaimed);
}

bool volumes_unclaim(struct scene *scene, bool all)
{
    struct held held = { scene, all, 0 };

    control_each_mentioning(scene->work->control, &kind_volume, scene->namespace_name, scene->uid,
                            let_go, &held);
    return held.count == 0;
}

static json_t *retied(struct scene *scene, const json_t *volume)
{
    json_t *copy = json_deep_copy(volume);

    if (!json_is_object(json_at(copy, "metadata.annotations")))
        json_set_at(copy, "metadata.annotations", json_object());
    json_object_set_new(json_at(copy, "metadata.annotations"), root_of, json_string(scene->uid));
    if (is_retained(scene))
        remove_owner(scene, copy);
    else
        add_owner(scene, copy);
    return copy;
}

void root_volume_tie(struct scene *scene)
{
    auto_free char *name = root_volume_name(scene);
    const json_t *root = json_object_get(scene->volumes, name);

    if (root && is_owned(scene, root) && !object_is_deleting(root) &&
        has_owner(scene, root) == is_retained(scene))
        update(scene, "tie root", root, retied);
}

static json_t *disowned(struct scene *scene, const json_t *volume)
{
    json_t *copy = json_deep_copy(volume), *annotations = json_at(copy, "metadata.annotations");

    remove_owner(scene, copy);
    json_object_del(annotations, root_of);
    if (annotations && json_object_size(annotations) == 0)
        json_remove_at(copy, "metadata.annotations");
    return copy;
}

bool root_volume_dispose(struct scene *scene)
{
    auto_free char *name = root_volume_name(scene);
    const json_t *root = json_object_get(scene->volumes, name);
    struct err err = { 0 };

    /* A creation on its way must not come after the end. */
    if (work_op(scene->work, "create root", NULL) == OP_RUNNING)
        return false;
    /* Deleted so that dependents stay: garbage collection takes the owner from them first. */
    if (object_has_finalizer(scene->object, "orphan"))
        return false;
    if (!root || !is_owned(scene, root))
        return true;
    if (is_retained(scene) || !has_owner(scene, root)) {
        update(scene, "retain root", root, disowned);
        return false;
    }
    if (work_op(scene->work, "delete root", &err) == OP_FAILED && err.code == ERR_CONFLICT)
        work_op_reset(scene->work, "delete root");
    if (!object_is_deleting(root) && work_op_begin(scene->work, "delete root"))
        control_delete(scene->work->control, &kind_volume, scene->namespace_name, name,
                       work_op_done(scene->work, "delete root"));
    return false;
}
