/* kinds/validate.c - an object against its kind's table and against what it was. */
#include "kinds/check_value.h"
#include "kinds/kind.h"
#include "kinds/names.h"
#include "base/quantity.h"
#include "base/str.h"
#include <inttypes.h>
#include <string.h>

enum { ANNOTATIONS_SIZE_MAX = 256 * 1024 };

static void check_fields(const struct field *fields, const json_t *object, const json_t *old,
                         const char *path, struct causes *causes);

/* The item of list 'old' that has the same key as 'item', or NULL. */
static const json_t *old_item(const struct field *list, const json_t *item, const json_t *old)
{
    const char *key = list->key ? json_text_at(item, list->key, NULL) : NULL;

    for (size_t i = 0; key && i < json_array_size(old); i++)
        if (str_equal(json_text_at(json_array_get(old, i), list->key, NULL), key))
            return json_array_get(old, i);
    return NULL;
}

static bool occurs_before(const struct field *list, const json_t *values, size_t at)
{
    const json_t *value = json_array_get(values, at);

    for (size_t i = 0; i < at; i++) {
        const json_t *other = json_array_get(values, i);
        const char *key = list->key ? json_text_at(value, list->key, NULL) : NULL;

        if (list->key ? key && str_equal(json_text_at(other, list->key, NULL), key)
                      : json_equal(other, value))
            return true;
    }
    return false;
}

static void check_value(const struct field *field, const json_t *value, const json_t *old,
                        const char *path, struct causes *causes);

static void check_list_item(const struct field *list, const json_t *values, size_t i,
                            const json_t *old, const char *path, struct causes *causes)
{
    const json_t *item = json_array_get(values, i);
    auto_free char *below = str_printf("%s[%zu]", path, i);

    check_value(list->item, item, old_item(list, item, old), below, causes);
    if ((list->key || (list->flags & (FIELD_LIST_SET | FIELD_LIST_DISTINCT))) && occurs_before(list, values, i)) {
        auto_free char *field = list->key ? str_printf("%s.%s", below, list->key) : str_dup(below);
        auto_free char *shown = json_text(list->key ? json_object_get(item, list->key) : item);
        causes_add(causes, "FieldValueDuplicate", field, "Duplicate value: %s", shown);
    }
}

/* Says so when a list or map holds too many items, or too few. */
static bool has_right_count(const struct field *field, size_t count, const char *path,
                            struct causes *causes)
{
    if (field->max && (int64_t)count > field->max)
        causes_add(causes, "FieldValueTooMany", path,
                   "Too many: %zu: must have at most %" PRId64 " items", count, field->max);
    else if ((int64_t)count < field->min)
        causes_add(causes, "FieldValueInvalid", path,
                   "Invalid value: must have at least %" PRId64 " item%s", field->min,
                   field->min == 1 ? "" : "s");
    else
        return true;
    return false;
}

static void check_list(const struct field *field, const json_t *value, const json_t *old,
                       const char *path, struct causes *causes)
{
    if (!has_right_count(field, json_array_size(value), path, causes))
        return;
    for (size_t i = 0; i < json_array_size(value); i++)
        check_list_item(field, value, i, old, path, causes);
}

static void check_map(const struct field *field, const json_t *value, const json_t *old,
                      const char *path, struct causes *causes)
{
    const char *key;
    json_t *item;

    if (!has_right_count(field, json_object_size(value), path, causes))
        return;
    json_object_foreach((json_t *)value, key, item) {
        auto_free char *below = str_printf("%s[%s]", path, key);
        check_value(field->item, item, json_object_get(old, key), below, causes);
    }
}

static void check_value(const struct field *field, const json_t *value, const json_t *old,
                        const char *path, struct causes *causes)
{
    if (field->type == FIELD_OBJECT && json_is_object(value))
        check_fields(field->fields, value, old, path, causes);
    else if (field->type == FIELD_LIST && json_is_array(value))
        check_list(field, value, old, path, causes);
    else if (field->type == FIELD_MAP && json_is_object(value))
        check_map(field, value, old, path, causes);
    else
        check_scalar(field, value, path, causes);
}

static bool is_absent(const json_t *value) { return !value || json_is_null(value); }

static bool quantity_of(const json_t *value, int64_t *ret_number)
{
    struct err err;

    if (json_is_integer(value)) {
        *ret_number = json_integer_value(value);
        return true;
    }
    return json_is_string(value) && quantity_parse(json_string_value(value), ret_number, &err) == 0;
}

static void check_growth(const json_t *value, const json_t *old, const char *path,
                         struct causes *causes)
{
    int64_t now, before;

