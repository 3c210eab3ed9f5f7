/* base/err.h - why something failed, as a value.
 *
 * A function that can fail returns 0 or -1, takes 'struct err *err' last and
 * fills it when it returns -1. Decisions read err->code; people read err->text,
 * which is lower case and grows outside-in: "vm-a: NetworkAttached: no /dev/net/tun". */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* code, HTTP status, Kubernetes reason, does a controller try again by itself */
#define ERR_CODES(X)                                                                               \
    X(ERR_NONE, 200, "", false)                                                                    \
    X(ERR_BAD_REQUEST, 400, "BadRequest", false)                                                   \
    X(ERR_UNAUTHORIZED, 401, "Unauthorized", false)                                                \
    X(ERR_FORBIDDEN, 403, "Forbidden", false)                                                      \
    X(ERR_NOT_FOUND, 404, "NotFound", true)                                                        \
    X(ERR_METHOD_NOT_ALLOWED, 405, "MethodNotAllowed", false)                                      \
    X(ERR_NOT_ACCEPTABLE, 406, "NotAcceptable", false)                                             \
    X(ERR_REQUEST_TIMEOUT, 408, "Timeout", true)                                                   \
    X(ERR_ALREADY_EXISTS, 409, "AlreadyExists", false)                                             \
    X(ERR_CONFLICT, 409, "Conflict", true)                                                         \
    X(ERR_COMPACTED, 410, "Expired", true)                                                         \
    X(ERR_TOO_LARGE, 413, "RequestEntityTooLarge", false)                                          \
    X(ERR_UNSUPPORTED_MEDIA, 415, "UnsupportedMediaType", false)                                   \
    X(ERR_INVALID, 422, "Invalid", false)                                                          \
    X(ERR_TOO_MANY, 429, "TooManyRequests", true)                                                  \
    X(ERR_INTERNAL, 500, "InternalError", true)                                                    \
    X(ERR_UNAVAILABLE, 503, "ServiceUnavailable", true)                                            \
    X(ERR_TIMEOUT, 504, "Timeout", true)                                                           \
    X(ERR_IO, 500, "InternalError", true)                                                          \
    X(ERR_NO_SPACE, 507, "InsufficientStorage", true)                                              \
    X(ERR_EXHAUSTED, 503, "ServiceUnavailable", true)                                              \
    X(ERR_UNSUPPORTED, 501, "NotImplemented", false)                                               \
    X(ERR_CANCELLED, 499, "Cancelled", false)

enum err_code {
#define X(code, status, reason, again) code,
    ERR_CODES(X)
#undef X
        ERR_CODE_COUNT
};

enum { ERR_TEXT_MAX = 512 };

struct err {
    enum err_code code;
    char text[ERR_TEXT_MAX]; /* cut, never overflowing, at ERR_TEXT_MAX - 1 characters */
};

/* Fills 'err' and returns -1, so that a failing function ends in one line. */
int err_set(struct err *err, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same from errno: the text gains ": No such file or directory", the code
 * follows errno (ENOENT: NOT_FOUND, ENOSPC and EDQUOT: NO_SPACE, EEXIST:
 * ALREADY_EXISTS, EACCES and EPERM: FORBIDDEN, ETIMEDOUT: TIMEOUT, else IO). */
int err_errno(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts context before the text, "context: text"; the code stays. Returns -1. */
int err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same functions, so that compilers see the -1: a caller that returns it has then not
 * left its results unset, which they would warn of. */
#define err_set(...) __extension__({ (void)err_set(__VA_ARGS__); -1; })
#define err_errno(...) __extension__({ (void)err_errno(__VA_ARGS__); -1; })
#define err_wrap(...) __extension__({ (void)err_wrap(__VA_ARGS__); -1; })

/* No error: code ERR_NONE, empty text. */
void err_clear(struct err *err);

int err_http_status(enum err_code code);
const char *err_reason(enum err_code code);     /* the Kubernetes Status reason */
bool err_is_retried(enum err_code code);
const char *err_code_name(enum err_code code);  /* "ERR_NOT_FOUND", for logs and tests */
