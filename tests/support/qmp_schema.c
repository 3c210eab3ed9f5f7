/* tests/support/qmp_schema.c - checks commands against QEMU's introspection data.
 * Source: docs/devel/qapi-code-gen.rst of QEMU, "Client JSON Protocol introspection". */
#include "qmp_schema.h"
#include "base/map.h"
#include "base/mem.h"
#include "check.h"
#include <stdio.h>
#include <stdlib.h>

struct qmp_schema {
    json_t *entries;
    struct map *by_name; /* borrowed from 'entries' */
};

static json_t *read_gzip(const char *name)
{
    const char *source = getenv("VIRGA_SOURCE");
    auto_free char *command =
        str_printf("gzip -dc '%s/tests/data/%s'", source ? source : ".", name);
    auto_buf struct buf text = { 0 };
    char bytes[4096];
    struct err err;
    json_t *entries;
    FILE *pipe = popen(command, "re");

    CHECK(pipe);
    for (size_t size; (size = fread(bytes, 1, sizeof bytes, pipe)) > 0;)
        buf_add(&text, bytes, size);
    CHECK_EQ(pclose(pipe), 0);
    entries = json_parse(text.bytes, text.size, &err);
    CHECK(json_is_array(entries));
    return entries;
}

struct qmp_schema *qmp_schema_load(const char *name)
{
    struct qmp_schema *schema = mem_new(struct qmp_schema);
    size_t i;
    json_t *entry;

    schema->entries = read_gzip(name);
    schema->by_name = map_new(NULL);
    json_array_foreach (schema->entries, i, entry)
        map_set(schema->by_name, json_text_at(entry, "name", ""), entry);
    return schema;
}

struct qmp_schema *qmp_schema_load_chosen(void)
{
    const char *version = getenv("VIRGA_QMP_SCHEMA");
    auto_free char *name = str_printf("qmp-schema-%s.json.gz", version ? version : "7.2");

    return qmp_schema_load(name);
}

void qmp_schema_free(struct qmp_schema *schema)
{
    if (!schema)
        return;
    map_free(schema->by_name);
    json_decref(schema->entries);
    free(schema);
}

const json_t *qmp_schema_entries(const struct qmp_schema *schema) { return schema->entries; }

static const json_t *entry_of(const struct qmp_schema *schema, const char *name)
{
    return map_get(schema->by_name, name);
}

static bool is_meta(const json_t *entry, const char *meta)
{
    return entry && str_equal(json_text_at(entry, "meta-type", ""), meta);
}

bool qmp_schema_has_event(const struct qmp_schema *schema, const char *event)
{
    return is_meta(entry_of(schema, event), "event");
}

static int check_value(const struct qmp_schema *schema, const char *type, const json_t *value,
                       const char *path, struct err *err);

static int check_builtin(const char *json_type, const json_t *value, const char *path,
                         struct err *err)
{
    bool fits = str_equal(json_type, "value") ||
                (str_equal(json_type, "string") && json_is_string(value)) ||
                (str_equal(json_type, "boolean") && json_is_boolean(value)) ||
                (str_equal(json_type, "null") && json_is_null(value)) ||
                (str_equal(json_type, "int") && json_is_integer(value)) ||
                (str_equal(json_type, "number") && json_is_number(value));

    return fits ? 0 : err_set(err, ERR_INVALID, "%s: not of type %s", path, json_type);
}

static int check_enum(const json_t *entry, const json_t *value, const char *path, struct err *err)
{
    size_t i;
    json_t *each;

    if (!json_is_string(value))
        return err_set(err, ERR_INVALID, "%s: not a string", path);
    json_array_foreach (json_object_get(entry, "values"), i, each) {
        if (json_equal(each, value))
            return 0;
    }
    return err_set(err, ERR_INVALID, "%s: no value '%s'", path, json_string_value(value));
}

static int check_alternate(const struct qmp_schema *schema, const json_t *entry,
                           const json_t *value, const char *path, struct err *err)
{
    size_t i;
    json_t *member;

    json_array_foreach (json_object_get(entry, "members"), i, member) {
        if (check_value(schema, json_text_at(member, "type", ""), value, path, err) == 0)
            return 0;
    }
    return -1;
}

