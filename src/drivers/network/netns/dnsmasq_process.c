/* drivers/network/netns/dnsmasq_process.c - which dnsmasq runs in a namespace. */
#include "base/files.h"
#include "base/spawn.h"
#include "drivers/network/netns/dnsmasq_job.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    CMDLINE_MAX = 8192,
    KILL_WAIT_MS = 5000,
    PROC_PATH_SIZE = 64,
    REREAD_PAUSE_US = 200,
    REREAD_PAUSES_MAX = 1000
};

/* Its network namespace is this one? */
static bool lives_in(pid_t pid, const struct stat *netns)
{
    char path[PROC_PATH_SIZE];
    struct stat status;

    (void)snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    return stat(path, &status) == 0 && status.st_ino == netns->st_ino &&
           status.st_dev == netns->st_dev;
}

static bool is_dnsmasq(pid_t pid)
{
    char path[PROC_PATH_SIZE];
    auto_buf struct buf name = { 0 };
    struct err unused;

    (void)snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    return file_read(path, CMDLINE_MAX, &name, &unused) == 0 && str_equal(name.bytes, "dnsmasq\n");
}

static bool runs_with(pid_t pid, const char *config_path)
{
    auto_free char *wanted = str_printf("--conf-file=%s", config_path);
    char path[PROC_PATH_SIZE];
    auto_buf struct buf line = { 0 };
    struct err unused;

    (void)snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    if (file_read(path, CMDLINE_MAX, &line, &unused) < 0)
        return false;
    for (size_t at = 0; at < line.size; at += strlen(line.bytes + at) + 1)
        if (str_equal(line.bytes + at, wanted))
            return true;
    return false;
}

static int wait_for_end(int pidfd, pid_t pid, struct err *err)
{
    struct pollfd end = { .fd = pidfd, .events = POLLIN };

    if (poll(&end, 1, KILL_WAIT_MS) > 0)
        return 0;
    return err_set(err, ERR_TIMEOUT, "dnsmasq, process %d, does not end", (int)pid);
}

/* One that is ending has left its namespace, but holds its sockets for a moment yet. */
static int wait_if_ending(pid_t pid, struct err *err)
{
    char path[PROC_PATH_SIZE];
    struct stat status;

    (void)snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    if (pid <= 0 || !is_dnsmasq(pid) || stat(path, &status) == 0)
        return 0;
    auto_close int pidfd = pidfd_open(pid, 0);
    return pidfd < 0 ? 0 : wait_for_end(pidfd, pid, err);
}

/* What it holds is on disk: the lease file is written with each change. */
static int kill_it(const struct server_process *process, struct err *err)
{
    auto_close int pidfd = -1;

    if (process_open(process->pid, process->start_ticks, &pidfd, err) < 0)
        return err->code == ERR_NOT_FOUND ? 0 : -1;
    if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
        return err_errno(err, "kill dnsmasq, process %d", (int)process->pid);
    return wait_for_end(pidfd, process->pid, err);
}

/* Is SIGHUP waiting to be taken by the process? */
static bool has_hangup_pending(pid_t pid)
{
    static const char *const lines[] = { "\nSigPnd:", "\nShdPnd:" };
    char path[PROC_PATH_SIZE];
    auto_buf struct buf status = { 0 };
    struct err unused;

    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (file_read(path, CMDLINE_MAX, &status, &unused) < 0)
        return false;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *at = strstr(status.bytes, lines[i]);

        if (at && strtoull(at + strlen(lines[i]), NULL, 16) & 1u << (SIGHUP - 1))
            return true;
    }
    return false;
}

/* Once it has taken the signal it reads its files before it takes another packet. One too busy
 * for that until now does so soon. */
int dnsmasq_reread(const struct server_process *process, struct err *err)
{
    static const struct timespec pause = { .tv_nsec = REREAD_PAUSE_US * 1000 };
    auto_close int pidfd = -1;

    if (process_open(process->pid, process->start_ticks, &pidfd, err) < 0)
        return err->code == ERR_NOT_FOUND ? 0 : -1;
    if (pidfd_send_signal(pidfd, SIGHUP, NULL, 0) < 0)
        return errno == ESRCH ? 0 : err_errno(err, "signal dnsmasq, process %d", process->pid);
    for (int i = 0; i < REREAD_PAUSES_MAX && has_hangup_pending(process->pid); i++)
        nanosleep(&pause, NULL);
    return 0;
}

/* Takes a process of the namespace: kept when it is the first with the right configuration. */
static int sort_out(pid_t pid, const char *config_path, struct server_process *kept,
                    struct err *err)
{
    struct server_process process = { .pid = pid };

    if (process_start_time(pid, &process.start_ticks, err) < 0)
        return err->code == ERR_NOT_FOUND ? 0 : -1;
    if (!config_path || kept->pid || !runs_with(pid, config_path))
        return kill_it(&process, err);
    *kept = process;
    return 0;
}

static pid_t pid_in_file(const struct segment *segment)
{
    auto_free char *path = str_printf("%s/dnsmasq.pid", segment->run_dir);
    auto_buf struct buf text = { 0 };
    struct err unused;

    if (file_read(path, CMDLINE_MAX, &text, &unused) < 0 || text.size == 0)
        return 0;
    return (pid_t)strtol(text.bytes, NULL, 10);
}

static int look_at_all(const struct stat *netns, const char *config_path,
                       struct server_process *kept, struct err *err)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    int result = 0;

    if (!dir)
        return err_errno(err, "list processes");
    while (result == 0 && (entry = readdir(dir))) {
        pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;

        if (pid > 0 && is_dnsmasq(pid) && lives_in(pid, netns))
            result = sort_out(pid, config_path, kept, err);
    }
    closedir(dir);
    return result;
}

/* Which namespace this is, as stat tells of a process's. */
static int identify(const struct segment *segment, struct stat *ret_netns, struct err *err)
{
    auto_close int fd = -1;

    if (segment_open(segment, &fd, err) < 0)
        return -1;
    return fstat(fd, ret_netns) < 0 ? err_errno(err, "network namespace") : 0;
}

int dnsmasq_find(const struct segment *segment, const char *config_path,
                 const struct server_process *known, struct server_process *ret_process,
                 struct err *err)
{
    struct server_process kept = { 0 };
    struct stat netns;
    pid_t pid = pid_in_file(segment);

    if (identify(segment, &netns, err) < 0 || wait_if_ending(pid, err) < 0)
        return -1;
    /* The one in the pid file holds the ports, so that no other can be whole beside it. */
    if (config_path && pid > 0 && is_dnsmasq(pid) && lives_in(pid, &netns) &&
        runs_with(pid, config_path)) {
        if (sort_out(pid, config_path, &kept, err) < 0)
            return -1;
    } else if (look_at_all(&netns, config_path, &kept, err) < 0) {
        return -1;
    }
    if (kept.pid && kept.pid != known->pid && dnsmasq_reread(&kept, err) < 0)
        return -1;
    *ret_process = kept;
    return 0;
}

int dnsmasq_look(const struct segment *segment, struct server_process *ret_process, struct err *err)
{
    struct server_process process = { .pid = pid_in_file(segment) };
    struct stat netns;

    if (identify(segment, &netns, err) < 0)
        return -1;
    if (process.pid <= 0 || !is_dnsmasq(process.pid) || !lives_in(process.pid, &netns) ||
        process_start_time(process.pid, &process.start_ticks, err) < 0)
        process = (struct server_process){ 0 };
    *ret_process = process;
    return 0;
}
