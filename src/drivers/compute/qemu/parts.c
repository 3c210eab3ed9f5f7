/* drivers/compute/qemu/parts.c - the aspects together. */
#include "drivers/compute/qemu/parts.h"

void qemu_parts_start(struct qemu_machine *machine)
{
    qemu_serial_start(machine);
    qemu_agent_start(machine);
    qemu_size_start(machine);
}

void qemu_parts_stop(struct qemu_machine *machine, const struct err *why)
{
    qemu_plugs_stop(machine, why);
    qemu_agent_stop(machine, why);
    qemu_identity_stop(machine, why);
    qemu_serial_stop(machine);
    qemu_io_error_forget(machine);
}
