/* tests/unit/elastic/test_trend.c - simulated days. */
#include "check.h"
#include "base/random.h"
#include "elastic/trend.h"
#include <math.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
static const int64_t BEGIN = 20000LL * DAY;

/* A quiet night, a busy day from eight to eight. */
static double load_at(int64_t wall_ms)
{
    int64_t hour = wall_ms % DAY / HOUR;

    return hour >= 8 && hour < 20 ? 1000 : 100;
}

static void live_through(struct trend *trend, int64_t from_ms, int64_t to_ms, double factor)
{
    for (int64_t at = from_ms; at < to_ms; at += MINUTE)
        trend_add(trend, at, at + MINUTE, load_at(at) * factor);
}

TEST(a_day_like_the_last_ones_is_foreseen)
{
    auto_clean(trend_free_auto) struct trend *trend = trend_new(DAY, 10 * MINUTE);
    struct prediction prediction;

    live_through(trend, BEGIN, BEGIN + 3LL * DAY + 7 * HOUR + 30 * MINUTE, 1);
    prediction = trend_predict(trend);
    CHECK(prediction.is_known);
    CHECK(prediction.error < 5);
    CHECK(prediction.value < 200); /* the night goes on */
    live_through(trend, BEGIN + 3LL * DAY + 7 * HOUR + 30 * MINUTE,
                 BEGIN + 3LL * DAY + 7 * HOUR + 57 * MINUTE, 1);
    prediction = trend_predict(trend);
    CHECK(prediction.is_known);
    CHECK(prediction.value > 500); /* the day begins in three minutes */
    CHECK(prediction.error < 20);
}

TEST(growth_from_day_to_day_is_carried_on)
{
    auto_clean(trend_free_auto) struct trend *trend = trend_new(DAY, 10 * MINUTE);
    struct prediction prediction;

    for (int day = 0; day < 4; day++)
        live_through(trend, BEGIN + (int64_t)day * DAY, BEGIN + (int64_t)(day + 1) * DAY,
                     1 + 0.1 * day);
    live_through(trend, BEGIN + 4LL * DAY, BEGIN + 4LL * DAY + 12 * HOUR, 1.4);
    prediction = trend_predict(trend);
    CHECK(prediction.is_known);
    CHECK(fabs(prediction.value - 1400) < 150);
}

TEST(noise_has_a_large_error)
{
    auto_clean(trend_free_auto) struct trend *trend = trend_new(DAY, 10 * MINUTE);
    struct random_seeded random = { 7 };
    struct prediction prediction;

    for (int64_t at = BEGIN; at < BEGIN + 3LL * DAY; at += 5 * MINUTE)
        trend_add(trend, at, at + 5 * MINUTE,
                  (double)random_below(&random, 1000) * (double)random_below(&random, 1000));
    prediction = trend_predict(trend);
    CHECK(prediction.is_known);
    CHECK(prediction.error > 40);
}

TEST(less_than_two_seasons_tell_nothing)
{
    auto_clean(trend_free_auto) struct trend *trend = trend_new(DAY, 10 * MINUTE);

    CHECK(!trend_predict(trend).is_known);
    live_through(trend, BEGIN, BEGIN + DAY + 12 * HOUR, 1);
    CHECK(!trend_predict(trend).is_known);
}

TEST(a_season_of_seconds_and_one_of_a_week_both_fit)
{
    auto_clean(trend_free_auto) struct trend *quick = trend_new(2 * MINUTE, 5 * SECOND),
                                             *slow = trend_new(7LL * DAY, 5 * MINUTE);

    for (int64_t at = BEGIN; at < BEGIN + 6 * MINUTE; at += SECOND)
        trend_add(quick, at, at + SECOND, at % (2 * MINUTE) < MINUTE ? 10 : 50);
    CHECK(trend_predict(quick).is_known);
    CHECK(trend_predict(quick).error < 10);
    for (int64_t at = BEGIN; at < BEGIN + 21LL * DAY; at += 10 * MINUTE)
        trend_add(slow, at, at + 10 * MINUTE, at % (7LL * DAY) < 5LL * DAY ? 100 : 10);
    CHECK(trend_predict(slow).is_known);
}

TEST(the_past_and_long_gaps_do_no_harm)
{
    auto_clean(trend_free_auto) struct trend *trend = trend_new(DAY, 10 * MINUTE);
    unsigned age;

    live_through(trend, BEGIN, BEGIN + 3LL * DAY, 1);
    CHECK(trend_predict(trend).is_known);
    age = trend_age(trend);
    trend_add(trend, BEGIN, BEGIN + MINUTE, 1e9);              /* too late */
    trend_add(trend, BEGIN + 3LL * DAY, BEGIN + 3LL * DAY, 5); /* no time at all */
    trend_add(trend, -5, 5, 5);
    trend_add(trend, BEGIN + 3LL * DAY, BEGIN + 3LL * DAY + MINUTE, (double)NAN);
    (void)trend_predict(trend);
    CHECK(trend_age(trend) <= age + 1);
    trend_add(trend, BEGIN + 300LL * DAY, BEGIN + 300LL * DAY + MINUTE, 5);
    CHECK(!trend_predict(trend).is_known); /* forgotten */
}

/* Nine days, of which the last is simulated minute by minute: is the group large enough as the day
 * begins? */
TEST(whoever_acts_on_it_is_ready_when_the_day_begins)
{
    auto_clean(trend_free_auto) struct trend *trend = trend_new(DAY, 15 * MINUTE);
    int64_t today = BEGIN + 8LL * DAY;
    double foreseen_at_eight = 0, before_half_seven = 0;

    live_through(trend, BEGIN, today, 1);
    for (int64_t at = today; at < today + 8 * HOUR; at += MINUTE) {
        struct prediction prediction;

        trend_add(trend, at, at + MINUTE, load_at(at));
        prediction = trend_predict(trend);
        if (at < today + 7 * HOUR + 30 * MINUTE && prediction.value > before_half_seven)
            before_half_seven = prediction.value;
        foreseen_at_eight = prediction.value;
    }
    CHECK(before_half_seven < 150);
    CHECK(foreseen_at_eight > 900);
}
