/* drivers/storage/directory/image_raw.c - disks and CD-ROMs as plain bytes. */
#include "drivers/storage/directory/image_formats.h"
#include <inttypes.h>

enum {
    BOOT_SECTOR_SIZE = 512,
    PARTITION_TABLE = 446,
    PARTITION_COUNT = 4,
    PARTITION_PROTECTIVE = 0xee, /* a GPT follows */
    ISO_DESCRIPTOR = 0x8000,
    ISO_PADDING = 150 * 2048, /* recorders and some tools leave the last blocks away */
};

static int too_short(uint64_t wanted, int64_t there, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "truncated: it describes %" PRIu64 " bytes, the file has %" PRId64, wanted,
                   there);
}

/* ECMA-119 8.4: the size in blocks, and the block size. */
int iso_check(const struct image_bytes *bytes, int64_t *ret_virtual_bytes, struct err *err)
{
    uint8_t raw[132];
    uint64_t described;

    if (image_read(bytes, ISO_DESCRIPTOR, raw, sizeof raw, err) < 0)
        return -1;
    described = (uint64_t)le32(raw + 80) * le16(raw + 128);
    if (described > (uint64_t)bytes->size + ISO_PADDING)
        return too_short(described, bytes->size, err);
    return image_take_size((uint64_t)bytes->size, ret_virtual_bytes, err);
}

/* UEFI 5.3.2: the backup header is in the disk's last block. */
static int check_gpt(const struct image_bytes *bytes, struct err *err)
{
    uint8_t raw[40];
    uint64_t last_block;

    if (bytes->size < 2 * SECTOR_SIZE || image_read(bytes, SECTOR_SIZE, raw, sizeof raw, err) < 0)
        return 0;
    if (memcmp(raw, "EFI PART", 8) != 0)
        return 0; /* blocks of 4096 bytes, or no GPT: nothing to compare with */
    last_block = le64(raw + 32);
    if (last_block >= (uint64_t)bytes->size / SECTOR_SIZE)
        return too_short(last_block > UINT64_MAX / SECTOR_SIZE - 1 ? UINT64_MAX
                                                                   : (last_block + 1) * SECTOR_SIZE,
                         bytes->size, err);
    return 0;
}

static bool is_partition_table(const uint8_t *sector)
{
    for (int i = 0; i < PARTITION_COUNT; i++)
        if ((sector[PARTITION_TABLE + 16 * i] & 0x7f) != 0)
            return false; /* the boot flag has one bit: this is code or text, not a table */
    return true;
}

static int check_partitions(const struct image_bytes *bytes, const uint8_t *sector, struct err *err)
{
    if (!is_partition_table(sector))
        return 0;
    for (int i = 0; i < PARTITION_COUNT; i++) {
        const uint8_t *entry = sector + PARTITION_TABLE + 16 * i;
        uint64_t end = ((uint64_t)le32(entry + 8) + le32(entry + 12)) * SECTOR_SIZE;

        if (entry[4] == PARTITION_PROTECTIVE)
            return check_gpt(bytes, err);
        if (entry[4] != 0 && end > (uint64_t)bytes->size)
            return too_short(end, bytes->size, err);
    }
    return 0;
}

static int refuse_vhd_footer(const struct image_bytes *bytes, struct err *err)
{
    uint8_t raw[8];

    if (image_read(bytes, (uint64_t)bytes->size - SECTOR_SIZE, raw, sizeof raw, err) < 0)
        return -1;
    if (memcmp(raw, "conectix", 8) == 0)
        return err_set(err, ERR_INVALID, "not supported: a VHD disk");
    return 0;
}

/* Anything can be a raw disk: it is taken for one when it has whole sectors and nothing in it
 * says that it once was longer. */
int raw_check(const struct image_bytes *bytes, int64_t *ret_virtual_bytes, struct err *err)
{
    uint8_t sector[BOOT_SECTOR_SIZE];

    if (bytes->size % SECTOR_SIZE != 0)
        return err_set(err, ERR_INVALID,
                       "not a disk image, or truncated: no known signature, and %" PRId64
                       " bytes are no whole number of sectors",
                       bytes->size);
    if (image_read(bytes, 0, sector, sizeof sector, err) < 0 || refuse_vhd_footer(bytes, err) < 0)
        return -1;
    if (le16(sector + 510) == 0xaa55 && check_partitions(bytes, sector, err) < 0)
        return err_wrap(err, "raw image");
    return image_take_size((uint64_t)bytes->size, ret_virtual_bytes, err);
}
