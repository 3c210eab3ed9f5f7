/* elastic/autoscale.h - how many members a group should have, and why: a pure function.
 *
 *   policy, samples, group, memory, clock  -->  decision (desired, reasons), memory
 *
 * Each part of the policy proposes a number; the largest wins; behaviour (stabilisation, rates,
 * tolerance) slows it as HorizontalPodAutoscaler v2 does; bounds come last and are never broken:
 *
 *   targets, steps, schedules, prediction -> max -> stabilise -> rates -> min..max -> desired
 *
 * What is not known never shrinks a group. Nothing here reads a clock, allocates or fails. */
#pragma once
#include "elastic/calendar.h"
#include "elastic/metric.h"

enum {
    AUTOSCALE_TARGETS_MAX = 8,
    AUTOSCALE_STEPS_MAX = 16,
    AUTOSCALE_SCHEDULES_MAX = 16,
    AUTOSCALE_RATES_MAX = 4,
    AUTOSCALE_PROPOSALS_MAX =
        AUTOSCALE_TARGETS_MAX + AUTOSCALE_STEPS_MAX + AUTOSCALE_SCHEDULES_MAX + 1,
    AUTOSCALE_MEMORY_MAX = 512,
    AUTOSCALE_NAME_SIZE = 64,
    AUTOSCALE_TEXT_SIZE = 512,
    GROUP_SIZE_MAX = 1000,
};

enum target_kind {
    TARGET_AVERAGE, /* value per member (per cent for CPU and memory) */
    TARGET_VALUE,   /* value of the whole group */
};

struct autoscale_target {
    char name[AUTOSCALE_NAME_SIZE]; /* of the item in spec.metrics */
    int slot;                       /* in sample.values */
    enum metric_type type;
    enum target_kind kind;
    double target;                  /* above 0 */
};

struct autoscale_step {
    char name[AUTOSCALE_NAME_SIZE];
    int slot;
    enum metric_type type;
    bool is_above;    /* or below */
    double threshold; /* of the average per member; LATENCY and QUEUE: of the whole */
    int add;          /* members; negative takes away */
    int add_percent;  /* of the ready ones, rounded away from zero; used when add is 0 */
};

struct autoscale_schedule {
    char name[AUTOSCALE_NAME_SIZE];
    struct calendar *calendar; /* borrowed */
    int64_t duration_ms;
    int min;                   /* raises the minimum; -1: leaves it */
    int max;                   /* lowers the maximum; -1: leaves it */
};

/* What the forecast says, made elsewhere (elastic/predict.h); it only ever adds. */
struct autoscale_forecast {
    bool is_used;       /* its error on the recent past is small enough */
    int target;         /* index in policy.targets */
    double sum;         /* expected of the whole group at the horizon */
    double error;       /* mean absolute error on the recent past, per cent of the mean */
    int64_t horizon_ms;
};

struct autoscale_rate {
    bool is_percent;
    int value;         /* above 0 */
    int64_t period_ms;
};

enum rate_select { RATE_MAX, RATE_MIN, RATE_DISABLED };

struct autoscale_behaviour {
    int64_t stabilisation_ms;
    struct autoscale_rate rates[AUTOSCALE_RATES_MAX];
    unsigned rate_count; /* 0: no limit */
    enum rate_select select;
    double tolerance;    /* 0.1: a tenth off the target changes nothing */
};

struct autoscale_policy {
    int min, max;                 /* 0 <= min <= max <= GROUP_SIZE_MAX, max >= 1 */
    int64_t window_ms;            /* samples of this long are averaged */
    int64_t idle_ms;              /* with min 0: this long without traffic leads to none */
    struct autoscale_target targets[AUTOSCALE_TARGETS_MAX];
    unsigned target_count;
    struct autoscale_step steps[AUTOSCALE_STEPS_MAX];
    unsigned step_count;
    struct autoscale_schedule schedules[AUTOSCALE_SCHEDULES_MAX];
    unsigned schedule_count;
    struct autoscale_behaviour out, in;
};

