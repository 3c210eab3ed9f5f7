/* control/admit.c - rules that need other objects: what is referred to exists, what is unique is
 * free, what is in use stays. Pure reads of the store. */
#include "control/admit.h"
#include "base/quantity.h"
#include "base/str.h"
#include "control/internal.h"
#include "control/placement.h"
#include "control/strangers.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdlib.h>
#include <string.h>

void admit_exists(struct control *control, const struct kind *kind, const char *namespace_name,
                  const char *name, const char *field, struct causes *causes)
{
    bool is_deleting = false;

    if (name && (!control_has(control, kind, namespace_name, name, &is_deleting) || is_deleting))
        causes_add(causes, "FieldValueNotFound", field, "Not found: there is no %s \"%s\"%s",
                   kind->singular, name, is_deleting ? " (it is being deleted)" : "");
}

/* --- volumes --- */

static void admit_image_size(struct control *control, const char *image, const json_t *object,
                             const char *size_field, struct causes *causes)
{
    auto_json json_t *found = image ? control_find(control, &kind_image, NULL, image) : NULL;
    int64_t image_bytes = found ? view_bytes(&kind_image, found, "status.virtualSize") : 0;
    const json_t *size = json_at(object, size_field);
    const char *type = found ? view_text(&kind_image, found, "status.type") : NULL;
    int64_t bytes = 0;
    char text[32];
    struct err err;

    if (type && !str_equal(type, "Disk"))
        causes_add(causes, "FieldValueInvalid", "spec.source.image",
                   "Invalid value: \"%s\": is a CD-ROM image, and no disk can be made of it", image);
    if (json_is_integer(size))
        bytes = json_integer_value(size);
    else if (!json_is_string(size) || quantity_parse(json_string_value(size), &bytes, &err) < 0)
        return;
    quantity_format_bytes(image_bytes, text, sizeof text);
    if (bytes < image_bytes)
        causes_invalid(causes, size_field, size, "must be at least the image's size, %s", text);
}

/* What it has, also from its image, is the least. */
static void admit_volume_growth(const json_t *object, struct causes *causes)
{
    int64_t bytes = view_bytes(&kind_volume, object, "spec.size");

    if (bytes && bytes < view_bytes(&kind_volume, object, "status.size"))
        causes_invalid(causes, "spec.size", json_at(object, "spec.size"),
                       "may grow but not shrink (now \"%s\")", json_text_at(object, "status.size", ""));
}

static void admit_source_pool(struct control *control, const json_t *object, struct causes *causes)
{
    const char *name = view_text(&kind_volume, object, "spec.source.volume");
    auto_json json_t *source =
        name ? control_find(control, &kind_volume, object_namespace(object), name) : NULL;

    if (source && !str_equal(view_text(&kind_volume, source, "spec.pool"),
                             view_text(&kind_volume, object, "spec.pool")))
        causes_invalid(causes, "spec.source.volume", json_at(object, "spec.source.volume"),
                       "lies in storage pool \"%s\"; a copy lies in the pool of its source",
                       view_text(&kind_volume, source, "spec.pool"));
}

static void admit_snapshot_source(struct control *control, const json_t *object, struct causes *causes)
{
    const char *name = view_text(&kind_volume, object, "spec.source.snapshot");
    auto_json json_t *snapshot = name ? control_find(control, &kind_snapshot, object_namespace(object), name) : NULL;
    const struct snapshot_disk disk = { view_text(&kind_volume, object, "spec.pool"), "spec.pool",
                                        view_bytes(&kind_volume, object, "spec.size"), "spec.size" };

    admit_exists(control, &kind_snapshot, object_namespace(object), name, "spec.source.snapshot", causes);
    if (snapshot)
        admit_snapshot_disk(snapshot, object, &disk, causes);
}

static void admit_volume(struct control *control, const json_t *object, const json_t *old,
                         struct causes *causes)
{
    const char *image = view_text(&kind_volume, object, "spec.source.image");

