/* drivers/storage/directory/qcow2_new.h - an empty thin disk as a file. Pure.
 *
 * "qemu-img create" makes the same in 15 to 30 ms, most of them for loading QEMU's libraries,
 * and a machine's start waits for it; this takes no time to speak of. The layout is that of
 * QEMU's docs/interop/qcow2.rst, version 3, with clusters of 64 KiB. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include <stdint.h>

enum { QCOW2_BACKING_MAX = 1023 };

/* Where the guest sees zeros, or 'backing' (a qcow2 file; NULL: none) as far as that reaches. */
struct qcow2_new {
    int64_t size_bytes; /* a multiple of 512 */
    const char *backing;
};

/* The first bytes of the file into 'ret_head'; up to '*ret_file_bytes' the rest is zeros.
 * ERR_INVALID when the size or the name is too large. */
int qcow2_new(const struct qcow2_new *disk, struct buf *ret_head, int64_t *ret_file_bytes,
              struct err *err);
