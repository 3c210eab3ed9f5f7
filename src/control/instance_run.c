/* control/instance_run.c - from the stored objects to a started machine. */
#include "control/instance.h"
#include "control/internal.h"
#include "control/storage_refs.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NAME "launches"

/* The taps of a machine about to start. Each call on its way holds a reference; so does the map. */
struct launch {
    unsigned references, waiting, count;
    bool abandoned;
    int fds[MACHINE_NICS_MAX];
    struct err err;
    struct done done;
};

static void launch_unref(struct launch *launch)
{
    if (--launch->references == 0)
        free(launch);
}

static void launch_drop(void *pointer)
{
    struct launch *launch = pointer;

    launch->abandoned = true;
    for (unsigned i = 0; i < launch->count; i++)
        if (launch->fds[i] >= 0)
            close(launch->fds[i]);
    launch_unref(launch);
}

static void launches_free(void *map) { map_free(map); }

static struct map *launches(struct control *control)
{
    struct map *map = control_extension(control, NAME);

    if (map)
        return map;
    map = map_new(launch_drop);
    control_set_extension(control, NAME, map, launches_free);
    return map;
}

void launch_forget(struct scene *scene)
{
    map_remove(launches(scene->work->control), scene->uid);
    work_op_reset(scene->work, "open");
}

/* --- opening the taps --- */

struct opening {
    struct launch *launch;
    unsigned index;
};

static void opened(void *arg, const struct err *err, int take_fd)
{
    struct opening *opening = arg;
    struct launch *launch = opening->launch;

    if (err)
        launch->err = *err;
    else if (launch->abandoned)
        close(take_fd);
    else
        launch->fds[opening->index] = take_fd;
    if (--launch->waiting == 0)
        done_call(launch->done, launch->err.code ? &launch->err : NULL);
    launch_unref(launch);
    free(opening);
}

static void open_one(struct scene *scene, struct launch *launch, unsigned index)
{
    struct network_driver *network = control_setup(scene->work->control)->network;
    const json_t *card = json_array_get(scene_list(scene, "status.networks"), index);
    auto_free char *id = str_printf("%s/%s", scene->uid, json_text_at(card, "name", ""));
    struct opening *opening = mem_new(struct opening);

    *opening = (struct opening){ launch, index };
    launch->references++;
    network->ops->port_open(network, json_text_at(card, "networkUID", ""), id, opened, opening);
}

static void open_ports(struct scene *scene)
{
    struct launch *launch;
    size_t count = json_array_size(scene_list(scene, "status.networks"));

    if (!work_op_begin(scene->work, "open"))
        return;
    launch = mem_new(struct launch);
    *launch = (struct launch){ .references = 1,
                               .count = (unsigned)count,
                               .waiting = (unsigned)count,
                               .done = work_op_done(scene->work, "open") };
    for (unsigned i = 0; i < MACHINE_NICS_MAX; i++)
        launch->fds[i] = -1;
    map_set(launches(scene->work->control), scene->uid, launch);
    for (unsigned i = 0; i < count; i++)
        open_one(scene, launch, i);
}

/* --- the machine's configuration --- */

static struct machine_disk *add_disk(struct machine_config *config, const char *name)
{
    struct machine_disk *disk = &config->disks[config->disk_count++];

    (void)snprintf(disk->name, sizeof disk->name, "%s", name);
    return disk;
}

/* Its place in spec.bootOrder, from 1, in steps that leave room for several of one sort. */
static int boot_index(const struct scene *scene, const char *what)
{
    const json_t *order = scene_list(scene, "spec.bootOrder");

    for (size_t i = 0; i < json_array_size(order); i++)
        if (str_equal(json_string_value(json_array_get(order, i)), what))
            return 1 + (int)i * MACHINE_NICS_MAX;
    return 0;
}

static int add_volume(struct scene *scene, struct machine_config *config, const char *disk_name,
                      const char *volume_name, struct err *err)
{
    struct storage_driver *storage = control_setup(scene->work->control)->storage;
    const json_t *volume = json_object_get(scene->volumes, volume_name);
    auto_json json_t *pool = work_find(scene->work, &kind_storage_pool, NULL,
                                       view_text(&kind_volume, volume, "spec.pool"));
    struct machine_disk *disk = add_disk(config, disk_name);

    if (!pool)
        return err_set(err, ERR_UNAVAILABLE, "volume %s: its storage pool is gone", volume_name);
    struct storage_pool where = storage_pool_of(pool);
    if (storage->ops->volume_source(storage, &where, object_uid(volume), &disk->source, err) < 0)
        return err_wrap(err, "volume %s", volume_name);
    return 0;
}

