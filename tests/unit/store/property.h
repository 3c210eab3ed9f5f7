/* tests/unit/store/property.h - random writes, watches, compactions, failing commits and
 * restarts, held against a naive model of store.h.
 *
 * The including file defines before: open_store(), close_store() as for contract.h, and
 * reopen_store(struct loop *, struct store *) if 'can_reopen', and 'seed_count'. */
#pragma once
#include "base/fault.h"
#include "base/random.h"
#include "bench.h"

enum {
    MODEL_KEYS = 14,
    MODEL_EVENTS_MAX = 4096,
    MODEL_WRITES_MAX = 4096,
    MODEL_WATCHES = 5,
    MODEL_TEXT_MAX = 48,
};

static const char *const model_keys[MODEL_KEYS] = { "/a",    "/a/1", "/a/10", "/a/2",     "/aa",
                                                    "/b",    "/b//", "/b/x",  "/b/xx",    "/b/y/z",
                                                    "/b/yy", "/c",   "/c/1",  "/\xc3\xa4" };
static const char *const model_prefixes[] = { "", "/", "/a", "/a/", "/b/", "/b/y", "/c", "/none" };

struct model_object {
    bool exists;
    int64_t revision, created;
    char text[MODEL_TEXT_MAX];
};

struct model_event {
    const char *key;
    enum store_event_type type;
    int64_t revision;
    char text[MODEL_TEXT_MAX], previous[MODEL_TEXT_MAX];
};

struct model;

struct model_write {
    struct model *model;
    size_t key;
    bool deletes, came;
    enum err_code predicted;
    struct model_object before, after; /* as predicted */
};

struct model_watch {
    struct model *model;
    struct store_watch *watch;
    const char *prefix;
    size_t next; /* in events */
};

struct model {
    uint64_t seed;
    struct random_seeded random;
    struct loop *loop;
    struct store *store;
    struct model_object committed[MODEL_KEYS], latest[MODEL_KEYS];
    int64_t revision, last_revision;
    struct model_event events[MODEL_EVENTS_MAX];
    size_t event_count;
    struct model_write writes[MODEL_WRITES_MAX];
    size_t write_count, came_count;
    struct model_watch watches[MODEL_WATCHES];
    size_t failures;
};

