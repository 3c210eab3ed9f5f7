/* elastic/predict.c - the same phase of earlier seasons, and the drift between them. */
#include "elastic/predict.h"
#include <math.h>

enum { SEASONS_MAX = 4, BACKTEST_MIN = 4 };

/* Mean of the known values in [from, to); NAN when fewer than half are known. */
static double mean_of(const double *series, size_t from, size_t to)
{
    double sum = 0;
    size_t known = 0;

    for (size_t i = from; i < to; i++) {
        if (isnan(series[i]))
            continue;
        sum += series[i];
        known++;
    }
    return known > 0 && known * 2 >= to - from ? sum / (double)known : (double)NAN;
}

/* A single point is noise: its neighbours at the same phase count with it. */
static double around(const double *series, size_t count, size_t at)
{
    size_t from = at >= 1 ? at - 1 : 0, to = at + 2 <= count ? at + 2 : count;

    return mean_of(series, from, to);
}

/* The value expected 'ahead' steps after series[count - 1]; NAN when there is too little. */
static double expect(const double *series, size_t count, size_t season, size_t ahead)
{
    double sum = 0, recent, before;
    size_t seen = 0, first_seen = 0;

    if (count < 2 * season || ahead > season)
        return (double)NAN;
    for (size_t back = 1; back <= SEASONS_MAX && count - 1 + ahead >= back * season; back++) {
        double value = around(series, count, count - 1 + ahead - back * season);

        if (isnan(value))
            continue;
        sum += value;
        seen++;
        first_seen += back;
    }
    if (seen == 0)
        return (double)NAN;
    recent = mean_of(series, count - season, count);
    before = mean_of(series, count - 2 * season, count - season);
    if (isnan(recent) || isnan(before))
        return (double)NAN;
    /* The seasons averaged lie 'first_seen / seen' back on average; each season drifted so much. */
    sum = sum / (double)seen + (recent - before) * ((double)first_seen / (double)seen);
    return sum < 0 ? 0 : sum;
}

struct prediction predict(const double *series, size_t count, size_t season, size_t ahead)
{
    struct prediction prediction = { 0 };
    size_t window = season / 4 > BACKTEST_MIN ? season / 4 : BACKTEST_MIN, tested = 0;
    double off = 0, size = 0;

    prediction.value = expect(series, count, season, ahead);
    if (isnan(prediction.value)) {
        prediction.value = 0;
        return prediction;
    }
    for (size_t back = 0; back < window && count >= back + ahead + 1; back++) {
        double actual = series[count - 1 - back];
        double expected = expect(series, count - back - ahead, season, ahead);

        if (isnan(actual) || isnan(expected))
            continue;
        off += fabs(actual - expected);
        size += fabs(actual);
        tested++;
    }
    if (tested < BACKTEST_MIN || size <= 0)
        return prediction;
    prediction.is_known = true;
    prediction.error = 100 * off / size;
    return prediction;
}
