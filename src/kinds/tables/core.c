/* kinds/tables/core.c - the kinds of core/v1 that clients expect: Namespace, Secret, ConfigMap, Event. */
#include "kinds/names.h"
#include "kinds/tables/shapes.h"
#include "base/str.h"
#include <string.h>

static const struct field namespace_spec_fields[] = {
    { .name = "finalizers",
      .type = FIELD_LIST,
      .item = ITEM_OF(FIELD_TEXT),
      .doc = "What has to be emptied before it goes." },
    { 0 },
};
static const struct field namespace_status_fields[] = {
    PHASE("Terminating while it is emptied.", "Active", "Terminating"),
    { .name = "conditions",
      .type = FIELD_LIST,
      .key = "type",
      .item = &condition_item,
      .doc = "What keeps it from going." },
    { 0 },
};
static const struct field namespace_fields[] = {
    { .name = "spec", OBJECT(namespace_spec_fields), .doc = "Behaviour." },
    STATUS(namespace_status_fields, "State."),
    { 0 },
};
static const struct column namespace_columns[] = {
    COLUMN_NAME,
    { "Status", "string", "status.phase", 0, "Active or Terminating" },
    COLUMN_AGE,
    { 0 },
};
const struct kind kind_namespace = {
    CORE_KIND("Namespace", "namespaces", "namespace"),
    .short_names = TEXTS("ns"),
    .flags = KIND_HAS_STATUS | KIND_NO_GENERATION | KIND_LABEL_NAME,
    .doc = "A scope for names: objects of different namespaces may share a name.",
    .fields = namespace_fields,
    .columns = namespace_columns,
    .selectable = TEXTS("status.phase"),
};

