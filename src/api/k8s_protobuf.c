/* api/k8s_protobuf.c - request bodies in Kubernetes' protobuf. */
#include "api/k8s_protobuf.h"
#include "api/wire.h"
#include "base/quantity.h"
#include <gnutls/gnutls.h>
#include <string.h>

enum value_type {
    VALUE_TEXT,
    VALUE_BYTES, /* base64 in JSON */
    VALUE_INT,
    VALUE_BOOL,
    VALUE_TIME, /* Time{seconds=1 nanos=2} */
    VALUE_TIME_MICRO,
    VALUE_QUANTITY, /* Quantity{string=1} */
    VALUE_MESSAGE,
    VALUE_TEXT_MAP, /* entries {key=1 value=2} */
    VALUE_BYTES_MAP,
};

struct message;
struct member {
    unsigned number; /* 0 ends a table */
    const char *name;
    enum value_type type;
    bool repeated;
    const struct message *message;
};
struct message {
    const struct member *members;
};
#define MESSAGE(name, ...)                                                                         \
    static const struct message name = { (const struct member[]){ __VA_ARGS__, { 0 } } }

/* Numbers from the .proto files of k8s.io/apimachinery and k8s.io/api. */
MESSAGE(owner_reference, { 1, "kind", VALUE_TEXT }, { 3, "name", VALUE_TEXT },
        { 4, "uid", VALUE_TEXT }, { 5, "apiVersion", VALUE_TEXT }, { 6, "controller", VALUE_BOOL },
        { 7, "blockOwnerDeletion", VALUE_BOOL });
MESSAGE(object_meta, { 1, "name", VALUE_TEXT }, { 2, "generateName", VALUE_TEXT },
        { 3, "namespace", VALUE_TEXT }, { 5, "uid", VALUE_TEXT },
        { 6, "resourceVersion", VALUE_TEXT }, { 7, "generation", VALUE_INT },
        { 8, "creationTimestamp", VALUE_TIME }, { 9, "deletionTimestamp", VALUE_TIME },
        { 10, "deletionGracePeriodSeconds", VALUE_INT }, { 11, "labels", VALUE_TEXT_MAP },
        { 12, "annotations", VALUE_TEXT_MAP },
        { 13, "ownerReferences", VALUE_MESSAGE, true, &owner_reference },
        { 14, "finalizers", VALUE_TEXT, true });
MESSAGE(resource_attributes, { 1, "namespace", VALUE_TEXT }, { 2, "verb", VALUE_TEXT },
        { 3, "group", VALUE_TEXT }, { 4, "version", VALUE_TEXT }, { 5, "resource", VALUE_TEXT },
        { 6, "subresource", VALUE_TEXT }, { 7, "name", VALUE_TEXT });
MESSAGE(non_resource_attributes, { 1, "path", VALUE_TEXT }, { 2, "verb", VALUE_TEXT });
MESSAGE(self_access_spec, { 1, "resourceAttributes", VALUE_MESSAGE, false, &resource_attributes },
        { 2, "nonResourceAttributes", VALUE_MESSAGE, false, &non_resource_attributes });
MESSAGE(self_access_review, { 1, "metadata", VALUE_MESSAGE, false, &object_meta },
        { 2, "spec", VALUE_MESSAGE, false, &self_access_spec });
MESSAGE(access_spec, { 1, "resourceAttributes", VALUE_MESSAGE, false, &resource_attributes },
        { 2, "nonResourceAttributes", VALUE_MESSAGE, false, &non_resource_attributes },
        { 3, "user", VALUE_TEXT }, { 4, "groups", VALUE_TEXT, true }, { 6, "uid", VALUE_TEXT });
MESSAGE(access_review, { 1, "metadata", VALUE_MESSAGE, false, &object_meta },
        { 2, "spec", VALUE_MESSAGE, false, &access_spec });
MESSAGE(rules_spec, { 1, "namespace", VALUE_TEXT });
MESSAGE(rules_review, { 1, "metadata", VALUE_MESSAGE, false, &object_meta },
        { 2, "spec", VALUE_MESSAGE, false, &rules_spec });
