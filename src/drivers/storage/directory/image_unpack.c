/* drivers/storage/directory/image_unpack.c - decompressing files and taking bundles apart.
 * The program virga-import does it: as another user, with limits, on descriptors only. */
#include "base/auto.h"
#include "base/fault.h"
#include "drivers/storage/directory/bundle.h"
#include "drivers/storage/directory/image_import.h"
#include "drivers/storage/directory/import_program.h"
#include "drivers/storage/directory/qemu_img.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { CPU_SECONDS_MAX = 2 * 3600 };

/* Zeros take no space: a sparse disk may be larger than what is free. */
static const int64_t LOGICAL_MAX = INT64_C(16) << 40;

struct limits {
    char logical[32], written[32];
    int64_t file_size_max;
};

static int find_limits(const struct op *op, struct limits *ret_limits, struct err *err)
{
    int64_t budget;

    if (image_budget(op, &budget, err) < 0)
        return -1;
    ret_limits->file_size_max = op->size > 0 ? op->size : LOGICAL_MAX;
    snprintf(ret_limits->logical, sizeof ret_limits->logical, "%" PRId64,
             ret_limits->file_size_max);
    snprintf(ret_limits->written, sizeof ret_limits->written, "%" PRId64, budget);
    return 0;
}

static int make_file(const char *work, const char *name, int *ret_fd, struct err *err)
{
    auto_free char *path = str_printf("%s/%s", work, name);

    *ret_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, STAGED_MODE);
    if (*ret_fd < 0)
        return err_errno(err, "create %s", path);
    return fchmod(*ret_fd, STAGED_MODE) < 0 ? err_errno(err, "set mode of %s", path) : 0;
}

