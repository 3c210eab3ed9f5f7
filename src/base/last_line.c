/* base/last_line.c - what a failed program said last, fit for an error text. */
#include "base/last_line.h"
#include "base/str.h"
#include <stdbool.h>
#include <string.h>

static bool is_line_end(char c) { return c == '\n' || c == '\r' || c == '\0'; }

static bool is_blank(char c) { return is_line_end(c) || c == ' ' || c == '\t'; }

/* Bytes of the UTF-8 character at 'at' (RFC 3629), 0 when there is none. */
static size_t character_size(const unsigned char *at, size_t size)
{
    static const struct {
        unsigned char first_min, first_max, second_min, second_max, size;
    } forms[] = {
        { 0x20, 0x7e, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (at[0] < forms[i].first_min || at[0] > forms[i].first_max || size < forms[i].size)
            continue;
        if (forms[i].size > 1 && (at[1] < forms[i].second_min || at[1] > forms[i].second_max))
            return 0;
        for (size_t j = 2; j < forms[i].size; j++)
            if ((at[j] & 0xc0) != 0x80)
                return 0;
        return forms[i].size;
    }
    return 0;
}

static char *readable(const char *line, size_t size)
{
    struct buf text = { 0 };

    while (size > 0) {
        size_t step = character_size((const unsigned char *)line, size);

        if (step > 0)
            buf_add(&text, line, step);
        else
            buf_add_char(&text, *line == '\t' ? ' ' : '?');
        step = step > 0 ? step : 1;
        line += step;
        size -= step;
    }
    return buf_take(&text);
}

char *last_line(const char *text, size_t size, const char *program)
{
    size_t program_length = strlen(program);
    size_t begin;

    while (size > 0 && is_blank(text[size - 1]))
        size--;
    if (size == 0)
        return str_dup("");
    for (begin = size; begin > 0 && !is_line_end(text[begin - 1]);)
        begin--;
    while (begin < size && is_blank(text[begin]))
        begin++;
    if (size - begin > program_length + 2 && !memcmp(text + begin, program, program_length) &&
        !memcmp(text + begin + program_length, ": ", 2))
        begin += program_length + 2;
    return begin < size ? readable(text + begin, size - begin) : str_dup("");
}
