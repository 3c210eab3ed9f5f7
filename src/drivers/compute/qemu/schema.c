/* drivers/compute/qemu/schema.c - walks QEMU's introspection data.
 * Source: docs/devel/qapi-code-gen.rst of QEMU, "Client JSON Protocol introspection". */
#include "drivers/compute/qemu/schema.h"
#include "base/str.h"
#include <string.h>

enum { STEP_SIZE_MAX = 64 };

static const json_t *entry_of(const json_t *entries, const char *name)
{
    size_t i;
    json_t *entry;

    json_array_foreach ((json_t *)entries, i, entry) {
        if (str_equal(json_text_at(entry, "name", ""), name))
            return entry;
    }
    return NULL;
}

/* The item of the list 'lists' of 'entry' whose 'key' is 'name'. */
static const json_t *item_of(const json_t *entry, const char *list, const char *key,
                             const char *name)
{
    size_t i;
    json_t *item;

    json_array_foreach (json_object_get(entry, list), i, item) {
        if (str_equal(json_text_at(item, key, ""), name))
            return item;
    }
    return NULL;
}

static bool has_value(const json_t *entry, const char *value)
{
    size_t i;
    json_t *each;

    json_array_foreach (json_object_get(entry, "values"), i, each) {
        if (str_equal(json_string_value(each), value))
            return true;
    }
    return false;
}

/* The type that 'step' leads to; NULL: nowhere. */
static const json_t *follow(const json_t *entries, const json_t *type, const char *step)
{
    const json_t *item = step[0] == '+' ? item_of(type, "variants", "case", step + 1)
                                        : item_of(type, "members", "name", step);
    const json_t *next = item ? entry_of(entries, json_text_at(item, "type", "")) : NULL;

    if (next && str_equal(json_text_at(next, "meta-type", ""), "array"))
        next = entry_of(entries, json_text_at(next, "element-type", ""));
    return next;
}

/* Copies the text before the next '/' and moves behind it; false: none left. */
static bool next_step(const char **path, char to[STEP_SIZE_MAX])
{
    size_t length = strcspn(*path, "/");

    if (length == 0 || length >= STEP_SIZE_MAX)
        return false;
    memcpy(to, *path, length);
    to[length] = '\0';
    *path += length + ((*path)[length] == '/');
    return true;
}

bool schema_has(const json_t *entries, const char *path)
{
    char step[STEP_SIZE_MAX];
    const json_t *type;

    if (!next_step(&path, step))
        return false;
    type = entry_of(entries, step);
    if (!type || !str_equal(json_text_at(type, "meta-type", ""), "command"))
        return false;
    type = entry_of(entries, json_text_at(type, "arg-type", ""));
    while (type && next_step(&path, step)) {
        if (step[0] == '^')
            return has_value(type, step + 1);
        type = follow(entries, type, step);
    }
    return type != NULL;
}
