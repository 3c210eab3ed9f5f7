/* drivers/compute/qemu/monitor.h - one connection to a QEMU's monitor, on the loop.
 *
 * Carries commands with a time limit each, descriptors for add-fd and getfd, and events.
 * A connection that breaks is over: its owner is told once, frees it and makes another. */
#pragma once
#include "base/auto.h"
#include "base/json.h"
#include "base/loop.h"

struct monitor;

struct monitor_hooks {
    void (*ready)(void *arg, const char *version);
    void (*event)(void *arg, const char *name, const json_t *data); /* 'data' may be NULL */
    /* Not called by monitor_close(). Calls under way have ended before. */
    void (*lost)(void *arg, const struct err *err);
};

enum { MONITOR_HANDSHAKE_MS = 60 * 1000, MONITOR_CALL_MS = 30 * 1000 };

/* 'take_fd' is a connected stream socket. The hooks must live as long as the monitor. */
struct monitor *monitor_new(struct loop *loop, int take_fd, const struct monitor_hooks *hooks,
                            void *arg);
/* Ends calls under way with 'why'. May be called from inside its callbacks. NULL is fine. */
void monitor_close(struct monitor *monitor, const struct err *why);
void monitor_free(struct monitor *monitor); /* with ERR_CANCELLED */
DEFINE_AUTO(struct monitor, monitor_free)

/* 'err' NULL: success, 'result' is the "return" value; both valid during the call. */
typedef void monitor_fn(void *arg, const struct err *err, const json_t *result);

/* 'fn' (may be NULL) is called exactly once, later: with the reply, ERR_TIMEOUT after
 * 'timeout_ms', or why it could not be sent. 'take_fd' (-1: none) rides on the command. */
void monitor_call(struct monitor *monitor, const char *command, json_t *take_arguments, int take_fd,
                  int64_t timeout_ms, monitor_fn *fn, void *arg);
