/* drivers/storage/directory/volume.h - a volume's folder. Blocking: for worker threads, the
 * reads also for start-up. */
#pragma once
#include "drivers/storage/directory/directory.h"

/* In a 0700 folder: a process without privileges reads it only through a descriptor. */
enum { VOLUME_MODE = 0644, IMAGE_UID_SIZE = 40 };

struct volume_facts {
    int64_t size_bytes, allocated_bytes;
    char image_uid[IMAGE_UID_SIZE];  /* at the end of its chain; "": none */
    char parent_uid[IMAGE_UID_SIZE]; /* "": none */
};
/* ERR_NOT_FOUND when there is no such volume. */
int volume_facts_read(const char *pool, const char *uid, struct volume_facts *ret_facts,
                      struct err *err);

/* The files that a disk consists of, the volume's own first. */
struct volume_chain {
    char *paths[DISK_CHAIN_MAX]; /* owned */
    unsigned count;
};
/* ERR_NOT_FOUND when there is no such volume; ERR_TOO_LARGE when it is longer than one can be. */
int volume_chain_read(const struct place *place, const char *pool, const char *uid,
                      struct volume_chain *ret_chain, struct err *err);
void volume_chain_done(struct volume_chain *chain);
#define auto_volume_chain __attribute__((cleanup(volume_chain_done)))

/* Up to whole sectors; what cannot be a size stays what it is. */
int64_t volume_round_size(int64_t size_bytes);

/* The work of volume_create(). */
int volume_create_work(struct op *op, struct err *err);
