/* cli/advice.h - what to do next after the server refused something. Pure. */
#pragma once
#include "base/json.h"

/* One line by the "details" of a Status (NULL is fine), or NULL when there is nothing to say that
 * the error does not say itself. Owned. */
char *advice_of(const json_t *details);
