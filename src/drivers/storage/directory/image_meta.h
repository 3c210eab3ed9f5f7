/* drivers/storage/directory/image_meta.h - what an import found, kept beside the image. */
#pragma once
#include "drivers/storage.h"
#include "drivers/storage/directory/place.h"

enum { COMMAND_LINE_SIZE = 2048 };

struct image_meta {
    struct image_info info;
    char command_line[COMMAND_LINE_SIZE]; /* of the kernel, when there is one */
    bool has_initrd;
};

/* Name of the disk's file in the image's folder. */
const char *image_meta_disk(const struct image_meta *meta);
/* Writes image.json into the folder 'work'. Blocking. */
int image_meta_write(const char *work, const struct image_meta *meta, struct err *err);
/* ERR_NOT_FOUND when there is no such image. Blocking, short. */
int image_meta_read(const struct place *place, const char *uid, struct image_meta *ret_meta,
                    struct err *err);
