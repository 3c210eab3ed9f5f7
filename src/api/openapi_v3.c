/* api/openapi_v3.c - one OpenAPI 3.0 document per group and version. */
#include "api/connect.h"
#include "api/openapi.h"
#include <ctype.h>

/* An operation under construction: which action on which kind. */
struct operation {
    const char *action; /* "get", "list", "post", "put", "patch", "delete", "connect" */
    const struct kind *kind;
    const char *gvk_group, *gvk_version, *gvk_kind;
};

static json_t *path_parameter(const char *name)
{
    return json_pack("{s:s,s:s,s:b,s:{s:s}}", "name", name, "in", "path", "required", 1, "schema",
                     "type", "string");
}

static json_t *content_of(const char *schema, const char *const *media)
{
    json_t *content = json_object();

    for (; *media; media++)
        json_object_set_new(content, *media,
                            json_pack("{s:o}", "schema", openapi_ref(schema, true)));
    return content;
}

static const char *const json_media[] = { "application/json", NULL };
/* Not strategic merge: naming it makes kubectl send directives we could do without. */
static const char *const patch_media[] = { "application/json-patch+json",
                                           "application/merge-patch+json",
                                           "application/apply-patch+yaml", NULL };

static json_t *operation_new(const struct operation *operation, const char *answer)
{
    json_t *entry =
        json_pack("{s:[s],s:s,s:o}", "tags", operation->kind->plural, "x-kubernetes-action",
                  operation->action, "x-kubernetes-group-version-kind",
                  openapi_gvk(operation->gvk_group, operation->gvk_version, operation->gvk_kind));
    json_t *answers = answer ? json_pack("{s:{s:s,s:o}}", "200", "description", "OK", "content",
                                         content_of(answer, json_media))
                             : json_pack("{s:{s:s}}", "200", "description", "OK");

    json_object_set_new(entry, "responses", answers);
    return entry;
}

static void set_body(json_t *operation, const char *schema, const char *const *media)
{
    json_object_set_new(operation, "requestBody",
                        json_pack("{s:o}", "content", content_of(schema, media)));
}

static struct operation own(const struct kind *kind, const char *action)
{
    return (struct operation){ action, kind, kind->group, kind->version, kind->name };
}

static void add_read(json_t *path, struct operation operation, const char *schema)
{
    json_object_set_new(path, "get", operation_new(&operation, schema));
}

static void add_write(json_t *path, const char *method, struct operation operation,
                      const char *schema, const char *const *media)
{
    json_t *entry = operation_new(&operation, schema);

    json_object_set_new(entry, "parameters", openapi_write_parameters(true));
    set_body(entry, schema, media);
    json_object_set_new(path, method, entry);
}

static void add_delete(json_t *path, struct operation operation)
{
    json_t *entry = operation_new(&operation, OPENAPI_META "Status");

    set_body(entry, OPENAPI_META "DeleteOptions", json_media);
    json_object_set_new(path, "delete", entry);
}

static json_t *path_new(bool namespaced, bool named)
{
    json_t *parameters = json_array();

    if (named)
        json_array_append_new(parameters, path_parameter("name"));
    if (namespaced)
        json_array_append_new(parameters, path_parameter("namespace"));
    return json_pack("{s:o}", "parameters", parameters);
}

static json_t *collection_path(const struct resource *resource, bool namespaced)
{
    const struct kind *kind = resource->kind;
    auto_free char *schema = openapi_name(kind, "");
    auto_free char *list = openapi_name(kind, "List");
    json_t *path = path_new(namespaced, false);

    add_read(path, own(kind, "list"), list);
    if (resource_is_computed(resource) || resource_is_namespaced(resource) != namespaced)
        return path;
    add_write(path, "post", own(kind, "post"), schema, json_media);
    add_delete(path, own(kind, "deletecollection"));
    return path;
}

static json_t *item_path(const struct resource *resource)
{
    const struct kind *kind = resource->kind;
    auto_free char *schema = openapi_name(kind, "");
    json_t *path = path_new(resource_is_namespaced(resource), true);

    add_read(path, own(kind, "get"), schema);
    if (resource_is_computed(resource))
        return path;
    add_write(path, "put", own(kind, "put"), schema, json_media);
    add_write(path, "patch", own(kind, "patch"), schema, patch_media);
    add_delete(path, own(kind, "delete"));
    return path;
}

