/* drivers/compute/fake/devices.c - disks and NICs that come and go while a machine runs. */
#include "base/str.h"
#include "drivers/compute/fake/call.h"
#include "drivers/storage.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct machine_disk *find_disk(struct fake_machine *machine, const char *name)
{
    for (unsigned i = 0; i < machine->config->disk_count; i++) {
        if (str_equal(machine->config->disks[i].name, name))
            return &machine->config->disks[i];
    }
    return NULL;
}

static struct machine_nic *find_nic(struct fake_machine *machine, const char *name)
{
    for (unsigned i = 0; i < machine->config->nic_count; i++) {
        if (str_equal(machine->config->nics[i].name, name))
            return &machine->config->nics[i];
    }
    return NULL;
}

unsigned fake_slots_used(const struct machine_config *config)
{
    unsigned count = config->nic_count;

    for (unsigned i = 0; i < config->disk_count; i++)
        count += !config->disks[i].is_cdrom;
    return count;
}

void compute_fake_set_spare_slots(struct compute_fake_world *world, unsigned count)
{
    world->spare_slots = count;
}

static int needs_slot(struct fake_machine *machine, struct err *err)
{
    if (machine->slots && fake_slots_used(machine->config) >= machine->slots)
        return err_set(err, ERR_EXHAUSTED,
                       "all %u device slots are in use; a restart of the machine adds some",
                       machine->slots);
    return 0;
}

static int devices_changed(struct fake_machine *machine)
{
    fake_machine_list_devices(machine);
    fake_machine_changed(machine);
    return 0;
}

static void name_device(struct fake_call *call, const char *name)
{
    snprintf(call->device, sizeof call->device, "%s", name);
}

/* --- disks --- */

static int do_disk_attach(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    struct machine_config *config;

    if (fake_needs_monitor(machine, err) < 0)
        return -1;
    config = machine->config;
    if (find_disk(machine, call->disk.name))
        return err_set(err, ERR_ALREADY_EXISTS, "disk %s is attached already", call->disk.name);
    if (needs_slot(machine, err) < 0)
        return -1;
    if (config->disk_count == MACHINE_DISKS_MAX)
        return err_set(err, ERR_EXHAUSTED, "a machine has at most %d disks", MACHINE_DISKS_MAX);
    fake_assert_sole_writer(machine, &call->disk);
    config->disks[config->disk_count++] = call->disk;
    call->disk = (struct machine_disk){ 0 };
    return devices_changed(machine);
}

void fake_disk_attach(struct compute *compute, const char *uid, const struct machine_disk *disk,
                      struct done done)
{
    struct fake_call *call = fake_call_new(compute, uid, do_disk_attach);

    call->done = done;
    call->disk = *disk;
    disk_source_copy(&call->disk.source, &disk->source);
}

static int do_disk_detach(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    struct machine_disk *disk;

    if (fake_needs_monitor(machine, err) < 0)
        return -1;
    disk = find_disk(machine, call->device);
    if (!disk)
        return 0;
    disk_source_done(&disk->source);
    *disk = machine->config->disks[--machine->config->disk_count];
    return devices_changed(machine);
}

void fake_disk_detach(struct compute *compute, const char *uid, const char *disk_name,
                      struct done done)
{
    struct fake_call *call = fake_call_new(compute, uid, do_disk_detach);

    call->done = done;
    name_device(call, disk_name);
}

void compute_fake_watch_resize(struct compute_fake_world *world, compute_fake_resize_fn *fn, void *arg)
{
    world->resize = fn;
    world->resize_arg = arg;
}

static int do_disk_resize(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    const struct machine_disk *disk;

    if (fake_needs_monitor(machine, err) < 0)
        return -1;
    disk = find_disk(machine, call->device);
    if (!disk)
        return err_set(err, ERR_NOT_FOUND, "no disk %s", call->device);
    if (machine->world->resize)
        machine->world->resize(machine->world->resize_arg, disk->source.files[0].path, call->size_bytes);
    return 0;
}

void fake_disk_resize(struct compute *compute, const char *uid, const char *disk_name,
                      int64_t size_bytes, struct done done)
{
    struct fake_call *call = fake_call_new(compute, uid, do_disk_resize);

    call->done = done;
    call->size_bytes = size_bytes;
    name_device(call, disk_name);
}

static int do_cdrom_change(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    struct machine_disk *disk;

    if (fake_needs_monitor(machine, err) < 0)
        return -1;
    disk = find_disk(machine, call->device);
    if (!disk || !disk->is_cdrom)
        return err_set(err, ERR_NOT_FOUND, "no CD-ROM drive %s", call->device);
    disk_source_done(&disk->source);
    disk->source = call->disk.source;
    call->disk.source = (struct disk_source){ 0 };
    return devices_changed(machine);
}

void fake_cdrom_change(struct compute *compute, const char *uid, const char *disk_name,
                       const struct disk_source *source, struct done done)
{
    struct fake_call *call = fake_call_new(compute, uid, do_cdrom_change);

    call->done = done;
    name_device(call, disk_name);
    if (source)
        disk_source_copy(&call->disk.source, source);
}

/* --- NICs --- */

static int do_nic_attach(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    struct machine_config *config;

    if (fake_needs_monitor(machine, err) < 0)
        return -1;
    config = machine->config;
    if (find_nic(machine, call->nic.name))
        return err_set(err, ERR_ALREADY_EXISTS, "NIC %s is attached already", call->nic.name);
    if (needs_slot(machine, err) < 0)
        return -1;
    if (config->nic_count == MACHINE_NICS_MAX)
        return err_set(err, ERR_EXHAUSTED, "a machine has at most %d NICs", MACHINE_NICS_MAX);
    config->nics[config->nic_count++] = call->nic;
    return devices_changed(machine);
}

void fake_nic_attach(struct compute *compute, const char *uid, const struct machine_nic *nic,
                     int take_fd, struct done done)
{
    struct fake_call *call = fake_call_new(compute, uid, do_nic_attach);

    call->done = done;
    call->nic = *nic;
    if (take_fd >= 0)
        close(take_fd);
}

static int do_nic_detach(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    struct machine_nic *nic;

    if (fake_needs_monitor(machine, err) < 0)
        return -1;
    nic = find_nic(machine, call->device);
    if (!nic)
        return 0;
    *nic = machine->config->nics[--machine->config->nic_count];
    return devices_changed(machine);
}

void fake_nic_detach(struct compute *compute, const char *uid, const char *nic_name,
                     struct done done)
{
    struct fake_call *call = fake_call_new(compute, uid, do_nic_detach);

    call->done = done;
    name_device(call, nic_name);
}
