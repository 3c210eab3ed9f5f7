/* base/auto.c - the cleanup functions behind auto_free and auto_close. */
#include "base/auto.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The variable is a pointer of any type; memcpy reads it without aliasing two types. */
void auto_free_cleanup(void *pointer_to_pointer)
{
    void *pointer;

    memcpy(&pointer, pointer_to_pointer, sizeof pointer);
    free(pointer);
}

/* Keeps errno: the scope may be left between a failed call and err_errno(). */
void auto_close_cleanup(const int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        close(*fd);
    errno = saved;
}
