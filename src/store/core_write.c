/* store/core_write.c - the life of a write, from the decision to the acknowledgement. */
#include "store/core.h"
#include "store/record.h"
#include "base/mem.h"
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_MS = 1000 };

struct write {
    struct write *next;
    struct record *record; /* what it makes; NULL when refused */
    struct err *refusal;
    store_done_fn *fn;
    void *arg;
};

/* What somebody asks for. */
struct request {
    const char *key;
    struct store_value value;
    int64_t expected;
    bool deletes;
};

/* --- deciding --- */

/* Borrowed; NULL when there is no such object. */
static const struct record *latest_of(const struct core *core, const char *key)
{
    const struct record *record = records_get(&core->pending, key);

    if (!record)
        return records_get(&core->committed, key);
    return record_is_deleted(record) ? NULL : record;
}

static int check_room(const struct core *core, const struct request *request, struct err *err)
{
    if (core->closing)
        return err_set(err, ERR_CANCELLED, "%s: the store is closing", request->key);
    if (strlen(request->key) > STORE_KEY_LENGTH_MAX)
        return err_set(err, ERR_TOO_LARGE, "%.60s...: the key is longer than %d characters",
                       request->key, STORE_KEY_LENGTH_MAX);
    if (request->value.size > STORE_VALUE_SIZE_MAX)
        return err_set(err, ERR_TOO_LARGE, "%s: the object has %zu bytes, more than %d",
                       request->key, request->value.size, STORE_VALUE_SIZE_MAX);
    if (core->waiting_count >= STORE_WAITING_COUNT_MAX ||
        core->waiting_size + request->value.size > STORE_WAITING_SIZE_MAX)
        return err_set(err, ERR_TOO_MANY, "%s: too many writes wait for the disk", request->key);
    return 0;
}

static int check_expected(const struct request *request, const struct record *latest,
                          struct err *err)
{
    int64_t expected = request->expected;
    bool creates = !request->deletes && expected == STORE_MUST_NOT_EXIST;

    if (!latest && (expected > 0 || request->deletes))
        return err_set(err, ERR_NOT_FOUND, "%s: not found", request->key);
    if (latest && creates)
        return err_set(err, ERR_ALREADY_EXISTS, "%s: already exists", request->key);
    if (latest && expected != STORE_ANY_REVISION && expected != latest->revision)
        return err_set(err, ERR_CONFLICT, "%s: is at revision %" PRId64 ", not at %" PRId64,
                       request->key, latest->revision, expected);
    return 0;
}

static struct record *decide(struct core *core, const struct request *request, struct err *err)
{
    const struct record *latest = latest_of(core, request->key);

    if (check_room(core, request, err) < 0 || check_expected(request, latest, err) < 0)
        return NULL;

    int64_t revision = ++core->last_revision;
    return record_new(&(struct record_fields){
        .key = request->key,
        .revision = revision,
        .created = latest ? latest->created : revision,
        .value = request->value,
        .deleted = request->deletes,
    });
}

/* --- the queue --- */

static void enqueue(struct core *core, struct write *write)
{
    if (core->queue_last)
        core->queue_last->next = write;
    else
        core->queue_first = write;
    core->queue_last = write;
    if (!write->record)
        return;
    core->waiting_count++;
    core->waiting_size += write->record->size;
    record_unref(records_put(&core->pending, record_ref(write->record)));
}

static struct write *dequeue(struct core *core)
{
    struct write *write = core->queue_first;

    core->queue_first = write->next;
    if (!core->queue_first)
        core->queue_last = NULL;
    write->next = NULL;
    return write;
}

static void submit(struct core *core, const struct request *request, store_done_fn *fn, void *arg)
{
    struct write *write = mem_new(struct write);
    struct err err;

    write->fn = fn;
    write->arg = arg;
    write->record = decide(core, request, &err);
    if (!write->record)
        write->refusal = mem_copy(&err, sizeof err);
    enqueue(core, write);
    core_wake(core);
}

void core_put(struct store *store, const char *key, struct store_value value, int64_t expected,
              store_done_fn *fn, void *arg)
{
    const struct request request = { key, value, expected, .deletes = false };

    submit((struct core *)store, &request, fn, arg);
}

void core_remove(struct store *store, const char *key, struct store_value last, int64_t expected,
                 store_done_fn *fn, void *arg)
{
    const struct request request = { key, last, expected, .deletes = true };

    submit((struct core *)store, &request, fn, arg);
}

/* --- batches --- */

static bool has_upkeep(struct core *core)
{
    return core->engine->has_upkeep && core->engine->has_upkeep(core);
}

