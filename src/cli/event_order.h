/* cli/event_order.h - events as they happened: the server lists them by name. Pure. */
#pragma once
#include "base/json.h"

/* Puts the rows of a Table of Events in the order of 'events', the same as objects: the last one
 * last. Rows of one time stay as they were. */
void event_rows_order(json_t *table, const json_t *events);
