/* drivers/compute/qemu/cdrom.c - another disc in the tray, and disks that grow.
 *
 *   open tray -> take the medium out -> wipe its chain -> (new chain -> put it in) -> close tray */
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/plug.h"
#include "drivers/storage.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the tray --- */

static void ask_drive(struct qemu_plug *plug, const char *command, json_t *take_more,
                      monitor_fn *fn)
{
    auto_json json_t *more = take_more;
    json_t *arguments = json_object();
    char id[DEVICE_ID_SIZE];

    device_id_format(&plug->id, id);
    json_object_set_new(arguments, "id", json_string(id));
    if (more)
        json_object_update(arguments, more);
    plug_ask(plug, command, arguments, -1, fn);
}

static void tray_closed(void *arg, const struct err *err, const json_t *result)
{
    plug_end(arg, err);
}

static void close_tray(struct qemu_plug *plug)
{
    ask_drive(plug, "blockdev-close-tray", NULL, tray_closed);
}

static void undone(struct qemu_plug *plug, const struct err *err)
{
    struct err failure = plug->err;

    plug_end(plug, &failure);
}

static void medium_inserted(void *arg, const struct err *err, const json_t *result)
{
    struct qemu_plug *plug = arg;

    if (err) {
        plug->err = *err;
        chain_wipe(plug, undone);
        return;
    }
    plug->machine->cdrom_letters[plug->id.slot] = plug->base.text[strlen(plug->base.text) - 1];
    close_tray(plug);
}

static void medium_opened(struct qemu_plug *plug, const struct err *err)
{
    char node[NODE_NAME_SIZE];

    if (err) {
        plug_end(plug, err);
        return;
    }
    node_name(&plug->base, 0, node);
    ask_drive(plug, "blockdev-insert-medium", json_pack("{ss}", "node-name", node),
              medium_inserted);
}

static void old_medium_wiped(struct qemu_plug *plug, const struct err *err)
{
    struct qemu_machine *machine = plug->machine;
    char letter = machine->cdrom_letters[plug->id.slot];

    if (err) {
        plug_end(plug, err);
        return;
    }
    machine->cdrom_letters[plug->id.slot] = '\0';
    if (!plug->source.file_count) {
        close_tray(plug);
        return;
    }
    plug->base = cdrom_node_base(plug->id.slot, letter == 'a' ? 'b' : 'a');
    chain_open(plug, medium_opened);
}

static void medium_removed(void *arg, const struct err *err, const json_t *result)
{
    struct qemu_plug *plug = arg;
    char letter = plug->machine->cdrom_letters[plug->id.slot];

    if (err) {
        plug_end(plug, err);
        return;
    }
    plug->base = cdrom_node_base(plug->id.slot, letter ? letter : 'b');
    chain_wipe(plug, old_medium_wiped);
}

static void tray_opened(void *arg, const struct err *err, const json_t *result)
{
    if (err)
        plug_end(arg, err);
    else
        ask_drive(arg, "blockdev-remove-medium", NULL, medium_removed);
}

static const struct device_id *find_drive(struct qemu_machine *machine, const char *name,
                                          struct err *err)
{
    for (unsigned i = 0; i < CDROMS_MAX; i++) {
        if (!machine->cdroms[i].name[0] || !str_equal(machine->cdroms[i].name, name))
            continue;
        for (const struct qemu_plug *plug = machine->plugs; plug; plug = plug->next) {
            if (plug->id.kind == DEVICE_CDROM && plug->id.slot == i) {
                (void)err_set(err, ERR_CONFLICT, "the disc in %s is being changed", name);
                return NULL;
            }
        }
        return &machine->cdroms[i];
    }
    (void)err_set(err, ERR_NOT_FOUND, "no CD-ROM drive %s", name);
    return NULL;
}

static int check_medium(const struct disk_source *source, struct err *err)
{
    if (!source)
        return 0;
    if (!source->file_count || source->file_count > DISK_CHAIN_MAX || !source->read_only)
        return err_set(err, ERR_INVALID, "a disc is one to %d files, read-only", DISK_CHAIN_MAX);
    return 0;
}

void qemu_cdrom_change(struct compute *compute, const char *uid, const char *disk_name,
                       const struct disk_source *source, struct done done)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct qemu_call *call = qemu_call_done(driver, done);
    struct err err;
    struct qemu_machine *machine = qemu_machine_up(driver, uid, &err);
    const struct device_id *drive = NULL;
    struct qemu_plug *plug;

    if (machine && check_medium(source, &err) == 0)
        drive = find_drive(machine, disk_name, &err);
    if (!drive) {
        qemu_call_end_later(call, &err);
        return;
    }
    plug = plug_new(machine, call, drive);
    if (source)
        disk_source_copy(&plug->source, source);
    /* Without asking the guest, which may have locked the tray. */
    ask_drive(plug, "blockdev-open-tray", json_pack("{sb}", "force", 1), tray_opened);
}