/* The group now. */
struct autoscale_group {
    int desired;          /* what the group aims at now: spec.replicas */
    unsigned members, ready, starting, failed, leaving;
    bool circuit_open;    /* repeated start failures: add nobody */
    int64_t idle_ms;      /* since traffic was last seen at the balancer; -1: unknown */
    bool wake;            /* somebody waits for the first member */
    bool cpu_grows, memory_grows; /* all ready members can be given more of it (vertical.h): that comes first */
};

/* What is remembered from one decision to the next. All zero at first. */
struct autoscale_memory {
    struct autoscale_span {
        int64_t from_ms, to_ms;
        int proposed;
    } spans[AUTOSCALE_MEMORY_MAX]; /* newest last */
    unsigned span_count;
    struct autoscale_change {
        int64_t wall_ms;
        int by;
    } changes[AUTOSCALE_MEMORY_MAX]; /* newest last */
    unsigned change_count;
};

enum autoscale_reason {
    AUTOSCALE_STEADY,          /* as it should be */
    AUTOSCALE_OUT,
    AUTOSCALE_IN,
    AUTOSCALE_WITHIN_TOLERANCE,
    AUTOSCALE_NO_METRICS,      /* nothing known: stays as it is */
    AUTOSCALE_STABILISING,     /* would go, but waits for the window */
    AUTOSCALE_RATE_LIMITED,
    AUTOSCALE_AT_MINIMUM,
    AUTOSCALE_AT_MAXIMUM,
    AUTOSCALE_CIRCUIT_OPEN,
    AUTOSCALE_MEMBERS_GROW,    /* its members are given more before there are more */
    AUTOSCALE_IDLE,            /* to none */
    AUTOSCALE_WOKEN,           /* from none */
    AUTOSCALE_REASON_COUNT
};
/* "ScaleOut", "WithinTolerance", ...: CamelCase, for conditions and events. */
const char *autoscale_reason_name(enum autoscale_reason reason);

struct autoscale_proposal {
    enum proposal_source { FROM_TARGET, FROM_STEP, FROM_SCHEDULE, FROM_FORECAST } source;
    char name[AUTOSCALE_NAME_SIZE]; /* a decision outlives its policy */
    enum metric_type type;
    enum target_kind kind;
    bool is_known;
    bool within_tolerance;
    bool members_grow;    /* would want more members, if they could not be larger */
    double value, target; /* per member or of the whole, as 'kind' says */
    int wanted;           /* members; meaningless when not known */
};

struct autoscale_decision {
    int64_t wall_ms;
    int from, desired;
    unsigned ready;                /* members that serve */
    int wanted;                    /* before stabilisation, rates and bounds */
    int min, max;                  /* in force now, schedules counted */
    enum autoscale_reason reason;
    bool is_limited;               /* bounds or rates held it back */
    struct autoscale_proposal proposals[AUTOSCALE_PROPOSALS_MAX];
    unsigned proposal_count;
    int winner;                    /* index of the proposal that decided; -1: none */
};

/* Average over the samples younger than 'window_ms', newest last; is_known false when no sample of
 * the window has the metric. 'reporting' is that of the newest one that has it. */
struct metric_value samples_average(const struct sample *samples, size_t count, int slot,
                                    int64_t now_ms, int64_t window_ms);

/* For a group that was there before anything is remembered of it: its size counts as a wish, so that the windows
 * of stabilisation begin now. */
void autoscale_begin(struct autoscale_memory *memory, int desired, int64_t now_ms);
/* 'forecast' may be NULL. 'memory' is read and brought up to date. */
void autoscale_decide(const struct autoscale_policy *policy, const struct sample *samples,
                      size_t sample_count, const struct autoscale_group *group,
                      const struct autoscale_forecast *forecast, int64_t now_ms,
                      struct autoscale_memory *memory, struct autoscale_decision *ret_decision);

/* The metrics that nothing is known of, and where they would come from: "jobs (nobody provides it)"; "" when
 * all are known, or no member serves yet. */
void autoscale_unknown(const struct autoscale_decision *decision, char *to, size_t size);
/* The decision as one or two sentences for people. */
void autoscale_words(const struct autoscale_decision *decision, char *to, size_t size);
