/* kinds/row.c - an object as one row of its kind's table. */
#include "kinds/kind.h"
#include "base/quantity.h"
#include "base/str.h"
#include <ctype.h>
#include <string.h>

static json_t *age_cell(const json_t *value, int64_t now_wall_ms)
{
    int64_t then;
    char age[32];
    struct err err;

    if (!json_is_string(value) || time_parse(json_string_value(value), &then, &err) < 0)
        return json_string("<unknown>");
    duration_format_age(now_wall_ms > then ? now_wall_ms - then : 0, age, sizeof age);
    return json_string(age);
}

/* "instance/web" of an object reference. */
static json_t *reference_cell(const json_t *value)
{
    json_t *cell = json_printf("%s/%s", json_text_at(value, "kind", ""),
                               json_text_at(value, "name", ""));
    auto_free char *text = str_dup(json_string_value(cell));

    for (char *c = text; *c && *c != '/'; c++)
        *c = (char)tolower((unsigned char)*c);
    json_string_set(cell, text);
    return cell;
}

static void add_item_text(struct buf *text, const json_t *item)
{
    if (!item || json_is_null(item))
        return;
    if (text->size)
        buf_add_char(text, ',');
    if (json_is_string(item))
        buf_add_text(text, json_string_value(item));
    else
        json_write(item, text);
}

/* "status.networks[*].ipv4Address" or a list itself: the items joined by commas. */
static json_t *joined_cell(const json_t *object, const char *path)
{
    const char *star = strstr(path, "[*]");
    auto_free char *list_path = star ? str_dup_part(path, (size_t)(star - path)) : str_dup(path);
    const json_t *list = json_at(object, list_path);
    auto_buf struct buf text = { 0 };

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        add_item_text(&text, star && star[3] ? json_at(item, star + 4) : item);
    }
    return json_string(text.bytes ? text.bytes : "");
}

/* "Paused (WriteFailed)" */
static json_t *reasoned_cell(const json_t *value, const char *reason)
{
    return json_printf("%s (%s)", json_string_value(value), reason);
}

static json_t *cell(const struct column *column, const json_t *object, int64_t now_wall_ms)
{
    const json_t *value = strstr(column->path, "[*]") ? NULL : json_at(object, column->path);

    if (str_equal(column->type, "date"))
        return age_cell(value, now_wall_ms);
    if (strstr(column->path, "[*]") || json_is_array(value))
        return joined_cell(object, column->path);
    if (json_is_object(value))
        return reference_cell(value);
    if (column->reason && json_is_string(value) && json_text_at(object, column->reason, NULL))
        return reasoned_cell(value, json_text_at(object, column->reason, NULL));
    if (!value || json_is_null(value))
        return str_equal(column->type, "string") ? json_string("") : json_null();
    return json_incref((json_t *)value);
}

json_t *kind_row(const struct kind *kind, const json_t *object, int64_t now_wall_ms)
{
    json_t *cells = json_array();

    for (const struct column *column = kind->columns; column->name; column++)
        json_array_append_new(cells, cell(column, object, now_wall_ms));
    return cells;
}
