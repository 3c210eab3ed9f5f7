/* store/database_commit.c - one transaction that adds and removes versions.
 *
 * Whether a write is right was decided before, in memory. Here a batch becomes
 * durable as a whole or not at all. After a COMMIT that failed, its pages may lie
 * in the write-ahead log all the same, and would come to life if the process died
 * then; the next transaction writes over them, which is why the store tries one
 * soon after each failure even when nobody writes. */
#include "store/database_internal.h"
#include "store/record.h"
#include "base/fault.h"
#include <errno.h>
#include <string.h>

int database_prepare_commits(struct database *database, struct err *err)
{
    const struct {
        sqlite3_stmt **statement;
        const char *sql;
    } all[] = {
        { &database->begin, "BEGIN IMMEDIATE" },
        { &database->commit, "COMMIT" },
        { &database->rollback, "ROLLBACK" },
        { &database->add, "INSERT INTO object (revision, created, deleted, written_ms, key, value)"
                          " VALUES (?, ?, ?, ?, ?, ?)" },
        { &database->remove, "DELETE FROM object WHERE revision = ?" },
        { &database->set_compacted, "UPDATE meta SET value = ? WHERE name = 'compacted'" },
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        *all[i].statement = database_prepare(database, all[i].sql, err);
        if (!*all[i].statement)
            return -1;
    }
    return 0;
}

/* sqlite3_step() says how it went; what sqlite3_reset() returns is the same again. */
static int run(struct database *database, sqlite3_stmt *statement, struct err *err)
{
    errno = 0;
    int result = sqlite3_step(statement);

    if (result != SQLITE_DONE)
        database_error(database, result, "cannot be written", err);
    sqlite3_reset(statement);
    return result == SQLITE_DONE ? 0 : -1;
}

static int add(struct database *database, const struct record *record, int64_t written_ms,
               struct err *err)
{
    sqlite3_stmt *statement = database->add;

    sqlite3_bind_int64(statement, 1, record->revision);
    sqlite3_bind_int64(statement, 2, record->created);
    sqlite3_bind_int(statement, 3, record_is_deleted(record));
    sqlite3_bind_int64(statement, 4, written_ms);
    sqlite3_bind_text(statement, 5, record->key, (int)strlen(record->key), SQLITE_STATIC);
    sqlite3_bind_blob(statement, 6, record->bytes, (int)record->size, SQLITE_STATIC);

    int result = run(database, statement, err);
    sqlite3_clear_bindings(statement);
    return result;
}

static int run_with_number(struct database *database, sqlite3_stmt *statement, int64_t number,
                           struct err *err)
{
    sqlite3_bind_int64(statement, 1, number);
    return run(database, statement, err);
}

static int apply(struct database *database, const struct database_change *change, struct err *err)
{
    for (size_t i = 0; i < change->added_count; i++)
        if (add(database, change->added[i], change->written_ms, err) < 0)
            return -1;
    for (size_t i = 0; i < change->removed_count; i++)
        if (run_with_number(database, database->remove, change->removed[i], err) < 0)
            return -1;
    if (change->removed_count == 0 && change->added_count > 0)
        return 0;
    return run_with_number(database, database->set_compacted, change->compacted, err);
}

static int transact(struct database *database, const struct database_change *change,
                    struct err *err)
{
    fault_point("store.commit.begin");
    if (run(database, database->begin, err) < 0 || apply(database, change, err) < 0)
        return -1;
    fault_point("store.commit.before");
    if (fault_fails("store.commit", err) < 0 || run(database, database->commit, err) < 0)
        return -1;
    fault_point("store.commit.after");
    return 0;
}

int database_commit(struct database *database, const struct database_change *change,
                    struct err *err)
{
    struct err ignored; /* of the rollback: the first error is the one that tells */

    if (transact(database, change, err) == 0)
        return 0;
    if (!sqlite3_get_autocommit(database->handle))
        (void)run(database, database->rollback, &ignored);
    return -1;
}
