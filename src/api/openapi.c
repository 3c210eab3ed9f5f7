/* api/openapi.c - what the OpenAPI documents of both versions share. */
#include "api/openapi.h"
#include <string.h>

/* "virga.dev" backwards, with a dot at the end: "dev.virga." */
static void add_reversed(struct buf *to, const char *group)
{
    size_t end = strlen(group);

    for (size_t i = end + 1; i-- > 0;) {
        if (i > 0 && group[i - 1] != '.')
            continue;
        buf_add(to, group + i, end - i);
        buf_add_char(to, '.');
        end = i ? i - 1 : 0;
    }
}

char *openapi_name(const struct kind *kind, const char *suffix)
{
    struct buf name = { 0 };

    if (str_is_empty(kind->group))
        buf_add_text(&name, "io.k8s.api.core.");
    else
        add_reversed(&name, kind->group);
    buf_printf(&name, "%s.%s%s", kind->version, kind->name, suffix);
    return buf_take(&name);
}

json_t *openapi_gvk(const char *group, const char *version, const char *kind)
{
    return json_pack("{s:s,s:s,s:s}", "group", group, "version", version, "kind", kind);
}

json_t *openapi_ref(const char *name, bool v3)
{
    return json_pack("{s:o}", "$ref",
                     json_printf("%s%s", v3 ? "#/components/schemas/" : "#/definitions/", name));
}

char *openapi_path(const struct kind *kind, bool namespaced)
{
    struct buf path = { 0 };

    if (str_is_empty(kind->group))
        buf_printf(&path, "/api/%s/", kind->version);
    else
        buf_printf(&path, "/apis/%s/%s/", kind->group, kind->version);
    buf_printf(&path, "%s%s", namespaced ? "namespaces/{namespace}/" : "", kind->plural);
    return buf_take(&path);
}

static json_t *parameter(bool v3, const char *name, const char *type, const char *doc)
{
    json_t *entry = json_pack("{s:s,s:s,s:s}", "name", name, "in", "query", "description", doc);

    if (v3)
        json_object_set_new(entry, "schema", json_pack("{s:s}", "type", type));
    else
        json_object_set_new(entry, "type", json_string(type));
    return entry;
}

json_t *openapi_write_parameters(bool v3)
{
    json_t *list = json_array();

    json_array_append_new(
        list, parameter(v3, "dryRun", "string", "All: do everything but store the result."));
    json_array_append_new(list, parameter(v3, "fieldManager", "string",
                                          "The name under which written fields are tracked."));
    json_array_append_new(list, parameter(v3, "fieldValidation", "string",
                                          "Ignore, Warn or Strict: about unknown fields."));
    json_array_append_new(list,
                          parameter(v3, "force", "boolean",
                                    "Take conflicting fields from other managers; apply only."));
    return list;
}

/* --- common schemas: small field tables, so that the kinds' own code writes them --- */

#define TEXT_ITEM (&(const struct field){ .type = FIELD_TEXT })

