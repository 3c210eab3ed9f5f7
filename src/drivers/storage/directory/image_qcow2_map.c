/* drivers/storage/directory/image_qcow2_map.c - where the data of a qcow2 file lies, to tell a
 * file that was cut off. "qemu-img check" misses what is cut from the last cluster. */
#include "base/mem.h"
#include "drivers/storage/directory/image_formats.h"
#include <stdlib.h>

enum {
    HEADER_SIZE = 104,
    L1_CHUNK_SIZE = 4096,
    BIT_EXTENDED_L2 = 1 << 4,
    SUBCLUSTER_COUNT = 32,
};

static const uint64_t OFFSET_MASK = UINT64_C(0x00fffffffffffe00);
static const uint64_t COMPRESSED = UINT64_C(1) << 62;
static const uint64_t READS_AS_ZERO = 1;

struct map {
    const struct image_bytes *bytes;
    unsigned cluster_bits;
    uint64_t cluster, size, l1_offset, l1_count;
    uint64_t entry_bytes, entries_per_table, tables_left;
    bool has_subclusters, has_zero_flag;
    uint8_t *table; /* one level 2 table */
};

static int read_map(const struct image_bytes *bytes, struct map *map, struct err *err)
{
    uint8_t raw[HEADER_SIZE] = { 0 };
    size_t size = bytes->size < HEADER_SIZE ? (size_t)bytes->size : HEADER_SIZE;
    bool is_v3;

    if (image_read(bytes, 0, raw, size, err) < 0)
        return -1;
    is_v3 = be32(raw + 4) >= 3;
    *map = (struct map){
        .bytes = bytes,
        .cluster_bits = be32(raw + 20),
        .cluster = UINT64_C(1) << be32(raw + 20),
        .size = be64(raw + 24),
        .l1_count = be32(raw + 36),
        .l1_offset = be64(raw + 40),
        .has_zero_flag = is_v3,
        .has_subclusters = is_v3 && be64(raw + 72) & BIT_EXTENDED_L2,
    };
    map->entry_bytes = map->has_subclusters ? 16 : 8;
    map->entries_per_table = map->cluster / map->entry_bytes;
    /* Each table has a cluster of its own; more of them are a file made to waste our time. */
    map->tables_left = (uint64_t)bytes->size / map->cluster;
    return 0;
}

static int check_compressed(const struct map *map, uint64_t entry, struct err *err)
{
    unsigned shift = 62 - (map->cluster_bits - 8);
    uint64_t offset = entry & ((UINT64_C(1) << shift) - 1);
    uint64_t more_sectors = entry >> shift & ((UINT64_C(1) << (map->cluster_bits - 8)) - 1);

    /* The length is told in sectors: of the last one a byte at least must be there. */
    return image_has_range(map->bytes, "a cluster",
                           offset / SECTOR_SIZE * SECTOR_SIZE + more_sectors * SECTOR_SIZE, 1, err);
}

/* How much of the cluster that begins with 'guest_offset' must be in the file. */
static uint64_t needed_bytes(const struct map *map, const uint8_t *at, uint64_t guest_offset)
{
    uint64_t needed = map->cluster;

    if (map->has_subclusters) {
        uint32_t allocated = be32(at + 12);
        unsigned last = 0;

        while (allocated >> last > 1)
            last++;
        needed = allocated ? (last + 1) * map->cluster / SUBCLUSTER_COUNT : 0;
    }
    return needed < map->size - guest_offset ? needed : map->size - guest_offset;
}

static int check_entry(const struct map *map, const uint8_t *at, uint64_t guest_offset,
                       struct err *err)
{
    uint64_t entry = be64(at), offset = entry & OFFSET_MASK;

    if (entry & COMPRESSED)
        return check_compressed(map, entry & ~(UINT64_C(3) << 62), err);
    if (offset == 0 || (map->has_zero_flag && !map->has_subclusters && entry & READS_AS_ZERO))
        return 0;
    return image_has_range(map->bytes, "a cluster", offset, needed_bytes(map, at, guest_offset),
                           err);
}

static int check_table(struct map *map, uint64_t offset, uint64_t guest_offset, struct err *err)
{
    if (map->tables_left-- == 0)
        return err_set(err, ERR_INVALID, "has more level 2 tables than the file has room for");
    if (image_has_range(map->bytes, "a level 2 table", offset, map->cluster, err) < 0 ||
        image_read(map->bytes, offset, map->table, map->cluster, err) < 0)
        return -1;
    for (uint64_t i = 0; i < map->entries_per_table && guest_offset < map->size; i++) {
        if (check_entry(map, map->table + i * map->entry_bytes, guest_offset, err) < 0)
            return -1;
        guest_offset += map->cluster;
    }
    return 0;
}

static int check_tables(struct map *map, struct err *err)
{
    uint64_t per_table = map->entries_per_table * map->cluster;
    uint8_t raw[L1_CHUNK_SIZE];

    for (uint64_t i = 0; i < map->l1_count && i * per_table < map->size; i++) {
        uint64_t in_chunk = i % (L1_CHUNK_SIZE / 8), left = map->l1_count - i;
        uint64_t offset;

        if (in_chunk == 0 &&
            image_read(map->bytes, map->l1_offset + i * 8, raw,
                       (left < L1_CHUNK_SIZE / 8 ? left : L1_CHUNK_SIZE / 8) * 8, err) < 0)
            return -1;
        offset = be64(raw + in_chunk * 8) & OFFSET_MASK;
        if (offset != 0 && check_table(map, offset, i * per_table, err) < 0)
            return -1;
    }
    return 0;
}

int qcow2_check_whole(const struct image_bytes *bytes, struct err *err)
{
    struct map map;
    int64_t virtual_bytes;
    int result;

    /* The bounds that the arithmetic above rests on. */
    if (qcow2_check(bytes, &virtual_bytes, err) < 0 || read_map(bytes, &map, err) < 0)
        return -1;
    map.table = mem_alloc(map.cluster);
    result = check_tables(&map, err);
    free(map.table);
    return result;
}
