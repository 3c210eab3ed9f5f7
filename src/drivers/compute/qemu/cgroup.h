/* drivers/compute/qemu/cgroup.h - limits and accounting of a machine's process.
 *
 * Version 1 or 2, decided per controller, for hosts have both mounted at once. Each machine
 * is a group "virga/UID" of its own: in version 1 below the daemon's group, in version 2
 * beside it, since there a group with processes has no children with limits.
 * All functions but cgroups_find() are for worker jobs: they write below /sys. */
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CGROUP_BASES_MAX = 3, CGROUP_PATH_SIZE = 256 };

enum cgroup_controller { CGROUP_CPU = 1, CGROUP_CPUACCT = 2, CGROUP_MEMORY = 4 };

/* Where machines' groups are made. */
struct cgroups {
    struct cgroup_base {
        char path[CGROUP_PATH_SIZE]; /* "/sys/fs/cgroup/cpu/virga" */
        bool is_v2;
        unsigned controllers; /* enum cgroup_controller bits */
    } bases[CGROUP_BASES_MAX];
    unsigned base_count;
    char summary[128]; /* "v1: cpu, memory", or what is missing and why */
};

struct cgroup_limits {
    unsigned cpu_milli; /* thousandths of a processor */
    int64_t memory_bytes;
};

struct cgroup_usage {
    bool has_cpu;
    uint64_t cpu_ns;
    uint64_t oom_kills;
};

/* Reads the texts of /proc/self/mountinfo and /proc/self/cgroup, makes the bases and tries
 * them. Never fails: what is not available is missing and the summary says so. 'root' comes
 * before every path ("" but for tests). */
void cgroups_find(struct cgroups *ret_cgroups, const char *root, const char *mountinfo,
                  const char *self);
/* The same for this process. */
void cgroups_find_here(struct cgroups *ret_cgroups);

int cgroup_create(const struct cgroups *cgroups, const char *uid,
                  const struct cgroup_limits *limits, struct err *err);
/* Changes the limits of a group that has processes. Memory is not lowered to less than is in use. */
int cgroup_limit(const struct cgroups *cgroups, const char *uid, const struct cgroup_limits *limits,
                 struct err *err);
/* Removes the machine's groups; absent is fine. ERR_CONFLICT: a process is still in it. */
int cgroup_remove(const struct cgroups *cgroups, const char *uid, struct err *err);
/* Moves the process into the machine's groups. The first move in a while waits for the kernel
 * (RCU), some 10 ms. ERR_NOT_FOUND: the process or the groups are gone. */
int cgroup_enter(const struct cgroups *cgroups, const char *uid, pid_t pid, struct err *err);
/* Whether it is in all of them, by its /proc/PID/cgroup. */
bool cgroup_holds(const struct cgroups *cgroups, const char *uid, pid_t pid);
void cgroup_read(const struct cgroups *cgroups, const char *uid, struct cgroup_usage *ret_usage);
