/* kinds/default.c - unknown fields out, defaults in. */
#include "kinds/kind.h"
#include "base/str.h"
#include <assert.h>
#include <stdlib.h>

static void default_fields(const struct field *fields, json_t *object);

static void default_value(const struct field *field, json_t *value)
{
    json_t *item;
    size_t index;
    const char *key;

    if (field->type == FIELD_OBJECT && json_is_object(value)) {
        default_fields(field->fields, value);
    } else if (field->type == FIELD_LIST && json_is_array(value) && field->item) {
        json_array_foreach(value, index, item)
            default_value(field->item, item);
    } else if (field->type == FIELD_MAP && json_is_object(value) && field->item) {
        json_object_foreach(value, key, item)
            default_value(field->item, item);
    }
}

static json_t *parse_fallback(const struct field *field)
{
    json_t *value = json_loads(field->fallback, JSON_DECODE_ANY, NULL);

    assert(value);
    return value;
}

static void default_fields(const struct field *fields, json_t *object)
{
    for (const struct field *field = fields; field && field->name; field++) {
        json_t *value = json_object_get(object, field->name);

        if ((!value || json_is_null(value)) && field->fallback) {
            json_object_set_new(object, field->name, parse_fallback(field));
            value = json_object_get(object, field->name);
        }
        if (value)
            default_value(field, value);
    }
}

void kind_default(const struct kind *kind, json_t *object)
{
    if (kind->settle)
        kind->settle(object);
    default_fields(kind->fields, object);
}

/* --- unknown fields --- */

struct sieve {
    bool prune;
    struct causes *unknown;
};

static void sieve_object(struct sieve *sieve, const struct field *fields, json_t *object,
                         const char *path);

static void sieve_value(struct sieve *sieve, const struct field *field, json_t *value,
                        const char *path)
{
    json_t *item;
    size_t index;
    const char *key;

    if (field->type == FIELD_OBJECT && json_is_object(value)) {
        sieve_object(sieve, field->fields, value, path);
    } else if (field->type == FIELD_LIST && json_is_array(value) && field->item) {
        json_array_foreach(value, index, item) {
            auto_free char *below = str_printf("%s[%zu]", path, index);
            sieve_value(sieve, field->item, item, below);
        }
    } else if (field->type == FIELD_MAP && json_is_object(value) && field->item) {
        json_object_foreach(value, key, item) {
            auto_free char *below = str_printf("%s[%s]", path, key);
            sieve_value(sieve, field->item, item, below);
        }
    }
}

static void note_unknown(struct sieve *sieve, json_t *object, const char *key, const char *path)
{
    causes_add(sieve->unknown, "FieldValueInvalid", path, "unknown field \"%s\"", path);
    if (sieve->prune)
        json_object_del(object, key);
}

static void sieve_object(struct sieve *sieve, const struct field *fields, json_t *object,
                         const char *path)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(object, next, key, value) {
        const struct field *field = field_find(fields, key);
        auto_free char *below =
            str_is_empty(path) ? str_dup(key) : str_printf("%s.%s", path, key);

        if (field)
            sieve_value(sieve, field, value, below);
        else
            note_unknown(sieve, object, key, below);
    }
}

static bool is_envelope(const char *key)
{
    return str_equal(key, "apiVersion") || str_equal(key, "kind") || str_equal(key, "metadata");
}

void kind_unknown_fields(const struct kind *kind, json_t *object, bool prune,
                         struct causes *ret_unknown)
{
    struct sieve sieve = { .prune = prune, .unknown = ret_unknown };
    json_t *metadata = json_object_get(object, "metadata"), *value;
    const char *key;
    void *next;

    if (json_is_object(metadata))
        sieve_object(&sieve, kind_metadata_fields(), metadata, "metadata");
    json_object_foreach_safe(object, next, key, value) {
        const struct field *field = field_find(kind->fields, key);

        if (is_envelope(key))
            continue;
        if (field)
            sieve_value(&sieve, field, value, key);
        else
            note_unknown(&sieve, object, key, key);
    }
}
