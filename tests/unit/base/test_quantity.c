#include "check.h"
#include "base/quantity.h"
#include <string.h>

TEST(quantities_become_whole_units_rounded_up)
{
    static const struct {
        const char *text;
        int64_t value;
    } rows[] = {
        { "0", 0 },
        { "1", 1 },
        { "+1", 1 },
        { "-1", -1 },
        { "-0", 0 },
        { "007", 7 },
        { "1.", 1 },
        { ".5", 1 },
        { "1e3", 1000 },
        { "1E3", 1000 },
        { "1e+3", 1000 },
        { "12e-1", 2 },
        { "1.5e3", 1500 },
        { "1E", 1000000000000000000 },
        { "2Gi", 2147483648 },
        { "0.5Gi", 536870912 },
        { "1.5Gi", 1610612736 },
        { "512Mi", 536870912 },
        { "1Ki", 1024 },
        { "1Ti", 1099511627776 },
        { "1Pi", 1125899906842624 },
        { "7Ei", 8070450532247928832 },
        { "1k", 1000 },
        { "1M", 1000000 },
        { "3G", 3000000000 },
        { "1T", 1000000000000 },
        { "1P", 1000000000000000 },
        { "1m", 1 },
        { "500m", 1 },
        { "1000m", 1 },
        { "1001m", 2 },
        { "1.5m", 1 },
        { "1n", 1 },
        { "1u", 1 },
        { "0m", 0 },
        { "-500m", -1 },
        { "-1.5", -2 },
        { "1e-400", 1 },
        { "0e9999", 0 },
        { "0e99999999999999999999", 0 },
        { "0.0000000000000000000000000000000000001", 1 },
        { "1000000000000000000000000000e-27", 1 },
        { "1.0000000000000000000000000000000", 1 },
        { "9223372036854775807", INT64_MAX },
        { "9223372036854775806.1", INT64_MAX },
        { "-9223372036854775808", INT64_MIN },
        { "-8Ei", INT64_MIN },
        { "9.223372036854775807E", INT64_MAX },
        { "7.9999999999999999Ei", INT64_MAX - 114 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t value = -7;
        struct err err;

        CHECK_OK(quantity_parse(rows[i].text, &value, &err), &err);
        if (value != rows[i].value)
            check_fail(CHECK_HERE, "%s is %jd, should be %jd", rows[i].text, (intmax_t)value,
                       (intmax_t)rows[i].value);
    }
}

TEST(what_is_no_quantity_is_refused_and_leaves_the_result_alone)
{
    static const struct {
        const char *text;
        const char *says;
    } rows[] = {
        { "", "not a quantity" },
        { ".", "not a quantity" },
        { "-", "not a quantity" },
        { "Gi", "not a quantity" },
        { "12Q", "Ki Mi Gi" },
        { "1K", "Ki Mi Gi" },
        { "1ki", "Ki Mi Gi" },
        { "1GB", "Ki Mi Gi" },
        { "1 Gi", "Ki Mi Gi" },
        { " 1", "not a quantity" },
        { "1 ", "Ki Mi Gi" },
        { "1.2.3", "Ki Mi Gi" },
        { "--1", "not a quantity" },
        { "0x10", "Ki Mi Gi" },
        { "1e", "Ki Mi Gi" },
        { "1e3Ki", "Ki Mi Gi" },
        { "1e3.5", "Ki Mi Gi" },
        { "1Ei3", "Ki Mi Gi" },
        { "1,5", "Ki Mi Gi" },
        { "8Ei", "out of range" },
        { "9223372036854775808", "out of range" },
        { "9223372036854775807.1", "out of range" },
        { "-9223372036854775809", "out of range" },
        { "10E", "out of range" },
        { "1e19", "out of range" },
        { "1e9999", "out of range" },
        { "1e99999999999999999999", "out of range" },
        { "123456789012345678901", "significant digits" },
        { "\xff\xff", "not a quantity" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t value = -7;
        struct err err;

        CHECK_FAILS(quantity_parse(rows[i].text, &value, &err), &err, ERR_INVALID);
        CHECK_CONTAINS(err.text, rows[i].says);
        CHECK_EQ(value, -7);
    }
}

TEST(milli_quantities_are_thousandths_rounded_up)
{
    static const struct {
        const char *text;
        int64_t milli;
    } rows[] = {
        { "500m", 500 },
        { "2", 2000 },
        { "0.1", 100 },
        { "1.5m", 2 },
        { "1u", 1 },
        { "1n", 1 },
        { "1Ki", 1024000 },
        { "0.0005", 1 },
        { "-1n", -1 },
        { "1e-3", 1 },
        { "2.0001", 2001 },
        { "0", 0 },
        { "9223372036854775807m", INT64_MAX },
    };
    int64_t milli;
    struct err err;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_OK(quantity_parse_milli(rows[i].text, &milli, &err), &err);
        CHECK_EQ(milli, rows[i].milli);
    }
    CHECK_FAILS(quantity_parse_milli("9223372036854775808m", &milli, &err), &err, ERR_INVALID);
    CHECK_FAILS(quantity_parse_milli("8Pi9", &milli, &err), &err, ERR_INVALID);
    CHECK_FAILS(quantity_parse_milli("9Pi", &milli, &err), &err, ERR_INVALID);
}

TEST(byte_counts_are_written_exactly_and_read_back)
{
    static const struct {
        int64_t bytes;
        const char *text;
    } rows[] = {
        { 0, "0" },
        { 1, "1" },
        { 1000, "1000" },
        { 1024, "1Ki" },
        { 1536, "1536" },
        { 1536 * 1024, "1536Ki" },
        { 1073741824, "1Gi" },
        { -1024, "-1Ki" },
        { (int64_t)1 << 60, "1Ei" },
        { INT64_MAX, "9223372036854775807" },
        { INT64_MIN, "-8Ei" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[QUANTITY_TEXT_SIZE];
        int64_t again;
        struct err err;

        quantity_format_bytes(rows[i].bytes, text, sizeof text);
        CHECK_STR(text, rows[i].text);
        CHECK_OK(quantity_parse(text, &again, &err), &err);
        CHECK_EQ(again, rows[i].bytes);
    }
}

TEST(human_sizes_have_three_digits_at_most)
{
    static const struct {
        int64_t bytes;
        const char *text;
    } rows[] = {
        { 0, "0" },
        { 999, "999" },
        { 1000, "0.98Ki" },
        { 1024, "1Ki" },
        { 1536, "1.5Ki" },
        { 1290, "1.26Ki" },
        { 10 * 1024 + 102, "10.1Ki" },
        { 812 * 1024, "812Ki" },
        { 999 * 1024 + 511, "999Ki" },
        { 999 * 1024 + 512, "0.98Mi" },
        { 1048575, "1Mi" },
        { 1610612736, "1.5Gi" },
        { -1610612736, "-1.5Gi" },
        { INT64_MAX, "8Ei" },
        { INT64_MIN, "-8Ei" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[QUANTITY_TEXT_SIZE];

        quantity_format_human(rows[i].bytes, text, sizeof text);
        CHECK_STR(text, rows[i].text);
    }
}

TEST(milli_values_are_written_whole_when_they_are)
{
    static const struct {
        int64_t milli;
        const char *text;
    } rows[] = { { 0, "0" },
                 { 1500, "1500m" },
                 { 2000, "2" },
                 { -500, "-500m" },
                 { -1000, "-1" },
                 { 1, "1m" },
                 { INT64_MAX, "9223372036854775807m" },
                 { INT64_MIN, "-9223372036854775808m" } };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[QUANTITY_TEXT_SIZE];

        quantity_format_milli(rows[i].milli, text, sizeof text);
        CHECK_STR(text, rows[i].text);
    }
}
