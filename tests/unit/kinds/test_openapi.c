/* The schemas made from the tables: whole, valid, and with what apply and clients need. */
#include "check.h"
#include "kinds/tables/tables.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

/* What gnostic, the strict parser of old kubectl, is sure to read (version 2). */
static const char *const keys_v2[] = { "description", "type", "format", "properties", "items",
                                       "required", "additionalProperties", "$ref", NULL };
static const char *const keys_v3[] = { "description", "type", "format", "properties", "items",
                                       "required", "additionalProperties", "$ref", "allOf", "anyOf",
                                       "enum", "minimum", "maximum", "default", NULL };

static bool is_known_key(const char *key, bool v3)
{
    for (const char *const *known = v3 ? keys_v3 : keys_v2; *known; known++)
        if (str_equal(*known, key))
            return true;
    return str_starts(key, "x-kubernetes-");
}

static bool is_type(const char *type)
{
    static const char *const types[] = { "object", "array", "string", "integer", "number", "boolean" };

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (str_equal(types[i], type))
            return true;
    return false;
}

static void check_schema(const json_t *schema, bool v3, const char *path);

static void check_properties(const json_t *schema, bool v3, const char *path)
{
    const char *name;
    json_t *property;
    size_t index;

    json_object_foreach (json_object_get(schema, "properties"), name, property) {
        auto_free char *below = str_printf("%s.%s", path, name);
        if (str_is_empty(json_text_at(property, "description", NULL)))
            check_fail(CHECK_HERE, "%s has no description", below);
        check_schema(property, v3, below);
    }
    json_array_foreach (json_object_get(schema, "required"), index, property)
        if (!json_object_get(json_object_get(schema, "properties"), json_string_value(property)))
            check_fail(CHECK_HERE, "%s: %s is required but not declared", path,
                       json_string_value(property));
}

static void check_list(const json_t *schema, bool v3, const char *path)
{
    const json_t *items = json_object_get(schema, "items");
    const char *type = json_text_at(schema, "x-kubernetes-list-type", "");
    const json_t *keys = json_object_get(schema, "x-kubernetes-list-map-keys");
    bool is_map = str_equal(type, "map");

    if (!json_is_object(items))
        check_fail(CHECK_HERE, "%s has no items", path);
    if (!is_map && !str_equal(type, "set") && !str_equal(type, "atomic"))
        check_fail(CHECK_HERE, "%s: list type %s", path, type);
    if (is_map != (json_array_size(keys) == 1))
        check_fail(CHECK_HERE, "%s: a list-map, and nothing else, has a key", path);
    if (is_map && !json_object_get(json_object_get(items, "properties"),
                                   json_string_value(json_array_get(keys, 0))))
        check_fail(CHECK_HERE, "%s: its key is no property", path);
    auto_free char *below = str_printf("%s[]", path);
    check_schema(items, v3, below);
}

static void check_schema(const json_t *schema, bool v3, const char *path)
{
    const char *type = json_text_at(schema, "type", NULL), *key;
    json_t *value;

    json_object_foreach ((json_t *)schema, key, value)
        if (!is_known_key(key, v3))
            check_fail(CHECK_HERE, "%s: \"%s\" has no place in version %d", path, key, v3 ? 3 : 2);
    if (!type && !json_object_get(schema, "$ref") && !json_object_get(schema, "allOf") &&
        !json_object_get(schema, "anyOf"))
        check_fail(CHECK_HERE, "%s has no type", path);
    if (type && !is_type(type))
        check_fail(CHECK_HERE, "%s: there is no type %s", path, type);
    if (str_equal(type, "array"))
        check_list(schema, v3, path);
    check_properties(schema, v3, path);
    if (json_object_get(schema, "additionalProperties"))
        check_schema(json_object_get(schema, "additionalProperties"), v3, path);
}

