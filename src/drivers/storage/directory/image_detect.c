/* drivers/storage/directory/image_detect.c - tells formats apart by their signatures. */
#include "drivers/storage/directory/image_detect.h"
#include "drivers/storage/directory/image_formats.h"
#include <inttypes.h>
#include <strings.h>

enum { ISO_DESCRIPTOR = 0x8000 };

static const char *const format_names[IMAGE_FORMAT_COUNT] = {
    [IMAGE_RAW] = "raw", [IMAGE_QCOW2] = "qcow2", [IMAGE_VMDK] = "vmdk",     [IMAGE_VHDX] = "vhdx",
    [IMAGE_VDI] = "vdi", [IMAGE_ISO] = "iso",     [IMAGE_BUNDLE] = "bundle", [IMAGE_GZIP] = "gzip",
    [IMAGE_XZ] = "xz",   [IMAGE_ZSTD] = "zstd",
};

const char *image_format_name(enum image_format format) { return format_names[format]; }

bool image_format_is_compressed(enum image_format format)
{
    return format == IMAGE_GZIP || format == IMAGE_XZ || format == IMAGE_ZSTD;
}

int image_has_range(const struct image_bytes *bytes, const char *what, uint64_t offset,
                    uint64_t count, struct err *err)
{
    uint64_t size = (uint64_t)bytes->size;

    if (offset <= size && count <= size - offset)
        return 0;
    return err_set(err, ERR_INVALID, "truncated: %s lies beyond the end of the file, byte %" PRIu64,
                   what, size);
}

int image_read(const struct image_bytes *bytes, uint64_t offset, void *to, size_t count,
               struct err *err)
{
    if (image_has_range(bytes, "the header", offset, count, err) < 0)
        return -1;
    return bytes->read(bytes->arg, (int64_t)offset, to, count, err);
}

int image_take_size(uint64_t virtual_bytes, int64_t *ret_virtual_bytes, struct err *err)
{
    if (virtual_bytes == 0)
        return err_set(err, ERR_INVALID, "the disk has a size of 0");
    if (virtual_bytes > (uint64_t)INT64_MAX - SECTOR_SIZE)
        return err_set(err, ERR_INVALID, "the disk's size, %" PRIu64 ", is absurd", virtual_bytes);
    *ret_virtual_bytes = (int64_t)((virtual_bytes + SECTOR_SIZE - 1) / SECTOR_SIZE * SECTOR_SIZE);
    return 0;
}

struct signature {
    uint32_t offset;
    uint8_t size;
    const char *bytes;
};

/* In this order: what has its signature in front decides; a CD-ROM may begin with a boot sector. */
static const struct known {
    struct signature signature;
    enum image_format format;
    int (*check)(const struct image_bytes *bytes, int64_t *ret_virtual_bytes, struct err *err);
} known_formats[] = {
    { { 0, 4, "QFI\xfb" }, IMAGE_QCOW2, qcow2_check },
    { { 0, 4, "KDMV" }, IMAGE_VMDK, vmdk_check },
    { { 0, 8, "vhdxfile" }, IMAGE_VHDX, vhdx_check },
    { { 64, 4, "\x7f\x10\xda\xbe" }, IMAGE_VDI, vdi_check },
    { { 0, 3, "\x1f\x8b\x08" }, IMAGE_GZIP, NULL },
    { { 0, 6, "\3757zXZ\0" }, IMAGE_XZ, NULL },
    { { 0, 4, "\x28\xb5\x2f\xfd" }, IMAGE_ZSTD, NULL },
    { { 257, 5, "ustar" }, IMAGE_BUNDLE, NULL },
    { { ISO_DESCRIPTOR + 1, 5, "CD001" }, IMAGE_ISO, iso_check },
};

/* What would pass as a raw disk by its size alone, and is none. */
static const struct refused {
    struct signature signature;
    const char *what;
} refused_formats[] = {
    { { 0, 4, "COWD" }, "a VMDK of the old ESX kind (COWD)" },
    { { 0, 21, "# Disk DescriptorFile" }, "a VMDK descriptor whose disk lies in other files" },
    { { 0, 8, "conectix" }, "a VHD disk" },
    { { 0, 4, "QED\0" }, "a QED disk" },
    { { 0, 16, "WithoutFreeSpace" }, "a Parallels disk" },
    { { 0, 16, "WithouFreSpacExt" }, "a Parallels disk" },
    { { 0, 6, "LUKS\xba\xbe" }, "an encrypted LUKS volume" },
    { { 0, 3, "BZh" }, "compressed with bzip2" },
    { { 0, 4, "PK\x03\x04" }, "a ZIP archive" },
    { { 0, 6, "7z\xbc\xaf\x27\x1c" }, "a 7-Zip archive" },
    { { 0, 4, "\x04\x22\x4d\x18" }, "compressed with LZ4" },
    { { 0, 4, "\177ELF" }, "a program" },
    { { 0, 4, "%PDF" }, "a PDF document" },
};

static bool has_signature(const struct image_bytes *bytes, const struct signature *signature)
{
    uint8_t there[32];
    struct err unreadable;

    if (bytes->size < (int64_t)signature->offset + signature->size)
        return false;
    return image_read(bytes, signature->offset, there, signature->size, &unreadable) == 0 &&
           memcmp(there, signature->bytes, signature->size) == 0;
}

static int refuse_web_page(const struct image_bytes *bytes, struct err *err)
{
    static const char *const beginnings[] = { "<!doctype", "<html", "<?xml" };
    char there[16] = "";
    size_t count = bytes->size < 15 ? (size_t)bytes->size : 15;

    if (image_read(bytes, 0, there, count, err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        if (strncasecmp(there, beginnings[i], strlen(beginnings[i])) == 0)
            return err_set(err, ERR_INVALID, "not a disk image: a web page or XML document");
    return 0;
}

static int refuse_known(const struct image_bytes *bytes, struct err *err)
{
    for (size_t i = 0; i < sizeof refused_formats / sizeof refused_formats[0]; i++)
        if (has_signature(bytes, &refused_formats[i].signature))
            return err_set(err, ERR_INVALID, "not supported: %s", refused_formats[i].what);
    return refuse_web_page(bytes, err);
}

int image_detect(const struct image_bytes *bytes, struct image_found *ret_found, struct err *err)
{
    struct image_found found = { .format = IMAGE_RAW };

    if (bytes->size == 0)
        return err_set(err, ERR_INVALID, "the file is empty");
    for (size_t i = 0; i < sizeof known_formats / sizeof known_formats[0]; i++) {
        const struct known *known = &known_formats[i];

        if (!has_signature(bytes, &known->signature))
            continue;
        found.format = known->format;
        if (known->check && known->check(bytes, &found.virtual_bytes, err) < 0)
            return err_wrap(err, "%s image", image_format_name(known->format));
        *ret_found = found;
        return 0;
    }
    if (refuse_known(bytes, err) < 0 || raw_check(bytes, &found.virtual_bytes, err) < 0)
        return -1;
    *ret_found = found;
    return 0;
}

int image_check_whole(const struct image_bytes *bytes, enum image_format format, struct err *err)
{
    int result = 0;

    if (format == IMAGE_QCOW2)
        result = qcow2_check_whole(bytes, err);
    else if (format == IMAGE_VMDK)
        result = vmdk_check_whole(bytes, err);
    else if (format == IMAGE_VDI)
        result = vdi_check_whole(bytes, err);
    else if (format == IMAGE_VHDX)
        result = vhdx_check_whole(bytes, err);
    return result < 0 ? err_wrap(err, "%s image", image_format_name(format)) : 0;
}
