/* drivers/compute/qemu/trace.c - a machine's files. */
#include "drivers/compute/qemu/trace.h"
#include "base/files.h"
#include "base/json.h"
#include "base/spawn.h"
#include "base/str.h"
#include "drivers/compute/qemu/config_json.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRACE_SIZE_MAX = 1024 * 1024, FORMAT = 1, ARGUMENTS_SIZE_MAX = 512 * 1024 };

void trace_done(struct trace *trace)
{
    machine_config_free(trace->config);
    *trace = (struct trace){ 0 };
}

void trace_paths_init(struct trace_paths *paths, const char *state_dir, const char *run_dir,
                      const char *uid)
{
    auto_free char *logs = trace_logs_dir(state_dir);

    *paths = (struct trace_paths){ .state = str_printf("%s/%s", state_dir, uid),
                                   .run = str_printf("%s/%s", run_dir, uid),
                                   .logs = str_printf("%s/%s", logs, uid) };
}

void trace_paths_done(struct trace_paths *paths)
{
    free(paths->state);
    free(paths->run);
    free(paths->logs);
    *paths = (struct trace_paths){ 0 };
}

/* --- files --- */

/* Whole or not at all, but not synced. */
static int replace(const char *folder, const char *name, const json_t *value, struct err *err)
{
    auto_free char *path = str_printf("%s/%s", folder, name);
    auto_free char *temporary = str_printf("%s/.%s", folder, name);
    auto_free char *text = json_text(value);
    auto_close int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_errno(err, "create %s", temporary);
    if (write_all(fd, text, strlen(text), err) < 0)
        return err_wrap(err, "%s", temporary);
    if (rename(temporary, path) < 0)
        return err_errno(err, "rename %s", temporary);
    return 0;
}

static json_t *read_object(const char *folder, const char *name, struct err *err)
{
    auto_free char *path = str_printf("%s/%s", folder, name);
    auto_buf struct buf text = { 0 };

    if (file_read(path, TRACE_SIZE_MAX, &text, err) < 0)
        return NULL;
    auto_json json_t *object = json_parse(text.size ? text.bytes : "", text.size, err);
    if (!object) {
        (void)err_wrap(err, "%s", path);
        return NULL;
    }
    return take_pointer(object);
}

/* --- the lock --- */

int trace_lock(const struct trace_paths *paths, int *ret_fd, struct err *err)
{
    auto_free char *path = str_printf("%s/lock", paths->state);
    auto_close int fd = -1;

    if (dir_make(paths->state, 0700, err) < 0 || dir_make(paths->run, 0700, err) < 0)
        return -1;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, "open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK
                   ? err_set(err, ERR_CONFLICT, "a process of this machine still runs")
                   : err_errno(err, "lock %s", path);
    *ret_fd = fd;
    fd = -1;
    return 0;
}

