/* Rows of server-side tables. */
#include "parsed.h"
#include "kinds/tables/tables.h"
#include "base/quantity.h"
#include "base/str.h"
#include <string.h>

static const json_t *cell_of(const struct kind *kind, const json_t *row, const char *column)
{
    for (size_t i = 0; kind->columns[i].name; i++)
        if (str_equal(kind->columns[i].name, column))
            return json_array_get(row, i);
    check_fail(CHECK_HERE, "%s has no column %s", kind->name, column);
}

static int64_t wall_ms(const char *text)
{
    int64_t ms;
    struct err err;

    CHECK_OK(time_parse(text, &ms, &err), &err);
    return ms;
}

TEST(a_row_shows_what_the_columns_say)
{
    auto_json json_t *object = parse(
        "{\"metadata\":{\"name\":\"web\",\"creationTimestamp\":\"2026-01-01T00:00:00Z\"},"
        "\"spec\":{\"cpus\":2,\"memory\":\"1Gi\",\"image\":\"micro\"},"
        "\"status\":{\"phase\":\"Running\",\"networks\":[{\"ipv4Address\":\"10.0.0.2\"},{},"
        "{\"ipv4Address\":\"10.0.1.2\",\"ipv6Address\":\"fd00::2\"}]}}");
    auto_json json_t *row = kind_row(&kind_instance, object, wall_ms("2026-01-01T02:03:04Z"));

    CHECK_STR(json_string_value(cell_of(&kind_instance, row, "Name")), "web");
    CHECK_STR(json_string_value(cell_of(&kind_instance, row, "Phase")), "Running");
    CHECK_STR(json_string_value(cell_of(&kind_instance, row, "IPv4")), "10.0.0.2,10.0.1.2");
    CHECK_STR(json_string_value(cell_of(&kind_instance, row, "IPv6")), "fd00::2");
    CHECK_EQ(json_integer_value(cell_of(&kind_instance, row, "CPUs")), 2);
    CHECK_STR(json_string_value(cell_of(&kind_instance, row, "Memory")), "1Gi");
    CHECK_STR(json_string_value(cell_of(&kind_instance, row, "Age")), "123m");
}

TEST(every_row_has_a_cell_for_every_column_whatever_is_absent)
{
    auto_json json_t *empty = json_object();

    for (const struct kind *const *kind = all_kinds; *kind; kind++) {
        auto_json json_t *row = kind_row(*kind, empty, 0);
        size_t count = 0;

        for (; (*kind)->columns[count].name; count++) {
            const json_t *cell = json_array_get(row, count);
            const char *type = (*kind)->columns[count].type;
            if (str_equal(type, "date"))
                CHECK_STR(json_string_value(cell), "<unknown>");
            else if (str_equal(type, "string"))
                CHECK_STR(json_string_value(cell), "");
            else
                CHECK(json_is_null(cell));
        }
        CHECK_EQ(json_array_size(row), count);
    }
}

TEST(an_age_in_the_future_is_none)
{
    auto_json json_t *object = parse("{\"metadata\":{\"creationTimestamp\":\"2026-01-01T00:00:00Z\"}}");
    auto_json json_t *row = kind_row(&kind_instance, object, wall_ms("2025-01-01T00:00:00Z"));

    CHECK_STR(json_string_value(cell_of(&kind_instance, row, "Age")), "0s");
}

TEST(a_reference_is_shown_as_kind_and_name)
{
    auto_json json_t *object = parse("{\"involvedObject\":{\"kind\":\"StoragePool\",\"name\":\"Fast\"}}");
    auto_json json_t *row = kind_row(&kind_event, object, 0);

    CHECK_STR(json_string_value(cell_of(&kind_event, row, "Object")), "storagepool/Fast");
}
