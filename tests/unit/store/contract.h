/* tests/unit/store/contract.h - what store.h promises of writes and lists, for every engine.
 *
 * The including file defines before: open_store(struct loop *) and close_store(struct store *). */
#pragma once
#include "bench.h"

/* TEST_STORE(sentence) { ... 'loop', 'store' ... } */
#define TEST_STORE(sentence)                                                                       \
    static void sentence##_with(struct loop *loop, struct store *store);                           \
    TEST(sentence)                                                                                 \
    {                                                                                              \
        struct loop *loop = loop_sim_new(11);                                                      \
        struct store *store = open_store(loop);                                                    \
                                                                                                   \
        sentence##_with(loop, store);                                                              \
        close_store(store);                                                                        \
        loop_free(loop);                                                                           \
    }                                                                                              \
    static void sentence##_with(struct loop *loop, struct store *store)

/* --- writing and reading --- */

TEST_STORE(a_new_store_is_empty_and_at_a_revision_above_zero)
{
    CHECK(store->ops->revision(store) > 0);
    CHECK_TEXT_AT(store, "/a", NULL);
    CHECK_LIST(store, "/", NULL, 0, "");
    CHECK_EQ(store->ops->health(store, &(struct err){ 0 }), 0);
}

TEST_STORE(a_put_object_is_read_back_with_its_revision_in_the_gap)
{
    int64_t before = store->ops->revision(store);
    struct answer answer = put(loop, store, "/a", "{\"rv\":\"@\",\"x\":1}", STORE_MUST_NOT_EXIST);
    auto_free char *expected = str_printf("{\"rv\":\"%" PRId64 "\",\"x\":1}", answer.revision);

    CHECK_EQ(answer.code, ERR_NONE);
    CHECK_EQ(answer.revision, before + 1);
    CHECK_EQ(store->ops->revision(store), answer.revision);
    CHECK_STR(answer.bytes, expected);
    CHECK_TEXT_AT(store, "/a", expected);
}

TEST_STORE(the_gap_may_be_at_either_end_or_nowhere)
{
    struct answer first = put(loop, store, "/first", "@ x", STORE_ANY_REVISION);
    struct answer last = put(loop, store, "/last", "x @", STORE_ANY_REVISION);
    auto_free char *first_text = str_printf("%" PRId64 " x", first.revision);
    auto_free char *last_text = str_printf("x %" PRId64, last.revision);

    put(loop, store, "/none", "x", STORE_ANY_REVISION);
    put(loop, store, "/empty", "", STORE_ANY_REVISION);
    CHECK_TEXT_AT(store, "/first", first_text);
    CHECK_TEXT_AT(store, "/last", last_text);
    CHECK_TEXT_AT(store, "/none", "x");
    CHECK_TEXT_AT(store, "/empty", "");
}

TEST_STORE(nothing_is_seen_of_a_write_before_it_is_acknowledged)
{
    struct answer answer;
    int64_t before = store->ops->revision(store);

    start_put(store, "/a", "x", STORE_ANY_REVISION, &answer);
    CHECK_TEXT_AT(store, "/a", NULL);
    CHECK_EQ(store->ops->revision(store), before);
    wait_for(loop, &answer);
    CHECK_TEXT_AT(store, "/a", "x");
}

TEST_STORE(a_record_keeps_the_revision_of_its_creation)
{
    struct answer created = put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);
    struct answer changed = put(loop, store, "/a", "2", created.revision);
    struct record *record = store->ops->get(store, "/a");

    CHECK_EQ(record->created, created.revision);
    CHECK_EQ(record->revision, changed.revision);
    CHECK_STR(record->key, "/a");
    record_unref(record);
}

TEST_STORE(a_record_once_got_does_not_change)
{
    put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);
    struct record *record = store->ops->get(store, "/a");

    put(loop, store, "/a", "2", STORE_ANY_REVISION);
    take_out(loop, store, "/a", "3", STORE_ANY_REVISION);
    CHECK_STR(record->bytes, "1");
    record_unref(record);
}

/* --- compare and swap --- */

TEST_STORE(creating_what_exists_fails)
{
    put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);
    struct answer answer = put(loop, store, "/a", "2", STORE_MUST_NOT_EXIST);

    CHECK_EQ(answer.code, ERR_ALREADY_EXISTS);
    CHECK_CONTAINS(answer.text, "/a");
    CHECK_TEXT_AT(store, "/a", "1");
}

