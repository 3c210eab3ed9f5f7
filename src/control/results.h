/* control/results.h - driver calls that answer with values, carried to the next reconcile.
 *
 * A controller begins an operation, gives the driver a result callback, and finds the value here
 * when it is called again. Values live in memory only. */
#pragma once
#include "control/control.h"

/* Borrowed until the next result of the same name, or NULL: of the object in 'work'. */
void *work_result(struct work *work, const char *name);
/* Keeps a number as a result: "measured at". */
void work_result_keep(struct work *work, const char *name, int64_t number);
void work_result_keep_bytes(struct work *work, const char *name, const void *value, size_t size);
void work_result_forget(struct work *work, const char *name);

/* A carrier for a driver's result callback: it names object and operation and dies with the control. */
struct carrier;
struct carrier *carrier_new(struct work *work, const char *op);
/* Ends the operation; on success keeps a copy of 'size' bytes as the result called 'op'. Frees it. */
void carrier_end(struct carrier *carrier, const struct err *err, const void *value, size_t size);
/* Keeps an interim value called 'name' and has the object looked at again; the carrier goes on. */
void carrier_interim(struct carrier *carrier, const char *name, const void *value, size_t size);

/* Keeps a number as a result of an object that is not in work. */
void control_keep_result(struct control *control, const struct kind *kind, const char *namespace_name,
                         const char *name, const char *result, int64_t number);
