/* control/admit_snapshot.c - what is to begin as a snapshot: what it takes from it, and whether it fits. */
#include "control/admit.h"
#include "control/snapshot.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdio.h>
#include <string.h>

void admit_snapshot_disk(const json_t *snapshot, const json_t *object, const struct snapshot_disk *disk,
                         struct causes *causes)
{
    const char *its_pool = view_text(&kind_snapshot, snapshot, "status.pool");
    int64_t least = view_bytes(&kind_snapshot, snapshot, "status.diskSize");

    if (its_pool && !str_equal(its_pool, disk->pool))
        causes_invalid(causes, disk->pool_field, json_at(object, disk->pool_field),
                       "the snapshot lies in storage pool \"%s\", and what stands on it lies there too", its_pool);
    if (disk->bytes && disk->bytes < least)
        causes_invalid(causes, disk->size_field, json_at(object, disk->size_field),
                       "must be at least the snapshot's size, %s", json_text_at(snapshot, "status.diskSize", ""));
}

static bool is_same_quantity(const json_t *a, const json_t *b)
{
    int64_t a_bytes = 0, b_bytes = 0;
    struct err err;

    return json_is_string(a) && json_is_string(b) && quantity_parse(json_string_value(a), &a_bytes, &err) == 0 &&
           quantity_parse(json_string_value(b), &b_bytes, &err) == 0 && a_bytes == b_bytes;
}

/* What an instance that goes on from a memory has in common with its machine. */
static const struct part {
    const char *instance, *machine;
    const char *limit_of; /* absent is a value of its own; the part that it is the upper limit of */
} parts[] = {
    { "spec.cpus", "cpus" },
    { "spec.memory", "memory" },
    { "spec.maxCPUs", "maxCPUs", "spec.cpus" },
    { "spec.maxMemory", "maxMemory", "spec.memory" },
    { "spec.firmware", "firmware" },
    { "spec.guestAgent", "guestAgent" },
    { "spec.console.vnc", "vnc" },
};

char *snapshot_misfit(const json_t *snapshot, const json_t *instance)
{
    const json_t *machine = json_at(snapshot, "status.machine");
    size_t cards = json_array_size(json_at(snapshot, "status.networks"));

    for (size_t i = 0; machine && i < sizeof parts / sizeof parts[0]; i++) {
        json_t *is = json_at(instance, parts[i].instance), *was = json_object_get(machine, parts[i].machine);
        auto_free char *text = was ? json_text(was) : NULL;

        if (!was && is && parts[i].limit_of)
            return str_printf("%s must be absent, as in the snapshot whose memory it goes on from", parts[i].instance);
        if (was && !json_equal(is, was) && !is_same_quantity(is, was))
            return str_printf("%s must be %s, as in the snapshot whose memory it goes on from",
                              parts[i].instance, text);
    }
    if (machine && json_array_size(view_list(&kind_instance, instance, "spec.networks")) != cards)
        return str_printf("spec.networks must have %zu items, as in the snapshot whose memory it goes on from", cards);
    if (machine && json_array_size(view_list(&kind_instance, instance, "spec.disks")))
        return str_printf("spec.disks must be empty, as in the snapshot whose memory it goes on from");
    return NULL;
}

/* --- what is left out is the snapshot's --- */

/* The machine that was taken, or will be: that one is known before the snapshot is. NULL: none is known.
 * Owned. */
static json_t *machine_to_be(struct control *control, const char *namespace_name, const char *name)
{
    auto_json json_t *snapshot = name ? control_find(control, &kind_snapshot, namespace_name, name) : NULL;
    json_t *machine = json_at(snapshot, "status.machine");
    auto_json json_t *instance = NULL;

    if (machine || !snapshot)
        return json_incref(machine);
    instance = control_find(control, &kind_instance, namespace_name,
                            view_text(&kind_snapshot, snapshot, "spec.instanceName"));
    return instance ? snapshot_machine(instance) : NULL;
}

/* A limit that fits another size than the one that is asked for would only confuse who is told. */
static bool is_to_fill(const struct part *part, const json_t *instance, const json_t *machine)
{
    const json_t *size = part->limit_of ? json_at(instance, part->limit_of) : NULL;
    const json_t *its_size = part->limit_of ? json_at(machine, part->limit_of + strlen("spec.")) : NULL;

    return !json_at(instance, part->instance) && json_object_get(machine, part->machine) &&
           (!size || json_equal(size, its_size) || is_same_quantity(size, its_size));
}

static void fill_from(json_t *instance, const json_t *machine)
{
    const json_t *console = json_at(instance, "spec.console");

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (is_to_fill(&parts[i], instance, machine) &&
            (!str_equal(parts[i].machine, "vnc") || !console || json_is_object(console)))
            json_set_at(instance, parts[i].instance, json_deep_copy(json_object_get(machine, parts[i].machine)));
}

void fill_instance(struct control *control, const char *namespace_name, json_t *instance)
{
    const char *name = json_text_at(instance, "spec.snapshot", NULL);
    auto_json json_t *machine = name ? machine_to_be(control, namespace_name, name) : NULL;

    if (machine)
        fill_from(instance, machine);
}

/* --- whether it fits --- */

/* "spec.cpus must be ..." names its field. */
static void add_misfit(const char *misfit, const json_t *object, struct causes *causes)
{
    const char *end = misfit + __builtin_strcspn(misfit, " ");
    auto_free char *field = str_dup_part(misfit, (size_t)(end - misfit));

    causes_invalid(causes, field, json_at(object, field), "%s", end + 1);
}

void admit_instance_snapshot(struct control *control, const json_t *object, struct causes *causes)
{
    const char *name = view_text(&kind_instance, object, "spec.snapshot"), *namespace_name = object_namespace(object);
    const char *image = view_text(&kind_instance, object, "spec.image"), *its_image;
    auto_json json_t *snapshot = name ? control_find(control, &kind_snapshot, namespace_name, name) : NULL;
    const struct snapshot_disk disk = { view_text(&kind_instance, object, "spec.rootDisk.pool"), "spec.rootDisk.pool",
                                        view_bytes(&kind_instance, object, "spec.rootDisk.size"), "spec.rootDisk.size" };

    admit_exists(control, &kind_snapshot, namespace_name, name, "spec.snapshot", causes);
    if (!snapshot)
        return;
    its_image = view_text(&kind_snapshot, snapshot, "status.image");
    if (str_equal(view_text(&kind_snapshot, snapshot, "status.phase"), "Failed"))
        causes_invalid(causes, "spec.snapshot", json_at(object, "spec.snapshot"), "has failed: %s",
                       json_text_at(snapshot, "status.message", ""));
    admit_snapshot_disk(snapshot, object, &disk, causes);
    if (image && view_text(&kind_snapshot, snapshot, "status.pool") && !str_equal(image, its_image))
        causes_invalid(causes, "spec.image", json_at(object, "spec.image"),
                       "is not the image that the snapshot stands on; leave it out");
    auto_free char *misfit =
        condition_is_true(snapshot, "MemoryReady") ? snapshot_misfit(snapshot, object) : NULL;
    if (misfit)
        add_misfit(misfit, object, causes);
}
