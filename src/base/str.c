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

int str_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Well-formed byte sequences, Unicode table 3-7: no overlong forms, no surrogates. */
static const struct {
    unsigned char first_min, first_max, second_min, second_max, size;
} utf8_forms[] = {
    { 0x00, 0x7f, 0x00, 0x00, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
    { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
    { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

static bool is_continued(const unsigned char *at, size_t size)
{
    for (size_t i = 2; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return false;
    return true;
}

size_t str_utf8_size(const char *at, size_t size)
{
    const unsigned char *byte = (const unsigned char *)at;

    for (size_t i = 0; i < sizeof utf8_forms / sizeof utf8_forms[0]; i++) {
        size_t wanted = utf8_forms[i].size;

        if (size < wanted || byte[0] < utf8_forms[i].first_min || byte[0] > utf8_forms[i].first_max)
            continue;
        if (wanted == 1)
            return 1;
        return byte[1] >= utf8_forms[i].second_min && byte[1] <= utf8_forms[i].second_max &&
                       is_continued(byte, wanted)
                   ? wanted
                   : 0;
    }
    return 0;
}