TEST_STORE(replacing_another_revision_fails_and_uses_no_revision)
{
    struct answer first = put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);
    struct answer second = put(loop, store, "/a", "2", first.revision);

    CHECK_EQ(put(loop, store, "/a", "3", first.revision).code, ERR_CONFLICT);
    CHECK_EQ(put(loop, store, "/a", "3", second.revision + 1).code, ERR_CONFLICT);
    CHECK_TEXT_AT(store, "/a", "2");
    CHECK_EQ(store->ops->revision(store), second.revision);
}

TEST_STORE(replacing_or_removing_what_is_not_there_fails)
{
    CHECK_EQ(put(loop, store, "/a", "1", 7).code, ERR_NOT_FOUND);
    CHECK_EQ(take_out(loop, store, "/a", "1", 7).code, ERR_NOT_FOUND);
    CHECK_EQ(take_out(loop, store, "/a", "1", STORE_ANY_REVISION).code, ERR_NOT_FOUND);
    CHECK_TEXT_AT(store, "/a", NULL);
}

TEST_STORE(any_revision_creates_and_replaces)
{
    CHECK_EQ(put(loop, store, "/a", "1", STORE_ANY_REVISION).code, ERR_NONE);
    CHECK_EQ(put(loop, store, "/a", "2", STORE_ANY_REVISION).code, ERR_NONE);
    CHECK_TEXT_AT(store, "/a", "2");
}

TEST_STORE(a_removed_object_is_gone_and_its_last_state_carries_a_new_revision)
{
    struct answer created = put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);
    struct answer removed = take_out(loop, store, "/a", "last @", created.revision);
    auto_free char *last = str_printf("last %" PRId64, created.revision + 1);

    CHECK_EQ(removed.code, ERR_NONE);
    CHECK_EQ(removed.revision, created.revision + 1);
    CHECK_STR(removed.bytes, last);
    CHECK_TEXT_AT(store, "/a", NULL);
    CHECK_LIST(store, "/", NULL, 0, "");
}

TEST_STORE(removing_another_revision_fails)
{
    struct answer created = put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);

    CHECK_EQ(take_out(loop, store, "/a", "x", created.revision + 1).code, ERR_CONFLICT);
    CHECK_TEXT_AT(store, "/a", "1");
}

TEST_STORE(an_object_made_anew_has_a_new_creation)
{
    put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);
    take_out(loop, store, "/a", "", STORE_ANY_REVISION);
    struct answer again = put(loop, store, "/a", "2", STORE_MUST_NOT_EXIST);
    struct record *record = store->ops->get(store, "/a");

    CHECK_EQ(again.code, ERR_NONE);
    CHECK_EQ(record->created, again.revision);
    record_unref(record);
}

TEST_STORE(writes_are_decided_against_those_that_wait)
{
    int64_t before = store->ops->revision(store);
    struct answer created, twice, swapped, stale, removed, gone, again;

    start_put(store, "/a", "1", STORE_MUST_NOT_EXIST, &created);
    start_put(store, "/a", "x", STORE_MUST_NOT_EXIST, &twice);
    start_put(store, "/a", "2", before + 1, &swapped);
    start_put(store, "/a", "x", before + 1, &stale);
    start_remove(store, "/a", "last", before + 2, &removed);
    start_put(store, "/a", "x", before + 2, &gone);
    start_put(store, "/a", "3", STORE_MUST_NOT_EXIST, &again);
    wait_for(loop, &again);
    CHECK_EQ(created.code, ERR_NONE);
    CHECK_EQ(twice.code, ERR_ALREADY_EXISTS);
    CHECK_EQ(swapped.code, ERR_NONE);
    CHECK_EQ(stale.code, ERR_CONFLICT);
    CHECK_EQ(removed.code, ERR_NONE);
    CHECK_EQ(gone.code, ERR_NOT_FOUND);
    CHECK_EQ(again.code, ERR_NONE);
    CHECK_EQ(again.revision, before + 4);
    CHECK_TEXT_AT(store, "/a", "3");
}

struct order {
    char text[64];
};
struct order_entry {
    struct order *order;
    char name;
};

static void note_order(void *arg, const struct err *err, const struct record *record)
{
    const struct order_entry *entry = arg;
    size_t length = strlen(entry->order->text);

    entry->order->text[length] = entry->name;
    entry->order->text[length + 1] = '\0';
}

