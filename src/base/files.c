/* base/files.c - whole files and folders. */
#include "base/files.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { REMOVE_DEPTH_MAX = 64 };

int write_all(int fd, const void *bytes, size_t size, struct err *err)
{
    const char *at = bytes;

    while (size > 0) {
        ssize_t written = write(fd, at, size);

        if (written < 0 && errno != EINTR)
            return err_errno(err, "write");
        if (written > 0) {
            at += written;
            size -= (size_t)written;
        }
    }
    return 0;
}

/* Reads up to the end or to one byte more than 'size_max'. Files in /proc say size 0,
 * so the size is only found by reading. */
static int read_to_end(int fd, size_t size_max, struct buf *text, struct err *err)
{
    char chunk[16384];

    while (text->size <= size_max) {
        size_t wanted = size_max - text->size;
        ssize_t got = read(fd, chunk, wanted < sizeof chunk ? wanted + 1 : sizeof chunk);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, "read");
        if (got == 0)
            return 0;
        buf_add(text, chunk, (size_t)got);
    }
    return err_set(err, ERR_TOO_LARGE, "larger than %zu bytes", size_max);
}

int file_read(const char *path, size_t size_max, struct buf *ret_text, struct err *err)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

    buf_clear(ret_text);
    if (fd < 0)
        return err_errno(err, "open %s", path);
    if (read_to_end(fd, size_max, ret_text, err) < 0)
        return err_wrap(err, "%s", path);
    return 0;
}

/* The folder that holds 'path'; the caller frees it. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return str_dup(".");
    return slash == path ? str_dup("/") : str_dup_part(path, (size_t)(slash - path));
}

static int sync_folder(const char *path, struct err *err)
{
    auto_free char *folder = folder_of(path);
    auto_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, "open %s", folder);
    return fsync(fd) < 0 ? err_errno(err, "sync %s", folder) : 0;
}

/* What a crash left under this name is replaced, never followed or reused. */
static int write_new(const char *path, const void *bytes, size_t size, mode_t mode, struct err *err)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, "remove %s", path);
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, "create %s", path);
    if (write_all(fd, bytes, size, err) < 0)
        return err_wrap(err, "%s", path);
    if (fchmod(fd, mode) < 0)
        return err_errno(err, "set mode of %s", path);
    return fsync(fd) < 0 ? err_errno(err, "sync %s", path) : 0;
}

int file_write_atomic(const char *path, const void *bytes, size_t size, mode_t mode,
                      struct err *err)
{
    auto_free char *fresh = str_printf("%s.new", path);

    if (write_new(fresh, bytes, size, mode, err) < 0) {
        unlink(fresh);
        return -1;
    }
    if (rename(fresh, path) < 0) {
        err_errno(err, "rename to %s", path);
        unlink(fresh);
        return -1;
    }
    return sync_folder(path, err);
}

int file_write_text(const char *path, const char *text, struct err *err)
{
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    size_t length = strlen(text);
    ssize_t written;

    if (fd < 0)
        return err_errno(err, "open %s", path);
    do
        written = write(fd, text, length);
    while (written < 0 && errno == EINTR);
    if (written < 0)
        return err_errno(err, "write %s", path);
    if ((size_t)written != length)
        return err_set(err, ERR_IO, "write %s: only %zd of %zu bytes taken", path, written, length);
    return 0;
}

/* Makes one folder; the mode holds whatever the umask is. An existing one is left as it is. */
static int make_one(const char *path, mode_t mode, struct err *err)
{
    struct stat status;

    if (mkdir(path, 0700) == 0)
        return chmod(path, mode) < 0 ? err_errno(err, "set mode of %s", path) : 0;
    if (errno != EEXIST)
        return err_errno(err, "make folder %s", path);
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return 0;
    errno = ENOTDIR;
    return err_errno(err, "make folder %s", path);
}

int dir_make(const char *path, mode_t mode, struct err *err)
{
    auto_free char *part = str_dup(path);
    char *at = part + strspn(part, "/");

    /* each slash that has a name before and after it ends a parent */
    while ((at = strchr(at, '/')) && at[strspn(at, "/")]) {
        *at = '\0';
        if (make_one(part, 0755, err) < 0)
            return -1;
        *at = '/';
        at += strspn(at, "/");
    }
    return make_one(path, mode, err);
}

static int remove_at(int parent, const char *name, unsigned depth, struct err *err);

static int remove_entries(DIR *dir, unsigned depth, struct err *err)
{
    struct dirent *entry;

    while (errno = 0, (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (remove_at(dirfd(dir), entry->d_name, depth + 1, err) < 0)
            return -1;
    }
    return errno ? err_errno(err, "list") : 0;
}

static int empty_folder(int parent, const char *name, unsigned depth, struct err *err)
{
    int fd;
    DIR *dir;
    int result;

    if (depth >= REMOVE_DEPTH_MAX)
        return err_set(err, ERR_IO, "nested deeper than %d folders", REMOVE_DEPTH_MAX);
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(err, "open");
    dir = fdopendir(fd);
    if (!dir) {
        err_errno(err, "open");
        close(fd);
        return -1;
    }
    result = remove_entries(dir, depth, err);
    closedir(dir);
    return result;
}

/* Removes 'name' below the folder 'parent', whatever it is. The texts of errors name it. */
static int remove_at(int parent, const char *name, unsigned depth, struct err *err)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR)
        return err_errno(err, "remove %s", name);
    if (empty_folder(parent, name, depth, err) < 0)
        return err_wrap(err, "%s", name);
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return err_errno(err, "remove %s", name);
    return 0;
}

int dir_remove(const char *path, struct err *err) { return remove_at(AT_FDCWD, path, 0, err); }
