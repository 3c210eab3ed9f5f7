/* tests/scratch.h - a folder of a test's own. */
#pragma once
#include "base/files.h"
#include "base/str.h"
#include "check.h"
#include <stdlib.h>

/* An empty folder in 'parent'; owned, for scratch_remove(). */
static inline char *scratch_new_in(const char *parent)
{
    char *path = str_printf("%s/virga-test-XXXXXX", parent); /* mkdtemp(3) puts letters for the X */

    CHECK(mkdtemp(path));
    return path;
}

static inline char *scratch_new(void) { return scratch_new_in("/tmp"); }

/* With all that is in it. */
static inline void scratch_remove(char *take_path)
{
    struct err err;

    CHECK_OK(dir_remove(take_path, &err), &err);
    free(take_path);
}
