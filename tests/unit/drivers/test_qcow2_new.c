/* Empty disks of our own making, read by QEMU's tools. */
#include "scratch.h"
#include "drivers/storage/directory/image_formats.h"
#include "drivers/storage/directory/qcow2_new.h"
#include "base/files.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int64_t MIB = INT64_C(1) << 20, TIB = INT64_C(1) << 40;
static char *folder;

static void run(const char *command)
{
    auto_free char *whole = str_printf("cd %s && { %s; } > /dev/null", folder, command);

    if (system(whole) != 0)
        check_fail(CHECK_HERE, "failed: %s", command);
}

static void begin(void)
{
    folder = scratch_new();
}

static void end(void)
{
    scratch_remove(folder);
}

static void make(const char *name, int64_t size, const char *backing)
{
    auto_free char *path = str_printf("%s/%s", folder, name);
    const struct qcow2_new disk = { .size_bytes = size, .backing = backing };
    auto_buf struct buf head = { 0 };
    struct err err = { 0 };
    int64_t file_bytes;

    CHECK_OK(qcow2_new(&disk, &head, &file_bytes, &err), &err);
    CHECK(file_bytes >= (int64_t)head.size);
    CHECK_OK(file_write_atomic(path, head.bytes, head.size, 0600, &err), &err);
    CHECK_EQ(truncate(path, file_bytes), 0);
}

TEST(qemu_finds_no_error_at_any_size_and_can_write_to_both_ends)
{
    static const int64_t sizes[] = { 512,
                                     1 << 20,
                                     INT64_C(512) << 20,
                                     (INT64_C(512) << 20) + 512,
                                     INT64_C(4) << 40,
                                     INT64_C(64) << 40,
                                     INT64_C(1) << 50 };

    begin();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        auto_free char *command = str_printf(
            "qemu-img check -q d && "
            "qemu-img info --output=json d | grep -q '\"virtual-size\": %" PRId64 ",' && "
            "qemu-io -f qcow2 -c 'write -P 5 0 512' -c 'write -P 6 %" PRId64 " 512' d && "
            "qemu-io -f qcow2 -c 'read -P 6 %" PRId64 " 512' d && "
            "qemu-img check -q d",
            sizes[i], sizes[i] - 512, sizes[i] - 512);

        make("d", sizes[i], NULL);
        run(command);
    }
    end();
}

TEST(it_reads_as_zeros_and_as_what_qemu_itself_makes)
{
    begin();
    make("d", 3 * MIB, NULL);
    run("qemu-img create -q -f qcow2 q 3M && qemu-img compare -s -q d q");
    end();
}

TEST(a_backing_file_shows_through_as_far_as_it_reaches)
{
    begin();
    run("head -c 1048576 /dev/urandom > raw && qemu-img convert -f raw -O qcow2 raw image");
    auto_free char *backing = str_printf("%s/image", folder);
    make("d", 2 * MIB, backing);
    run("qemu-img check -q d && qemu-img compare -q -f raw -F qcow2 raw d && "
        "qemu-img info --output=json d | grep -q '\"backing-filename-format\": \"qcow2\"' && "
        "qemu-io -f qcow2 -c 'read -P 0 1M 1M' d && qemu-img resize -q d 1G && "
        "qemu-img check -q d");
    end();
}

TEST(a_path_of_any_allowed_length_fits)
{
    char backing[QCOW2_BACKING_MAX + 2];
    const struct qcow2_new disk = { .size_bytes = 512, .backing = backing };
    auto_buf struct buf head = { 0 };
    struct err err = { 0 };
    int64_t file_bytes;

    memset(backing, 'x', sizeof backing);
    backing[QCOW2_BACKING_MAX + 1] = '\0';
    CHECK_FAILS(qcow2_new(&disk, &head, &file_bytes, &err), &err, ERR_INVALID);
    backing[QCOW2_BACKING_MAX] = '\0';
    begin();
    make("d", MIB, backing);
    run("qemu-img info -U --output=json d | grep -q '\"backing-filename\": \"xxxx'");
    end();
}

TEST(absurd_sizes_are_refused)
{
    const int64_t sizes[] = { 0, -1, 1024 * TIB + 512, INT64_MAX };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const struct qcow2_new disk = { .size_bytes = sizes[i] };
        auto_buf struct buf head = { 0 };
        struct err err = { 0 };
        int64_t file_bytes;

        CHECK_FAILS(qcow2_new(&disk, &head, &file_bytes, &err), &err, ERR_INVALID);
    }
}
