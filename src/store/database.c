/* store/database.c - opening the SQLite file, and reading it at start. */
#include "store/database_internal.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A quarter more than the log is long when a checkpoint begins; of small file systems only a part. */
enum { RESERVE_MAX = 20 * 1024 * 1024, RESERVE_PART = 8 };

/* Locking comes first: only then the index of the write-ahead log lives on the
 * heap and no other process can open the file. Full synchronisation is what makes
 * an acknowledged write survive power loss. The cache is small and nothing is
 * mapped, since after the start only appends and removals touch the file. */
static const char pragmas[] = "PRAGMA locking_mode=EXCLUSIVE;"
                              "PRAGMA journal_mode=WAL;"
                              "PRAGMA synchronous=FULL;"
                              "PRAGMA wal_autocheckpoint=4000;"
                              "PRAGMA journal_size_limit=33554432;"
                              "PRAGMA cache_size=-2048;"
                              "PRAGMA mmap_size=0;"
                              "PRAGMA temp_store=MEMORY;"
                              "PRAGMA trusted_schema=OFF;"
                              "PRAGMA cell_size_check=ON;";

static const char schema[] = "BEGIN IMMEDIATE;"
                             "CREATE TABLE object ("
                             " revision INTEGER PRIMARY KEY,"
                             " created INTEGER NOT NULL,"
                             " deleted INTEGER NOT NULL,"
                             " written_ms INTEGER NOT NULL,"
                             " key TEXT NOT NULL,"
                             " value BLOB NOT NULL) STRICT;"
                             "CREATE TABLE meta ("
                             " name TEXT PRIMARY KEY,"
                             " value INTEGER NOT NULL) STRICT;"
                             "INSERT INTO meta VALUES ('compacted', 0);"
                             "PRAGMA application_id=1449751143;" /* DATABASE_APPLICATION_ID */
                             "PRAGMA user_version=1;"            /* DATABASE_SCHEMA */
                             "COMMIT;";
_Static_assert(DATABASE_APPLICATION_ID == 1449751143 && DATABASE_SCHEMA == 1,
               "the numbers of the schema text");

/* --- errors --- */

/* The write-ahead log belongs to the file: played into another one it would damage that too. */
int database_damaged(const struct database *database, const char *why, struct err *err)
{
    return err_set(err, ERR_INTERNAL,
                   "%s is damaged (%s): move it and %s-wal away, then put back a backup (the last "
                   "automatic one is %s.backup) or start with an empty store",
                   database->path, why, database->path, database->path);
}

static bool is_about_space(int result, int number)
{
    if (result == SQLITE_FULL)
        return true;
    return result == SQLITE_IOERR && (number == ENOSPC || number == EDQUOT || number == EFBIG);
}

int database_error(const struct database *database, int result, const char *doing, struct err *err)
{
    int number = errno; /* sqlite3_system_errno() stays 0 when it is a commit that fails */
    int kind = result & 0xff;
    const char *why = sqlite3_errmsg(database->handle);

    if (kind == SQLITE_BUSY)
        return err_set(err, ERR_CONFLICT, "%s is in use by another process", database->path);
    if (kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB)
        return database_damaged(database, why, err);
    if (is_about_space(kind, number))
        return err_set(err, ERR_NO_SPACE, "%s: %s: no space left on its disk", database->path,
                       doing);
    if ((kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN) && number != 0)
        return err_set(err, ERR_IO, "%s: %s: %s: %s", database->path, doing, why, strerror(number));
    return err_set(err, ERR_IO, "%s: %s: %s", database->path, doing, why);
}

/* --- opening --- */

sqlite3_stmt *database_prepare(struct database *database, const char *sql, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int result =
        sqlite3_prepare_v3(database->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);

    if (result != SQLITE_OK)
        database_error(database, result, "cannot be read", err);
    return statement;
}

static int execute(struct database *database, const char *sql, const char *doing, struct err *err)
{
    errno = 0;
    int result = sqlite3_exec(database->handle, sql, NULL, NULL, NULL);

    return result == SQLITE_OK ? 0 : database_error(database, result, doing, err);
}

static int read_number(struct database *database, const char *sql, int64_t *ret_number,
                       struct err *err)
{
    sqlite3_stmt *statement = database_prepare(database, sql, err);
    int result;

    if (!statement)
        return -1;
    errno = 0;
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        *ret_number = sqlite3_column_int64(statement, 0);
    else if (result == SQLITE_DONE)
        database_damaged(database, "it lacks its own description", err);
    else
        database_error(database, result, "cannot be read", err);
    sqlite3_finalize(statement);
    return result == SQLITE_ROW ? 0 : -1;
}

/* Flushes the entry of a new file or folder to the disk. */
static int sync_directory(const char *path, struct err *err)
{
    auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return err_errno(err, "%s", path);
    return 0;
}

/* SQLite would make the file readable to all. An existing file is not even opened
 * here: closing it again would give up the locks this process may hold on it. */
static int make_file(const char *directory, const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST)
        return 0;
    if (fd < 0)
        return err_errno(err, "%s", path);
    close(fd);

    auto_free char *parent = str_printf("%s/..", directory);
    return sync_directory(directory, err) < 0 ? -1 : sync_directory(parent, err);
}