static int check_array(const struct qmp_schema *schema, const json_t *entry, const json_t *value,
                       const char *path, struct err *err)
{
    size_t i;
    json_t *element;

    if (!json_is_array(value))
        return err_set(err, ERR_INVALID, "%s: not an array", path);
    json_array_foreach (value, i, element) {
        if (check_value(schema, json_text_at(entry, "element-type", ""), element, path, err) < 0)
            return -1;
    }
    return 0;
}

/* Removes from 'left' what the object type knows; checks what is there. */
static int check_members(const struct qmp_schema *schema, const json_t *entry, json_t *left,
                         const char *path, struct err *err)
{
    size_t i;
    json_t *member;

    json_array_foreach (json_object_get(entry, "members"), i, member) {
        const char *name = json_text_at(member, "name", "");
        auto_json json_t *value = json_incref(json_object_get(left, name));
        auto_free char *below = str_printf("%s.%s", path, name);

        if (!value && !json_object_get(member, "default"))
            return err_set(err, ERR_INVALID, "%s: missing", below);
        if (!value)
            continue;
        if (check_value(schema, json_text_at(member, "type", ""), value, below, err) < 0)
            return -1;
        json_object_del(left, name);
    }
    return 0;
}

static const json_t *variant_of(const struct qmp_schema *schema, const json_t *entry,
                                const json_t *object)
{
    const char *tag = json_text_at(entry, "tag", NULL);
    const char *chosen = tag ? json_text_at(object, tag, "") : "";
    size_t i;
    json_t *variant;

    json_array_foreach (json_object_get(entry, "variants"), i, variant) {
        if (str_equal(json_text_at(variant, "case", ""), chosen))
            return entry_of(schema, json_text_at(variant, "type", ""));
    }
    return NULL;
}

static int check_object(const struct qmp_schema *schema, const json_t *entry, const json_t *value,
                        const char *path, struct err *err)
{
    auto_json json_t *left = json_copy((json_t *)value);
    const json_t *variant;

    if (!json_is_object(value))
        return err_set(err, ERR_INVALID, "%s: not an object", path);
    variant = variant_of(schema, entry, value);
    if (check_members(schema, entry, left, path, err) < 0 ||
        (variant && check_members(schema, variant, left, path, err) < 0))
        return -1;
    if (json_object_size(left))
        return err_set(err, ERR_INVALID, "%s.%s: no such member", path,
                       json_object_iter_key(json_object_iter(left)));
    return 0;
}

static int check_value(const struct qmp_schema *schema, const char *type, const json_t *value,
                       const char *path, struct err *err)
{
    const json_t *entry = entry_of(schema, type);

    if (is_meta(entry, "builtin"))
        return check_builtin(json_text_at(entry, "json-type", ""), value, path, err);
    if (is_meta(entry, "enum"))
        return check_enum(entry, value, path, err);
    if (is_meta(entry, "alternate"))
        return check_alternate(schema, entry, value, path, err);
    if (is_meta(entry, "array"))
        return check_array(schema, entry, value, path, err);
    if (is_meta(entry, "object"))
        return check_object(schema, entry, value, path, err);
    return err_set(err, ERR_INTERNAL, "%s: the schema has no type '%s'", path, type);
}

/* Commands that take whatever their device understands. */
static bool takes_anything(const char *command) { return str_equal(command, "device_add"); }

int qmp_schema_check(const struct qmp_schema *schema, const char *command, const json_t *arguments,
                     struct err *err)
{
    const json_t *entry = entry_of(schema, command);
    auto_json json_t *none = json_object();

    if (!is_meta(entry, "command"))
        return err_set(err, ERR_UNSUPPORTED, "no command '%s'", command);
    if (takes_anything(command))
        return 0;
    return check_value(schema, json_text_at(entry, "arg-type", ""), arguments ? arguments : none,
                       command, err);
}
