/* api/delete.h - how an object is deleted: at once, or marked until its finalizers are gone. */
#pragma once
#include "api/url.h"
#include "api/write.h"

#define FINALIZER_FOREGROUND "foregroundDeletion"
#define FINALIZER_ORPHAN "orphan"

enum propagation { PROPAGATE_BACKGROUND, PROPAGATE_FOREGROUND, PROPAGATE_ORPHAN };

struct delete_options {
    enum propagation propagation;
    int64_t grace_seconds; /* -1: not said */
    bool dry_run;
    char *uid, *revision; /* owned preconditions, or NULL */
};
void delete_options_done(struct delete_options *options);

/* From a DeleteOptions body (may be NULL) and the query. ERR_INVALID, ERR_BAD_REQUEST. Done with
 * delete_options_done() in any case. */
int delete_options_parse(const json_t *body, const struct url *url,
                         struct delete_options *ret_options, struct failure *failure);

/* Turns a fresh write into a deletion; copies the options. Its done gets write->removes when the
 * object is gone, else the marked object. */
void delete_prepare(struct write *write, const struct delete_options *options);

/* Puts a finalizer into an object, or takes it out. */
void delete_set_finalizer(json_t *object, const char *finalizer, bool wanted);