/* Keys of data become file names and variables: [-._A-Za-z0-9]+, as in Kubernetes. */
static bool is_data_key(const char *key)
{
    size_t length = strspn(key, "-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    return key[0] && !key[length] && length <= 253 && !str_equal(key, ".") && !str_starts(key, "..");
}

static void check_data_keys(const json_t *object, const char *field, struct causes *causes)
{
    const char *key;
    json_t *value;

    json_object_foreach (json_object_get(object, field), key, value) {
        auto_free char *path = str_printf("%s[%.253s]", field, key);

        if (!is_data_key(key))
            causes_add(causes, "FieldValueInvalid", path,
                       "Invalid key: must be at most 253 of A-Za-z0-9._- and not begin with \"..\"");
    }
}

static bool has_same(const json_t *object, const json_t *old, const char *field)
{
    json_t *now = json_object_get(object, field), *before = json_object_get(old, field);

    return now == before || json_equal(now, before);
}

/* What Secret and ConfigMap have in common: keys, and that nothing changes once 'immutable'. */
static void check_data_fields(const json_t *object, const json_t *old, const char *second,
                              struct causes *causes)
{
    bool was_immutable = json_bool_at(old, "immutable", false);
    const char *const fields[] = { "data", second };

    for (int i = 0; i < 2; i++) {
        check_data_keys(object, fields[i], causes);
        if (was_immutable && !has_same(object, old, fields[i]))
            causes_add(causes, "FieldValueForbidden", fields[i],
                       "Forbidden: field is immutable when \"immutable\" is set");
    }
    if (was_immutable && !json_bool_at(object, "immutable", false))
        causes_add(causes, "FieldValueForbidden", "immutable",
                   "Forbidden: field is immutable when \"immutable\" is set");
}

static void check_secret(const json_t *object, const json_t *old, struct causes *causes)
{
    check_data_fields(object, old, "stringData", causes);
}

static void check_config_map(const json_t *object, const json_t *old, struct causes *causes)
{
    check_data_fields(object, old, "binaryData", causes);
}

static const struct field secret_fields[] = {
    { .name = "type",
      .type = FIELD_TEXT,
      .flags = FIELD_IMMUTABLE,
      .fallback = "\"Opaque\"",
      .doc = "What the data is for." },
    { .name = "data",
      .type = FIELD_MAP,
      .flags = FIELD_SECRET,
      .item = ITEM_OF(FIELD_BASE64),
      .doc = "Values in base64." },
    { .name = "stringData",
      .type = FIELD_MAP,
      .flags = FIELD_SECRET,
      .item = TEXT_ITEM(1024 * 1024),
      .doc = "Values as plain text; write-only, they end up in data." },
    { .name = "immutable", .type = FIELD_BOOL, .doc = "The data can't be changed any more." },
    { 0 },
};
static const struct column secret_columns[] = {
    COLUMN_NAME,
    { "Type", "string", "type", 0, "What the data is for" },
    COLUMN_AGE,
    { 0 },
};
/* stringData is for writing only: its texts become base64 in data. What is no text stays, and
 * validation refuses it. */
static void settle_secret(json_t *object)
{
    json_t *texts = json_object_get(object, "stringData"), *value;
    const char *key;
    void *next;

    if (!json_is_object(texts))
        return;
    if (!json_is_object(json_object_get(object, "data")))
        json_object_set_new(object, "data", json_object());
    json_object_foreach_safe(texts, next, key, value) {
        if (!json_is_string(value))
            continue;
        auto_free char *base64 = text_to_base64(json_string_value(value), json_string_length(value));
        json_object_set_new(json_object_get(object, "data"), key, json_string(base64));
        json_object_del(texts, key);
    }
    if (json_object_size(texts) == 0)
        json_object_del(object, "stringData");
}

const struct kind kind_secret = {
    CORE_KIND("Secret", "secrets", "secret"),
    .flags = KIND_NAMESPACED | KIND_NO_GENERATION,
    .doc = "Confidential data: user data, keys, passwords.",
    .fields = secret_fields,
    .columns = secret_columns,
    .selectable = TEXTS("type"),
    .settle = settle_secret,
    .check = check_secret,
};

static const struct field config_map_fields[] = {
    { .name = "data", .type = FIELD_MAP, .item = TEXT_ITEM(1024 * 1024), .doc = "Texts by key." },
    { .name = "binaryData",
      .type = FIELD_MAP,
      .item = ITEM_OF(FIELD_BASE64),
      .doc = "Values in base64." },
    { .name = "immutable", .type = FIELD_BOOL, .doc = "The data can't be changed any more." },
    { 0 },
};
static const struct column config_map_columns[] = {
    COLUMN_NAME,
    COLUMN_AGE,
    { 0 },
};
const struct kind kind_config_map = {
    CORE_KIND("ConfigMap", "configmaps", "configmap"),
    .short_names = TEXTS("cm"),
    .flags = KIND_NAMESPACED | KIND_NO_GENERATION,
    .doc = "Settings as key and text.",
    .fields = config_map_fields,
    .columns = config_map_columns,
    .check = check_config_map,
};

static const struct field reference_fields[] = {
    { .name = "apiVersion", .type = FIELD_TEXT, .doc = "API version of the object." },
    { .name = "kind", .type = FIELD_TEXT, .doc = "Kind of the object." },
    { .name = "namespace", .type = FIELD_TEXT, .doc = "Its namespace." },
    { .name = "name", .type = FIELD_TEXT, .doc = "Its name." },
    { .name = "uid", .type = FIELD_TEXT, .doc = "Its UID." },
    { .name = "resourceVersion", .type = FIELD_TEXT, .doc = "The version it had." },
    { .name = "fieldPath", .type = FIELD_TEXT, .doc = "The part of it." },
    { 0 },
};
static const struct field source_fields[] = {
    { .name = "component", .type = FIELD_TEXT, .doc = "What reports." },
    { .name = "host", .type = FIELD_TEXT, .doc = "Where it runs." },
    { 0 },
};
static const struct field series_fields[] = {
    { .name = "count", .type = FIELD_INT, .doc = "How often." },
    { .name = "lastObservedTime", .type = FIELD_TIME, .doc = "The last time." },
    { 0 },
};
static const struct field event_fields[] = {
    { .name = "involvedObject",
      OBJECT(reference_fields),
      .flags = FIELD_REQUIRED,
      .doc = "What it is about." },
    { .name = "related", OBJECT(reference_fields), .doc = "A second object." },
    { .name = "reason", .type = FIELD_TEXT, .max = 128, .doc = "One CamelCase word for programs." },
    { .name = "message", .type = FIELD_TEXT, .max = 2048, .doc = "A sentence for people." },
    { .name = "type", .type = FIELD_TEXT, .doc = "Normal or Warning." },
    { .name = "action", .type = FIELD_TEXT, .max = 128, .doc = "What was done." },
    { .name = "count", .type = FIELD_INT, .doc = "How often it happened." },
    { .name = "firstTimestamp", .type = FIELD_TIME, .doc = "The first time." },
    { .name = "lastTimestamp", .type = FIELD_TIME, .doc = "The last time." },
    { .name = "eventTime", .type = FIELD_TIME, .doc = "The first time, to the microsecond." },
    { .name = "series", OBJECT(series_fields), .doc = "A series." },
    { .name = "source", OBJECT(source_fields), .doc = "Who reports." },
    { .name = "reportingComponent", .type = FIELD_TEXT, .doc = "What reports." },
    { .name = "reportingInstance", .type = FIELD_TEXT, .doc = "Which one of it." },
    { 0 },
};
static const struct column event_columns[] = {
    { "Last Seen", "date", "lastTimestamp", 0, "Time since it last happened" },
    { "Type", "string", "type", 0, "Normal or Warning" },
    { "Reason", "string", "reason", 0, "One word" },
    { "Object", "string", "involvedObject", 0, "What it is about" },
    { "Message", "string", "message", 0, "A sentence" },
    { "Count", "integer", "count", 1, "How often it happened" },
    { "Name", "string", "metadata.name", 1, "Name of the event" },
    { 0 },
};
const struct kind kind_event = {
    CORE_KIND("Event", "events", "event"),
    .short_names = TEXTS("ev"),
    .flags = KIND_NAMESPACED | KIND_NO_GENERATION,
    .doc = "Something that happened to an object.",
    .fields = event_fields,
    .columns = event_columns,
    .selectable = TEXTS("involvedObject.name", "involvedObject.namespace", "involvedObject.kind",
                        "involvedObject.uid", "involvedObject.apiVersion", "reason", "type",
                        "source", "reportingComponent"),
};
