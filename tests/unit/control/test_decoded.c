/* tests/unit/control/test_decoded.c - objects that are decoded once. */
#include "control/internal.h"
#include "store/record.h"
#include "base/str.h"
#include "check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct record *record_of(const char *key, int64_t revision, const char *text)
{
    return record_new(&(struct record_fields){
        .key = key, .revision = revision, .created = 1, .value = { text, strlen(text), STORE_GAP_NONE } });
}

static json_t *look(struct decoded *decoded, const char *key, int64_t revision, const char *text)
{
    auto_clean(record_unref_auto) struct record *record = record_of(key, revision, text);

    return decoded_get(decoded, record);
}

TEST(an_object_is_decoded_once_until_it_changes)
{
    struct decoded *decoded = decoded_new();
    json_t *first = look(decoded, "/a/b/c/d", 7, "{\"a\":1}");
    json_t *again = look(decoded, "/a/b/c/d", 7, "{\"a\":1}");
    json_t *changed = look(decoded, "/a/b/c/d", 9, "{\"a\":2}");

    CHECK(first == again);
    CHECK_EQ(json_integer_value(json_object_get(changed, "a")), 2);
    json_decref(first);
    json_decref(again);
    json_decref(changed);
    decoded_free(decoded);
}

TEST(one_that_was_driven_out_stays_with_who_has_it)
{
    struct decoded *decoded = decoded_new();
    json_t *held = look(decoded, "/a/b/c/d", 1, "{\"a\":1}"), *other;

    for (int64_t revision = 2; revision < 3 * DECODED_MAX; revision++) {
        char text[32];

        snprintf(text, sizeof text, "{\"a\":%d}", (int)revision);
        other = look(decoded, "/a/b/c/e", revision, text);
        CHECK_EQ(json_integer_value(json_object_get(other, "a")), revision);
        json_decref(other);
    }
    CHECK_EQ(json_integer_value(json_object_get(held, "a")), 1);
    json_decref(held);
    decoded_free(decoded);
}

TEST(another_object_of_the_same_revision_is_not_taken_for_it)
{
    struct decoded *decoded = decoded_new();
    json_t *one = look(decoded, "/a/b/c/d", 1, "{\"a\":1}"), *other = look(decoded, "/a/b/c/e", 1, "{\"a\":2}");

    CHECK_EQ(json_integer_value(json_object_get(other, "a")), 2);
    json_decref(one);
    json_decref(other);
    decoded_free(decoded);
}

TEST(a_large_object_is_not_kept)
{
    struct decoded *decoded = decoded_new();
    auto_free char *text = str_printf("{\"a\":\"%0100000d\"}", 0);
    json_t *one, *other;

    one = look(decoded, "/a/b/c/d", 1, text);
    other = look(decoded, "/a/b/c/d", 1, text);
    CHECK(one != other);
    json_decref(one);
    json_decref(other);
    decoded_free(decoded);
}
