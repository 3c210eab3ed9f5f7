/* drivers/compute/qemu/inventory.c - which devices a QEMU has, as it says itself. */
#include "base/str.h"
#include "drivers/compute/qemu/parts.h"
#include <string.h>

void qemu_read_devices(struct qemu_machine *machine, const json_t *peripherals)
{
    size_t i;
    json_t *each;

    memset(machine->ports, 0, sizeof machine->ports);
    memset(machine->cdroms, 0, sizeof machine->cdroms);
    machine->port_count = 0;
    json_array_foreach ((json_t *)peripherals, i, each) {
        const char *name = json_text_at(each, "name", "");
        struct device_id id;
        unsigned port;

        if (port_id_parse(name, &port) && port >= machine->port_count)
            machine->port_count = port + 1;
        else if (device_id_parse(name, &id) && id.kind == DEVICE_CDROM)
            machine->cdroms[id.slot] = id;
        else if (device_id_parse(name, &id))
            machine->ports[id.slot] = id;
    }
}

/* "cd0a-0": the medium in drive 0 has the letter 'a'. */
static void read_medium(struct qemu_machine *machine, const char *node)
{
    unsigned slot;
    char letter;

    if (sscanf(node, "cd%u%c-0", &slot, &letter) == 2 && slot < CDROMS_MAX &&
        (letter == 'a' || letter == 'b'))
        machine->cdrom_letters[slot] = letter;
}

static void read_io_status(struct qemu_machine *machine, const char *node, const char *status)
{
    unsigned port;

    if (!str_equal(status, "nospace") && !str_equal(status, "failed"))
        return;
    if (machine->run_state == MACHINE_IO_PAUSED && sscanf(node, "disk%u-", &port) == 1 &&
        port < PORTS_MAX)
        qemu_io_error_begin(machine, machine->ports[port].name, str_equal(status, "nospace"));
}

void qemu_read_blocks(struct qemu_machine *machine, const json_t *blocks)
{
    size_t i;
    json_t *block;

    memset(machine->cdrom_letters, 0, sizeof machine->cdrom_letters);
    json_array_foreach ((json_t *)blocks, i, block) {
        const char *node = json_text_at(block, "inserted.node-name", "");

        read_medium(machine, node);
        read_io_status(machine, node, json_text_at(block, "io-status", ""));
    }
}