TEST(every_kind_has_a_sound_schema_in_both_versions)
{
    for (const struct kind *const *kind = all_kinds; *kind; kind++) {
        auto_json json_t *v2 = kind_openapi_v2_definition(*kind);
        auto_json json_t *v3 = kind_openapi_v3_schema(*kind);

        check_schema(v2, /*v3=*/false, (*kind)->name);
        check_schema(v3, /*v3=*/true, (*kind)->name);
    }
}

TEST(a_schema_says_which_kind_it_is_of)
{
    for (const struct kind *const *kind = all_kinds; *kind; kind++) {
        auto_json json_t *schema = kind_openapi_v3_schema(*kind);
        const json_t *names = json_object_get(schema, "x-kubernetes-group-version-kind");

        CHECK_EQ(json_array_size(names), 1);
        CHECK_STR(json_text_at(json_array_get(names, 0), "group", NULL), (*kind)->group);
        CHECK_STR(json_text_at(json_array_get(names, 0), "version", NULL), (*kind)->version);
        CHECK_STR(json_text_at(json_array_get(names, 0), "kind", NULL), (*kind)->name);
        CHECK(json_at(schema, "properties.apiVersion") && json_at(schema, "properties.kind"));
    }
}

TEST(metadata_refers_to_one_schema)
{
    auto_json json_t *v2 = kind_openapi_v2_definition(&kind_instance);
    auto_json json_t *v3 = kind_openapi_v3_schema(&kind_instance);

    CHECK_STR(json_text_at(json_at(v2, "properties.metadata"), "$ref", NULL),
              "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
    CHECK_STR(json_text_at(json_at(v3, "properties.metadata.allOf[0]"), "$ref", NULL),
              "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
}

TEST(what_apply_needs_is_there)
{
    auto_json json_t *schema = kind_openapi_v3_schema(&kind_instance);
    const json_t *spec = json_at(schema, "properties.spec.properties");

    CHECK_STR(json_text_at(json_at(spec, "networks"), "x-kubernetes-list-type", NULL), "map");
    CHECK_STR(json_text_at(json_at(spec, "disks"), "x-kubernetes-list-type", NULL), "map");
    CHECK_STR(json_text_at(json_at(spec, "bootOrder"), "x-kubernetes-list-type", NULL), "atomic");
    CHECK_STR(json_text_at(json_at(spec, "sshKeys"), "x-kubernetes-list-type", NULL), "atomic");
    CHECK_STR(json_text_at(json_at(schema, "properties.status.properties.conditions"),
                           "x-kubernetes-list-type", NULL),
              "map");
}

TEST(values_bounds_and_defaults_are_told)
{
    auto_json json_t *schema = kind_openapi_v3_schema(&kind_instance);
    const json_t *spec = json_at(schema, "properties.spec.properties");

    CHECK_EQ(json_int_at(spec, "cpus.minimum", 0), 1);
    CHECK_EQ(json_int_at(spec, "cpus.maximum", 0), 255);
    CHECK_EQ(json_int_at(spec, "cpus.default", 0), 1);
    CHECK_STR(json_text_at(spec, "firmware.enum[0]", NULL), "BIOS");
    CHECK_STR(json_text_at(spec, "restartAt.format", NULL), "date-time");
    CHECK_STR(json_text_at(spec, "memory.anyOf[1].type", NULL), "string");
    CHECK(json_bool_at(spec, "memory.x-kubernetes-int-or-string", false));
    CHECK_STR(json_text_at(spec, "disks.items.required[0]", NULL), "name");
}

TEST(free_values_are_kept_as_they_are)
{
    auto_json json_t *schema = fields_openapi(kind_metadata_fields(), /*v3=*/true);

    CHECK(json_bool_at(schema, "properties.managedFields.items.properties.fieldsV1."
                               "x-kubernetes-preserve-unknown-fields", false));
    CHECK_STR(json_text_at(schema, "properties.labels.additionalProperties.type", NULL), "string");
}
