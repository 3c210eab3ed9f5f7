/* store/database_backup.c - SQLite's online backup, and a rename at its end. */
#include "store/database_backup.h"
#include "store/database_internal.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP_PAGES = 32 }; /* 128 KiB: well below a millisecond */

struct database_backup {
    struct database *database;
    char *path;       /* when complete */
    char *unfinished; /* until then; NULL once renamed */
    sqlite3 *copy;
    sqlite3_backup *progress;
};

static char *backup_path(const struct database *database)
{
    return str_printf("%s.backup", database->path);
}

/* The name is no secret, what it holds is. */
static int make_private(const char *path, struct err *err)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, "remove %s", path);

    auto_close int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? err_errno(err, "create %s", path) : 0;
}

static int copy_error(const struct database_backup *backup, struct err *err)
{
    return err_set(err, ERR_IO, "%s: %s", backup->unfinished, sqlite3_errmsg(backup->copy));
}

/* The copy needs no journal and no flushing of its own: before it is complete it is worth nothing,
 * and then it is flushed once. */
static int begin(struct database_backup *backup, struct err *err)
{
    static const char careless[] = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
                                   "PRAGMA cache_size=-256";
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;

    if (make_private(backup->unfinished, err) < 0)
        return -1;
    if (sqlite3_open_v2(backup->unfinished, &backup->copy, flags, NULL) != SQLITE_OK ||
        sqlite3_exec(backup->copy, careless, NULL, NULL, NULL) != SQLITE_OK)
        return copy_error(backup, err);
    backup->progress = sqlite3_backup_init(backup->copy, "main", backup->database->handle, "main");
    return backup->progress ? 0 : copy_error(backup, err);
}

struct database_backup *database_backup_new(struct database *database, struct err *err)
{
    struct database_backup *backup = mem_new(struct database_backup);

    backup->database = database;
    backup->path = backup_path(database);
    backup->unfinished = str_printf("%s.new", backup->path);
    if (begin(backup, err) == 0)
        return backup;
    database_backup_free(backup);
    return NULL;
}

static void stop_copying(struct database_backup *backup)
{
    sqlite3_backup_finish(take_pointer(backup->progress));
    sqlite3_close(take_pointer(backup->copy));
}

void database_backup_free(struct database_backup *backup)
{
    if (!backup)
        return;
    stop_copying(backup);
    if (backup->unfinished)
        unlink(backup->unfinished);
    free(backup->unfinished);
    free(backup->path);
    free(backup);
}

static int flush(const char *path, int flags, struct err *err)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | flags);

    return fd < 0 || fsync(fd) < 0 ? err_errno(err, "flush %s", path) : 0;
}

static int complete(struct database_backup *backup, struct err *err)
{
    auto_free char *copy = str_dup(backup->path);

    stop_copying(backup);
    if (flush(backup->unfinished, 0, err) < 0)
        return -1;
    if (rename(backup->unfinished, backup->path) < 0)
        return err_errno(err, "rename %s", backup->unfinished);
    free(take_pointer(backup->unfinished));
    return flush(dirname(copy), O_DIRECTORY, err);
}

int database_backup_step(struct database_backup *backup, bool *ret_complete, struct err *err)
{
    int result = sqlite3_backup_step(backup->progress, STEP_PAGES);

    if (result != SQLITE_OK && result != SQLITE_DONE)
        return err_set(err, ERR_IO, "%s: %s", backup->unfinished, sqlite3_errstr(result));
    if (result == SQLITE_DONE && complete(backup, err) < 0)
        return -1;
    *ret_complete = result == SQLITE_DONE;
    return 0;
}

int64_t database_backup_time_ms(const struct database *database)
{
    auto_free char *path = backup_path(database);
    struct stat info;

    return stat(path, &info) == 0 ? (int64_t)info.st_mtime * 1000 : 0;
}
