/* drivers/compute/qemu/power.c - the power button, pause, resume and reset. */
#include "base/mem.h"
#include "drivers/compute/qemu/machine.h"
#include "drivers/compute/qemu/parts.h"
#include <stdlib.h>

enum { RESET_ROUNDS_MAX = 100 };

struct request {
    struct qemu_machine *machine;
    struct qemu_call *call;
    unsigned rounds;
};

static void request_end(struct request *request, const struct err *err)
{
    struct qemu_call *call = request->call;

    free(request);
    qemu_call_end(call, err);
}

static void ask(struct request *request, const char *command, monitor_fn *fn)
{
    monitor_call(request->machine->monitor, command, NULL, -1, MONITOR_CALL_MS, fn, request);
}

/* The machine a call is for when its monitor can be asked; else the call has its answer. */
static struct request *request_for(struct compute *compute, const char *uid, struct done done)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct qemu_call *call = qemu_call_done(driver, done);
    struct err err;
    struct qemu_machine *machine = qemu_machine_up(driver, uid, &err);
    struct request *request;

    if (!machine) {
        qemu_call_end_later(call, &err);
        return NULL;
    }
    request = mem_new(struct request);
    *request = (struct request){ .machine = machine, .call = call };
    return request;
}

static void request_end_later(struct request *request, enum err_code code, const char *text)
{
    struct err err;

    if (code)
        (void)err_set(&err, code, "%s", text);
    qemu_call_end_later(request->call, code ? &err : NULL);
    free(request);
}

static void on_pressed(void *arg, const struct err *err, const json_t *result)
{
    struct request *request = arg;

    if (!err) {
        request->machine->status.shutdown_requested = true;
        changes_add(&request->machine->driver->changes, request->machine->uid);
    }
    request_end(request, err);
}

void qemu_press_power(struct compute *compute, const char *uid, struct done done)
{
    struct request *request = request_for(compute, uid, done);

    if (request)
        ask(request, "system_powerdown", on_pressed);
}

static void on_paused(void *arg, const struct err *err, const json_t *result)
{
    struct request *request = arg;
    struct qemu_machine *machine = request->machine;

    if (!err && machine->end.end == MACHINE_END_NONE) {
        qemu_io_error_forget(machine);
        machine->run_state = MACHINE_PAUSED;
        qemu_machine_message(machine, "%s", "");
        qemu_machine_refresh(machine);
    }
    request_end(request, err);
}

/* Also stops what waits on a write error: it does not go on by itself any more. */
void qemu_pause(struct compute *compute, const char *uid, struct done done)
{
    struct request *request = request_for(compute, uid, done);

    if (!request)
        return;
    if (request->machine->run_state == MACHINE_PAUSED)
        request_end_later(request, ERR_NONE, NULL);
    else if (request->machine->run_state == MACHINE_CRASHED)
        request_end_later(request, ERR_CONFLICT, "the guest crashed");
    else
        ask(request, "stop", on_paused);
}

static void on_resumed(void *arg, const struct err *err, const json_t *result)
{
    struct request *request = arg;

    if (!err)
        qemu_read_run_state(request->machine, "running");
    request_end(request, err);
}

void qemu_resume(struct compute *compute, const char *uid, struct done done)
{
    struct request *request = request_for(compute, uid, done);

    if (!request)
        return;
    if (request->machine->run_state == MACHINE_RUNNING)
        request_end_later(request, ERR_NONE, NULL);
    else if (request->machine->run_state == MACHINE_CRASHED)
        request_end_later(request, ERR_CONFLICT, "the guest crashed");
    else
        ask(request, "cont", on_resumed);
}

/* A crashed machine can go on only after the reset, which QEMU makes soon after its reply:
 * until then "cont" is refused, so it is tried again after a question. */
static void on_continued(void *arg, const struct err *err, const json_t *result);

static void on_asked(void *arg, const struct err *err, const json_t *result)
{
    struct request *request = arg;

    if (err)
        request_end(request, err);
    else
        ask(request, "cont", on_continued);
}

static void on_continued(void *arg, const struct err *err, const json_t *result)
{
    struct request *request = arg;

    if (err && err->code == ERR_INTERNAL && request->rounds++ < RESET_ROUNDS_MAX)
        ask(request, "query-status", on_asked);
    else
        on_resumed(request, err, result);
}

static void on_was_reset(void *arg, const struct err *err, const json_t *result)
{
    struct request *request = arg;

    if (!err) /* its port closes a moment later */
        qemu_agent_guest_gone(request->machine, "the guest was reset");
    if (!err && request->machine->run_state == MACHINE_CRASHED)
        ask(request, "cont", on_continued);
    else
        request_end(request, err);
}

void qemu_reset(struct compute *compute, const char *uid, struct done done)
{
    struct request *request = request_for(compute, uid, done);

    if (!request)
        return;
    if (!request->machine->status.is_fork) {
        ask(request, "system_reset", on_was_reset);
        return;
    }
    qemu_fork_was_reset(request->machine);
    request_end_later(request, ERR_NONE, NULL);
}
