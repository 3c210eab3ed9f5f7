/* drivers/compute/qemu/events.c - what QEMU tells by itself.
 * Source: qapi/run-state.json and qapi/block-core.json of QEMU. */
#include "base/str.h"
#include "drivers/compute/qemu/parts.h"
#include <stddef.h>

static void on_stop(struct qemu_machine *machine, const json_t *data)
{
    qemu_ask_run_state(machine); /* the event does not say why */
}

static void on_resume(struct qemu_machine *machine, const json_t *data)
{
    qemu_read_run_state(machine, "running");
}

static void on_shutdown(struct qemu_machine *machine, const json_t *data)
{
    const char *reason = json_text_at(data, "reason", "");

    if (str_equal(reason, "host-signal"))
        qemu_expect_end(machine, MACHINE_END_HOST_STOP, "stopped by a signal");
    else if (str_equal(reason, "host-error"))
        qemu_expect_end(machine, MACHINE_END_PROCESS_DIED, "QEMU stopped on an error of the host");
    else if (str_equal(reason, "host-qmp-quit"))
        qemu_expect_end(machine, MACHINE_END_HOST_STOP, "stopped as asked");
    else if (machine->status.is_fork && (str_equal(reason, "guest-reset") || str_equal(reason, "host-qmp-system-reset")))
        qemu_fork_was_reset(machine);
    else if (json_bool_at(data, "guest", false))
        qemu_guest_shut_down(machine);
}

static void on_panic(struct qemu_machine *machine, const json_t *data)
{
    qemu_machine_message(machine, "the guest panicked");
    qemu_ask_run_state(machine);
}

static void on_reset(struct qemu_machine *machine, const json_t *data)
{
    machine->status.shutdown_requested = false;
    qemu_size_on_reset(machine);
    qemu_machine_refresh(machine);
}

static const struct {
    const char *name;
    void (*handle)(struct qemu_machine *machine, const json_t *data);
} events[] = {
    { "STOP", on_stop },
    { "RESUME", on_resume },
    { "SHUTDOWN", on_shutdown },
    { "RESET", on_reset },
    { "GUEST_PANICKED", on_panic },
    { "BLOCK_IO_ERROR", qemu_on_block_io_error },
    { "DEVICE_DELETED", qemu_on_device_deleted },
    { "DEVICE_UNPLUG_GUEST_ERROR", qemu_on_unplug_refused },
    { "VSERPORT_CHANGE", qemu_on_port_change },
    { "BALLOON_CHANGE", qemu_on_balloon_change },
    { "MEMORY_DEVICE_SIZE_CHANGE", qemu_on_memory_size_change },
};

void qemu_on_event(void *arg, const char *name, const json_t *data)
{
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (str_equal(name, events[i].name)) {
            events[i].handle(arg, data);
            return;
        }
    }
}
