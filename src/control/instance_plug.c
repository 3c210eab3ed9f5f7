/* control/instance_plug.c - disks and discs that come and go while the machine runs.
 *
 * status.disks names a disk from before it is attached until after it is detached, and so does the
 * claim on its volume hold:
 *   in:   claim the volume -> store the item in status.disks -> attach
 *   out:  detach -> remove the item from status.disks -> give up the claim */
#include "control/instance.h"
#include "control/results.h"
#include "base/mem.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

bool machine_has(const char (*names)[DEVICE_NAME_SIZE], unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (str_equal(names[i], name))
            return true;
    return false;
}

static bool machine_has_disk(const struct scene *scene, const char *name)
{
    return machine_has(scene->machine.disks, scene->machine.disk_count, name);
}

static const json_t *item_named(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_equal(json_text_at(json_array_get(list, i), "name", NULL), name))
            return json_array_get(list, i);
    return NULL;
}

void plug_waits(struct scene *scene, const char *device, const char *op, const char *text)
{
    struct err err = { 0 };
    bool failed = work_op(scene->work, op, &err) == OP_FAILED;

    if (failed && err.code == ERR_EXHAUSTED)
        restart_needed_for(scene, device);
    buf_printf(&scene->plugging, "%s%s: %s", scene->plugging.size ? "; " : "", device,
               failed ? err.text : text);
}

/* A slot has become free: what found none is tried at once. */
void plug_slot_freed(struct scene *scene)
{
    static const struct {
        const char *path, *op;
    } lists[] = { { "spec.disks", "attach" }, { "spec.networks", "plug" } };

    for (unsigned i = 0; i < 2; i++) {
        const json_t *list = scene_list(scene, lists[i].path);
        for (size_t j = 0; j < json_array_size(list); j++) {
            auto_free char *op =
                str_printf("%s %s", lists[i].op, json_text_at(json_array_get(list, j), "name", ""));
            work_op_reset(scene->work, op);
        }
    }
}

/* --- disks in --- */

static void attach_disk(struct scene *scene, const json_t *wanted, const char *device)
{
    struct compute *compute = control_setup(scene->work->control)->compute;
    auto_clean(machine_config_free_auto) struct machine_config *config = mem_new(struct machine_config);
    const char *name = json_text_at(wanted, "name", "");
    auto_free char *op = str_printf("attach %s", name);
    struct err err;

    plug_waits(scene, device, op, "being attached");
    if (config_add_disk(scene, config, wanted, &err) == 0 && work_op_begin(scene->work, op))
        compute->ops->disk_attach(compute, scene->uid, &config->disks[0], work_op_done(scene->work, op));
}

static bool is_wanted(const struct scene *scene, const json_t *attached)
{
    const json_t *wanted = item_named(scene_list(scene, "spec.disks"), json_text_at(attached, "name", ""));
    const json_t *volume = json_object_get(scene->volumes, json_text_at(attached, "volume", ""));

    return wanted &&
           str_equal(json_text_at(wanted, "volume", NULL), json_text_at(attached, "volume", NULL)) &&
           (!volume || str_equal(object_uid(volume), json_text_at(attached, "volumeUID", NULL)));
}

static bool is_in_another(const struct scene *scene, const char *volume)
{
    const json_t *attached = scene_list(scene, "status.disks");

    for (size_t i = 0; i < json_array_size(attached); i++)
        if (str_equal(json_text_at(json_array_get(attached, i), "volume", NULL), volume))
            return true;
    return false;
}

static void plug_disk(struct scene *scene, const json_t *wanted)
{
    const char *name = json_text_at(wanted, "name", "");
    const json_t *attached = item_named(scene_list(scene, "status.disks"), name);
    auto_free char *device = str_printf("spec.disks[%s]", name);
    auto_free char *read_only = str_printf("%s.readOnly", device);

    if (!attached && is_in_another(scene, json_text_at(wanted, "volume", ""))) {
        plug_waits(scene, device, "", "its volume is still another disk of this instance");
    } else if (!attached && volume_is_usable(scene, json_text_at(wanted, "volume", ""))) {
        json_array_append_new(json_at(scene->object, "status.disks"), attached_disk(scene, wanted));
        plug_waits(scene, device, "", "being attached");
    } else if (!attached) {
        plug_waits(scene, device, "", "waiting for its volume");
    } else if (is_wanted(scene, attached) && !machine_has_disk(scene, name)) {
        attach_disk(scene, attached, device);
    } else if (json_bool_at(attached, "readOnly", false) != json_bool_at(wanted, "readOnly", false)) {
        restart_needed_for(scene, read_only);
    }
}

