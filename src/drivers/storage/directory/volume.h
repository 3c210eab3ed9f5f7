/* drivers/storage/directory/volume.h - a volume's folder. Blocking: for worker threads, the
 * reads also for start-up. */
#pragma once
#include "drivers/storage/directory/directory.h"

/* In a 0700 folder: a process without privileges reads it only through a descriptor. */
enum { VOLUME_MODE = 0644, IMAGE_UID_SIZE = 40 };

struct volume_facts {
    int64_t size_bytes, allocated_bytes;
    char image_uid[IMAGE_UID_SIZE]; /* "": none */
};
/* ERR_NOT_FOUND when there is no such volume. */
int volume_facts_read(const char *pool, const char *uid, struct volume_facts *ret_facts,
                      struct err *err);

/* Up to whole sectors; what cannot be a size stays what it is. */
int64_t volume_round_size(int64_t size_bytes);

/* The work of volume_create(). */
int volume_create_work(struct op *op, struct err *err);
