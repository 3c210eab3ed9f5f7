/* api/prepare.c - what the server adds to an object before it is validated. */
#include "api/prepare.h"
#include "base/quantity.h"
#include "base/random.h"
#include "base/str.h"
#include "store/object.h"
#include <string.h>

enum { GENERATED_SUFFIX = 5, GENERATED_NAME_MAX = 63 };

void prepare_drop_nulls(json_t *value)
{
    const char *key;
    json_t *child;
    size_t index;
    void *next;

    if (json_is_object(value))
        json_object_foreach_safe (value, next, key, child) {
            if (json_is_null(child))
                json_object_del(value, key);
            else
                prepare_drop_nulls(child);
        }
    else
        json_array_foreach (value, index, child)
            prepare_drop_nulls(child);
}

/* --- identity --- */

/* A text that must equal 'wanted' when it is there, and is set when not. */
static int expect_text(json_t *object, const char *key, const char *wanted, const char *format,
                       struct failure *failure)
{
    const json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);

    if (!value || str_equal(text, "")) {
        json_object_set_new(object, key, json_string(wanted));
        return 0;
    }
    if (str_equal(text, wanted))
        return 0;
    auto_free char *shown = json_text(value);
    auto_free char *message = str_printf("%s %.200s does not match \"%s\"", format, shown, wanted);
    return failure_set(failure, ERR_BAD_REQUEST, "%s", message);
}

static int check_type(const struct write *write, json_t *object, struct failure *failure)
{
    const struct kind *kind = write->resource->kind;

    if (expect_text(object, "apiVersion", kind_api_version(kind), "the API version in the data",
                    failure) < 0)
        return -1;
    return expect_text(object, "kind", kind->name, "the kind in the data", failure);
}

static int check_address(const struct write *write, json_t *metadata, struct failure *failure)
{
    if (write->namespace_name && expect_text(metadata, "namespace", write->namespace_name,
                                             "the namespace of the provided object", failure) < 0)
        return -1;
    if (!write->namespace_name)
        json_object_del(metadata, "namespace");
    return write->name ? expect_text(metadata, "name", write->name,
                                     "the name of the provided object", failure)
                       : 0;
}

static int check_preconditions(const struct write *write, const json_t *metadata, const json_t *old,
                               struct failure *failure)
{
    const struct kind *kind = write->resource->kind;
    const char *revision = json_string_value(json_object_get(metadata, "resourceVersion"));
    const char *uid = json_string_value(json_object_get(metadata, "uid"));

    if (!old && !str_is_empty(revision) && write->may_create)
        return failure_conflict(failure, kind, write->name, NULL);
    if (!old && !str_is_empty(revision))
        return failure_set(failure, ERR_BAD_REQUEST,
                           "resourceVersion should not be set on objects to be created");
    if (!old)
        return 0;
    if (!str_is_empty(revision) &&
        !str_equal(revision, json_text_at(old, "metadata.resourceVersion", "")))
        return failure_conflict(failure, kind, write->name, NULL);
    if (str_is_empty(uid) || str_equal(uid, object_uid(old)))
        return 0;
    auto_free char *why =
        str_printf("Precondition failed: UID in precondition: %.64s, UID in object meta: %s", uid,
                   object_uid(old));
    return failure_conflict(failure, kind, write->name, why);
}

int prepare_identity(const struct write *write, json_t *object, const json_t *old,
                     struct failure *failure)
{
    json_t *metadata;

    if (!json_is_object(object))
        return failure_set(failure, ERR_BAD_REQUEST, "the body of the request must be an object");
    if (!json_object_get(object, "metadata"))
        json_object_set_new(object, "metadata", json_object());
    metadata = json_object_get(object, "metadata");
    if (!json_is_object(metadata))
        return failure_set(failure, ERR_BAD_REQUEST, "metadata must be an object");
    if (check_type(write, object, failure) < 0 || check_address(write, metadata, failure) < 0)
        return -1;
    return check_preconditions(write, metadata, old, failure);
}

/* --- what belongs to the server --- */

static void generate_name(json_t *metadata)
{
    const char *prefix = json_string_value(json_object_get(metadata, "generateName"));
    char suffix[GENERATED_SUFFIX + 1];

    if (str_is_empty(prefix) || !str_is_empty(json_string_value(json_object_get(metadata, "name"))))
        return;
    random_suffix(suffix, GENERATED_SUFFIX);
    json_object_set_new(
        metadata, "name",
        json_printf("%.*s%s", GENERATED_NAME_MAX - GENERATED_SUFFIX, prefix, suffix));
}