TEST_STORE(acknowledgements_and_refusals_come_in_the_order_of_submission)
{
    struct order order = { "" };
    struct order_entry entries[] = {
        { &order, 'a' }, { &order, 'b' }, { &order, 'c' }, { &order, 'd' }, { &order, 'e' }
    };
    const int64_t expected[] = { STORE_MUST_NOT_EXIST, STORE_MUST_NOT_EXIST, STORE_ANY_REVISION,
                                 STORE_MUST_NOT_EXIST, STORE_ANY_REVISION };
    struct store_value value = { .bytes = "x", .size = 1, .gap = STORE_GAP_NONE };

    for (size_t i = 0; i < 5; i++)
        store->ops->put(store, "/a", value, expected[i], note_order, &entries[i]);
    settle(loop);
    CHECK_STR(order.text, "abcde");
}

TEST_STORE(too_large_a_value_or_too_long_a_key_is_refused)
{
    auto_free char *bytes = mem_zero(STORE_VALUE_SIZE_MAX + 1);
    auto_free char *key = mem_zero(STORE_KEY_LENGTH_MAX + 2);
    struct store_value value = { bytes, STORE_VALUE_SIZE_MAX + 1, STORE_GAP_NONE };
    struct answer answer = { 0 };

    store->ops->put(store, "/a", value, STORE_ANY_REVISION, answered, &answer);
    wait_for(loop, &answer);
    CHECK_EQ(answer.code, ERR_TOO_LARGE);
    memset(key, '/', STORE_KEY_LENGTH_MAX + 1);
    CHECK_EQ(put(loop, store, key, "x", STORE_ANY_REVISION).code, ERR_TOO_LARGE);
}

TEST_STORE(a_value_of_the_largest_size_is_stored)
{
    auto_free char *bytes = mem_alloc(STORE_VALUE_SIZE_MAX);
    struct store_value value = { bytes, STORE_VALUE_SIZE_MAX, STORE_GAP_NONE };
    struct answer answer = { 0 };

    memset(bytes, 'x', STORE_VALUE_SIZE_MAX);
    store->ops->put(store, "/a", value, STORE_ANY_REVISION, answered, &answer);
    wait_for(loop, &answer);
    CHECK_EQ(answer.code, ERR_NONE);
    struct record *record = store->ops->get(store, "/a");
    CHECK_EQ(record->size, STORE_VALUE_SIZE_MAX);
    CHECK_EQ(memcmp(record->bytes, bytes, record->size), 0);
    record_unref(record);
}

static void count_answer(void *arg, const struct err *err, const struct record *record)
{
    size_t *counts = arg;

    counts[err ? 1 : 0]++;
    if (err)
        CHECK_EQ(err->code, ERR_TOO_MANY);
}

TEST_STORE(writes_beyond_the_bound_of_those_that_wait_are_refused)
{
    struct store_value value = { "x", 1, STORE_GAP_NONE };
    size_t counts[2] = { 0, 0 };

    for (size_t i = 0; i < STORE_WAITING_COUNT_MAX + 3; i++)
        store->ops->put(store, "/a", value, STORE_ANY_REVISION, count_answer, counts);
    while (counts[0] + counts[1] < STORE_WAITING_COUNT_MAX + 3)
        CHECK(loop_sim_step(loop));
    CHECK_EQ(counts[0], STORE_WAITING_COUNT_MAX);
    CHECK_EQ(counts[1], 3);
    CHECK_EQ(put(loop, store, "/a", "again", STORE_ANY_REVISION).code, ERR_NONE);
}

/* --- lists --- */

static void put_names(struct loop *loop, struct store *store, const char *const *names)
{
    for (; *names; names++)
        CHECK_EQ(put(loop, store, *names, "x", STORE_MUST_NOT_EXIST).code, ERR_NONE);
}

TEST_STORE(a_list_is_in_key_order_and_holds_its_prefix_only)
{
    put_names(
        loop, store,
        (const char *const[]){ "/b/2", "/a/1", "/b/10", "/b", "/c/1", "/b/1", "/bb/1", NULL });
    CHECK_LIST(store, "/b/", NULL, 0, "/b/1:x /b/10:x /b/2:x");
    CHECK_LIST(store, "/b", NULL, 0, "/b:x /b/1:x /b/10:x /b/2:x /bb/1:x");
    CHECK_LIST(store, "", NULL, 0, "/a/1:x /b:x /b/1:x /b/10:x /b/2:x /bb/1:x /c/1:x");
    CHECK_LIST(store, "/d", NULL, 0, "");
}