static int add_disks(struct scene *scene, struct machine_config *config, struct err *err)
{
    const json_t *disks = scene_list(scene, "spec.disks");

    if (add_volume(scene, config, "root", scene_text(scene, "status.rootVolume"), err) < 0)
        return -1;
    config->disks[0].boot_index = boot_index(scene, "Disk");
    for (size_t i = 0; i < json_array_size(disks); i++) {
        const json_t *disk = json_array_get(disks, i);
        if (add_volume(scene, config, json_text_at(disk, "name", ""), json_text_at(disk, "volume", ""), err) < 0)
            return -1;
        if (json_bool_at(disk, "readOnly", false))
            config->disks[config->disk_count - 1].source.read_only = true;
    }
    return 0;
}

static int add_seed(struct scene *scene, struct machine_config *config, struct err *err)
{
    struct storage_driver *storage = control_setup(scene->work->control)->storage;
    struct machine_disk *disk = add_disk(config, "seed");

    if (storage->ops->seed_source(storage, scene->uid, &disk->source, err) < 0)
        return err_wrap(err, "seed");
    disk->source.read_only = true;
    return 0;
}

static int add_cdrom(struct scene *scene, struct machine_config *config, struct err *err)
{
    struct storage_driver *storage = control_setup(scene->work->control)->storage;
    const char *name = scene_text(scene, "spec.cdrom.image");
    struct machine_disk *disk;
    struct image_boot boot = { 0 };

    if (!name)
        return 0;
    auto_json json_t *image = work_find(scene->work, &kind_image, NULL, name);
    if (!str_equal(json_text_at(image, "status.phase", NULL), "Ready"))
        return err_set(err, ERR_UNAVAILABLE, "waiting for image %s", name);
    if (storage->ops->image_boot(storage, object_uid(image), &boot, err) < 0)
        return err_wrap(err, "image %s", name);
    disk = add_disk(config, "cdrom");
    disk->is_cdrom = true;
    disk->boot_index = boot_index(scene, "CDROM");
    disk_source_copy(&disk->source, &boot.source);
    disk->source.read_only = true;
    image_boot_done(&boot);
    return 0;
}

/* The kernel that an image brings, by the image that the root volume was made from. */
static int add_kernel(struct scene *scene, struct machine_config *config, struct err *err)
{
    struct storage_driver *storage = control_setup(scene->work->control)->storage;
    const json_t *root = json_object_get(scene->volumes, scene_text(scene, "status.rootVolume"));
    const char *image_uid = view_text(&kind_volume, root, "status.imageUID");
    struct image_boot boot = { 0 };

    if (!image_uid || !image_uid[0])
        return 0;
    if (storage->ops->image_boot(storage, image_uid, &boot, err) < 0)
        return err_wrap(err, "image");
    config->kernel = str_dup(boot.kernel);
    config->initrd = str_dup(boot.initrd);
    config->command_line = str_dup(boot.command_line);
    image_boot_done(&boot);
    return 0;
}

static void add_nics(struct scene *scene, struct machine_config *config)
{
    const json_t *cards = scene_list(scene, "status.networks");
    int index = boot_index(scene, "Network");

    for (size_t i = 0; i < json_array_size(cards) && i < MACHINE_NICS_MAX; i++) {
        const json_t *card = json_array_get(cards, i);
        struct machine_nic *nic = &config->nics[config->nic_count++];
        const json_t *network = json_object_get(scene->networks, json_text_at(card, "network", ""));
        struct err err;

        (void)snprintf(nic->name, sizeof nic->name, "%s", json_text_at(card, "name", ""));
        (void)mac_parse(json_text_at(card, "macAddress", ""), &nic->mac, &err);
        nic->mtu = network ? (unsigned)view_int(&kind_network, network, "spec.mtu") : 0;
        nic->boot_index = index ? index + (int)i : 0;
    }
}

static enum machine_accelerator accelerator_of(const struct scene *scene)
{
    const char *text = scene_text(scene, "spec.accelerator");

    if (str_equal(text, "KVM"))
        return ACCELERATOR_KVM;
    return str_equal(text, "TCG") ? ACCELERATOR_TCG : ACCELERATOR_AUTO;
}

static struct machine_config *config_of(struct scene *scene, struct err *err)
{
    struct machine_config *config = mem_new(struct machine_config);
    const json_t *object = scene->object;

    config->uid = str_dup(scene->uid);
    config->name = str_printf("%s/%s", scene->namespace_name, scene->name);
    config->cpus = (unsigned)view_int(&kind_instance, object, "spec.cpus");
    config->memory_bytes = view_bytes(&kind_instance, object, "spec.memory");
    config->uefi = str_equal(scene_text(scene, "spec.firmware"), "UEFI");
    config->accelerator = accelerator_of(scene);
    config->vnc = view_bool(&kind_instance, object, "spec.console.vnc");
    config->guest_agent = view_bool(&kind_instance, object, "spec.guestAgent");
    config->start_paused = str_equal(scene_text(scene, "spec.powerState"), "Paused");
    config->machine_type = str_dup(scene_text(scene, "status.machineType"));
    add_nics(scene, config);
    if (add_disks(scene, config, err) < 0 || add_seed(scene, config, err) < 0 ||
        add_cdrom(scene, config, err) < 0 || add_kernel(scene, config, err) < 0) {
        machine_config_free(config);
        return NULL;
    }
    return config;
}