MESSAGE(self_review, { 1, "metadata", VALUE_MESSAGE, false, &object_meta });
MESSAGE(namespace_spec, { 1, "finalizers", VALUE_TEXT, true });
MESSAGE(namespace_status, { 1, "phase", VALUE_TEXT });
MESSAGE(namespace_object, { 1, "metadata", VALUE_MESSAGE, false, &object_meta },
        { 2, "spec", VALUE_MESSAGE, false, &namespace_spec },
        { 3, "status", VALUE_MESSAGE, false, &namespace_status });
MESSAGE(secret_object, { 1, "metadata", VALUE_MESSAGE, false, &object_meta },
        { 2, "data", VALUE_BYTES_MAP }, { 3, "type", VALUE_TEXT },
        { 4, "stringData", VALUE_TEXT_MAP }, { 5, "immutable", VALUE_BOOL });
MESSAGE(config_map_object, { 1, "metadata", VALUE_MESSAGE, false, &object_meta },
        { 2, "data", VALUE_TEXT_MAP }, { 3, "binaryData", VALUE_BYTES_MAP },
        { 4, "immutable", VALUE_BOOL });
MESSAGE(object_reference, { 1, "kind", VALUE_TEXT }, { 2, "namespace", VALUE_TEXT },
        { 3, "name", VALUE_TEXT }, { 4, "uid", VALUE_TEXT }, { 5, "apiVersion", VALUE_TEXT },
        { 6, "resourceVersion", VALUE_TEXT }, { 7, "fieldPath", VALUE_TEXT });
MESSAGE(event_source, { 1, "component", VALUE_TEXT }, { 2, "host", VALUE_TEXT });
MESSAGE(event_series, { 1, "count", VALUE_INT }, { 2, "lastObservedTime", VALUE_TIME_MICRO });
MESSAGE(event_object, { 1, "metadata", VALUE_MESSAGE, false, &object_meta },
        { 2, "involvedObject", VALUE_MESSAGE, false, &object_reference },
        { 3, "reason", VALUE_TEXT }, { 4, "message", VALUE_TEXT },
        { 5, "source", VALUE_MESSAGE, false, &event_source }, { 6, "firstTimestamp", VALUE_TIME },
        { 7, "lastTimestamp", VALUE_TIME }, { 8, "count", VALUE_INT }, { 9, "type", VALUE_TEXT },
        { 10, "eventTime", VALUE_TIME_MICRO },
        { 11, "series", VALUE_MESSAGE, false, &event_series }, { 12, "action", VALUE_TEXT },
        { 13, "related", VALUE_MESSAGE, false, &object_reference },
        { 14, "reportingComponent", VALUE_TEXT }, { 15, "reportingInstance", VALUE_TEXT });
MESSAGE(preconditions, { 1, "uid", VALUE_TEXT }, { 2, "resourceVersion", VALUE_TEXT });
MESSAGE(delete_options, { 1, "gracePeriodSeconds", VALUE_INT },
        { 2, "preconditions", VALUE_MESSAGE, false, &preconditions },
        { 3, "orphanDependents", VALUE_BOOL }, { 4, "propagationPolicy", VALUE_TEXT },
        { 5, "dryRun", VALUE_TEXT, true });
MESSAGE(scale_spec, { 1, "replicas", VALUE_INT });
MESSAGE(scale_object, { 1, "metadata", VALUE_MESSAGE, false, &object_meta },
        { 2, "spec", VALUE_MESSAGE, false, &scale_spec });

MESSAGE(scale_target, { 1, "kind", VALUE_TEXT }, { 2, "name", VALUE_TEXT }, { 3, "apiVersion", VALUE_TEXT });
MESSAGE(hpa_v1_spec, { 1, "scaleTargetRef", VALUE_MESSAGE, false, &scale_target },
        { 2, "minReplicas", VALUE_INT }, { 3, "maxReplicas", VALUE_INT },
        { 4, "targetCPUUtilizationPercentage", VALUE_INT });
MESSAGE(hpa_v1, { 1, "metadata", VALUE_MESSAGE, false, &object_meta },
        { 2, "spec", VALUE_MESSAGE, false, &hpa_v1_spec });
