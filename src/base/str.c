/* base/str.c - strings on the heap. */
#include "base/str.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *str_dup(const char *text) { return text ? mem_copy(text, strlen(text) + 1) : NULL; }

char *str_dup_part(const char *text, size_t length)
{
    char *copy = mem_alloc(length + 1);

    if (length)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *str_printf(const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = str_vprintf(format, args);
    va_end(args);
    return text;
}

char *str_vprintf(const char *format, va_list args)
{
    char *text;

    if (vasprintf(&text, format, args) < 0)
        abort();
    return text;
}

bool str_equal(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

bool str_starts(const char *text, const char *prefix)
{
    return text && strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix)
{
    size_t length = text ? strlen(text) : 0;
    size_t wanted = strlen(suffix);

    return text && length >= wanted && memcmp(text + length - wanted, suffix, wanted) == 0;
}

bool str_is_empty(const char *text) { return !text || !text[0]; }
