/* drivers/compute/qemu/cgroup.c - one group per machine and what is written into it. */
#include "drivers/compute/qemu/cgroup.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PERIOD_US = 100 * 1000,
    SMALL_FILE_MAX = 16 * 1024,
    SPARE_BYTES = 64 * 1024 * 1024,
    ATTEMPTS_MAX = 5, /* the base may vanish with another machine meanwhile */
};

static int write_file(const struct cgroup_base *base, const char *uid, const char *file,
                      struct err *err, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
static int write_file(const struct cgroup_base *base, const char *uid, const char *file,
                      struct err *err, const char *format, ...)
{
    auto_free char *path = str_printf("%s/%s/%s", base->path, uid, file);
    va_list args;

    va_start(args, format);
    auto_free char *text = str_vprintf(format, args);
    va_end(args);
    return file_write_text(path, text, err);
}

/* --- limits --- */

static int limit_cpu(const struct cgroup_base *base, const char *uid, unsigned milli,
                     struct err *err)
{
    long long quota_us = (long long)milli * (PERIOD_US / 1000);

    if (!milli)
        return 0;
    if (base->is_v2)
        return write_file(base, uid, "cpu.max", err, "%lld %d", quota_us, PERIOD_US);
    if (write_file(base, uid, "cpu.cfs_period_us", err, "%d", PERIOD_US) < 0)
        return -1;
    return write_file(base, uid, "cpu.cfs_quota_us", err, "%lld", quota_us);
}

static int limit_memory(const struct cgroup_base *base, const char *uid, int64_t bytes,
                        struct err *err)
{
    if (!bytes)
        return 0;
    return write_file(base, uid, base->is_v2 ? "memory.max" : "memory.limit_in_bytes", err, "%lld",
                      (long long)bytes);
}

/* The base goes with the last machine, so each one makes it anew. */
static int make_group(const struct cgroup_base *base, const char *uid, struct err *err)
{
    auto_free char *path = str_printf("%s/%s", base->path, uid);
    auto_free char *control = str_printf("%s/cgroup.subtree_control", base->path);
    const char *enable = base->controllers & CGROUP_MEMORY
                             ? base->controllers & CGROUP_CPU ? "+cpu +memory" : "+memory"
                             : "+cpu";

    if (dir_make(base->path, 0755, err) < 0)
        return -1;
    if (base->is_v2 && file_write_text(control, enable, err) < 0)
        return -1;
    return dir_make(path, 0755, err);
}

static int make_group_again(const struct cgroup_base *base, const char *uid, struct err *err)
{
    int result = -1;

    for (int i = 0; i < ATTEMPTS_MAX && result < 0; i++) {
        err_clear(err);
        result = make_group(base, uid, err);
        if (result < 0 && err->code != ERR_NOT_FOUND)
            return -1;
    }
    return result;
}

int cgroup_create(const struct cgroups *cgroups, const char *uid,
                  const struct cgroup_limits *limits, struct err *err)
{
    for (unsigned i = 0; i < cgroups->base_count; i++) {
        const struct cgroup_base *base = &cgroups->bases[i];

        if (make_group_again(base, uid, err) < 0)
            return -1;
        if ((base->controllers & CGROUP_CPU) && limit_cpu(base, uid, limits->cpu_milli, err) < 0)
            return -1;
        if ((base->controllers & CGROUP_MEMORY) &&
            limit_memory(base, uid, limits->memory_bytes, err) < 0)
            return -1;
    }
    return 0;
}

/* --- changed limits --- */

static bool read_small(const struct cgroup_base *base, const char *uid, const char *file,
                       struct buf *ret_text)
{
    auto_free char *path = str_printf("%s/%s/%s", base->path, uid, file);
    struct err err;

    return file_read(path, SMALL_FILE_MAX, ret_text, &err) == 0 && ret_text->size;
}

/* A limit below what is in use would have the kernel kill the machine. */
static int64_t bearable(const struct cgroup_base *base, const char *uid, int64_t bytes)
{
    auto_buf struct buf text = { 0 };
    int64_t least;

    if (!read_small(base, uid, base->is_v2 ? "memory.current" : "memory.usage_in_bytes", &text))
        return bytes;
    least = strtoll(text.bytes, NULL, 10) + SPARE_BYTES;
    return bytes > least ? bytes : least;
}

int cgroup_limit(const struct cgroups *cgroups, const char *uid, const struct cgroup_limits *limits,
                 struct err *err)
{
    for (unsigned i = 0; i < cgroups->base_count; i++) {
        const struct cgroup_base *base = &cgroups->bases[i];

        if ((base->controllers & CGROUP_CPU) && limit_cpu(base, uid, limits->cpu_milli, err) < 0)
            return -1;
        if ((base->controllers & CGROUP_MEMORY) &&
            limit_memory(base, uid, bearable(base, uid, limits->memory_bytes), err) < 0)
            return -1;
    }
    return 0;
}

/* --- ends --- */

int cgroup_remove(const struct cgroups *cgroups, const char *uid, struct err *err)
{
    int result = 0;

    for (unsigned i = 0; i < cgroups->base_count; i++) {
        auto_free char *path = str_printf("%s/%s", cgroups->bases[i].path, uid);

        if (rmdir(path) == 0 || errno == ENOENT) {
            (void)rmdir(cgroups->bases[i].path); /* with the last machine; else it is not empty */
            continue;
        }
        result = errno == EBUSY ? err_set(err, ERR_CONFLICT, "%s: a process is in it", path)
                                : err_errno(err, "rmdir %s", path);
    }
    return result;
}

/* --- processes --- */

int cgroup_enter(const struct cgroups *cgroups, const char *uid, pid_t pid, struct err *err)
{
    for (unsigned i = 0; i < cgroups->base_count; i++) {
        if (write_file(&cgroups->bases[i], uid, "cgroup.procs", err, "%d", (int)pid) < 0)
            return -1;
    }
    return 0;
}

bool cgroup_holds(const struct cgroups *cgroups, const char *uid, pid_t pid)
{
    auto_free char *path = str_printf("/proc/%d/cgroup", (int)pid);
    auto_free char *wanted = str_printf("/virga/%s\n", uid);
    auto_buf struct buf text = { 0 };
    unsigned count = 0;
    struct err err;

    if (file_read(path, SMALL_FILE_MAX, &text, &err) < 0 || !text.size)
        return false;
    for (const char *at = text.bytes; (at = strstr(at, wanted)); at += strlen(wanted))
        count++;
    return count >= cgroups->base_count;
}

/* --- use --- */

/* The number behind 'key' at the beginning of a line. */
static bool find_number(const char *text, const char *key, uint64_t *ret_number)
{
    size_t length = strlen(key);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && line[length] == ' ') {
            *ret_number = strtoull(line + length, NULL, 10);
            return true;
        }
    }
    return false;
}

