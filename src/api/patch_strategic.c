/* api/patch_strategic.c - strategic merge patch: merge patch that knows which lists are maps and
 * sets.
 *
 * The directives are those kubectl computes for the kinds it knows. */
#include "api/patch.h"
#include "api/schema.h"
#include "base/str.h"
#include <string.h>

#define ORDER_PREFIX "$setElementOrder/"
#define DELETE_PREFIX "$deleteFromPrimitiveList/"

static json_t *merge_value(const struct field *field, const json_t *target, const json_t *patch,
                           struct err *err);

/* A list field that may be merged item by item even when nothing is there yet. */
static bool is_merged_list(const struct field *field)
{
    return field && field->type == FIELD_LIST && (field->key || (field->flags & FIELD_LIST_SET));
}

static bool is_directive(const char *key) { return key[0] == '$'; }

static int wrong_directive(const char *key, struct err *err)
{
    return err_set(err, ERR_BAD_REQUEST, "wrong directive \"%.64s\" in the strategic merge patch",
                   key);
}

/* --- directives about a sibling list --- */

static int delete_values(json_t *result, const char *name, const json_t *values, struct err *err)
{
    json_t *list = json_object_get(result, name);

    if (!json_is_array(values))
        return wrong_directive(DELETE_PREFIX, err);
    if (!json_is_array(list))
        return 0;
    list = json_copy(list); /* what is there may still be the target's own */
    json_object_set_new(result, name, list);
    for (size_t i = 0; i < json_array_size(values); i++) {
        ptrdiff_t at = schema_find_value(list, json_array_get(values, i));

        if (at >= 0)
            json_array_remove(list, (size_t)at);
    }
    return 0;
}

/* Items that 'order' names come in its order; the others keep their place after them. */
static json_t *in_order(const struct field *field, const json_t *list, const json_t *order)
{
    json_t *sorted = json_array();
    bool is_map = field && field->key;

    for (size_t i = 0; i < json_array_size(order); i++) {
        json_t *wanted = json_array_get(order, i);
        ptrdiff_t at = is_map ? -1 : schema_find_value(list, wanted);
        json_t *item = is_map    ? schema_find_item(field, list, wanted)
                       : at >= 0 ? json_array_get(list, (size_t)at)
                                 : NULL;

        if (item && schema_find_value(sorted, item) < 0)
            json_array_append(sorted, item);
    }
    for (size_t i = 0; i < json_array_size(list); i++)
        if (schema_find_value(sorted, json_array_get(list, i)) < 0)
            json_array_append(sorted, json_array_get(list, i));
    return sorted;
}

static int order_list(const struct field *parent, json_t *result, const char *name,
                      const json_t *order, struct err *err)
{
    const json_t *list = json_object_get(result, name);

    if (!json_is_array(order))
        return wrong_directive(ORDER_PREFIX, err);
    if (json_is_array(list))
        json_object_set_new(result, name, in_order(schema_member(parent, name), list, order));
    return 0;
}

static int retain_keys(json_t *result, const json_t *keys, struct err *err)
{
    const char *key;
    json_t *value;
    void *next;

    if (!json_is_array(keys))
        return wrong_directive("$retainKeys", err);
    json_object_foreach_safe (result, next, key, value) {
        auto_json json_t *name = json_string(key);

        if (schema_find_value(keys, name) < 0)
            json_object_del(result, key);
    }
    return 0;
}

static int apply_directive(const struct field *field, json_t *result, const char *key,
                           const json_t *value, struct err *err)
{
    if (str_starts(key, DELETE_PREFIX))
        return delete_values(result, key + strlen(DELETE_PREFIX), value, err);
    if (str_starts(key, ORDER_PREFIX))
        return order_list(field, result, key + strlen(ORDER_PREFIX), value, err);
    if (strcmp(key, "$retainKeys") == 0)
        return retain_keys(result, value, err);
    return strcmp(key, "$patch") == 0 ? 0 : wrong_directive(key, err);
}

/* --- lists --- */

static int merge_map_item(const struct field *field, json_t *result, const json_t *patch,
                          struct err *err)
{
    const char *directive = json_text_at(patch, "$patch", NULL);
    json_t *item = schema_find_item(field, result, patch), *merged;

