#include "check.h"
#include "image_maker.h"

static struct made made;

static int detect(struct image_found *found, struct err *err)
{
    struct image_bytes bytes = made_bytes(&made);

    *found = (struct image_found){ 0 };
    err_clear(err);
    return image_detect(&bytes, found, err);
}

static void check_is(enum image_format format, int64_t virtual_bytes)
{
    struct image_found found;
    struct err err;

    CHECK_OK(detect(&found, &err), &err);
    CHECK_STR(image_format_name(found.format), image_format_name(format));
    CHECK_EQ(found.virtual_bytes, virtual_bytes);
}

static void check_refused(const char *part)
{
    struct image_found found;
    struct err err;

    CHECK_FAILS(detect(&found, &err), &err, ERR_INVALID);
    CHECK_CONTAINS(err.text, part);
}

static void make_mbr_whole(struct made *to) { make_mbr(to, 127); }
static void make_gpt_whole(struct made *to) { make_gpt(to, 127); }

static void make_hybrid(struct made *to)
{
    make_iso(to);
    make_boot_sector(to);
    to->bytes[446] = 0x80;
    to->bytes[446 + 4] = 0x17;
    put_le(to, 446 + 12, 999999, 4);
}

static void make_gzip(struct made *to)
{
    made_begin(to, 100);
    put_text(to, 0, "\x1f\x8b\x08");
}

static void make_xz(struct made *to)
{
    made_begin(to, 100);
    memcpy(to->bytes, "\3757zXZ\0", 6);
}

static void make_zstd(struct made *to)
{
    made_begin(to, 100);
    memcpy(to->bytes, "\x28\xb5\x2f\xfd", 4);
}

static const struct good {
    const char *name;
    void (*make)(struct made *to);
    enum image_format format;
    int64_t virtual_bytes;
} good[] = {
    { "qcow2", make_qcow2, IMAGE_QCOW2, QCOW2_MADE_BYTES },
    { "vmdk", make_vmdk, IMAGE_VMDK, 1 << 20 },
    { "streamed vmdk", make_vmdk_stream, IMAGE_VMDK, 1 << 20 },
    { "vhdx", make_vhdx, IMAGE_VHDX, 1 << 20 },
    { "vdi", make_vdi, IMAGE_VDI, 1 << 20 },
    { "iso", make_iso, IMAGE_ISO, 64 << 10 },
    { "hybrid iso", make_hybrid, IMAGE_ISO, 64 << 10 },
    { "mbr", make_mbr_whole, IMAGE_RAW, 64 << 10 },
    { "gpt", make_gpt_whole, IMAGE_RAW, 64 << 10 },
    { "blank", make_blank, IMAGE_RAW, 64 << 10 },
    { "tar", make_tar, IMAGE_BUNDLE, 0 },
    { "gzip", make_gzip, IMAGE_GZIP, 0 },
    { "xz", make_xz, IMAGE_XZ, 0 },
    { "zstd", make_zstd, IMAGE_ZSTD, 0 },
};
enum { GOOD_COUNT = sizeof good / sizeof good[0] };

TEST(each_format_is_told_by_its_bytes)
{
    for (int i = 0; i < GOOD_COUNT; i++) {
        good[i].make(&made);
        check_is(good[i].format, good[i].virtual_bytes);
    }
}

/* A file may be cut anywhere. Whatever is left is either refused or can still be told. */
TEST(a_file_cut_at_any_length_is_refused_or_told_without_reading_beyond_it)
{
    for (int i = 0; i < GOOD_COUNT; i++) {
        struct image_found found;
        struct err err;

        good[i].make(&made);
        for (int64_t size = made.size; size >= 0; size -= size > 4096 ? 509 : 1) {
            made.size = size;
            if (detect(&found, &err) < 0)
                CHECK_EQ(err.code, ERR_INVALID);
            else
                CHECK(size > 0);
        }
    }
}

