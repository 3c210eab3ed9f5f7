/* drivers/storage/directory/image_vhdx.c - VHDX ([MS-VHDX]) without a parent. */
#include "drivers/storage/directory/image_formats.h"
#include <inttypes.h>

enum {
    REGION_TABLE = 192 * 1024,
    REGION_COUNT_MAX = 2047,
    METADATA_TABLE_SIZE = 64 * 1024,
    ENTRY_SIZE = 32,
    HAS_PARENT = 2,
};

typedef uint8_t guid[16];
static const guid metadata_region = { 0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b,
                                      0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e };
static const guid file_parameters = { 0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d,
                                      0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b };
static const guid virtual_size = { 0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48,
                                   0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8 };
static const guid parent_locator = { 0x2d, 0x5f, 0xd3, 0xa8, 0x0b, 0xb3, 0x4d, 0x45,
                                     0xab, 0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c };

static bool is_guid(const uint8_t *at, const guid wanted) { return memcmp(at, wanted, 16) == 0; }

static int find_metadata(const struct image_bytes *bytes, uint64_t *ret_offset, struct err *err)
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
        if (!is_guid(raw, metadata_region))
            continue;
        *ret_offset = le64(raw + 16);
        return image_has_range(bytes, "the metadata", *ret_offset, METADATA_TABLE_SIZE, err);
    }
    return err_set(err, ERR_INVALID, "has no metadata region");
}

struct items {
    uint64_t parameters, size; /* offsets in the file; 0: not seen */
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
    }
    if (!ret_items->parameters || !ret_items->size)
        return err_set(err, ERR_INVALID, "has a damaged metadata table");
    return 0;
}

int vhdx_check(const struct image_bytes *bytes, int64_t *ret_virtual_bytes, struct err *err)
{
    struct items items = { 0 };
    uint64_t table;
    uint8_t parameters[8], size[8];

    if (find_metadata(bytes, &table, err) < 0 || find_items(bytes, table, &items, err) < 0 ||
        image_read(bytes, items.parameters, parameters, 8, err) < 0 ||
        image_read(bytes, items.size, size, 8, err) < 0)
        return -1;
    if (le32(parameters + 4) & HAS_PARENT)
        return err_set(err, ERR_INVALID, "is a differencing disk; an image must stand alone");
    return image_take_size(le64(size), ret_virtual_bytes, err);
}
