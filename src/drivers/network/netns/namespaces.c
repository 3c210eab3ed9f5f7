/* drivers/network/netns/namespaces.c - making, entering and removing network namespaces. */
#include "drivers/network/netns/namespaces.h"

#include "base/auto.h"
#include "base/files.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

static const char own_namespace[] = "/proc/thread-self/ns/net";

enum { SYSCTL_PATH_SIZE = 128, MOUNTS_MAX = 16 };

int namespace_open(const char *path, int *ret_fd, struct err *err)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct statfs status;

    if (fd < 0)
        return err_errno(err, "network namespace %s", path);
    if (fstatfs(fd, &status) < 0)
        return err_errno(err, "network namespace %s", path);
    if (status.f_type != NSFS_MAGIC)
        return err_set(err, ERR_NOT_FOUND, "no network namespace is mounted on %s", path);
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int namespace_open_own(int *ret_fd, struct err *err)
{
    int fd = open(own_namespace, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, "open %s", own_namespace);
    *ret_fd = fd;
    return 0;
}

static int make_mount_point(const char *path, struct err *err)
{
    auto_close int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0444);

    return fd < 0 ? err_errno(err, "create %s", path) : 0;
}

/* The thread is in a namespace of its own only between the two calls. */
static int mount_new(const char *path, struct err *err)
{
    auto_close int origin = -1;
    int result = 0;

    if (namespace_open_own(&origin, err) < 0)
        return -1;
    if (unshare(CLONE_NEWNET) < 0)
        return err_errno(err, "create a network namespace");
    if (mount(own_namespace, path, "none", MS_BIND, NULL) < 0)
        result = err_errno(err, "mount a network namespace on %s", path);
    namespace_leave(&(struct namespace_visit){ origin });
    origin = -1;
    return result;
}

int namespace_create(const char *path, bool *ret_created, struct err *err)
{
    int fd;

    if (namespace_open(path, &fd, err) == 0) {
        close(fd);
        *ret_created = false;
        return 0;
    }
    if (err->code != ERR_NOT_FOUND)
        return -1;
    if (make_mount_point(path, err) < 0 || mount_new(path, err) < 0)
        return -1;
    *ret_created = true;
    return 0;
}

int namespace_remove(const char *path, struct err *err)
{
    /* Mounts can lie on each other when two processes made them at once. */
    for (int i = 0; i < MOUNTS_MAX; i++)
        if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
            break;
    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, "remove network namespace %s", path);
    return 0;
}

int namespace_enter(int fd, struct namespace_visit *ret_visit, struct err *err)
{
    int origin;

    if (namespace_open_own(&origin, err) < 0)
        return -1;
    if (setns(fd, CLONE_NEWNET) < 0) {
        err_errno(err, "enter a network namespace");
        close(origin);
        return -1;
    }
    ret_visit->origin_fd = origin;
    return 0;
}

void namespace_leave(struct namespace_visit *visit)
{
    if (setns(visit->origin_fd, CLONE_NEWNET) < 0)
        abort();
    close(visit->origin_fd);
    visit->origin_fd = -1;
}

static void sysctl_path(const char *name, char path[SYSCTL_PATH_SIZE])
{
    (void)snprintf(path, SYSCTL_PATH_SIZE, "/proc/sys/net/%s", name);
}

/* What stands there now without its newline; false when it can't be read. */
static bool sysctl_read(const char *path, char *to, size_t size)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, to, size - 1);

    if (length < 0)
        return false;
    to[length] = '\0';
    to[strcspn(to, "\n")] = '\0';
    return true;
}

/* Reading first lets it work where /proc/sys is read-only and set as it should be. */
int sysctl_set(const char *name, const char *value, struct err *err)
{
    char path[SYSCTL_PATH_SIZE], now[32];

    sysctl_path(name, path);
    if (sysctl_read(path, now, sizeof now) && strcmp(now, value) == 0)
        return 0;
    return file_write_text(path, value, err);
}

int sysctl_set_if_there(const char *name, const char *value, struct err *err)
{
    char path[SYSCTL_PATH_SIZE];

    sysctl_path(name, path);
    return access(path, F_OK) < 0 && errno == ENOENT ? 0 : sysctl_set(name, value, err);
}

char sysctl_get(const char *name)
{
    char path[SYSCTL_PATH_SIZE], now[32];

    sysctl_path(name, path);
    return sysctl_read(path, now, sizeof now) ? now[0] : '\0';
}
