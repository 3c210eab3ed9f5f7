/* drivers/storage/directory/qcow2_new.c - header, refcounts and an empty level 1 table. */
#include "drivers/storage/directory/qcow2_new.h"
#include "base/mem.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLUSTER_BITS = 16,
    CLUSTER = 1 << CLUSTER_BITS,
    HEADER_SIZE = 112,
    REFCOUNT_ORDER = 4, /* 16 bits each */
    AT_REFCOUNT_TABLE = CLUSTER,
    AT_REFCOUNT_BLOCK = 2 * CLUSTER,
    AT_LEVEL_1 = 3 * CLUSTER,
    EXTENSION_BACKING_FORMAT = (int)0xe2792aca,
};

/* A level 1 entry names a table of CLUSTER / 8 clusters. */
static const int64_t BYTES_PER_ENTRY = (int64_t)CLUSTER * (CLUSTER / 8);
/* QEMU takes level 1 tables of 32 MiB; the refcount block here counts 32768 clusters. */
static const int64_t SIZE_MAX_BYTES = INT64_C(1) << 50;

static void put(uint8_t *head, size_t at, uint64_t value, int width)
{
    for (int i = width - 1; i >= 0; i--, value >>= 8)
        head[at + (size_t)i] = (uint8_t)value;
}

static void put_header(uint8_t *head, const struct qcow2_new *disk, int64_t entries)
{
    memcpy(head, "QFI\xfb", 4);
    put(head, 4, 3, 4);
    put(head, 20, CLUSTER_BITS, 4);
    put(head, 24, (uint64_t)disk->size_bytes, 8);
    put(head, 36, (uint64_t)entries, 4);
    put(head, 40, AT_LEVEL_1, 8);
    put(head, 48, AT_REFCOUNT_TABLE, 8);
    put(head, 56, 1, 4);
    put(head, 96, REFCOUNT_ORDER, 4);
    put(head, 100, HEADER_SIZE, 4);
}

/* The format of the backing file, the end of the extensions, and its name. */
static void put_backing(uint8_t *head, const char *backing)
{
    size_t at = HEADER_SIZE;

    put(head, at, (uint32_t)EXTENSION_BACKING_FORMAT, 4);
    put(head, at + 4, strlen("qcow2"), 4);
    memcpy(head + at + 8, "qcow2", strlen("qcow2"));
    at += 8 + 8 + 8; /* padded to 8 bytes; an extension of type 0 ends the list */
    memcpy(head + at, backing, strlen(backing));
    put(head, 8, at, 8);
    put(head, 16, strlen(backing), 4);
}

static void put_refcounts(uint8_t *head, int64_t clusters)
{
    put(head, AT_REFCOUNT_TABLE, AT_REFCOUNT_BLOCK, 8);
    for (int64_t i = 0; i < clusters; i++)
        put(head, AT_REFCOUNT_BLOCK + 2 * (size_t)i, 1, 2);
}

int qcow2_new(const struct qcow2_new *disk, struct buf *ret_head, int64_t *ret_file_bytes,
              struct err *err)
{
    int64_t entries, level_1_clusters;
    uint8_t *head;

    if (disk->size_bytes <= 0 || disk->size_bytes > SIZE_MAX_BYTES)
        return err_set(err, ERR_INVALID, "a disk can't have %" PRId64 " bytes", disk->size_bytes);
    if (disk->backing && strlen(disk->backing) > QCOW2_BACKING_MAX)
        return err_set(err, ERR_INVALID, "the path of the image is longer than %d bytes",
                       QCOW2_BACKING_MAX);
    entries = (disk->size_bytes + BYTES_PER_ENTRY - 1) / BYTES_PER_ENTRY;
    level_1_clusters = (entries * 8 + CLUSTER - 1) / CLUSTER;
    head = mem_zero(AT_LEVEL_1);
    put_header(head, disk, entries);
    if (disk->backing)
        put_backing(head, disk->backing);
    put_refcounts(head, 3 + level_1_clusters);
    buf_clear(ret_head);
    buf_add(ret_head, head, AT_LEVEL_1);
    free(head);
    *ret_file_bytes = AT_LEVEL_1 + level_1_clusters * CLUSTER;
    return 0;
}
