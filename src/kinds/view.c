/* kinds/view.c - reading stored objects through the tables. */
#include "kinds/kind.h"
#include "kinds/names.h"
#include "base/quantity.h"
#include <assert.h>

static json_t *declared(const struct kind *kind, const json_t *object, const char *path)
{
    assert(kind_field(kind, path) && "path is not in the kind's table");
    return json_at(object, path);
}

const char *view_text(const struct kind *kind, const json_t *object, const char *path)
{
    return json_string_value(declared(kind, object, path));
}

int64_t view_int(const struct kind *kind, const json_t *object, const char *path)
{
    return json_integer_value(declared(kind, object, path));
}

int64_t view_share(const struct kind *kind, const json_t *object, const char *path, int64_t whole, bool rounds_up)
{
    const json_t *value = declared(kind, object, path);
    int percent;

    if (!json_is_string(value))
        return json_integer_value(value);
    if (!text_is_percent(json_string_value(value), &percent)) /* validated on its way in */
        return 0;
    return (whole * percent + (rounds_up ? 99 : 0)) / 100;
}

bool view_bool(const struct kind *kind, const json_t *object, const char *path)
{
    return json_is_true(declared(kind, object, path));
}

int64_t view_bytes(const struct kind *kind, const json_t *object, const char *path)
{
    const json_t *value = declared(kind, object, path);
    int64_t bytes = 0;
    struct err err;

    if (json_is_integer(value))
        return json_integer_value(value);
    if (json_is_string(value))
        (void)quantity_parse(json_string_value(value), &bytes, &err); /* validated on its way in */
    return bytes;
}

int64_t view_duration_ms(const struct kind *kind, const json_t *object, const char *path)
{
    const char *text = json_string_value(declared(kind, object, path));
    int64_t ms = 0;
    struct err err;

    if (text)
        (void)duration_parse(text, &ms, &err); /* validated on its way in */
    return ms;
}

int64_t view_time_ms(const struct kind *kind, const json_t *object, const char *path)
{
    const char *text = json_string_value(declared(kind, object, path));
    int64_t ms = 0;
    struct err err;

    if (text)
        (void)time_parse(text, &ms, &err); /* validated on its way in */
    return ms;
}

json_t *view_list(const struct kind *kind, const json_t *object, const char *path)
{
    json_t *value = declared(kind, object, path);

    return json_is_array(value) ? value : NULL;
}

json_t *view_value(const struct kind *kind, const json_t *object, const char *path)
{
    return declared(kind, object, path);
}
