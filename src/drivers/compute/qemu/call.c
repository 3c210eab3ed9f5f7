/* drivers/compute/qemu/call.c - the answers that callers still wait for. */
#include "drivers/compute/qemu/call.h"
#include "base/chain.h"
#include "base/mem.h"
#include "drivers/compute/qemu/machine.h"
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

enum kind { KIND_DONE, KIND_FD, KIND_JSON, KIND_BYTES };

struct qemu_call {
    struct qemu_call *next, **link;
    struct qemu_driver *driver;
    enum kind kind;
    struct done done;
    compute_fd_fn *fd_fn;
    compute_json_fn *json_fn;
    compute_bytes_fn *bytes_fn;
    void *arg;
    struct loop_source *later;
    struct err err; /* told later */
    int fd;         /* told later */
};

static struct qemu_call *call_new(struct qemu_driver *driver, enum kind kind, void *arg)
{
    struct qemu_call *call = mem_new(struct qemu_call);

    call->driver = driver;
    call->kind = kind;
    call->arg = arg;
    call->fd = -1;
    chain_add(&driver->calls, call);
    return call;
}

struct qemu_call *qemu_call_done(struct qemu_driver *driver, struct done done)
{
    struct qemu_call *call = call_new(driver, KIND_DONE, NULL);

    call->done = done;
    return call;
}

struct qemu_call *qemu_call_fd(struct qemu_driver *driver, compute_fd_fn *fn, void *arg)
{
    struct qemu_call *call = call_new(driver, KIND_FD, arg);

    call->fd_fn = fn;
    return call;
}

struct qemu_call *qemu_call_json(struct qemu_driver *driver, compute_json_fn *fn, void *arg)
{
    struct qemu_call *call = call_new(driver, KIND_JSON, arg);

    call->json_fn = fn;
    return call;
}

struct qemu_call *qemu_call_bytes(struct qemu_driver *driver, compute_bytes_fn *fn, void *arg)
{
    struct qemu_call *call = call_new(driver, KIND_BYTES, arg);

    call->bytes_fn = fn;
    return call;
}

/* --- ends --- */

/* Out of the list first: what the caller does in its callback must not meet it again. */
static struct qemu_call taken(struct qemu_call *call)
{
    struct qemu_call copy = *call;

    chain_remove(call);
    loop_source_free(call->later);
    free(call);
    return copy;
}

void qemu_call_end(struct qemu_call *call, const struct err *err)
{
    struct qemu_call copy = taken(call);

    assert(err || copy.kind == KIND_DONE);
    if (copy.fd >= 0)
        close(copy.fd);
    switch (copy.kind) {
    case KIND_DONE:
        done_call(copy.done, err);
        break;
    case KIND_FD:
        copy.fd_fn(copy.arg, err, -1);
        break;
    case KIND_JSON:
        copy.json_fn(copy.arg, err, NULL);
        break;
    case KIND_BYTES:
        copy.bytes_fn(copy.arg, err, NULL, 0);
        break;
    }
}

void qemu_call_end_fd(struct qemu_call *call, int take_fd)
{
    struct qemu_call copy = taken(call);

    assert(copy.kind == KIND_FD);
    copy.fd_fn(copy.arg, NULL, take_fd);
}

void qemu_call_end_json(struct qemu_call *call, const json_t *result)
{
    struct qemu_call copy = taken(call);

    assert(copy.kind == KIND_JSON);
    copy.json_fn(copy.arg, NULL, result);
}

void qemu_call_end_bytes(struct qemu_call *call, const void *bytes, size_t size)
{
    struct qemu_call copy = taken(call);

    assert(copy.kind == KIND_BYTES);
    copy.bytes_fn(copy.arg, NULL, bytes, size);
}

static void on_later(void *arg)
{
    struct qemu_call *call = arg;
    struct err err = call->err;
    int fd = call->fd;

    call->fd = -1;
    if (fd >= 0)
        qemu_call_end_fd(call, fd);
    else
        qemu_call_end(call, err.code ? &err : NULL);
}

void qemu_call_end_later(struct qemu_call *call, const struct err *err)
{
    if (err)
        call->err = *err;
    call->later = loop_defer(call->driver->setup.loop, on_later, call);
}

void qemu_call_end_fd_later(struct qemu_call *call, int take_fd)
{
    call->fd = take_fd;
    call->later = loop_defer(call->driver->setup.loop, on_later, call);
}

void qemu_calls_cancel(struct qemu_driver *driver)
{
    struct err err;

    (void)err_set(&err, ERR_CANCELLED, "the driver was closed");
    while (driver->calls)
        qemu_call_end(driver->calls, &err);
}
