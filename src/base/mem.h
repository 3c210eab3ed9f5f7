/* base/mem.h - allocation that cannot fail: out of memory aborts the daemon,
 * because the machines outlive it and it finds them again when it comes back. */
#pragma once
#include <stddef.h>

void *mem_alloc(size_t size);             /* contents undefined; size 0 gives 1 byte */
void *mem_zero(size_t size);              /* all bytes zero */
void *mem_resize(void *old, size_t size); /* realloc */
void *mem_copy(const void *bytes, size_t size);

/* Room for 'count' items of 'size' bytes each; aborts when the product overflows. */
void *mem_array(size_t count, size_t size);

#define mem_new(type) ((type *)mem_zero(sizeof(type)))
