/* store/core.h - what all engines in this process share: the committed state in memory, the writes
 * on their way, history and watches. An engine only makes batches of writes durable.
 *
 * The life of a write: decided at once against the latest state, including the writes before it
 * that are not durable yet (put, remove); queued; taken into a batch; committed by the engine;
 * applied to the committed state; acknowledged; shown to the watches. Refusals travel in the same
 * queue, since what they were decided against may still fail.
 *
 *     put, remove --> queue --> batch --engine->commit()--> core_batch_done()
 *                                                             |- ok: apply, acknowledge, watches
 *                                                             '- failed: batch and queue fail all
 */
#pragma once
#include "store/history.h"
#include "store/records.h"
#include "store/store.h"
#include "store/watches.h"
#include <stdbool.h>

enum {
    CORE_BATCH_COUNT_MAX = 64,
    CORE_BATCH_SIZE_MAX = 1024 * 1024, /* bytes of values; one write may be larger */
};

struct core;
struct write;

/* Writes that become durable together, in revision order. It stays as it is
 * until core_batch_done(), so another thread may read it and its records. */
struct core_batch {
    const struct record *records[CORE_BATCH_COUNT_MAX];
    size_t count; /* 0: only the engine's own upkeep, or a try whether storing works again */
    int64_t compacted;
};

struct core_engine {
    /* Makes 'core->batch' durable, all or nothing, and then calls core_batch_done() once, later
     * from the loop (after finish(): before it returns). One batch at a time. */
    void (*commit)(struct core *core);
    /* Completes the batch under way, if any. Nothing later may leave the loop thread. */
    void (*finish)(struct core *core);
    /* No watch can see this version any more and it is not the latest of its object. May be NULL.
     */
    void (*forget)(struct core *core, int64_t revision);
    /* Wants an empty batch for upkeep. May be NULL: never. */
    bool (*has_upkeep)(struct core *core);
    /* Last of all: frees the engine with the core inside. */
    void (*free)(struct core *core);
};

struct core {
    struct store store; /* first */
    const struct core_engine *engine;
    struct loop *loop;
    struct history_bounds bounds;
    struct store_index index;

    struct records committed;
    struct history history;
    struct watches watches;
    int64_t revision;       /* of the last committed write */
    int64_t compact_target; /* drop events up to here as soon as no watch needs them */

    struct records pending; /* the latest version on its way of each object */
    int64_t last_revision;  /* the last one given out */
    struct write *queue_first, *queue_last;
    size_t waiting_count, waiting_size; /* of all writes not durable yet */
    struct write *batch_first;          /* the writes of the batch under way, refusals included */
    struct core_batch batch;
    bool committing;
    bool closing;

    struct err health;
    struct err backup_failure; /* of the engine's last try; ERR_NONE: none failed */
    int64_t backup_time_ms;    /* wall clock; 0: there is no backup */
    struct loop_source *launch_source;  /* queue to batch, once the current callback is over */
    struct loop_source *deliver_source; /* events to watches */
    struct loop_source *retry_source;   /* while unhealthy */
    struct loop_source *age_source;     /* while there is history that gets too old */
};

/* A new store is at revision 1, so that 0 is free to mean "none". */
enum { CORE_REVISION_FIRST = 1 };

/* 'core' is zeroed but for 'engine', 'bounds' and 'store.ops'. */
void core_init(struct core *core, struct loop *loop);

/* At start, for each version that was committed, in revision order. Those above 'compacted' also
 * become events, as old as 'time_ms' (loop clock) says. */
void core_load_begin(struct core *core, int64_t compacted);
void core_load(struct core *core, struct record *take_record, int64_t time_ms);

void core_batch_done(struct core *core, const struct err *err); /* NULL: durable */

/* Asks for a batch soon, since there is something to commit. */
void core_wake(struct core *core);

/* As store_memory_crash(); nothing is under way in the engine any more. */
void core_crash(struct core *core, size_t kept_count);

/* --- between core.c and core_write.c --- */
void core_apply(struct core *core, struct record *record, int64_t time_ms);
void core_wake_watches(struct core *core);
void core_trim(struct core *core);
void core_drain(
    struct core *core); /* commits and acknowledges all that is queued; after finish() */

/* --- the operations of struct store_ops --- */
#define CORE_STORE_OPS(engine_name)                                                                \
    {                                                                                              \
        .name = (engine_name), .free = core_free, .get = core_get, .list = core_list,              \
        .revision = core_revision, .compacted = core_compacted, .put = core_put,                   \
        .remove = core_remove, .watch = core_watch, .watch_free = watches_remove,                  \
        .compact = core_compact, .health = core_health, .backup = core_backup,                     \
    }
void core_free(struct store *store);
struct record *core_get(struct store *store, const char *key);
struct record **core_list(struct store *store, const char *prefix, const char *after, size_t limit,
                          size_t *ret_count, size_t *ret_remaining);
int64_t core_revision(struct store *store);
int64_t core_compacted(struct store *store);
void core_put(struct store *store, const char *key, struct store_value value, int64_t expected,
              store_done_fn *fn, void *arg);
void core_remove(struct store *store, const char *key, struct store_value last, int64_t expected,
                 store_done_fn *fn, void *arg);
struct store_watch *core_watch(struct store *store, const char *prefix, int64_t from,
                               store_watch_fn *fn, void *arg, struct err *err);
void core_compact(struct store *store, int64_t revision);
int core_health(struct store *store, struct err *err);
int core_backup(struct store *store, int64_t *ret_wall_ms, struct err *err);
