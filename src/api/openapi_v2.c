/* api/openapi_v2.c - Swagger 2.0, as JSON (Terraform) and in gnostic's protobuf (kubectl to 1.28).
 *
 * kubectl's parser is strict, and one definition it dislikes spoils all: a $ref carries nothing but
 * a description, a type is one of six words, an array has exactly one item schema. */
#include "api/openapi.h"
#include "api/wire.h"
#include <string.h>

/* --- the document --- */

static json_t *patch_operation(const struct kind *kind)
{
    auto_free char *name = openapi_name(kind, "");
    json_t *parameters = openapi_write_parameters(false);

    json_array_insert_new(parameters, 0,
                          json_pack("{s:s,s:s,s:b,s:o}", "name", "body", "in", "body", "required",
                                    1, "schema", json_pack("{s:s}", "type", "object")));
    return json_pack(
        "{s:[s,s,s],s:[s],s:o,s:{s:{s:s,s:o}},s:s,s:o}", "consumes", "application/json-patch+json",
        "application/merge-patch+json", "application/apply-patch+yaml", "produces",
        "application/json", "parameters", parameters, "responses", "200", "description", "OK",
        "schema", openapi_ref(name, false), "x-kubernetes-action", "patch",
        "x-kubernetes-group-version-kind", openapi_gvk(kind->group, kind->version, kind->name));
}

static json_t *item_path(const struct resource *resource)
{
    json_t *parameters = json_array();

    json_array_append_new(parameters, json_pack("{s:s,s:s,s:b,s:s}", "name", "name", "in", "path",
                                                "required", 1, "type", "string"));
    if (resource_is_namespaced(resource))
        json_array_append_new(parameters, json_pack("{s:s,s:s,s:b,s:s}", "name", "namespace", "in",
                                                    "path", "required", 1, "type", "string"));
    return json_pack("{s:o,s:o}", "patch", patch_operation(resource->kind), "parameters",
                     parameters);
}

json_t *openapi_v2(const struct resources *resources)
{
    json_t *paths = json_object(), *definitions = json_object();

    openapi_add_common(definitions, false);
    for (size_t i = 0; i < resources->count; i++) {
        const struct resource *resource = &resources->items[i];
        auto_free char *name = openapi_name(resource->kind, "");
        auto_free char *list = openapi_name(resource->kind, "List");
        auto_free char *collection = openapi_path(resource->kind, resource_is_namespaced(resource));
        auto_free char *item = str_printf("%s/{name}", collection);

        json_object_set_new(definitions, name, kind_openapi_v2_definition(resource->kind));
        json_object_set_new(definitions, list, openapi_list_schema(resource, false));
        if (!resource_is_computed(resource))
            json_object_set_new(paths, item, item_path(resource));
    }
    return json_pack("{s:s,s:{s:s,s:s},s:o,s:o}", "swagger", "2.0", "info", "title", "virga",
                     "version", VIRGA_VERSION, "paths", paths, "definitions", definitions);
}

/* --- gnostic's protobuf: openapi.v2, field numbers from OpenAPIv2.proto --- */

static void add_schema(struct buf *to, unsigned number, const json_t *schema);

static void add_member_text(struct buf *to, unsigned number, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    if (text)
        wire_add_text(to, number, text);
}

static void add_member_flag(struct buf *to, unsigned number, const json_t *object, const char *key)
{
    if (json_is_true(json_object_get(object, key)))
        wire_add_varint(to, number, 1);
}

static void add_member_texts(struct buf *to, unsigned number, const json_t *object, const char *key)
{
    json_t *item;
    size_t index;

    json_array_foreach (json_object_get(object, key), index, item)
        wire_add_text(to, number, json_string_value(item));
}

/* Any{yaml=2}: JSON is YAML. */
static void add_any(struct buf *to, unsigned number, const json_t *value)
{
    auto_buf struct buf any = { 0 };
    auto_free char *text = json_text(value);
    auto_free char *line = str_printf("%s\n", text);

    wire_add_text(&any, 2, line);
    wire_add_message(to, number, &any);
}

/* NamedAny{name=1 value=2} of every "x-..." member. */
static void add_extensions(struct buf *to, unsigned number, const json_t *object)
{
    auto_buf struct buf named = { 0 };
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)object, key, value) {
        if (!str_starts(key, "x-"))
            continue;
        wire_add_text(&named, 1, key);
        add_any(&named, 2, value);
        wire_add_message(to, number, &named);
    }
}

/* NamedX{name=1 value=2} of every member, 'add' writing the value as field 2. */
static void add_named(struct buf *to, unsigned number, const json_t *object,
                      void (*add)(struct buf *to, unsigned number, const json_t *value))
{
    auto_buf struct buf named = { 0 };
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)object, key, value) {
        wire_add_text(&named, 1, key);
        add(&named, 2, value);
        wire_add_message(to, number, &named);
    }
}

static void add_type(struct buf *to, unsigned number, const json_t *schema)
{
    auto_buf struct buf type = { 0 };

    if (!json_object_get(schema, "type"))
        return;
    add_member_text(&type, 1, schema, "type");
    wire_add_message(to, number, &type);
}

