#include "check.h"
#include "cli/table.h"
#include <string.h>

static const char table_json[] =
    "{\"columnDefinitions\":[{\"name\":\"Name\",\"priority\":0},{\"name\":\"CPUs\",\"priority\":0},"
    "{\"name\":\"Host\",\"priority\":1}],\"rows\":["
    "{\"cells\":[\"w\\u00e9b\",2,\"h1\"],\"object\":{\"metadata\":{\"namespace\":\"lab\"}}},"
    "{\"cells\":[\"a\\u001b[31m\",null,\"\"],\"object\":{\"metadata\":{\"namespace\":\"x\"}}}]}";

static void check_table(struct table_style style, const char *wanted)
{
    struct err err;

    auto_json json_t *table = json_parse(table_json, sizeof table_json - 1, &err);
    auto_buf struct buf text = { 0 };
    table_write(table, &style, &text);
    CHECK_STR(text.bytes, wanted);
}

TEST(columns_are_as_wide_as_their_widest_cell)
{
    check_table((struct table_style){ 0 }, "NAME    CPUS\nw\u00e9b     2\na?[31m  -\n");
}

TEST(wide_shows_every_column_and_the_namespace_comes_first)
{
    check_table((struct table_style){ .wide = true, .with_namespace = true },
                "NAMESPACE  NAME    CPUS  HOST\nlab        w\u00e9b     2     h1\n"
                "x          a?[31m  -     -\n");
}

TEST(without_a_header_the_rows_are_as_wide_as_with_one)
{
    check_table((struct table_style){ .without_header = true }, "w\u00e9b     2\na?[31m  -\n");
}

TEST(a_table_of_nothing_writes_nothing)
{
    auto_json json_t *table = json_object();
    auto_buf struct buf text = { 0 };

    table_write(table, &(struct table_style){ 0 }, &text);
    CHECK_EQ(text.size, 0);
}
