/* elastic/hpa.h - the spec of a HorizontalPodAutoscaler (autoscaling/v2) in the words of an
 * Autoscaler's, so that one policy serves both. Pure. */
#pragma once
#include "base/json.h"

/* 'spec' is validated and defaulted. Owned; for policy_new(). */
json_t *hpa_as_autoscaler(const json_t *spec);
