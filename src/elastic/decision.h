/* elastic/decision.h - a decision with its inputs as JSON: what is kept, and what "virga why"
 * reads.
 *
 *   {"time":"2026-11-21T08:00:01Z","from":1,"desired":3,"wanted":3,"min":1,"max":6,"reason":"ScaleOut",
 *    "message":"out from 1 to 3:
 * ...","group":{"members":1,"ready":1,"starting":0,"failed":0,"leaving":0},
 *    "proposals":[{"source":"Target","name":"cpu","type":"CPU","value":92,"target":60,"wanted":3,
 *                  "decided":true}]}
 *
 * A proposal without a value is of a metric that nothing was known of. */
#pragma once
#include "base/json.h"
#include "elastic/autoscale.h"

/* Owned. */
json_t *decision_json(const struct autoscale_decision *decision,
                      const struct autoscale_group *group);
