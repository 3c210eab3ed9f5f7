/* base/process.c - naming a process for ever: its pid and its start time. */
#include "base/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

/* /proc/PID/stat: 52 numbers of at most 20 digits and a name of at most 64. */
enum { STAT_TEXT_MAX = 2048, STATE_FIELD = 3, START_TIME_FIELD = 22 };

static int gone(pid_t pid, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "process %d has ended", (int)pid);
}

static int read_stat(pid_t pid, char text[STAT_TEXT_MAX], struct err *err)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? gone(pid, err) : err_errno(err, "open %s", path);
    ssize_t size = read(fd, text, STAT_TEXT_MAX - 1);
    if (size < 0)
        return errno == ESRCH ? gone(pid, err) : err_errno(err, "read %s", path);
    text[size] = '\0';
    return 0;
}

/* The name in field 2 may hold blanks and parentheses: count behind its last one. */
static const char *stat_field(const char *text, int number)
{
    const char *at = strrchr(text, ')');

    for (int field = STATE_FIELD - 1; at && field < number; field++) {
        at = strchr(at, ' ');
        if (at)
            at++;
    }
    return at;
}

int process_start_time(pid_t pid, uint64_t *ret_ticks, struct err *err)
{
    char text[STAT_TEXT_MAX];

    if (read_stat(pid, text, err) < 0)
        return -1;

    const char *field = stat_field(text, START_TIME_FIELD);
    char *end;
    uint64_t ticks = field ? strtoull(field, &end, 10) : 0;
    if (!field || end == field)
        return err_set(err, ERR_INTERNAL, "/proc/%d/stat has no start time", (int)pid);
    *ret_ticks = ticks;
    return 0;
}

/* The descriptor of a process is readable once it ended, reaped or not. */
static bool has_ended(int pidfd)
{
    struct pollfd poll_pidfd = { .fd = pidfd, .events = POLLIN };

    return poll(&poll_pidfd, 1, 0) > 0;
}

/* The descriptor comes first: who then has the right start time held the pid
 * already when it was opened. */
int process_open(pid_t pid, uint64_t start_ticks, int *ret_pidfd, struct err *err)
{
    uint64_t ticks;

    if (pid <= 0)
        return gone(pid, err);
    auto_close int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0)
        return errno == ESRCH ? gone(pid, err) : err_errno(err, "open process %d", (int)pid);
    if (process_start_time(pid, &ticks, err) < 0)
        return -1;
    if (ticks != start_ticks || has_ended(pidfd))
        return gone(pid, err);
    *ret_pidfd = pidfd;
    pidfd = -1;
    return 0;
}
