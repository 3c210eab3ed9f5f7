/* api/deadlines.c - how long a client may take. */
#include "api/deadlines.h"
#include <stddef.h>

static const int64_t duration_ms[DEADLINE_TYPE_COUNT] = {
    [DEADLINE_HEAD] = DEADLINE_HEAD_MS,
    [DEADLINE_BODY] = DEADLINE_BODY_MS,
    [DEADLINE_IDLE] = DEADLINE_IDLE_MS,
};

static void unlink_deadline(struct deadlines *deadlines, struct deadline *deadline)
{
    enum deadline_type type = deadline->type;

    if (deadline->next)
        deadline->next->previous = deadline->previous;
    else
        deadlines->last[type] = deadline->previous;
    if (deadline->previous)
        deadline->previous->next = deadline->next;
    else
        deadlines->first[type] = deadline->next;
    deadline->next = deadline->previous = NULL;
    deadline->type = DEADLINE_NONE;
}

static void append(struct deadlines *deadlines, struct deadline *deadline, enum deadline_type type)
{
    deadline->type = type;
    deadline->previous = deadlines->last[type];
    if (deadline->previous)
        deadline->previous->next = deadline;
    else
        deadlines->first[type] = deadline;
    deadlines->last[type] = deadline;
}

/* -1: nobody waits. */
static int64_t next_due_ms(const struct deadlines *deadlines)
{
    int64_t due_ms = -1;

    for (int type = 0; type < DEADLINE_TYPE_COUNT; type++) {
        const struct deadline *first = deadlines->first[type];

        if (first && (due_ms < 0 || first->due_ms < due_ms))
            due_ms = first->due_ms;
    }
    return due_ms;
}

static void arm(struct deadlines *deadlines, int64_t due_ms)
{
    if (due_ms < 0 || (deadlines->timer_due_ms >= 0 && deadlines->timer_due_ms <= due_ms))
        return;
    deadlines->timer_due_ms = due_ms;
    loop_timer_again(deadlines->timer, due_ms - loop_now_ms(deadlines->loop));
}

static void expire(struct deadlines *deadlines, enum deadline_type type, int64_t now_ms)
{
    while (deadlines->first[type] && deadlines->first[type]->due_ms <= now_ms) {
        struct deadline *deadline = deadlines->first[type];

        unlink_deadline(deadlines, deadline);
        deadlines->expired_type = type;
        deadlines->expired(deadline);
    }
}

static void timer_fired(void *arg)
{
    struct deadlines *deadlines = arg;
    int64_t now_ms = loop_now_ms(deadlines->loop);

    deadlines->timer_due_ms = -1;
    for (int type = 0; type < DEADLINE_TYPE_COUNT; type++)
        expire(deadlines, (enum deadline_type)type, now_ms);
    arm(deadlines, next_due_ms(deadlines));
}

void deadlines_init(struct deadlines *deadlines, struct loop *loop,
                    void (*expired)(struct deadline *deadline))
{
    *deadlines = (struct deadlines){ .loop = loop, .expired = expired };
    /* Made once and armed when needed; this first firing finds nothing. */
    deadlines->timer = loop_timer(loop, 0, timer_fired, deadlines);
    deadlines->timer_due_ms = -1;
}

void deadlines_done(struct deadlines *deadlines)
{
    loop_source_free(deadlines->timer);
    deadlines->timer = NULL;
}

void deadline_set(struct deadlines *deadlines, struct deadline *deadline, enum deadline_type type)
{
    if (deadline->type != DEADLINE_NONE)
        unlink_deadline(deadlines, deadline);
    if (type == DEADLINE_NONE)
        return;
    deadline->due_ms = loop_now_ms(deadlines->loop) + duration_ms[type];
    append(deadlines, deadline, type);
    arm(deadlines, deadline->due_ms);
}
