/* drivers/storage/directory/fetch_part.h - the part of a download that is there already. */
#pragma once
#include "drivers/storage/directory/fetch_headers.h"
#include "drivers/storage/directory/image_import.h"

struct fetch {
    struct op *op;
    char *shown_url; /* without what may be secret in it */
    int part_fd, headers_fd;
    int64_t size_max;      /* of the whole file */
    bool limited_by_space; /* 'size_max' is what the disk has room for */
    char validator[FETCH_VALIDATOR_SIZE];
    unsigned tries, fruitless, restarts;
};

/* Opens staging/part and staging/headers for the child, once nobody else writes to them. A part
 * from another URL is dropped. */
int fetch_part_open(struct fetch *fetch, struct err *err);
void fetch_part_close(struct fetch *fetch);
int64_t fetch_part_size(const struct fetch *fetch);
/* What the server said in the current try, as far as it is there. */
void fetch_part_headers(const struct fetch *fetch, struct fetch_headers *ret_headers);
/* Keeps what the last response called this version of the file, and forgets the response. */
int fetch_part_settle(struct fetch *fetch, struct err *err);
/* Forgets all bytes. */
int fetch_part_drop(struct fetch *fetch, struct err *err);
/* The whole file, for reading: nobody writes to it any more. */
int fetch_part_take(const struct fetch *fetch, int *ret_fd, struct err *err);
