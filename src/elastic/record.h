/* elastic/record.h - samples as lines of JSON, one a second: what is kept of a group's load, and what
 * "virga autoscaler replay --from" reads.
 *
 *   {"time":"2026-11-21T08:00:01Z","members":2,"ready":2,"starting":0,"failed":0,"leaving":0,
 *    "metrics":{"CPU":{"sum":131.5,"members":2},"Requests":{"sum":240,"members":2},"jobs":{...}}}
 *
 * "whole": true says that the sum is the group's, pushed without a member: as that of requests is.
 * A name that is none of the built-in metrics' is a custom metric; one that is called as these is
 * written "Custom/NAME". */
#pragma once
#include "base/json.h"
#include "elastic/metric.h"

/* The line without its end. The caller frees it. */
char *record_line(const struct sample *sample, const struct metric_names *names);
/* Reads one line; custom metrics get slots in 'names' while there are free ones, others are left out.
 * ERR_INVALID says what is wrong. */
int record_read(const char *line, size_t size, struct metric_names *names, struct sample *ret_sample,
                struct err *err);