/* Opened again for reading, once nobody can write to it any more. */
static int open_made(const char *work, const char *name, int *ret_fd, struct err *err)
{
    auto_free char *path = str_printf("%s/%s", work, name);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return err_errno(err, "open %s", path);
    if (place_check_no_writer(fd, err) < 0)
        return -1;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

static int run_program(struct op *op, const char *const *argv, const int *fds, size_t fd_count,
                       const struct limits *limits, void (*tick)(void *arg), void *arg,
                       struct err *err)
{
    const struct foreign_run run = { .place = op->place,
                                     .argv = argv,
                                     .fds = fds,
                                     .fd_count = fd_count,
                                     .file_size_max = (uint64_t)limits->file_size_max,
                                     .limits_itself = true,
                                     .cpu_seconds_max = CPU_SECONDS_MAX,
                                     .cancel = &op->cancel,
                                     .tick = tick,
                                     .arg = arg };
    struct child_end end;

    if (foreign_run(&run, &end, err) < 0)
        return -1;
    if (end.code == 0)
        return 0;
    child_explain(&end, ERR_INVALID, err);
    if (end.code == IMPORT_EXIT_TOO_LARGE)
        err->code = ERR_TOO_LARGE;
    if (end.code == IMPORT_EXIT_NO_SPACE)
        err->code = ERR_NO_SPACE;
    return -1;
}

struct watched {
    struct op *op;
    int fd;
};

static void tell_size(void *arg)
{
    const struct watched *watched = arg;
    struct stat found;

    if (fstat(watched->fd, &found) == 0)
        atomic_store(&watched->op->progress.bytes, found.st_size);
}

int image_decompress(struct op *op, int fd, enum image_format format, const char *work, int *ret_fd,
                     struct err *err)
{
    struct limits limits;
    struct watched watched = { .op = op };
    int result;

    op_step(op, "Unpacking", 0);
    if (find_limits(op, &limits, err) < 0 || make_file(work, "unpacked", &watched.fd, err) < 0)
        return -1;
    const char *const argv[] = { op->place->import_program,
                                 "decompress",
                                 image_format_name(format),
                                 limits.logical,
                                 limits.written,
                                 NULL };
    const int fds[] = { fd, watched.fd };
    result = run_program(op, argv, fds, 2, &limits, tell_size, &watched, err);
    close(watched.fd);
    return result < 0 ? -1 : open_made(work, "unpacked", ret_fd, err);
}

/* --- bundles --- */

enum { AT_ARCHIVE, AT_MANIFEST, AT_DISK, AT_KERNEL, AT_INITRD, AT_COUNT };

static const char *const member_files[AT_COUNT] = {
    [AT_DISK] = "member", [AT_KERNEL] = "kernel", [AT_INITRD] = "initrd"
};

static void close_members(int fds[AT_COUNT])
{
    for (int i = AT_MANIFEST; i < AT_COUNT; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static int make_members(const char *work, int fds[AT_COUNT], struct err *err)
{
    fds[AT_MANIFEST] = memfd_create("image.json", MFD_CLOEXEC);
    if (fds[AT_MANIFEST] < 0)
        return err_errno(err, "memfd");
    for (int i = AT_DISK; i < AT_COUNT; i++)
        if (make_file(work, member_files[i], &fds[i], err) < 0)
            return -1;
    return 0;
}

static int read_manifest(int fd, struct bundle *ret_bundle, struct err *err)
{
    auto_free char *text = malloc(BUNDLE_MANIFEST_MAX);
    ssize_t size = text ? pread(fd, text, BUNDLE_MANIFEST_MAX, 0) : -1;

    if (size < 0)
        return err_errno(err, "read image.json");
    return bundle_parse(text, (size_t)size, ret_bundle, err);
}

static int check_architecture(const struct bundle *bundle, struct err *err)
{
    struct utsname host;

    if (!bundle->architecture[0] || uname(&host) < 0 ||
        strcmp(bundle->architecture, host.machine) == 0)
        return 0;
    return err_set(err, ERR_INVALID, "the image is for %.31s, this host is %s",
                   bundle->architecture, host.machine);
}

/* A kernel is given to the machine's process, which may read it but not write. */
static int keep_or_drop(const char *work, const char *name, bool is_kept, struct err *err)
{
    auto_free char *path = str_printf("%s/%s", work, name);
    auto_close int fd = -1;

    if (is_kept)
        return open_made(work, name, &fd, err);
    return unlink(path) < 0 ? err_errno(err, "remove %s", path) : 0;
}

static void describe(const struct bundle *bundle, struct image_meta *meta)
{
    meta->info.has_kernel = bundle->kernel[0] != '\0';
    meta->has_initrd = bundle->initrd[0] != '\0';
    meta->info.guest_agent = bundle->guest_agent;
    snprintf(meta->command_line, sizeof meta->command_line, "%s", bundle->command_line);
    snprintf(meta->info.default_user, sizeof meta->info.default_user, "%s", bundle->default_user);
    snprintf(meta->info.os, sizeof meta->info.os, "%s", bundle->os);
}

static int take_apart(struct op *op, int fds[AT_COUNT], const char *work, struct bundle *ret_bundle,
                      struct err *err)
{
    struct limits limits;

    if (find_limits(op, &limits, err) < 0 || make_members(work, fds, err) < 0)
        return -1;
    const char *const argv[] = { op->place->import_program, "unbundle", limits.logical,
                                 limits.written, NULL };
    if (run_program(op, argv, fds, AT_COUNT, &limits, NULL, NULL, err) < 0)
        return -1;
    return read_manifest(fds[AT_MANIFEST], ret_bundle, err);
}

int image_unbundle(struct op *op, int fd, const char *work, struct image_meta *meta, int *ret_fd,
                   struct err *err)
{
    int fds[AT_COUNT] = { fd, -1, -1, -1, -1 };
    struct bundle bundle;
    int result;

    op_step(op, "Unpacking", 0);
    result = take_apart(op, fds, work, &bundle, err);
    close_members(fds);
    if (result < 0)
        return err_wrap(err, "bundle");
    if (check_architecture(&bundle, err) < 0 ||
        keep_or_drop(work, "kernel", bundle.kernel[0], err) < 0 ||
        keep_or_drop(work, "initrd", bundle.initrd[0], err) < 0)
        return -1;
    describe(&bundle, meta);
    return open_made(work, "member", ret_fd, err);
}
