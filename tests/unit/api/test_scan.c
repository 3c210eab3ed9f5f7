#include "check.h"
#include "api/scan.h"
#include "base/auto.h"
#include "base/str.h"
#include <string.h>

static struct scan of(const char *text) { return scan_text(text, strlen(text)); }

TEST(members_are_found_behind_nested_values)
{
    struct scan object =
        of("{\"a\":{\"b\":[1,{\"c\":\"}\"}]},\"metadata\":{\"name\":\"web\"},\"z\":-1.5}");

    CHECK(scan_equals(scan_path(object, "metadata.name"), "web"));
    CHECK(scan_equals(scan_path(object, "z"), "-1.5"));
    CHECK(scan_path(object, "metadata.none").at == NULL);
    CHECK(scan_path(object, "z.none").at == NULL);
}

TEST(members_and_items_are_walked_in_order)
{
    struct scan name, value;
    const char *at = NULL;

    CHECK(scan_next(of("{\"a\":1,\"b\":\"x\"}"), &at, &name, &value));
    CHECK(scan_equals(value, "1"));
    at = NULL;
    struct scan list = of("[true, {\"k\":2}]");
    CHECK(scan_next(list, &at, &name, &value));
    CHECK(scan_equals(value, "true"));
    CHECK(name.at == NULL);
    CHECK(scan_next(list, &at, &name, &value));
    CHECK(scan_equals(scan_member(value, "k"), "2"));
    CHECK(!scan_next(list, &at, &name, &value));
}

TEST(copies_are_unescaped)
{
    auto_free char *plain = scan_copy(of("\"web\""));
    auto_free char *escaped = scan_copy(of("\"a\\\"b\\u00e9\""));
    auto_free char *number = scan_copy(of("12"));

    CHECK_STR(plain, "web");
    CHECK_STR(escaped, "a\"b\xc3\xa9");
    CHECK_STR(number, "12");
    CHECK(scan_copy((struct scan){ 0 }) == NULL);
}

TEST(broken_text_is_absent_and_never_read_beyond)
{
    static const char *const broken[] = { "",  "{",      "{\"",   "{\"a",      "{\"a\"", "{\"a\":",
                                          "[", "{\"a\\", "{1:2}", "{\"a\" 1}", "\"abc",  "nul" };

    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        auto_free char *exact = str_dup(broken[i]);

        CHECK(scan_path(scan_text(exact, strlen(exact)), "a.b").at == NULL);
    }
}
