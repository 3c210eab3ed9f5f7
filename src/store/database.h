/* store/database.h - the SQLite file: every version of every object, by revision.
 *
 * The only place with SQL. It knows nothing of loops and threads: calls block, and
 * one thread at a time may make them.
 *
 *     object: one row for each version, in the order of writing, so that a commit appends;
 *             superseded versions stay until no watch can ask for them
 *     meta:   'compacted', the revision up to which versions may be missing
 *
 * There is no index by key: what is read is read once, at start, in revision order. */
#pragma once
#include "store/store.h"
#include <stdbool.h>

struct database;

/* Opens or creates "virga.db" in 'directory', which is made too. ERR_CONFLICT: another process has
 * it; ERR_UNSUPPORTED: of a newer schema or another program's; ERR_INTERNAL: damaged. */
struct database *database_open(const char *directory, struct err *err);
void database_close(struct database *database); /* NULL is fine */
DEFINE_AUTO(struct database, database_close)

int64_t database_compacted(const struct database *database);

struct database_row {
    const char *key; /* borrowed during the call, like the bytes */
    int64_t revision;
    int64_t created;
    bool deleted;
    int64_t written_ms; /* wall clock */
    const void *bytes;
    size_t size;
};
/* Calls 'fn' for each version in revision order. */
int database_load(struct database *database, void (*fn)(void *arg, const struct database_row *row),
                  void *arg, struct err *err);

struct database_change {
    const struct record *const *added;
    size_t added_count;
    int64_t written_ms;
    const int64_t *removed; /* revisions of versions nobody needs any more */
    size_t removed_count;
    int64_t compacted; /* stored when versions are removed or nothing is added */
};
/* All of it durably, or nothing. ERR_NO_SPACE, ERR_IO. */
int database_commit(struct database *database, const struct database_change *change,
                    struct err *err);
