/* api/deadlines.h - how long a client may take, absolutely: libmicrohttpd's own time-out starts
 * anew with every byte, so a client that drips bytes would hold its connection for ever. */
#pragma once
#include "base/loop.h"

enum deadline_type {
    DEADLINE_NONE, /* busy with our part */
    DEADLINE_HEAD, /* from the connect to the end of the first request's head, handshake included */
    DEADLINE_BODY, /* a body, from its first to its last byte; an upload: between two parts */
    DEADLINE_IDLE, /* from one answer to the end of the next head */
    DEADLINE_TYPE_COUNT
};

enum { DEADLINE_HEAD_MS = 10 * 1000, DEADLINE_BODY_MS = 30 * 1000, DEADLINE_IDLE_MS = 120 * 1000 };

struct deadline {
    enum deadline_type type;
    int64_t due_ms;
    struct deadline *next, *previous;
};

/* Each type lasts equally long for everyone, so each list is in order of time by itself, and one
 * timer serves all connections. */
struct deadlines {
    struct loop *loop;
    struct loop_source *timer;
    int64_t timer_due_ms; /* -1: not armed */
    struct deadline *first[DEADLINE_TYPE_COUNT], *last[DEADLINE_TYPE_COUNT];
    void (*expired)(struct deadline *deadline); /* it is DEADLINE_NONE then, 'was' told by type */
    enum deadline_type expired_type;            /* during that call */
};

void deadlines_init(struct deadlines *deadlines, struct loop *loop,
                    void (*expired)(struct deadline *deadline));
void deadlines_done(struct deadlines *deadlines);
/* Starts the time of 'type' now; DEADLINE_NONE stops it. */
void deadline_set(struct deadlines *deadlines, struct deadline *deadline, enum deadline_type type);
