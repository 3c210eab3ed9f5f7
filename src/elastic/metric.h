/* elastic/metric.h - what a group is measured by, and one second of it. No I/O, no clock. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum metric_type {
    METRIC_CPU,      /* per cent of the members' processors */
    METRIC_MEMORY,   /* per cent of the members' memory */
    METRIC_NETWORK,  /* bytes per second, in and out together */
    METRIC_REQUESTS, /* requests per second at the balancer (TCP: connections) */
    METRIC_QUEUE,    /* requests that wait at the balancer for a member */
    METRIC_LATENCY,  /* milliseconds to the answer, 95th percentile of the balancer */
    METRIC_CUSTOM,   /* named by the application that pushes or exposes it */
    METRIC_TYPE_COUNT
};

enum { CUSTOM_METRICS_MAX = 8, METRIC_NAME_SIZE = 64, METRIC_SLOTS = METRIC_CUSTOM + CUSTOM_METRICS_MAX };

/* "CPU", "Memory", ...: as in Autoscaler spec.metrics[].type. */
const char *metric_type_name(enum metric_type type);
/* METRIC_TYPE_COUNT when there is none. */
enum metric_type metric_type_find(const char *name);

/* One metric at one moment. 'sum' is over the members that reported ('reporting' of them), or the
 * whole group's where nobody reports by member (REQUESTS, QUEUE, LATENCY, and custom ones that are
 * pushed without a member: 'is_whole'): then 'reporting' is the number of members that share it. */
struct metric_value {
    bool is_known;
    double sum;
    unsigned reporting;
    bool is_whole; /* may be false for those that always are */
};

/* Whether it can be the value of a custom metric: from 0 to METRIC_AMOUNT_MAX, beyond which sums and squares
 * of what all members say would lose their meaning. No NaN is. */
#define METRIC_AMOUNT_MAX 1e18
bool metric_is_amount(double value);

/* The group as it was found at 'wall_ms'. */
struct sample {
    int64_t wall_ms;
    unsigned members;  /* records in any state, failed and leaving ones too */
    unsigned ready, starting, failed, leaving;
    struct metric_value values[METRIC_SLOTS]; /* by type; METRIC_CUSTOM + i is custom[i] */
};

/* Names of the custom slots; "" is free. */
struct metric_names {
    char custom[CUSTOM_METRICS_MAX][METRIC_NAME_SIZE];
};
/* The slot of a metric; -1: no such custom one (and, when 'add', no slot is free). */
int metric_slot(struct metric_names *names, enum metric_type type, const char *custom, bool add);
