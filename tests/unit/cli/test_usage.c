#include "check.h"
#include "cli/table.h"
#include "cli/usage.h"
#include <string.h>

/* A list of instance web, and one more that has no usage yet. */
static json_t *list_at(const char *time, int64_t received)
{
    return json_pack("{s:[{s:{s:s,s:s},s:{s:i,s:s},s:{s:s,s:{s:s,s:s,s:s,s:I,s:i,s:i,s:i}}},"
                     "{s:{s:s,s:s},s:{s:i,s:s}}]}",
                     "items", "metadata", "name", "web", "uid", "u1", "spec", "cpus", 2, "memory", "1Gi",
                     "status", "phase", "Running", "usage", "time", time, "cpu", "250m", "memory",
                     "512Mi", "networkReceiveBytes", (json_int_t)received, "networkTransmitBytes", 0,
                     "diskReadBytes", 0, "diskWriteBytes", 0, "metadata", "name", "cold", "uid", "u2",
                     "spec", "cpus", 1, "memory", "64Mi");
}

/* The text of the cell in the row of 'name'. */
static void check_cell(const json_t *list, const json_t *samples, size_t row, size_t column,
                       const char *wanted)
{
    auto_json json_t *table = usage_table(list, samples, USAGE_BY_CPU);
    const json_t *cells =
        json_object_get(json_array_get(json_object_get(table, "rows"), row), "cells");

    CHECK_STR(json_string_value(json_array_get(cells, column)), wanted);
}

enum { NAME, PHASE, CPU, OF, MEMORY, MAX, READ, WRITTEN, RECEIVED, SENT };

TEST(rates_come_from_two_readings)
{
    auto_json json_t *samples = json_object();
    auto_json json_t *first = list_at("2026-01-01T00:00:00Z", 1000);
    auto_json json_t *same = list_at("2026-01-01T00:00:00Z", 1000);
    auto_json json_t *later = list_at("2026-01-01T00:00:10Z", 1000 + 20480);

    usage_learn(samples, first);
    check_cell(first, samples, 0, CPU, "25%");
    check_cell(first, samples, 0, MEMORY, "512Mi");
    check_cell(first, samples, 0, RECEIVED, "-");
    usage_learn(samples, same);
    check_cell(same, samples, 0, RECEIVED, "-");
    usage_learn(samples, later);
    check_cell(later, samples, 0, RECEIVED, "2Ki/s");
    check_cell(later, samples, 0, SENT, "0/s");
    usage_learn(samples, later); /* not read anew: the rate stays */
    check_cell(later, samples, 0, RECEIVED, "2Ki/s");
}

TEST(counters_that_went_back_tell_no_rate)
{
    auto_json json_t *samples = json_object();
    auto_json json_t *first = list_at("2026-01-01T00:00:00Z", 5000);
    auto_json json_t *later = list_at("2026-01-01T00:00:10Z", 10);

    usage_learn(samples, first);
    usage_learn(samples, later);
    check_cell(later, samples, 0, RECEIVED, "-");
}

TEST(what_uses_most_comes_first_and_unknown_last)
{
    auto_json json_t *list = list_at("2026-01-01T00:00:00Z", 0);

    check_cell(list, NULL, 0, NAME, "web");
    check_cell(list, NULL, 1, NAME, "cold");
    check_cell(list, NULL, 1, PHASE, "Pending");
    check_cell(list, NULL, 1, CPU, "-");
    check_cell(list, NULL, 1, MAX, "64Mi");

    auto_json json_t *by_name = usage_table(list, NULL, USAGE_BY_NAME);
    CHECK_STR(json_text_at(by_name, "rows[0].cells[0]", ""), "cold");
}

TEST(what_is_gone_is_forgotten)
{
    auto_json json_t *samples = json_object(), *none = json_pack("{s:[]}", "items");
    auto_json json_t *list = list_at("2026-01-01T00:00:00Z", 0);

    usage_learn(samples, list);
    CHECK_EQ(json_object_size(samples), 2);
    usage_learn(samples, none);
    CHECK_EQ(json_object_size(samples), 0);
}
