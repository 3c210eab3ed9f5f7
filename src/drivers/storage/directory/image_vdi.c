/* drivers/storage/directory/image_vdi.c - VirtualBox disks, dynamic and fixed. */
#include "drivers/storage/directory/image_formats.h"
#include <inttypes.h>

enum { MAP_CHUNK_SIZE = 4096, BLOCK_DISCARDED = 0xfffffffe };
enum { HEADER_SIZE = 512, TYPE_DYNAMIC = 1, TYPE_FIXED = 2, VERSION_1_1 = 0x00010001 };

static bool is_zero(const uint8_t *at, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (at[i] != 0)
            return false;
    return true;
}

int vdi_check(const struct image_bytes *bytes, int64_t *ret_virtual_bytes, struct err *err)
{
    uint8_t raw[HEADER_SIZE];
    uint64_t disk_bytes, map_offset, block_count;

    if (image_read(bytes, 0, raw, sizeof raw, err) < 0)
        return -1;
    if (le32(raw + 68) != VERSION_1_1)
        return err_set(err, ERR_INVALID, "version %u.%u is not supported, only 1.1", le16(raw + 70),
                       le16(raw + 68));
    if (le32(raw + 76) != TYPE_DYNAMIC && le32(raw + 76) != TYPE_FIXED)
        return err_set(err, ERR_INVALID,
                       "is of type %" PRIu32 ", a differencing disk; an image must stand alone",
                       le32(raw + 76));
    /* The UUIDs of the linked and of the parent disk. */
    if (!is_zero(raw + 424, 32))
        return err_set(err, ERR_INVALID, "names a parent disk; an image must stand alone");
    map_offset = le32(raw + 340);
    disk_bytes = le64(raw + 368);
    block_count = le32(raw + 384);
    if (image_has_range(bytes, "the block map", map_offset, block_count * 4, err) < 0)
        return -1;
    return image_take_size(disk_bytes, ret_virtual_bytes, err);
}

/* The highest block that any entry of the map names; -1: none. */
static int last_block(const struct image_bytes *bytes, uint64_t map_offset, uint64_t count,
                      int64_t *ret_block, struct err *err)
{
    uint8_t raw[MAP_CHUNK_SIZE];

    *ret_block = -1;
    for (uint64_t at = 0; at < count; at += MAP_CHUNK_SIZE / 4) {
        size_t entries =
            count - at < MAP_CHUNK_SIZE / 4 ? (size_t)(count - at) : MAP_CHUNK_SIZE / 4;

        if (image_read(bytes, map_offset + at * 4, raw, entries * 4, err) < 0)
            return -1;
        for (size_t i = 0; i < entries; i++) {
            uint32_t block = le32(raw + 4 * i);
            if (block < (uint32_t)BLOCK_DISCARDED && (int64_t)block > *ret_block)
                *ret_block = block;
        }
    }
    return 0;
}

int vdi_check_whole(const struct image_bytes *bytes, struct err *err)
{
    uint8_t raw[HEADER_SIZE];
    uint64_t block_bytes;
    int64_t last;

    if (image_read(bytes, 0, raw, sizeof raw, err) < 0 ||
        last_block(bytes, le32(raw + 340), le32(raw + 384), &last, err) < 0)
        return -1;
    block_bytes = (uint64_t)le32(raw + 376) + le32(raw + 380);
    if (last < 0 || block_bytes == 0)
        return 0;
    return image_has_range(bytes, "a block", le32(raw + 344), ((uint64_t)last + 1) * block_bytes,
                           err);
}
