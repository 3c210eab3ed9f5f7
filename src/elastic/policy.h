/* elastic/policy.h - from the spec of an Autoscaler, as stored and defaulted, to the rules that
 * autoscale_decide() takes. */
#pragma once
#include "base/json.h"
#include "elastic/autoscale.h"
#include "elastic/trend.h"
#include "elastic/vertical.h"

struct policy {
    struct autoscale_policy rules;
    struct policy_prediction {
        bool is_wanted;
        int target;           /* index in rules.targets */
        int64_t season_ms, horizon_ms;
        double max_error;     /* per cent */
    } prediction;
    struct vertical_policy vertical;
    bool only_observes;
};

/* Bounds are those of the group, narrowed by the spec's. 'names' gets the custom metrics that the spec
 * names. NULL and ERR_INVALID that begins with the path of the field: a schedule that never fires, an
 * unknown time zone, too many custom metrics. */
struct policy *policy_new(const json_t *spec, int group_min, int group_max, struct metric_names *names,
                          struct err *err);
/* By a trend of the sums of prediction.target. */
void policy_forecast(const struct policy *policy, struct trend *trend, struct autoscale_forecast *ret_forecast);
void policy_free(struct policy *policy); /* NULL is fine */
DEFINE_AUTO(struct policy, policy_free)
