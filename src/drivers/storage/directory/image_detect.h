/* drivers/storage/directory/image_detect.h - what a file that came from outside is, and why it
 * is not to be opened.
 *
 * Pure: reads through a callback, no I/O of its own. QEMU's formats can name other files of the
 * host (backing files, data files, extents, parents): whatever names one is refused here, before
 * a process that follows names ever sees it. The layouts are from QEMU's docs/interop/qcow2.rst,
 * VMware's Virtual Disk Format 5.0, [MS-VHDX], VirtualBox's VDICore.h and ECMA-119. */
#pragma once
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

enum image_format {
    IMAGE_RAW,
    IMAGE_QCOW2,
    IMAGE_VMDK,
    IMAGE_VHDX,
    IMAGE_VDI,
    IMAGE_ISO,    /* ISO 9660: a CD-ROM, hybrid ones too */
    IMAGE_BUNDLE, /* a tar archive; its members are not looked at here */
    IMAGE_GZIP,   /* compressed: what is inside is not known here */
    IMAGE_XZ,
    IMAGE_ZSTD,
    IMAGE_FORMAT_COUNT
};
const char *image_format_name(enum image_format format); /* "qcow2"; the name QEMU's drivers have */
bool image_format_is_compressed(enum image_format format);

/* The bytes to look at. */
struct image_bytes {
    int64_t size;
    /* Exactly 'count' bytes from 'offset', all of them below 'size'. */
    int (*read)(void *arg, int64_t offset, void *to, size_t count, struct err *err);
    void *arg;
};

struct image_found {
    enum image_format format;
    int64_t virtual_bytes; /* as a guest would see it; 0 for bundles and compressed files */
};

/* ERR_INVALID says what is wrong with the file: not an image, truncated, encrypted, or which
 * other file it names. Reads at most some 2 MiB. */
int image_detect(const struct image_bytes *bytes, struct image_found *ret_found, struct err *err);

/* ERR_INVALID when the tables of a detected disk name data beyond the end of the file: a file
 * that was cut off, which QEMU would silently fill up with zeros. Reads the tables only, at most
 * as much as the file has. */
int image_check_whole(const struct image_bytes *bytes, enum image_format format, struct err *err);
