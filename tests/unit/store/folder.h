/* tests/unit/store/folder.h - an own folder for a test's database. */
#pragma once
#include "base/files.h"
#include "base/str.h"
#include "check.h"
#include "store/store.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* In memory where that can be: no test here can tell whether a flush reached a disk. */
static inline char *folder_new(void)
{
    bool has_memory = access("/dev/shm", W_OK | X_OK) == 0;
    char *path = str_printf("%s/virga-store-XXXXXX", has_memory ? "/dev/shm" : "/tmp");

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
