/* tests/unit/store/bench.h - a store on a simulated loop, and the calls of store.h
 * as calls that wait for their end. */
#pragma once
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "store/store.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a write ended. */
struct answer {
    bool came;
    enum err_code code;
    char text[ERR_TEXT_MAX];
    int64_t revision;
    char bytes[256]; /* of the record, cut */
};

static inline void answered(void *arg, const struct err *err, const struct record *record)
{
    struct answer *answer = arg;

    CHECK(!answer->came);
    answer->came = true;
    answer->code = err ? err->code : ERR_NONE;
    snprintf(answer->text, sizeof answer->text, "%s", err ? err->text : "");
    CHECK((err == NULL) == (record != NULL));
    if (record) {
        answer->revision = record->revision;
        snprintf(answer->bytes, sizeof answer->bytes, "%s", record->bytes);
    }
}

/* '@' marks the gap, at most one. The bytes are owned by the caller. */
static inline struct store_value value_of(const char *text, char **ret_bytes)
{
    const char *gap = strchr(text, '@');
    size_t before = gap ? (size_t)(gap - text) : strlen(text);

    *ret_bytes = gap ? str_printf("%.*s%s", (int)before, text, gap + 1) : str_dup(text);
    return (struct store_value){ .bytes = *ret_bytes,
                                 .size = strlen(*ret_bytes),
                                 .gap = gap ? gap - text : STORE_GAP_NONE };
}

static inline void start_put(struct store *store, const char *key, const char *text,
                             int64_t expected, struct answer *answer)
{
    auto_free char *bytes = NULL;

    *answer = (struct answer){ 0 };
    store->ops->put(store, key, value_of(text, &bytes), expected, answered, answer);
    CHECK(!answer->came);
}

static inline void start_remove(struct store *store, const char *key, const char *text,
                                int64_t expected, struct answer *answer)
{
    auto_free char *bytes = NULL;

    *answer = (struct answer){ 0 };
    store->ops->remove(store, key, value_of(text, &bytes), expected, answered, answer);
    CHECK(!answer->came);
}

static inline void wait_for(struct loop *loop, const struct answer *answer)
{
    while (!answer->came)
        CHECK(loop_sim_step(loop));
}

static inline struct answer put(struct loop *loop, struct store *store, const char *key,
                                const char *text, int64_t expected)
{
    struct answer answer;

    start_put(store, key, text, expected, &answer);
    wait_for(loop, &answer);
    return answer;
}

static inline struct answer take_out(struct loop *loop, struct store *store, const char *key,
                                     const char *text, int64_t expected)
{
    struct answer answer;

    start_remove(store, key, text, expected, &answer);
    wait_for(loop, &answer);
    return answer;
}

/* Lets all that is under way end, without going far in time. */
static inline void settle(struct loop *loop) { loop_sim_advance(loop, 500); }

static inline char *text_at(struct store *store, const char *key)
{
    struct record *record = store->ops->get(store, key);
    char *text = record ? str_dup(record->bytes) : NULL;

    if (record)
        CHECK_EQ(strlen(record->bytes), record->size);
    record_unref(record);
    return text;
}

#define CHECK_TEXT_AT(store, key, expected)                                                        \
    do {                                                                                           \
        auto_free char *text_at_ = text_at((store), (key));                                        \
        CHECK_STR(text_at_, (expected));                                                           \
    } while (0)

/* "/a:first /b:second" */
static inline char *list_text(struct store *store, const char *prefix, const char *after,
                              size_t limit, size_t *ret_remaining)
{
    struct buf text = { 0 };
    size_t count;
    struct record **records = store->ops->list(store, prefix, after, limit, &count, ret_remaining);

    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%s%s:%s", i ? " " : "", records[i]->key, records[i]->bytes);
    record_list_free(records, count);
    return buf_take(&text);
}

#define CHECK_LIST(store, prefix, after, limit, expected)                                          \
    do {                                                                                           \
        auto_free char *list_text_ = list_text((store), (prefix), (after), (limit), NULL);         \
        CHECK_STR(list_text_, (expected));                                                         \
    } while (0)

/* Writes down events: "+/a:first ~/a:second(first) -/a:last(second)". */
struct diary {
    struct buf text;
    size_t count;
    int64_t revision; /* of the last event */
};

static inline void write_down(void *arg, const struct store_event *event)
{
    struct diary *diary = arg;

    CHECK(event->record->revision > diary->revision);
    CHECK_EQ(event->type == STORE_ADDED, event->previous == NULL);
    diary->revision = event->record->revision;
    diary->count++;
    buf_printf(&diary->text, "%s%c%s:%s", diary->text.size ? " " : "", "+~-"[event->type],
               event -> record -> key, event -> record -> bytes);
    if (event->previous)
        buf_printf(&diary->text, "(%s)", event->previous->bytes);
}

#define CHECK_DIARY(diary, expected)                                                               \
    CHECK_STR((diary).text.size ? (diary).text.bytes : "", (expected))

static inline struct store_watch *watch_from(struct store *store, const char *prefix, int64_t from,
                                             struct diary *diary)
{
    struct err err = { 0 };
    struct store_watch *watch = store->ops->watch(store, prefix, from, write_down, diary, &err);

    if (!watch)
        CHECK_STR(err.text, "");
    return watch;
}

static inline enum err_code watch_error(struct store *store, int64_t from)
{
    struct err err = { 0 };
    struct diary diary = { 0 };
    struct store_watch *watch = store->ops->watch(store, "/", from, write_down, &diary, &err);

    store->ops->watch_free(watch);
    return watch ? ERR_NONE : err.code;
}
