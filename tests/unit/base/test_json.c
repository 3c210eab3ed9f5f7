#include "check.h"
#include "base/json.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int parse(const char *text, size_t size, struct err *err)
{
    auto_json json_t *value = json_parse(text, size, err);

    return value ? 0 : -1;
}

static char *nested(unsigned depth, char open, char close)
{
    struct buf buf = { 0 };

    for (unsigned i = 0; i < depth; i++) {
        buf_add_char(&buf, open);
        if (open == '{')
            buf_add_text(&buf, "\"a\":");
    }
    if (open == '{')
        buf_add_char(&buf, '1');
    for (unsigned i = 0; i < depth; i++)
        buf_add_char(&buf, close);
    return buf_take(&buf);
}

TEST(canonical_text_is_compact_and_in_the_order_of_insertion)
{
    static const struct {
        const char *in;
        const char *out;
    } rows[] = {
        { "{ \"z\" : 1, \"a\" : [ true, false, null ], \"m\":{} }",
          "{\"z\":1,\"a\":[true,false,null],\"m\":{}}" },
        { "9223372036854775807", "9223372036854775807" },
        { "-9223372036854775808", "-9223372036854775808" },
        { "9007199254740993", "9007199254740993" },
        { "0.1", "0.1" },
        { "1.0", "1.0" },
        { "1e3", "1000.0" },
        { "-0.5", "-0.5" },
        { "1.79769313486231e308", "1.79769313486231e308" },
        { "5e-324", "4.94065645841247e-324" },
        { "\"\\u00e4\\n\\/\"", "\"\xc3\xa4\\n/\"" },
        { "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"" },
        { " \"x\" \n", "\"x\"" },
        { "[]", "[]" },
        { "\"[[[[ \\\" [[\"", "\"[[[[ \\\" [[\"" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err err;
        auto_json json_t *value = json_parse(rows[i].in, strlen(rows[i].in), &err);
        CHECK_OK(value ? 0 : -1, &err);
        auto_free char *text = json_text(value);
        CHECK_STR(text, rows[i].out);
    }
}

TEST(what_is_not_exactly_one_value_is_refused_with_its_place)
{
    static const struct {
        const char *text;
        size_t size; /* 0: strlen */
        const char *says;
    } rows[] = {
        { "", 0, "line 1, column 0" },
        { "{", 0, "line 1, column 1" },
        { "{\"a\":1}x", 0, "column 8: end of file expected" },
        { "1 2", 0, "end of file expected" },
        { "{\n  \"a\": 1,\n  \"a\": 2\n}", 0, "line 3, column 5: duplicate object key" },
        { "{\"a\":{\"b\":1,\"c\":2,\"b\":3}}", 0, "duplicate object key" },
        { "9223372036854775808", 0, "number out of range" },
        { "-9223372036854775809", 0, "number out of range" },
        { "[1e400]", 0, "number out of range" },
        { "{\"a\":[1.7976931348623157e308]}", 0, "number out of range" },
        { "-1.797693134862315E308", 0, "number out of range" },
        { "\"a\\u0000b\"", 0, "U+0000" },
        { "{\"a\\u0000b\":1}", 0, "U+0000" },
        { "\"a\0b\"", 5, "line 1, column" },
        { "{}\0", 3, "end of file expected" },
        { "[1,]", 0, "line 1, column 4" },
        { "{'a':1}", 0, "line 1, column 2" },
        { "{\"a\" 1}", 0, "':' expected" },
        { "[01]", 0, "line 1, column" },
        { "[+1]", 0, "line 1, column" },
        { "[.5]", 0, "line 1, column" },
        { "[NaN]", 0, "line 1, column" },
        { "\"\xff\"", 0, "UTF-8" },
        { "\"\xc0\x80\"", 0, "UTF-8" },
        { "\"\xed\xa0\x80\"", 0, "UTF-8" },
        { "\"\\ud800\"", 0, "line 1, column" },
        { "\"tab\there\"", 0, "line 1, column" },
        { "\xef\xbb\xbf{}", 0, "line 1, column" },
        { "// no\n{}", 0, "line 1, column" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t size = rows[i].size ? rows[i].size : strlen(rows[i].text);
        struct err err;

        CHECK_FAILS(parse(rows[i].text, size, &err), &err, ERR_BAD_REQUEST);
        CHECK_CONTAINS(err.text, rows[i].says);
    }
}

TEST(sixty_four_levels_are_read_and_sixty_five_refused)
{
    struct err err;
    auto_free char *lists_64 = nested(64, '[', ']');
    auto_free char *lists_65 = nested(65, '[', ']');
    auto_free char *objects_64 = nested(64, '{', '}');
    auto_free char *objects_65 = nested(65, '{', '}');
    auto_free char *unclosed = nested(200000, '[', ' ');

    CHECK_OK(parse(lists_64, strlen(lists_64), &err), &err);
    CHECK_OK(parse(objects_64, strlen(objects_64), &err), &err);
    CHECK_FAILS(parse(lists_65, strlen(lists_65), &err), &err, ERR_BAD_REQUEST);
    CHECK_STR(err.text, "line 1, column 65: nested deeper than 64 levels");
    CHECK_FAILS(parse(objects_65, strlen(objects_65), &err), &err, ERR_BAD_REQUEST);
    CHECK_CONTAINS(err.text, "nested deeper");
    CHECK_FAILS(parse(unclosed, strlen(unclosed), &err), &err, ERR_BAD_REQUEST);
    CHECK_CONTAINS(err.text, "nested deeper");
}

TEST(depth_counts_open_levels_not_brackets)
{
    auto_buf struct buf buf = { 0 };
    struct err err;

    buf_add_char(&buf, '[');
    for (int i = 0; i < 500; i++)
        buf_add_text(&buf, i ? ",[\"]\\\"[\"]" : "[]");
    buf_add_char(&buf, ']');
    CHECK_OK(parse(buf.bytes, buf.size, &err), &err);
}

TEST(the_place_of_too_deep_counts_lines_and_characters)
{
    auto_buf struct buf buf = { 0 };
    auto_free char *deep = nested(65, '[', ']');
    struct err err;

    buf_printf(&buf, "[\n\"\xc3\xa4\xc3\xa4\", %s]", deep);
    CHECK_FAILS(parse(buf.bytes, buf.size, &err), &err, ERR_BAD_REQUEST);
    CHECK_STR(err.text, "line 2, column 70: nested deeper than 64 levels");
}

TEST(paths_lead_to_values)
{
    static const char text[] =
        "{\"spec\":{\"disks\":[{\"size\":\"2Gi\"},{\"size\":\"4Gi\",\"n\":[[5,6]]}],\"cpus\":2,"
        "\"on\":true,\"none\":null},\"7\":1}";
    static const struct {
        const char *path;
        const char *value; /* NULL: nothing there */
    } rows[] = {
        { "spec.disks[0].size", "\"2Gi\"" },
        { "spec.disks[1].size", "\"4Gi\"" },
        { "spec.disks[1].n[0][1]", "6" },
        { "spec.cpus", "2" },
        { "spec.none", "null" },
        { "7", "1" },
        { "spec.disks[2].size", NULL },
        { "spec.disks[99999999999999999999]", NULL },
        { "spec.disks[-1]", NULL },
        { "spec.disks[0", NULL },
        { "spec.disks[]", NULL },
        { "spec.disks[ 0]", NULL },
        { "spec.disks[0]size", NULL },
        { "spec.disks.size", NULL },
        { "spec[0]", NULL },
        { "spec..cpus", NULL },
        { ".spec", NULL },
        { "spec.", NULL },
        { "spec.cpus.x", NULL },
        { "spec.cpu", NULL },
        { "spe", NULL },
    };
    struct err err;
    auto_json json_t *object = json_parse(text, strlen(text), &err);
    CHECK_OK(object ? 0 : -1, &err);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *value = json_at(object, rows[i].path);
        auto_free char *found = value ? json_text(value) : NULL;
        CHECK_STR(found, rows[i].value);
    }
    CHECK(json_at(object, "") == object);
    CHECK(!json_at(NULL, "spec"));
}

TEST(typed_reads_fall_back_when_absent_or_of_another_type)
{
    struct err err;
    static const char text[] = "{\"a\":{\"t\":\"x\",\"i\":-5,\"b\":true,\"r\":1.5,\"n\":null}}";
    auto_json json_t *object = json_parse(text, strlen(text), &err);

    CHECK_STR(json_text_at(object, "a.t", "f"), "x");
    CHECK_STR(json_text_at(object, "a.i", "f"), "f");
    CHECK_STR(json_text_at(object, "a.n", NULL), NULL);
    CHECK_EQ(json_int_at(object, "a.i", 1), -5);
    CHECK_EQ(json_int_at(object, "a.r", 1), 1);
    CHECK_EQ(json_int_at(object, "a.missing", 1), 1);
    CHECK_EQ(json_bool_at(object, "a.b", false), true);
    CHECK_EQ(json_bool_at(object, "a.t", true), true);
    CHECK_EQ(json_bool_at(NULL, "a", true), true);
}

TEST(setting_makes_the_objects_on_the_way)
{
    auto_json json_t *object = json_object();

    json_set_at(object, "status.usage.cpu", json_integer(3));
    json_set_at(object, "status.phase", json_string("Running"));
    json_set_at(object, "status.usage.cpu", json_integer(4));
    json_set_at(object, "status.phase.was", json_true());
    json_set_at(object, "status.bad", json_string("\xff"));
    json_set_at(object, "k", json_null());
    json_set_at(object, "\xff.x", json_integer(1));
    json_set_at(object, "\xff", json_integer(1));
    auto_free char *text = json_text(object);
    CHECK_STR(text, "{\"status\":{\"usage\":{\"cpu\":4},\"phase\":{\"was\":true}},\"k\":null}");
}

TEST(removing_says_whether_it_was_there)
{
    auto_json json_t *object = json_object();

    json_set_at(object, "a.b", json_integer(1));
    json_set_at(object, "c", json_integer(1));
    CHECK(json_remove_at(object, "a.b"));
    CHECK(!json_remove_at(object, "a.b"));
    CHECK(!json_remove_at(object, "x.y"));
    CHECK(!json_remove_at(object, "c.d"));
    CHECK(json_remove_at(object, "c"));
    auto_free char *text = json_text(object);
    CHECK_STR(text, "{\"a\":{}}");
}

TEST(printed_strings_are_always_valid)
{
    static const struct {
        const char *in;
        const char *out;
    } rows[] = {
        { "vm-a", "vm-a" },
        { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
        { "a\xff"
          "b",
          "a\xef\xbf\xbd"
          "b" },
        { "\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xe0\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xfa\xab\xab\xab", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xff\xff", "\xef\xbf\xbd\xef\xbf\xbd" },
        { "x\xe2\x82", "x\xef\xbf\xbd\xef\xbf\xbd" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_json json_t *value = json_printf("%s", rows[i].in);
        CHECK_STR(json_string_value(value), rows[i].out);
    }
    auto_json json_t *with_nul = json_string_repaired("a\0b", 3);
    CHECK_STR(json_string_value(with_nul), "a\xef\xbf\xbd"
                                           "b");
    auto_json json_t *empty = json_string_repaired("", 0);
    CHECK_STR(json_string_value(empty), "");
}

TEST(plain_strings_move_no_cursor)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        { "", "" }, { "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" }, { "a\tb\n\r\n", "a b" },
        { "\033[31mred", " [31mred" }, { "\xc2\x9b[2Jx\x7f", "  [2Jx" }, { "\xff\n", "\xef\xbf\xbd" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_json json_t *value = json_string_plain(rows[i].in);
        CHECK_STR(json_string_value(value), rows[i].out);
    }
}

TEST(writing_appends_to_the_buffer)
{
    auto_buf struct buf buf = { 0 };
    auto_json json_t *value = json_pack("{s:i}", "a", 1);

    buf_add_text(&buf, "data: ");
    json_write(value, &buf);
    json_write(value, &buf);
    CHECK_STR(buf.bytes, "data: {\"a\":1}{\"a\":1}");
}
