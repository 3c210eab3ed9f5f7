/* drivers/balancer/haproxy/runtime.h - HAProxy's admin socket: one connection for each line of
 * commands, whose answer ends with the connection. */
#pragma once
#include "base/loop.h"
#include "base/str.h"

enum {
    RUNTIME_LINE_MAX = 12 * 1024, /* HAProxy takes no more than one buffer, 16 KiB */
    RUNTIME_ANSWER_MAX = 8 * 1024 * 1024,
};

struct runtime_call;
/* 'answer' is NUL-terminated and valid during the call; NULL err: it came whole. ERR_UNAVAILABLE:
 * nobody listens; ERR_TIMEOUT, ERR_TOO_LARGE, ERR_IO. The call is over: do not cancel it. */
typedef void runtime_fn(void *arg, const struct err *err, const char *answer, size_t size);

/* Sends 'line' (without its newline; a payload may follow one) to the socket "name" in the folder
 * and calls 'fn' later, once. NULL: it could not begin, and 'fn' is not called. */
struct runtime_call *runtime_call(struct loop *loop, const char *folder, const char *name,
                                  const char *line, int64_t timeout_ms, runtime_fn *fn, void *arg,
                                  struct err *err);
void runtime_cancel(struct runtime_call *call); /* 'fn' is not called; NULL is fine */

/* The same to its end, blocking: for open(). */
int runtime_ask(const char *folder, const char *name, const char *line, int64_t timeout_ms,
                struct buf *answer, struct err *err);

/* A unix socket at "folder/name", in the folder by way of a descriptor, so that no path is too
 * long. Listening and open to nobody but root. */
int runtime_listen(const char *folder, const char *name, int *ret_fd, struct err *err);
/* A bound datagram socket that 'owner' may send to. */
int runtime_receive(const char *folder, const char *name, uid_t owner, int *ret_fd,
                    struct err *err);
