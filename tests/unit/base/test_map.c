#include "check.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int freed_count;

static void count_free(void *value)
{
    freed_count++;
    free(value);
}

TEST(what_is_set_is_found)
{
    auto_clean(map_free_auto) struct map *map = map_new(free);

    CHECK(!map_get(map, "a"));
    CHECK(!map_has(map, "a"));
    map_set(map, "a", str_dup("1"));
    map_set(map, "b", NULL);
    map_set(map, "", str_dup("empty key"));
    CHECK_STR(map_get(map, "a"), "1");
    CHECK(map_has(map, "b"));
    CHECK(!map_get(map, "b"));
    CHECK_STR(map_get(map, ""), "empty key");
    CHECK_EQ(map_count(map), 3);
}

TEST(values_are_freed_exactly_once)
{
    struct map *map = map_new(count_free);

    freed_count = 0;
    map_set(map, "a", str_dup("1"));
    map_set(map, "a", str_dup("2"));
    CHECK_EQ(freed_count, 1);
    CHECK(map_remove(map, "a"));
    CHECK_EQ(freed_count, 2);
    CHECK(!map_remove(map, "a"));
    map_set(map, "b", str_dup("3"));
    map_set(map, "c", str_dup("4"));
    auto_free char *taken = map_take(map, "b");
    CHECK_STR(taken, "3");
    CHECK(!map_take(map, "b"));
    CHECK_EQ(freed_count, 2);
    map_set(map, "c", map_get(map, "c"));
    CHECK_EQ(freed_count, 2);
    map_free(map);
    CHECK_EQ(freed_count, 3);
    map_free(NULL);
}

TEST(keys_are_copied)
{
    auto_clean(map_free_auto) struct map *map = map_new(NULL);
    char key[] = "abc";

    map_set(map, key, key);
    key[0] = 'x';
    CHECK(map_has(map, "abc"));
    CHECK(!map_has(map, "xbc"));
}

TEST(order_is_that_of_insertion)
{
    auto_clean(map_free_auto) struct map *map = map_new(NULL);
    auto_buf struct buf seen = { 0 };
    const char *key;

    for (char c = 'z'; c >= 'a'; c--)
        map_set(map, (char[]){ c, '\0' }, NULL);
    map_remove(map, "m");
    map_set(map, "z", NULL);
    map_remove(map, "y");
    map_set(map, "y", NULL);
    for (size_t at = 0; map_next(map, &at, &key, NULL);)
        buf_add_text(&seen, key);
    CHECK_STR(seen.bytes, "zxwvutsrqponlkjihgfedcbay");
}

TEST(the_visited_entry_may_be_removed_by_its_own_key)
{
    auto_clean(map_free_auto) struct map *map = map_new(free);
    const char *key;
    void *value;
    int visited = 0;

    for (int i = 0; i < 100; i++) {
        auto_free char *name = str_printf("key-%d", i);
        map_set(map, name, str_dup(name));
    }
    for (size_t at = 0; map_next(map, &at, &key, &value); visited++) {
        CHECK_STR(value, key);
        CHECK(map_remove(map, key));
    }
    CHECK_EQ(visited, 100);
    CHECK_EQ(map_count(map), 0);
    map_set(map, "again", str_dup("x"));
    CHECK_STR(map_get(map, "again"), "x");
}

/* Against an array as the model: sets, replacements, removals, misses. */
TEST(thousands_of_seeded_steps_agree_with_an_array)
{
    enum { KEYS = 500, STEPS = 40000 };
    auto_clean(map_free_auto) struct map *map = map_new(NULL);
    static int values[KEYS];
    const void *model[KEYS] = { 0 };
    struct random_seeded random = { 7 };
    size_t count = 0;

    for (int step = 0; step < STEPS; step++) {
        unsigned k = (unsigned)random_below(&random, step < STEPS / 2 ? KEYS : 20);
        char key[16];

        snprintf(key, sizeof key, "k%u", k);
        CHECK(map_get(map, key) == model[k]);
        if (random_below(&random, 2)) {
            count += !model[k];
            model[k] = &values[random_below(&random, KEYS)];
            map_set(map, key, (void *)model[k]);
        } else {
            CHECK_EQ(map_remove(map, key), model[k] != NULL);
            count -= model[k] != NULL;
            model[k] = NULL;
        }
        CHECK_EQ(map_count(map), count);
    }
}

TEST(the_keys_come_by_insertion_without_those_removed)
{
    auto_clean(map_free_auto) struct map *map = map_new(NULL);
    static const char *const wanted[] = { "b", "a", NULL };

    map_set(map, "b", NULL);
    map_set(map, "gone", NULL);
    map_set(map, "a", NULL);
    map_remove(map, "gone");
    char **keys = map_keys(map);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_STR(keys[i], wanted[i]);
        free(keys[i]);
    }
    free(keys);
}
