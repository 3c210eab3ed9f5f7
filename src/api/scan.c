/* api/scan.c - looking into canonical JSON text without parsing it. */
#include "api/scan.h"
#include "base/json.h"
#include "base/str.h"
#include <string.h>

struct scan scan_text(const char *text, size_t size) { return (struct scan){ text, size }; }

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

/* Behind the closing quote of the string that begins at 'at'. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at < end ? at + 1 : end;
}

static const char *skip_container(const char *at, const char *end)
{
    unsigned depth = 0;

    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if ((*at == '}' || *at == ']') && --depth == 0)
            return at + 1;
        at++;
    }
    return end;
}

static const char *skip_value(const char *at, const char *end)
{
    if (at < end && *at == '"')
        return skip_string(at, end);
    if (at < end && (*at == '{' || *at == '['))
        return skip_container(at, end);
    while (at < end && !strchr(",]} \n\t\r", *at))
        at++;
    return at;
}

static bool is_container(struct scan value)
{
    return value.at && value.size >= 2 && (value.at[0] == '{' || value.at[0] == '[');
}

bool scan_next(struct scan container, const char **at, struct scan *ret_name,
               struct scan *ret_value)
{
    const char *end, *value;

    if (!is_container(container))
        return false;
    end = container.at + container.size;
    *at = skip_space(*at ? *at : container.at + 1, end);
    if (*at < end && **at == ',')
        *at = skip_space(*at + 1, end);
    if (*at >= end || **at == '}' || **at == ']')
        return false;
    *ret_name = (struct scan){ 0 };
    if (container.at[0] == '{') {
        const char *name_end = skip_string(*at, end);

        if (**at != '"' || name_end - *at < 2)
            return false;
        *ret_name = (struct scan){ *at + 1, (size_t)(name_end - *at) - 2 };
        *at = skip_space(name_end, end);
        if (*at >= end || **at != ':')
            return false;
        *at = skip_space(*at + 1, end);
    }
    value = *at;
    *at = skip_value(value, end);
    *ret_value = (struct scan){ value, (size_t)(*at - value) };
    return *at > value;
}

struct scan scan_member(struct scan object, const char *name)
{
    struct scan key, value;
    size_t length = strlen(name);

    if (!object.at || !object.size || object.at[0] != '{')
        return (struct scan){ 0 };
    for (const char *at = NULL; scan_next(object, &at, &key, &value);)
        if (key.size == length && memcmp(key.at, name, length) == 0)
            return value;
    return (struct scan){ 0 };
}

struct scan scan_path(struct scan object, const char *path)
{
    char name[64];

    while (*path && object.at) {
        size_t length = strcspn(path, ".");

        if (length >= sizeof name)
            return (struct scan){ 0 };
        memcpy(name, path, length);
        name[length] = 0;
        object = scan_member(object, name);
        path += length + (path[length] == '.');
    }
    return object;
}

bool scan_is_string(struct scan value) { return value.at && value.size >= 2 && value.at[0] == '"'; }

bool scan_equals(struct scan value, const char *text)
{
    size_t length = strlen(text);

    if (scan_is_string(value))
        value = (struct scan){ value.at + 1, value.size - 2 };
    return value.at && value.size == length && memcmp(value.at, text, length) == 0;
}

char *scan_copy(struct scan value)
{
    if (!value.at)
        return NULL;
    if (!scan_is_string(value))
        return str_dup_part(value.at, value.size);
    if (!memchr(value.at, '\\', value.size))
        return str_dup_part(value.at + 1, value.size - 2);
    auto_json json_t *string = json_loadb(value.at, value.size, JSON_DECODE_ANY, NULL);
    return str_dup(json_is_string(string) ? json_string_value(string) : "");
}
