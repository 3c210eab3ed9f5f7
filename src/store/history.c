/* store/history.c - a growing ring of events. */
#include "store/history.h"
#include "store/record.h"
#include "base/mem.h"
#include <assert.h>
#include <stdlib.h>

enum { CAPACITY_MIN = 64 };

static struct history_event *slot(const struct history *history, uint64_t number)
{
    return &history->ring[number & (history->capacity - 1)];
}

static size_t size_of(const struct history_event *event)
{
    size_t size = event->previous ? event->previous->size : 0;

    return record_is_deleted(event->record) ? size + event->record->size : size;
}

static void grow(struct history *history)
{
    struct history old = *history;

    history->capacity = old.capacity ? 2 * old.capacity : CAPACITY_MIN;
    history->ring = mem_array(history->capacity, sizeof *history->ring);
    for (uint64_t number = old.first; number < old.first + old.count; number++)
        *slot(history, number) = *slot(&old, number);
    free(old.ring);
}

void history_add(struct history *history, struct record *take_record, struct record *take_previous,
                 int64_t time_ms)
{
    if (history->count == history->capacity)
        grow(history);

    struct history_event *event = slot(history, history_end(history));
    *event = (struct history_event){ take_record, take_previous, time_ms };
    history->count++;
    history->size += size_of(event);
}

uint64_t history_end(const struct history *history) { return history->first + history->count; }

const struct history_event *history_at(const struct history *history, uint64_t number)
{
    assert(number >= history->first && number < history_end(history));
    return slot(history, number);
}

uint64_t history_after(const struct history *history, int64_t revision)
{
    uint64_t low = history->first, high = history_end(history);

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (slot(history, middle)->record->revision > revision)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool history_is_over(const struct history *history, const struct history_bounds *bounds,
                     int64_t now_ms)
{
    if (history->count == 0)
        return false;
    return history->count > bounds->count_max || history->size > bounds->size_max ||
           (bounds->age_max_ms > 0 &&
            now_ms - history_at(history, history->first)->time_ms > bounds->age_max_ms);
}

struct history_event history_drop(struct history *history)
{
    struct history_event event = *history_at(history, history->first);

    history->first++;
    history->count--;
    history->size -= size_of(&event);
    history->compacted = event.record->revision;
    return event;
}

void history_done(struct history *history)
{
    while (history->count > 0) {
        struct history_event event = history_drop(history);

        record_unref(event.record);
        record_unref(event.previous);
    }
    free(history->ring);
    *history = (struct history){ 0 };
}

struct store_event history_store_event(const struct history_event *event)
{
    enum store_event_type type = STORE_MODIFIED;

    if (record_is_deleted(event->record))
        type = STORE_DELETED;
    else if (!event->previous)
        type = STORE_ADDED;
    return (struct store_event){ type, event->record, event->previous };
}
