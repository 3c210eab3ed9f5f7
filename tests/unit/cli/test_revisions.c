#include "parsed.h"
#include "cli/revisions.h"

#define GROUP(template, revisions) \
    "{\"spec\":{\"template\":\"" template "\"},\"status\":{\"revisions\":[" revisions "]}}"
#define REVISION(number, template) "{\"revision\":" number ",\"template\":\"" template "\"}"
#define TWO REVISION("4", "old") "," REVISION("5", "new")

static void check_template(const char *group, int64_t wanted, const char *expected)
{
    auto_json json_t *object = parse(group);

    CHECK_STR(json_string_value(revisions_template(object, wanted)), expected);
}

TEST(the_one_before_is_that_before_the_newest)
{
    check_template(GROUP("new", TWO), 0, "old");
}

TEST(of_a_template_that_is_no_revision_yet_the_newest_is_the_one_before)
{
    check_template(GROUP("newer", TWO), 0, "new");
    check_template(GROUP("newer", REVISION("1", "first")), 0, "first");
}

TEST(where_there_was_none_before_there_is_none)
{
    check_template(GROUP("first", REVISION("1", "first")), 0, NULL);
    check_template("{\"spec\":{\"template\":\"first\"}}", 0, NULL);
}

TEST(a_revision_is_found_by_its_number)
{
    check_template(GROUP("new", TWO), 4, "old");
    check_template(GROUP("new", TWO), 5, "new");
    check_template(GROUP("new", TWO), 3, NULL);
}
