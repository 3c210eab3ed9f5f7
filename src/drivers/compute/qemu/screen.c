/* drivers/compute/qemu/screen.c - the display: VNC viewers and screenshots, by descriptors.
 * No socket listens and no file is named: a viewer's stream and the picture's memory file are
 * handed to QEMU over the monitor. */
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/parts.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PICTURE_SIZE_MAX = 64 * 1024 * 1024 };

static struct qemu_machine *with_display(struct qemu_driver *driver, const char *uid,
                                         struct err *err)
{
    struct qemu_machine *machine = qemu_machine_up(driver, uid, err);

    if (machine && !machine->config->vnc) {
        (void)err_set(err, ERR_CONFLICT, "the machine has no display");
        return NULL;
    }
    return machine;
}

/* --- VNC --- */

struct viewing {
    struct qemu_machine *machine;
    struct qemu_call *call;
    int fd; /* the caller's end */
    char name[32];
};

static void viewing_end(struct viewing *viewing, const struct err *err)
{
    struct qemu_call *call = viewing->call;
    int fd = viewing->fd;

    free(viewing);
    if (!err) {
        qemu_call_end_fd(call, fd);
        return;
    }
    close(fd);
    qemu_call_end(call, err);
}

static void on_client_added(void *arg, const struct err *err, const json_t *result)
{
    struct viewing *viewing = arg;

    if (err && viewing->machine->monitor)
        monitor_call(viewing->machine->monitor, "closefd",
                     json_pack("{ss}", "fdname", viewing->name), -1, MONITOR_CALL_MS, NULL, NULL);
    viewing_end(viewing, err);
}

static void on_fd_given(void *arg, const struct err *err, const json_t *result)
{
    struct viewing *viewing = arg;

    if (err) {
        viewing_end(viewing, err);
        return;
    }
    monitor_call(viewing->machine->monitor, "add_client",
                 json_pack("{ss,ss,sb}", "protocol", "vnc", "fdname", viewing->name, "skipauth", 1),
                 -1, MONITOR_CALL_MS, on_client_added, viewing);
}

void qemu_vnc_open(struct compute *compute, const char *uid, compute_fd_fn *fn, void *arg)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct qemu_call *call = qemu_call_fd(driver, fn, arg);
    struct err err;
    struct qemu_machine *machine = with_display(driver, uid, &err);
    struct viewing *viewing;
    int ends[2];

    if (machine && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        (void)err_errno(&err, "socketpair");
        machine = NULL;
    }
    if (!machine) {
        qemu_call_end_later(call, &err);
        return;
    }
    viewing = mem_new(struct viewing);
    *viewing = (struct viewing){ .machine = machine, .call = call, .fd = ends[0] };
    snprintf(viewing->name, sizeof viewing->name, "vnc-%llx",
             (unsigned long long)loop_random(driver->setup.loop));
    monitor_call(machine->monitor, "getfd", json_pack("{ss}", "fdname", viewing->name), ends[1],
                 MONITOR_CALL_MS, on_fd_given, viewing);
}

/* --- screenshots --- */

struct picture {
    struct qemu_machine *machine;
    struct qemu_call *call;
    int fd; /* the memory file, ours */
    int64_t fdset;
};

static int read_picture(int fd, struct buf *ret_bytes, struct err *err)
{
    struct stat status;
    off_t at = 0;

    if (fstat(fd, &status) < 0)
        return err_errno(err, "read the picture");
    if (status.st_size == 0 || status.st_size > PICTURE_SIZE_MAX)
        return err_set(err, ERR_INTERNAL, "QEMU gave a picture of %lld bytes",
                       (long long)status.st_size);
    buf_reserve(ret_bytes, (size_t)status.st_size);
    while (at < status.st_size) {
        char chunk[64 * 1024];
        ssize_t got = pread(fd, chunk, sizeof chunk, at);

        if (got <= 0)
            return err_set(err, ERR_IO, "the picture was cut off");
        buf_add(ret_bytes, chunk, (size_t)got);
        at += got;
    }
    return 0;
}

static void picture_end(struct picture *picture, const struct err *err)
{
    struct qemu_call *call = picture->call;
    auto_buf struct buf bytes = { 0 };
    struct err failure;

    if (picture->machine->monitor && picture->fdset >= 0)
        monitor_call(picture->machine->monitor, "remove-fd",
                     json_pack("{sI}", "fdset-id", (json_int_t)picture->fdset), -1, MONITOR_CALL_MS,
                     NULL, NULL);
    if (!err && read_picture(picture->fd, &bytes, &failure) < 0)
        err = &failure;
    close(picture->fd);
    free(picture);
    if (err)
        qemu_call_end(call, err);
    else
        qemu_call_end_bytes(call, bytes.bytes, bytes.size);
}

static void on_dumped(void *arg, const struct err *err, const json_t *result)
{
    picture_end(arg, err);
}

static void on_fdset_made(void *arg, const struct err *err, const json_t *result)
{
    struct picture *picture = arg;

    if (err) {
        picture_end(picture, err);
        return;
    }
    picture->fdset = json_int_at(result, "fdset-id", -1);
    auto_free char *path = str_printf("/dev/fdset/%lld", (long long)picture->fdset);
    monitor_call(picture->machine->monitor, "screendump",
                 json_pack("{ss,ss}", "filename", path, "format", "png"), -1, MONITOR_CALL_MS,
                 on_dumped, picture);
}

/* QEMU takes a member of the set by its access mode, which must be write-only. */
static int open_write_end(int fd, int *ret_fd, struct err *err)
{
    auto_free char *path = str_printf("/proc/self/fd/%d", fd);

    *ret_fd = open(path, O_WRONLY | O_CLOEXEC);
    return *ret_fd < 0 ? err_errno(err, "open %s", path) : 0;
}

static int picture_new(struct qemu_machine *machine, struct qemu_call *call, struct err *err)
{
    int fd = memfd_create("screenshot", MFD_CLOEXEC), write_end;
    struct picture *picture;

    if (fd < 0)
        return err_errno(err, "memfd_create");
    if (open_write_end(fd, &write_end, err) < 0) {
        close(fd);
        return -1;
    }
    picture = mem_new(struct picture);
    *picture = (struct picture){ .machine = machine, .call = call, .fd = fd, .fdset = -1 };
    monitor_call(machine->monitor, "add-fd", json_pack("{ss}", "opaque", "screenshot"), write_end,
                 MONITOR_CALL_MS, on_fdset_made, picture);
    return 0;
}

void qemu_screenshot(struct compute *compute, const char *uid, compute_bytes_fn *fn, void *arg)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct qemu_call *call = qemu_call_bytes(driver, fn, arg);
    struct err err;
    struct qemu_machine *machine = with_display(driver, uid, &err);

    if (machine && !driver->host.has_png) {
        (void)err_set(&err, ERR_UNSUPPORTED, "QEMU %s writes no PNG", driver->host.version);
        machine = NULL;
    }
    if (!machine || picture_new(machine, call, &err) < 0)
        qemu_call_end_later(call, &err);
}