MESSAGE(metric_target, { 1, "type", VALUE_TEXT }, { 2, "value", VALUE_QUANTITY },
        { 3, "averageValue", VALUE_QUANTITY }, { 4, "averageUtilization", VALUE_INT });
MESSAGE(metric_identifier, { 1, "name", VALUE_TEXT });
MESSAGE(resource_metric, { 1, "name", VALUE_TEXT }, { 2, "target", VALUE_MESSAGE, false, &metric_target });
MESSAGE(custom_metric, { 1, "metric", VALUE_MESSAGE, false, &metric_identifier },
        { 2, "target", VALUE_MESSAGE, false, &metric_target });
MESSAGE(metric_spec, { 1, "type", VALUE_TEXT }, { 3, "pods", VALUE_MESSAGE, false, &custom_metric },
        { 4, "resource", VALUE_MESSAGE, false, &resource_metric },
        { 5, "external", VALUE_MESSAGE, false, &custom_metric });
MESSAGE(scaling_policy, { 1, "type", VALUE_TEXT }, { 2, "value", VALUE_INT }, { 3, "periodSeconds", VALUE_INT });
MESSAGE(scaling_rules, { 1, "selectPolicy", VALUE_TEXT },
        { 2, "policies", VALUE_MESSAGE, true, &scaling_policy },
        { 3, "stabilizationWindowSeconds", VALUE_INT }, { 4, "tolerance", VALUE_QUANTITY });
MESSAGE(behavior, { 1, "scaleUp", VALUE_MESSAGE, false, &scaling_rules },
        { 2, "scaleDown", VALUE_MESSAGE, false, &scaling_rules });
MESSAGE(hpa_v2_spec, { 1, "scaleTargetRef", VALUE_MESSAGE, false, &scale_target },
        { 2, "minReplicas", VALUE_INT }, { 3, "maxReplicas", VALUE_INT },
        { 4, "metrics", VALUE_MESSAGE, true, &metric_spec },
        { 5, "behavior", VALUE_MESSAGE, false, &behavior });
MESSAGE(hpa_v2, { 1, "metadata", VALUE_MESSAGE, false, &object_meta },
        { 2, "spec", VALUE_MESSAGE, false, &hpa_v2_spec });

static const struct {
    const char *kind; /* most with any apiVersion: these names are unique among what we serve */
    const struct message *message;
    const char *api_version; /* NULL: any */
} known_kinds[] = {
    { "SelfSubjectAccessReview", &self_access_review },
    { "SubjectAccessReview", &access_review },
    { "LocalSubjectAccessReview", &access_review },
    { "SelfSubjectRulesReview", &rules_review },
    { "SelfSubjectReview", &self_review },
    { "Namespace", &namespace_object },
    { "Secret", &secret_object },
    { "ConfigMap", &config_map_object },
    { "Event", &event_object },
    { "DeleteOptions", &delete_options },
    { "Scale", &scale_object },
    { "HorizontalPodAutoscaler", &hpa_v1, "autoscaling/v1" },
    { "HorizontalPodAutoscaler", &hpa_v2, "autoscaling/v2" },
};

/* Of these 0 means something; elsewhere zero and empty are how protobuf writes absent. */
static bool zero_counts(const struct member *member)
{
    static const char *const names[] = { "gracePeriodSeconds", "replicas", "minReplicas", "maxReplicas",
                                         "averageUtilization", "targetCPUUtilizationPercentage",
                                         "stabilizationWindowSeconds" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(member->name, names[i]) == 0)
            return true;
    return false;
}

static int malformed(struct err *err)
{
    return err_set(err, ERR_BAD_REQUEST, "malformed protobuf");
}

static const struct member *find_member(const struct message *message, unsigned number)
{
    for (const struct member *member = message->members; member->number; member++)
        if (member->number == number)
            return member;
    return NULL;
}

static json_t *base64(struct wire_bytes bytes)
{
    gnutls_datum_t in = { (unsigned char *)bytes.at, (unsigned)bytes.size }, out;
    json_t *text;

    if (bytes.size == 0 || gnutls_base64_encode2(&in, &out) < 0)
        return json_string("");
    text = json_stringn((const char *)out.data, out.size);
    gnutls_free(out.data);
    return text;
}

