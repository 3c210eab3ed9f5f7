/* base/mem.c - allocation that aborts instead of failing. */
#include "base/mem.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *not_null(void *bytes)
{
    if (!bytes)
        abort();
    return bytes;
}

void *mem_alloc(size_t size) { return not_null(malloc(size ? size : 1)); }

void *mem_zero(size_t size) { return not_null(calloc(1, size ? size : 1)); }

void *mem_resize(void *old, size_t size) { return not_null(realloc(old, size ? size : 1)); }

void *mem_copy(const void *bytes, size_t size)
{
    void *copy = mem_alloc(size);

    if (size)
        memcpy(copy, bytes, size);
    return copy;
}

void *mem_array(size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        abort();
    return mem_zero(total);
}
