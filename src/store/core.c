/* store/core.c - the committed state, history and watches: all that is read. */
#include "store/core.h"
#include "store/record.h"
#include "base/mem.h"
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    DELIVER_COUNT_MAX = 256, /* events for one watch before others get their turn */
    AGE_CHECK_MS_MIN = 1000,
};

static struct core *core_of(struct store *store) { return (struct core *)store; }

/* --- the committed state --- */

void core_init(struct core *core, struct loop *loop)
{
    core->loop = loop;
    core->revision = CORE_REVISION_FIRST;
    core->last_revision = CORE_REVISION_FIRST;
}

/* What the record replaces, the caller's. */
static struct record *replace(struct core *core, struct record *record)
{
    if (record->revision > core->revision)
        core->revision = record->revision;
    if (record_is_deleted(record))
        return records_remove(&core->committed, record->key);
    return records_put(&core->committed, record_ref(record));
}

void core_apply(struct core *core, struct record *record, int64_t time_ms)
{
    struct record *previous = replace(core, record);

    record_index(record, &core->index);
    history_add(&core->history, record_ref(record), previous, time_ms);
}

static void forget(struct core *core, const struct record *record)
{
    if (record && core->engine->forget)
        core->engine->forget(core, record->revision);
}

/* For a version from before the history: nobody will ask for what it replaced. */
static void load_silently(struct core *core, struct record *record)
{
    struct record *previous = replace(core, record);

    forget(core, previous);
    if (record_is_deleted(record))
        forget(core, record);
    record_unref(previous);
}

/* The counter never falls behind what was compacted: the youngest version may have
 * been a deletion, and its row is gone. */
void core_load_begin(struct core *core, int64_t compacted)
{
    core->history.compacted = compacted;
    if (compacted > core->revision)
        core->revision = compacted;
    core->last_revision = core->revision;
}

void core_load(struct core *core, struct record *take_record, int64_t time_ms)
{
    if (take_record->revision > core->history.compacted)
        core_apply(core, take_record, time_ms);
    else
        load_silently(core, take_record);
    core->last_revision = core->revision;
    record_unref(take_record);
    core_trim(core);
}

static void index_one(void *arg, struct record *record) { record_index(record, arg); }

void store_set_index(struct store *store, struct store_index index)
{
    struct core *core = core_of(store);
    struct history *history = &core->history;

    core->index = index;
    records_each(&core->committed, index_one, &core->index);
    for (uint64_t at = history->first; at < history_end(history); at++) {
        const struct history_event *event = history_at(history, at);

        record_index(event->record, &core->index);
        if (event->previous)
            record_index(event->previous, &core->index);
    }
}

struct record *core_get(struct store *store, const char *key)
{
    struct record *record = records_get(&core_of(store)->committed, key);

    return record ? record_ref(record) : NULL;
}

struct record **core_list(struct store *store, const char *prefix, const char *after, size_t limit,
                          size_t *ret_count, size_t *ret_remaining)
{
    const struct records *committed = &core_of(store)->committed;
    size_t first, end;

    records_range(committed, prefix, after, &first, &end);

    size_t count = limit > 0 && limit < end - first ? limit : end - first;
    struct record **records = mem_array(count, sizeof(struct record *));
    records_copy(committed, first, count, records);
    *ret_count = count;
    if (ret_remaining)
        *ret_remaining = end - first - count;
    return records;
}

int64_t core_revision(struct store *store) { return core_of(store)->revision; }

int64_t core_compacted(struct store *store) { return core_of(store)->history.compacted; }

int core_health(struct store *store, struct err *err)
{
    const struct core *core = core_of(store);

    if (core->health.code == ERR_NONE)
        return 0;
    *err = core->health;
    return -1;
}

int core_backup(struct store *store, int64_t *ret_wall_ms, struct err *err)
{
    const struct core *core = core_of(store);

    *ret_wall_ms = core->backup_time_ms;
    if (core->backup_failure.code == ERR_NONE)
        return 0;
    *err = core->backup_failure;
    return -1;
}

