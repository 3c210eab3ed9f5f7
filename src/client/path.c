/* client/path.c - request paths. */
#include "client/client.h"
#include <stdlib.h>
#include <string.h>

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~", c));
}

static void add_encoded(struct buf *to, const char *text)
{
    for (; *text; text++)
        if (is_plain(*text))
            buf_add_char(to, *text);
        else
            buf_printf(to, "%%%02X", (unsigned char)*text);
}

static void add_step(struct buf *to, const char *step)
{
    buf_add_char(to, '/');
    add_encoded(to, step);
}

char *client_path(const struct kind *kind, const char *namespace_name, const char *name,
                  const char *sub)
{
    struct buf path = { 0 };

    buf_printf(&path, "/%s/%s", str_is_empty(kind->group) ? "api" : "apis",
               kind_api_version(kind));
    if (namespace_name && kind->flags & KIND_NAMESPACED) {
        buf_add_text(&path, "/namespaces");
        add_step(&path, namespace_name);
    }
    add_step(&path, kind->plural);
    if (name)
        add_step(&path, name);
    if (sub)
        add_step(&path, sub);
    return buf_take(&path);
}

int client_path_check(const char *path, struct err *err)
{
    size_t length;

    for (; *path == '/'; path += length) {
        const char *step = ++path;

        length = strcspn(step, "/?");
        if (length == 0 || (length == 1 && step[0] == '.') || (length == 2 && step[0] == '.' && step[1] == '.'))
            return err_set(err, ERR_BAD_REQUEST, "a name must not be empty, \".\" or \"..\"");
    }
    return 0;
}

void client_path_option(char **path, const char *key, const char *value)
{
    struct buf longer = { 0 };

    buf_printf(&longer, "%s%c%s=", *path, strchr(*path, '?') ? '&' : '?', key);
    add_encoded(&longer, value);
    free(*path);
    *path = buf_take(&longer);
}
