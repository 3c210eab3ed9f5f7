/* elastic/autoscale_rates.h - how fast a group may follow its load: stabilisation windows and rates
 * as in HorizontalPodAutoscaler v2 (spec.behavior). Private to the autoscaler. */
#pragma once
#include "elastic/autoscale.h"

/* Remembers 'wanted' and holds it against what was wanted within the windows: outwards the lowest,
 * inwards the highest counts. Returns the number to go to. */
int rates_stabilise(struct autoscale_memory *memory, const struct autoscale_policy *policy, int wanted,
                    int from, int64_t now_ms);
/* Holds 'next' to the members that may come or go within each rate's period. */
int rates_limit(const struct autoscale_memory *memory, const struct autoscale_policy *policy, int next,
                int from, int64_t now_ms);
/* Keeps the change for the rates to come. */
void rates_remember(struct autoscale_memory *memory, const struct autoscale_decision *decision);