#define MODEL_CHECK(model, condition)                                                              \
    do {                                                                                           \
        if (!(condition))                                                                          \
            check_fail(CHECK_HERE, "seed %" PRIu64 ": not true: %s", (model)->seed, #condition);   \
    } while (0)

static size_t model_pick(struct model *model, size_t limit)
{
    return (size_t)random_below(&model->random, limit);
}

/* --- writes --- */

static enum err_code model_predict(const struct model_object *latest, int64_t expected,
                                   bool deletes)
{
    if (!latest->exists)
        return expected > 0 || deletes ? ERR_NOT_FOUND : ERR_NONE;
    if (!deletes && expected == STORE_MUST_NOT_EXIST)
        return ERR_ALREADY_EXISTS;
    return expected == STORE_ANY_REVISION || expected == latest->revision ? ERR_NONE : ERR_CONFLICT;
}

static void model_log(struct model *model, const struct model_write *write)
{
    struct model_event *event = &model->events[model->event_count++];

    *event = (struct model_event){ .key = model_keys[write->key],
                                   .type = STORE_MODIFIED,
                                   .revision = write->after.revision };
    if (write->deletes)
        event->type = STORE_DELETED;
    else if (!write->before.exists)
        event->type = STORE_ADDED;
    memcpy(event->text, write->after.text, MODEL_TEXT_MAX);
    memcpy(event->previous, write->before.text, MODEL_TEXT_MAX);
}

static void model_answered(void *arg, const struct err *err, const struct record *record)
{
    struct model_write *write = arg;
    struct model *model = write->model;

    MODEL_CHECK(model, write == &model->writes[model->came_count]); /* in order, once */
    model->came_count++;
    write->came = true;
    if (err && err->code == ERR_IO) {
        model->failures++;
        return;
    }
    MODEL_CHECK(model, (err ? err->code : ERR_NONE) == write->predicted);
    if (err)
        return;
    MODEL_CHECK(model, record->revision == write->after.revision);
    MODEL_CHECK(model, record->created == write->after.created);
    MODEL_CHECK(model, strcmp(record->bytes, write->after.text) == 0);
    model->committed[write->key] = write->after;
    model->revision = write->after.revision;
    model_log(model, write);
}

static void model_write_one(struct model *model)
{
    struct model_write *write = &model->writes[model->write_count++];
    struct model_object *latest;
    char sent[MODEL_TEXT_MAX];
    auto_free char *bytes = NULL;

    write->model = model;
    write->key = model_pick(model, MODEL_KEYS);
    write->deletes = model_pick(model, 4) == 0;
    latest = &model->latest[write->key];

    const int64_t choices[] = { STORE_ANY_REVISION, STORE_MUST_NOT_EXIST, latest->revision,
                                latest->revision, latest->revision + 1 };
    int64_t expected = choices[model_pick(model, 5)];

    write->predicted = model_predict(latest, expected, write->deletes);
    snprintf(sent, sizeof sent, "%zu:@", model->write_count);
    if (write->predicted == ERR_NONE) {
        int64_t revision = ++model->last_revision;

        write->before = *latest;
        write->after = (struct model_object){ !write->deletes, revision,
                                              latest->exists ? latest->created : revision, "" };
        snprintf(write->after.text, MODEL_TEXT_MAX, "%zu:%" PRId64, model->write_count, revision);
        *latest = write->after;
        if (write->deletes)
            *latest = (struct model_object){ 0 };
    }

    const char *key = model_keys[write->key];
    struct store_value value = value_of(sent, &bytes);
    if (write->deletes)
        model->store->ops->remove(model->store, key, value, expected, model_answered, write);
    else
        model->store->ops->put(model->store, key, value, expected, model_answered, write);
}

/* After a failed commit nothing is on its way, and what was predicted for it did not happen. */
static void model_roll_back(struct model *model)
{
    MODEL_CHECK(model, model->came_count == model->write_count);
    memcpy(model->latest, model->committed, sizeof model->latest);
    for (size_t i = 0; i < MODEL_KEYS; i++)
        if (!model->latest[i].exists)
            model->latest[i] = (struct model_object){ 0 };
    model->failures = 0;
}

/* --- reads --- */

static bool model_starts(const char *key, const char *prefix)
{
    return strncmp(key, prefix, strlen(prefix)) == 0;
}

static void model_check_list(struct model *model)
{
    const char *prefix = model_prefixes[model_pick(model, 8)];
    const char *after = model_pick(model, 2) ? model_keys[model_pick(model, MODEL_KEYS)] : NULL;
    size_t limit = model_pick(model, 4), count, remaining, matched = 0;
    struct record **records =
        model->store->ops->list(model->store, prefix, after, limit, &count, &remaining);

    for (size_t i = 0; i < MODEL_KEYS; i++) {
        const struct model_object *object = &model->committed[i];

        if (!object->exists || !model_starts(model_keys[i], prefix) ||
            (after && strcmp(model_keys[i], after) <= 0))
            continue;
        if (matched < count) {
            MODEL_CHECK(model, strcmp(records[matched]->key, model_keys[i]) == 0);
            MODEL_CHECK(model, strcmp(records[matched]->bytes, object->text) == 0);
            MODEL_CHECK(model, records[matched]->revision == object->revision);
            MODEL_CHECK(model, records[matched]->created == object->created);
        }
        matched++;
    }
    MODEL_CHECK(model, count == (limit && limit < matched ? limit : matched));
    MODEL_CHECK(model, remaining == matched - count);
    record_list_free(records, count);
}

static void model_check_get(struct model *model)
{
    size_t key = model_pick(model, MODEL_KEYS);
    struct record *record = model->store->ops->get(model->store, model_keys[key]);

    MODEL_CHECK(model, (record != NULL) == model->committed[key].exists);
    if (record)
        MODEL_CHECK(model, record->revision == model->committed[key].revision);
    record_unref(record);
}

static void model_check_state(struct model *model)
{
    MODEL_CHECK(model, model->store->ops->revision(model->store) == model->revision);
    MODEL_CHECK(model, model->store->ops->compacted(model->store) <= model->revision);
    model_check_get(model);
    model_check_list(model);
}

/* --- watches --- */

static void model_skip(struct model_watch *watch)
{
    const struct model *model = watch->model;

    while (watch->next < model->event_count &&
           !model_starts(model->events[watch->next].key, watch->prefix))
        watch->next++;
}

static void model_event_came(void *arg, const struct store_event *event)
{
    struct model_watch *watch = arg;
    struct model *model = watch->model;

    model_skip(watch);
    MODEL_CHECK(model, watch->next < model->event_count);

    const struct model_event *expected = &model->events[watch->next++];
    MODEL_CHECK(model, event->record->revision == expected->revision);
    MODEL_CHECK(model, event->type == expected->type);
    MODEL_CHECK(model, strcmp(event->record->key, expected->key) == 0);
    MODEL_CHECK(model, strcmp(event->record->bytes, expected->text) == 0);
    MODEL_CHECK(model,
                strcmp(event->previous ? event->previous->bytes : "", expected->previous) == 0);
    if (model_pick(model, 50) == 0)
        model->store->ops->watch_free(take_pointer(watch->watch));
}

static size_t model_event_after(const struct model *model, int64_t revision)
{
    size_t at = 0;

    while (at < model->event_count && model->events[at].revision <= revision)
        at++;
    return at;
}

static void model_toggle_watch(struct model *model)
{
    struct model_watch *watch = &model->watches[model_pick(model, MODEL_WATCHES)];
    struct store *store = model->store;
    int64_t compacted = store->ops->compacted(store);
    int64_t from = (int64_t)model_pick(model, (size_t)model->revision + 2);
    struct err err;

    if (watch->watch) {
        store->ops->watch_free(take_pointer(watch->watch));
        return;
    }
    watch->model = model;
    watch->prefix = model_prefixes[model_pick(model, 8)];
    watch->next = model_event_after(model, from);
    watch->watch = store->ops->watch(store, watch->prefix, from, model_event_came, watch, &err);
    MODEL_CHECK(model, (watch->watch != NULL) == (from >= compacted && from <= model->revision));
    if (!watch->watch)
        MODEL_CHECK(model, err.code == (from < compacted ? ERR_COMPACTED : ERR_TIMEOUT));
}

static void model_free_watches(struct model *model)
{
    for (size_t i = 0; i < MODEL_WATCHES; i++)
        model->store->ops->watch_free(take_pointer(model->watches[i].watch));
}

static void model_check_watches_served(struct model *model)
{
    for (size_t i = 0; i < MODEL_WATCHES; i++) {
        if (!model->watches[i].watch)
            continue;
        model_skip(&model->watches[i]);
        MODEL_CHECK(model, model->watches[i].next == model->event_count);
    }
}

/* --- a run --- */

static void model_compact(struct model *model)
{
    int64_t before = model->store->ops->compacted(model->store);
    int64_t revision = (int64_t)model_pick(model, (size_t)model->revision + 2);

    model->store->ops->compact(model->store, revision);

    int64_t after = model->store->ops->compacted(model->store);
    MODEL_CHECK(model, after >= before && after <= model->revision);
}

static void model_reopen(struct model *model)
{
    model_free_watches(model);
    model->store = reopen_store(model->loop, model->store);
    MODEL_CHECK(model, model->came_count == model->write_count);
    model->last_revision = model->revision = model->store->ops->revision(model->store);
    if (model->event_count > 0)
        MODEL_CHECK(model, model->revision == model->events[model->event_count - 1].revision);
}

static void model_settle(struct model *model)
{
    loop_sim_advance(model->loop, 3000);
    if (model->failures > 0)
        model_roll_back(model);
    MODEL_CHECK(model, model->came_count == model->write_count);
    MODEL_CHECK(model, model->store->ops->health(model->store, &(struct err){ 0 }) == 0);
    model_check_watches_served(model);
    model_check_state(model);
}

static void model_step(struct model *model)
{
    size_t dice = model_pick(model, 100);

    if (dice < 45)
        model_write_one(model);
    else if (dice < 85)
        loop_sim_step(model->loop);
    else if (dice < 92)
        model_toggle_watch(model);
    else if (dice < 94)
        model_compact(model);
    else if (dice < 96)
        fault_fail_nth(1 + (unsigned)model_pick(model, 3));
    else if (dice < 97)
        model_settle(model);
    else if (dice < 98 && can_reopen)
        model_reopen(model);
    if (model->failures > 0)
        model_roll_back(model);
    model_check_state(model);
}

static void model_run(uint64_t seed)
{
    enum { STEPS = 1500 };
    struct model *model = mem_new(struct model);

    model->seed = seed;
    model->random.state = seed;
    model->loop = loop_sim_new(seed);
    model->store = open_store(model->loop);
    model->revision = model->last_revision = model->store->ops->revision(model->store);
    for (size_t i = 0; i < STEPS; i++)
        model_step(model);
    fault_fail_nth(0);
    model_settle(model);
    model_free_watches(model);
    close_store(model->store);
    loop_free(model->loop);
    free(model);
}

/* VIRGA_SEEDS: how many runs; VIRGA_SEED: the first of them. */
static uint64_t model_setting(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 10) : fallback;
}

TEST(whatever_happens_the_store_agrees_with_a_naive_model)
{
    uint64_t first = model_setting("VIRGA_SEED", 1);
    uint64_t count = model_setting("VIRGA_SEEDS", seed_count);

    for (uint64_t seed = first; seed < first + count; seed++)
        model_run(seed);
}
