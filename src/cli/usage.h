/* cli/usage.h - what instances use, as a table for "top". Pure. */
#pragma once
#include "base/json.h"

enum usage_order { USAGE_BY_CPU, USAGE_BY_MEMORY, USAGE_BY_NETWORK, USAGE_BY_NAME, USAGE_ORDER_COUNT };

const char *usage_order_name(enum usage_order order);

/* Keeps the last two different readings of each instance of 'list', from which rates come, in
 * 'samples' (an object, empty at first); forgets instances that are gone. */
void usage_learn(json_t *samples, const json_t *list);

/* The instances of 'list' as a table (table.h), those that use most first. Rates that 'samples' (may
 * be NULL) does not tell are "-". Owned. */
json_t *usage_table(const json_t *list, const json_t *samples, enum usage_order order);