static int connect(struct database *database, struct err *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

    errno = 0;
    int result = sqlite3_open_v2(database->path, &database->handle, flags, NULL);

    if (result != SQLITE_OK)
        return database_error(database, result, "cannot be opened", err);
    return execute(database, pragmas, "cannot be opened", err);
}

static int check_schema(struct database *database, struct err *err)
{
    int64_t application = 0, version = 0, tables = 0;

    if (read_number(database, "PRAGMA application_id", &application, err) < 0 ||
        read_number(database, "PRAGMA user_version", &version, err) < 0 ||
        read_number(database, "SELECT count(*) FROM sqlite_schema", &tables, err) < 0)
        return -1;
    if (application == 0 && version == 0 && tables == 0)
        return execute(database, schema, "cannot be set up", err);
    if (application != DATABASE_APPLICATION_ID)
        return err_set(err, ERR_UNSUPPORTED, "%s is not a store of virgad but another program's",
                       database->path);
    if (version > DATABASE_SCHEMA)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s was written by a newer virgad (schema %d, this one knows %d): install "
                       "that version again, or put back a backup from before",
                       database->path, (int)version, DATABASE_SCHEMA);
    return 0;
}

static int set_up(struct database *database, const char *directory, struct err *err)
{
    if (dir_make(directory, 0700, err) < 0 || make_file(directory, database->path, err) < 0 ||
        connect(database, err) < 0 || check_schema(database, err) < 0)
        return -1;
    if (read_number(database, "SELECT value FROM meta WHERE name = 'compacted'",
                    &database->compacted, err) < 0)
        return -1;
    return database_prepare_commits(database, err);
}

/* Has the file system set space aside for the log: a machine that fills the disk must not keep its own deletion
 * from being written, which is what makes room. The log is written over from its beginning after each
 * checkpoint, so this is enough for any number of commits. Best effort: it is not to be had everywhere. */
static void reserve_log(const struct database *database)
{
    auto_free char *log = str_printf("%s-wal", database->path);
    auto_close int fd = open(log, O_WRONLY | O_CLOEXEC); /* on the log SQLite has no locks to lose */
    struct statvfs found;
    uint64_t free_bytes;

    if (fd < 0 || fstatvfs(fd, &found) < 0)
        return;
    free_bytes = (uint64_t)found.f_bavail * found.f_frsize;
    (void)fallocate(fd, FALLOC_FL_KEEP_SIZE, 0,
                    free_bytes / RESERVE_PART < RESERVE_MAX ? (off_t)(free_bytes / RESERVE_PART) : RESERVE_MAX);
}

struct database *database_open(const char *directory, struct err *err)
{
    auto_clean(database_close_auto) struct database *database = mem_new(struct database);

    database->path = str_printf("%s/virga.db", directory);
    if (set_up(database, directory, err) < 0)
        return NULL;
    reserve_log(database);
    return take_pointer(database);
}

void database_close(struct database *database)
{
    if (!database)
        return;
    sqlite3_finalize(database->begin);
    sqlite3_finalize(database->commit);
    sqlite3_finalize(database->rollback);
    sqlite3_finalize(database->add);
    sqlite3_finalize(database->remove);
    sqlite3_finalize(database->set_compacted);
    sqlite3_close(database->handle);
    free(database->path);
    free(database);
}

int64_t database_compacted(const struct database *database) { return database->compacted; }

/* --- loading --- */

static int read_row(const struct database *database, sqlite3_stmt *statement,
                    struct database_row *ret_row, struct err *err)
{
    *ret_row = (struct database_row){
        .revision = sqlite3_column_int64(statement, 0),
        .created = sqlite3_column_int64(statement, 1),
        .deleted = sqlite3_column_int(statement, 2) != 0,
        .written_ms = sqlite3_column_int64(statement, 3),
        .key = (const char *)sqlite3_column_text(statement, 4),
        .bytes = sqlite3_column_blob(statement, 5),
        .size = (size_t)sqlite3_column_bytes(statement, 5),
    };
    if (!ret_row->key || ret_row->created <= 0 || ret_row->created > ret_row->revision ||
        (!ret_row->bytes && ret_row->size > 0))
        return database_damaged(database, "a version of an object cannot be read", err);
    return 0;
}

static int load_rows(struct database *database, sqlite3_stmt *statement,
                     void (*fn)(void *arg, const struct database_row *row), void *arg,
                     struct err *err)
{
    int result;

    errno = 0;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        struct database_row row;

        if (read_row(database, statement, &row, err) < 0)
            return -1;
        fn(arg, &row);
    }
    return result == SQLITE_DONE ? 0 : database_error(database, result, "cannot be read", err);
}

int database_load(struct database *database, void (*fn)(void *arg, const struct database_row *row),
                  void *arg, struct err *err)
{
    static const char all[] = "SELECT revision, created, deleted, written_ms, key, value"
                              " FROM object ORDER BY revision";
    sqlite3_stmt *statement = database_prepare(database, all, err);

    if (!statement)
        return -1;

    int result = load_rows(database, statement, fn, arg, err);
    sqlite3_finalize(statement);
    sqlite3_db_release_memory(database->handle); /* nothing of it is read a second time */
    return result;
}
