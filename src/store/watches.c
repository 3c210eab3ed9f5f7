/* store/watches.c - serving events to watches, which may come and go meanwhile. */
#include "store/watches.h"
#include "store/record.h"
#include "base/mem.h"
#include "base/str.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct store_watch {
    struct watches *watches;
    struct store_watch *previous_watch, *next_watch;
    char *prefix;
    size_t prefix_length;
    uint64_t next; /* number of the event to look at next */
    store_watch_fn *fn;
    void *arg;
    bool ended; /* removed while events were delivered: freed at the end of that */
};

struct store_watch *watches_add(struct watches *watches, const char *prefix, uint64_t next,
                                store_watch_fn *fn, void *arg)
{
    struct store_watch *watch = mem_new(struct store_watch);

    *watch = (struct store_watch){
        .watches = watches,
        .previous_watch = watches->last,
        .prefix = str_dup(prefix),
        .prefix_length = strlen(prefix),
        .next = next,
        .fn = fn,
        .arg = arg,
    };
    if (watches->last)
        watches->last->next_watch = watch;
    else
        watches->first = watch;
    watches->last = watch;
    return watch;
}

static void drop(struct store_watch *watch)
{
    struct watches *watches = watch->watches;

    if (watch->previous_watch)
        watch->previous_watch->next_watch = watch->next_watch;
    else
        watches->first = watch->next_watch;
    if (watch->next_watch)
        watch->next_watch->previous_watch = watch->previous_watch;
    else
        watches->last = watch->previous_watch;
    free(watch->prefix);
    free(watch);
}

void watches_remove(struct store_watch *watch)
{
    if (!watch)
        return;
    if (watch->watches->delivering)
        watch->ended = true;
    else
        drop(watch);
}

/* The callback may do anything, so the event is held by references of our own. */
static void tell(struct store_watch *watch, const struct history_event *event)
{
    if (strncmp(event->record->key, watch->prefix, watch->prefix_length) != 0)
        return;

    struct store_event store_event = history_store_event(event);
    struct record *record = record_ref(event->record);
    struct record *previous = event->previous ? record_ref(event->previous) : NULL;

    watch->fn(watch->arg, &store_event);
    record_unref(record);
    record_unref(previous);
}

static void serve(struct store_watch *watch, const struct history *history, size_t count_max)
{
    for (size_t i = 0; i < count_max && !watch->ended && watch->next < history_end(history); i++) {
        uint64_t number = watch->next++;

        tell(watch, history_at(history, number));
    }
}

static void drop_ended(struct watches *watches)
{
    for (struct store_watch *watch = watches->first, *next; watch; watch = next) {
        next = watch->next_watch;
        if (watch->ended)
            drop(watch);
    }
}

bool watches_deliver(struct watches *watches, const struct history *history, size_t count_max)
{
    struct store_watch *last = watches->last; /* those that come meanwhile wait for the next turn */

    assert(!watches->delivering);
    watches->delivering = true;
    for (struct store_watch *watch = watches->first; watch; watch = watch->next_watch) {
        serve(watch, history, count_max);
        if (watch == last)
            break;
    }
    watches->delivering = false;
    drop_ended(watches);
    return watches_floor(watches, history) < history_end(history);
}

uint64_t watches_floor(const struct watches *watches, const struct history *history)
{
    uint64_t floor = history_end(history);

    for (const struct store_watch *watch = watches->first; watch; watch = watch->next_watch)
        if (!watch->ended && watch->next < floor)
            floor = watch->next;
    return floor;
}
