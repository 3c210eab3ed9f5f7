/* drivers/balancer/haproxy/holding.h - requests held in the proxy while no member gets traffic: pure.
 *
 * A script in Lua, loaded by proxies with a backend that holds, keeps each request (TCP: connection)
 * in the proxy until a member gets traffic, and sends how many it holds to the log socket at the
 * first, at the last, and each second. So nothing of a client passes through this daemon, and a
 * daemon that dies and comes back finds the clients still waiting.
 *
 * Each thread of the proxy has a state of its own and counts for itself: with one state for all,
 * HAProxy 2.6 now and then forgets to wake a connection that sleeps in it. */
#pragma once
#include "base/str.h"
#include "drivers/balancer.h"
#include "drivers/balancer/haproxy/latency.h"

enum {
    HOLDING_FRESH_MS = 3000, /* a number older than this is none: its proxy is gone */
    HOLDING_THREADS_MAX = 64,
};

extern const char *const holding_script;
#define HOLDING_SCRIPT_NAME "hold.lua"

/* Does any backend hold? */
bool holding_is_wanted(const struct balancer_config *config);

/* The rules of a backend that call the script; 'threads' of the proxy. */
void holding_rules(const struct balancer_backend *backend, unsigned threads, struct buf *to);

/* A line "held BACKEND COUNT THREAD" of the script. */
struct holding_line {
    char backend[LATENCY_NAME_SIZE];
    unsigned count, thread; /* 0 to HOLDING_THREADS_MAX - 1 */
};
/* False: it is another. */
bool holding_read_line(const char *text, size_t size, struct holding_line *ret_line);

/* How many a backend holds, by thread. Zeroed: none. */
struct holding_count {
    unsigned counts[HOLDING_THREADS_MAX];
    int64_t told_ms[HOLDING_THREADS_MAX];
};
void holding_note(struct holding_count *count, const struct holding_line *line, int64_t now_ms);
unsigned holding_sum(const struct holding_count *count, int64_t now_ms);