    if (old) {
        admit_volume_growth(object, causes);
        return;
    }
    admit_exists(control, &kind_storage_pool, NULL, view_text(&kind_volume, object, "spec.pool"),
                 "spec.pool", causes);
    admit_exists(control, &kind_image, NULL, image, "spec.source.image", causes);
    admit_exists(control, &kind_volume, object_namespace(object),
                 view_text(&kind_volume, object, "spec.source.volume"), "spec.source.volume", causes);
    admit_image_size(control, image, object, "spec.size", causes);
    admit_snapshot_source(control, object, causes);
    admit_source_pool(control, object, causes);
}

/* --- networks --- */

struct overlap {
    const json_t *object;
    struct causes *causes;
    const char *field; /* "spec.ipv4.subnet" */
};

static void look_for_overlap(void *arg, const json_t *other)
{
    struct overlap *overlap = arg;
    const char *mine = json_text_at(overlap->object, overlap->field, NULL);
    const char *its = json_text_at(other, overlap->field, NULL);
    struct ip_prefix a, b;
    struct err err;

    if (!mine || !its || str_equal(object_name(other), object_name(overlap->object)) ||
        ip_prefix_parse(mine, &a, &err) < 0 || ip_prefix_parse(its, &b, &err) < 0)
        return;
    if (ip_prefix_overlaps(&a, &b))
        causes_invalid(overlap->causes, overlap->field, json_at(overlap->object, overlap->field),
                       "overlaps %s of network \"%s\"", its, object_name(other));
}

static void admit_network(struct control *control, const json_t *object, struct causes *causes)
{
    struct overlap overlap = { object, causes, "spec.ipv4.subnet" };

    control_each(control, &kind_network, object_namespace(object), look_for_overlap, &overlap);
    overlap.field = "spec.ipv6.subnet";
    control_each(control, &kind_network, object_namespace(object), look_for_overlap, &overlap);
}

/* --- deletion: what others stand on stays --- */

struct use {
    const char *name;
    const char *const *paths; /* of the user's fields that may name it; "[]" stands for any item */
    const struct kind *user_kind;
    const char *home;         /* the namespace that need not be named */
    char *user;               /* the first one found, owned */
};

static bool list_names(const json_t *list, const char *key, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_equal(json_text_at(json_array_get(list, i), key, NULL), name))
            return true;
    return false;
}

static bool names(const json_t *object, const char *path, const char *name)
{
    const char *brackets = strstr(path, "[].");

    if (!brackets)
        return str_equal(json_text_at(object, path, NULL), name);
    auto_free char *list = str_dup_part(path, (size_t)(brackets - path));
    return list_names(json_at(object, list), brackets + 3, name);
}

static void look_for_use(void *arg, const json_t *object)
{
    struct use *use = arg;
    bool is_elsewhere = !str_equal(object_namespace(object), use->home);

    for (const char *const *path = use->paths; *path && !use->user; path++)
        if (names(object, *path, use->name))
            use->user = str_printf("%s \"%s\"%s%s", use->user_kind->singular, object_name(object),
                                   is_elsewhere ? " of namespace " : "",
                                   is_elsewhere ? object_namespace(object) : "");
}

static void refuse_if_used(struct control *control, const struct kind *user, const char *namespace_name,
                           const char *const *paths, const json_t *object, struct causes *causes)
{
    const char *home = object_namespace(object);
    struct use use = { object_name(object), paths, user, home[0] ? home : "default", NULL };

    control_each(control, user, namespace_name, look_for_use, &use);
    if (use.user)
        causes_add(causes, "InUse", "", "is in use by %s; delete that first", use.user);
    free(use.user);
}

/* What is to outlive the instance must not have it as its owner any more: deleted in the foreground
 * it would take everything along before its controller could act. */
static void admit_instance_deletion(struct control *control, const json_t *old, struct causes *causes)
{
    const char *name = view_text(&kind_instance, old, "status.rootVolume");
    auto_json json_t *root = name ? control_find(control, &kind_volume, object_namespace(old), name) : NULL;

    if (str_equal(view_text(&kind_instance, old, "spec.rootDisk.deletePolicy"), "Retain") &&
        list_names(json_at(root, "metadata.ownerReferences"), "uid", object_uid(old)))
        causes_add(causes, "InUse", "spec.rootDisk.deletePolicy",
                   "volume \"%s\" is just being made to outlive it; try again", name);
}

