/* api/verbs.h - what is done with one object. Each answers its request, now or later. */
#pragma once
#include "api/request.h"
#include "api/write.h"

void verb_get(struct request *request);
void verb_create(struct request *request);
void verb_update(struct request *request);
void verb_patch(struct request *request);
void verb_delete(struct request *request);
void verb_delete_collection(struct request *request);

/* A write as this request's options describe it (dryRun, fieldValidation, fieldManager), with the
 * object's address; NULL with the failure set. 'name' NULL is taken from the route. */
struct write *verb_write_new(struct request *request, const char *name, struct failure *failure);
/* Refuses a stored object's absence; decodes it otherwise. Owned; NULL with the failure set. */
json_t *verb_stored_object(struct request *request, struct failure *failure);
/* A write_done_fn: answers with the object, 201 when it was created. 'arg' is the request. */
void verb_answer(void *arg, const struct write *write, const struct failure *failure,
                 const struct record *record, const json_t *object);
