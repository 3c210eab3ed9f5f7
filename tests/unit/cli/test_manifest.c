#include "check.h"
#include "cli/manifest.h"
#include <string.h>

static void check_reads(const char *yaml, const char *json)
{
    struct err err;

    err_clear(&err);
    auto_json json_t *documents = yaml_parse(yaml, strlen(yaml), &err);
    CHECK_STR(err.text, "");
    auto_free char *text = json_text(documents);
    CHECK_STR(text, json);
}

static void check_refuses(const char *yaml, const char *why)
{
    struct err err;

    err_clear(&err);
    CHECK(yaml_parse(yaml, strlen(yaml), &err) == NULL);
    CHECK_EQ(err.code, ERR_BAD_REQUEST);
    CHECK_CONTAINS(err.text, why);
}

TEST(plain_scalars_follow_the_core_schema)
{
    check_reads("[1, -2, 0x10, 0o17, 1.5, true, null, ~, yes, 1.2.3, 10.0.0.1, 2Gi, on]",
                "[[1,-2,16,15,1.5,true,null,null,\"yes\",\"1.2.3\",\"10.0.0.1\",\"2Gi\",\"on\"]]");
}

TEST(quoted_and_block_scalars_are_texts)
{
    check_reads("a: \"1\"\nb: 'true'\nc: !!str 5\nd: |\n  x\n  y\n",
                "[{\"a\":\"1\",\"b\":\"true\",\"c\":\"5\",\"d\":\"x\\ny\\n\"}]");
}

TEST(documents_come_in_order_and_empty_ones_are_null)
{
    check_reads("a: 1\n---\n---\nb: 2\n", "[{\"a\":1},null,{\"b\":2}]");
    check_reads("", "[]");
}

TEST(json_is_yaml) { check_reads("{\"a\": [{}, []]}", "[{\"a\":[{},[]]}]"); }

TEST(what_json_cannot_mean_is_refused_with_its_place)
{
    check_refuses("a: 1\na: 2\n", "document 1: line 2: duplicate key \"a\"");
    check_refuses("x: 1\n---\na: *b\n", "document 2: line 3: aliases");
    check_refuses("a: &b 1\n", "anchors");
    check_refuses("a: !thing 1\n", "tags");
    check_refuses("a: .inf\n", "infinity");
    check_refuses("a: 99999999999999999999\n", "64 bits");
    check_refuses("? [a]\n: 1\n", "a key must be");
    check_refuses("a: [1\n", "line");
}

TEST(nesting_has_a_bound)
{
    char deep[301];

    memset(deep, '[', 300);
    deep[300] = '\0';
    check_refuses(deep, "too deep");
}

TEST(what_is_written_reads_the_same)
{
    static const char json[] =
        "{\"a\":{\"b\":[1,{\"c\":\"true\",\"d\":\"\"},[],[\"x: y\",null]]},\"e\":\"- z\",\"5\":\"1e3\","
        "\"f\":\"a\\nb\",\"g\":{},\"h\":\"#c\",\"i\":\"t:\",\"---\":\"...\"}";
    struct err err;

    auto_json json_t *value = json_parse(json, sizeof json - 1, &err);
    auto_buf struct buf yaml = { 0 };
    yaml_write(value, &yaml);
    auto_json json_t *again = yaml_parse(yaml.bytes, yaml.size, &err);
    CHECK(again != NULL);
    CHECK(json_equal(json_array_get(again, 0), value));
    CHECK_CONTAINS(yaml.bytes, "a:\n  b:\n  - 1\n  - c: \"true\"\n    d: \"\"\n");
}

TEST(what_older_readers_take_for_something_else_is_quoted)
{
    auto_json json_t *value = json_pack("{s:s,s:s}", "at", "2026-01-02T03:04:05Z", "a", "yes");
    auto_buf struct buf yaml = { 0 };

    yaml_write(value, &yaml);
    CHECK_STR(yaml.bytes, "at: \"2026-01-02T03:04:05Z\"\na: \"yes\"\n");
}
