/* drivers/compute/qemu/thaw.c - a new process goes on from a frozen machine's state.
 *
 *   silence -> capabilities -> state loaded -> cont (unless it shall stand) -> run state
 *
 * A daemon that died in between is followed by one that finds the state loaded, or being loaded. */
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/migrating.h"
#include "drivers/compute/qemu/monitor.h"
#include <stdlib.h>

struct thaw {
    struct qemu_machine *machine;
    monitor_fn *fn;
    struct migrating migrating;
};

static void thaw_end(struct thaw *thaw, const struct err *err, const json_t *result)
{
    struct qemu_machine *machine = thaw->machine;
    monitor_fn *fn = thaw->fn;

    free(thaw);
    fn(machine, err, result);
}

/* Not the monitor is at fault when the state does not load: this start has failed. */
static void give_up(struct thaw *thaw, const struct err *err)
{
    struct qemu_machine *machine = thaw->machine;
    char text[256];

    snprintf(text, sizeof text, "the frozen machine did not go on: %.200s", err->text);
    qemu_expect_end(machine, MACHINE_END_START_FAILED, text);
    qemu_kill_now(machine);
    thaw_end(thaw, err, NULL);
}

static void ask(struct thaw *thaw, const char *command, json_t *take_arguments, monitor_fn *fn)
{
    struct err err;

    if (thaw->machine->monitor) {
        monitor_call(thaw->machine->monitor, command, take_arguments, -1, MONITOR_CALL_MS, fn, thaw);
        return;
    }
    json_decref(take_arguments);
    (void)err_set(&err, ERR_CONFLICT, "the machine does not run any more");
    fn(thaw, &err, NULL);
}

static void status_known(void *arg, const struct err *err, const json_t *result)
{
    thaw_end(arg, err, result);
}

static void went_on(void *arg, const struct err *err, const json_t *result)
{
    struct thaw *thaw = arg;

    if (err)
        thaw_end(thaw, err, NULL);
    else
        ask(thaw, "query-status", NULL, status_known);
}

static void loaded(void *arg, const struct err *err)
{
    struct thaw *thaw = arg;
    struct qemu_machine *machine = thaw->machine;

    if (err) {
        give_up(thaw, err);
        return;
    }
    fault_point("compute.thaw.loaded");
    migrating_reset(machine);
    if (machine->config->start_paused)
        went_on(thaw, NULL, NULL);
    else
        ask(thaw, "cont", NULL, went_on);
}

/* Refused when an earlier daemon asked already: then its end is waited for. */
static void incoming_asked(void *arg, const struct err *err, const json_t *result)
{
    struct thaw *thaw = arg;

    if (err && !thaw->machine->is_adopted)
        give_up(thaw, err);
    else
        migrating_wait(&thaw->migrating, thaw->machine, loaded, thaw);
}

static void prepared(void *arg, const struct err *err, const json_t *result)
{
    struct thaw *thaw = arg;

    if (err && !thaw->machine->is_adopted)
        give_up(thaw, err);
    else
        ask(thaw, "migrate-incoming", json_pack("{so}", "uri", json_printf("fd:%d", DESCRIPTOR_OF_STATE)),
            incoming_asked);
}

/* QEMU has a guest that was moved tell its network five times who it is. This one is nobody yet and its
 * links are down: it is asked to when they come up (links.c). Once is the least: with none QEMU 7.2 drops
 * the timer for it, and crashes when the card is reset. */
static void silence(struct qemu_machine *machine)
{
    if (machine->monitor)
        monitor_call(machine->monitor, "migrate-set-parameters", json_pack("{s:i}", "announce-rounds", 1), -1,
                     MONITOR_CALL_MS, NULL, NULL);
}

void qemu_thaw(struct qemu_machine *machine, monitor_fn *fn)
{
    struct thaw *thaw = mem_new(struct thaw);

    thaw->machine = machine;
    thaw->fn = fn;
    silence(machine);
    ask(thaw, "migrate-set-capabilities", migrating_capabilities(true), prepared);
}
