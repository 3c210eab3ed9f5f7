/* elastic/predict.h - what load will be, from what it was: seasonal with a trend. Pure.
 *
 * The value expected at a time is the mean of what was seen at the same phase of earlier seasons,
 * moved by the difference between the last whole season and the one before. How far that would have
 * been off is measured on the recent past, each point predicted from what came before it only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct prediction {
    bool is_known;  /* there was enough to learn from: two seasons and what is predicted from */
    double value;   /* expected 'ahead' steps after the last one; never below 0 */
    double error;   /* mean absolute error over the recent past, per cent of its mean */
};

/* 'series' is one value per step, oldest first; NAN where nothing is known. 'season' and 'ahead' are
 * in steps, 1 or more; the error is measured over the last 'season' / 4 steps, at least 4. */
struct prediction predict(const double *series, size_t count, size_t season, size_t ahead);