static json_t *status_path(const struct resource *resource)
{
    const struct kind *kind = resource->kind;
    auto_free char *schema = openapi_name(kind, "");
    json_t *path = path_new(resource_is_namespaced(resource), true);

    add_read(path, own(kind, "get"), schema);
    add_write(path, "put", own(kind, "put"), schema, json_media);
    add_write(path, "patch", own(kind, "patch"), schema, patch_media);
    return path;
}

static json_t *scale_path(const struct resource *resource)
{
    const struct kind *kind = resource->kind;
    struct operation get = { "get", kind, "autoscaling", "v1", "Scale" };
    struct operation put = { "put", kind, "autoscaling", "v1", "Scale" };
    struct operation patch = { "patch", kind, "autoscaling", "v1", "Scale" };
    json_t *path = path_new(resource_is_namespaced(resource), true);

    add_read(path, get, OPENAPI_SCALE);
    add_write(path, "put", put, OPENAPI_SCALE, json_media);
    add_write(path, "patch", patch, OPENAPI_SCALE, patch_media);
    return path;
}

static json_t *option_parameters(const struct connect *connect)
{
    json_t *list = json_array();

    for (const struct field *field = connect->options; field && field->name; field++)
        json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:b,s:{s:s}}", "name", field->name,
                                              "in", "query", "description", field->doc, "required",
                                              (field->flags & FIELD_REQUIRED) != 0, "schema",
                                              "type", "string"));
    return list;
}

static json_t *connect_path(const struct resource *resource, const struct connect *connect)
{
    json_t *path = path_new(resource_is_namespaced(resource), true);
    auto_json json_t *methods = connect_methods(connect);
    size_t index;
    json_t *method;

    json_array_foreach (methods, index, method) {
        struct operation operation = own(resource->kind, "connect");
        json_t *entry = operation_new(&operation, NULL);
        auto_free char *name = str_dup(json_string_value(method));

        for (char *c = name; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        json_object_set_new(entry, "description", json_string(connect->doc));
        json_object_set_new(entry, "parameters", option_parameters(connect));
        json_object_set_new(path, name, entry);
    }
    return path;
}

static void add_paths(json_t *paths, const struct resource *resource)
{
    const struct kind *kind = resource->kind;
    bool namespaced = resource_is_namespaced(resource);
    auto_free char *all = openapi_path(kind, false);
    auto_free char *collection = openapi_path(kind, namespaced);
    auto_free char *item = str_printf("%s/{name}", collection);

    json_object_set_new(paths, all, collection_path(resource, false));
    if (namespaced)
        json_object_set_new(paths, collection, collection_path(resource, true));
    json_object_set_new(paths, item, item_path(resource));
    if (kind->flags & KIND_HAS_STATUS) {
        auto_free char *status = str_printf("%s/status", item);
        json_object_set_new(paths, status, status_path(resource));
    }
    if (kind->scale.spec_replicas) {
        auto_free char *scale = str_printf("%s/scale", item);
        json_object_set_new(paths, scale, scale_path(resource));
    }
    for (const struct connect *connect = kind->connects; connect && connect->name; connect++) {
        auto_free char *path = str_printf("%s/%s", item, connect->name);
        json_object_set_new(paths, path, connect_path(resource, connect));
    }
}

static void add_schemas(json_t *schemas, const struct resource *resource)
{
    auto_free char *name = openapi_name(resource->kind, "");
    auto_free char *list = openapi_name(resource->kind, "List");

    json_object_set_new(schemas, name, kind_openapi_v3_schema(resource->kind));
    json_object_set_new(schemas, list, openapi_list_schema(resource, true));
}

json_t *openapi_v3(const struct resources *resources, const char *group, const char *version)
{
    json_t *paths = json_object(), *schemas = json_object();

    openapi_add_common(schemas, true);
    for (size_t i = 0; i < resources->count; i++) {
        const struct resource *resource = &resources->items[i];

        if (!str_equal(resource->kind->group, group) ||
            !str_equal(resource->kind->version, version))
            continue;
        add_paths(paths, resource);
        add_schemas(schemas, resource);
    }
    return json_pack("{s:s,s:{s:s,s:s},s:o,s:{s:o}}", "openapi", "3.0.0", "info", "title", "virga",
                     "version", version, "paths", paths, "components", "schemas", schemas);
}
