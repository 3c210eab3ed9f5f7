/* api/url.h - a request target taken apart: path segments and query options. Pure. */
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

enum { URL_SIZE_MAX = 16 * 1024, URL_SEGMENTS_MAX = 12, URL_OPTIONS_MAX = 64 };

struct url_option {
    const char *name;
    const char *value; /* "" when there is no "=" */
};
struct url {
    char *text; /* owns what the rest points into */
    bool has_trailing_slash;
    unsigned segment_count;
    const char
        *segments[URL_SEGMENTS_MAX]; /* decoded; an empty last one (trailing slash) is left out */
    unsigned option_count;
    struct url_option *options; /* decoded, in order */
};

/* Takes the raw target of a request line ("/a/b%20c?x=1&y") apart. ERR_BAD_REQUEST: no
 * absolute path, broken or NUL percent-encoding, "." and ".." steps, an encoded slash in a
 * segment, too long or too many parts. Done with url_done() in any case. */
int url_parse(const char *raw, struct url *ret_url, struct err *err);
void url_done(struct url *url);

/* The first option of that name, or NULL. */
const char *url_option(const struct url *url, const char *name);
/* As Kubernetes reads booleans: absent, "0" and "false" in any case are false, all else is true. */
bool url_flag(const struct url *url, const char *name);
/* A decimal number of 0 or more. '*ret_number' is untouched when the option is absent or empty;
 * ERR_BAD_REQUEST when it is something else. */
int url_number(const struct url *url, const char *name, long long *ret_number, struct err *err);