/* Wraps a schema as field 1 of the message that is field 'number'. */
static void add_wrapped(struct buf *to, unsigned number, const json_t *schema)
{
    auto_buf struct buf wrapper = { 0 };

    if (!schema)
        return;
    add_schema(&wrapper, 1, schema);
    wire_add_message(to, number, &wrapper);
}

static void add_schema(struct buf *to, unsigned number, const json_t *schema)
{
    auto_buf struct buf message = { 0 };
    auto_buf struct buf properties = { 0 };

    add_member_text(&message, 1, schema, "$ref");
    add_member_text(&message, 2, schema, "format");
    add_member_text(&message, 4, schema, "description");
    add_member_texts(&message, 19, schema, "required");
    add_wrapped(&message, 21, json_object_get(schema, "additionalProperties"));
    add_type(&message, 22, schema);
    add_wrapped(&message, 23, json_object_get(schema, "items"));
    if (json_object_size(json_object_get(schema, "properties"))) {
        add_named(&properties, 1, json_object_get(schema, "properties"), add_schema);
        wire_add_message(&message, 25, &properties);
    }
    add_extensions(&message, 31, schema);
    wire_add_message(to, number, &message);
}

/* Parameter > BodyParameter{description=1 name=2 in=3 required=4 schema=5} */
static void add_body_parameter(struct buf *to, const json_t *parameter)
{
    auto_buf struct buf body = { 0 };

    add_member_text(&body, 1, parameter, "description");
    add_member_text(&body, 2, parameter, "name");
    add_member_text(&body, 3, parameter, "in");
    add_member_flag(&body, 4, parameter, "required");
    add_schema(&body, 5, json_object_get(parameter, "schema"));
    wire_add_message(to, 1, &body);
}

/* Parameter > NonBodyParameter > query=3 or path=4, both {required=1 in=2 description=3 name=4},
 * then type=6 of a query and type=5 of a path. */
static void add_other_parameter(struct buf *to, const json_t *parameter)
{
    bool is_path = str_equal(json_text_at(parameter, "in", ""), "path");
    auto_buf struct buf schema = { 0 };
    auto_buf struct buf other = { 0 };

    add_member_flag(&schema, 1, parameter, "required");
    add_member_text(&schema, 2, parameter, "in");
    add_member_text(&schema, 3, parameter, "description");
    add_member_text(&schema, 4, parameter, "name");
    add_member_text(&schema, is_path ? 5 : 6, parameter, "type");
    wire_add_message(&other, is_path ? 4 : 3, &schema);
    wire_add_message(to, 2, &other);
}

/* ParametersItem{parameter=1} */
static void add_parameters(struct buf *to, unsigned number, const json_t *parameters)
{
    json_t *parameter;
    size_t index;

    json_array_foreach (parameters, index, parameter) {
        auto_buf struct buf item = { 0 };
        auto_buf struct buf inner = { 0 };

        if (str_equal(json_text_at(parameter, "in", ""), "body"))
            add_body_parameter(&inner, parameter);
        else
            add_other_parameter(&inner, parameter);
        wire_add_message(&item, 1, &inner);
        wire_add_message(to, number, &item);
    }
}

/* ResponseValue{response=1: Response{description=1 schema=2: SchemaItem{schema=1}}} */
static void add_response(struct buf *to, unsigned number, const json_t *response)
{
    auto_buf struct buf inner = { 0 };
    auto_buf struct buf value = { 0 };

    add_member_text(&inner, 1, response, "description");
    add_wrapped(&inner, 2, json_object_get(response, "schema"));
    wire_add_message(&value, 1, &inner);
    wire_add_message(to, number, &value);
}

static void add_operation(struct buf *to, unsigned number, const json_t *operation)
{
    auto_buf struct buf message = { 0 };
    auto_buf struct buf responses = { 0 };

    if (!operation)
        return;
    add_member_texts(&message, 6, operation, "produces");
    add_member_texts(&message, 7, operation, "consumes");
    add_parameters(&message, 8, json_object_get(operation, "parameters"));
    add_named(&responses, 1, json_object_get(operation, "responses"), add_response);
    wire_add_message(&message, 9, &responses);
    add_extensions(&message, 13, operation);
    wire_add_message(to, number, &message);
}

static void add_path_item(struct buf *to, unsigned number, const json_t *path)
{
    auto_buf struct buf message = { 0 };

    add_operation(&message, 8, json_object_get(path, "patch"));
    add_parameters(&message, 9, json_object_get(path, "parameters"));
    wire_add_message(to, number, &message);
}

void openapi_v2_protobuf(const json_t *document, struct buf *to)
{
    auto_buf struct buf part = { 0 };
    const json_t *info = json_object_get(document, "info");

    add_member_text(to, 1, document, "swagger");
    add_member_text(&part, 1, info, "title");
    add_member_text(&part, 2, info, "version");
    wire_add_message(to, 2, &part);
    add_named(&part, 2, json_object_get(document, "paths"), add_path_item);
    wire_add_message(to, 8, &part);
    add_named(&part, 1, json_object_get(document, "definitions"), add_schema);
    wire_add_message(to, 9, &part);
}
