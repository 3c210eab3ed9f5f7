/* cli/reasons.h - why an object is as it is, as sentences for people. Pure. */
#pragma once
#include "base/json.h"
#include "kinds/kind.h"

/* What it is in, and each of its conditions that is not as it should be: for an Instance the step
 * of its start that it waits at. */
void reasons_object(const struct kind *kind, const json_t *object, struct buf *to);

/* A decision of an Autoscaler with its inputs: a line of the subresource "decisions". */
void reasons_decision(const json_t *decision, struct buf *to);
/* The last 'count' of such lines, oldest first. What is no decision is passed over. Returns how
 * many. */
unsigned reasons_decisions(const char *lines, size_t size, unsigned count, struct buf *to);
