/* store/watches.h - who watches which prefix, and how far they have been served. */
#pragma once
#include "store/history.h"
#include "store/store.h"
#include <stdbool.h>

struct watches {
    struct store_watch *first;
    struct store_watch *last;
    bool delivering;
};

/* 'next' is the number of the first event to serve. */
struct store_watch *watches_add(struct watches *watches, const char *prefix, uint64_t next,
                                store_watch_fn *fn, void *arg);
/* Any time, also from a callback; it gets nothing more. NULL is fine. */
void watches_remove(struct store_watch *watch);

/* Serves each watch at most 'count_max' events. True when some have more to get. */
bool watches_deliver(struct watches *watches, const struct history *history, size_t count_max);

/* The lowest number that somebody still has to get; history_end() when all are served. */
uint64_t watches_floor(const struct watches *watches, const struct history *history);