/* --- watches --- */

static void deliver(void *arg)
{
    struct core *core = arg;

    loop_source_free(take_pointer(core->deliver_source));
    if (watches_deliver(&core->watches, &core->history, DELIVER_COUNT_MAX))
        core_wake_watches(core);
    core_trim(core);
}

void core_wake_watches(struct core *core)
{
    if (!core->deliver_source && core->watches.first && !core->closing)
        core->deliver_source = loop_defer(core->loop, deliver, core);
}

struct store_watch *core_watch(struct store *store, const char *prefix, int64_t from,
                               store_watch_fn *fn, void *arg, struct err *err)
{
    struct core *core = core_of(store);
    const struct history *history = &core->history;

    if (from == -1)
        return watches_add(&core->watches, prefix, history_end(history), fn, arg);
    if (from < history->compacted) {
        err_set(err, ERR_COMPACTED,
                "revision %" PRId64 " is too old: the oldest one to resume from is %" PRId64, from,
                history->compacted);
        return NULL;
    }
    if (from > core->revision) {
        err_set(err, ERR_TIMEOUT,
                "revision %" PRId64 " lies in the future: the last one is %" PRId64, from,
                core->revision);
        return NULL;
    }

    struct store_watch *watch =
        watches_add(&core->watches, prefix, history_after(history, from), fn, arg);
    core_wake_watches(core);
    return watch;
}

/* --- compaction --- */

static void check_age(void *arg)
{
    struct core *core = arg;

    loop_source_free(take_pointer(core->age_source));
    core_trim(core);
}

static void watch_age(struct core *core)
{
    int64_t age_max_ms = core->bounds.age_max_ms;

    if (core->age_source || age_max_ms == 0 || core->history.count == 0 || core->closing)
        return;

    int64_t oldest_ms = history_at(&core->history, core->history.first)->time_ms;
    int64_t left_ms = oldest_ms + age_max_ms + 1 - loop_now_ms(core->loop);
    core->age_source = loop_timer(
        core->loop, left_ms > AGE_CHECK_MS_MIN ? left_ms : AGE_CHECK_MS_MIN, check_age, core);
}

static bool is_dispensable(const struct core *core, uint64_t floor, int64_t now_ms)
{
    const struct history *history = &core->history;

    if (history->count == 0 || history->first >= floor)
        return false;
    return history_at(history, history->first)->record->revision <= core->compact_target ||
           history_is_over(history, &core->bounds, now_ms);
}

/* Events that a watch still has to get are never dropped: deliver() trims again. */
void core_trim(struct core *core)
{
    uint64_t floor = watches_floor(&core->watches, &core->history);
    int64_t now_ms = loop_now_ms(core->loop);

    while (is_dispensable(core, floor, now_ms)) {
        struct history_event event = history_drop(&core->history);

        forget(core, event.previous);
        if (record_is_deleted(event.record))
            forget(core, event.record);
        record_unref(event.record);
        record_unref(event.previous);
    }
    watch_age(core);
    if (core->engine->has_upkeep && core->engine->has_upkeep(core))
        core_wake(core);
}

void core_compact(struct store *store, int64_t revision)
{
    struct core *core = core_of(store);

    if (revision > core->revision)
        revision = core->revision;
    if (revision > core->compact_target)
        core->compact_target = revision;
    core_trim(core);
}

/* --- the end --- */

void core_free(struct store *store)
{
    struct core *core = core_of(store);

    if (!store)
        return;
    core->closing = true;
    core->engine->finish(core);
    core_drain(core);
    assert(!core->watches.first); /* their owners end before the store does */
    loop_source_free(core->launch_source);
    loop_source_free(core->deliver_source);
    loop_source_free(core->retry_source);
    loop_source_free(core->age_source);
    history_done(&core->history);
    records_done(&core->pending);
    records_done(&core->committed);
    core->engine->free(core);
}
