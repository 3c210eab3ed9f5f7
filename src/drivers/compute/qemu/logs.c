/* drivers/compute/qemu/logs.c - the files QEMU writes: read by people, cut to a bound, kept when
 * the machine is released, and removed at last.
 *
 * QEMU holds them open for appending, so they are never replaced: a log that is too large
 * loses its head in place. */
#include "base/fault.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/parts.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- cutting --- */

enum { BLOCK = 64 * 1024 }; /* a multiple of every file system's block */

static int copy_tail(int fd, const char *path, off_t from, off_t size, struct err *err)
{
    auto_free char *bytes = mem_alloc((size_t)size);
    ssize_t got = pread(fd, bytes, (size_t)size, from);

    if (got < 0)
        return err_errno(err, "read %s", path);
    if (ftruncate(fd, 0) < 0)
        return err_errno(err, "cut %s", path);
    return write_all(fd, bytes, (size_t)got, err);
}

int qemu_log_cut(const char *path, off_t size_max, struct err *err)
{
    auto_close int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
    struct stat status;
    off_t head;

    if (fd < 0 || fstat(fd, &status) < 0)
        return err_errno(err, "open %s", path);
    if (status.st_size <= size_max)
        return 0;
    head = (status.st_size - size_max / 2) / BLOCK * BLOCK;
    /* In one step where the file system can; else what is written meanwhile may change places. */
    if (head > 0 && fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, head) == 0)
        return 0;
    return copy_tail(fd, path, status.st_size - size_max / 2, size_max / 2, err);
}

struct cut {
    char *serial_path, *qemu_path;
};

static int work_cut(void *arg, struct err *err)
{
    const struct cut *cut = arg;

    if (qemu_log_cut(cut->serial_path, SERIAL_LOG_SIZE_MAX, err) < 0)
        return -1;
    return qemu_log_cut(cut->qemu_path, QEMU_LOG_SIZE_MAX, err);
}

static void was_cut(void *arg, bool is_closed, const struct err *err)
{
    struct cut *cut = arg; /* what failed is tried again with the next excess */

    free(cut->serial_path);
    free(cut->qemu_path);
    free(cut);
}

void qemu_logs_trim(struct qemu_machine *machine)
{
    struct cut *cut = mem_new(struct cut);

    cut->serial_path = str_printf("%s/serial.log", machine->paths.logs);
    cut->qemu_path = str_printf("%s/qemu.log", machine->paths.logs);
    qemu_job_run(machine->driver->jobs, machine->uid, (struct qemu_job){ work_cut, was_cut, cut });
}

/* QEMU's own log grows only by what it complains of, but a guest can make it complain. */
void qemu_logs_look_after(struct qemu_driver *driver)
{
    size_t count = map_count(driver->machines), i = 0;
    void *machine;

    if (count == 0)
        return;
    driver->log_turn = (driver->log_turn + 1) % count;
    for (size_t at = 0; map_next(driver->machines, &at, NULL, &machine); i++) {
        if (i == driver->log_turn)
            qemu_logs_trim(machine);
    }
}

/* --- reading --- */

struct reading {
    char *path;
    int fd;
    struct qemu_call *call;
};

static int work_open(void *arg, struct err *err)
{
    struct reading *reading = arg;

    reading->fd = open(reading->path, O_RDONLY | O_CLOEXEC);
    if (reading->fd < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "there is no log: the machine has not been started yet");
    return reading->fd < 0 ? err_errno(err, "open %s", reading->path) : 0;
}

static void opened(void *arg, bool is_closed, const struct err *err)
{
    struct reading *reading = arg;

    if (!is_closed && err)
        qemu_call_end(reading->call, err);
    else if (!is_closed)
        qemu_call_end_fd(reading->call, reading->fd);
    else if (reading->fd >= 0)
        close(reading->fd);
    free(reading->path);
    free(reading);
}

void qemu_log_open(struct compute *compute, const char *uid, bool qemu_log, compute_fd_fn *fn,
                   void *arg)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct reading *reading = mem_new(struct reading);
    struct trace_paths paths;

    trace_paths_init(&paths, driver->state_dir, driver->run_dir, uid);
    reading->fd = -1;
    reading->call = qemu_call_fd(driver, fn, arg);
    reading->path = str_printf("%s/%s", paths.logs, qemu_log ? "qemu.log" : "serial.log");
    trace_paths_done(&paths);
    qemu_job_run(driver->jobs, uid, (struct qemu_job){ work_open, opened, reading });
}

/* --- removing --- */

struct log_removal {
    struct trace_paths paths;
    struct qemu_call *call;
};

static int work_remove(void *arg, struct err *err)
{
    const struct log_removal *removal = arg;

    fault_point("compute.logs.removing");
    return trace_remove_logs(&removal->paths, err);
}

static void removed(void *arg, bool is_closed, const struct err *err)
{
    struct log_removal *removal = arg;

    if (!is_closed)
        qemu_call_end(removal->call, err);
    trace_paths_done(&removal->paths);
    free(removal);
}

void qemu_logs_remove(struct compute *compute, const char *uid, struct done done)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct qemu_call *call = qemu_call_done(driver, done);
    struct log_removal *removal;
    struct err err;

    if (qemu_machine_find(driver, uid)) {
        (void)err_set(&err, ERR_CONFLICT, "the machine is not released yet");
        qemu_call_end_later(call, &err);
        return;
    }
    removal = mem_new(struct log_removal);
    removal->call = call;
    trace_paths_init(&removal->paths, driver->state_dir, driver->run_dir, uid);
    qemu_job_run(driver->jobs, uid, (struct qemu_job){ work_remove, removed, removal });
}

char **qemu_logs_list(struct compute *compute)
{
    auto_free char *path = trace_logs_dir(qemu_driver_of(compute)->state_dir);
    DIR *folder = opendir(path);
    char **uids = mem_array(1, sizeof *uids);
    size_t count = 0;

    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (!machine_uid_is_valid(entry->d_name))
            continue;
        uids = mem_resize(uids, (count + 2) * sizeof *uids);
        uids[count++] = str_dup(entry->d_name);
        uids[count] = NULL;
    }
    if (folder)
        closedir(folder);
    return uids;
}
