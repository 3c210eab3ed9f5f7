/* drivers/storage/directory/image_qcow2.c - qcow2 versions 2 and 3. */
#include "drivers/storage/directory/image_formats.h"
#include <inttypes.h>

enum {
    HEADER_SIZE_V2 = 72,
    HEADER_SIZE_V3 = 104,
    HEADER_READ_SIZE = 112,
    L1_SIZE_MAX = 4 * 1024 * 1024,     /* entries: 32 MiB, QEMU's own bound */
    REFCOUNT_TABLE_SIZE_MAX = 8 << 20, /* bytes, QEMU's own bound */
    SNAPSHOT_COUNT_MAX = 65536,
};

enum incompatible_bits { /* header bytes 72 to 79 */
                         BIT_DIRTY = 1 << 0,
                         BIT_CORRUPT = 1 << 1,
                         BIT_DATA_FILE = 1 << 2,
                         BIT_COMPRESSION_TYPE = 1 << 3,
                         BIT_EXTENDED_L2 = 1 << 4,
};

enum extension {
    EXTENSION_END = 0,
    EXTENSION_DATA_FILE = 0x44415441,
    EXTENSION_CRYPTO = 0x0537be77,
};

struct header {
    uint32_t version, cluster_bits, backing_size, crypt_method, l1_size, refcount_clusters;
    uint32_t snapshot_count, header_length, refcount_order, compression_type;
    uint64_t backing_offset, size, l1_offset, refcount_offset, incompatible;
};

static void decode(const uint8_t *raw, struct header *h)
{
    *h = (struct header){
        .version = be32(raw + 4),
        .backing_offset = be64(raw + 8),
        .backing_size = be32(raw + 16),
        .cluster_bits = be32(raw + 20),
        .size = be64(raw + 24),
        .crypt_method = be32(raw + 32),
        .l1_size = be32(raw + 36),
        .l1_offset = be64(raw + 40),
        .refcount_offset = be64(raw + 48),
        .refcount_clusters = be32(raw + 56),
        .snapshot_count = be32(raw + 60),
        .header_length = HEADER_SIZE_V2,
        .refcount_order = 4,
    };
    if (h->version < 3)
        return;
    h->incompatible = be64(raw + 72);
    h->refcount_order = be32(raw + 96);
    h->header_length = be32(raw + 100);
    h->compression_type = h->header_length > HEADER_SIZE_V3 ? raw[104] : 0;
}

static int read_header(const struct image_bytes *bytes, struct header *ret_header, struct err *err)
{
    uint8_t raw[HEADER_READ_SIZE] = { 0 };
    size_t size = HEADER_SIZE_V2;
    uint32_t version;

    if (image_read(bytes, 0, raw, size, err) < 0)
        return -1;
    version = be32(raw + 4);
    if (version != 2 && version != 3)
        return err_set(err, ERR_INVALID, "version %" PRIu32 " is not supported, only 2 and 3",
                       version);
    if (version == 3) {
        size = bytes->size < HEADER_READ_SIZE ? HEADER_SIZE_V3 : HEADER_READ_SIZE;
        if (image_read(bytes, 0, raw, size, err) < 0)
            return -1;
    }
    decode(raw, ret_header);
    return 0;
}