TEST(a_cut_header_is_refused_as_truncated)
{
    static const struct {
        void (*make)(struct made *to);
        int64_t size;
    } rows[] = {
        { make_qcow2, 4 },
        { make_qcow2, 71 },
        { make_qcow2, 103 },
        { make_qcow2, 1023 },
        { make_qcow2, 3 * 512 },
        { make_qcow2, 3 * 512 + 255 },
        { make_vmdk, 511 },
        { make_vmdk, 512 },
        { make_vmdk, 26 * 512 },
        { make_vmdk_stream, 64 * 1024 - 512 },
        { make_vhdx, 8 },
        { make_vhdx, VHDX_REGIONS },
        { make_vhdx, VHDX_METADATA },
        { make_vhdx, VHDX_METADATA + VHDX_ITEMS },
        { make_vdi, 100 },
        { make_vdi, 513 },
        { make_iso, 0x8000 + 64 },
        { make_mbr_whole, 63 * 1024 },
        { make_gpt_whole, 63 * 1024 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rows[i].make(&made);
        made.size = rows[i].size;
        check_refused("truncated");
    }
}

TEST(empty_and_odd_files_are_refused)
{
    made_begin(&made, 0);
    check_refused("empty");
    made_begin(&made, 1000);
    check_refused("not a disk image, or truncated");
}

TEST(a_web_page_is_no_disk_even_when_its_size_fits)
{
    made_begin(&made, 1024);
    put_text(&made, 0, "<!DOCTYPE html><title>404</title>");
    check_refused("a web page");
    made_begin(&made, 512);
    put_text(&made, 0, "<HTML>");
    check_refused("a web page");
}

TEST(formats_that_are_not_taken_are_named)
{
    static const struct {
        const char *begin;
        const char *part;
    } rows[] = {
        { "# Disk DescriptorFile\nRW 10 FLAT \"/etc/passwd\" 0\n", "VMDK descriptor" },
        { "COWD", "VMDK" },
        { "conectix", "VHD" },
        { "LUKS\xba\xbe", "LUKS" },
        { "PK\x03\x04", "ZIP" },
        { "BZh9", "bzip2" },
        { "WithoutFreeSpace", "Parallels" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        made_begin(&made, 1024);
        put_text(&made, 0, rows[i].begin);
        check_refused(rows[i].part);
    }
    made_begin(&made, 4096);
    put_text(&made, 4096 - 512, "conectix");
    check_refused("VHD");
}

/* --- qcow2 --- */

static void put_extension(uint32_t type, const char *text)
{
    put_be(&made, 104, type, 4);
    put_be(&made, 108, strlen(text), 4);
    put_text(&made, 112, text);
}

TEST(a_qcow2_with_a_backing_file_is_refused_and_the_file_named)
{
    make_qcow2(&made);
    put_be(&made, 8, 300, 8);
    put_be(&made, 16, 11, 4);
    put_text(&made, 300, "/etc/shadow");
    check_refused("backing file \"/etc/shadow\"");

    make_qcow2(&made);
    put_be(&made, 8, 300, 8);
    put_be(&made, 16, 43, 4);
    put_text(&made, 300, "json:{\"driver\":\"file\",\"filename\":\"/etc/sh\"}");
    check_refused("backing file \"json:{");
}

TEST(a_backing_file_is_refused_in_every_disguise)
{
    make_qcow2(&made);
    put_be(&made, 8, 300, 8); /* a name of length 0 */
    check_refused("backing file");
    make_qcow2(&made);
    put_be(&made, 16, 11, 4); /* a name at offset 0 */
    check_refused("backing file");
    make_qcow2(&made);
    put_be(&made, 8, UINT64_MAX, 8); /* a name beyond the file */
    put_be(&made, 16, UINT32_MAX, 4);
    check_refused("backing file");
    make_qcow2(&made);
    put_be(&made, 4, 2, 4); /* version 2 */
    put_be(&made, 8, 300, 8);
    put_be(&made, 16, 11, 4);
    check_refused("backing file");
}

TEST(the_name_of_a_backing_file_is_made_printable)
{
    make_qcow2(&made);
    put_be(&made, 8, 300, 8);
    put_be(&made, 16, 6, 4);
    put_text(&made, 300, "a\033[2Jb");
    check_refused("\"a?[2Jb\"");
}

TEST(a_qcow2_that_keeps_its_data_elsewhere_is_refused)
{
    make_qcow2(&made);
    put_be(&made, 72, 1 << 2, 8);
    check_refused("data in another file");
    make_qcow2(&made);
    put_extension(0x44415441, "/etc/passwd"); /* without the bit */
    check_refused("data file");
}

TEST(fields_of_qcow2_are_held_to_their_bounds)
{
    static const struct {
        size_t at;
        int width;
        uint64_t value;
        const char *part;
    } rows[] = {
        { 4, 4, 1, "version 1" },
        { 4, 4, 4, "version 4" },
        { 20, 4, 8, "cluster bits" },
        { 20, 4, 22, "cluster bits" },
        { 20, 4, UINT32_MAX, "cluster bits" },
        { 24, 8, 0, "size of 0" },
        { 24, 8, UINT64_MAX, "level 1" },
        { 24, 8, (QCOW2_MADE_BYTES) + 1, "level 1" },
        { 32, 4, 1, "encrypted" },
        { 32, 4, 2, "encrypted" },
        { 36, 4, 31, "level 1" },
        { 36, 4, UINT32_MAX, "level 1" },
        { 40, 8, 100, "damaged" },
        { 40, 8, UINT64_MAX - 511, "truncated" },
        { 48, 8, 0, "damaged" },
        { 48, 8, 1 << 20, "truncated" },
        { 56, 4, 0, "damaged" },
        { 56, 4, UINT32_MAX, "damaged" },
        { 60, 4, UINT32_MAX, "snapshots" },
        { 72, 8, 1 << 1, "corrupt" },
        { 72, 8, 1 << 5, "unknown features" },
        { 72, 8, UINT64_C(1) << 63, "unknown features" },
        { 96, 4, 7, "refcount order" },
        { 100, 4, 100, "header of 100 bytes" },
        { 100, 4, 107, "header of 107 bytes" },
        { 100, 4, UINT32_MAX - 7, "header of" },
        { 108, 4, 4096, NULL }, /* the length of the extension that ends the list */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        make_qcow2(&made);
        put_be(&made, rows[i].at, rows[i].value, rows[i].width);
        if (rows[i].part)
            check_refused(rows[i].part);
        else
            check_is(IMAGE_QCOW2, QCOW2_MADE_BYTES);
    }
}

TEST(encryption_and_overlong_extensions_of_qcow2_are_refused)
{
    make_qcow2(&made);
    put_extension(0x0537be77, "luksluks");
    check_refused("encrypted");
    make_qcow2(&made);
    put_extension(0x6803f857, "names");
    put_be(&made, 108, 1000, 4);
    check_refused("extension");
    make_qcow2(&made);
    put_extension(0x6803f857, "names");
    check_is(IMAGE_QCOW2, QCOW2_MADE_BYTES);
}

TEST(qcow2_features_that_qemu_has_are_taken)
{
    make_qcow2(&made);
    put_be(&made, 72, 1 << 0 | 1 << 3, 8); /* dirty, compression type */
    put_be(&made, 100, 112, 4);
    made.bytes[104] = 1;
    check_is(IMAGE_QCOW2, QCOW2_MADE_BYTES);
    made.bytes[104] = 2;
    check_refused("compression type");
    make_qcow2(&made);
    put_be(&made, 4, 2, 4); /* version 2 ends after 72 bytes */
    put_be(&made, 72, UINT64_MAX, 8);
    put_be(&made, 72, 0, 4);
    check_is(IMAGE_QCOW2, QCOW2_MADE_BYTES);
}

/* --- vmdk --- */

static void put_vmdk_text(const char *text)
{
    memset(made.bytes + 512, 0, sizeof vmdk_text);
    put_text(&made, 512, text);
}

TEST(a_vmdk_that_names_other_files_is_refused)
{
    static const struct {
        const char *text;
        const char *part;
    } rows[] = {
        { "createType=\"monolithicFlat\"\nRW 10 FLAT \"/etc/passwd\" 0\n", "spreads over files" },
        { "RW 2048 FLAT \"/etc/passwd\" 0\n", "type FLAT" },
        { "RW 2048 VMFS \"/etc/passwd\"\n", "type VMFS" },
        { "RW 2048 SESPARSE \"/etc/passwd\"\n", "type SESPARSE" },
        { "  RW 2048 FLAT \"/etc/passwd\" 0\n", "type FLAT" },
        { "RW 10 SPARSE \"a\"\nRW 10 SPARSE \"/etc/passwd\"\n", "more than one extent" },
        { "createType=\"twoGbMaxExtentSparse\"\n", "spreads over files" },
        { "CREATETYPE=\"vmfs\"\n", "spreads over files" },
        { "parentFileNameHint=\"/etc/passwd\"\n", "parent" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        make_vmdk(&made);
        put_vmdk_text(rows[i].text);
        check_refused(rows[i].part);
    }
}

TEST(a_vmdk_hides_nothing_behind_a_nul_or_at_another_offset)
{
    make_vmdk(&made);
    put_text(&made, 512 + 4000, "RW 2048 FLAT \"/etc/passwd\" 0\n");
    check_refused("type FLAT");
    make_vmdk(&made);
    put_text(&made, 512 + 4000, "parentFileNameHint=\"x\"");
    check_refused("parent");
    make_vmdk(&made);
    put_le(&made, 28, 40, 8); /* the header says that the text is elsewhere */
    put_text(&made, 40 * 512, "RW 2048 FLAT \"/etc/passwd\" 0\n");
    check_refused("type FLAT");
    make_vmdk(&made);
    put_le(&made, 28, 40, 8);
    put_text(&made, 512, "parentFileNameHint=\"x\"");
    check_refused("parent");
}

TEST(fields_of_vmdk_are_held_to_their_bounds)
{
    static const struct {
        size_t at;
        int width;
        uint64_t value;
        const char *part;
    } rows[] = {
        { 4, 4, 4, "version" },
        { 12, 8, 0, "capacity" }, /* QEMU would open what the text names */
        { 12, 8, UINT64_MAX, "absurd" },
        { 20, 8, 0, "damaged" },
        { 20, 8, UINT64_MAX, "damaged" },
        { 28, 8, UINT64_MAX, "damaged" },
        { 28, 8, 1 << 20, "truncated" },
        { 44, 4, 0, "damaged" },
        { 44, 4, 513, "damaged" },
        { 56, 8, 1 << 20, "truncated" },
        { 56, 8, UINT64_MAX - 1, "damaged" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        make_vmdk(&made);
        put_le(&made, rows[i].at, rows[i].value, rows[i].width);
        check_refused(rows[i].part);
    }
}

TEST(the_footer_of_a_streamed_vmdk_is_checked_as_the_header_is)
{
    size_t footer = 64 * 1024 - 1536 + 512;

    make_vmdk_stream(&made);
    put_le(&made, footer + 12, 0, 8);
    check_refused("capacity");
    make_vmdk_stream(&made);
    put_le(&made, footer + 56, UINT64_MAX, 8);
    check_refused("damaged footer");
    make_vmdk_stream(&made);
    made.bytes[footer] = 'X';
    check_refused("footer is missing");
}

/* --- vhdx, vdi, raw --- */

TEST(a_vhdx_with_a_parent_is_refused)
{
    make_vhdx(&made);
    put_le(&made, VHDX_METADATA + VHDX_ITEMS + 4, 2, 4);
    check_refused("differencing");
    make_vhdx(&made);
    put_le(&made, VHDX_METADATA + 10, 3, 2);
    memcpy(made.bytes + VHDX_METADATA + 96, vhdx_parent, 16);
    check_refused("parent");
}

TEST(a_damaged_vhdx_is_refused)
{
    make_vhdx(&made);
    put_le(&made, VHDX_REGIONS + 8, 5000, 4);
    check_refused("region table");
    make_vhdx(&made);
    put_le(&made, VHDX_REGIONS + 8, 0, 4);
    check_refused("no region for the metadata");
    make_vhdx(&made);
    put_le(&made, VHDX_REGIONS + 32, UINT64_MAX, 8);
    check_refused("truncated");
    make_vhdx(&made);
    put_le(&made, VHDX_METADATA + 10, 1, 2);
    check_refused("metadata table");
    make_vhdx(&made);
    put_le(&made, VHDX_METADATA + 80, UINT32_MAX, 4);
    check_refused("truncated");
    make_vhdx(&made);
    put_le(&made, VHDX_METADATA + VHDX_ITEMS + 8, UINT64_MAX, 8);
    check_refused("absurd");
}

TEST(a_vdi_with_a_parent_is_refused)
{
    make_vdi(&made);
    put_le(&made, 76, 4, 4);
    check_refused("differencing");
    make_vdi(&made);
    made.bytes[424] = 1;
    check_refused("parent");
    make_vdi(&made);
    made.bytes[455] = 1;
    check_refused("parent");
    make_vdi(&made);
    put_le(&made, 68, 0x00020001, 4);
    check_refused("version 2.1");
    make_vdi(&made);
    put_le(&made, 384, UINT32_MAX, 4);
    check_refused("truncated");
}

TEST(a_raw_disk_shorter_than_its_partitions_is_refused)
{
    make_mbr(&made, 128);
    check_refused("truncated: it describes 66048 bytes, the file has 65536");
    make_gpt(&made, 128);
    check_refused("truncated");
    make_gpt(&made, UINT64_MAX);
    check_refused("truncated");
}

TEST(a_boot_sector_without_a_partition_table_is_a_raw_disk)
{
    make_blank(&made);
    make_boot_sector(&made);
    memset(made.bytes + 446, 0xfa, 64); /* boot code of a file system without partitions */
    check_is(IMAGE_RAW, 64 << 10);
}

TEST(a_cdrom_much_shorter_than_it_says_is_refused)
{
    make_iso(&made);
    put_le(&made, 0x8000 + 80, 182, 4);
    check_is(IMAGE_ISO, 64 << 10); /* some recorders leave the last blocks away */
    put_le(&made, 0x8000 + 80, 183, 4);
    check_refused("truncated");
}

/* --- files that were cut off behind their tables --- */

static void check_whole(enum image_format format)
{
    struct image_bytes bytes = made_bytes(&made);
    struct err err = { 0 };

    CHECK_OK(image_check_whole(&bytes, format, &err), &err);
}

static void check_cut(enum image_format format, const char *part)
{
    struct image_bytes bytes = made_bytes(&made);
    struct err err = { 0 };

    CHECK_FAILS(image_check_whole(&bytes, format, &err), &err, ERR_INVALID);
    CHECK_CONTAINS(err.text, part);
}

TEST(formats_without_tables_are_whole)
{
    make_mbr(&made, 127);
    check_whole(IMAGE_RAW);
}

/* Level 2 table in cluster 4, data from cluster 5. */
static void make_qcow2_with_data(uint64_t entry)
{
    make_qcow2(&made);
    put_be(&made, 3 * 512, 4 * 512 | UINT64_C(1) << 63, 8);
    put_be(&made, 4 * 512, entry, 8);
    made.size = 6 * 512;
}

TEST(a_qcow2_cut_within_its_last_cluster_is_told)
{
    make_qcow2_with_data(5 * 512 | UINT64_C(1) << 63);
    check_whole(IMAGE_QCOW2);
    made.size -= 1;
    check_cut(IMAGE_QCOW2, "truncated: a cluster");
    made.size = 5 * 512 - 1;
    check_cut(IMAGE_QCOW2, "truncated: a level 2 table");
}

TEST(clusters_of_qcow2_without_data_need_no_room)
{
    make_qcow2_with_data(0);
    made.size = 5 * 512;
    check_whole(IMAGE_QCOW2);
    make_qcow2_with_data(5 * 512 | 1); /* allocated, reads as zeros */
    made.size = 5 * 512;
    check_whole(IMAGE_QCOW2);
    put_be(&made, 4, 2, 4); /* version 2 has no such flag */
    check_cut(IMAGE_QCOW2, "a cluster");
}

TEST(the_last_cluster_of_qcow2_needs_what_the_disk_has_of_it)
{
    make_qcow2_with_data(0);
    put_be(&made, 24, 600, 8);
    put_be(&made, 4 * 512 + 8, 5 * 512, 8); /* guest bytes 512 to 599 */
    made.size = 5 * 512 + 88;
    check_whole(IMAGE_QCOW2);
    made.size--;
    check_cut(IMAGE_QCOW2, "a cluster");
}

TEST(a_compressed_cluster_of_qcow2_needs_its_last_sector)
{
    /* 9 cluster bits: the offset has 61 bits, one bit says whether there is a second sector. */
    make_qcow2_with_data(UINT64_C(1) << 62 | UINT64_C(1) << 61 | (5 * 512 + 100));
    made.size = 6 * 512 + 1;
    check_whole(IMAGE_QCOW2);
    made.size--;
    check_cut(IMAGE_QCOW2, "a cluster");
}

TEST(subclusters_of_qcow2_count_as_far_as_they_are_allocated)
{
    make_qcow2(&made);
    put_be(&made, 72, 1 << 4, 8);
    put_be(&made, 20, 14, 4); /* 16 KiB: 1024 entries of 16 bytes */
    put_be(&made, 36, 1, 4);
    put_be(&made, 40, 1 << 14, 8);
    put_be(&made, 48, 2 << 14, 8);
    put_be(&made, 1 << 14, 3 << 14, 8);
    put_be(&made, 3 << 14, 4 << 14, 8);
    made.size = 4 << 14;
    check_whole(IMAGE_QCOW2);            /* no subcluster is allocated */
    put_be(&made, (3 << 14) + 12, 5, 4); /* the first and the third of 512 bytes */
    made.size = (4 << 14) + 3 * 512;
    check_whole(IMAGE_QCOW2);
    made.size--;
    check_cut(IMAGE_QCOW2, "a cluster");
}

TEST(a_qcow2_that_repeats_its_tables_to_waste_time_is_refused)
{
    make_qcow2_with_data(0);
    for (size_t i = 0; i < 32; i++)
        put_be(&made, 3 * 512 + 8 * i, 4 * 512, 8);
    check_cut(IMAGE_QCOW2, "more level 2 tables");
}

TEST(a_vmdk_cut_within_its_last_grain_is_told)
{
    make_vmdk(&made);
    put_le(&made, 20, 8, 8);        /* grains of 4 KiB */
    put_le(&made, 26 * 512, 40, 4); /* the first table in sector 40 */
    put_le(&made, 40 * 512, 120, 4);
    put_le(&made, 40 * 512 + 4, 1, 4); /* zeros */
    check_whole(IMAGE_VMDK);
    made.size = 128 * 512 - 1;
    check_cut(IMAGE_VMDK, "a grain");
    made.size = 40 * 512 + 100;
    check_cut(IMAGE_VMDK, "truncated");
}

TEST(a_compressed_grain_of_vmdk_is_as_long_as_its_marker_says)
{
    make_vmdk(&made);
    put_le(&made, 77, 1, 2);
    put_le(&made, 26 * 512, 40, 4);
    put_le(&made, 40 * 512, 120, 4);
    put_le(&made, 120 * 512 + 8, 8 * 512 - 12, 4);
    check_whole(IMAGE_VMDK);
    put_le(&made, 120 * 512 + 8, 8 * 512 - 11, 4);
    check_cut(IMAGE_VMDK, "a grain");
}

TEST(a_vmdk_that_repeats_its_tables_to_waste_time_is_refused)
{
    make_vmdk(&made);
    put_le(&made, 20, 1, 8);
    put_le(&made, 44, 1, 4);
    put_le(&made, 12, 16000, 8); /* a table of one entry for each sector */
    made.size = 63000;
    memset(made.bytes + 26 * 512, 1, 63000 - 26 * 512 - 512);
    put_le(&made, 56, 1, 8); /* the directory is anywhere */
    check_cut(IMAGE_VMDK, "truncated");
}

TEST(a_vdi_cut_behind_its_map_is_told)
{
    make_vdi(&made);
    put_le(&made, 376, 512, 4); /* block size */
    put_le(&made, 384, 3, 4);
    put_le(&made, 512, 1, 4);
    put_le(&made, 516, UINT32_MAX, 4);
    put_le(&made, 520, 0, 4);
    made.size = 1024 + 2 * 512;
    check_whole(IMAGE_VDI);
    made.size--;
    check_cut(IMAGE_VDI, "a block");
    put_le(&made, 512, UINT32_MAX - 2, 4);
    put_le(&made, 380, UINT32_MAX, 4);
    check_cut(IMAGE_VDI, "a block");
}

TEST(a_vhdx_cut_behind_its_table_is_told)
{
    make_vhdx_with_table(&made);
    check_whole(IMAGE_VHDX);
    put_le(&made, VHDX_TABLE, UINT64_C(1) << 20 | 6, 8); /* a block at 1 MiB, present */
    check_cut(IMAGE_VHDX, "a block");
    put_le(&made, VHDX_TABLE, UINT64_C(1) << 20 | 2, 8); /* the same, but zeros */
    check_whole(IMAGE_VHDX);
    put_le(&made, VHDX_REGIONS + 72, 0, 4);
    check_cut(IMAGE_VHDX, "too short");
    make_vhdx_with_table(&made);
    put_le(&made, VHDX_METADATA + VHDX_ITEMS, 0, 4);
    check_cut(IMAGE_VHDX, "damaged metadata");
}

TEST(a_file_that_cannot_be_read_is_an_error_of_the_host)
{
    struct image_bytes bytes = { .size = 4096 };
    struct image_found found;
    struct err err = { 0 };

    made_begin(&made, 0);
    bytes.read = made_read;
    bytes.arg = &made;
    CHECK_FAILS(image_detect(&bytes, &found, &err), &err, ERR_INTERNAL);
}
