/* drivers/compute/qemu/run_state.c - QEMU's run states to ours.
 * Source: RunState in qapi/run-state.json of QEMU. */
#include "base/str.h"
#include "drivers/compute/qemu/parts.h"
#include <string.h>

static const struct {
    const char *text;
    enum machine_state state;
} states[] = {
    { "running", MACHINE_RUNNING },
    { "suspended", MACHINE_RUNNING },
    { "prelaunch", MACHINE_PAUSED },
    { "paused", MACHINE_PAUSED },
    { "debug", MACHINE_PAUSED },
    { "inmigrate", MACHINE_PAUSED },
    { "postmigrate", MACHINE_PAUSED },
    { "finish-migrate", MACHINE_PAUSED },
    { "save-vm", MACHINE_PAUSED },
    { "restore-vm", MACHINE_PAUSED },
    { "colo", MACHINE_PAUSED },
    { "io-error", MACHINE_IO_PAUSED },
    { "guest-panicked", MACHINE_CRASHED },
    { "internal-error", MACHINE_CRASHED },
    { "watchdog", MACHINE_CRASHED },
};

static enum machine_state state_of(const char *text)
{
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (str_equal(text, states[i].text))
            return states[i].state;
    }
    return MACHINE_PAUSED; /* a state of a newer QEMU: at least it does not run */
}

static void describe(struct qemu_machine *machine, const char *text)
{
    if (machine->run_state == MACHINE_RUNNING || machine->run_state == MACHINE_PAUSED)
        qemu_machine_message(machine, "%s", "");
    else if (str_equal(text, "guest-panicked"))
        qemu_machine_message(machine, "the guest panicked");
    else if (str_equal(text, "internal-error"))
        qemu_machine_message(machine, "QEMU stopped the guest on an internal error");
    else if (str_equal(text, "watchdog"))
        qemu_machine_message(machine, "the guest's watchdog fired");
}

/* What happened was told by an event. While no daemon was there to hear it, a fork may as well have been
 * reset as shut down; it is rather started once more than not again. */
static void stands_still(struct qemu_machine *machine)
{
    if (machine->status.is_fork && machine->is_adopted)
        qemu_fork_was_reset(machine);
    else
        qemu_guest_shut_down(machine);
}

void qemu_read_run_state(struct qemu_machine *machine, const char *text)
{
    if (str_equal(text, "shutdown")) {
        stands_still(machine);
        return;
    }
    if (str_equal(text, "running") && qemu_io_error_holds(machine)) {
        qemu_io_error_resumed(machine);
        return;
    }
    machine->run_state = state_of(text);
    if (machine->run_state == MACHINE_IO_PAUSED)
        qemu_io_error_begin(machine, NULL, false);
    else
        qemu_io_error_forget(machine);
    describe(machine, text);
    qemu_machine_refresh(machine);
    if (machine->run_state == MACHINE_CRASHED)
        qemu_agent_guest_gone(machine, "the guest crashed");
}

static void on_status(void *arg, const struct err *err, const json_t *result)
{
    if (!err)
        qemu_read_run_state(arg, json_text_at(result, "status", ""));
}

void qemu_ask_run_state(struct qemu_machine *machine)
{
    if (machine->monitor)
        monitor_call(machine->monitor, "query-status", NULL, -1, MONITOR_CALL_MS, on_status,
                     machine);
}