static const struct field list_meta_fields[] = {
    { .name = "resourceVersion", .type = FIELD_TEXT, .doc = "Version of the list." },
    { .name = "continue", .type = FIELD_TEXT, .doc = "Token of the next page." },
    { .name = "remainingItemCount", .type = FIELD_INT, .doc = "Items on later pages." },
    { .name = "selfLink", .type = FIELD_TEXT, .doc = "Not used." },
    { 0 },
};
static const struct field cause_fields[] = {
    { .name = "reason", .type = FIELD_TEXT, .doc = "One word for programs." },
    { .name = "message", .type = FIELD_TEXT, .doc = "A sentence for people." },
    { .name = "field", .type = FIELD_TEXT, .doc = "Path of the field." },
    { 0 },
};
static const struct field details_fields[] = {
    { .name = "name", .type = FIELD_TEXT, .doc = "Name of the object." },
    { .name = "group", .type = FIELD_TEXT, .doc = "Its group." },
    { .name = "kind", .type = FIELD_TEXT, .doc = "Its kind or resource." },
    { .name = "uid", .type = FIELD_TEXT, .doc = "Its UID." },
    { .name = "causes",
      .type = FIELD_LIST,
      .item = &(const struct field){ .type = FIELD_OBJECT, .fields = cause_fields },
      .doc = "What is wrong, field by field." },
    { .name = "retryAfterSeconds", .type = FIELD_INT, .doc = "When to try again." },
    { 0 },
};
static const struct field status_fields[] = {
    { .name = "apiVersion", .type = FIELD_TEXT, .doc = "v1." },
    { .name = "kind", .type = FIELD_TEXT, .doc = "Status." },
    { .name = "metadata", .type = FIELD_OBJECT, .fields = list_meta_fields, .doc = "Empty." },
    { .name = "status", .type = FIELD_TEXT, .doc = "Success or Failure." },
    { .name = "message", .type = FIELD_TEXT, .doc = "A sentence for people." },
    { .name = "reason", .type = FIELD_TEXT, .doc = "One word for programs." },
    { .name = "details", .type = FIELD_OBJECT, .fields = details_fields, .doc = "About what." },
    { .name = "code", .type = FIELD_INT, .doc = "HTTP status." },
    { 0 },
};
static const struct field preconditions_fields[] = {
    { .name = "uid", .type = FIELD_TEXT, .doc = "UID the object must have." },
    { .name = "resourceVersion", .type = FIELD_TEXT, .doc = "Version the object must have." },
    { 0 },
};
static const struct field delete_options_fields[] = {
    { .name = "apiVersion", .type = FIELD_TEXT, .doc = "v1." },
    { .name = "kind", .type = FIELD_TEXT, .doc = "DeleteOptions." },
    { .name = "gracePeriodSeconds", .type = FIELD_INT, .doc = "Time to end gracefully." },
    { .name = "propagationPolicy",
      .type = FIELD_TEXT,
      .doc = "Background, Foreground or Orphan: what becomes of dependents." },
    { .name = "dryRun", .type = FIELD_LIST, .item = TEXT_ITEM, .doc = "[All]: only pretend." },
    { .name = "preconditions",
      .type = FIELD_OBJECT,
      .fields = preconditions_fields,
      .doc = "What must hold." },
    { 0 },
};
static const struct field scale_spec_fields[] = {
    { .name = "replicas", .type = FIELD_INT, .doc = "How many are wanted." },
    { 0 },
};
static const struct field scale_status_fields[] = {
    { .name = "replicas", .type = FIELD_INT, .doc = "How many there are." },
    { .name = "selector", .type = FIELD_TEXT, .doc = "Selects the members." },
    { 0 },
};
static const struct field scale_fields[] = {
    { .name = "apiVersion", .type = FIELD_TEXT, .doc = "autoscaling/v1." },
    { .name = "kind", .type = FIELD_TEXT, .doc = "Scale." },
    { .name = "spec", .type = FIELD_OBJECT, .fields = scale_spec_fields, .doc = "Wanted." },
    { .name = "status", .type = FIELD_OBJECT, .fields = scale_status_fields, .doc = "Found." },
    { 0 },
};

static void set_gvk(json_t *schema, const char *group, const char *version, const char *kind)
{
    json_object_set_new(schema, "x-kubernetes-group-version-kind",
                        json_pack("[o]", openapi_gvk(group, version, kind)));
}

void openapi_add_common(json_t *schemas, bool v3)
{
    json_t *status = fields_openapi(status_fields, v3);
    json_t *delete_options = fields_openapi(delete_options_fields, v3);
    json_t *scale = fields_openapi(scale_fields, v3);

    set_gvk(status, "", "v1", "Status");
    set_gvk(delete_options, "", "v1", "DeleteOptions");
    set_gvk(scale, "autoscaling", "v1", "Scale");
    json_object_set_new(json_object_get(scale, "properties"), "metadata",
                        openapi_ref(OPENAPI_META "ObjectMeta", v3));
    json_object_set_new(schemas, OPENAPI_META "ObjectMeta",
                        fields_openapi(kind_metadata_fields(), v3));
    json_object_set_new(schemas, OPENAPI_META "ListMeta", fields_openapi(list_meta_fields, v3));
    json_object_set_new(schemas, OPENAPI_META "Status", status);
    json_object_set_new(schemas, OPENAPI_META "DeleteOptions", delete_options);
    json_object_set_new(schemas, OPENAPI_SCALE, scale);
}

json_t *openapi_list_schema(const struct resource *resource, bool v3)
{
    const struct kind *kind = resource->kind;
    auto_free char *name = openapi_name(kind, "");
    json_t *text = json_pack("{s:s}", "type", "string");
    json_t *items = json_pack("{s:s,s:o}", "type", "array", "items", openapi_ref(name, v3));
    json_t *schema =
        json_pack("{s:o,s:s,s:{s:O,s:o,s:o,s:o},s:[s]}", "description",
                  json_printf("A list of %s.", kind->plural), "type", "object", "properties",
                  "apiVersion", text, "kind", text, "metadata",
                  openapi_ref(OPENAPI_META "ListMeta", v3), "items", items, "required", "items");

    set_gvk(schema, kind->group, kind->version, resource->list_kind);
    return schema;
}
