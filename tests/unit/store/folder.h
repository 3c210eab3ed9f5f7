/* tests/unit/store/folder.h - an own folder for a test's database. */
#pragma once
#include "scratch.h"
#include "store/store.h"
#include <unistd.h>

/* In memory where that can be: no test here can tell whether a flush reached a disk. */
static inline char *folder_new(void)
{
    bool has_memory = access("/dev/shm", W_OK | X_OK) == 0;

    return scratch_new_in(has_memory ? "/dev/shm" : "/tmp");
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
