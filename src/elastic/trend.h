/* elastic/trend.h - the load of a group over several seasons, as means of steps, and what comes
 * next by it (elastic/predict.h). No I/O, no clock.
 *
 * A step is as long as the horizon or a 288th of the season, whichever is shorter, and at least a
 * 2016th of the season and a second. Five seasons are kept. */
#pragma once
#include "base/auto.h"
#include "elastic/predict.h"
#include <stdint.h>

struct trend;

/* 'season_ms' 1 s or more; 'horizon_ms' from 1 ms to the season's length. */
struct trend *trend_new(int64_t season_ms, int64_t horizon_ms);
void trend_free(struct trend *trend); /* NULL is fine */
DEFINE_AUTO(struct trend, trend_free)

/* 'value' was the load from 'from_ms' until 'to_ms' (wall clock). What is before the step under way
 * is too late and left out. */
void trend_add(struct trend *trend, int64_t from_ms, int64_t to_ms, double value);
/* For the step in which the horizon ends, by the steps that are over. Costs little when none has
 * ended since the last call. */
struct prediction trend_predict(struct trend *trend);
/* How many times the prediction was made anew. */
unsigned trend_age(const struct trend *trend);
