/* drivers/storage/directory/fetch_headers.c - reads dumped response headers. */
#include "drivers/storage/directory/fetch_headers.h"
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LINE_SIZE_MAX = 1024 };

/* 'line' is "Name: value" with this name: the value without surrounding blanks, else NULL. */
static char *value_of(char *line, const char *name)
{
    size_t length = strlen(name);

    if (strncasecmp(line, name, length) != 0 || line[length] != ':')
        return NULL;
    line += length + 1;
    return line + strspn(line, " \t");
}

static int64_t number(const char *text)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    return !isdigit((unsigned char)text[0]) || *end || errno ? -1 : value;
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

static void take_validator(struct fetch_headers *headers, const char *value)
{
    if (value[0] && strlen(value) < sizeof headers->validator && is_printable(value))
        strcpy(headers->validator, value);
}

static void take_line(struct fetch_headers *headers, char *line)
{
    char *value;

    if (strncmp(line, "HTTP/", 5) == 0) { /* the next response: forget the one before */
        char *status = strchr(line, ' ');
        *headers = (struct fetch_headers){ .total_bytes = -1 };
        headers->status = status ? atoi(status) : 0;
    } else if ((value = value_of(line, "etag"))) {
        if (value[0] == '"') /* W/"..." says nothing about bytes */
            take_validator(headers, value);
    } else if ((value = value_of(line, "last-modified"))) {
        if (headers->validator[0] != '"')
            take_validator(headers, value);
    } else if ((value = value_of(line, "content-length"))) {
        if (headers->status == 200)
            headers->total_bytes = number(value);
    } else if ((value = value_of(line, "content-range"))) {
        char *slash = strchr(value, '/');
        if (slash)
            headers->total_bytes = number(slash + 1);
    }
}

void fetch_headers_parse(const char *text, size_t size, struct fetch_headers *ret_headers)
{
    const char *end = text + size;
    char line[LINE_SIZE_MAX];

    *ret_headers = (struct fetch_headers){ .total_bytes = -1 };
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t length = stop ? (size_t)(stop - text) : 0;

        if (!stop)
            return; /* still being written */
        if (length < sizeof line) {
            memcpy(line, text, length);
            while (length > 0 && isspace((unsigned char)line[length - 1]))
                length--;
            line[length] = '\0';
            take_line(ret_headers, line);
        }
        text = stop + 1;
    }
}
