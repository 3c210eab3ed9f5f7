/* api/failure.h - why a request is refused, and how the client is told: a Status object. */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "kinds/kind.h"

struct failure {
    struct err err; /* code; text is the message unless 'message' is set */
    char *message;  /* owned; a message too long for an err */
    struct causes causes;
    const struct kind *kind; /* NULL: the request as a whole */
    char *name;              /* owned; of the object, or NULL */
    unsigned retry_after_s;  /* 0: not said */
};
void failure_done(struct failure *failure);
void failure_done_auto(struct failure *failure);
#define auto_failure __attribute__((cleanup(failure_done_auto)))

/* Each fills the failure in the words kubectl knows and returns -1. */
int failure_set(struct failure *failure, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int failure_from(struct failure *failure, const struct err *err);
int failure_not_found(struct failure *failure, const struct kind *kind, const char *name);
int failure_exists(struct failure *failure, const struct kind *kind, const char *name);
/* "Operation cannot be fulfilled on ...: WHY". */
int failure_conflict(struct failure *failure, const struct kind *kind, const char *name,
                     const char *why);
int failure_forbidden(struct failure *failure, const struct kind *kind, const char *name,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));
/* 422 from failure->causes; 409 when all of them are "InUse": their texts say what 'name' is,
 * "is in use by instance "web"; delete that first". */
int failure_invalid(struct failure *failure, const struct kind *kind, const char *name);

int failure_http_status(const struct failure *failure);
json_t *failure_status(const struct failure *failure); /* owned */

/* {"kind":"Status",...,"status":"Success"}, with details when 'kind' is given. Owned. */
json_t *status_success(const struct kind *kind, const char *name, const char *uid);
