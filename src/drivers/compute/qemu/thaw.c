/* drivers/compute/qemu/thaw.c - a new process goes on from a frozen machine's state.
 *
 *   capabilities -> state loaded -> cont (unless it shall stand) -> run state
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

/* QEMU's own announcements after a move are left as they are: five, each after the guest has taken note of
 * the last. Who knew another card by the fork's address learns of the new one by them, however late a busy
 * guest is; with one of them a fork in forty was not reached for ten seconds, and with none QEMU 7.2 crashes
 * when the guest resets its card. */
void qemu_thaw(struct qemu_machine *machine, monitor_fn *fn)
{
    struct thaw *thaw = mem_new(struct thaw);

    thaw->machine = machine;
    thaw->fn = fn;
    ask(thaw, "migrate-set-capabilities", migrating_capabilities(true), prepared);
}
