/* tests/unit/store/folder.h - an own folder for a test's database. */
#pragma once
#include "base/files.h"
#include "base/str.h"
#include "check.h"
#include "store/store.h"
#include <stdio.h>
#include <stdlib.h>

static inline char *folder_new(void)
{
    const char *where = getenv("TMPDIR");
    char *path = str_printf("%s/virga-store-XXXXXX", where ? where : "/tmp");

    CHECK(mkdtemp(path));
    return path;
}

static inline void folder_remove(char *take_path)
{
    struct err err;

    CHECK_OK(dir_remove(take_path, &err), &err);
    free(take_path);
}

static inline struct store *open_in(struct loop *loop, const char *directory)
{
    struct err err = { 0 };
    struct store *store =
        store_sqlite_open(loop, &(struct store_sqlite_options){ .directory = directory }, &err);

    if (!store)
        CHECK_STR(err.text, "");
    return store;
}
