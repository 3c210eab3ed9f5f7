/* drivers/storage/directory/place.c - paths, and folders that appear and go whole. */
#include "drivers/storage/directory/place.h"
#include "base/auto.h"
#include "base/fault.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { UID_LENGTH_MAX = 39, RESERVE_PERCENT = 5 };

static bool is_uid(const char *text)
{
    size_t length = strlen(text);

    return length >= 1 && length <= UID_LENGTH_MAX &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

int place_check_uid(const char *uid, struct err *err)
{
    return is_uid(uid) ? 0 : err_set(err, ERR_INVALID, "\"%.80s\" is no uid", uid);
}

static char *below(const char *folder, const char *uid, const char *file)
{
    return file ? str_printf("%s/%s/%s", folder, uid, file) : str_printf("%s/%s", folder, uid);
}

char *place_volume(const char *pool, const char *uid, const char *file)
{
    return below(pool, uid, file);
}

char *place_image(const struct place *place, const char *uid, const char *file)
{
    return below(place->image_dir, uid, file);
}

char *place_staging(const struct place *place, const char *uid, const char *file)
{
    auto_free char *staging = str_printf("%s/.staging", place->image_dir);

    return below(staging, uid, file);
}

char *place_seed(const struct place *place, const char *uid)
{
    return str_printf("%s/.seeds/%s.iso", place->image_dir, uid);
}

/* "UID.SESSION.COUNT": no two calls and no two sessions share one. */
char *place_work_path(struct place *place, const char *parent, const char *uid)
{
    return str_printf("%s/.work/%s.%s.%u", parent, uid, place->session,
                      atomic_fetch_add(&place->work_count, 1));
}

char *place_work_make(struct place *place, const char *parent, const char *uid, struct err *err)
{
    auto_free char *path = place_work_path(place, parent, uid);

    if (mkdir(path, 0700) < 0) {
        err_errno(err, "make folder %s", path);
        return NULL;
    }
    return take_pointer(path);
}

static int sync_path(const char *path, int flags, struct err *err)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | flags);

    if (fd < 0)
        return err_errno(err, "open %s", path);
    return fsync(fd) < 0 ? err_errno(err, "sync %s", path) : 0;
}

static int sync_files(const char *work, const char *const *files, struct err *err)
{
    for (; *files; files++) {
        auto_free char *path = str_printf("%s/%s", work, *files);
        if (sync_path(path, 0, err) < 0)
            return -1;
    }
    return sync_path(work, O_DIRECTORY, err);
}

int place_commit(const char *parent, const char *uid, const char *work, const char *const *files,
                 struct err *err)
{
    auto_free char *path = below(parent, uid, NULL);

    fault_point("storage.before_sync");
    if (sync_files(work, files, err) < 0)
        return -1;
    fault_point("storage.before_rename");
    if (fault_fails("storage.rename", err) < 0)
        return -1;
    if (rename(work, path) < 0) {
        if (errno == ENOTEMPTY)
            errno = EEXIST;
        return err_errno(err, "rename to %s", path);
    }
    fault_point("storage.after_rename");
    return sync_path(parent, O_DIRECTORY, err);
}

int place_remove(struct place *place, const char *parent, const char *uid, struct err *err)
{
    auto_free char *path = below(parent, uid, NULL);
    auto_free char *work_root = str_printf("%s/.work", parent);
    auto_free char *gone = place_work_path(place, parent, uid);

    fault_point("storage.before_remove");
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    if (dir_make(work_root, 0700, err) < 0 || fault_fails("storage.remove", err) < 0)
        return -1;
    if (rename(path, gone) < 0)
        return errno == ENOENT ? 0 : err_errno(err, "rename %s", path);
    fault_point("storage.after_remove_rename");
    if (sync_path(parent, O_DIRECTORY, err) < 0)
        return -1;
    return dir_remove(gone, err);
}

static bool is_of_session(const struct place *place, const char *name)
{
    auto_free char *mark = str_printf(".%s.", place->session);

    return strstr(name, mark) != NULL;
}

int place_sweep(const struct place *place, const char *parent, struct err *err)
{
    auto_free char *work_root = str_printf("%s/.work", parent);
    DIR *dir = opendir(work_root);
    struct dirent *entry;
    int result = 0;

    if (!dir)
        return errno == ENOENT ? 0 : err_errno(err, "open %s", work_root);
    while (result == 0 && (entry = readdir(dir))) {
        auto_free char *path = str_printf("%s/%s", work_root, entry->d_name);

        fault_point("storage.sweep");
        if (entry->d_name[0] != '.' && !is_of_session(place, entry->d_name))
            result = dir_remove(path, err);
    }
    closedir(dir);
    return result;
}

void place_list(const char *parent, char ***uids)
{
    DIR *dir = opendir(parent);
    struct dirent *entry;
    size_t count = 0;

    if (!*uids)
        *uids = mem_zero(sizeof **uids);
    while ((*uids)[count])
        count++;
    while (dir && (entry = readdir(dir))) {
        if (!is_uid(entry->d_name) || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
            continue;
        *uids = mem_resize(*uids, (count + 2) * sizeof **uids);
        (*uids)[count++] = str_dup(entry->d_name);
        (*uids)[count] = NULL;
    }
    if (dir)
        closedir(dir);
}

int place_free_bytes(const char *path, int64_t *ret_bytes, struct err *err)
{
    struct statvfs found;
    uint64_t free_bytes, reserve;

    if (statvfs(path, &found) < 0)
        return err_errno(err, "%s", path);
    free_bytes = (uint64_t)found.f_bavail * found.f_frsize;
    reserve = (uint64_t)found.f_blocks * found.f_frsize / 100 * RESERVE_PERCENT;
    if (reserve > UINT64_C(1) << 30)
        reserve = UINT64_C(1) << 30;
    *ret_bytes = free_bytes > reserve ? (int64_t)(free_bytes - reserve) : 0;
    return 0;
}

int place_check_no_writer(int fd, struct err *err)
{
    /* A read lease is only given on a file that nobody has open for writing. */
    if (fcntl(fd, F_SETSIG, SIGURG) < 0) /* not the deadly SIGIO if it is broken at once */
        return err_errno(err, "lease");
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
        (void)fcntl(fd, F_SETLEASE, F_UNLCK); /* only the answer was wanted */
        return 0;
    }
    if (errno == EAGAIN)
        return err_set(err, ERR_UNAVAILABLE, "another process still writes to the file");
    /* Not told by this file system, or not to us, in a container without CAP_LEASE. */
    return errno == EINVAL || errno == EACCES ? 0 : err_errno(err, "lease");
}
