/* api/reviews.h - "may I?" and "who am I?": authorization.k8s.io and authentication.k8s.io. */
#pragma once
#include "api/request.h"

void review_run(struct request *request);
