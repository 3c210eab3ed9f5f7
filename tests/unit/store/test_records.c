/* tests/unit/store/test_records.c - the tree stays in order, counted and balanced. */
#include "base/random.h"
#include "bench.h"
#include "store/record.h"
#include "store/records.h"

static struct record *record_of(unsigned number)
{
    char key[16];

    snprintf(key, sizeof key, "/%06u", number);
    return record_new(&(struct record_fields){
        .key = key,
        .revision = 1,
        .created = 1,
        .value = { .bytes = "x", .size = 1, .gap = STORE_GAP_NONE },
    });
}

static void add(struct records *records, unsigned number)
{
    record_unref(records_put(records, record_of(number)));
}

static bool remove_one(struct records *records, unsigned number)
{
    char key[16];

    snprintf(key, sizeof key, "/%06u", number);
    struct record *record = records_remove(records, key);
    record_unref(record);
    return record != NULL;
}

TEST(keys_added_in_order_make_a_balanced_tree)
{
    struct records up = { 0 }, down = { 0 };

    for (unsigned i = 0; i < 100000; i++) {
        add(&up, i);
        add(&down, 100000 - i);
    }
    CHECK_EQ(records_count(&up), 100000);
    CHECK(records_are_balanced(&up));
    CHECK(records_are_balanced(&down));
    records_done(&up);
    records_done(&down);
    CHECK_EQ(records_count(&up), 0);
}

TEST(keys_removed_from_one_side_leave_a_balanced_tree)
{
    struct records records = { 0 };

    for (unsigned i = 0; i < 10000; i++)
        add(&records, i);
    for (unsigned i = 0; i < 9900; i++) {
        CHECK(remove_one(&records, i));
        if (i % 100 == 0)
            CHECK(records_are_balanced(&records));
    }
    CHECK_EQ(records_count(&records), 100);
    CHECK(records_are_balanced(&records));
    records_done(&records);
}

/* Takes the roots away, where the tree joins two halves. */
TEST(a_tree_that_loses_its_middle_again_and_again_stays_balanced)
{
    struct records records = { 0 };

    for (unsigned i = 0; i < 10000; i++)
        add(&records, i);
    while (records_count(&records) > 0) {
        size_t middle = records_count(&records) / 2;
        struct record *record;

        records_copy(&records, middle, 1, &record);
        record_unref(records_remove(&records, record->key));
        record_unref(record);
        if (middle % 100 == 0)
            CHECK(records_are_balanced(&records));
    }
}

TEST(random_additions_and_removals_keep_order_counts_and_balance)
{
    enum { KEYS = 500, STEPS = 20000 };
    struct random_seeded random = { .state = 99 };
    struct records records = { 0 };
    bool there[KEYS] = { false };
    size_t count = 0;

    for (unsigned step = 0; step < STEPS; step++) {
        unsigned key = (unsigned)random_below(&random, KEYS);

        if (random_below(&random, 2)) {
            add(&records, key);
            count += !there[key];
            there[key] = true;
        } else {
            CHECK_EQ(remove_one(&records, key), there[key]);
            count -= there[key];
            there[key] = false;
        }
        CHECK_EQ(records_count(&records), count);
        if (step % 100 == 0)
            CHECK(records_are_balanced(&records));
    }

    struct record *all[KEYS];
    records_copy(&records, 0, count, all);
    for (unsigned key = 0, at = 0; key < KEYS; key++)
        if (there[key])
            CHECK_EQ(atoi(all[at++]->key + 1), (int)key);
    for (size_t i = 0; i < count; i++)
        record_unref(all[i]);
    records_done(&records);
}

TEST(a_range_may_be_empty_or_all)
{
    struct records records = { 0 };
    size_t first, end;

    records_range(&records, "", NULL, &first, &end);
    CHECK_EQ(first, end);
    for (unsigned i = 0; i < 50; i++)
        add(&records, i);
    records_range(&records, "/", NULL, &first, &end);
    CHECK_EQ(first, 0);
    CHECK_EQ(end, 50);
    records_range(&records, "/00001", "/000014", &first, &end);
    CHECK_EQ(first, 15);
    CHECK_EQ(end, 20);
    records_range(&records, "/00001", "/000040", &first, &end);
    CHECK_EQ(first, end);
    records_done(&records);
}
