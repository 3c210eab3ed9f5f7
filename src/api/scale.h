/* api/scale.h - the scale subresource: replicas of a kind seen as autoscaling/v1 Scale. */
#pragma once
#include "api/request.h"

void scale_get(struct request *request);
void scale_update(struct request *request); /* PUT and PATCH */
