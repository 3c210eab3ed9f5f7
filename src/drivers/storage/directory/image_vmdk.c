/* drivers/storage/directory/image_vmdk.c - VMDK in one file: monolithicSparse, streamOptimized.
 *
 * A VMDK is a text that names extents, and the extents. Only files that hold both are taken,
 * with the text naming the one extent in the file itself: QEMU would open any other name. */
#include "drivers/storage/directory/image_formats.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

enum {
    HEADER_SIZE = 512,
    GTES_MAX = 512,
    GRAIN_ZEROED = 1,       /* an entry that names no grain but zeros */
    GRAIN_MARKER_SIZE = 12, /* before each compressed grain: its sector and its size */
    COMPRESSED_DEFLATE = 1,
    FOOTER_SIZE = 1536,       /* marker, header, end-of-stream marker */
    TEXT_SIZE_MAX = 20 * 512, /* what QEMU reads of a descriptor */
    TEXT_OFFSET = 512,        /* where QEMU looks for it whatever the header says */
    GRAIN_SECTORS_MAX = 0x200000,
};

struct header {
    uint32_t version, gtes_per_gt, compression;
    uint64_t capacity, granularity, text_offset, text_size, gd_offset, grain_offset;
};

static void decode(const uint8_t *raw, struct header *h)
{
    *h = (struct header){
        .version = le32(raw + 4),
        .capacity = le64(raw + 12),
        .granularity = le64(raw + 20),
        .text_offset = le64(raw + 28),
        .text_size = le64(raw + 36),
        .gtes_per_gt = le32(raw + 44),
        .gd_offset = le64(raw + 56),
        .grain_offset = le64(raw + 64),
        .compression = le16(raw + 77),
    };
}

static int check_header(const struct header *h, struct err *err)
{
    /* Without a capacity QEMU takes the embedded text for a list of files to open. */
    if (h->capacity == 0)
        return err_set(err, ERR_INVALID, "has no capacity: its disk lies in other files");
    if (h->capacity > INT64_MAX / SECTOR_SIZE)
        return err_set(err, ERR_INVALID, "has an absurd capacity");
    if (h->version < 1 || h->version > 3)
        return err_set(err, ERR_INVALID, "version %" PRIu32 " is not supported", h->version);
    if (h->granularity == 0 || h->granularity > GRAIN_SECTORS_MAX || h->gtes_per_gt == 0 ||
        h->gtes_per_gt > GTES_MAX)
        return err_set(err, ERR_INVALID, "has a damaged header");
    return 0;
}

/* Refuses what QEMU would follow, wherever in the bytes it stands. */
static int check_hint(const char *text, size_t size, struct err *err)
{
    if (memmem(text, size, "parentFileNameHint", 18))
        return err_set(err, ERR_INVALID, "names a parent disk; an image must stand alone");
    return 0;
}

/* One line of the text: an extent line is ACCESS SECTORS TYPE "FILE" [OFFSET]. */
static int check_line(const char *line, unsigned *extent_count, struct err *err)
{
    char access[16] = "", type[16] = "";
    uint64_t sectors;

    if (sscanf(line, "%15s %" SCNu64 " %15s", access, &sectors, type) != 3)
        return 0;
    if (strcmp(access, "RW") != 0 && strcmp(access, "RDONLY") != 0 &&
        strcmp(access, "NOACCESS") != 0)
        return 0;
    if (strcmp(type, "SPARSE") != 0)
        return err_set(err, ERR_INVALID, "has an extent of type %s in another file", type);
    if (++*extent_count > 1)
        return err_set(err, ERR_INVALID, "has more than one extent");
    return 0;
}

static int check_kind(const char *line, struct err *err)
{
    static const char *const known[] = { "\"monolithicSparse\"", "\"streamOptimized\"" };

    if (strncasecmp(line, "createType", 10) != 0)
        return 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strstr(line, known[i]))
            return 0;
    return err_set(err, ERR_INVALID,
                   "is of a kind that spreads over files; only monolithicSparse and "
                   "streamOptimized are taken");
}

