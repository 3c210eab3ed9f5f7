/* elastic/trend.c - steps that end one after the other. */
#include "elastic/trend.h"
#include "base/mem.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_WISHED = 288, STEPS_MAX = 2016, SEASONS_KEPT = 5, STEP_MS_MIN = 1000 };

struct trend {
    int64_t step_ms;
    size_t season, ahead, capacity;
    double *series; /* means of the steps that are over, oldest first; NAN: nothing known */
    size_t count;
    int64_t step; /* number of the one under way; -1: none yet */
    double sum;   /* of what was added to it */
    unsigned added;
    struct prediction prediction;
    bool is_stale;
    unsigned age;
};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

struct trend *trend_new(int64_t season_ms, int64_t horizon_ms)
{
    struct trend *trend = mem_new(struct trend);
    int64_t step_ms = least(season_ms / STEPS_WISHED, horizon_ms), steps;

    assert(season_ms >= STEP_MS_MIN && horizon_ms >= 1 && horizon_ms <= season_ms);
    step_ms = most(most(step_ms, season_ms / STEPS_MAX), STEP_MS_MIN);
    steps = most(season_ms / step_ms, 1);
    trend->step_ms = season_ms / steps; /* so that a season is a whole number of them */
    trend->season = (size_t)steps;
    /* The step under way is not over: the one after it is two ahead of the last. */
    trend->ahead = (size_t)least((horizon_ms + trend->step_ms - 1) / trend->step_ms + 1, steps);
    trend->capacity = SEASONS_KEPT * trend->season;
    trend->series = mem_array(trend->capacity, sizeof *trend->series);
    trend->step = -1;
    return trend;
}

void trend_free(struct trend *trend)
{
    if (!trend)
        return;
    free(trend->series);
    free(trend);
}

/* A season at a time goes when there is no more room. */
static void push(struct trend *trend, double mean)
{
    if (trend->count == trend->capacity) {
        trend->count -= trend->season;
        memmove(trend->series, trend->series + trend->season, trend->count * sizeof *trend->series);
    }
    trend->series[trend->count++] = mean;
    trend->is_stale = true;
}

static void end_steps_until(struct trend *trend, int64_t step)
{
    if (trend->step >= 0 && step - trend->step > (int64_t)trend->capacity)
        *trend = (struct trend){ .step_ms = trend->step_ms,
                                 .season = trend->season,
                                 .ahead = trend->ahead,
                                 .capacity = trend->capacity,
                                 .series = trend->series,
                                 .step = -1,
                                 .is_stale = true,
                                 .age = trend->age }; /* all of it was too long ago */
    for (; trend->step >= 0 && trend->step < step; trend->step++) {
        push(trend, trend->added ? trend->sum / trend->added : (double)NAN);
        trend->sum = 0;
        trend->added = 0;
    }
    trend->step = step;
}

void trend_add(struct trend *trend, int64_t from_ms, int64_t to_ms, double value)
{
    int64_t last = (to_ms - 1) / trend->step_ms;

    if (from_ms < 0 || to_ms <= from_ms || !isfinite(value))
        return;
    for (int64_t step = most(from_ms / trend->step_ms, last - (int64_t)trend->capacity);
         step <= last; step++) {
        if (step < trend->step)
            continue;
        if (step > trend->step)
            end_steps_until(trend, step);
        trend->sum += value;
        trend->added++;
    }
}

struct prediction trend_predict(struct trend *trend)
{
    if (trend->is_stale) {
        trend->prediction = predict(trend->series, trend->count, trend->season, trend->ahead);
        trend->is_stale = false;
        trend->age++;
    }
    return trend->prediction;
}

unsigned trend_age(const struct trend *trend) { return trend->age; }
