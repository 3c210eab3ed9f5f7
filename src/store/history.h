/* store/history.h - the recent events, from which watches are served and resumed.
 *
 * Events are numbered without gaps; a watch keeps the number of its next one. The
 * texts are the records' own: an event costs memory only for the state that it
 * replaced, which nobody else needs any more. Zeroed is empty. */
#pragma once
#include "store/store.h"
#include <stdbool.h>

struct history_event {
    struct record *record;   /* a reference */
    struct record *previous; /* a reference, or NULL */
    int64_t time_ms;         /* loop_now_ms() of the write */
};

struct history {
    struct history_event *ring;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
    uint64_t first;    /* number of the oldest event kept */
    size_t size;       /* bytes of the replaced states it keeps alive */
    int64_t compacted; /* revision of the youngest event dropped */
};

/* What may be kept; an event that goes over any of these bounds is dropped. */
struct history_bounds {
    size_t count_max;
    size_t size_max;
    int64_t age_max_ms; /* 0: no bound */
};

void history_done(struct history *history);

/* Both references are consumed; 'take_previous' may be NULL. */
void history_add(struct history *history, struct record *take_record, struct record *take_previous,
                 int64_t time_ms);

uint64_t history_end(const struct history *history); /* number of the event to come */
const struct history_event *history_at(const struct history *history, uint64_t number);
/* Number of the first event with a revision above 'revision', history_end() when there is none. */
uint64_t history_after(const struct history *history, int64_t revision);

bool history_is_over(const struct history *history, const struct history_bounds *bounds,
                     int64_t now_ms);
/* Drops the oldest event, and hands the caller its two references. */
struct history_event history_drop(struct history *history);

/* As a watcher gets it; borrowed from 'event'. */
struct store_event history_store_event(const struct history_event *event);
