/* drivers/storage/directory/image_vhdx.c - VHDX ([MS-VHDX]) without a parent. */
#include "drivers/storage/directory/image_formats.h"
#include <inttypes.h>

enum {
    REGION_TABLE = 192 * 1024,
    REGION_COUNT_MAX = 2047,
    ENTRY_SIZE = 32,
    HAS_PARENT = 2,
    TABLE_CHUNK_SIZE = 4096,
    BLOCK_STATE = 7,
    BLOCK_PRESENT = 6,
};

static const uint64_t MIB = 1 << 20;

typedef uint8_t guid[16];
static const guid metadata_region = { 0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b,
                                      0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e };
static const guid bat_region = { 0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42,
                                 0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08 };
static const guid file_parameters = { 0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d,
                                      0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b };
static const guid virtual_size = { 0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48,
                                   0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8 };
static const guid sector_size = { 0x1d, 0xbf, 0x41, 0x81, 0x6f, 0xa9, 0x09, 0x47,
                                  0xba, 0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f };
static const guid parent_locator = { 0x2d, 0x5f, 0xd3, 0xa8, 0x0b, 0xb3, 0x4d, 0x45,
                                     0xab, 0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c };

static bool is_guid(const uint8_t *at, const guid wanted) { return memcmp(at, wanted, 16) == 0; }

struct region {
    uint64_t offset, length;
};

static int find_region(const struct image_bytes *bytes, const guid wanted, const char *what,
                       struct region *ret_region, struct err *err)
{
    uint8_t raw[ENTRY_SIZE];
    uint32_t count;

    if (image_read(bytes, REGION_TABLE, raw, 16, err) < 0)
        return -1;
    count = le32(raw + 8);
    if (memcmp(raw, "regi", 4) != 0 || count > REGION_COUNT_MAX)
        return err_set(err, ERR_INVALID, "has a damaged region table");
    for (uint32_t i = 0; i < count; i++) {
        if (image_read(bytes, REGION_TABLE + 16 + (uint64_t)i * ENTRY_SIZE, raw, ENTRY_SIZE, err) <
            0)
            return -1;
        if (!is_guid(raw, wanted))
            continue;
        *ret_region = (struct region){ .offset = le64(raw + 16), .length = le32(raw + 24) };
        return image_has_range(bytes, what, ret_region->offset, ret_region->length, err);
    }
    return err_set(err, ERR_INVALID, "has no region for %s", what);
}

struct items {
    uint64_t parameters, size, sector_size; /* offsets in the file; 0: not seen */
};

static int find_items(const struct image_bytes *bytes, uint64_t table, struct items *ret_items,
                      struct err *err)
{
    uint8_t raw[ENTRY_SIZE];
    unsigned count;

    if (image_read(bytes, table, raw, ENTRY_SIZE, err) < 0)
        return -1;
    count = le16(raw + 10);
    if (memcmp(raw, "metadata", 8) != 0 || count > REGION_COUNT_MAX)
        return err_set(err, ERR_INVALID, "has a damaged metadata table");
    for (unsigned i = 0; i < count; i++) {
        if (image_read(bytes, table + (i + 1) * (uint64_t)ENTRY_SIZE, raw, ENTRY_SIZE, err) < 0)
            return -1;
        if (is_guid(raw, parent_locator))
            return err_set(err, ERR_INVALID, "names a parent disk; an image must stand alone");
        if (is_guid(raw, file_parameters))
            ret_items->parameters = table + le32(raw + 16);
        if (is_guid(raw, virtual_size))
            ret_items->size = table + le32(raw + 16);
        if (is_guid(raw, sector_size))
            ret_items->sector_size = table + le32(raw + 16);
    }
    if (!ret_items->parameters || !ret_items->size)
        return err_set(err, ERR_INVALID, "has a damaged metadata table");
    return 0;
}

int vhdx_check(const struct image_bytes *bytes, int64_t *ret_virtual_bytes, struct err *err)
{
    struct items items = { 0 };
    struct region metadata;
    uint8_t parameters[8], size[8];

    if (find_region(bytes, metadata_region, "the metadata", &metadata, err) < 0 ||
        find_items(bytes, metadata.offset, &items, err) < 0 ||
        image_read(bytes, items.parameters, parameters, 8, err) < 0 ||
        image_read(bytes, items.size, size, 8, err) < 0)
        return -1;
    if (le32(parameters + 4) & HAS_PARENT)
        return err_set(err, ERR_INVALID, "is a differencing disk; an image must stand alone");
    return image_take_size(le64(size), ret_virtual_bytes, err);
}

/* --- the blocks --- */

struct layout {
    struct region table; /* an entry of 8 bytes per block, and one per chunk for its bitmap */
    uint64_t block_bytes, blocks_per_chunk, entry_count;
};

static int read_layout(const struct image_bytes *bytes, struct layout *ret_layout, struct err *err)
{
    struct items items = { 0 };
    struct region metadata;
    uint8_t block[4], sector[4], size[8];
    uint64_t sector_bytes, block_count;

    if (find_region(bytes, metadata_region, "the metadata", &metadata, err) < 0 ||
        find_region(bytes, bat_region, "the block table", &ret_layout->table, err) < 0 ||
        find_items(bytes, metadata.offset, &items, err) < 0 ||
        image_read(bytes, items.parameters, block, 4, err) < 0 ||
        image_read(bytes, items.sector_size, sector, 4, err) < 0 ||
        image_read(bytes, items.size, size, 8, err) < 0)
        return -1;
    ret_layout->block_bytes = le32(block);
    sector_bytes = le32(sector);
    if (ret_layout->block_bytes < MIB || ret_layout->block_bytes > 256 * MIB ||
        (sector_bytes != 512 && sector_bytes != 4096))
        return err_set(err, ERR_INVALID, "has a damaged metadata table");
    ret_layout->blocks_per_chunk = (sector_bytes << 23) / ret_layout->block_bytes;
    block_count = (le64(size) - 1) / ret_layout->block_bytes + 1;
    ret_layout->entry_count = block_count + (block_count - 1) / ret_layout->blocks_per_chunk;
    if (ret_layout->entry_count > ret_layout->table.length / 8)
        return err_set(err, ERR_INVALID, "has a block table that is too short");
    return 0;
}

static int check_entry(const struct image_bytes *bytes, const struct layout *layout, uint64_t index,
                       uint64_t entry, struct err *err)
{
    bool is_bitmap = (index + 1) % (layout->blocks_per_chunk + 1) == 0;

    if (is_bitmap || (entry & BLOCK_STATE) != BLOCK_PRESENT)
        return 0;
    return image_has_range(bytes, "a block", entry & ~(MIB - 1), layout->block_bytes, err);
}

int vhdx_check_whole(const struct image_bytes *bytes, struct err *err)
{
    uint8_t raw[TABLE_CHUNK_SIZE];
    struct layout layout;

    if (read_layout(bytes, &layout, err) < 0)
        return -1;
    for (uint64_t at = 0; at < layout.entry_count; at += TABLE_CHUNK_SIZE / 8) {
        uint64_t left = layout.entry_count - at;
        size_t count = left < TABLE_CHUNK_SIZE / 8 ? (size_t)left : TABLE_CHUNK_SIZE / 8;

        if (image_read(bytes, layout.table.offset + at * 8, raw, count * 8, err) < 0)
            return -1;
        for (size_t i = 0; i < count; i++)
            if (check_entry(bytes, &layout, at + i, le64(raw + 8 * i), err) < 0)
                return -1;
    }
    return 0;
}
