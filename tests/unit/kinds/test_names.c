#include "check.h"
#include "kinds/names.h"
#include <string.h>

enum { LABEL = 1, SUBDOMAIN = 2, QUALIFIED = 4, VALUE = 8, BASE64 = 16 };

struct row {
    const char *text;
    unsigned is;
};

static unsigned what_is(const char *text)
{
    return (name_is_label(text) ? LABEL : 0) | (name_is_subdomain(text) ? SUBDOMAIN : 0) |
           (name_is_qualified(text) ? QUALIFIED : 0) | (name_is_label_value(text) ? VALUE : 0);
}

TEST(texts_are_what_the_rules_say)
{
    static const struct row rows[] = {
        { "", VALUE },
        { "a", LABEL | SUBDOMAIN | QUALIFIED | VALUE },
        { "0", LABEL | SUBDOMAIN | QUALIFIED | VALUE },
        { "a-b", LABEL | SUBDOMAIN | QUALIFIED | VALUE },
        { "a.b", SUBDOMAIN | QUALIFIED | VALUE },
        { "a_b", QUALIFIED | VALUE },
        { "A", QUALIFIED | VALUE },
        { "-a", 0 },
        { "a-", 0 },
        { ".", 0 },
        { "..", 0 },
        { "a..b", QUALIFIED | VALUE },
        { "a.", 0 },
        { ".a", 0 },
        { "a.-b", QUALIFIED | VALUE },
        { "a b", 0 },
        { "a\n", 0 },
        { "a/b", QUALIFIED },
        { "a.b/C_d", QUALIFIED },
        { "A/b", 0 },
        { "/b", 0 },
        { "a/", 0 },
        { "a/b/c", 0 },
        { "\xc3\xa4", 0 },
        { "%2e", 0 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (what_is(rows[i].text) != rows[i].is)
            check_fail(CHECK_HERE, "\"%s\" is %x, not %x", rows[i].text, what_is(rows[i].text),
                       rows[i].is);
}

TEST(lengths_are_bounded)
{
    char text[400];

    memset(text, 'a', sizeof text);
    text[64] = '\0';
    CHECK_EQ(what_is(text), SUBDOMAIN); /* a part of a subdomain may be long, as in Kubernetes */
    text[63] = '\0';
    CHECK_EQ(what_is(text), LABEL | SUBDOMAIN | QUALIFIED | VALUE);
    memset(text, 'a', sizeof text);
    text[254] = '\0';
    CHECK(!name_is_subdomain(text));
    text[253] = '\0';
    CHECK(name_is_subdomain(text));
    strcpy(text + 253, "/n");
    CHECK(name_is_qualified(text));
    memset(text, 'a', 254);
    strcpy(text + 254, "/n");
    CHECK(!name_is_qualified(text));
}

TEST(base64_is_checked_to_the_last_character)
{
    static const char *const right[] = { "", "Zg==", "Zm8=", "Zm9v", "+/+/" };
    static const char *const wrong[] = { "Z", "Zg", "Zg=", "=", "====", "Zg==Zg==", "Zm9v\n", "Zm-_",
                                         "Z===", "Zm 9", "Zm9v=" };

    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        CHECK(text_is_base64(right[i]));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (text_is_base64(wrong[i]))
            check_fail(CHECK_HERE, "\"%s\" passes", wrong[i]);
}