/* The name of a foreign file for the message, made printable. */
static void read_name(const struct image_bytes *bytes, uint64_t offset, uint32_t size, char to[80])
{
    struct err unreadable;
    size_t count = size < 79 ? size : 79;

    memset(to, 0, 80);
    if (image_read(bytes, offset, to, count, &unreadable) < 0) {
        to[0] = '\0';
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (to[i] < ' ' || to[i] > '~')
            to[i] = '?';
}

static int check_backing(const struct image_bytes *bytes, const struct header *h, struct err *err)
{
    char name[80];

    if (h->backing_offset == 0 && h->backing_size == 0)
        return 0;
    read_name(bytes, h->backing_offset, h->backing_size, name);
    return err_set(err, ERR_INVALID, "has the backing file \"%s\"; an image must stand alone",
                   name);
}

static int check_data(const struct header *h, struct err *err)
{
    if (h->incompatible & BIT_DATA_FILE)
        return err_set(err, ERR_INVALID,
                       "keeps its data in another file; an image must stand alone");
    if (h->crypt_method != 0)
        return err_set(err, ERR_INVALID, "is encrypted");
    if (h->incompatible & BIT_CORRUPT)
        return err_set(err, ERR_INVALID, "is marked corrupt");
    return 0;
}

static int check_features(const struct header *h, struct err *err)
{
    const uint64_t known =
        BIT_DIRTY | BIT_CORRUPT | BIT_DATA_FILE | BIT_COMPRESSION_TYPE | BIT_EXTENDED_L2;

    if (h->incompatible & ~known)
        return err_set(err, ERR_INVALID, "needs unknown features (incompatible bits 0x%" PRIx64 ")",
                       h->incompatible & ~known);
    if (h->compression_type > 1)
        return err_set(err, ERR_INVALID, "has the unknown compression type %" PRIu32,
                       h->compression_type);
    if (h->cluster_bits < 9 || h->cluster_bits > 21)
        return err_set(err, ERR_INVALID, "has %" PRIu32 " cluster bits, allowed are 9 to 21",
                       h->cluster_bits);
    if (h->refcount_order > 6)
        return err_set(err, ERR_INVALID, "has the refcount order %" PRIu32 ", allowed are 0 to 6",
                       h->refcount_order);
    if (h->snapshot_count > SNAPSHOT_COUNT_MAX)
        return err_set(err, ERR_INVALID, "has too many snapshots (%" PRIu32 ")", h->snapshot_count);
    if (h->version == 3 && (h->header_length < HEADER_SIZE_V3 || h->header_length % 8 != 0 ||
                            h->header_length > UINT32_C(1) << h->cluster_bits))
        return err_set(err, ERR_INVALID, "has a header of %" PRIu32 " bytes", h->header_length);
    return 0;
}

/* The tables that everything is found by; the clusters they name are "qemu-img check"'s work. */
static int check_tables(const struct image_bytes *bytes, const struct header *h, struct err *err)
{
    uint64_t cluster = UINT64_C(1) << h->cluster_bits;
    uint64_t entries = cluster / (h->incompatible & BIT_EXTENDED_L2 ? 16 : 8);
    uint64_t bytes_per_l1_entry = cluster * entries;
    uint64_t l1_needed = h->size / bytes_per_l1_entry + (h->size % bytes_per_l1_entry != 0);

    if (h->l1_size > L1_SIZE_MAX || h->l1_size < l1_needed)
        return err_set(err, ERR_INVALID,
                       "has %" PRIu32 " level 1 entries where its size needs %" PRIu64, h->l1_size,
                       l1_needed);
    if (h->l1_offset % cluster != 0 || h->refcount_offset % cluster != 0 ||
        h->refcount_offset == 0 || h->refcount_clusters == 0 ||
        h->refcount_clusters * cluster > REFCOUNT_TABLE_SIZE_MAX)
        return err_set(err, ERR_INVALID, "has a damaged header");
    if (image_has_range(bytes, "the level 1 table", h->l1_offset, h->l1_size * UINT64_C(8), err) <
        0)
        return -1;
    return image_has_range(bytes, "the refcount table", h->refcount_offset, SECTOR_SIZE, err);
}

static int check_extensions(const struct image_bytes *bytes, const struct header *h,
                            struct err *err)
{
    uint64_t end = UINT64_C(1) << h->cluster_bits;
    uint64_t at = h->header_length;

    if (end > (uint64_t)bytes->size)
        end = (uint64_t)bytes->size;
    while (at + 8 <= end) {
        uint8_t raw[8];
        uint64_t size;

        if (image_read(bytes, at, raw, sizeof raw, err) < 0)
            return -1;
        if (be32(raw) == EXTENSION_END)
            return 0;
        if (be32(raw) == EXTENSION_DATA_FILE)
            return err_set(err, ERR_INVALID, "names a data file; an image must stand alone");
        if (be32(raw) == EXTENSION_CRYPTO)
            return err_set(err, ERR_INVALID, "is encrypted");
        size = (be32(raw + 4) + UINT64_C(7)) / 8 * 8;
        if (size > end - at - 8)
            return err_set(err, ERR_INVALID, "has a header extension beyond its first cluster");
        at += 8 + size;
    }
    return 0;
}

static int check_header(const struct image_bytes *bytes, const struct header *h,
                        int64_t *ret_virtual_bytes, struct err *err)
{
    if (check_data(h, err) < 0 || check_features(h, err) < 0 || check_tables(bytes, h, err) < 0 ||
        check_extensions(bytes, h, err) < 0)
        return -1;
    return image_take_size(h->size, ret_virtual_bytes, err);
}

int qcow2_check(const struct image_bytes *bytes, int64_t *ret_virtual_bytes, struct err *err)
{
    struct header h;

    if (read_header(bytes, &h, err) < 0 || check_backing(bytes, &h, err) < 0)
        return -1;
    return check_header(bytes, &h, ret_virtual_bytes, err);
}

int qcow2_check_volume(const struct image_bytes *bytes, int64_t *ret_virtual_bytes, struct err *err)
{
    struct header h;

    if (read_header(bytes, &h, err) < 0)
        return -1;
    return check_header(bytes, &h, ret_virtual_bytes, err);
}
