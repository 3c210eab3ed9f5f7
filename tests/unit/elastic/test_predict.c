/* tests/unit/elastic/test_predict.c - load that repeats, grows, and does neither. */
#include "base/random.h"
#include "check.h"
#include "elastic/predict.h"
#include <math.h>

enum { SEASON = 48, COUNT = 5 * SEASON };

static double day(size_t i) { return 100 + 80 * sin(2 * 3.14159265 * (double)(i % SEASON) / SEASON); }

TEST(what_repeats_is_known_beforehand)
{
    double series[COUNT];

    for (size_t i = 0; i < COUNT; i++)
        series[i] = day(i);
    for (size_t ahead = 1; ahead <= 12; ahead++) {
        struct prediction prediction = predict(series, COUNT, SEASON, ahead);

        CHECK(prediction.is_known);
        CHECK(fabs(prediction.value - day(COUNT - 1 + ahead)) < 2);
        CHECK(prediction.error < 2);
    }
}

TEST(what_grows_from_day_to_day_is_followed)
{
    double series[COUNT];
    struct prediction prediction;

    for (size_t i = 0; i < COUNT; i++)
        series[i] = day(i) + 0.5 * (double)i;
    prediction = predict(series, COUNT, SEASON, 6);
    CHECK(prediction.is_known);
    CHECK(fabs(prediction.value - (day(COUNT + 5) + 0.5 * (COUNT + 5))) < 5);
}

TEST(what_does_not_repeat_shows_in_the_error)
{
    double series[COUNT];
    struct random_seeded random = { 7 };
    struct prediction prediction;

    for (size_t i = 0; i < COUNT; i++)
        series[i] = (double)random_below(&random, 200);
    prediction = predict(series, COUNT, SEASON, 6);
    CHECK(prediction.is_known);
    CHECK(prediction.error > 20);
}

TEST(too_little_history_says_nothing)
{
    double series[COUNT];

    for (size_t i = 0; i < COUNT; i++)
        series[i] = day(i);
    CHECK(!predict(series, 2 * SEASON - 1, SEASON, 1).is_known);
    CHECK(!predict(series, 2 * SEASON, SEASON, 1).is_known);
    CHECK(predict(series, 3 * SEASON, SEASON, 1).is_known);
    CHECK(!predict(series, 0, SEASON, 1).is_known);
    CHECK(!predict(series, COUNT, SEASON, SEASON + 1).is_known);
}

TEST(gaps_are_bridged_when_they_are_small)
{
    double series[COUNT];

    for (size_t i = 0; i < COUNT; i++)
        series[i] = i % 5 == 0 ? (double)NAN : day(i);
    CHECK(predict(series, COUNT, SEASON, 6).is_known);
    CHECK(fabs(predict(series, COUNT, SEASON, 6).value - day(COUNT + 5)) < 10);
    for (size_t i = COUNT - SEASON; i < COUNT; i++)
        series[i] = (double)NAN;
    CHECK(!predict(series, COUNT, SEASON, 6).is_known);
}

TEST(nothing_is_ever_expected_to_be_negative)
{
    double series[COUNT];

    for (size_t i = 0; i < COUNT; i++)
        series[i] = i < COUNT - SEASON ? 500 : 1;
    CHECK(predict(series, COUNT, SEASON, 3).value >= 0);
}
