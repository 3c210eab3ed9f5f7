/* drivers/storage/directory/image_convert.c - foreign disks into qcow2 files of our own. */
#include "base/auto.h"
#include "base/fault.h"
#include "drivers/storage/directory/image_file.h"
#include "drivers/storage/directory/image_import.h"
#include "drivers/storage/directory/qemu_img.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CPU_SECONDS_MIN = 600,
    CPU_SECONDS_PER_GIB = 60,
    CHECK_FOUND_LEAKS = 3, /* "qemu-img check": space is wasted, nothing is wrong */
    CHECK_NOT_SUPPORTED = 63,
};

/* Reading zeros costs time too: the limit follows the virtual size. */
static unsigned cpu_seconds(int64_t virtual_bytes)
{
    int64_t seconds = CPU_SECONDS_MIN + (virtual_bytes >> 30) * CPU_SECONDS_PER_GIB;

    return seconds < INT32_MAX ? (unsigned)seconds : INT32_MAX;
}

static int check_structure(struct op *op, int fd, const struct image_found *found, const char *file,
                           struct err *err)
{
    const char *const argv[] = { "qemu-img", "check", "--output=json", file, NULL };
    const struct foreign_run run = { .place = op->place,
                                     .argv = argv,
                                     .fds = &fd,
                                     .fd_count = 1,
                                     .cpu_seconds_max = cpu_seconds(found->virtual_bytes),
                                     .cancel = &op->cancel };
    struct child_end end;
    struct image_bytes bytes;

    if (image_file_bytes(&fd, &bytes, err) < 0 || image_check_whole(&bytes, found->format, err) < 0)
        return -1;
    if (found->format == IMAGE_RAW)
        return 0;
    if (foreign_run(&run, &end, err) < 0)
        return -1;
    if (end.code == 0 || end.code == CHECK_FOUND_LEAKS || end.code == CHECK_NOT_SUPPORTED)
        return 0;
    child_explain(&end, ERR_INVALID, err);
    return err_wrap(err, "%s image is damaged", image_format_name(found->format));
}

/* "    (12.34/100%)\r": the last percentage in a piece of what it prints. */
static void take_percent(void *arg, const char *text, size_t size)
{
    struct op *op = arg;
    int64_t total = atomic_load(&op->progress.total);
    char piece[64];
    const char *at;
    double percent;

    if (size > sizeof piece - 1) {
        text += size - (sizeof piece - 1);
        size = sizeof piece - 1;
    }
    memcpy(piece, text, size);
    piece[size] = '\0';
    at = strrchr(piece, '(');
    if (at && sscanf(at, "(%lf/100%%)", &percent) == 1 && percent >= 0 && percent <= 100)
        atomic_store(&op->progress.bytes, (int64_t)((double)total * percent / 100));
}

/* Our own header and tables around the data: what a file of zeros and one of noise need more. */
static int64_t metadata_bytes(int64_t virtual_bytes) { return (2 << 20) + virtual_bytes / 1024; }

static int write_qcow2(struct op *op, int fd, int out, const struct image_found *found,
                       const char *file, struct err *err)
{
    const int fds[] = { fd, out };
    const char *const argv[] = {
        "qemu-img", "convert", "-p", "-O", "qcow2", file, "/dev/fd/4", NULL
    };
    struct foreign_run run = { .place = op->place,
                               .argv = argv,
                               .fds = fds,
                               .fd_count = 2,
                               .cpu_seconds_max = cpu_seconds(found->virtual_bytes),
                               .cancel = &op->cancel,
                               .printed = take_percent,
                               .arg = op };
    int64_t budget;

    if (image_budget(op, &budget, err) < 0)
        return -1;
    run.file_size_max = (uint64_t)(budget + metadata_bytes(found->virtual_bytes));
    if (foreign_run_well(&run, ERR_INVALID, err) == 0)
        return 0;
    if (err->code == ERR_TOO_LARGE)
        return err_set(err, ERR_NO_SPACE, "more than the %" PRId64 " bytes that are free", budget);
    return -1;
}

/* Ours from here on: nobody may still hold it open for writing. */
static int settle(const char *path, struct err *err)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return err_errno(err, "open %s", path);
    if (foreign_take_back(fd, IMAGE_MODE, err) < 0)
        return -1;
    return place_check_no_writer(fd, err);
}

static int check_result(const char *path, const struct image_found *found, struct err *err)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct image_bytes bytes;
    struct image_found made;

    if (fd < 0)
        return err_errno(err, "open %s", path);
    if (image_file_bytes(&fd, &bytes, err) < 0 || image_detect(&bytes, &made, err) < 0)
        return err_wrap(err, "the converted image");
    if (made.format != IMAGE_QCOW2 || made.virtual_bytes != found->virtual_bytes)
        return err_set(err, ERR_INVALID,
                       "the header says %" PRId64 " bytes, converted were %" PRId64,
                       found->virtual_bytes, made.virtual_bytes);
    return 0;
}

int image_convert(struct op *op, int fd, const struct image_found *found, const char *work,
                  struct err *err)
{
    auto_free char *file = qemu_img_file(image_format_name(found->format), 3);
    auto_free char *path = str_printf("%s/disk.qcow2", work);
    int out, result;

    op_step(op, "Converting", found->virtual_bytes);
    if (check_structure(op, fd, found, file, err) < 0)
        return -1;
    fault_point("storage.before_convert");
    out = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0)
        return err_errno(err, "create %s", path);
    result = foreign_give(op->place, out, err);
    if (result == 0)
        result = write_qcow2(op, fd, out, found, file, err);
    close(out);
    if (result < 0)
        return err_wrap(err, "convert the image");
    return settle(path, err) < 0 ? -1 : check_result(path, found, err);
}
