/* drivers/compute/qemu/plug.c - plugs begin, ask and end. */
#include "drivers/compute/qemu/plug.h"
#include "base/chain.h"
#include "base/mem.h"
#include "drivers/storage.h"
#include <stdlib.h>
#include <unistd.h>

struct qemu_plug *plug_new(struct qemu_machine *machine, struct qemu_call *call,
                           const struct device_id *id)
{
    struct qemu_plug *plug = mem_new(struct qemu_plug);

    plug->driver = machine->driver;
    plug->machine = machine;
    plug->call = call;
    plug->id = *id;
    for (unsigned i = 0; i < DISK_CHAIN_MAX; i++)
        plug->fds[i] = -1;
    chain_add(&machine->plugs, plug);
    return plug;
}

static void unlink_plug(struct qemu_plug *plug)
{
    if (!plug->link)
        return;
    chain_remove(plug);
    plug->machine = NULL;
}

void plug_free(struct qemu_plug *plug)
{
    unlink_plug(plug);
    loop_source_free(plug->timer);
    plug->timer = NULL;
    plug->is_dead = true;
    if (plug->asked)
        return;
    for (unsigned i = 0; i < DISK_CHAIN_MAX; i++) {
        if (plug->fds[i] >= 0)
            close(plug->fds[i]);
    }
    disk_source_done(&plug->source);
    free(plug);
}

void plug_end(struct qemu_plug *plug, const struct err *err)
{
    struct qemu_call *call = plug->call;
    struct err copy;

    if (err)
        copy = *err; /* it may be the plug's own */
    plug_free(plug);
    if (call)
        qemu_call_end(call, err ? &copy : NULL);
}

/* --- questions --- */

struct question {
    struct qemu_plug *plug;
    monitor_fn *fn;
};

static void on_answer(void *arg, const struct err *err, const json_t *result)
{
    struct question question = *(struct question *)arg;

    free(arg);
    question.plug->asked--;
    if (question.plug->is_dead)
        plug_free(question.plug);
    else
        question.fn(question.plug, err, result);
}

void plug_ask(struct qemu_plug *plug, const char *command, json_t *take_arguments, int take_fd,
              monitor_fn *fn)
{
    struct question *question;
    struct err err;

    if (!plug->machine->monitor) {
        json_decref(take_arguments);
        if (take_fd >= 0)
            close(take_fd);
        (void)err_set(&err, ERR_UNAVAILABLE, "the monitor is gone");
        fn(plug, &err, NULL);
        return;
    }
    question = mem_new(struct question);
    *question = (struct question){ plug, fn };
    plug->asked++;
    monitor_call(plug->machine->monitor, command, take_arguments, take_fd, MONITOR_CALL_MS,
                 on_answer, question);
}

/* Those that wait for the guest end here; those in a job find themselves unlinked when they
 * come back; those at the monitor were answered when it went. */
void qemu_plugs_stop(struct qemu_machine *machine, const struct err *why)
{
    while (machine->plugs) {
        struct qemu_plug *plug = machine->plugs;
        struct qemu_call *call = plug->call;

        plug->call = NULL;
        if (plug->in_job)
            unlink_plug(plug);
        else
            plug_free(plug);
        if (call)
            qemu_call_end(call, why);
    }
}
