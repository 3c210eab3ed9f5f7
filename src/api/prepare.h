/* api/prepare.h - what the server adds to an object before it is validated. Pure. */
#pragma once
#include "api/failure.h"
#include "api/write.h"

/* Removes null members everywhere: absent and null mean the same in Kubernetes. */
void prepare_drop_nulls(json_t *object);

/* apiVersion, kind, name and namespace against the address; uid and resourceVersion against
 * 'old'. ERR_BAD_REQUEST or ERR_CONFLICT. Fills in what is missing. */
int prepare_identity(const struct write *write, json_t *object, const json_t *old,
                     struct failure *failure);
/* The metadata that belongs to the server, and status or everything else from 'old', whichever
 * this write may not change. */
void prepare_server_fields(const struct write *write, json_t *object, const json_t *old,
                           int64_t wall_ms);
/* Raises metadata.generation when what is wanted has changed. */
void prepare_generation(const struct write *write, json_t *object, const json_t *old);
/* Depth and finalizer rules that hold for every kind. */
void prepare_check(const json_t *object, const json_t *old, struct causes *causes);
