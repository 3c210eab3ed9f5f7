/* base/last_line.c - what a failed program said last, fit for an error text. */
#include "base/last_line.h"
#include "base/str.h"
#include <stdbool.h>
#include <string.h>

static bool is_line_end(char c) { return c == '\n' || c == '\r' || c == '\0'; }

static bool is_blank(char c) { return is_line_end(c) || c == ' ' || c == '\t'; }

/* Bytes of the printable character at 'at'; 0 when there is none. */
static size_t printable_size(const char *at, size_t size)
{
    return (unsigned char)*at < 0x20 || *at == 0x7f ? 0 : str_utf8_size(at, size);
}

static char *readable(const char *line, size_t size)
{
    struct buf text = { 0 };

    while (size > 0) {
        size_t step = printable_size(line, size);

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