/* --- the rung --- */

bool machine_holds(const struct scene *scene)
{
    return scene->machine.state == MACHINE_RUNNING || scene->machine.state == MACHINE_PAUSED ||
           scene->machine.state == MACHINE_IO_PAUSED || scene->machine.state == MACHINE_CRASHED;
}

static bool wake_conditions_are_clear(struct scene *scene)
{
    char now[TIME_TEXT_SIZE];

    if (!condition_is_true(scene->object, "Ended") && !condition_is_true(scene->object, "Stopping") &&
        scene_text(scene, "status.startedAt"))
        return true;
    time_format(control_wall_ms(scene->work->control), now, sizeof now);
    json_set_at(scene->object, "status.startedAt", json_string(now));
    work_condition(scene->work, "Ended", false, "Starting", "%s", "");
    work_condition(scene->work, "Stopping", false, "Starting", "%s", "");
    if (scene_text(scene, "spec.restartAt"))
        json_set_at(scene->object, "status.restartAt", json_string(scene_text(scene, "spec.restartAt")));
    if (scene_text(scene, "spec.resetAt"))
        json_set_at(scene->object, "status.resetAt", json_string(scene_text(scene, "spec.resetAt")));
    return false;
}

static void launch_machine(struct scene *scene, struct launch *launch)
{
    struct compute *compute = control_setup(scene->work->control)->compute;
    static const char *const old[] = { "press", "kill", "release", "pause", "resume", "reset" };
    struct err err = { 0 };
    auto_clean(machine_config_free_auto) struct machine_config *config = config_of(scene, &err);

    if (!config) {
        scene_waits(scene, "NotStartable", "%s", err.text);
        return;
    }
    if (!work_op_begin(scene->work, "start"))
        return;
    for (unsigned i = 0; i < sizeof old / sizeof old[0]; i++)
        work_op_reset(scene->work, old[i]);
    compute->ops->start(compute, config, launch->fds, work_op_done(scene->work, "start"));
    for (unsigned i = 0; i < MACHINE_NICS_MAX; i++)
        launch->fds[i] = -1; /* consumed */
    launch_forget(scene);
    work_event(scene->work, "Normal", "Starting", "on host %s",
               control_setup(scene->work->control)->host_name);
}

void machine_climb(struct scene *scene)
{
    struct launch *launch = map_get(launches(scene->work->control), scene->uid);
    int64_t due_ms = instance_start_due_ms(scene);

    if (scene->machine.state == MACHINE_LAUNCHING) {
        scene_waits(scene, "Launching", "the machine is being started");
        return;
    }
    if (due_ms > 0) {
        scene_waits(scene, "BackOff", "ended (%s); the next start is at %s",
                    json_text_at(scene->object, "status.lastEnd.reason", ""),
                    json_text_at(scene->object, "status.nextStartAt", ""));
        return;
    }
    scene_waits_for_op(scene, work_op(scene->work, "start", NULL) == OP_FAILED ? "start" : "open",
                       "the machine is being started");
    if (!wake_conditions_are_clear(scene) || work_op(scene->work, "open", NULL) == OP_RUNNING ||
        work_op(scene->work, "start", NULL) == OP_RUNNING)
        return;
    if (launch && (launch->waiting == 0) && !launch->err.code) {
        launch_machine(scene, launch);
        return;
    }
    map_remove(launches(scene->work->control), scene->uid);
    if (json_array_size(scene_list(scene, "status.networks"))) {
        open_ports(scene);
    } else {
        struct launch none = { 0 };
        launch_machine(scene, &none);
    }
}

/* --- while it runs --- */

static bool machine_has_disk(const struct scene *scene, const char *name)
{
    for (unsigned i = 0; i < scene->machine.disk_count; i++)
        if (str_equal(scene->machine.disks[i], name))
            return true;
    return false;
}

static void attach_disk(struct scene *scene, const json_t *wanted)
{
    struct compute *compute = control_setup(scene->work->control)->compute;
    auto_clean(machine_config_free_auto) struct machine_config *config = mem_new(struct machine_config);
    const char *name = json_text_at(wanted, "name", "");
    auto_free char *op = str_printf("attach %s", name);
    struct err err;

    if (add_volume(scene, config, name, json_text_at(wanted, "volume", ""), &err) < 0)
        return;
    config->disks[0].source.read_only |= json_bool_at(wanted, "readOnly", false);
    if (work_op_begin(scene->work, op))
        compute->ops->disk_attach(compute, scene->uid, &config->disks[0], work_op_done(scene->work, op));
}

void disks_attach(struct scene *scene)
{
    const json_t *disks = scene_list(scene, "spec.disks");

    if (!volumes_hold(scene) || scene->machine.state == MACHINE_CRASHED)
        return;
    for (size_t i = 0; i < json_array_size(disks); i++)
        if (!machine_has_disk(scene, json_text_at(json_array_get(disks, i), "name", "")))
            attach_disk(scene, json_array_get(disks, i));
}
