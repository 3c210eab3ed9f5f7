/* tests/unit/elastic/test_calendar.c - schedules in their time zones. */
#include "base/quantity.h"
#include "check.h"
#include "elastic/calendar.h"

static int64_t at(const char *text)
{
    int64_t wall_ms;
    struct err err;

    CHECK_OK(time_parse(text, &wall_ms, &err), &err);
    return wall_ms;
}

static struct calendar *calendar(const char *text, const char *zone)
{
    struct err err;
    struct calendar *made;

    err_clear(&err);
    made = calendar_new(text, zone, &err);
    if (!made)
        check_fail(CHECK_HERE, "%s: %s", text, err.text);
    return made;
}

static void check_time(int64_t wall_ms, const char *expected)
{
    char text[TIME_TEXT_SIZE];

    time_format(wall_ms, text, sizeof text);
    CHECK_STR(text, expected);
}

static const struct row {
    const char *text, *zone, *from, *next;
} rows[] = {
    { "* * * * *", "UTC", "2026-11-21T10:00:00Z", "2026-11-21T10:01:00Z" },
    { "0 8 * * 1-5", "UTC", "2026-11-21T10:00:00Z", "2026-11-23T08:00:00Z" }, /* a Saturday */
    { "0 8 * * mon", "Europe/Berlin", "2026-11-21T10:00:00Z", "2026-11-23T07:00:00Z" },
    { "0 8 * * mon", "Europe/Berlin", "2026-07-01T00:00:00Z", "2026-07-06T06:00:00Z" },
    { "*/15 9-10 * * *", "", "2026-11-21T09:46:00Z", "2026-11-21T10:00:00Z" },
    { "5/20 * * * *", "UTC", "2026-11-21T09:46:00Z", "2026-11-21T10:05:00Z" },
    { "0 0 29 2 *", "UTC", "2026-11-21T00:00:00Z", "2028-02-29T00:00:00Z" },
    { "0 0 13 * 5", "UTC", "2026-11-21T00:00:00Z", "2026-11-27T00:00:00Z" }, /* Friday or 13th */
    { "0 0 * dec 7", "UTC", "2026-11-21T00:00:00Z", "2026-12-06T00:00:00Z" },
    { "@monthly", "UTC", "2026-11-21T00:00:00Z", "2026-12-01T00:00:00Z" },
    { "0 12 * * *", "Pacific/Kiritimati", "2026-11-21T00:00:00Z", "2026-11-21T22:00:00Z" },
    /* 02:30 does not exist on 2026-03-29 in Berlin. */
    { "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z" },
    { "0 0 1 1 *", "America/New_York", "2026-11-21T00:00:00Z", "2027-01-01T05:00:00Z" },
};

TEST(the_next_firing_is_found)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_clean(calendar_free_auto) struct calendar *made = calendar(rows[i].text, rows[i].zone);

        check_time(calendar_next(made, at(rows[i].from)), rows[i].next);
    }
}

TEST(the_last_firing_is_found_within_its_time_only)
{
    auto_clean(calendar_free_auto) struct calendar *made = calendar("0 8 * * 1-5", "Europe/Berlin");
    int64_t now = at("2026-11-20T15:00:00Z"); /* a Friday */

    check_time(calendar_last(made, now, 10 * 3600 * 1000), "2026-11-20T07:00:00Z");
    CHECK_EQ(calendar_last(made, now, 7 * 3600 * 1000), -1);
    check_time(calendar_last(made, at("2026-11-20T07:00:00Z"), 0), "2026-11-20T07:00:00Z");
    CHECK_EQ(calendar_last(made, at("2026-11-22T15:00:00Z"), 24 * 3600 * 1000), -1);
}

TEST(the_hour_that_comes_twice_fires_once)
{
    auto_clean(calendar_free_auto) struct calendar *made = calendar("30 2 * * *", "Europe/Berlin");
    int64_t first = calendar_next(made, at("2026-10-24T12:00:00Z"));

    check_time(first, "2026-10-25T00:30:00Z"); /* in summer time */
    check_time(calendar_next(made, first), "2026-10-26T01:30:00Z");
    check_time(calendar_last(made, at("2026-10-25T01:45:00Z"), 6 * 3600 * 1000), "2026-10-25T00:30:00Z");
}

/* Every one of the day that is asked for by calendar_next() is the calendar_last() at its time. */
static void check_firings(const char *text, const char *zone, const char *from, const char *const *expected)
{
    auto_clean(calendar_free_auto) struct calendar *made = calendar(text, zone);
    int64_t wall_ms = at(from);

    for (; *expected; expected++) {
        wall_ms = calendar_next(made, wall_ms);
        check_time(wall_ms, *expected);
        check_time(calendar_last(made, wall_ms + 59 * 1000, 3600 * 1000), *expected);
    }
}

TEST(one_that_repeats_goes_on_through_the_hour_that_comes_twice)
{
    check_firings("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:45:00Z",
                  (const char *const[]){ "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z",
                                         "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z", NULL });
    check_firings("@hourly", "Europe/Berlin", "2026-10-24T23:45:00Z",
                  (const char *const[]){ "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z", NULL });
    /* By half an hour only, and over midnight. */
    check_firings("40 1 * * *", "Australia/Lord_Howe", "2026-04-04T02:00:00Z",
                  (const char *const[]){ "2026-04-04T14:40:00Z", "2026-04-05T15:10:00Z", NULL });
    check_firings("30 23 * * *", "Asia/Beirut", "2026-10-24T12:00:00Z",
                  (const char *const[]){ "2026-10-24T20:30:00Z", "2026-10-25T21:30:00Z", NULL });
    check_firings("30 * * * *", "Asia/Beirut", "2026-10-24T19:45:00Z",
                  (const char *const[]){ "2026-10-24T20:30:00Z", "2026-10-24T21:30:00Z", "2026-10-24T22:30:00Z", NULL });
}

static const struct bad {
    const char *text, *zone, *part;
} bad[] = {
    { "", "UTC", "0 fields: must be five" },
    { "* * * *", "UTC", "4 fields: must be five" },
    { "* * * * * *", "UTC", "more than five fields" },
    { "60 * * * *", "UTC", "\"60\" is no minute: must be of 0 to 59" },
    { "* 24 * * *", "UTC", "\"24\" is no hour" },
    { "* * 0 * *", "UTC", "\"0\" is no day of month" },
    { "* * * 13 *", "UTC", "\"13\" is no month" },
    { "* * * * 8", "UTC", "\"8\" is no day of week" },
    { "5-1 * * * *", "UTC", "\"5-1\" is no minute" },
    { "*/0 * * * *", "UTC", "\"*/0\" is no minute" },
    { "1, * * * *", "UTC", "\"1,\" is no minute" },
    { "x * * * *", "UTC", "\"x\" is no minute" },
    { "0 0 31 2 *", "UTC", "never fires" },
    { "0 0 31 4,6,9,11 *", "UTC", "never fires" },
    { "* * * * *", "Europe/Nowhere", "unknown time zone \"Europe/Nowhere\"" },
    { "* * * * *", "/etc/localtime", "unknown time zone" },
    { "* * * * *", "../../etc/localtime", "unknown time zone" },
};

TEST(what_is_no_schedule_is_refused_with_the_reason)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err err;

        err_clear(&err);
        if (calendar_new(bad[i].text, bad[i].zone, &err))
            check_fail(CHECK_HERE, "\"%s\" in \"%s\" was taken", bad[i].text, bad[i].zone);
        CHECK_EQ(err.code, ERR_INVALID);
        CHECK_CONTAINS(err.text, bad[i].part);
    }
}
