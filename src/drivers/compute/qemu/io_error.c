/* drivers/compute/qemu/io_error.c - a guest that QEMU stopped on a write error.
 *
 *   error --> waiting --(delay)--> cont --> trial --(a second without error)--> forgotten
 *                ^                            |
 *                +---------- error -----------+       each time twice the delay
 *
 * The failed request is repeated by "cont", so nothing is lost. Whether there is space again
 * is known only by trying: quotas and thin pools do not show in statvfs(). Until the trial has
 * held, the machine counts as stopped. */
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/parts.h"
#include <stdio.h>
#include <stdlib.h>

enum { DELAY_MIN_MS = 1000, DELAY_MAX_MS = 30 * 1000, TRIAL_MS = 1000 };

struct qemu_io_error {
    struct qemu_machine *machine;
    struct loop_source *timer;
    int64_t delay_ms;
    bool in_trial;
};

bool qemu_io_error_holds(const struct qemu_machine *machine) { return machine->io_error != NULL; }

void qemu_io_error_forget(struct qemu_machine *machine)
{
    struct qemu_io_error *error = machine->io_error;

    machine->io_error = NULL;
    if (!error)
        return;
    loop_source_free(error->timer);
    free(error);
}

static void arm(struct qemu_io_error *error, int64_t delay_ms, loop_fn *fn)
{
    loop_source_free(error->timer);
    error->timer = loop_timer(error->machine->driver->setup.loop, delay_ms, fn, error);
}

static void on_trial_over(void *arg)
{
    struct qemu_io_error *error = arg;
    struct qemu_machine *machine = error->machine;

    qemu_io_error_forget(machine);
    machine->run_state = MACHINE_RUNNING;
    qemu_machine_message(machine, "%s", "");
    qemu_machine_refresh(machine);
}

void qemu_io_error_resumed(struct qemu_machine *machine)
{
    machine->io_error->in_trial = true;
    arm(machine->io_error, TRIAL_MS, on_trial_over);
}

static void on_try(void *arg)
{
    struct qemu_io_error *error = arg;

    /* Its RESUME event begins the trial. Without an answer the next round tries again. */
    arm(error, error->delay_ms + MONITOR_CALL_MS, on_try);
    if (error->machine->monitor)
        monitor_call(error->machine->monitor, "cont", NULL, -1, MONITOR_CALL_MS, NULL, NULL);
}

static void wait_and_try(struct qemu_io_error *error)
{
    int64_t doubled = error->delay_ms * 2;

    if (error->delay_ms == 0)
        error->delay_ms = DELAY_MIN_MS;
    else if (error->in_trial)
        error->delay_ms = doubled < DELAY_MAX_MS ? doubled : DELAY_MAX_MS;
    error->in_trial = false;
    arm(error, error->delay_ms, on_try);
}

void qemu_io_error_begin(struct qemu_machine *machine, const char *disk, bool no_space)
{
    bool is_new = !machine->io_error;

    if (is_new) {
        machine->io_error = mem_new(struct qemu_io_error);
        machine->io_error->machine = machine;
    }
    if (disk)
        qemu_machine_message(machine, "disk %s: %s", disk,
                             no_space ? "no space left on device" : "input/output error");
    else if (is_new)
        qemu_machine_message(machine, "a disk could not be written");
    if (is_new || machine->io_error->in_trial)
        wait_and_try(machine->io_error);
    machine->run_state = MACHINE_IO_PAUSED;
    qemu_machine_refresh(machine);
}

/* "disk3-0" is the disk in port 3. */
static const char *disk_of_node(const struct qemu_machine *machine, const char *node)
{
    unsigned port;

    if (sscanf(node, "disk%u-", &port) == 1 && port < PORTS_MAX && machine->ports[port].name[0])
        return machine->ports[port].name;
    return "?";
}

void qemu_on_block_io_error(struct qemu_machine *machine, const json_t *data)
{
    if (str_equal(json_text_at(data, "action", ""), "stop"))
        qemu_io_error_begin(machine, disk_of_node(machine, json_text_at(data, "node-name", "")),
                            json_bool_at(data, "nospace", false));
}
