/* store/object.c - objects as JSON on top of records. */
#include "store/object.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Every writer emits these first and in this order, so that equal objects are equal bytes and
 * readers of the text find labels before the long managedFields. */
static const char *const top_keys[] = { "apiVersion", "kind", "metadata", NULL };
static const char *const first_metadata_keys[] = {
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    NULL,
};
static const char *const last_metadata_keys[] = { "managedFields", NULL };

char *object_key(const char *group, const char *plural, const char *namespace_name,
                 const char *name)
{
    struct buf key = { 0 };

    assert(namespace_name || !name);
    buf_add_char(&key, '/');
    buf_add_text(&key, str_is_empty(group) ? "core" : group);
    buf_add_char(&key, '/');
    buf_add_text(&key, plural);
    buf_add_char(&key, '/');
    if (namespace_name) {
        buf_add_text(&key, namespace_name);
        buf_add_char(&key, '/');
    }
    if (name)
        buf_add_text(&key, name);
    return buf_take(&key);
}

/* --- encoding --- */

struct encoder {
    struct buf *text;
    ptrdiff_t gap;
    bool is_first; /* no comma before the next member */
};

static bool is_listed(const char *key, const char *const *keys)
{
    for (; *keys; keys++)
        if (strcmp(*keys, key) == 0)
            return true;
    return false;
}

static void write_key(struct encoder *encoder, const char *key)
{
    auto_json json_t *text = json_string(key);

    if (!encoder->is_first)
        buf_add_char(encoder->text, ',');
    encoder->is_first = false;
    json_write(text, encoder->text);
    buf_add_char(encoder->text, ':');
}

static void write_revision_gap(struct encoder *encoder)
{
    write_key(encoder, "resourceVersion");
    buf_add_char(encoder->text, '"');
    encoder->gap = (ptrdiff_t)encoder->text->size;
    buf_add_char(encoder->text, '"');
}

static void write_metadata_member(struct encoder *encoder, const json_t *metadata, const char *key)
{
    const json_t *value = json_object_get(metadata, key);

    if (strcmp(key, "resourceVersion") == 0) {
        write_revision_gap(encoder);
    } else if (value) {
        write_key(encoder, key);
        json_write(value, encoder->text);
    }
}

static void write_metadata(struct encoder *encoder, const json_t *metadata)
{
    const char *key;
    json_t *value;

    buf_add_char(encoder->text, '{');
    encoder->is_first = true;
    for (const char *const *first = first_metadata_keys; *first; first++)
        write_metadata_member(encoder, metadata, *first);
    json_object_foreach((json_t *)metadata, key, value) if (!is_listed(key, first_metadata_keys) &&
                                                            !is_listed(key, last_metadata_keys))
        write_metadata_member(encoder, metadata, key);
    for (const char *const *last = last_metadata_keys; *last; last++)
        write_metadata_member(encoder, metadata, *last);
    buf_add_char(encoder->text, '}');
    encoder->is_first = false;
}

static void write_member(struct encoder *encoder, const char *key, const json_t *value)
{
    if (!value)
        return;
    write_key(encoder, key);
    if (strcmp(key, "metadata") == 0)
        write_metadata(encoder, value);
    else
        json_write(value, encoder->text);
}

void object_encode(const json_t *object, struct buf *ret_text, struct store_value *ret_value)
{
    struct encoder encoder = { .text = ret_text, .gap = STORE_GAP_NONE, .is_first = true };
    const char *key;
    json_t *value;

    assert(json_is_object(json_object_get(object, "metadata")));
    buf_clear(ret_text);
    buf_reserve(ret_text, 2000);
    buf_add_char(ret_text, '{');
    for (const char *const *top = top_keys; *top; top++)
        write_member(&encoder, *top, json_object_get(object, *top));
    json_object_foreach((json_t *)object, key, value) if (!is_listed(key, top_keys))
        write_member(&encoder, key, value);
    buf_add_char(ret_text, '}');
    *ret_value = (struct store_value){ .bytes = ret_text->bytes,
                                       .size = ret_text->size,
                                       .gap = encoder.gap };
}

json_t *object_decode(const struct record *record)
{
    struct err err;
    json_t *object = json_parse(record->bytes, record->size, &err);

    if (!object)
        abort();
    return object;
}

/* --- reading --- */

int64_t object_revision(const json_t *object)
{
    const char *text = json_text_at(object, "metadata.resourceVersion", "");
    char *end;
    long long revision = strtoll(text, &end, 10);

    return *end || revision < 0 ? 0 : revision;
}

const char *object_uid(const json_t *object) { return json_text_at(object, "metadata.uid", ""); }

const char *object_name(const json_t *object) { return json_text_at(object, "metadata.name", ""); }

const char *object_namespace(const json_t *object)
{
    return json_text_at(object, "metadata.namespace", "");
}

bool object_is_deleting(const json_t *object)
{
    return json_text_at(object, "metadata.deletionTimestamp", NULL) != NULL;
}

static bool is_observed(const char *key) { return str_equal(key, "metadata") || str_equal(key, "status"); }

/* Whether every member but metadata and status of 'a' is equal in 'b'. */
static bool wants_the_same(const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)a, key, value)
        if (!is_observed(key) && !json_equal(value, json_object_get(b, key)))
            return false;
    return true;
}

void object_count_change(json_t *object, const json_t *old)
{
    if (!wants_the_same(object, old) || !wants_the_same(old, object) ||
        object_is_deleting(object) != object_is_deleting(old))
        json_set_at(object, "metadata.generation", json_integer(json_int_at(old, "metadata.generation", 0) + 1));
}

bool object_has_finalizer(const json_t *object, const char *finalizer)
{
    const json_t *finalizers = json_at(object, "metadata.finalizers");

    for (size_t i = 0; i < json_array_size(finalizers); i++)
        if (str_equal(json_string_value(json_array_get(finalizers, i)), finalizer))
            return true;
    return false;
}

static bool is_owner(const json_t *reference, const struct owner *wanted)
{
    return (!wanted->kind || str_equal(json_text_at(reference, "kind", NULL), wanted->kind)) &&
           (!wanted->name || str_equal(json_text_at(reference, "name", NULL), wanted->name)) &&
           (!wanted->uid || str_equal(json_text_at(reference, "uid", NULL), wanted->uid));
}

bool object_has_owner(const json_t *object, struct owner wanted)
{
    const json_t *references = json_at(object, "metadata.ownerReferences");

    for (size_t i = 0; i < json_array_size(references); i++)
        if (is_owner(json_array_get(references, i), &wanted))
            return true;
    return false;
}
