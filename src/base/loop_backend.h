/* base/loop_backend.h - what loop.c and the two loops behind it know of each other.
 *
 * loop.c keeps the list of sources and watches processes and signals in terms of
 * plain descriptors; a backend only knows time, descriptors and what comes next. */
#pragma once
#include "base/loop.h"
#include <stddef.h>

enum source_kind { SOURCE_DEFER, SOURCE_TIMER, SOURCE_IO, SOURCE_CHILD, SOURCE_REAP, SOURCE_SIGNAL };

struct loop_backend {
    size_t source_size; /* of the backend's source, which begins with a struct loop_source */

    /* Waits for the next event and fires it. 1: fired; 0: none is left; -1: failed. */
    int (*turn)(struct loop *loop, struct err *err);
    int64_t (*now_ms)(const struct loop *loop);
    int64_t (*wall_ms)(const struct loop *loop);
    uint64_t (*random)(struct loop *loop);

    /* Fires a SOURCE_DEFER or SOURCE_TIMER once; replaces an earlier arming. The
     * delay is 0 or more. */
    void (*arm)(struct loop_source *source, int64_t delay_ms);
    /* Fires one of the other kinds while 'source->events' hold for 'source->fd';
     * replaces an earlier watch. No events: does not fire. */
    void (*watch)(struct loop_source *source);
    /* Undoes both: it does not fire any more. */
    void (*drop)(struct loop_source *source);
    /* All sources are dropped; frees the loop itself. */
    void (*free)(struct loop *loop);
};

struct loop {
    const struct loop_backend *backend;
    struct loop_source *first; /* every source that was made and not freed */
    bool firing;               /* inside a callback */
    bool running;              /* inside loop_run() */
    bool stopped;
};

struct loop_source {
    struct loop *loop; /* NULL when the loop went first */
    struct loop_source *next;
    struct loop_source *previous;
    enum source_kind kind;
    union {
        loop_fn *call;
        loop_io_fn *io;
        loop_exit_fn *child;
        loop_signal_fn *signal;
    } fn;
    void *arg;
    int fd;
    unsigned events; /* enum loop_events */
    pid_t pid;
};

/* Calls the source's function. The source may be gone afterwards. */
void loop_source_fire(struct loop_source *source, unsigned events);

/* enum loop_events to and from the bits of poll(2), which epoll(7) shares. Whoever
 * waits to read or write is also woken by an error or a full hang-up, and finds
 * it in the result of read(2) or write(2). */
short loop_events_to_poll(unsigned events);
unsigned loop_events_from_poll(unsigned happened, unsigned wanted);
