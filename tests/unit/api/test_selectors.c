#include "check.h"
#include "api/selectors.h"
#include "base/json.h"
#include "base/str.h"
#include <string.h>

/* An object is a NULL-terminated list of keys and values in turn. */
static const char *value_of(const void *object, const char *key)
{
    for (const char *const *pair = object; *pair; pair += 2)
        if (strcmp(*pair, key) == 0)
            return pair[1];
    return NULL;
}

static const char *const web[] = { "app", "web", "tier", "front", "empty", "", NULL };

static bool matches(const char *text)
{
    struct selector selector;
    struct err err;
    bool result;

    CHECK_OK(selector_parse_labels(text, &selector, &err), &err);
    result = selector_matches(&selector, web, value_of);
    selector_done(&selector);
    return result;
}

static void check_refused(const char *text, const char *part)
{
    struct selector selector;
    struct err err;

    CHECK_FAILS(selector_parse_labels(text, &selector, &err), &err, ERR_BAD_REQUEST);
    CHECK_CONTAINS(err.text, part);
    selector_done(&selector);
}

TEST(an_empty_selector_matches_everything)
{
    CHECK(matches(NULL));
    CHECK(matches(""));
}

TEST(equality_compares_values)
{
    CHECK(matches("app=web"));
    CHECK(matches("app==web"));
    CHECK(!matches("app=db"));
    CHECK(!matches("other=web"));
    CHECK(matches("empty="));
    CHECK(!matches("other="));
}

TEST(inequality_holds_for_what_is_absent)
{
    CHECK(!matches("app!=web"));
    CHECK(matches("app!=db"));
    CHECK(matches("other!=x"));
}

TEST(sets_hold_several_values)
{
    CHECK(matches("app in (web,db)"));
    CHECK(matches("app in (db, web )"));
    CHECK(!matches("app in (db)"));
    CHECK(!matches("app notin (web,db)"));
    CHECK(matches("other notin (x)"));
    CHECK(matches("empty in (,x)"));
}

TEST(existence_is_a_bare_key)
{
    CHECK(matches("app"));
    CHECK(!matches("other"));
    CHECK(matches("!other"));
    CHECK(!matches("! app"));
}

TEST(all_requirements_must_hold)
{
    CHECK(matches("app in (web,db),tier,!other,empty="));
    CHECK(!matches("app in (web,db),tier=back"));
}

TEST(a_wrong_selector_says_where)
{
    check_refused("a in x", "'('");
    check_refused("a in (x", "','");
    check_refused("=x", "a label key");
    check_refused("a,,b", "a label key");
    check_refused("a=b c", "','");
    check_refused("a isnot (b)", "one of");
    check_refused("a!b", "'='");
    check_refused("a,", "ends where");
}

static const struct kind *instance(void) { return kind_find("virga.dev", "v1", "instances"); }

TEST(fields_are_selected_by_path)
{
    static const char *const object[] = { "metadata.name", "web", "status.phase", "", NULL };
    struct selector selector;
    struct err err;

    CHECK_OK(selector_parse_fields("metadata.name=web,status.phase!=Running", instance(), &selector,
                                   &err),
             &err);
    CHECK(selector_matches(&selector, object, value_of));
    CHECK_STR(selector_only_value(&selector, "metadata.name"), "web");
    CHECK(selector_only_value(&selector, "status.phase") == NULL);
    selector_done(&selector);
}

TEST(field_values_unescape_commas)
{
    struct selector selector;
    struct err err;

    CHECK_OK(selector_parse_fields("metadata.name==a\\,b", instance(), &selector, &err), &err);
    CHECK_STR(selector_only_value(&selector, "metadata.name"), "a,b");
    selector_done(&selector);
}

TEST(an_unknown_field_is_named)
{
    struct selector selector;
    struct err err;

    CHECK_FAILS(selector_parse_fields("spec.bogus=x", instance(), &selector, &err), &err,
                ERR_BAD_REQUEST);
    CHECK_STR(err.text, "field label not supported: spec.bogus");
    selector_done(&selector);
    CHECK_FAILS(selector_parse_fields("metadata.name", instance(), &selector, &err), &err,
                ERR_BAD_REQUEST);
    selector_done(&selector);
}