/* As in Kubernetes: what is not told a namespace, and Events of what has none, belong to the first; the
 * second has the tokens. */
static void admit_namespace_deletion(const json_t *old, struct causes *causes)
{
    bool is_ours = str_equal(object_name(old), "default") || str_equal(object_name(old), SYSTEM_NAMESPACE);

    if (is_ours && !object_is_deleting(old))
        causes_add(causes, "InUse", "", "may not be deleted: delete what is in it");
}

static void admit_deletion(struct control *control, const struct kind *kind, const json_t *old,
                           struct causes *causes)
{
    const char *namespace_name = object_namespace(old);

    if (kind == &kind_namespace) {
        admit_namespace_deletion(old, causes);
    } else if (kind == &kind_host) {
        if (str_equal(object_name(old), control_setup(control)->host_name))
            causes_add(causes, "InUse", "", "may not be deleted: its virgad runs");
    } else if (kind == &kind_image) {
        /* An instance owns its root volume: to name both would be to say the same twice. */
        refuse_if_used(control, &kind_instance, NULL,
                       TEXTS("spec.image", "spec.cdrom.image", "status.cdrom.image"), old, causes);
        if (!causes->count)
            refuse_if_used(control, &kind_volume, NULL, TEXTS("spec.source.image"), old, causes);
        if (!causes->count)
            refuse_if_used(control, &kind_snapshot, NULL, TEXTS("status.image"), old, causes);
        if (strangers_have_volume(control))
            causes_add(causes, "InUse", "metadata.name",
                       "a volume that no object knows may stand on it: see condition AllKnown of the host");
    } else if (kind == &kind_storage_pool) {
        refuse_if_used(control, &kind_volume, NULL, TEXTS("spec.pool"), old, causes);
        if (!causes->count)
            refuse_if_used(control, &kind_snapshot, NULL, TEXTS("status.pool"), old, causes);
    } else if (kind == &kind_network) {
        refuse_if_used(control, &kind_instance, namespace_name,
                       TEXTS("spec.networks[].network", "status.networks[].network"), old, causes);
        refuse_if_used(control, &kind_load_balancer, namespace_name, TEXTS("spec.network"), old, causes);
    } else if (kind == &kind_snapshot) {
        refuse_if_used(control, &kind_instance, namespace_name, TEXTS("spec.snapshot"), old, causes);
        if (!causes->count)
            refuse_if_used(control, &kind_volume, namespace_name, TEXTS("spec.source.snapshot"), old, causes);
    } else if (kind == &kind_instance) {
        admit_instance_deletion(control, old, causes);
    } else if (kind == &kind_volume) {
        refuse_if_used(control, &kind_instance, namespace_name,
                       TEXTS("status.rootVolume", "spec.disks[].volume", "status.disks[].volume"), old, causes);
    }
}

void control_admit(void *pointer, const struct kind *kind, json_t *object, const json_t *old,
                   struct causes *causes)
{
    struct control *control = pointer;

    if (!object)
        admit_deletion(control, kind, old, causes);
    else if (object_is_deleting(object))
        return;
    else if (kind == &kind_instance)
        admit_instance(control, object, old, causes);
    else if (kind == &kind_snapshot && !old)
        admit_exists(control, &kind_instance, object_namespace(object),
                     view_text(&kind_snapshot, object, "spec.instanceName"), "spec.instanceName", causes);
    else if (kind == &kind_volume)
        admit_volume(control, object, old, causes);
    else if (kind == &kind_network)
        admit_network(control, object, causes);
    else if (kind == &kind_load_balancer)
        admit_balancer(control, object, old, causes);
    else if (kind == &kind_instance_group)
        admit_instance_group(control, object, old, causes);
    else if (kind == &kind_autoscaler)
        admit_autoscaler(control, object, causes);
    else if (kind == &kind_hpa)
        admit_hpa(control, object, causes);
}

/* --- what a writer leaves out --- */

void control_fill(void *control, const struct kind *kind, json_t *object)
{
    if (kind == &kind_instance) {
        fill_instance(control, object_namespace(object), object);
    } else if (kind == &kind_instance_group) {
        fill_instance(control, object_namespace(object), json_at(object, "spec.template"));
        fill_instance_group(control, object);
    }
}
