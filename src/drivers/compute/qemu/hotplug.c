/* drivers/compute/qemu/hotplug.c - disks and NICs that come and go while a machine runs.
 *
 *   disk in:  chain_open -> device_add
 *   NIC in:   getfd -> netdev_add -> device_add
 *   out:      device_del -> the guest lets go (DEVICE_DELETED) -> chain_wipe or netdev_del
 *
 * A guest that lets go late, when nobody waits any more, is cleaned up after all the same. */
#include "base/str.h"
#include "drivers/compute/qemu/plug.h"
#include "drivers/storage.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- slots --- */

static bool is_held(const struct qemu_machine *machine, unsigned port)
{
    for (const struct qemu_plug *plug = machine->plugs; plug; plug = plug->next) {
        if (plug->id.kind != DEVICE_CDROM && plug->id.slot == port)
            return true;
    }
    return machine->ports[port].name[0] != '\0';
}

static int free_port(const struct qemu_machine *machine, unsigned *ret_port, struct err *err)
{
    for (unsigned port = 0; port < machine->port_count; port++) {
        if (is_held(machine, port))
            continue;
        *ret_port = port;
        return 0;
    }
    return err_set(err, ERR_EXHAUSTED,
                   "all %u device slots are in use; a restart of the machine adds some",
                   machine->port_count);
}

static bool is_same_device(const struct device_id *id, bool is_nic, const char *name)
{
    return (id->kind == DEVICE_NIC) == is_nic && str_equal(id->name, name);
}

/* The slot of a device that is there; NULL: none. */
static struct device_id *find_device(struct qemu_machine *machine, bool is_nic, const char *name)
{
    for (unsigned i = 0; i < machine->port_count; i++) {
        if (machine->ports[i].name[0] && is_same_device(&machine->ports[i], is_nic, name))
            return &machine->ports[i];
    }
    for (unsigned i = 0; i < CDROMS_MAX && !is_nic; i++) {
        if (str_equal(machine->cdroms[i].name, name))
            return &machine->cdroms[i];
    }
    return NULL;
}

static int check_new(struct qemu_machine *machine, bool is_nic, const char *name, struct err *err)
{
    const char *what = is_nic ? "NIC" : "disk";

    if (find_device(machine, is_nic, name))
        return err_set(err, ERR_ALREADY_EXISTS, "%s %s is attached already", what, name);
    for (const struct qemu_plug *plug = machine->plugs; plug; plug = plug->next) {
        if (is_same_device(&plug->id, is_nic, name))
            return err_set(err, ERR_CONFLICT, "%s %s is on its way in or out", what, name);
    }
    return 0;
}

/* --- in --- */

static void device_added(void *arg, const struct err *err, const json_t *result);

static void add_device(struct qemu_plug *plug, json_t *take_device)
{
    plug_ask(plug, "device_add", take_device, -1, device_added);
}

static void cleaned_up(struct qemu_plug *plug, const struct err *err)
{
    struct err failure = plug->err;

    plug_end(plug, &failure);
}

static void backend_deleted(void *arg, const struct err *err, const json_t *result)
{
    cleaned_up(arg, NULL);
}

static void undo(struct qemu_plug *plug, const struct err *err)
{
    plug->err = *err;
    if (plug->id.kind == DEVICE_DISK)
        chain_wipe(plug, cleaned_up);
    else
        plug_ask(plug, "netdev_del", json_pack("{so}", "id", json_printf("net%u", plug->id.slot)),
                 -1, backend_deleted);
}

static void device_added(void *arg, const struct err *err, const json_t *result)
{
    struct qemu_plug *plug = arg;
    struct qemu_machine *machine = plug->machine;

    if (err) {
        undo(plug, err);
        return;
    }
    machine->ports[plug->id.slot] = plug->id;
    qemu_machine_refresh(machine);
    plug_end(plug, NULL);
}

static void chain_opened(struct qemu_plug *plug, const struct err *err)
{
    if (err)
        plug_end(plug, err);
    else
        add_device(plug, disk_device(&plug->disk, plug->id.slot));
}

static void old_chain_wiped(struct qemu_plug *plug, const struct err *err)
{
    chain_open(plug, chain_opened);
}

static struct qemu_plug *plug_for_new(struct qemu_machine *machine, struct qemu_call *call,
                                      enum device_kind kind, const char *name, struct err *err)
{
    struct device_id id = { .kind = kind };