static json_t *time_text(struct wire_bytes bytes, bool micro)
{
    struct wire_field field;
    int64_t seconds = 0, nanos = 0;
    char text[40];

    while (wire_next(&bytes, &field)) {
        if (field.number == 1)
            seconds = (int64_t)field.number_value;
        else if (field.number == 2)
            nanos = (int64_t)field.number_value;
    }
    /* Years 1970 to 9999; others are the zero time of Go, which is absent. */
    if (seconds <= 0 || seconds > 253402300799 || nanos < 0 || nanos > 999999999)
        return NULL;
    if (micro)
        time_format_micro(seconds * 1000 + nanos / 1000000, text, sizeof text);
    else
        time_format(seconds * 1000, text, sizeof text);
    return json_string(text);
}

/* The text of a Quantity; NULL when it has none, or none that JSON can hold. */
static json_t *quantity_text(struct wire_bytes bytes)
{
    struct wire_bytes text = { "", 0 };
    struct wire_field field;

    while (wire_next(&bytes, &field))
        if (field.number == 1 && field.type == WIRE_BYTES)
            text = field.bytes;
    return text.size && !memchr(text.at, 0, text.size) ? json_stringn(text.at, text.size) : NULL;
}

static int add_map_entry(json_t *map, struct wire_bytes entry, bool bytes, struct err *err)
{
    struct wire_bytes key = { "", 0 }, value = { "", 0 };
    struct wire_field field;

    while (wire_next(&entry, &field)) {
        if (field.number == 1)
            key = field.bytes;
        else if (field.number == 2)
            value = field.bytes;
    }
    auto_json json_t *text = bytes ? base64(value) : json_stringn(value.at, value.size);
    auto_json json_t *name = json_stringn(key.at, key.size);
    if (entry.size || !text || !name || memchr(key.at, 0, key.size))
        return malformed(err);
    json_object_set(map, json_string_value(name), text);
    return 0;
}

static int decode_message(const struct message *message, struct wire_bytes bytes, json_t *object,
                          struct err *err);

static int decode_submessage(const struct member *member, struct wire_bytes bytes,
                             json_t **ret_value, struct err *err)
{
    json_t *object = json_object();

    if (decode_message(member->message, bytes, object, err) < 0) {
        json_decref(object);
        return -1;
    }
    *ret_value = object;
    return 0;
}

/* '*ret_value' NULL: absent. */
static int decode_value(const struct member *member, const struct wire_field *field,
                        json_t **ret_value, struct err *err)
{
    bool is_number = member->type == VALUE_INT || member->type == VALUE_BOOL;

    *ret_value = NULL;
    if (is_number != (field->type == WIRE_VARINT) || (!is_number && field->type != WIRE_BYTES))
        return malformed(err);
    if (is_number && !field->number_value && !zero_counts(member))
        return 0;
    switch (member->type) {
    case VALUE_INT:
        *ret_value = json_integer((json_int_t)field->number_value);
        return 0;
    case VALUE_BOOL:
        *ret_value = json_true();
        return 0;
    case VALUE_TEXT:
        if (field->bytes.size && !(*ret_value = json_stringn(field->bytes.at, field->bytes.size)))
            return malformed(err);
        if (*ret_value && memchr(field->bytes.at, 0, field->bytes.size)) {
            json_decref(*ret_value);
            return malformed(err);
        }
        return 0;
    case VALUE_TIME:
    case VALUE_TIME_MICRO:
        *ret_value = time_text(field->bytes, member->type == VALUE_TIME_MICRO);
        return 0;
    case VALUE_QUANTITY:
        *ret_value = quantity_text(field->bytes);
        return 0;
    case VALUE_MESSAGE:
        return decode_submessage(member, field->bytes, ret_value, err);
    default:
        return malformed(err);
    }
}

/* The container of a repeated or map member, made at its first value. Borrowed. */
static json_t *container_of_member(json_t *object, const struct member *member, bool map)
{
    json_t *container = json_object_get(object, member->name);

    if (!container) {
        container = map ? json_object() : json_array();
        json_object_set_new(object, member->name, container);
    }
    return container;
}

