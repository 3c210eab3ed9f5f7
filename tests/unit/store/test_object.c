#include "parsed.h"
#include "base/mem.h"
#include "store/object.h"
#include <stdlib.h>
#include <string.h>

/* What a store does with a value: the revision goes into the gap. */
static char *fill(struct store_value value, const char *revision)
{
    struct buf text = { 0 };

    buf_add(&text, value.bytes, (size_t)value.gap);
    buf_add_text(&text, revision);
    buf_add(&text, value.bytes + value.gap, value.size - (size_t)value.gap);
    return buf_take(&text);
}

static void check_encoded(const char *object_text, const char *expected)
{
    auto_json json_t *object = parse(object_text);
    auto_json json_t *before = json_deep_copy(object);
    auto_buf struct buf text = { 0 };
    struct store_value value;

    object_encode(object, &text, &value);
    auto_free char *filled = fill(value, "42");
    CHECK_STR(filled, expected);
    CHECK(json_equal(object, before));
}

TEST(a_key_names_group_plural_namespace_and_name)
{
    auto_free char *core = object_key("", "secrets", "default", "s");
    auto_free char *cluster = object_key("virga.dev", "hosts", "", "node1");

    CHECK_STR(core, "/core/secrets/default/s");
    CHECK_STR(cluster, "/virga.dev/hosts//node1");
}

TEST(a_key_without_name_is_a_prefix_that_ends_in_a_slash)
{
    auto_free char *scope = object_key("virga.dev", "instances", "default", NULL);
    auto_free char *all = object_key("virga.dev", "instances", NULL, NULL);

    CHECK_STR(scope, "/virga.dev/instances/default/");
    CHECK_STR(all, "/virga.dev/instances/");
}

TEST(encoding_leaves_a_gap_for_the_revision_where_there_was_none)
{
    check_encoded(
        "{\"metadata\":{\"name\":\"web\",\"uid\":\"u\"},\"kind\":\"K\",\"apiVersion\":\"v1\"}",
        "{\"apiVersion\":\"v1\",\"kind\":\"K\",\"metadata\":{\"name\":\"web\",\"uid\":\"u\","
        "\"resourceVersion\":\"42\"}}");
}

TEST(encoding_replaces_the_revision_an_object_carries)
{
    check_encoded(
        "{\"metadata\":{\"resourceVersion\":\"7\",\"name\":\"web\"},\"spec\":{\"a\":1}}",
        "{\"metadata\":{\"name\":\"web\",\"resourceVersion\":\"42\"},\"spec\":{\"a\":1}}");
}

TEST(encoding_keeps_metadata_it_does_not_know_and_puts_managed_fields_last)
{
    check_encoded("{\"metadata\":{\"managedFields\":[],\"selfLink\":\"x\",\"name\":\"web\"}}",
                  "{\"metadata\":{\"name\":\"web\",\"resourceVersion\":\"42\",\"selfLink\":\"x\","
                  "\"managedFields\":[]}}");
}

TEST(encoding_escapes_keys)
{
    check_encoded("{\"metadata\":{\"name\":\"n\"},\"a\\\"b\":1}",
                  "{\"metadata\":{\"name\":\"n\",\"resourceVersion\":\"42\"},\"a\\\"b\":1}");
}

TEST(equal_objects_encode_to_equal_bytes_whatever_the_order_of_their_metadata)
{
    auto_json json_t *one = parse("{\"kind\":\"K\",\"metadata\":{\"uid\":\"u\",\"name\":\"n\"}}");
    auto_json json_t *two = parse("{\"metadata\":{\"name\":\"n\",\"uid\":\"u\"},\"kind\":\"K\"}");
    auto_buf struct buf first = { 0 }, second = { 0 };
    struct store_value value;

    object_encode(one, &first, &value);
    object_encode(two, &second, &value);
    CHECK_STR(first.bytes, second.bytes);
}

TEST(what_was_encoded_decodes_to_the_same_object_with_its_revision)
{
    auto_json json_t *object =
        parse("{\"kind\":\"K\",\"metadata\":{\"name\":\"n\"},\"spec\":{\"x\":[1]}}");
    auto_buf struct buf text = { 0 };
    struct store_value value;

    object_encode(object, &text, &value);
    auto_free char *filled = fill(value, "9");
    struct record record = { .bytes = filled, .size = strlen(filled) };
    auto_json json_t *decoded = object_decode(&record);
    CHECK_EQ(object_revision(decoded), 9);
    json_set_at(object, "metadata.resourceVersion", json_string("9"));
    CHECK(json_equal(object, decoded));
}

TEST(reading_an_object_tells_what_is_there_and_the_zero_of_what_is_not)
{
    auto_json json_t *object = parse(
        "{\"metadata\":{\"name\":\"n\",\"namespace\":\"d\",\"uid\":\"u\",\"resourceVersion\":\"5\","
        "\"deletionTimestamp\":\"2026-01-01T00:00:00Z\",\"finalizers\":[\"a/b\"]}}");
    auto_json json_t *empty = parse("{}");

    CHECK_STR(object_name(object), "n");
    CHECK_STR(object_namespace(object), "d");
    CHECK_STR(object_uid(object), "u");
    CHECK_EQ(object_revision(object), 5);
    CHECK(object_is_deleting(object));
    CHECK(object_has_finalizer(object, "a/b"));
    CHECK(!object_has_finalizer(object, "a"));
    CHECK_STR(object_uid(empty), "");
    CHECK_EQ(object_revision(empty), 0);
    CHECK(!object_is_deleting(empty));
}

TEST(one_owner_reference_says_all_that_is_looked_for)
{
    auto_json json_t *object = parse("{\"metadata\":{\"ownerReferences\":[{\"kind\":\"Group\",\"name\":\"a\",\"uid\":\"1\"},"
                                     "{\"kind\":\"Task\",\"name\":\"b\",\"uid\":\"2\"}]}}");
    auto_json json_t *free_one = parse("{}");

    CHECK(object_has_owner(object, (struct owner){ .kind = "Task" }));
    CHECK(object_has_owner(object, (struct owner){ .kind = "Task", .name = "b" }));
    CHECK(object_has_owner(object, (struct owner){ .uid = "1" }));
    CHECK(!object_has_owner(object, (struct owner){ .kind = "Task", .name = "a" }));
    CHECK(!object_has_owner(object, (struct owner){ .uid = "3" }));
    CHECK(!object_has_owner(free_one, (struct owner){ 0 }));
}

TEST(a_revision_that_is_no_number_counts_as_none)
{
    auto_json json_t *object = parse("{\"metadata\":{\"resourceVersion\":\"5x\"}}");

    CHECK_EQ(object_revision(object), 0);
}