    if (device_name_check(name, err) < 0 || check_new(machine, kind == DEVICE_NIC, name, err) < 0 ||
        free_port(machine, &id.slot, err) < 0)
        return NULL;
    snprintf(id.name, sizeof id.name, "%s", name);
    return plug_new(machine, call, &id);
}

void qemu_disk_attach(struct compute *compute, const char *uid, const struct machine_disk *disk,
                      struct done done)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct qemu_call *call = qemu_call_done(driver, done);
    struct err err;
    struct qemu_machine *machine = qemu_machine_up(driver, uid, &err);
    struct qemu_plug *plug = NULL;

    if (machine && disk->is_cdrom)
        (void)err_set(&err, ERR_UNSUPPORTED, "a CD-ROM drive cannot be added to a running machine");
    else if (machine && command_line_check_disk(disk, &err) == 0)
        plug = plug_for_new(machine, call, DEVICE_DISK, disk->name, &err);
    if (!plug) {
        qemu_call_end_later(call, &err);
        return;
    }
    plug->disk = *disk;
    plug->disk.source = (struct disk_source){ 0 };
    plug->disk.boot_index = 0; /* decided when the machine starts */
    disk_source_copy(&plug->source, &disk->source);
    plug->base = disk_node_base(plug->id.slot);
    if (machine->is_adopted)
        chain_wipe(plug, old_chain_wiped);
    else
        chain_open(plug, chain_opened);
}

static void backend_added(void *arg, const struct err *err, const json_t *result)
{
    struct qemu_plug *plug = arg;

    if (err)
        undo(plug, err);
    else
        add_device(plug, nic_device(&plug->nic, plug->id.slot));
}

static void tap_given(void *arg, const struct err *err, const json_t *result)
{
    struct qemu_plug *plug = arg;
    auto_free char *name = str_printf("net%u", plug->id.slot);

    if (err)
        plug_end(plug, err);
    else
        plug_ask(plug, "netdev_add", nic_backend(&plug->nic, plug->id.slot, name), -1,
                 backend_added);
}

static void old_backend_deleted(void *arg, const struct err *err, const json_t *result)
{
    struct qemu_plug *plug = arg;
    int fd = plug->fds[0];

    plug->fds[0] = -1;
    plug_ask(plug, "getfd", json_pack("{so}", "fdname", json_printf("net%u", plug->id.slot)), fd,
             tap_given);
}

void qemu_nic_attach(struct compute *compute, const char *uid, const struct machine_nic *nic,
                     int take_fd, struct done done)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct qemu_call *call = qemu_call_done(driver, done);
    struct err err;
    struct qemu_machine *machine = qemu_machine_up(driver, uid, &err);
    struct qemu_plug *plug =
        machine ? plug_for_new(machine, call, DEVICE_NIC, nic->name, &err) : NULL;

    if (!plug) {
        if (take_fd >= 0)
            close(take_fd);
        qemu_call_end_later(call, &err);
        return;
    }
    plug->nic = *nic;
    plug->nic.boot_index = 0;
    plug->fds[0] = take_fd;
    if (machine->is_adopted)
        plug_ask(plug, "netdev_del", json_pack("{so}", "id", json_printf("net%u", plug->id.slot)),
                 -1, old_backend_deleted);
    else
        old_backend_deleted(plug, NULL, NULL);
}

/* --- out --- */

static void on_guest_late(void *arg)
{
    struct qemu_plug *plug = arg;
    struct err err;

    (void)err_set(&err, ERR_TIMEOUT, "the guest did not let go of %s within %d s", plug->id.name,
                  PLUG_GUEST_MS / 1000);
    plug_end(plug, &err);
}

static void wait_for_guest(struct qemu_plug *plug)
{
    plug->timer = loop_timer(plug->driver->setup.loop, PLUG_GUEST_MS, on_guest_late, plug);
}

static void deletion_begun(void *arg, const struct err *err, const json_t *result)
{
    struct qemu_plug *plug = arg;

    if (plug->guest_let_go)
        return; /* before the reply */
    if (!err || strstr(err->text, "in the process of unplug"))
        wait_for_guest(plug);
    else
        plug_end(plug, err);
}

static void port_wiped(struct qemu_plug *plug, const struct err *err)
{
    const struct qemu_machine *machine = plug->machine;
    unsigned port = plug->id.slot + 1;

    while (port < machine->port_count && is_held(machine, port))
        port++;
    if (err || port >= machine->port_count) {
        plug_end(plug, err);
        return;
    }
    plug->id.slot = port;
    plug->base = disk_node_base(port);
    chain_wipe(plug, port_wiped);
}