bool trace_is_locked(const struct trace_paths *paths)
{
    auto_free char *path = str_printf("%s/lock", paths->state);
    auto_close int fd = open(path, O_RDWR | O_CLOEXEC);

    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* --- the record --- */

int trace_write(const struct trace_paths *paths, const struct trace *trace, struct err *err)
{
    auto_json json_t *object = json_object();

    json_object_set_new(object, "format", json_integer(FORMAT));
    json_object_set_new(object, "number", json_integer(trace->number));
    json_object_set_new(object, "bootId", json_string(trace->boot_id));
    json_object_set_new(object, "launchedWallMs", json_integer(trace->launched_wall_ms));
    json_object_set_new(object, "kvm", json_boolean(trace->kvm));
    json_object_set_new(object, "devices", json_integer(trace->devices));
    json_object_set_new(object, "machineType", json_string(trace->machine_type));
    json_object_set_new(object, "config", config_to_json(trace->config));
    return replace(paths->state, "record.json", object, err);
}

int trace_read(const struct trace_paths *paths, struct trace *ret_trace, struct err *err)
{
    auto_json json_t *object = read_object(paths->state, "record.json", err);
    struct trace trace = { 0 };

    if (!object)
        return -1;
    if (json_int_at(object, "format", 0) != FORMAT)
        return err_set(err, ERR_INVALID, "%s/record.json: of another format", paths->state);
    trace.config = config_from_json(json_object_get(object, "config"), err);
    if (!trace.config)
        return err_wrap(err, "%s/record.json", paths->state);
    trace.number = (uid_t)json_int_at(object, "number", 0);
    trace.launched_wall_ms = json_int_at(object, "launchedWallMs", 0);
    trace.kvm = json_bool_at(object, "kvm", false);
    trace.devices = (unsigned)json_int_at(object, "devices", 1);
    snprintf(trace.boot_id, sizeof trace.boot_id, "%s", json_text_at(object, "bootId", ""));
    snprintf(trace.machine_type, sizeof trace.machine_type, "%s",
             json_text_at(object, "machineType", ""));
    *ret_trace = trace;
    return 0;
}

/* --- the process --- */

int trace_write_process(const struct trace_paths *paths, const struct trace_process *process,
                        struct err *err)
{
    auto_json json_t *object = json_object();

    json_object_set_new(object, "pid", json_integer(process->pid));
    json_object_set_new(object, "startTicks", json_integer((json_int_t)process->start_ticks));
    return replace(paths->run, "process.json", object, err);
}

int trace_read_process(const struct trace_paths *paths, struct trace_process *ret_process,
                       struct err *err)
{
    auto_json json_t *object = read_object(paths->run, "process.json", err);

    if (!object)
        return -1;
    ret_process->pid = (pid_t)json_int_at(object, "pid", 0);
    ret_process->start_ticks = (uint64_t)json_int_at(object, "startTicks", 0);
    return ret_process->pid > 0 ? 0
                                : err_set(err, ERR_INVALID, "%s/process.json: no pid", paths->run);
}

/* Its arguments hold "-uuid" and the uid one after the other. */
static bool is_called_for(const char *pid, const char *uid)
{
    auto_free char *path = str_printf("/proc/%s/cmdline", pid);
    auto_buf struct buf text = { 0 };
    struct err err;

    if (file_read(path, ARGUMENTS_SIZE_MAX, &text, &err) < 0)
        return false;
    for (const char *at = text.bytes; at && at < text.bytes + text.size; at += strlen(at) + 1) {
        const char *next = at + strlen(at) + 1;

        if (str_equal(at, "-uuid") && next < text.bytes + text.size && str_equal(next, uid))
            return true;
    }
    return false;
}

static bool is_user(const char *pid, uid_t number)
{
    auto_free char *path = str_printf("/proc/%s", pid);
    struct stat status;

    return stat(path, &status) == 0 && status.st_uid == number;
}

int trace_find_process(const char *uid, uid_t number, struct trace_process *ret_process,
                       struct err *err)
{
    DIR *proc = opendir("/proc");
    int result = -1;

    if (!proc)
        return err_errno(err, "open /proc");
    (void)err_set(err, ERR_NOT_FOUND, "no process of machine %s", uid);
    for (struct dirent *entry; result < 0 && (entry = readdir(proc));) {
        if (!isdigit((unsigned char)entry->d_name[0]) || !is_user(entry->d_name, number) ||
            !is_called_for(entry->d_name, uid))
            continue;
        ret_process->pid = (pid_t)strtol(entry->d_name, NULL, 10);
        result = process_start_time(ret_process->pid, &ret_process->start_ticks, err);
    }
    closedir(proc);
    return result;
}

int trace_boot_id(char to[40], struct err *err)
{
    auto_buf struct buf text = { 0 };

    if (file_read("/proc/sys/kernel/random/boot_id", 100, &text, err) < 0)
        return -1;
    snprintf(to, 40, "%.36s", text.size ? text.bytes : "");
    return 0;
}

/* --- the end --- */

static const char *const end_names[] = {
    [MACHINE_END_NONE] = "none",
    [MACHINE_END_GUEST_SHUTDOWN] = "guest-shutdown",
    [MACHINE_END_HOST_STOP] = "host-stop",
    [MACHINE_END_GUEST_PANIC] = "guest-panic",
    [MACHINE_END_PROCESS_DIED] = "process-died",
    [MACHINE_END_START_FAILED] = "start-failed",
    [MACHINE_END_GUEST_RESET] = "guest-reset",
};

int trace_write_end(const struct trace_paths *paths, const struct trace_end *end, struct err *err)
{
    auto_json json_t *object = json_object();

    json_object_set_new(object, "end", json_string(end_names[end->end]));
    json_object_set_new(object, "message", json_printf("%s", end->message));
    return replace(paths->state, "end.json", object, err);
}

int trace_read_end(const struct trace_paths *paths, struct trace_end *ret_end, struct err *err)
{
    auto_json json_t *object = read_object(paths->state, "end.json", err);
    const char *name = json_text_at(object, "end", "");

    if (!object)
        return -1;
    for (unsigned i = 1; i < sizeof end_names / sizeof end_names[0]; i++) {
        if (!str_equal(name, end_names[i]))
            continue;
        ret_end->end = (enum machine_end)i;
        snprintf(ret_end->message, sizeof ret_end->message, "%s",
                 json_text_at(object, "message", ""));
        return 0;
    }
    return err_set(err, ERR_INVALID, "%s/end.json: no end '%s'", paths->state, name);
}

void trace_forget_end(const struct trace_paths *paths)
{
    auto_free char *path = str_printf("%s/end.json", paths->state);

    (void)unlink(path); /* mostly absent */
}

int trace_write_started(const struct trace_paths *paths, struct err *err)
{
    auto_free char *path = str_printf("%s/started", paths->run);
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    return fd < 0 ? err_errno(err, "create %s", path) : 0;
}

bool trace_was_started(const struct trace_paths *paths)
{
    auto_free char *path = str_printf("%s/started", paths->run);

    return access(path, F_OK) == 0;
}

int trace_remove(const struct trace_paths *paths, struct err *err)
{
    auto_free char *path = str_printf("%s/record.json", paths->state);

    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, "remove %s", path);
    if (dir_remove(paths->run, err) < 0)
        return -1;
    return dir_remove(paths->state, err);
}

/* --- logs --- */

char *trace_logs_dir(const char *state_dir) { return str_printf("%s/logs", state_dir); }

int trace_begin_logs(const struct trace_paths *paths, struct err *err)
{
    if (dir_remove(paths->logs, err) < 0)
        return -1;
    return dir_make(paths->logs, 0700, err);
}

int trace_remove_logs(const struct trace_paths *paths, struct err *err)
{
    return dir_remove(paths->logs, err);
}
