/* control/instance_machine.c - what the machine was started with, and what of the spec waits for
 * its next start.
 *
 * status.machine, .disks and .cdrom are stored before a machine is started, and are what it is
 * started with. While it runs, .disks and .cdrom follow what is plugged (instance_plug.c). */
#include "control/instance.h"
#include "control/placement.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

/* What the machine is started with. Only a start can change it, but for what follows while it runs. */
static const struct part {
    const char *spec, *status;
    bool follows; /* instance_size.c */
} parts[] = {
    { "spec.cpus", "status.machine.cpus", true },
    { "spec.memory", "status.machine.memory", true },
    { "spec.maxCPUs", "status.machine.maxCPUs" },
    { "spec.maxMemory", "status.machine.maxMemory" },
    { "spec.hostname", "status.machine.hostname" },
    { "spec.firmware", "status.machine.firmware" },
    { "spec.bootOrder", "status.machine.bootOrder" },
    { "spec.guestAgent", "status.machine.guestAgent" },
    { "spec.console.vnc", "status.machine.vnc" },
    { "spec.accelerator", "status.machine.accelerator" },
};
enum { PART_COUNT = sizeof parts / sizeof parts[0] };

static bool is_same_quantity(const json_t *a, const json_t *b)
{
    int64_t a_bytes, b_bytes;
    struct err err;

    return json_is_string(a) && json_is_string(b) &&
           quantity_parse(json_string_value(a), &a_bytes, &err) == 0 &&
           quantity_parse(json_string_value(b), &b_bytes, &err) == 0 && a_bytes == b_bytes;
}

static bool is_same(const json_t *a, const json_t *b)
{
    return (!a && !b) || json_equal((json_t *)a, (json_t *)b) || is_same_quantity(a, b);
}

static bool part_is_current(const struct scene *scene, const struct part *part)
{
    return is_same(json_at(scene->object, part->spec), json_at(scene->object, part->status));
}

/* --- the record --- */

static json_t *wanted_disks(const struct scene *scene)
{
    const json_t *disks = scene_list(scene, "spec.disks");
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(disks); i++)
        json_array_append_new(list, attached_disk(scene, json_array_get(disks, i)));
    return list;
}

json_t *attached_disk(const struct scene *scene, const json_t *disk)
{
    const char *volume = json_text_at(disk, "volume", "");

    return json_pack("{s:s,s:s,s:s,s:b}", "name", json_text_at(disk, "name", ""), "volume", volume,
                     "volumeUID", object_uid(json_object_get(scene->volumes, volume)), "readOnly",
                     json_bool_at(disk, "readOnly", false));
}

/* NULL: the drive is to be empty, or the image is not there. */
json_t *wanted_medium(const struct scene *scene)
{
    const char *name = scene_text(scene, "spec.cdrom.image");
    auto_json json_t *image = name ? work_find(scene->work, &kind_image, NULL, name) : NULL;

    return image ? json_pack("{s:s,s:s}", "image", name, "imageUID", object_uid(image)) : NULL;
}

bool machine_is_recorded(const struct scene *scene)
{
    auto_json json_t *disks = wanted_disks(scene);
    auto_json json_t *medium = wanted_medium(scene);

    for (unsigned i = 0; i < PART_COUNT; i++)
        if (!part_is_current(scene, &parts[i]))
            return false;
    return json_equal(disks, scene_list(scene, "status.disks")) &&
           is_same(medium, json_at(scene->object, "status.cdrom"));
}

static void set_or_remove(json_t *object, const char *path, json_t *take_value)
{
    if (take_value)
        json_set_at(object, path, take_value);
    else
        json_remove_at(object, path);
}

/* The host name is told to DHCP and DNS too. */
static void make_ports_anew(struct scene *scene)
{
    const json_t *cards = scene_list(scene, "status.networks");

    for (size_t i = 0; i < json_array_size(cards); i++) {
        auto_free char *op = str_printf("port %s", json_text_at(json_array_get(cards, i), "name", ""));
        work_op_reset(scene->work, op);
    }
}

void machine_record(struct scene *scene)
{
    if (!is_same(json_at(scene->object, "spec.hostname"), json_at(scene->object, "status.machine.hostname")))
        make_ports_anew(scene);
    for (unsigned i = 0; i < PART_COUNT; i++)
        set_or_remove(scene->object, parts[i].status,
                      json_deep_copy(json_at(scene->object, parts[i].spec)));
    json_set_at(scene->object, "status.disks", wanted_disks(scene));
    set_or_remove(scene->object, "status.cdrom", wanted_medium(scene));
}

/* --- room --- */

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* A running machine counts with what it has or with what it is to have, whichever is more. */
void machine_account(struct scene *scene)
{
    struct control *control = scene->work->control;
    int64_t cpus = view_int(&kind_instance, scene->object, "spec.cpus");
    int64_t memory = view_bytes(&kind_instance, scene->object, "spec.memory");
    int64_t had_cpus = 0, had_memory = 0;

    scene->no_room = (struct err){ 0 };
    if (!str_equal(scene_text(scene, "status.host"), control_setup(control)->host_name))
        return;
    if (scene_has_process(scene)) {
        size_counted(scene, &had_cpus, &had_memory);
        cpus = larger(cpus, had_cpus);
        memory = larger(memory, had_memory);
    }
    if (placement_take(control, scene->uid, cpus, memory, &scene->no_room) == 0)
        return;
    placement_wait(control, scene->work->key);
    if (had_cpus) /* what it has, it has */
        placement_adopt(control, scene->uid, had_cpus, had_memory);
}

/* At the daemon's start, from the stored instance. */
void machine_account_adopt(struct control *control, const json_t *instance)
{
    struct compute *compute = control_setup(control)->compute;
    struct machine_status machine;
    const char *paths[2] = { "spec.cpus", "spec.memory" };

    compute->ops->observe(compute, object_uid(instance), &machine);
    if (machine.state != MACHINE_ABSENT && json_at(instance, "status.cpus")) {
        paths[0] = "status.cpus";
        paths[1] = "status.memory";
    } else if (machine.state != MACHINE_ABSENT && json_at(instance, "status.machine.cpus")) {
        paths[0] = "status.machine.cpus";
        paths[1] = "status.machine.memory";
    }
    placement_adopt(control, object_uid(instance), view_int(&kind_instance, instance, paths[0]),
                    view_bytes(&kind_instance, instance, paths[1]));
}

/* --- what waits for the next start --- */

void restart_needed_for(struct scene *scene, const char *field)
{
    buf_printf(&scene->restart, "%s%s", scene->restart.size ? ", " : "", field);
}

void restart_show(struct scene *scene)
{
    const char *room = scene->no_room.code ? scene->no_room.text : NULL;

    for (unsigned i = 0; i < PART_COUNT && json_at(scene->object, "status.machine"); i++)
        if (!parts[i].follows && !part_is_current(scene, &parts[i]))
            restart_needed_for(scene, parts[i].spec);
    if (scene->restart.size)
        work_condition(scene->work, "RestartRequired", true, "SpecChanged",
                       "%s: in effect from the next start%s%s", scene->restart.bytes,
                       room ? ", for which there is no room now: " : "", room ? room : "");
    else
        restart_forget(scene);
}

void restart_forget(struct scene *scene)
{
    if (condition_get(scene->object, "RestartRequired"))
        work_condition(scene->work, "RestartRequired", false, "UpToDate", "%s", "");
}