TEST_STORE(pages_of_a_list_join_without_gap_or_overlap)
{
    size_t remaining = 99;

    put_names(loop, store,
              (const char *const[]){ "/a", "/l/1", "/l/2", "/l/3", "/l/4", "/l/5", "/m", NULL });
    auto_free char *first = list_text(store, "/l/", NULL, 2, &remaining);
    CHECK_STR(first, "/l/1:x /l/2:x");
    CHECK_EQ(remaining, 3);
    auto_free char *second = list_text(store, "/l/", "/l/2", 2, &remaining);
    CHECK_STR(second, "/l/3:x /l/4:x");
    CHECK_EQ(remaining, 1);
    auto_free char *third = list_text(store, "/l/", "/l/4", 2, &remaining);
    CHECK_STR(third, "/l/5:x");
    CHECK_EQ(remaining, 0);
}

TEST_STORE(a_page_may_begin_behind_a_key_that_is_gone_or_lies_elsewhere)
{
    put_names(loop, store, (const char *const[]){ "/l/1", "/l/3", NULL });
    CHECK_LIST(store, "/l/", "/l/2", 0, "/l/3:x");
    CHECK_LIST(store, "/l/", "/a", 0, "/l/1:x /l/3:x");
    CHECK_LIST(store, "/l/", "/l/3", 0, "");
    CHECK_LIST(store, "/l/", "/z", 0, "");
}

/* --- the record hook --- */

struct indexed {
    size_t made, freed;
};
static struct indexed indexed;

static void *make_extra(void *arg, const struct record *record)
{
    struct indexed *counts = arg;

    counts->made++;
    return str_printf("of %s", record->bytes);
}

static void free_made(void *extra)
{
    indexed.freed++;
    free(extra);
}

static void check_extra(void *arg, const struct store_event *event)
{
    auto_free char *expected = str_printf("of %s", event->record->bytes);

    CHECK_STR(event->record->extra, expected);
}

TEST(the_hook_is_called_once_for_each_record_and_its_extra_goes_with_it)
{
    struct loop *loop = loop_sim_new(11);
    struct store *store = open_store(loop);
    struct err err;

    indexed = (struct indexed){ 0 };
    store_set_index(store, (struct store_index){ make_extra, free_made, &indexed });
    struct store_watch *watch = store->ops->watch(store, "/", -1, check_extra, NULL, &err);
    put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);
    put(loop, store, "/a", "2", STORE_ANY_REVISION);
    put(loop, store, "/b", "3", STORE_ANY_REVISION);
    take_out(loop, store, "/a", "4", STORE_ANY_REVISION);
    settle(loop);
    CHECK_EQ(indexed.made, 4);

    struct record *kept = store->ops->get(store, "/b");
    CHECK_STR(kept->extra, "of 3");
    store->ops->watch_free(watch);
    close_store(store);
    CHECK_EQ(indexed.freed, 3);
    CHECK_STR(kept->extra, "of 3");
    record_unref(kept);
    CHECK_EQ(indexed.freed, 4);
    loop_free(loop);
}

/* --- the end --- */

struct last_wish {
    struct store *store;
    struct answer answer;
    struct answer after;
};

static void wish_more(void *arg, const struct err *err, const struct record *record)
{
    struct last_wish *wish = arg;

    answered(&wish->answer, err, record);
    start_put(wish->store, "/late", "x", STORE_ANY_REVISION, &wish->after);
}

TEST(freeing_finishes_what_is_queued_and_refuses_what_comes_then)
{
    struct loop *loop = loop_sim_new(11);
    struct store *store = open_store(loop);
    struct answer answers[200];
    struct last_wish wish = { .store = store };
    char key[16];

    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "/%03d", i);
        start_put(store, key, "x", STORE_MUST_NOT_EXIST, &answers[i]);
    }
    store->ops->put(store, "/last", (struct store_value){ "x", 1, STORE_GAP_NONE },
                    STORE_ANY_REVISION, wish_more, &wish);
    close_store(store);
    for (int i = 0; i < 200; i++)
        CHECK(answers[i].came && answers[i].code == ERR_NONE);
    CHECK(wish.answer.came && wish.answer.code == ERR_NONE);
    CHECK(wish.after.came && wish.after.code == ERR_CANCELLED);
    loop_free(loop);
}
