/* drivers/compute_exec.h - a command in a guest through its agent, until it has ended: over any compute
 * driver. The agent collects what it writes, at most 16 MiB each.
 * Source: qga/qapi-schema.json of QEMU. */
#pragma once
#include "drivers/compute.h"

struct compute_exec_request { /* borrowed during the call */
    struct loop *loop;
    struct compute *compute;
    const char *uid;
    const char *path;         /* looked up in the guest's PATH */
    const json_t *arguments;  /* an array of texts without the program's name, or NULL */
    const char *input_base64; /* standard input, or NULL */
    int64_t timeout_ms;
};

/* 'status' is what guest-exec-status answers of a command that has ended, valid during the call.
 * ERR_TIMEOUT: it runs on in the guest. ERR_UNAVAILABLE, ERR_EXHAUSTED: it was not begun. ERR_IO: it was,
 * or may have been, when the guest or its agent went away. */
typedef void compute_exec_fn(void *arg, const struct err *err, const json_t *status);

struct compute_exec;
/* 'fn' is called exactly once, later; the result is valid until then. */
struct compute_exec *compute_exec_start(const struct compute_exec_request *request, compute_exec_fn *fn,
                                        void *arg);
/* Nobody waits any more: 'fn' is called with ERR_CANCELLED, before this returns or, while the driver
 * still has to answer, when it does. The loop is not needed any more. */
void compute_exec_cancel(struct compute_exec *exec);