/* A daemon that died while a disk was on its way in leaves files open without a device, in a port
 * that is free otherwise. */
static void wipe_free_ports(struct qemu_machine *machine, struct qemu_call *call, const char *name)
{
    struct device_id id = { .kind = DEVICE_DISK };
    struct qemu_plug *plug;
    struct err err;

    if (free_port(machine, &id.slot, &err) < 0) {
        qemu_call_end_later(call, NULL);
        return;
    }
    snprintf(id.name, sizeof id.name, "%s", name);
    plug = plug_new(machine, call, &id);
    plug->base = disk_node_base(id.slot);
    chain_wipe(plug, port_wiped);
}

static void detach(struct compute *compute, const char *uid, bool is_nic, const char *name,
                   struct done done)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct qemu_call *call = qemu_call_done(driver, done);
    struct err err;
    struct qemu_machine *machine = qemu_machine_up(driver, uid, &err);
    const struct device_id *device = machine ? find_device(machine, is_nic, name) : NULL;
    char id[DEVICE_ID_SIZE];

    if (device && device->kind == DEVICE_CDROM) {
        (void)err_set(&err, ERR_UNSUPPORTED, "a CD-ROM drive stays while the machine runs");
        machine = NULL;
    }
    if (machine && !device && !is_nic && machine->is_adopted) {
        wipe_free_ports(machine, call, name);
        return;
    }
    if (!machine || !device) {
        qemu_call_end_later(call, machine ? NULL : &err);
        return;
    }
    device_id_format(device, id);
    plug_ask(plug_new(machine, call, device), "device_del", json_pack("{ss}", "id", id), -1,
             deletion_begun);
}

void qemu_disk_detach(struct compute *compute, const char *uid, const char *disk_name,
                      struct done done)
{
    detach(compute, uid, /*is_nic=*/false, disk_name, done);
}

void qemu_nic_detach(struct compute *compute, const char *uid, const char *nic_name,
                     struct done done)
{
    detach(compute, uid, /*is_nic=*/true, nic_name, done);
}

/* --- what the guest does --- */

static struct qemu_plug *next_waiting(struct qemu_plug *from, const struct device_id *id)
{
    while (from && !(from->id.kind == id->kind && from->id.slot == id->slot))
        from = from->next;
    return from;
}

/* All that waited for this device; the one that cleaned up is the last. */
static void end_waiting(struct qemu_plug *cleaner, const struct err *err)
{
    struct qemu_machine *machine = cleaner->machine;
    struct device_id id = cleaner->id;
    struct err copy;

    if (err)
        copy = *err;
    for (struct qemu_plug *plug; (plug = next_waiting(machine->plugs, &id));)
        plug_end(plug, err ? &copy : NULL);
}

static void chain_gone(struct qemu_plug *plug, const struct err *err) { end_waiting(plug, err); }

static void backend_gone(void *arg, const struct err *err, const json_t *result)
{
    end_waiting(arg, err);
}

static void let_go(struct qemu_plug *plug)
{
    loop_source_free(plug->timer);
    plug->timer = NULL;
    plug->guest_let_go = true;
}

void qemu_on_device_deleted(struct qemu_machine *machine, const json_t *data)
{
    struct device_id id;
    struct qemu_plug *plug;

    if (!device_id_parse(json_text_at(data, "device", ""), &id) || id.kind == DEVICE_CDROM ||
        !machine->ports[id.slot].name[0])
        return;
    machine->ports[id.slot] = (struct device_id){ 0 };
    qemu_machine_refresh(machine);
    for (plug = next_waiting(machine->plugs, &id); plug; plug = next_waiting(plug->next, &id))
        let_go(plug);
    plug = plug_new(machine, NULL, &id);
    plug->base = disk_node_base(id.slot);
    if (id.kind == DEVICE_DISK)
        chain_wipe(plug, chain_gone);
    else
        plug_ask(plug, "netdev_del", json_pack("{so}", "id", json_printf("net%u", id.slot)), -1,
                 backend_gone);
}

void qemu_on_unplug_refused(struct qemu_machine *machine, const json_t *data)
{
    struct device_id id;
    struct qemu_plug *plug;
    struct err err;

    if (!device_id_parse(json_text_at(data, "device", ""), &id))
        return;
    (void)err_set(&err, ERR_CONFLICT, "the guest refused to let go of %s", id.name);
    while ((plug = next_waiting(machine->plugs, &id)))
        plug_end(plug, &err);
}
