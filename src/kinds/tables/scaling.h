/* kinds/tables/scaling.h - what Autoscaler and HorizontalPodAutoscaler have in common. */
#pragma once
#include "kinds/tables/shapes.h"

/* Types of fields; the rest of the field follows them. */
#define TARGET_VALUE .type = FIELD_QUANTITY, .min = 0, .max = INT64_MAX / 1000 /* thousandths count */
#define PER_CENT .type = FIELD_INT, .min = 1, .max = 100

/* What is scaled. */
#define SCALE_TARGET(fields_)                                                                      \
    { .name = "scaleTargetRef",                                                                    \
      OBJECT(fields_),                                                                             \
      .flags = FIELD_REQUIRED,                                                                     \
      .doc = "What is scaled." }
#define TARGET_GROUP_NAME                                                                          \
    { .name = "name",                                                                              \
      .type = FIELD_SUBDOMAIN,                                                                     \
      .flags = FIELD_REQUIRED,                                                                     \
      .doc = "InstanceGroup of the same namespace." }

/* How fast: spec.behavior.scaleUp and scaleDown, and an item of their policies. Defaults and words differ. */
#define STABILIZATION_WINDOW .name = "stabilizationWindowSeconds", .type = FIELD_INT, .max = 3600
#define SELECT_POLICY .name = "selectPolicy", ENUM("Max", "Min", "Disabled")
#define RATES(fields_)                                                                             \
    .name = "policies", .type = FIELD_LIST, .item = OBJECT_ITEM(fields_), .max = 4
#define RATE_FIELDS                                                                                \
    { .name = "value",                                                                             \
      .type = FIELD_INT,                                                                           \
      .flags = FIELD_REQUIRED,                                                                     \
      .min = 1,                                                                                    \
      .max = 100000,                                                                               \
      .doc = "How many may come or go in the period." },                                           \
    { .name = "periodSeconds",                                                                     \
      .type = FIELD_INT,                                                                           \
      .flags = FIELD_REQUIRED,                                                                     \
      .min = 1,                                                                                    \
      .max = 1800,                                                                                 \
      .doc = "Length of the period in seconds." }
#define TOLERANCE                                                                                  \
    { .name = "tolerance",                                                                         \
      .type = FIELD_QUANTITY,                                                                      \
      .min = 0,                                                                                    \
      .max = 1,                                                                                    \
      .doc = "How far off the target, as a part of it, changes nothing; absent: 0.1." }

/* What was decided. */
#define CURRENT_AND_DESIRED                                                                        \
    { .name = "currentReplicas", .type = FIELD_INT, .doc = "Members of the group in any state." }, \
    { .name = "desiredReplicas", .type = FIELD_INT, .doc = "Members last decided for." }
#define LAST_SCALE_TIME                                                                            \
    { .name = "lastScaleTime", .type = FIELD_TIME, .doc = "When the number was last changed." }

/* Query parameters of the subresources decisions and samples. */
extern const struct field decision_history_options[];

/* That spec.minReplicas is not above spec.maxReplicas, where both are given. */
void check_scale_bounds(const json_t *spec, struct causes *causes);
/* Of a quantity or a number: by it nothing can be divided. */
bool is_zero_target(const json_t *value);