static int check_text(char *text, size_t size, struct err *err)
{
    unsigned extent_count = 0;
    char *rest = NULL;

    if (check_hint(text, size, err) < 0)
        return -1;
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\0')
            text[i] = '\n'; /* nothing hides behind a NUL */
    for (char *line = strtok_r(text, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
        while (isspace((unsigned char)*line))
            line++;
        if (check_kind(line, err) < 0 || check_line(line, &extent_count, err) < 0)
            return -1;
    }
    return 0;
}

static int check_text_at(const struct image_bytes *bytes, uint64_t offset, struct err *err)
{
    char text[TEXT_SIZE_MAX + 1];
    uint64_t size = (uint64_t)bytes->size;
    size_t count = TEXT_SIZE_MAX;

    if (offset >= size)
        return image_has_range(bytes, "the descriptor", offset, 1, err);
    if (count > size - offset)
        count = (size_t)(size - offset);
    if (image_read(bytes, offset, text, count, err) < 0)
        return -1;
    text[count] = '\0';
    return check_text(text, count, err);
}

/* A streamed file has its true header near its end. */
static int read_footer(const struct image_bytes *bytes, struct header *h, struct err *err)
{
    uint8_t raw[FOOTER_SIZE];

    if (bytes->size < FOOTER_SIZE + HEADER_SIZE || bytes->size % SECTOR_SIZE != 0)
        return err_set(err, ERR_INVALID, "truncated: its footer is missing");
    if (image_read(bytes, (uint64_t)bytes->size - FOOTER_SIZE, raw, sizeof raw, err) < 0)
        return -1;
    if (memcmp(raw + SECTOR_SIZE, "KDMV", 4) != 0)
        return err_set(err, ERR_INVALID, "truncated: its footer is missing");
    decode(raw + SECTOR_SIZE, h);
    if (h->gd_offset == UINT64_MAX)
        return err_set(err, ERR_INVALID, "has a damaged footer");
    return check_header(h, err);
}

/* The header that holds: of a streamed file the one at its end. */
static int read_header(const struct image_bytes *bytes, struct header *ret_header, struct err *err)
{
    uint8_t raw[HEADER_SIZE];

    if (image_read(bytes, 0, raw, sizeof raw, err) < 0)
        return -1;
    decode(raw, ret_header);
    if (check_header(ret_header, err) < 0 || check_text_at(bytes, TEXT_OFFSET, err) < 0)
        return -1;
    if (ret_header->text_offset > UINT64_MAX / SECTOR_SIZE)
        return err_set(err, ERR_INVALID, "has a damaged header");
    if (ret_header->text_offset > 1 &&
        check_text_at(bytes, ret_header->text_offset * SECTOR_SIZE, err) < 0)
        return -1;
    return ret_header->gd_offset == UINT64_MAX ? read_footer(bytes, ret_header, err) : 0;
}

int vmdk_check(const struct image_bytes *bytes, int64_t *ret_virtual_bytes, struct err *err)
{
    struct header h;

    if (read_header(bytes, &h, err) < 0)
        return -1;
    if (h.gd_offset > UINT64_MAX / SECTOR_SIZE)
        return err_set(err, ERR_INVALID, "has a damaged header");
    if (image_has_range(bytes, "the grain directory", h.gd_offset * SECTOR_SIZE, 4, err) < 0)
        return -1;
    return image_take_size(h.capacity * SECTOR_SIZE, ret_virtual_bytes, err);
}

/* --- the grains --- */

/* Grains are numbered by what the guest sees; the last one may be shorter. */
static int check_grain(const struct image_bytes *bytes, const struct header *h, uint64_t index,
                       uint32_t sector, struct err *err)
{
    uint64_t offset = (uint64_t)sector * SECTOR_SIZE;
    uint64_t left = h->capacity - index * h->granularity;
    uint8_t marker[GRAIN_MARKER_SIZE];

    if (sector <= GRAIN_ZEROED)
        return 0;
    if (h->compression != COMPRESSED_DEFLATE)
        return image_has_range(bytes, "a grain", offset,
                               (left < h->granularity ? left : h->granularity) * SECTOR_SIZE, err);
    if (image_read(bytes, offset, marker, sizeof marker, err) < 0)
        return -1;
    return image_has_range(bytes, "a grain", offset + GRAIN_MARKER_SIZE, le32(marker + 8), err);
}

static int check_table(const struct image_bytes *bytes, const struct header *h, uint64_t first,
                       uint32_t sector, struct err *err)
{
    uint8_t raw[GTES_MAX * 4];

    if (image_read(bytes, (uint64_t)sector * SECTOR_SIZE, raw, h->gtes_per_gt * 4, err) < 0)
        return -1;
    for (uint32_t i = 0; i < h->gtes_per_gt && (first + i) * h->granularity < h->capacity; i++)
        if (check_grain(bytes, h, first + i, le32(raw + 4 * i), err) < 0)
            return -1;
    return 0;
}

int vmdk_check_whole(const struct image_bytes *bytes, struct err *err)
{
    struct header h;
    uint64_t count, tables_left;

    if (read_header(bytes, &h, err) < 0)
        return -1;
    count = (h.capacity - 1) / (h.granularity * h.gtes_per_gt) + 1;
    /* Each table has room of its own; more of them are a file made to waste our time. */
    tables_left = (uint64_t)bytes->size / (h.gtes_per_gt * UINT64_C(4));
    if (image_has_range(bytes, "the grain directory", h.gd_offset * SECTOR_SIZE, count * 4, err) <
        0)
        return -1;
    for (uint64_t i = 0; i < count; i++) {
        uint8_t raw[4];

        if (image_read(bytes, h.gd_offset * SECTOR_SIZE + i * 4, raw, 4, err) < 0)
            return -1;
        if (le32(raw) == 0)
            continue;
        if (tables_left-- == 0)
            return err_set(err, ERR_INVALID, "has more grain tables than the file has room for");
        if (check_table(bytes, &h, i * h.gtes_per_gt, le32(raw), err) < 0)
            return -1;
    }
    return 0;
}
