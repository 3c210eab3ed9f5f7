/* tests/unit/store/contract_watches.h - what store.h promises of watches and compaction, for every
 * engine. The including file includes contract.h before. */
#pragma once
#include "contract.h"

/* --- watches --- */

TEST_STORE(a_watch_sees_each_change_once_with_what_was_before)
{
    struct diary diary = { 0 };
    struct store_watch *watch = watch_from(store, "/", -1, &diary);

    put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);
    put(loop, store, "/a", "2", STORE_ANY_REVISION);
    take_out(loop, store, "/a", "last", STORE_ANY_REVISION);
    put(loop, store, "/a", "3", STORE_MUST_NOT_EXIST);
    settle(loop);
    CHECK_DIARY(diary, "+/a:1 ~/a:2(1) -/a:last(2) +/a:3");
    store->ops->watch_free(watch);
    buf_done(&diary.text);
}

TEST_STORE(a_watch_sees_its_prefix_only)
{
    struct diary diary = { 0 };
    struct store_watch *watch = watch_from(store, "/b/", -1, &diary);

    put_names(loop, store, (const char *const[]){ "/a/1", "/b/1", "/bb/1", "/b", "/b/2", NULL });
    settle(loop);
    CHECK_DIARY(diary, "+/b/1:x +/b/2:x");
    store->ops->watch_free(watch);
    buf_done(&diary.text);
}

TEST_STORE(a_watch_from_now_sees_nothing_of_the_past)
{
    struct diary diary = { 0 };

    put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);
    struct store_watch *watch = watch_from(store, "/", -1, &diary);
    settle(loop);
    CHECK_DIARY(diary, "");
    store->ops->watch_free(watch);
}

TEST_STORE(a_watch_resumes_behind_its_revision)
{
    struct diary all = { 0 }, some = { 0 }, none = { 0 };
    int64_t start = store->ops->revision(store);
    struct answer first = put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);
    struct answer second = put(loop, store, "/b", "2", STORE_MUST_NOT_EXIST);
    struct store_watch *watches[] = { watch_from(store, "/", start, &all),
                                      watch_from(store, "/", first.revision, &some),
                                      watch_from(store, "/", second.revision, &none) };

    CHECK_EQ(all.count, 0); /* the first call comes later, from the loop */
    put(loop, store, "/c", "3", STORE_MUST_NOT_EXIST);
    settle(loop);
    CHECK_DIARY(all, "+/a:1 +/b:2 +/c:3");
    CHECK_DIARY(some, "+/b:2 +/c:3");
    CHECK_DIARY(none, "+/c:3");
    for (size_t i = 0; i < 3; i++)
        store->ops->watch_free(watches[i]);
    buf_done(&all.text);
    buf_done(&some.text);
    buf_done(&none.text);
}

TEST_STORE(a_watch_from_the_future_is_refused)
{
    struct answer answer = put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);

    CHECK_EQ(watch_error(store, answer.revision), ERR_NONE);
    CHECK_EQ(watch_error(store, answer.revision + 1), ERR_TIMEOUT);
}

TEST_STORE(an_acknowledgement_comes_before_the_event)
{
    struct diary diary = { 0 };
    struct store_watch *watch = watch_from(store, "/", -1, &diary);
    struct answer answer;

    start_put(store, "/a", "1", STORE_ANY_REVISION, &answer);
    wait_for(loop, &answer);
    CHECK_EQ(diary.count, 0);
    settle(loop);
    CHECK_EQ(diary.count, 1);
    store->ops->watch_free(watch);
    buf_done(&diary.text);
}

TEST_STORE(a_freed_watch_hears_nothing_more)
{
    struct diary diary = { 0 };
    struct store_watch *watch = watch_from(store, "/", -1, &diary);
    struct answer answer = put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);

    CHECK_EQ(answer.code, ERR_NONE);
    store->ops->watch_free(watch); /* its event is on the way */
    settle(loop);
    CHECK_EQ(diary.count, 0);
}