    if (!json_object_get(patch, field->key))
        return err_set(err, ERR_BAD_REQUEST, "an item of the patch lacks its key \"%s\"",
                       field->key);
    if (str_equal(directive, "delete")) {
        ptrdiff_t at = item ? schema_find_value(result, item) : -1;

        if (at >= 0)
            json_array_remove(result, (size_t)at);
        return 0;
    }
    merged = merge_value(field->item, item, patch, err);
    if (!merged)
        return -1;
    if (item)
        json_array_set_new(result, (size_t)schema_find_value(result, item), merged);
    else
        json_array_append_new(result, merged);
    return 0;
}

static int merge_item(const struct field *field, json_t *result, json_t *patch, struct err *err)
{
    if (field->key)
        return merge_map_item(field, result, patch, err);
    if (schema_find_value(result, patch) < 0)
        json_array_append_new(result, json_deep_copy(patch));
    return 0;
}

/* [{"$patch":"replace"}, ...] replaces the list by the other items. */
static bool replaces_list(const json_t *patch)
{
    for (size_t i = 0; i < json_array_size(patch); i++)
        if (str_equal(json_text_at(json_array_get(patch, i), "$patch", NULL), "replace"))
            return true;
    return false;
}

static json_t *merge_list(const struct field *field, const json_t *target, const json_t *patch,
                          struct err *err)
{
    bool replaces = replaces_list(patch);
    json_t *result =
        json_is_array(target) && !replaces ? json_copy((json_t *)target) : json_array();

    for (size_t i = 0; i < json_array_size(patch); i++) {
        json_t *item = json_array_get(patch, i);

        if (replaces && json_object_get(item, "$patch"))
            continue;
        if (merge_item(field, result, item, err) < 0) {
            json_decref(result);
            return NULL;
        }
    }
    return result;
}

/* --- objects --- */

static int merge_member(const struct field *field, json_t *result, const json_t *target,
                        const char *key, json_t *value, struct err *err)
{
    json_t *merged;

    if (json_is_null(value)) {
        json_object_del(result, key);
        return 0;
    }
    if (json_is_object(value) && str_equal(json_text_at(value, "$patch", NULL), "delete")) {
        json_object_del(result, key);
        return 0;
    }
    merged = merge_value(schema_member(field, key), json_object_get(target, key), value, err);
    return json_object_set_new(result, key, merged);
}

static int merge_members(const struct field *field, json_t *result, const json_t *target,
                         const json_t *patch, struct err *err)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)patch, key, value)
        if (!is_directive(key) && merge_member(field, result, target, key, value, err) < 0)
            return -1;
    /* Order and retention speak about the merged result. */
    json_object_foreach ((json_t *)patch, key, value)
        if (is_directive(key) && apply_directive(field, result, key, value, err) < 0)
            return -1;
    return 0;
}

static json_t *merge_object(const struct field *field, const json_t *target, const json_t *patch,
                            struct err *err)
{
    const char *directive = json_string_value(json_object_get(patch, "$patch"));
    bool replaces = str_equal(directive, "replace");
    json_t *result;

    if (directive && !replaces && !str_equal(directive, "merge")) {
        wrong_directive("$patch", err);
        return NULL;
    }
    result = json_is_object(target) && !replaces ? json_copy((json_t *)target) : json_object();
    if (merge_members(field, result, replaces ? NULL : target, patch, err) == 0)
        return result;
    json_decref(result);
    return NULL;
}

static json_t *merge_value(const struct field *field, const json_t *target, const json_t *patch,
                           struct err *err)
{
    if (json_is_object(patch))
        return merge_object(field, target, patch, err);
    if (json_is_array(patch) && is_merged_list(field))
        return merge_list(field, target, patch, err);
    return json_deep_copy(patch);
}

json_t *patch_strategic(const struct field *schema, const json_t *target, const json_t *patch,
                        struct err *err)
{
    if (!json_is_object(patch)) {
        err_set(err, ERR_BAD_REQUEST, "a strategic merge patch must be an object");
        return NULL;
    }
    return merge_value(schema, target, patch, err);
}
