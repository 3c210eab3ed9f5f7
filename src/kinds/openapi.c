/* kinds/openapi.c - OpenAPI schemas out of the field tables.
 *
 * Version 2 is read by old kubectl through gnostic's strict parser, so it carries
 * only type, description, properties, items, required and extensions. */
#include "kinds/check_value.h"
#include "kinds/kind.h"
#include "base/str.h"

#define META_NAME "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

static json_t *field_schema(const struct field *field, bool v3);

static void set_text(json_t *schema, const char *key, const char *text)
{
    if (!str_is_empty(text))
        json_object_set_new(schema, key, json_string(text));
}

static void add_list(json_t *schema, const struct field *field, bool v3)
{
    const char *list_type = field->key ? "map" : field->flags & FIELD_LIST_SET ? "set" : "atomic";

    json_object_set_new(schema, "items", field_schema(field->item, v3));
    set_text(schema, "x-kubernetes-list-type", list_type);
    if (field->key)
        json_object_set_new(schema, "x-kubernetes-list-map-keys", json_pack("[s]", field->key));
}

static void add_values(json_t *schema, const struct field *field)
{
    json_t *values = json_array();

    for (const char *const *text = field->values; *text; text++)
        json_array_append_new(values, json_string(*text));
    json_object_set_new(schema, "enum", values);
}

static void add_bounds(json_t *schema, const struct field *field)
{
    bool is_number = field->type == FIELD_INT || field->type == FIELD_NUMBER;

    if (is_number && field->min != field->max) {
        json_object_set_new(schema, "minimum", json_integer(field->min));
        json_object_set_new(schema, "maximum", json_integer(field->max));
    }
    if (field->fallback)
        json_object_set_new(schema, "default", json_loads(field->fallback, JSON_DECODE_ANY, NULL));
}

static void add_int_or_string(json_t *schema)
{
    json_object_del(schema, "type");
    json_object_set_new(schema, "anyOf", json_pack("[{s:s},{s:s}]", "type", "integer", "type",
                                                   "string"));
    json_object_set_new(schema, "x-kubernetes-int-or-string", json_true());
}

static void add_format(json_t *schema, const struct field *field)
{
    if (field->type == FIELD_INT || field->type == FIELD_PORT)
        set_text(schema, "format", "int64");
    else if (field->type == FIELD_NUMBER)
        set_text(schema, "format", "double");
    else if (field->type == FIELD_TIME)
        set_text(schema, "format", "date-time");
    else if (field->type == FIELD_BASE64)
        set_text(schema, "format", "byte");
}

static void add_fields(json_t *schema, const struct field *fields, bool v3)
{
    json_t *properties = json_object(), *required = json_array();

    for (const struct field *field = fields; field && field->name; field++) {
        json_object_set_new(properties, field->name, field_schema(field, v3));
        if (field->flags & FIELD_REQUIRED)
            json_array_append_new(required, json_string(field->name));
    }
    json_object_set_new(schema, "properties", properties);
    if (json_array_size(required))
        json_object_set(schema, "required", required);
    json_decref(required);
}

static json_t *field_schema(const struct field *field, bool v3)
{
    json_t *schema = json_object();

    set_text(schema, "description", field->doc);
    if (field->type == FIELD_ANY) {
        set_text(schema, "type", "object");
        json_object_set_new(schema, "x-kubernetes-preserve-unknown-fields", json_true());
        return schema;
    }
    set_text(schema, "type", field_type_name(field->type));
    add_format(schema, field);
    if (field->type == FIELD_OBJECT)
        add_fields(schema, field->fields, v3);
    else if (field->type == FIELD_LIST)
        add_list(schema, field, v3);
    else if (field->type == FIELD_MAP)
        json_object_set_new(schema, "additionalProperties", field_schema(field->item, v3));
    else if ((field->type == FIELD_QUANTITY || field->type == FIELD_SHARE) && v3)
        add_int_or_string(schema);
    if (v3 && field->type == FIELD_ENUM)
        add_values(schema, field);
    if (v3)
        add_bounds(schema, field);
    return schema;
}

json_t *fields_openapi(const struct field *fields, bool v3)
{
    json_t *schema = json_object();

    set_text(schema, "type", "object");
    add_fields(schema, fields, v3);
    return schema;
}

static json_t *meta_ref(bool v3)
{
    const char *base = v3 ? "#/components/schemas/" : "#/definitions/";
    json_t *ref = json_object();

    json_object_set_new(ref, "$ref", json_printf("%s%s", base, META_NAME));
    if (!v3) {
        set_text(ref, "description", "Standard object metadata.");
        return ref;
    }
    return json_pack("{s:[o],s:s}", "allOf", ref, "description", "Standard object metadata.");
}

static json_t *text_schema(const char *doc)
{
    return json_pack("{s:s,s:s}", "description", doc, "type", "string");
}

static json_t *kind_schema(const struct kind *kind, bool v3)
{
    json_t *schema = fields_openapi(kind->fields, v3);
    json_t *properties = json_object_get(schema, "properties");

    set_text(schema, "description", kind->doc);
    json_object_set_new(properties, "apiVersion", text_schema("Group and version of the kind."));
    json_object_set_new(properties, "kind", text_schema("The kind."));
    json_object_set_new(properties, "metadata", meta_ref(v3));
    json_object_set_new(schema, "x-kubernetes-group-version-kind",
                        json_pack("[{s:s,s:s,s:s}]", "group", kind->group, "version",
                                  kind->version, "kind", kind->name));
    return schema;
}

json_t *kind_openapi_v3_schema(const struct kind *kind) { return kind_schema(kind, true); }

json_t *kind_openapi_v2_definition(const struct kind *kind) { return kind_schema(kind, false); }
