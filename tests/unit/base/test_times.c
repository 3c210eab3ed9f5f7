#include "check.h"
#include "base/quantity.h"
#include <stdlib.h>

TEST(durations_are_sums_of_numbers_with_units)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        { "0", 0 },
        { "0s", 0 },
        { "30s", 30000 },
        { "1h30m", 5400000 },
        { "1h30m5s250ms", 5405250 },
        { "500ms", 500 },
        { "1m", 60000 },
        { "1m1ms", 60001 },
        { "1s1h", 3601000 },
        { "1.5h", 5400000 },
        { ".5s", 500 },
        { "1.s", 1000 },
        { "0.0001s", 1 },
        { "0.1ms", 1 },
        { "1.000000000999s", 1000 },
        { "2562047788015h", 9223372036854000000 },
        { "9223372036854775807ms", INT64_MAX },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ms = -1;
        struct err err;

        CHECK_OK(duration_parse(rows[i].text, &ms, &err), &err);
        if (ms != rows[i].ms)
            check_fail(CHECK_HERE, "%s is %jd ms", rows[i].text, (intmax_t)ms);
    }
}

TEST(what_is_no_duration_is_refused)
{
    static const struct {
        const char *text;
        const char *says;
    } rows[] = {
        { "", "not a duration" },
        { "5", "not a duration" },
        { "00", "not a duration" },
        { "s", "not a duration" },
        { ".s", "not a duration" },
        { "1d", "not a duration" },
        { "-1s", "not a duration" },
        { "+1s", "not a duration" },
        { "1s ", "not a duration" },
        { " 1s", "not a duration" },
        { "1 s", "not a duration" },
        { "1us", "not a duration" },
        { "1H", "not a duration" },
        { "1h30", "not a duration" },
        { "1.2.3s", "not a duration" },
        { "1e3s", "not a duration" },
        { "2562047788016h", "too long" },
        { "9223372036854775808ms", "too long" },
        { "9223372036854775807ms1ms", "too long" },
        { "99999999999999999999999999s", "too long" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ms = -1;
        struct err err;

        CHECK_FAILS(duration_parse(rows[i].text, &ms, &err), &err, ERR_INVALID);
        CHECK_CONTAINS(err.text, rows[i].says);
        CHECK_EQ(ms, -1);
    }
}

TEST(durations_are_written_as_they_are_read)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        { 0, "0s" },           { 1, "1ms" },         { 500, "500ms" },
        { 1000, "1s" },        { 1500, "1.500s" },   { 60000, "1m" },
        { 60500, "1m0.500s" }, { 5400000, "1h30m" }, { 3600000, "1h" },
        { 3601000, "1h1s" },   { 90000000, "25h" },  { INT64_MAX, "2562047788015h12m55.807s" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[DURATION_TEXT_SIZE];
        int64_t again;
        struct err err;

        duration_format(rows[i].ms, text, sizeof text);
        CHECK_STR(text, rows[i].text);
        CHECK_OK(duration_parse(text, &again, &err), &err);
        CHECK_EQ(again, rows[i].ms);
    }
}

TEST(a_negative_duration_shows_its_sign)
{
    char text[DURATION_TEXT_SIZE];

    duration_format(-1500, text, sizeof text);
    CHECK_STR(text, "-1.500s");
    duration_format(INT64_MIN, text, sizeof text);
    CHECK_STR(text, "-2562047788015h12m55.808s");
}

