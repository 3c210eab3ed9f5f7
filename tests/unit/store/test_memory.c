/* tests/unit/store/test_memory.c - the contract, met by the engine in memory. */
#include "store/store.h"

static struct store *open_store(struct loop *loop) { return store_memory_new(loop); }
static void close_store(struct store *store) { store_free(store); }

static struct store *reopen_store(struct loop *loop, struct store *store) { return store; }
static const bool can_reopen = false;
static const uint64_t seed_count = 50;

#include "contract.h"
#include "contract_watches.h"
#include "property.h"

TEST(a_crash_keeps_some_of_the_writes_on_their_way_and_loses_the_others)
{
    struct loop *loop = loop_sim_new(11);
    struct store *store = store_memory_new(loop);
    struct answer answers[100], refused;
    struct diary diary = { 0 };
    int64_t start = store->ops->revision(store);
    char key[16];

    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "/%02d", i);
        start_put(store, key, "x", STORE_MUST_NOT_EXIST, &answers[i]);
    }
    start_put(store, "/00", "x", STORE_MUST_NOT_EXIST, &refused);
    CHECK(loop_sim_step(loop)); /* some are in a batch, some in the queue */
    store_memory_crash(store, 70);
    for (int i = 0; i < 100; i++)
        CHECK(answers[i].came && answers[i].code == ERR_CANCELLED);
    CHECK_EQ(refused.code, ERR_CANCELLED);
    CHECK_TEXT_AT(store, "/69", "x");
    CHECK_TEXT_AT(store, "/70", NULL);
    CHECK_EQ(store->ops->revision(store), start + 70);

    struct store_watch *watch = watch_from(store, "/", start, &diary);
    CHECK_EQ(put(loop, store, "/70", "y", STORE_MUST_NOT_EXIST).revision, start + 71);
    settle(loop);
    CHECK_EQ(diary.count, 71);
    store->ops->watch_free(watch);
    buf_done(&diary.text);
    store_free(store);
    loop_free(loop);
}

TEST(writes_submitted_by_the_calls_of_a_crash_are_lost_too)
{
    struct loop *loop = loop_sim_new(11);
    struct store *store = store_memory_new(loop);
    struct last_wish wish = { .store = store };

    store->ops->put(store, "/a", (struct store_value){ "x", 1, STORE_GAP_NONE }, STORE_ANY_REVISION,
                    wish_more, &wish);
    store_memory_crash(store, 0);
    CHECK_EQ(wish.answer.code, ERR_CANCELLED);
    CHECK_EQ(wish.after.code, ERR_CANCELLED);
    settle(loop);
    CHECK_LIST(store, "/", NULL, 0, "");
    store_free(store);
    loop_free(loop);
}