static void read_cpu(const struct cgroup_base *base, const char *uid, struct cgroup_usage *usage)
{
    auto_buf struct buf text = { 0 };
    uint64_t usec;

    if (!read_small(base, uid, base->is_v2 ? "cpu.stat" : "cpuacct.usage", &text))
        return;
    if (!base->is_v2) {
        usage->cpu_ns = strtoull(text.bytes, NULL, 10);
        usage->has_cpu = true;
    } else if (find_number(text.bytes, "usage_usec", &usec)) {
        usage->cpu_ns = usec * 1000;
        usage->has_cpu = true;
    }
}

void cgroup_read(const struct cgroups *cgroups, const char *uid, struct cgroup_usage *ret_usage)
{
    *ret_usage = (struct cgroup_usage){ 0 };
    for (unsigned i = 0; i < cgroups->base_count; i++) {
        const struct cgroup_base *base = &cgroups->bases[i];
        auto_buf struct buf text = { 0 };

        if (base->controllers & CGROUP_CPUACCT)
            read_cpu(base, uid, ret_usage);
        if ((base->controllers & CGROUP_MEMORY) &&
            read_small(base, uid, base->is_v2 ? "memory.events" : "memory.oom_control", &text))
            (void)find_number(text.bytes, "oom_kill", &ret_usage->oom_kills); /* 0 when absent */
    }
}
