/* store/sqlite.c - the engine on a local disk: batches go to the database in a worker thread,
 * and so does, a piece with each batch, a backup now and then. */
#include "store/core.h"
#include "store/database.h"
#include "store/database_backup.h"
#include "store/record.h"
#include "base/mem.h"
#include "base/worker.h"
#include <stdlib.h>

enum {
    FORGET_COUNT_MAX = 500,        /* versions removed in one transaction of their own */
    FORGET_BESIDE_WRITES = 128,    /* versions removed along with writes, which wait for it */
    FORGET_COUNT_WORTHWHILE = 256, /* fewer wait for the next write */
    BACKUP_FIRST_MS = 60 * 1000,   /* after opening: not while everything starts */
    BACKUP_RETRY_MS = 3600 * 1000,
};

/* One batch in the worker thread: it reads 'core.batch' and what is here. */
struct commit {
    int64_t written_ms;
    int64_t removed[FORGET_COUNT_MAX];
    size_t removed_count;
    bool backs_up;
    bool transacts;    /* without: there is nothing to write */
    bool backup_ended; /* complete, or failed */
    struct err backup_failure;
};

struct sqlite {
    struct core core; /* first */
    struct database *database;
    struct worker_pool *writer; /* NULL once finishing: commits then block */
    struct commit commit;
    int64_t *forgotten; /* revisions to remove, in no order */
    size_t forgotten_count, forgotten_capacity;
    struct database_backup *backup; /* the thread's while it works */
    struct loop_source *backup_timer;
    int64_t backup_interval_ms;
    bool backing_up;
};

static struct sqlite *sqlite_of(struct core *core) { return (struct sqlite *)core; }

/* --- versions nobody needs any more --- */

static void sqlite_forget(struct core *core, int64_t revision)
{
    struct sqlite *sqlite = sqlite_of(core);

    if (sqlite->forgotten_count == sqlite->forgotten_capacity) {
        sqlite->forgotten_capacity =
            sqlite->forgotten_capacity ? 2 * sqlite->forgotten_capacity : 64;
        sqlite->forgotten =
            mem_resize(sqlite->forgotten, sqlite->forgotten_capacity * sizeof sqlite->forgotten[0]);
    }
    sqlite->forgotten[sqlite->forgotten_count++] = revision;
}

static bool sqlite_has_upkeep(struct core *core)
{
    const struct sqlite *sqlite = sqlite_of(core);

    return sqlite->backing_up || sqlite->forgotten_count >= FORGET_COUNT_WORTHWHILE;
}

static void take_forgotten(struct sqlite *sqlite)
{
    struct commit *commit = &sqlite->commit;
    size_t limit = sqlite->core.batch.count > 0 ? FORGET_BESIDE_WRITES : FORGET_COUNT_MAX;

    commit->removed_count = 0;
    while (commit->removed_count < limit && sqlite->forgotten_count > 0)
        commit->removed[commit->removed_count++] = sqlite->forgotten[--sqlite->forgotten_count];
}

static void give_back_forgotten(struct sqlite *sqlite)
{
    for (size_t i = 0; i < sqlite->commit.removed_count; i++)
        sqlite_forget(&sqlite->core, sqlite->commit.removed[i]);
}

/* --- backup --- */

static void begin_backup(void *arg)
{
    struct sqlite *sqlite = arg;

    sqlite->backing_up = true;
    core_wake(&sqlite->core);
}

static void schedule_first_backup(struct sqlite *sqlite)
{
    int64_t made_ms = database_backup_time_ms(sqlite->database);
    int64_t age_ms = loop_wall_ms(sqlite->core.loop) - made_ms;
    int64_t delay_ms = sqlite->backup_interval_ms - (age_ms > 0 ? age_ms : 0);

    sqlite->core.backup_time_ms = made_ms;
    if (sqlite->backup_interval_ms == 0)
        return;
    sqlite->backup_timer =
        loop_timer(sqlite->core.loop, delay_ms > BACKUP_FIRST_MS ? delay_ms : BACKUP_FIRST_MS,
                   begin_backup, sqlite);
}

static void schedule_next_backup(struct sqlite *sqlite)
{
    int64_t delay_ms = sqlite->backup_interval_ms;

    sqlite->backing_up = false;
    sqlite->core.backup_failure = sqlite->commit.backup_failure;
    if (sqlite->core.backup_failure.code == ERR_NONE)
        sqlite->core.backup_time_ms = loop_wall_ms(sqlite->core.loop);
    else if (delay_ms > BACKUP_RETRY_MS)
        delay_ms = BACKUP_RETRY_MS;
    loop_timer_again(sqlite->backup_timer, delay_ms);
}

static int continue_backup(struct sqlite *sqlite, bool *ret_complete, struct err *err)
{
    if (!sqlite->backup)
        sqlite->backup = database_backup_new(sqlite->database, err);
    return sqlite->backup ? database_backup_step(sqlite->backup, ret_complete, err) : -1;
}

/* Writes do not depend on it: when it fails, the old backup stays, and it is tried again. */
static void back_up(struct sqlite *sqlite)
{
    struct commit *commit = &sqlite->commit;
    bool complete = false, failed;

    err_clear(&commit->backup_failure);
    failed = continue_backup(sqlite, &complete, &commit->backup_failure) < 0;
    commit->backup_ended = complete || failed;
    if (commit->backup_ended)
        database_backup_free(take_pointer(sqlite->backup));
}