/* Frees both watches at its first event. */
struct pair {
    struct store *store;
    struct store_watch *first, *second;
    size_t calls;
};

static void free_both(void *arg, const struct store_event *event)
{
    struct pair *pair = arg;

    pair->calls++;
    pair->store->ops->watch_free(take_pointer(pair->first));
    pair->store->ops->watch_free(take_pointer(pair->second));
}

TEST_STORE(a_watch_may_free_itself_and_another_one_in_its_callback)
{
    struct pair pair = { .store = store };
    struct err err;

    pair.first = store->ops->watch(store, "/", -1, free_both, &pair, &err);
    pair.second = store->ops->watch(store, "/", -1, free_both, &pair, &err);
    put_names(loop, store, (const char *const[]){ "/a", "/b", NULL });
    settle(loop);
    CHECK_EQ(pair.calls, 1);
}

struct follower {
    struct store *store;
    struct store_watch *watch;
    struct diary diary;
};

static void follow(void *arg, const struct store_event *event)
{
    struct follower *follower = arg;

    if (!follower->watch)
        follower->watch =
            watch_from(follower->store, "/", event->record->revision - 1, &follower->diary);
    CHECK_EQ(follower->diary.count, 0);
}

TEST_STORE(a_watch_may_be_started_in_the_callback_of_another)
{
    struct follower follower = { .store = store };
    struct err err;
    struct store_watch *watch = store->ops->watch(store, "/a", -1, follow, &follower, &err);

    put_names(loop, store, (const char *const[]){ "/a", "/b", NULL });
    settle(loop);
    CHECK_DIARY(follower.diary, "+/a:x +/b:x");
    store->ops->watch_free(watch);
    store->ops->watch_free(follower.watch);
    buf_done(&follower.diary.text);
}

/* A watch that at its first event starts another one like itself, from the start. */
struct chain {
    struct store *store;
    struct store_watch *watches[10];
    size_t count;
};

static void lengthen(void *arg, const struct store_event *event)
{
    struct chain *chain = arg;
    struct err err;

    if (chain->count < 10)
        chain->watches[chain->count++] = chain->store->ops->watch(
            chain->store, "/", event->record->revision - 1, lengthen, chain, &err);
}

TEST_STORE(watches_started_in_a_callback_wait_for_the_next_turn)
{
    struct chain chain = { .store = store };
    int64_t start = store->ops->revision(store);
    size_t turns = 0;
    struct err err;

    put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);
    chain.watches[chain.count++] = store->ops->watch(store, "/", start, lengthen, &chain, &err);
    for (; chain.count < 10; turns++)
        CHECK(loop_sim_step(loop));
    CHECK(turns >= 9);
    for (size_t i = 0; i < 10; i++)
        store->ops->watch_free(chain.watches[i]);
}

struct writer {
    struct store *store;
    struct answer answers[3];
    size_t count;
};

static void write_more(void *arg, const struct store_event *event)
{
    struct writer *writer = arg;

    if (writer->count < 3)
        start_put(writer->store, "/a", "more", event->record->revision,
                  &writer->answers[writer->count++]);
}

TEST_STORE(a_watch_may_write_in_its_callback)
{
    struct writer writer = { .store = store };
    struct err err;
    struct store_watch *watch = store->ops->watch(store, "/", -1, write_more, &writer, &err);

    put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);
    settle(loop);
    CHECK_EQ(writer.count, 3);
    for (size_t i = 0; i < 3; i++)
        CHECK_EQ(writer.answers[i].code, ERR_NONE);
    store->ops->watch_free(watch);
}

/* --- compaction --- */