static void stamp_new(const struct write *write, json_t *metadata, int64_t wall_ms)
{
    static const char *const absent[] = { "resourceVersion", "deletionTimestamp",
                                          "deletionGracePeriodSeconds", "selfLink", "generation" };
    char uid[UUID_TEXT_SIZE], time[32];

    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        json_object_del(metadata, absent[i]);
    random_uuid(uid);
    time_format(wall_ms, time, sizeof time);
    json_object_set_new(metadata, "uid", json_string(uid));
    json_object_set_new(metadata, "creationTimestamp", json_string(time));
    if (!(write->resource->kind->flags & KIND_NO_GENERATION))
        json_object_set_new(metadata, "generation", json_integer(1));
    generate_name(metadata);
}

/* Copies member 'key' of 'from', or removes it where 'from' has none. */
static void carry(json_t *to, const json_t *from, const char *key)
{
    json_t *value = json_object_get(from, key);

    if (value)
        json_object_set(to, key, value);
    else
        json_object_del(to, key);
}

static void carry_metadata(const struct write *write, json_t *metadata, const json_t *old)
{
    static const char *const kept[] = { "uid",        "creationTimestamp", "resourceVersion",
                                        "generation", "selfLink",          "generateName" };
    const json_t *from = json_object_get(old, "metadata");

    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        carry(metadata, from, kept[i]);
    /* The collector is who begins a deletion; nobody else can, or undo it. */
    if (!write->is_system) {
        carry(metadata, from, "deletionTimestamp");
        carry(metadata, from, "deletionGracePeriodSeconds");
    }
    if (!managed_are_valid(json_object_get(metadata, "managedFields")))
        carry(metadata, from, "managedFields");
}

/* Through /status only the status changes. */
static void keep_all_but_status(json_t *object, const json_t *old)
{
    auto_json json_t *status = json_incref(json_object_get(object, "status"));
    auto_json json_t *managed = json_incref(json_at(object, "metadata.managedFields"));
    auto_json json_t *copy = json_deep_copy(old);

    json_object_clear(object);
    json_object_update(object, copy);
    if (status)
        json_object_set(object, "status", status);
    else
        json_object_del(object, "status");
    if (managed)
        json_set_at(object, "metadata.managedFields", json_incref(managed));
}

void prepare_server_fields(const struct write *write, json_t *object, const json_t *old,
                           int64_t wall_ms)
{
    json_t *metadata = json_object_get(object, "metadata");
    bool has_status = write->resource->kind->flags & KIND_HAS_STATUS;

    if (!old) {
        stamp_new(write, metadata, wall_ms);
        if (has_status)
            json_object_del(object, "status");
        return;
    }
    carry_metadata(write, metadata, old);
    if (write->part == WRITE_STATUS)
        keep_all_but_status(object, old);
    else if (has_status && !write->is_system)
        carry(object, old, "status");
}

void prepare_generation(const struct write *write, json_t *object, const json_t *old)
{
    if (old && !(write->resource->kind->flags & KIND_NO_GENERATION))
        object_count_change(object, old);
}

/* --- rules of every kind --- */

static bool is_deeper_than(const json_t *value, unsigned levels)
{
    const char *key;
    json_t *child;
    size_t index;

    if (!json_is_object(value) && !json_is_array(value))
        return false;
    if (!levels)
        return true;
    if (json_is_object(value)) {
        json_object_foreach ((json_t *)value, key, child)
            if (is_deeper_than(child, levels - 1))
                return true;
    } else {
        json_array_foreach (value, index, child)
            if (is_deeper_than(child, levels - 1))
                return true;
    }
    return false;
}

static void check_finalizers(const json_t *object, const json_t *old, struct causes *causes)
{
    const json_t *finalizers = json_at(object, "metadata.finalizers");
    size_t index;
    json_t *finalizer;

    if (!object_is_deleting(old))
        return;
    json_array_foreach (finalizers, index, finalizer)
        if (json_is_string(finalizer) && !object_has_finalizer(old, json_string_value(finalizer)))
            causes_add(causes, "FieldValueForbidden", "metadata.finalizers",
                       "Forbidden: no new finalizers can be added if the object is being deleted");
}

void prepare_check(const json_t *object, const json_t *old, struct causes *causes)
{
    const char *key;
    json_t *value;

    check_finalizers(object, old, causes);
    /* managedFields mirror the object a few levels deeper, and all of it must be readable again. */
    json_object_foreach ((json_t *)object, key, value)
        if (is_deeper_than(value, JSON_DEPTH_MAX - 8))
            causes_add(causes, "FieldValueInvalid", key, "Invalid value: nested too deep");
}