/* --- committing --- */

static int write_batch(struct sqlite *sqlite, struct err *err)
{
    const struct core_batch *batch = &sqlite->core.batch;

    return database_commit(sqlite->database,
                           &(struct database_change){
                               .added = batch->records,
                               .added_count = batch->count,
                               .written_ms = sqlite->commit.written_ms,
                               .removed = sqlite->commit.removed,
                               .removed_count = sqlite->commit.removed_count,
                               .compacted = batch->compacted,
                           },
                           err);
}

static int commit_work(void *arg, struct err *err)
{
    struct sqlite *sqlite = arg;

    if (sqlite->commit.transacts && write_batch(sqlite, err) < 0)
        return -1;
    if (sqlite->commit.backs_up)
        back_up(sqlite);
    return 0;
}

static void conclude(struct sqlite *sqlite, const struct err *err)
{
    if (err)
        give_back_forgotten(sqlite);
    if (sqlite->commit.backup_ended)
        schedule_next_backup(sqlite);
    core_batch_done(&sqlite->core, err);
}

static void commit_here(struct sqlite *sqlite)
{
    struct err err;
    int result = commit_work(sqlite, &err);

    conclude(sqlite, result < 0 ? &err : NULL);
}

/* The pool cancels what had not begun when the store is freed. */
static void commit_finish(void *arg, const struct err *err)
{
    struct sqlite *sqlite = arg;

    if (err && err->code == ERR_CANCELLED)
        commit_here(sqlite);
    else
        conclude(sqlite, err);
}

/* An empty batch of an unhealthy store tries whether it can write again. */
static void prepare(struct sqlite *sqlite)
{
    const struct core *core = &sqlite->core;
    struct commit *commit = &sqlite->commit;
    bool healthy = core->health.code == ERR_NONE;

    take_forgotten(sqlite);
    commit->written_ms = loop_wall_ms(core->loop);
    commit->transacts = core->batch.count > 0 || commit->removed_count > 0 || !healthy;
    commit->backs_up = sqlite->backing_up && healthy && !core->closing;
    commit->backup_ended = false;
}

static void sqlite_commit(struct core *core)
{
    struct sqlite *sqlite = sqlite_of(core);

    prepare(sqlite);
    if (sqlite->writer)
        worker_run(sqlite->writer, (struct worker_job){ commit_work, commit_finish, sqlite, NULL });
    else
        commit_here(sqlite);
}

static void sqlite_finish(struct core *core)
{
    struct sqlite *sqlite = sqlite_of(core);

    worker_pool_free(take_pointer(sqlite->writer));
}

static void sqlite_free(struct core *core)
{
    struct sqlite *sqlite = sqlite_of(core);

    loop_source_free(sqlite->backup_timer);
    database_backup_free(sqlite->backup);
    database_close(sqlite->database);
    free(sqlite->forgotten);
    free(sqlite);
}

static const struct core_engine engine = {
    .commit = sqlite_commit,
    .finish = sqlite_finish,
    .forget = sqlite_forget,
    .has_upkeep = sqlite_has_upkeep,
    .free = sqlite_free,
};
static const struct store_ops ops = CORE_STORE_OPS("sqlite");

/* --- opening --- */

struct loading {
    struct core *core;
    int64_t now_ms;
    int64_t wall_ms;
};

/* A wall clock that was set back makes nothing older than it is. */
static void load_row(void *arg, const struct database_row *row)
{
    const struct loading *loading = arg;
    int64_t age_ms = loading->wall_ms - row->written_ms;
    struct record *record = record_new(&(struct record_fields){
        .key = row->key,
        .revision = row->revision,
        .created = row->created,
        .value = { .bytes = row->bytes, .size = row->size, .gap = STORE_GAP_NONE },
        .deleted = row->deleted,
    });

    core_load(loading->core, record, loading->now_ms - (age_ms > 0 ? age_ms : 0));
}

static int load(struct sqlite *sqlite, struct err *err)
{
    struct core *core = &sqlite->core;
    struct loading loading = { core, loop_now_ms(core->loop), loop_wall_ms(core->loop) };

    core_load_begin(core, database_compacted(sqlite->database));
    return database_load(sqlite->database, load_row, &loading, err);
}

static struct history_bounds bounds_from(const struct store_sqlite_options *options)
{
    return (struct history_bounds){
        .count_max = options->history_count_max ? options->history_count_max : STORE_HISTORY_COUNT,
        .size_max = options->history_size_max ? options->history_size_max : STORE_HISTORY_SIZE,
        .age_max_ms = options->history_ms ? options->history_ms : STORE_HISTORY_MS,
    };
}

struct store *store_sqlite_open(struct loop *loop, const struct store_sqlite_options *options,
                                struct err *err)
{
    struct sqlite *sqlite = mem_new(struct sqlite);

    sqlite->core.store.ops = &ops;
    sqlite->core.engine = &engine;
    sqlite->core.bounds = bounds_from(options);
    core_init(&sqlite->core, loop);
    sqlite->database = database_open(options->directory, err);
    if (!sqlite->database || load(sqlite, err) < 0) {
        core_free(&sqlite->core.store);
        return NULL;
    }
    sqlite->writer = worker_pool_new(loop, 1);
    sqlite->backup_interval_ms = options->backup_interval_ms;
    schedule_first_backup(sqlite);
    return &sqlite->core.store;
}
