/* elastic/exposition.h - metrics as applications expose them: Prometheus' text format, version
 * 0.0.4, as far as it takes to know one metric. Pure; the text comes from a guest and may be
 * anything.
 *
 *   # TYPE jobs_waiting gauge
 *   jobs_waiting{queue="a"} 7 1395066363000 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct exposed {
    double sum;      /* over all its series that are finite */
    unsigned series;
    unsigned refused; /* series whose value is no finite number */
    bool is_counter; /* by "# TYPE": only grows, what counts is its rate */
};
/* Adds whole lines to what was found of the metric so far, which begins as zeros. */
void exposition_add(const char *text, size_t size, const char *name, struct exposed *exposed);
/* False: there is no series of that very name whose value is a finite number. */
bool exposition_find(const char *text, size_t size, const char *name, struct exposed *ret_exposed);
