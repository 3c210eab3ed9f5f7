/* base/worker.h - blocking work off the loop thread: values in, values out.
 *
 * A job must not touch any object that the loop thread owns; it works on its
 * own 'arg' only. Jobs begin in the order they came, except that a lane holds
 * back its own. On a simulated loop the job runs on the loop itself after a
 * seeded delay of up to 50 ms, so tests stay deterministic. */
#pragma once
#include "auto.h"
#include "loop.h"

struct worker_pool;

/* 'thread_count' threads (1 to 16), started at the first job. */
struct worker_pool *worker_pool_new(struct loop *loop, unsigned thread_count);
/* Waits for running jobs; queued ones are dropped, their 'finish' is called with
 * ERR_CANCELLED before this returns. May be called from a 'finish', and before or
 * after its loop is freed. NULL is fine. */
void worker_pool_free(struct worker_pool *pool);
DEFINE_AUTO(struct worker_pool, worker_pool_free)

struct worker_job {
    int (*work)(void *arg, struct err *err);            /* in a worker thread; 0 or -1 */
    void (*finish)(void *arg, const struct err *err);   /* on the loop; NULL err is success */
    void *arg;                                          /* 'finish' frees it */
    const char *lane; /* jobs of one lane (text copied; NULL: none) run one after another, in order */
};
void worker_run(struct worker_pool *pool, struct worker_job job);
