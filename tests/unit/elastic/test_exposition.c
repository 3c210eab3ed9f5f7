#include "check.h"
#include "elastic/exposition.h"
#include <string.h>

static struct exposed find(const char *text, const char *name)
{
    struct exposed exposed;

    if (!exposition_find(text, strlen(text), name, &exposed))
        check_fail(CHECK_HERE, "%s is not found", name);
    return exposed;
}

static bool is_found(const char *text, const char *name)
{
    struct exposed exposed;

    return exposition_find(text, strlen(text), name, &exposed);
}

TEST(a_gauge_is_found_by_its_very_name)
{
    static const char text[] =
        "# HELP jobs How many wait.\n# TYPE jobs gauge\njobs_total 5\njobs 12.5\nother 3\n";

    CHECK(find(text, "jobs").sum == 12.5);
    CHECK(!find(text, "jobs").is_counter);
    CHECK(!is_found(text, "job"));
    CHECK(!is_found(text, "How"));
    CHECK(!is_found(text, ""));
}

TEST(series_of_one_name_are_summed)
{
    struct exposed exposed = find(
        "jobs{queue=\"a\"} 1\njobs{queue=\"b\",x=\"}\\\"} 9\"} 2 1395066363000\njobs {c=\"\"} 4",
        "jobs");

    CHECK(exposed.sum == 7);
    CHECK_EQ(exposed.series, 3);
}

TEST(what_is_added_counts_together)
{
    struct exposed exposed = { 0 };

    exposition_add("# TYPE jobs counter\njobs 1\n", 27, "jobs", &exposed);
    exposition_add("jobs{a=\"1\"} 2\njobs NaN\n", 24, "jobs", &exposed);
    CHECK(exposed.sum == 3);
    CHECK(exposed.is_counter);
    CHECK_EQ(exposed.series, 2);
    CHECK_EQ(exposed.refused, 1);
}

TEST(a_counter_is_known_by_its_type)
{
    CHECK(find("# TYPE requests_total counter\nrequests_total{code=\"200\"} 1.027e+03\n",
               "requests_total")
              .is_counter);
    CHECK(!find("# TYPE requests counter\nrequests_total 1\n", "requests_total").is_counter);
}

TEST(what_is_no_number_is_no_value)
{
    static const char *const bad[] = { "jobs",
                                       "jobs ",
                                       "jobs{",
                                       "jobs{a=\"",
                                       "jobs{a=\"\\",
                                       "jobs x",
                                       "jobs 1x",
                                       "jobs NaN",
                                       "jobs +Inf",
                                       "jobs 1e999",
                                       "{jobs} 1",
                                       "#jobs 1",
                                       "jobs 1e308\njobs 1e308" };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (is_found(bad[i], "jobs"))
            check_fail(CHECK_HERE, "found in: %s", bad[i]);
    CHECK(find("jobs 3\r\n", "jobs").sum == 3);
    CHECK(find("jobs NaN\njobs 2", "jobs").sum == 2);
}
