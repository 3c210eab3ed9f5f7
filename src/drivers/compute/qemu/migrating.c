/* drivers/compute/qemu/migrating.c - asking until a migration is over: some milliseconds.
 *
 * One question follows the other without a pause, so that there is always a call under way, which
 * ends when the machine does. */
#include "drivers/compute/qemu/migrating.h"
#include "base/str.h"
#include "drivers/compute/qemu/monitor.h"

enum { ASKS_MAX = 100 * 1000 };

json_t *migrating_capabilities(bool on)
{
    return json_pack("{s:[{s:s,s:b}]}", "capabilities", "capability", "x-ignore-shared", "state", (int)on);
}

void migrating_reset(struct qemu_machine *machine)
{
    if (machine->monitor)
        monitor_call(machine->monitor, "migrate-set-capabilities", migrating_capabilities(false), -1,
                     MONITOR_CALL_MS, NULL, NULL);
}

static void ask(struct migrating *migrating);

static void end(struct migrating *migrating, const struct err *err) { migrating->fn(migrating->arg, err); }

static void on_answer(void *arg, const struct err *err, const json_t *result)
{
    struct migrating *migrating = arg;
    const char *status = json_text_at(result, "status", "none");
    struct err failure;

    if (err) {
        end(migrating, err);
    } else if (str_equal(status, "completed")) {
        end(migrating, NULL);
    } else if (str_equal(status, "failed") || str_equal(status, "cancelled") || str_equal(status, "none") ||
               migrating->asked >= ASKS_MAX) {
        (void)err_set(&failure, ERR_UNAVAILABLE, "the state of the machine was not moved: %s",
                      json_text_at(result, "error-desc", status));
        end(migrating, &failure);
    } else {
        ask(migrating);
    }
}

static void ask(struct migrating *migrating)
{
    struct err err;

    migrating->asked++;
    if (migrating->machine->monitor) {
        monitor_call(migrating->machine->monitor, "query-migrate", NULL, -1, MONITOR_CALL_MS, on_answer, migrating);
        return;
    }
    (void)err_set(&err, ERR_CONFLICT, "the machine does not run any more");
    end(migrating, &err);
}

void migrating_wait(struct migrating *migrating, struct qemu_machine *machine, migrating_fn *fn, void *arg)
{
    *migrating = (struct migrating){ .machine = machine, .fn = fn, .arg = arg };
    ask(migrating);
}
