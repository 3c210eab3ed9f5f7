/* drivers/compute/fake/call.c - calls wait, take effect, report. */
#include "drivers/compute/fake/call.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/storage.h"
#include <stdlib.h>
#include <unistd.h>

static void answer_done(struct fake_call *call, const struct err *err)
{
    done_call(call->done, err);
}

static void call_free(struct fake_call *call)
{
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    loop_source_free(call->timer);
    disk_source_done(&call->disk.source);
    if (call->result_fd >= 0)
        close(call->result_fd);
    json_decref(call->arguments);
    json_decref(call->result);
    free(call->command);
    free(call->uid);
    free(call);
}

static void on_answer(void *arg)
{
    struct fake_call *call = arg;

    call->answer(call, call->err.code ? &call->err : NULL);
    call_free(call);
}

void fake_call_step(struct fake_call *call, int64_t delay_ms, loop_fn *fn)
{
    loop_source_free(call->timer);
    call->timer = loop_timer(call->driver->world->loop, delay_ms, fn, call);
}

void fake_call_answer(struct fake_call *call) { fake_call_step(call, 0, on_answer); }

bool fake_call_fails(struct fake_call *call)
{
    struct compute_fake_world *world = call->driver->world;

    if (fault_fails("compute.fake", &call->err) < 0)
        return true;
    if (!fake_chance(world, world->options.fail_permille))
        return false;
    (void)err_set(&call->err, ERR_UNAVAILABLE, "the fake was told to fail");
    return true;
}

static void on_effect(void *arg)
{
    struct fake_call *call = arg;
    struct fake_machine *machine = fake_machine_find(call->driver->world, call->uid);

    if (!fake_call_fails(call))
        (void)call->effect(call, machine, &call->err); /* reported by on_answer() */
    fake_call_answer(call);
}

struct fake_call *fake_call_new(struct compute *compute, const char *uid, fake_effect *effect)
{
    struct fake_driver *driver = fake_driver_of(compute);
    struct fake_call *call = mem_new(struct fake_call);

    call->driver = driver;
    call->uid = str_dup(uid);
    call->effect = effect;
    call->answer = answer_done;
    call->result_fd = -1;
    call->next = driver->calls;
    call->link = &driver->calls;
    if (call->next)
        call->next->link = &call->next;
    driver->calls = call;
    fake_call_step(call, fake_delay_ms(driver->world), on_effect);
    return call;
}

void fake_call_done(struct compute *compute, const char *uid, struct done done, fake_effect *effect)
{
    fake_call_new(compute, uid, effect)->done = done;
}

static void answer_fd(struct fake_call *call, const struct err *err)
{
    call->fd_fn(call->arg, err, err ? -1 : call->result_fd);
    if (!err)
        call->result_fd = -1;
}

void fake_call_fd(struct compute *compute, const char *uid, compute_fd_fn *fn, void *arg,
                  fake_effect *effect)
{
    struct fake_call *call = fake_call_new(compute, uid, effect);

    call->answer = answer_fd;
    call->fd_fn = fn;
    call->arg = arg;
}

void fake_calls_cancel(struct fake_driver *driver)
{
    struct err err;

    (void)err_set(&err, ERR_CANCELLED, "the driver was closed");
    while (driver->calls) {
        struct fake_call *call = driver->calls;

        call->answer(call, &err);
        call_free(call);
    }
}

int fake_needs_monitor(const struct fake_machine *machine, struct err *err)
{
    if (!machine)
        return err_set(err, ERR_NOT_FOUND, "the machine does not run");
    if (machine->status.state == MACHINE_LAUNCHING || machine->status.state == MACHINE_ENDED ||
        !machine->is_heard)
        return err_set(err, ERR_CONFLICT, "the machine does not run");
    return 0;
}
