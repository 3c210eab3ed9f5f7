/* tests/unit/drivers/image_maker.h - the smallest valid image of each format, in memory, to be
 * spoiled by tests one field at a time. */
#pragma once
#include "drivers/storage/directory/image_detect.h"
#include <string.h>

enum { MADE_SIZE_MAX = 512 * 1024 };

struct made {
    uint8_t bytes[MADE_SIZE_MAX];
    int64_t size;
};

static int made_read(void *arg, int64_t offset, void *to, size_t count, struct err *err)
{
    const struct made *made = arg;

    if (offset < 0 || offset + (int64_t)count > made->size)
        return err_set(err, ERR_INTERNAL, "read outside of the file");
    memcpy(to, made->bytes + offset, count);
    return 0;
}

static inline struct image_bytes made_bytes(struct made *made)
{
    return (struct image_bytes){ .size = made->size, .read = made_read, .arg = made };
}

static inline void put_be(struct made *made, size_t at, uint64_t value, int width)
{
    for (int i = width - 1; i >= 0; i--, value >>= 8)
        made->bytes[at + (size_t)i] = (uint8_t)value;
}

static inline void put_le(struct made *made, size_t at, uint64_t value, int width)
{
    for (int i = 0; i < width; i++, value >>= 8)
        made->bytes[at + (size_t)i] = (uint8_t)value;
}

static inline void put_text(struct made *made, size_t at, const char *text)
{
    memcpy(made->bytes + at, text, strlen(text));
}

static inline void made_begin(struct made *made, int64_t size)
{
    memset(made, 0, sizeof *made);
    made->size = size;
}

enum { QCOW2_MADE_BYTES = 1 << 20 };

/* Clusters of 512 bytes: header, refcount table, refcount block, level 1 table. */
static inline void make_qcow2(struct made *made)
{
    made_begin(made, 4 * 512 + 32 * 512);
    put_text(made, 0, "QFI\xfb");
    put_be(made, 4, 3, 4);
    put_be(made, 20, 9, 4); /* cluster bits */
    put_be(made, 24, QCOW2_MADE_BYTES, 8);
    put_be(made, 36, 32, 4); /* level 1 entries of 32 KiB each */
    put_be(made, 40, 3 * 512, 8);
    put_be(made, 48, 512, 8);
    put_be(made, 56, 1, 4);
    put_be(made, 96, 4, 4);
    put_be(made, 100, 104, 4);
}

static const char vmdk_text[] = "# Disk DescriptorFile\nversion=1\nCID=12345678\n"
                                "parentCID=ffffffff\ncreateType=\"monolithicSparse\"\n"
                                "# Extent description\nRW 2048 SPARSE \"disk.vmdk\"\n"
                                "#DDB\nddb.adapterType = \"ide\"\n";

static inline void make_vmdk(struct made *made)
{
    made_begin(made, 64 * 1024);
    put_text(made, 0, "KDMV");
    put_le(made, 4, 1, 4);
    put_le(made, 8, 3, 4);
    put_le(made, 12, 2048, 8); /* capacity in sectors */
    put_le(made, 20, 128, 8);  /* grain */
    put_le(made, 28, 1, 8);    /* descriptor */
    put_le(made, 36, 20, 8);
    put_le(made, 44, 512, 4);
    put_le(made, 48, 21, 8);
    put_le(made, 56, 26, 8); /* grain directory */
    put_le(made, 64, 128, 8);
    put_text(made, 512, vmdk_text);
}

/* As VMware streams them: the header proper is at the end. */
static inline void make_vmdk_stream(struct made *made)
{
    size_t footer = 64 * 1024 - 1536;

    make_vmdk(made);
    put_le(made, 4, 3, 4);
    memcpy(made->bytes + footer + 512, made->bytes, 512);
    put_le(made, 56, UINT64_MAX, 8);
    put_le(made, footer + 12, 3, 4);
}

static const uint8_t vhdx_metadata_region[16] = { 0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b,
                                                  0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e };
static const uint8_t vhdx_parameters[16] = { 0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d,
                                             0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b };
static const uint8_t vhdx_size[16] = { 0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48,
                                       0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8 };
static const uint8_t vhdx_parent[16] = { 0x2d, 0x5f, 0xd3, 0xa8, 0x0b, 0xb3, 0x4d, 0x45,
                                         0xab, 0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c };
enum { VHDX_REGIONS = 192 * 1024, VHDX_METADATA = 256 * 1024, VHDX_ITEMS = 64 * 1024 };

