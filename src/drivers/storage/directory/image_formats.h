/* drivers/storage/directory/image_formats.h - the formats image_detect() knows, one file each. */
#pragma once
#include "drivers/storage/directory/image_detect.h"
#include <string.h>

enum { SECTOR_SIZE = 512 };

/* Reads, with what lies beyond the end of the file told as "truncated". */
int image_read(const struct image_bytes *bytes, uint64_t offset, void *to, size_t count,
               struct err *err);
/* ERR_INVALID "truncated" unless the range lies within the file. 'what' names it. */
int image_has_range(const struct image_bytes *bytes, const char *what, uint64_t offset,
                    uint64_t count, struct err *err);

/* Each checks a file that has the format's signature and gives its virtual size. */
int qcow2_check(const struct image_bytes *bytes, int64_t *ret_virtual_bytes, struct err *err);
/* The same for a volume of ours, which may name a backing file: nobody follows that name. */
int qcow2_check_volume(const struct image_bytes *bytes, int64_t *ret_virtual_bytes,
                       struct err *err);
int vmdk_check(const struct image_bytes *bytes, int64_t *ret_virtual_bytes, struct err *err);
int vhdx_check(const struct image_bytes *bytes, int64_t *ret_virtual_bytes, struct err *err);
int vdi_check(const struct image_bytes *bytes, int64_t *ret_virtual_bytes, struct err *err);
int iso_check(const struct image_bytes *bytes, int64_t *ret_virtual_bytes, struct err *err);
int raw_check(const struct image_bytes *bytes, int64_t *ret_virtual_bytes, struct err *err);

/* Each finds data that the tables name beyond the end of a file that passed its check. */
int qcow2_check_whole(const struct image_bytes *bytes, struct err *err);
int vmdk_check_whole(const struct image_bytes *bytes, struct err *err);
int vhdx_check_whole(const struct image_bytes *bytes, struct err *err);
int vdi_check_whole(const struct image_bytes *bytes, struct err *err);

/* A virtual size from a header, which may be any number. */
int image_take_size(uint64_t virtual_bytes, int64_t *ret_virtual_bytes, struct err *err);

static inline uint16_t le16(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }
static inline uint32_t le32(const uint8_t *at) { return le16(at) | (uint32_t)le16(at + 2) << 16; }
static inline uint64_t le64(const uint8_t *at) { return le32(at) | (uint64_t)le32(at + 4) << 32; }
static inline uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}
static inline uint64_t be64(const uint8_t *at) { return (uint64_t)be32(at) << 32 | be32(at + 4); }