static bool fits(const struct core_batch *batch, size_t size, const struct write *write)
{
    if (!write->record || batch->count == 0)
        return true;
    return batch->count < CORE_BATCH_COUNT_MAX && size + write->record->size <= CORE_BATCH_SIZE_MAX;
}

static void take_batch(struct core *core)
{
    struct write **end = &core->batch_first;
    size_t size = 0;

    core->batch.count = 0;
    core->batch.compacted = core->history.compacted;
    while (core->queue_first && fits(&core->batch, size, core->queue_first)) {
        struct write *write = dequeue(core);

        *end = write;
        end = &write->next;
        if (!write->record)
            continue;
        core->batch.records[core->batch.count++] = write->record;
        size += write->record->size;
    }
}

/* The callbacks may submit anew, but what is acknowledged here is off the queue. */
static void acknowledge(struct write *first, const struct err *failed)
{
    while (first) {
        struct write *write = first;
        const struct err *err = failed ? failed : write->refusal;

        first = write->next;
        if (write->fn)
            write->fn(write->arg, err, err ? NULL : write->record);
        record_unref(write->record);
        free(write->refusal);
        free(write);
    }
}

static void commit_batch(struct core *core)
{
    core->committing = true;
    core->engine->commit(core);
}

static void launch(struct core *core)
{
    take_batch(core);
    if (core->batch.count > 0 || has_upkeep(core))
        commit_batch(core);
    else
        acknowledge(take_pointer(core->batch_first), NULL); /* refusals only */
}

static void on_launch(void *arg)
{
    struct core *core = arg;

    loop_source_free(take_pointer(core->launch_source));
    if (!core->committing)
        launch(core);
}

void core_wake(struct core *core)
{
    if (!core->committing && !core->launch_source && !core->closing)
        core->launch_source = loop_defer(core->loop, on_launch, core);
}

void core_drain(struct core *core)
{
    while (core->queue_first)
        launch(core);
}

/* --- the end of a batch --- */

static void apply(struct core *core, const struct write *write, int64_t now_ms)
{
    struct record *record = write->record;

    core->waiting_count--;
    core->waiting_size -= record->size;
    if (records_get(&core->pending, record->key) == record)
        record_unref(records_remove(&core->pending, record->key));
    core_apply(core, record, now_ms);
}

/* The next batch is under way before anybody hears of this one, so the disk does not wait. */
static void succeed(struct core *core, struct write *first)
{
    int64_t now_ms = loop_now_ms(core->loop);

    err_clear(&core->health);
    for (const struct write *write = first; write; write = write->next)
        if (write->record)
            apply(core, write, now_ms);
    if (core->waiting_count > 0 && !core->closing)
        launch(core);
    acknowledge(first, NULL);
    core_wake_watches(core);
    core_trim(core);
    if (core->queue_first)
        core_wake(core);
}

/* An empty batch while nobody writes, so that health comes back by itself. */
static void on_retry(void *arg)
{
    struct core *core = arg;

    loop_source_free(take_pointer(core->retry_source));
    if (core->committing || core->health.code == ERR_NONE)
        return;
    take_batch(core);
    commit_batch(core);
}

/* All writes that are not durable, in order. The queue is empty then. */
static struct write *take_all(struct core *core)
{
    struct write *first = take_pointer(core->batch_first), **end = &first;

    while (*end)
        end = &(*end)->next;
    *end = core->queue_first;
    core->queue_first = core->queue_last = NULL;
    return first;
}

static void forget_pending(struct core *core)
{
    core->waiting_count = core->waiting_size = 0;
    records_done(&core->pending);
}

/* Later writes were decided against the ones that failed, so all on their way fail together. */
static void fail(struct core *core, const struct err *err)
{
    struct write *first = take_all(core);

    forget_pending(core);
    core->health = *err;
    if (!core->retry_source && !core->closing)
        core->retry_source = loop_timer(core->loop, RETRY_MS, on_retry, core);
    acknowledge(first, err);
}

void core_batch_done(struct core *core, const struct err *err)
{
    assert(core->committing);
    core->committing = false;
    if (err)
        fail(core, err);
    else
        succeed(core, take_pointer(core->batch_first));
}

/* --- the end of a simulated process --- */

void core_crash(struct core *core, size_t kept_count)
{
    struct write *first = take_all(core);
    struct err err;

    err_set(&err, ERR_CANCELLED, "the store crashed");
    for (const struct write *write = first; write && kept_count > 0; write = write->next)
        if (write->record) {
            apply(core, write, loop_now_ms(core->loop));
            kept_count--;
        }
    forget_pending(core);
    core->closing = true; /* what the calls submit is refused */
    acknowledge(first, &err);
    acknowledge(take_all(core), &err);
    core->closing = core->committing = false;
    core->last_revision = core->revision;
    err_clear(&core->health);
}
