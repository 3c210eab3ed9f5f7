/* drivers/compute/qemu/call.h - one call of the contract until its answer.
 *
 * The driver lists the calls that are under way. Each ends exactly once, by one of the
 * qemu_call_end functions, which free it; those that are left when the driver closes end
 * with ERR_CANCELLED. */
#pragma once
#include "drivers/compute.h"

struct qemu_driver;
struct qemu_call;

struct qemu_call *qemu_call_done(struct qemu_driver *driver, struct done done);
struct qemu_call *qemu_call_fd(struct qemu_driver *driver, compute_fd_fn *fn, void *arg);
struct qemu_call *qemu_call_json(struct qemu_driver *driver, compute_json_fn *fn, void *arg);
struct qemu_call *qemu_call_bytes(struct qemu_driver *driver, compute_bytes_fn *fn, void *arg);

/* 'err' NULL: success. Only from the loop, never from inside the call of the contract. */
void qemu_call_end(struct qemu_call *call, const struct err *err);
void qemu_call_end_fd(struct qemu_call *call, int take_fd);
void qemu_call_end_json(struct qemu_call *call, const json_t *result);
void qemu_call_end_bytes(struct qemu_call *call, const void *bytes, size_t size);
/* On the next turn of the loop; NULL: success. */
void qemu_call_end_later(struct qemu_call *call, const struct err *err);
void qemu_call_end_fd_later(struct qemu_call *call, int take_fd);

void qemu_calls_cancel(struct qemu_driver *driver);
