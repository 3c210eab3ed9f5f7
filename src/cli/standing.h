/* cli/standing.h - what keeps an instance from being used, and which command helps. Pure. */
#pragma once
#include "base/json.h"

/* It was stopped, or has ended by itself: only a start brings it back. */
bool standing_is_down(const json_t *instance);

/* What one that its group keeps paused until it is wanted waits for; owned. NULL: it is none such. */
char *standing_warm(const json_t *instance);

/* Of one that does not run: sets 'err' (ERR_CONFLICT) to what it is, "web is paused". Returns the line
 * that names what helps, owned, or NULL: there is nothing to do but to wait. */
char *standing_explain(const json_t *instance, struct err *err);