    if (quantity_of(old, &before) && quantity_of(value, &now) && now < before) {
        auto_free char *was = json_text(old);
        causes_invalid(causes, path, value, "may grow but not shrink (now %s)", was);
    }
}

/* 'parent_existed': the object around this field was there before, so absence then means something. */
static void check_change(const struct field *field, const json_t *value, const json_t *old,
                         bool parent_existed, const char *path, struct causes *causes)
{
    if (!parent_existed)
        return;
    if ((field->flags & FIELD_IMMUTABLE) && !json_equal((json_t *)value, (json_t *)old) &&
        !(is_absent(value) && is_absent(old)))
        causes_invalid(causes, path, value, "field is immutable");
    if ((field->flags & FIELD_SET_ONCE) && !is_absent(old) &&
        !json_equal((json_t *)value, (json_t *)old))
        causes_invalid(causes, path, value, "can be set only once");
    if (field->flags & FIELD_GROWS)
        check_growth(value, old, path, causes);
}

static void check_fields(const struct field *fields, const json_t *object, const json_t *old,
                         const char *path, struct causes *causes)
{
    for (const struct field *field = fields; field && field->name; field++) {
        const json_t *value = json_object_get(object, field->name);
        const json_t *before = field->flags & FIELD_TEMPLATE ? NULL : json_object_get(old, field->name);
        auto_free char *below = path ? str_printf("%s.%s", path, field->name) : str_dup(field->name);
        size_t count = causes->count;

        if (!is_absent(value))
            check_value(field, value, before, below, causes);
        if ((field->flags & FIELD_REQUIRED) &&
            (is_absent(value) || (json_is_string(value) && !json_string_value(value)[0]))) {
            if (count == causes->count)
                causes_add(causes, "FieldValueRequired", below, "Required value");
        } else if (count == causes->count) {
            check_change(field, value, before, json_is_object(old), below, causes);
        }
    }
}

/* --- metadata --- */

static void check_name(const struct kind *kind, const json_t *metadata, struct causes *causes)
{
    const json_t *value = json_object_get(metadata, "name");
    const char *name = json_string_value(value);
    bool label = kind->flags & KIND_LABEL_NAME;

    if (str_is_empty(name))
        causes_add(causes, "FieldValueRequired", "metadata.name",
                   "Required value: name or generateName is required");
    else if (label ? !name_is_label(name) : !name_is_subdomain(name))
        causes_invalid(causes, "metadata.name", value, "%s",
                       label ? NAME_LABEL_RULE : NAME_SUBDOMAIN_RULE);
}

void check_labels(const json_t *labels, const char *path, struct causes *causes)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)labels, key, value) {
        auto_json json_t *key_value = json_string(key);

        if (!name_is_qualified(key))
            causes_invalid(causes, path, key_value,
                           "a key must be a name of at most 63 of A-Za-z0-9._-, with an optional "
                           "DNS prefix and '/'");
        if (!json_is_string(value) || !name_is_label_value(json_string_value(value)))
            causes_invalid(causes, path, value,
                           "a value must be empty or at most 63 of A-Za-z0-9._-, beginning and "
                           "ending with a letter or digit");
    }
}

static void check_annotations(const json_t *annotations, struct causes *causes)
{
    const char *key;
    json_t *value;
    size_t size = 0;

    json_object_foreach((json_t *)annotations, key, value) {
        auto_json json_t *key_value = json_string(key);

        if (!name_is_qualified(key))
            causes_invalid(causes, "metadata.annotations", key_value,
                           "a key must be a name of at most 63 of A-Za-z0-9._-, with an optional "
                           "DNS prefix and '/'");
        size += strlen(key) + json_string_length(value);
    }
    if (size > ANNOTATIONS_SIZE_MAX)
        causes_add(causes, "FieldValueTooLong", "metadata.annotations",
                   "Too long: may not be more than %d bytes", ANNOTATIONS_SIZE_MAX);
}

static void check_metadata(const struct kind *kind, const json_t *object, struct causes *causes)
{
    const json_t *metadata = json_object_get(object, "metadata");

    check_name(kind, metadata, causes);
    check_fields(kind_metadata_fields(), metadata, NULL, "metadata", causes);
    check_labels(json_object_get(metadata, "labels"), "metadata.labels", causes);
    check_annotations(json_object_get(metadata, "annotations"), causes);
}

void kind_validate(const struct kind *kind, const json_t *object, const json_t *old,
                   struct causes *causes)
{
    check_metadata(kind, object, causes);
    check_fields(kind->fields, object, old, NULL, causes);
    /* Rules that span fields can rely on each field being sound. */
    if (kind->check && causes->count == 0)
        kind->check(object, old, causes);
}
