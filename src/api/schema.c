/* api/schema.c - how the values of a kind merge. */
#include "api/schema.h"
#include "base/mem.h"
#include <stdlib.h>

enum { ENVELOPE_COUNT = 3 };

static size_t count_fields(const struct field *fields)
{
    size_t count = 0;

    while (fields && fields[count].name)
        count++;
    return count;
}

struct field *schema_new(const struct kind *kind)
{
    size_t count = count_fields(kind->fields);
    struct field *root = mem_array(1 + count + ENVELOPE_COUNT + 1, sizeof *root);
    struct field *members = root + 1;

    for (size_t i = 0; i < count; i++)
        members[i] = kind->fields[i];
    members[count] = (struct field){ .name = "metadata",
                                     .type = FIELD_OBJECT,
                                     .fields = kind_metadata_fields() };
    members[count + 1] = (struct field){ .name = "apiVersion", .type = FIELD_TEXT };
    members[count + 2] = (struct field){ .name = "kind", .type = FIELD_TEXT };
    *root = (struct field){ .type = FIELD_OBJECT, .fields = members };
    return root;
}

void schema_free(struct field *root) { free(root); }

enum shape schema_shape(const struct field *field, const json_t *value)
{
    if (json_is_object(value)) {
        if (!field || field->type == FIELD_ANY || field->type == FIELD_MAP)
            return SHAPE_MAP;
        return field->type == FIELD_OBJECT ? SHAPE_OBJECT : SHAPE_LEAF;
    }
    if (!json_is_array(value) || !field || field->type != FIELD_LIST)
        return SHAPE_LEAF;
    if (field->key)
        return SHAPE_LIST_MAP;
    return field->flags & FIELD_LIST_SET ? SHAPE_SET : SHAPE_LEAF;
}

const struct field *schema_member(const struct field *field, const char *name)
{
    if (field && field->type == FIELD_OBJECT)
        return field_find(field->fields, name);
    return schema_item(field);
}

const struct field *schema_item(const struct field *field)
{
    return field && (field->type == FIELD_LIST || field->type == FIELD_MAP) ? field->item : NULL;
}

json_t *schema_find_item(const struct field *list, const json_t *items, const json_t *like)
{
    const json_t *key = json_object_get(like, list->key);

    for (size_t i = 0; key && i < json_array_size(items); i++) {
        json_t *item = json_array_get(items, i);

        if (json_equal(json_object_get(item, list->key), key))
            return item;
    }
    return NULL;
}

ptrdiff_t schema_find_value(const json_t *items, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(items); i++)
        if (json_equal(json_array_get(items, i), value))
            return (ptrdiff_t)i;
    return -1;
}
