/* drivers/storage/directory/fetch_headers.h - what a server said of a download. Pure. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { FETCH_VALIDATOR_SIZE = 256, FETCH_HEADERS_MAX = 256 * 1024 };

struct fetch_headers {
    int status;                           /* of the last response; 0: none yet */
    int64_t total_bytes;                  /* of the whole file; -1: not said */
    char validator[FETCH_VALIDATOR_SIZE]; /* for If-Range: a strong ETag, else Last-Modified; "" */
};

/* Reads the header blocks that curl's --dump-header wrote, of redirects and of the response
 * proper, which is the last. Cut or malformed lines are passed over. */
void fetch_headers_parse(const char *text, size_t size, struct fetch_headers *ret_headers);