static inline void make_vhdx(struct made *made)
{
    made_begin(made, 512 * 1024);
    put_text(made, 0, "vhdxfile");
    put_text(made, VHDX_REGIONS, "regi");
    put_le(made, VHDX_REGIONS + 8, 1, 4);
    memcpy(made->bytes + VHDX_REGIONS + 16, vhdx_metadata_region, 16);
    put_le(made, VHDX_REGIONS + 32, VHDX_METADATA, 8);
    put_text(made, VHDX_METADATA, "metadata");
    put_le(made, VHDX_METADATA + 10, 2, 2);
    memcpy(made->bytes + VHDX_METADATA + 32, vhdx_parameters, 16);
    put_le(made, VHDX_METADATA + 48, VHDX_ITEMS, 4);
    memcpy(made->bytes + VHDX_METADATA + 64, vhdx_size, 16);
    put_le(made, VHDX_METADATA + 80, VHDX_ITEMS + 8, 4);
    put_le(made, VHDX_METADATA + VHDX_ITEMS + 8, 1 << 20, 8);
}

static const uint8_t vhdx_table_region[16] = { 0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42,
                                               0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08 };
static const uint8_t vhdx_sector_size[16] = { 0x1d, 0xbf, 0x41, 0x81, 0x6f, 0xa9, 0x09, 0x47,
                                              0xba, 0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f };
enum { VHDX_TABLE = 384 * 1024 };

/* With what is needed to find the blocks: two of 1 MiB, none of them present. */
static inline void make_vhdx_with_table(struct made *made)
{
    make_vhdx(made);
    put_le(made, VHDX_REGIONS + 8, 2, 4);
    memcpy(made->bytes + VHDX_REGIONS + 48, vhdx_table_region, 16);
    put_le(made, VHDX_REGIONS + 64, VHDX_TABLE, 8);
    put_le(made, VHDX_REGIONS + 72, 4096, 4);
    put_le(made, VHDX_METADATA + 10, 3, 2);
    memcpy(made->bytes + VHDX_METADATA + 96, vhdx_sector_size, 16);
    put_le(made, VHDX_METADATA + 112, VHDX_ITEMS + 16, 4);
    put_le(made, VHDX_METADATA + VHDX_ITEMS, 1 << 20, 4);
    put_le(made, VHDX_METADATA + VHDX_ITEMS + 8, 2 << 20, 8);
    put_le(made, VHDX_METADATA + VHDX_ITEMS + 16, 512, 4);
}

static inline void make_vdi(struct made *made)
{
    made_begin(made, 2048);
    put_text(made, 0, "<<< Oracle VM VirtualBox Disk Image >>>\n");
    put_le(made, 64, 0xbeda107f, 4);
    put_le(made, 68, 0x00010001, 4);
    put_le(made, 72, 400, 4);
    put_le(made, 76, 1, 4);
    put_le(made, 340, 512, 4); /* block map */
    put_le(made, 344, 1024, 4);
    put_le(made, 360, 512, 4);
    put_le(made, 368, 1 << 20, 8);
    put_le(made, 376, 1 << 20, 4);
    put_le(made, 384, 1, 4);
}

static inline void make_iso(struct made *made)
{
    made_begin(made, 64 * 1024);
    made->bytes[0x8000] = 1;
    put_text(made, 0x8001, "CD001");
    put_le(made, 0x8000 + 80, 32, 4);
    put_le(made, 0x8000 + 128, 2048, 2);
}

static inline void make_boot_sector(struct made *made)
{
    made->bytes[510] = 0x55;
    made->bytes[511] = 0xaa;
}

/* One partition from sector 1 of 'sectors'. */
static inline void make_mbr(struct made *made, uint32_t sectors)
{
    made_begin(made, 64 * 1024);
    make_boot_sector(made);
    made->bytes[446] = 0x80;
    made->bytes[446 + 4] = 0x83;
    put_le(made, 446 + 8, 1, 4);
    put_le(made, 446 + 12, sectors, 4);
}

static inline void make_gpt(struct made *made, uint64_t last_block)
{
    made_begin(made, 64 * 1024);
    make_boot_sector(made);
    made->bytes[446 + 4] = 0xee;
    put_le(made, 446 + 8, 1, 4);
    put_le(made, 446 + 12, UINT32_MAX, 4);
    put_text(made, 512, "EFI PART");
    put_le(made, 512 + 32, last_block, 8);
}

static inline void make_blank(struct made *made) { made_begin(made, 64 * 1024); }

static inline void make_tar(struct made *made)
{
    made_begin(made, 10240);
    put_text(made, 0, "image.json");
    put_text(made, 257, "ustar");
}
