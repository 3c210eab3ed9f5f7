/* base/loop.h - the event loop everything runs on: one thread, one loop.
 *
 * Two implementations stand behind this face: loop_new() on sd-event, for the
 * programs, and loop_sim_new() on a simulated clock, for tests, where time
 * jumps to the next timer and nothing waits. A source may be freed at any
 * time, also from inside its own callback; freed sources never fire. Every
 * source is its maker's to free, also after it fired, and before or after its
 * loop. Making one cannot fail: out of descriptors or kernel memory aborts, as
 * in mem.h. What is due at the same time comes in no promised order. */
#pragma once
#include "auto.h"
#include "err.h"
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;
struct loop_source;

enum loop_events { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_HANGUP = 4 };

typedef void loop_fn(void *arg);
typedef void loop_io_fn(void *arg, int fd, unsigned events); /* events: enum loop_events bits */
typedef void loop_signal_fn(void *arg, int signal);

/* How a watched process ended. 'known' is false for a process that is not our
 * child (a QEMU found again after a restart): only that it ended is seen. */
struct loop_exit {
    bool known;
    int code;   /* exit status when it exited, else -1 */
    int signal; /* signal that ended it, else 0 */
};
typedef void loop_exit_fn(void *arg, pid_t pid, struct loop_exit how);

struct loop *loop_new(struct err *err); /* NULL: failed */
/* NULL is fine. Sources left over never fire; not to be called from a callback. */
void loop_free(struct loop *loop);
DEFINE_AUTO(struct loop, loop_free)

/* Runs until loop_stop(), which may also have come before, and can be called
 * again. The simulated loop also returns when nothing is left to happen. Not to
 * be called from a callback. ERR_IO and the like: the kernel failed us. */
int loop_run(struct loop *loop, struct err *err);
void loop_stop(struct loop *loop);

/* Milliseconds: monotonic since an unspecified start; and since the epoch (UTC). */
int64_t loop_now_ms(const struct loop *loop);
int64_t loop_wall_ms(const struct loop *loop);

/* Calls 'fn' once after the current callback has returned. */
struct loop_source *loop_defer(struct loop *loop, loop_fn *fn, void *arg);

/* Calls 'fn' once, 'delay_ms' from now. loop_timer_again() arms it anew, also from 'fn'. */
struct loop_source *loop_timer(struct loop *loop, int64_t delay_ms, loop_fn *fn, void *arg);
void loop_timer_again(struct loop_source *timer, int64_t delay_ms);

/* Calls 'fn' while any of 'events' holds for 'fd', which stays the caller's: free
 * the source before closing it. Any descriptor will do (plain files are always
 * ready), and several sources may watch one. LOOP_READ and LOOP_WRITE also fire on
 * errors and when nobody is left at the other end; LOOP_HANGUP when the other end
 * writes no more. */
struct loop_source *loop_io(struct loop *loop, int fd, unsigned events, loop_io_fn *fn, void *arg);
void loop_io_events(struct loop_source *io, unsigned events); /* 0 pauses it */

/* Calls 'fn' once when the process behind 'pidfd' ends, and reaps it when it is
 * our child. The descriptor stays the caller's. */
struct loop_source *loop_child(struct loop *loop, pid_t pid, int pidfd, loop_exit_fn *fn, void *arg);

/* For a child nobody asks about any more: reaps it whenever it ends and tells
 * nobody. Takes the descriptor. Once the loop is freed the child is left alone. */
void loop_reap(struct loop *loop, pid_t pid, int take_pidfd);

/* Calls 'fn' for each arrival of 'signal', which is blocked for the process. */
struct loop_source *loop_signal(struct loop *loop, int signal, loop_signal_fn *fn, void *arg);

void loop_source_free(struct loop_source *source); /* NULL is fine */
DEFINE_AUTO(struct loop_source, loop_source_free)

/* --- for tests: the simulated clock --- */

/* 'seed' orders events that are due at the same instant and seeds loop_random(). */
struct loop *loop_sim_new(uint64_t seed);
/* Fires all that is due within the next 'ms' and moves the clock there. Aborts when
 * a million events do not end one instant: something calls itself for ever. */
void loop_sim_advance(struct loop *loop, int64_t ms);
/* Somebody puts the wall clock forward, or back. */
void loop_sim_set_wall(struct loop *loop, int64_t by_ms);
/* Fires the next event, jumping to its time; false when none is left. */
bool loop_sim_step(struct loop *loop);

/* --- for loop implementations and base/worker.h --- */
bool loop_is_simulated(const struct loop *loop);
uint64_t loop_random(struct loop *loop); /* seeded in the simulation, from the kernel otherwise */
