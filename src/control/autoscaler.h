/* control/autoscaler.h - what the files of the Autoscaler controller share.
 *
 *   autoscaler.c          the object: registered, shown
 *   autoscaler_tick.c     once a second: sampled, decided, carried out
 *   autoscaler_sample.c   the group as it is: members, what they use, what the balancer says
 *   autoscaler_custom.c   metrics that applications push or expose
 *   autoscaler_hpa.c      what a HorizontalPodAutoscaler shows
 *   autoscaler_vertical.c larger members before more of them
 *   autoscaler_logbook.c  samples and decisions on disk
 *   autoscaler_predict.c  what load will be
 *   autoscaler_scrape.c   asks members for what they expose
 *   autoscaler_sleep.c    no member without traffic, and one again with the first connection
 *
 * The last samples are in memory too; the decision itself is elastic/autoscale.h. */
#pragma once
#include "base/map.h"
#include "control/autoscaler_logbook.h"
#include "control/control.h"
#include "elastic/exposition.h"
#include "elastic/policy.h"

/* Samples are those of the longest window, and more. */
enum { SCALER_SAMPLES_MAX = 1200, SCALER_DECISIONS_MAX = 10 };

/* What a member had used when it was looked at last. */
struct member_use {
    uint64_t cpu_ns;
    int64_t wall_ms, net_bytes, net_wall_ms;
    double net_rate; /* bytes per second between the last two readings; -1: unknown */
    double cpus_used, memory_used; /* processors, smoothed over the window, and bytes; -1: unknown */
    int64_t seen_ms; /* time of the last sample in which it was a member */
};

/* Why the last member stays: a CamelCase word, NULL when it may go, and a sentence. Both static. */
struct sleep_obstacle {
    const char *reason, *message;
};

/* The means of the minute under way. */
struct scaler_minute {
    int64_t number; /* since 1970 */
    unsigned samples, known[METRIC_SLOTS];
    struct sample mean; /* sums, until it is over */
};

/* An Autoscaler or a HorizontalPodAutoscaler. */
struct scaler {
    struct control *control;
    const struct kind *kind;
    char *namespace_name, *name, *uid, *created;
    char *target;                 /* the InstanceGroup, as last seen; NULL: not seen yet */
    char *rival;                  /* what else scales it and was there before, as "autoscaler web"; or NULL */
    struct logbook *logbook;
    struct policy *policy;        /* NULL: read anew at the next second */
    int64_t policy_generation;    /* of the Autoscaler it was read from */
    int policy_min, policy_max;   /* of the group, likewise */
    struct metric_names names;
    struct sample *samples;       /* newest last */
    size_t sample_count;
    struct map *uses;             /* uid of a member: struct member_use */
    struct map *growing;          /* uid of a member: what autoscaler_vertical.c remembers; or NULL */
    struct map *custom;           /* "METRIC\nMEMBER": struct custom_value */
    struct scrape *scrapes;       /* under way */
    unsigned scrape_count;
    int64_t scraped_ms;           /* wall clock; when they were begun last */
    size_t scraped_size;          /* bytes that members have answered since */
    char *scrape_trouble;         /* why not all that members expose is known; or NULL */
    int64_t scrape_trouble_ms;    /* wall clock; when it was last met */
    struct autoscale_memory memory;
    struct scaler_minute minute;
    struct trend *trend;          /* NULL: nothing is to be predicted */
    struct recollection *recollection; /* what was recorded is being read for it; or NULL */
    unsigned trend_age;           /* when it was last shown */
    int64_t traffic_ms;           /* when traffic was last seen; 0: nothing known */
    uint64_t requests, bytes;     /* of the balancer, at the last look */
    struct sleep_obstacle obstacle;
    int64_t woken_generation;     /* of the group, when it was last woken between two seconds */
    struct autoscale_decision decision;
    bool has_decision, has_looked, group_found; /* has_looked: for the group, since the daemon began */
    bool is_outdated; /* the decision is by a policy that is gone */
    json_t *decisions;            /* as in status.decisions */
    char *shown;                  /* gist of the last one told */
    int64_t changed_ms;           /* when the number was last changed; 0: never */
    struct err err;               /* why there is no policy */
    bool is_dirty;                /* status is behind */
};

struct scaler *scaler_ensure(struct control *control, const struct kind *kind, const json_t *autoscaler);
/* The Autoscaler goes: nothing is sampled or written for it any more. */
void scaler_forget(struct control *control, const struct kind *kind, const json_t *autoscaler);
/* Reads its policy at once instead of at the next second. */
void scaler_read(struct scaler *scaler);
/* Autoscalers of a group: the first by name, with its policy read; NULL: none. */
struct scaler *scaler_of_group(struct control *control, const char *namespace_name, const char *group);

/* May the last member go? */
bool scaler_may_sleep(struct scaler *scaler, const json_t *autoscaler, const json_t *group);
/* The condition that tells it. */
void scaler_show_sleep(struct work *work, const struct scaler *scaler);

/* Decides now, between two seconds. */
void scaler_decide_now(struct scaler *scaler);
/* Its currentMetrics, as HorizontalPodAutoscaler has them. */
void scaler_show_hpa(struct work *work, const struct scaler *scaler);

/* Fills '*ret_sample' and '*ret_group'. */
void scaler_sample(struct scaler *scaler, const json_t *group, struct sample *ret_sample,
                   struct autoscale_group *ret_group);

/* Whether all members can be given more, and what each is to have after the decision. */
void scaler_vertical_look(struct scaler *scaler, const json_t *group, struct autoscale_group *now);
void scaler_vertical_act(struct scaler *scaler, const json_t *group);

void scaler_keep_minute(struct scaler *scaler, const struct sample *sample);
/* The policy is another one: learns what was recorded for what it wants predicted, if anything. */
void scaler_predict_anew(struct scaler *scaler);
void scaler_forecast(struct scaler *scaler, const struct sample *sample, struct autoscale_forecast *ret_forecast);
void scaler_show_prediction(struct work *work, const struct scaler *scaler);
void scaler_forget_prediction(struct scaler *scaler);

/* Asks members for what they expose, when it is time. */
void scaler_scrape(struct scaler *scaler, const json_t *autoscaler, const json_t *group);
void scrapes_cut_off(struct scaler *scaler);
/* What of it cannot be used, as a condition. */
void scrapes_show(struct work *work, const struct scaler *scaler);
/* What a member has answered; of a counter its rate counts. */
void scaler_custom_exposed(struct scaler *scaler, const char *member, const char *metric,
                           const struct exposed *exposed);
/* Adds what was pushed or exposed lately to the sample. */
void scaler_custom_add(struct scaler *scaler, unsigned ready, struct sample *sample);