static int decode_member(const struct member *member, const struct wire_field *field,
                         json_t *object, struct err *err)
{
    bool is_map = member->type == VALUE_TEXT_MAP || member->type == VALUE_BYTES_MAP;
    json_t *value;

    if (is_map && field->type != WIRE_BYTES)
        return malformed(err);
    if (is_map)
        return add_map_entry(container_of_member(object, member, true), field->bytes,
                             member->type == VALUE_BYTES_MAP, err);
    if (decode_value(member, field, &value, err) < 0)
        return -1;
    if (value && member->repeated)
        json_array_append_new(container_of_member(object, member, false), value);
    else if (value)
        json_object_set_new(object, member->name, value);
    return 0;
}

static int decode_message(const struct message *message, struct wire_bytes bytes, json_t *object,
                          struct err *err)
{
    struct wire_field field;

    while (wire_next(&bytes, &field)) {
        const struct member *member = find_member(message, field.number);

        if (member && decode_member(member, &field, object, err) < 0)
            return -1;
    }
    return bytes.size ? malformed(err) : 0;
}

/* --- runtime.Unknown{typeMeta=1{apiVersion=1 kind=2} raw=2} --- */

struct envelope {
    struct wire_bytes api_version, kind, raw;
};

static int read_type_meta(struct wire_bytes bytes, struct envelope *envelope, struct err *err)
{
    struct wire_field field;

    while (wire_next(&bytes, &field)) {
        if (field.number == 1 && field.type == WIRE_BYTES)
            envelope->api_version = field.bytes;
        else if (field.number == 2 && field.type == WIRE_BYTES)
            envelope->kind = field.bytes;
    }
    return bytes.size ? malformed(err) : 0;
}

static int read_envelope(struct wire_bytes bytes, struct envelope *envelope, struct err *err)
{
    struct wire_field field;

    while (wire_next(&bytes, &field)) {
        if (field.number == 1 && field.type == WIRE_BYTES &&
            read_type_meta(field.bytes, envelope, err) < 0)
            return -1;
        if (field.number == 2 && field.type == WIRE_BYTES)
            envelope->raw = field.bytes;
    }
    return bytes.size || !envelope->kind.size ? malformed(err) : 0;
}

static bool is_text(struct wire_bytes bytes, const char *text)
{
    return strlen(text) == bytes.size && memcmp(text, bytes.at, bytes.size) == 0;
}

static const struct message *find_kind(const struct envelope *envelope)
{
    for (size_t i = 0; i < sizeof known_kinds / sizeof known_kinds[0]; i++)
        if (is_text(envelope->kind, known_kinds[i].kind) &&
            (!known_kinds[i].api_version || is_text(envelope->api_version, known_kinds[i].api_version)))
            return known_kinds[i].message;
    return NULL;
}

json_t *k8s_protobuf_decode(const void *bytes, size_t size, struct err *err)
{
    struct envelope envelope = { { "", 0 }, { "", 0 }, { "", 0 } };
    const struct message *message;
    json_t *object;

    if (size < 4 || memcmp(bytes, "k8s", 4) != 0) {
        err_set(err, ERR_BAD_REQUEST, "the protobuf body does not begin with \"k8s\\0\"");
        return NULL;
    }
    if (read_envelope((struct wire_bytes){ (const char *)bytes + 4, size - 4 }, &envelope, err) < 0)
        return NULL;
    message = find_kind(&envelope);
    if (!message) {
        err_set(err, ERR_UNSUPPORTED_MEDIA, "kind %.*s is not understood as protobuf, send JSON",
                (int)(envelope.kind.size > 64 ? 64 : envelope.kind.size), envelope.kind.at);
        return NULL;
    }
    object = json_object();
    json_object_set_new(object, "apiVersion",
                        json_string_repaired(envelope.api_version.at, envelope.api_version.size));
    json_object_set_new(object, "kind", json_string_repaired(envelope.kind.at, envelope.kind.size));
    if (decode_message(message, envelope.raw, object, err) == 0)
        return object;
    json_decref(object);
    return NULL;
}