/* --- disks out --- */

/* True when the machine is done with it. A guest that stands still cannot let go. */
static bool unplug_disk(struct scene *scene, const json_t *attached)
{
    struct compute *compute = control_setup(scene->work->control)->compute;
    const char *name = json_text_at(attached, "name", "");
    auto_free char *in = str_printf("attach %s", name), *out = str_printf("detach %s", name);
    auto_free char *device = str_printf("disk %s", name);

    if (work_op(scene->work, in, NULL) == OP_RUNNING) {
        plug_waits(scene, device, "", "to be detached when attached");
        return false;
    }
    /* Asked also when it is not there: it may be half-made. */
    if (!machine_has_disk(scene, name) && work_op_succeeded(scene->work, out)) {
        work_op_reset(scene->work, in);
        work_op_reset(scene->work, out);
        plug_slot_freed(scene);
        return true;
    }
    plug_waits(scene, device, out, "being detached");
    if ((scene->machine.state == MACHINE_RUNNING || !machine_has_disk(scene, name)) &&
        work_op_begin(scene->work, out))
        compute->ops->disk_detach(compute, scene->uid, name, work_op_done(scene->work, out));
    return false;
}

static void plug_disks(struct scene *scene)
{
    const json_t *wanted = scene_list(scene, "spec.disks");
    json_t *attached = json_at(scene->object, "status.disks");

    for (size_t i = json_array_size(attached); i-- > 0;)
        if (!is_wanted(scene, json_array_get(attached, i)) && unplug_disk(scene, json_array_get(attached, i)))
            json_array_remove(attached, i);
    for (size_t i = 0; i < json_array_size(wanted); i++)
        plug_disk(scene, json_array_get(wanted, i));
}

/* --- the disc in the drive --- */

static bool is_changed(struct scene *scene)
{
    const char *target = work_result(scene->work, "disc");

    if (!work_op_succeeded(scene->work, "disc") || !target)
        return false;
    work_op_reset(scene->work, "disc");
    if (target[0])
        json_set_at(scene->object, "status.cdrom", json_loads(target, 0, NULL));
    else
        json_remove_at(scene->object, "status.cdrom");
    return true;
}

static void change_disc(struct scene *scene, const json_t *medium)
{
    struct compute *compute = control_setup(scene->work->control)->compute;
    auto_clean(machine_config_free_auto) struct machine_config *config = mem_new(struct machine_config);
    auto_free char *target = medium ? json_text(medium) : str_dup("");
    struct err err = { 0 };

    if (medium && config_add_disc(scene, config, &err) < 0) {
        plug_waits(scene, "spec.cdrom", "", err.text);
        return;
    }
    plug_waits(scene, "spec.cdrom", "disc", "being changed");
    if (!work_op_begin(scene->work, "disc"))
        return;
    work_result_keep_bytes(scene->work, "disc", target, __builtin_strlen(target) + 1);
    compute->ops->cdrom_change(compute, scene->uid, "cdrom", medium ? &config->disks[0].source : NULL,
                               work_op_done(scene->work, "disc"));
}

static void plug_disc(struct scene *scene)
{
    auto_json json_t *medium = wanted_medium(scene);
    const json_t *present = json_at(scene->object, "status.cdrom");

    if (!machine_has_disk(scene, "cdrom")) {
        if (scene_text(scene, "spec.cdrom.image"))
            restart_needed_for(scene, "spec.cdrom");
        return;
    }
    if (is_changed(scene))
        return;
    if (scene_text(scene, "spec.cdrom.image") && !medium)
        plug_waits(scene, "spec.cdrom", "", "waiting for the image");
    else if (medium ? !json_equal(medium, present) : present != NULL)
        change_disc(scene, medium);
}

/* --- the whole --- */

void devices_plug(struct scene *scene)
{
    if (scene->machine.state == MACHINE_CRASHED || scene->machine.state == MACHINE_LAUNCHING)
        return;
    if (!json_at(scene->object, "status.disks"))
        json_set_at(scene->object, "status.disks", json_array());
    plug_disks(scene);
    plug_disc(scene);
    cards_plug(scene);
    if (scene->plugging.size)
        work_condition(scene->work, "DevicesReady", false, "InProgress", "%s", scene->plugging.bytes);
    else
        work_condition(scene->work, "DevicesReady", true, "UpToDate", "%s", "");
}
