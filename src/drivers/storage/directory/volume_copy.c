/* drivers/storage/directory/volume_copy.c - volumes that begin as others. */
#include "drivers/storage/directory/volume_copy.h"
#include "base/auto.h"
#include "base/fault.h"
#include "base/files.h"
#include "drivers/storage/directory/qemu_img.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_CPU_SECONDS_MAX = 6 * 3600, FIRST_FD = 3 };

static int open_file(const char *path, int *ret_fd, struct err *err)
{
    *ret_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return *ret_fd < 0 ? err_errno(err, "open %s", path) : 0;
}

/* --- all in one file --- */

struct files {
    int fds[DISK_CHAIN_MAX + 1]; /* of the chain, and the one to write to */
    unsigned count;
};

static void close_files(struct files *files)
{
    for (unsigned i = 0; i < files->count; i++)
        close(files->fds[i]);
}

static int open_files(const struct volume_chain *chain, struct files *files, struct err *err)
{
    for (; files->count < chain->count; files->count++)
        if (open_file(chain->paths[files->count], &files->fds[files->count], err) < 0)
            return -1;
    return 0;
}

static int run(const struct op *op, const char *const *argv, const int *fds, size_t fd_count, struct err *err)
{
    const struct foreign_run run = { .place = op->place,
                                     .argv = argv,
                                     .fds = fds,
                                     .fd_count = fd_count,
                                     .cpu_seconds_max = COPY_CPU_SECONDS_MAX,
                                     .cancel = &op->cancel };

    return foreign_run_well(&run, ERR_IO, err);
}

static int convert(const struct op *op, const struct files *from, int out, struct err *err)
{
    auto_free char *chain = qemu_img_chain(FIRST_FD, from->count);
    auto_free char *to = str_printf("/dev/fd/%u", FIRST_FD + from->count);
    const char *const argv[] = { "qemu-img", "convert", "-q", "-O", "qcow2", chain, to, NULL };
    struct files all = *from;

    all.fds[all.count++] = out;
    return run(op, argv, all.fds, all.count, err);
}

static int grow_to(const struct op *op, int out, struct err *err)
{
    auto_free char *file = qemu_img_file("qcow2", FIRST_FD);
    auto_free char *size = str_printf("%" PRId64, op->size);
    const char *const argv[] = { "qemu-img", "resize", "-q", file, size, NULL };

    return run(op, argv, &out, 1, err);
}

int volume_copy(const struct op *op, const char *work, struct err *err)
{
    auto_free char *path = str_printf("%s/disk.qcow2", work);
    auto_close int out = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    auto_volume_chain struct volume_chain chain = { 0 };
    struct files files = { 0 };
    int result;

    if (out < 0)
        return err_errno(err, "create %s", path);
    result = volume_chain_read(op->place, op->pool, op->volume_uid, &chain, err);
    if (result == 0)
        result = open_files(&chain, &files, err);
    if (result == 0)
        result = foreign_give(op->place, out, err);
    if (result == 0)
        result = convert(op, &files, out, err);
    fault_point("storage.in_copy");
    if (result == 0)
        result = grow_to(op, out, err);
    close_files(&files);
    if (result < 0)
        return err_wrap(err, "copy volume %s", op->volume_uid);
    return foreign_take_back(out, VOLUME_MODE, err);
}

/* --- as it is --- */

int volume_twin(const struct op *op, const char *work, struct err *err)
{
    auto_free char *from_path = place_volume(op->pool, op->twin_uid, "disk.qcow2");
    auto_free char *path = str_printf("%s/disk.qcow2", work);
    auto_close int from = -1;
    auto_close int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (to < 0)
        return err_errno(err, "create %s", path);
    if (open_file(from_path, &from, err) < 0 || file_copy(from, to, err) < 0)
        return err_wrap(err, "copy volume %s", op->twin_uid);
    fault_point("storage.in_twin");
    return fchmod(to, VOLUME_MODE) < 0 ? err_errno(err, "%s", path) : 0;
}
