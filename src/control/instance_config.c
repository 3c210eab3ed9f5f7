/* control/instance_config.c - from the stored objects to what the compute driver is told. */
#include "control/instance.h"
#include "control/storage_refs.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdio.h>

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

int config_add_disk(struct scene *scene, struct machine_config *config, const json_t *disk,
                    struct err *err)
{
    if (add_volume(scene, config, json_text_at(disk, "name", ""), json_text_at(disk, "volume", ""), err) < 0)
        return -1;
    if (json_bool_at(disk, "readOnly", false))
        config->disks[config->disk_count - 1].source.read_only = true;
    return 0;
}

static void keep_vars(struct scene *scene, struct machine_config *config)
{
    struct storage_driver *storage = control_setup(scene->work->control)->storage;
    const json_t *root = json_object_get(scene->volumes, scene_text(scene, "status.rootVolume"));
    auto_json json_t *pool =
        work_find(scene->work, &kind_storage_pool, NULL, view_text(&kind_volume, root, "spec.pool"));

    if (!config->uefi || !pool)
        return;
    struct storage_pool where = storage_pool_of(pool);
    config->firmware_vars = storage->ops->volume_vars(storage, &where, object_uid(root));
}

static int add_disks(struct scene *scene, struct machine_config *config, struct err *err)
{
    const json_t *disks = scene_list(scene, "spec.disks");

    if (add_volume(scene, config, "root", scene_text(scene, "status.rootVolume"), err) < 0)
        return -1;
    config->disks[0].boot_index = boot_index(scene, "Disk");
    for (size_t i = 0; i < json_array_size(disks); i++)
        if (config_add_disk(scene, config, json_array_get(disks, i), err) < 0)
            return -1;
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

static struct machine_disk *add_drive(const struct scene *scene, struct machine_config *config)
{
    struct machine_disk *drive = add_disk(config, "cdrom");

    drive->is_cdrom = true;
    drive->boot_index = boot_index(scene, "CDROM");
    return drive;
}

int config_add_disc(struct scene *scene, struct machine_config *config, struct err *err)
{
    struct storage_driver *storage = control_setup(scene->work->control)->storage;
    const char *name = scene_text(scene, "spec.cdrom.image");
    struct machine_disk *disk;
    struct image_boot boot = { 0 };

    auto_json json_t *image = work_find(scene->work, &kind_image, NULL, name);
    if (!str_equal(json_text_at(image, "status.phase", NULL), "Ready"))
        return err_set(err, ERR_UNAVAILABLE, "waiting for image %s", name);
    if (storage->ops->image_boot(storage, object_uid(image), &boot, err) < 0)
        return err_wrap(err, "image %s", name);
    disk = add_drive(scene, config);
    disk_source_copy(&disk->source, &boot.source);
    disk->source.read_only = true;
    image_boot_done(&boot);
    return 0;
}

/* A machine that its firmware boots has a drive even when that is empty, to put a disc into. */
static int add_cdrom(struct scene *scene, struct machine_config *config, struct err *err)
{
    if (scene_text(scene, "spec.cdrom.image"))
        return config_add_disc(scene, config, err);
    if (!config->kernel)
        (void)add_drive(scene, config);
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

void config_nic(const struct scene *scene, const json_t *card, struct machine_nic *ret_nic)
{
    const json_t *network = json_object_get(scene->networks, json_text_at(card, "network", ""));
    struct err err;

    *ret_nic = (struct machine_nic){ 0 };
    (void)snprintf(ret_nic->name, sizeof ret_nic->name, "%s", json_text_at(card, "name", ""));
    (void)mac_parse(json_text_at(card, "macAddress", ""), &ret_nic->mac, &err);
    ret_nic->mtu = network ? (unsigned)view_int(&kind_network, network, "spec.mtu") : 0;
}

static void add_nics(struct scene *scene, struct machine_config *config)
{
    const json_t *cards = scene_list(scene, "status.networks");
    int index = boot_index(scene, "Network");

    for (size_t i = 0; i < json_array_size(cards) && i < MACHINE_NICS_MAX; i++) {
        struct machine_nic *nic = &config->nics[config->nic_count++];

        config_nic(scene, json_array_get(cards, i), nic);
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

struct machine_config *machine_config_of(struct scene *scene, struct err *err)
{
    struct machine_config *config = mem_new(struct machine_config);
    const json_t *object = scene->object;

    config->uid = str_dup(scene->uid);
    config->name = str_printf("%s/%s", scene->namespace_name, scene->name);
    config->cpus = (unsigned)view_int(&kind_instance, object, "spec.cpus");
    config->memory_bytes = view_bytes(&kind_instance, object, "spec.memory");
    config->cpus_max = (unsigned)view_int(&kind_instance, object, "spec.maxCPUs");
    config->memory_bytes_max = view_bytes(&kind_instance, object, "spec.maxMemory");
    config->uefi = str_equal(scene_text(scene, "spec.firmware"), "UEFI");
    config->accelerator = accelerator_of(scene);
    config->vnc = view_bool(&kind_instance, object, "spec.console.vnc");
    config->guest_agent = view_bool(&kind_instance, object, "spec.guestAgent");
    config->start_paused = str_equal(scene_text(scene, "spec.powerState"), "Paused");
    config->machine_type = str_dup(scene_text(scene, "status.machineType"));
    keep_vars(scene, config);
    add_nics(scene, config);
    if (add_disks(scene, config, err) < 0 || add_seed(scene, config, err) < 0 ||
        add_kernel(scene, config, err) < 0 || add_cdrom(scene, config, err) < 0) {
        machine_config_free(config);
        return NULL;
    }
    (void)fork_configure(scene, config);
    return config;
}
