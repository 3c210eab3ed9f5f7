/* store/database_internal.h - between the files of the database. */
#pragma once
#include "store/database.h"
#include <sqlite3.h>

enum { DATABASE_SCHEMA = 1, DATABASE_APPLICATION_ID = 0x56697267 /* "Virg" */ };

struct database {
    sqlite3 *handle;
    char *path;
    int64_t compacted;
    sqlite3_stmt *begin, *commit, *rollback, *add, *remove, *set_compacted;
};

/* Fills 'err' from what SQLite said last, "PATH: DOING: why", and from errno, which was 0 before
 * the call that failed. Returns -1. */
int database_error(const struct database *database, int result, const char *doing, struct err *err);
int database_damaged(const struct database *database, const char *why, struct err *err);

/* A statement for all the time, or NULL. */
sqlite3_stmt *database_prepare(struct database *database, const char *sql, struct err *err);
int database_prepare_commits(struct database *database, struct err *err);