TEST_STORE(a_watch_from_before_a_compaction_is_refused)
{
    int64_t start = store->ops->revision(store);
    struct answer first = put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);
    struct answer second = put(loop, store, "/a", "2", STORE_ANY_REVISION);
    struct diary diary = { 0 };

    CHECK(store->ops->compacted(store) <= start);
    store->ops->compact(store, first.revision);
    CHECK_EQ(store->ops->compacted(store), first.revision);
    CHECK_EQ(watch_error(store, start), ERR_COMPACTED);

    struct store_watch *watch = watch_from(store, "/", first.revision, &diary);
    settle(loop);
    CHECK_DIARY(diary, "~/a:2(1)");
    store->ops->watch_free(watch);
    buf_done(&diary.text);

    store->ops->compact(store, second.revision + 100);
    CHECK_EQ(store->ops->compacted(store), second.revision);
    CHECK_EQ(watch_error(store, first.revision), ERR_COMPACTED);
    CHECK_EQ(watch_error(store, second.revision), ERR_NONE);
    CHECK_TEXT_AT(store, "/a", "2");
    settle(loop);
    CHECK_TEXT_AT(store, "/a", "2");
}

TEST_STORE(a_compaction_leaves_a_watch_what_it_has_not_got_yet)
{
    struct diary diary = { 0 };
    int64_t start = store->ops->revision(store);

    put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);
    put(loop, store, "/a", "2", STORE_ANY_REVISION);
    struct store_watch *watch = watch_from(store, "/", start, &diary);
    store->ops->compact(store, store->ops->revision(store));
    settle(loop);
    CHECK_DIARY(diary, "+/a:1 ~/a:2(1)");
    CHECK_EQ(store->ops->compacted(store), store->ops->revision(store));
    store->ops->watch_free(watch);
    buf_done(&diary.text);
}

TEST_STORE(a_later_compaction_does_not_take_an_earlier_one_back)
{
    struct diary diary = { 0 };
    int64_t start = store->ops->revision(store);
    struct answer first = put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);
    struct answer second = put(loop, store, "/a", "2", STORE_ANY_REVISION);
    struct store_watch *watch = watch_from(store, "/", start, &diary);

    store->ops->compact(store, second.revision);
    store->ops->compact(store, first.revision);
    settle(loop);
    CHECK_EQ(store->ops->compacted(store), second.revision);
    store->ops->watch_free(watch);
    buf_done(&diary.text);
}

static void compact_and_look(void *arg, const struct store_event *event)
{
    struct store *store = arg;

    store->ops->compact(store, event->record->revision);
    CHECK_STR(event->record->bytes, event->previous ? "2" : "1");
    if (event->previous)
        CHECK_STR(event->previous->bytes, "1");
}

TEST_STORE(an_event_lasts_through_its_callback_whatever_that_does)
{
    struct err err;
    struct store_watch *watch = store->ops->watch(store, "/", -1, compact_and_look, store, &err);

    put(loop, store, "/a", "1", STORE_MUST_NOT_EXIST);
    settle(loop);
    put(loop, store, "/a", "2", STORE_ANY_REVISION);
    settle(loop);
    CHECK_EQ(store->ops->compacted(store), store->ops->revision(store));
    store->ops->watch_free(watch);
}

TEST_STORE(a_watch_gets_a_long_past_in_order)
{
    enum { COUNT = 2000 };
    struct answer answers[2];
    struct diary diary = { 0 };
    int64_t start = store->ops->revision(store);

    for (size_t i = 0; i < COUNT - 1; i++)
        store->ops->put(store, "/a", (struct store_value){ "x", 1, STORE_GAP_NONE },
                        STORE_ANY_REVISION, NULL, NULL);
    start_put(store, "/a", "x", STORE_ANY_REVISION, &answers[0]);
    wait_for(loop, &answers[0]);
    struct store_watch *watch = watch_from(store, "/", start, &diary);
    start_put(store, "/a", "x", STORE_ANY_REVISION, &answers[1]);
    settle(loop);
    CHECK_EQ(diary.count, COUNT + 1);
    CHECK_EQ(diary.revision, start + COUNT + 1);
    store->ops->watch_free(watch);
    buf_done(&diary.text);
}
