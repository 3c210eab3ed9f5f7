/* kinds/tables/scaling.c - what Autoscaler and HorizontalPodAutoscaler have in common. */
#include "kinds/tables/scaling.h"
#include "base/json.h"
#include "base/quantity.h"

const struct field decision_history_options[] = {
    { .name = "last", .type = FIELD_DURATION, .doc = "Only what is not older than that, as 1h; absent: all there is." },
    { 0 },
};

void check_scale_bounds(const json_t *spec, struct causes *causes)
{
    int64_t min = json_int_at(spec, "minReplicas", -1), max = json_int_at(spec, "maxReplicas", -1);

    if (min >= 0 && max >= 0 && min > max)
        causes_invalid(causes, "spec.minReplicas", json_object_get(spec, "minReplicas"),
                       "must not be above spec.maxReplicas (%lld)", (long long)max);
}

bool is_zero_target(const json_t *value)
{
    int64_t milli;
    struct err err;

    if (json_is_integer(value))
        return json_integer_value(value) == 0;
    return json_is_string(value) && quantity_parse_milli(json_string_value(value), &milli, &err) == 0 &&
           milli == 0;
}
