/* api/url.c - a request target taken apart. */
#include "api/url.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Decodes 'text' in place; "+" is a space in a query only. */
static int decode(char *text, bool is_query, struct err *err)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        int high, low;

        if (*from == '+' && is_query) {
            *to++ = ' ';
        } else if (*from == '%') {
            high = str_hex_digit(from[1]);
            low = high < 0 ? -1 : str_hex_digit(from[2]);
            if (low < 0)
                return err_set(err, ERR_BAD_REQUEST, "broken percent-encoding in the URL");
            if (high == 0 && low == 0)
                return err_set(err, ERR_BAD_REQUEST, "NUL character in the URL");
            *to++ = (char)(high << 4 | low);
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = 0;
    return 0;
}

static int add_segment(struct url *url, char *segment, struct err *err)
{
    if (url->segment_count == URL_SEGMENTS_MAX)
        return err_set(err, ERR_BAD_REQUEST, "too many steps in the URL's path");
    if (decode(segment, /*is_query=*/false, err) < 0)
        return -1;
    if (strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0 || strchr(segment, '/'))
        return err_set(err, ERR_BAD_REQUEST,
                       "\".\", \"..\" and encoded slashes are not allowed in "
                       "the URL's path");
    url->segments[url->segment_count++] = segment;
    return 0;
}

static int parse_path(struct url *url, char *path, struct err *err)
{
    char *rest = path + 1;

    if (path[0] != '/')
        return err_set(err, ERR_BAD_REQUEST, "the URL's path must begin with a slash");
    while (*rest) {
        char *segment = strsep(&rest, "/");

        if (add_segment(url, segment, err) < 0)
            return -1;
        if (!rest)
            return 0;
    }
    url->has_trailing_slash = url->segment_count > 0;
    return 0;
}

static int parse_query(struct url *url, char *query, struct err *err)
{
    size_t count = 1;

    for (const char *c = query; *c; c++)
        count += *c == '&';
    if (count > URL_OPTIONS_MAX)
        return err_set(err, ERR_BAD_REQUEST, "more than %d query options", URL_OPTIONS_MAX);
    url->options = mem_array(count, sizeof url->options[0]);
    while (query) {
        char *name = strsep(&query, "&");
        char *value = strchr(name, '=');

        if (!*name)
            continue;
        if (value)
            *value++ = 0;
        if (decode(name, true, err) < 0 || (value && decode(value, true, err) < 0))
            return -1;
        url->options[url->option_count++] = (struct url_option){ name, value ? value : "" };
    }
    return 0;
}

int url_parse(const char *raw, struct url *ret_url, struct err *err)
{
    char *query;

    *ret_url = (struct url){ 0 };
    if (strlen(raw) > URL_SIZE_MAX)
        return err_set(err, ERR_BAD_REQUEST, "the URL is longer than %d bytes", URL_SIZE_MAX);
    ret_url->text = str_dup(raw);
    query = strchr(ret_url->text, '?');
    if (query)
        *query++ = 0;
    if (parse_path(ret_url, ret_url->text, err) < 0)
        return -1;
    return query && *query ? parse_query(ret_url, query, err) : 0;
}

void url_done(struct url *url)
{
    free(url->text);
    free(url->options);
    *url = (struct url){ 0 };
}

const char *url_option(const struct url *url, const char *name)
{
    for (unsigned i = 0; i < url->option_count; i++)
        if (strcmp(url->options[i].name, name) == 0)
            return url->options[i].value;
    return NULL;
}

bool url_flag(const struct url *url, const char *name)
{
    const char *value = url_option(url, name);

    return value && strcmp(value, "0") != 0 && strcasecmp(value, "false") != 0;
}

int url_number(const struct url *url, const char *name, long long *ret_number, struct err *err)
{
    const char *value = url_option(url, name);
    long long number;
    char *end;

    if (str_is_empty(value))
        return 0;
    errno = 0;
    number = strtoll(value, &end, 10);
    if (errno || *end || value[0] < '0' || value[0] > '9')
        return err_set(err, ERR_BAD_REQUEST, "%s: invalid value \"%.64s\": must be a number", name,
                       value);
    *ret_number = number;
    return 0;
}
