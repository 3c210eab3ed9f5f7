/* api/dispatch.h - from a route and a method to the function that serves it. */
#pragma once
#include "api/request.h"

/* Finds the verb and checks method and permission. */
int dispatch_prepare(struct request *request, struct failure *failure);
/* Serves a prepared request; it answers now or later. */
void dispatch_run(struct request *request);
/* Whether the body goes to a stream as it comes, instead of being collected. */
bool dispatch_takes_upload(const struct request *request);
