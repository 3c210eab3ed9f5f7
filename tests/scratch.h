/* tests/scratch.h - a folder of a test's own. */
#pragma once
#include "base/files.h"
#include "base/str.h"
#include "check.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* An empty folder in 'parent'; owned, for scratch_remove(). */
static inline char *scratch_new_in(const char *parent)
{
    static unsigned count;

    for (;;) {
        char *path = str_printf("%s/virga-test-%d-%u", parent, (int)getpid(), count++);

        if (mkdir(path, 0700) == 0)
            return path;
        CHECK_EQ(errno, EEXIST); /* of a process that had this number before */
        free(path);
    }
}

static inline char *scratch_new(void) { return scratch_new_in("/tmp"); }

/* With all that is in it. */
static inline void scratch_remove(char *take_path)
{
    struct err err;

    CHECK_OK(dir_remove(take_path, &err), &err);
    free(take_path);
}