TEST(ages_are_those_of_kubectl)
{
    enum { S = 1, M = 60, H = 3600, D = 24 * H, Y = 365 * D };
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {
        { -2, "<invalid>" },
        { -1, "0s" },
        { 0, "0s" },
        { 5, "5s" },
        { 119, "119s" },
        { 2 * M, "2m" },
        { 3 * M + 20, "3m20s" },
        { 9 * M + 59, "9m59s" },
        { 10 * M + 30, "10m" },
        { 179 * M + 59, "179m" },
        { 3 * H, "3h" },
        { 7 * H + 59 * M, "7h59m" },
        { 8 * H + 30 * M, "8h" },
        { 47 * H + 59 * M, "47h" },
        { 2 * D, "2d" },
        { 2 * D + 4 * H, "2d4h" },
        { 7 * D + 23 * H, "7d23h" },
        { 8 * D + 5 * H, "8d" },
        { 2 * Y - 1, "729d" },
        { (int64_t)2 * Y, "2y" },
        { (int64_t)3 * Y + 10 * D, "3y10d" },
        { (int64_t)8 * Y + 10 * D, "8y" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[DURATION_TEXT_SIZE];

        duration_format_age(rows[i].seconds * 1000, text, sizeof text);
        CHECK_STR(text, rows[i].text);
    }
}

TEST(times_are_read_with_offsets_and_fractions)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2026-11-21T02:13:36Z", 1795227216000 },
        { "2026-11-21T04:13:36+02:00", 1795227216000 },
        { "2026-11-20T20:43:36-05:30", 1795227216000 },
        { "2026-11-21T02:13:36.5Z", 1795227216500 },
        { "2026-11-21T02:13:36.123456789Z", 1795227216123 },
        { "2026-11-21T02:13:36.000000+00:00", 1795227216000 },
        { "1969-12-31T23:59:59.999Z", -1 },
        { "2024-02-29T00:00:00Z", 1709164800000 },
        { "2000-02-29T00:00:00Z", 951782400000 },
        { "0000-01-01T00:00:00Z", -62167219200000 },
        { "9999-12-31T23:59:59.999Z", 253402300799999 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ms = -7;
        struct err err;

        CHECK_OK(time_parse(rows[i].text, &ms, &err), &err);
        CHECK_EQ(ms, rows[i].ms);
    }
}

TEST(what_is_no_time_is_refused)
{
    static const char *const rows[] = {
        "",
        "now",
        "2026-11-21",
        "2026-11-21 02:13:36Z",
        "2026-11-21t02:13:36z",
        "2026-11-21T02:13:36",
        "2026-11-21T02:13Z",
        "2026-11-21T02:13:36.Z",
        "2026-11-21T02:13:36,5Z",
        "2026-11-21T02:13:36ZZ",
        "2026-11-21T02:13:36+2:00",
        "2026-11-21T02:13:36+0200",
        "2026-11-21T02:13:36+24:00",
        "2026-11-21T02:13:36+02:60",
        "2026-11-21T24:00:00Z",
        "2026-11-21T02:60:00Z",
        "2026-11-21T02:13:60Z",
        "2026-00-21T02:13:36Z",
        "2026-13-21T02:13:36Z",
        "2026-11-00T02:13:36Z",
        "2026-11-31T02:13:36Z",
        "2025-02-29T02:13:36Z",
        "1900-02-29T02:13:36Z",
        "26-11-21T02:13:36Z",
        "+2026-11-21T02:13:36Z",
        "20260-11-21T02:13:36Z",
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ms = -7;
        struct err err;

        CHECK_FAILS(time_parse(rows[i], &ms, &err), &err, ERR_INVALID);
        CHECK_EQ(ms, -7);
    }
}

TEST(times_are_written_in_utc)
{
    static const struct {
        int64_t ms;
        const char *text;
        const char *micro;
    } rows[] = {
        { 0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z" },
        { 1795227216123, "2026-11-21T02:13:36Z", "2026-11-21T02:13:36.123000Z" },
        { -1, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999000Z" },
        { INT64_MAX, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999000Z" },
        { INT64_MIN, "0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[TIME_TEXT_SIZE];
        char micro[TIME_MICRO_TEXT_SIZE];

        time_format(rows[i].ms, text, sizeof text);
        CHECK_STR(text, rows[i].text);
        time_format_micro(rows[i].ms, micro, sizeof micro);
        CHECK_STR(micro, rows[i].micro);
    }
}

TEST(the_time_zone_of_the_process_changes_nothing)
{
    char text[TIME_TEXT_SIZE];
    int64_t ms;
    struct err err;

    setenv("TZ", "Asia/Kolkata", 1);
    time_format(1795227216000, text, sizeof text);
    CHECK_STR(text, "2026-11-21T02:13:36Z");
    CHECK_OK(time_parse(text, &ms, &err), &err);
    CHECK_EQ(ms, 1795227216000);
}
