/* drivers/storage/directory/image_import.h - the steps of an import. Blocking: in threads. */
#pragma once
#include "drivers/storage/directory/directory.h"
#include "drivers/storage/directory/image_detect.h"
#include "drivers/storage/directory/image_meta.h"

/* Readable for the child that gets a descriptor; the folder above is 0700. */
enum { STAGED_MODE = 0644, IMAGE_MODE = 0644 };

int image_import_work(struct op *op, struct err *err);

/* --- the steps, each in its own file --- */

/* Downloads op->url to staging/part, going on with what is there. '*ret_fd' reads it. Errors
 * that no further try would mend are ERR_INVALID or ERR_TOO_LARGE. */
int image_fetch(struct op *op, int *ret_fd, struct err *err);

/* SHA-256 of the file into 'ret_sha256', and compared with op->checksum when there is one. */
int image_checksum(struct op *op, int fd, char ret_sha256[65], struct err *err);

/* Decompresses 'fd' into the new file 'work'/NAME; '*ret_fd' reads it. */
int image_decompress(struct op *op, int fd, enum image_format format, const char *work, int *ret_fd,
                     struct err *err);

/* Takes the members of a bundle apart into 'work': kernel and initrd as they stay, the disk as
 * the file behind '*ret_fd'. Fills what the manifest says into 'meta'. */
int image_unbundle(struct op *op, int fd, const char *work, struct image_meta *meta, int *ret_fd,
                   struct err *err);

/* Checks the structure of a disk and writes it as 'work'/disk.qcow2. */
int image_convert(struct op *op, int fd, const struct image_found *found, const char *work,
                  struct err *err);

/* The limit for what an import writes next: ERR_NO_SPACE when nothing is free. */
int image_budget(const struct op *op, int64_t *ret_bytes, struct err *err);
