/* api/resource.c - a kind at run time. */
#include "api/resource.h"
#include "api/schema.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/object.h"
#include "store/record.h"
#include <assert.h>
#include <stdlib.h>

static size_t count_connects(const struct kind *kind)
{
    size_t count = 0;

    while (kind->connects && kind->connects[count].name)
        count++;
    return count;
}

static struct resource resource_make(const struct kind *kind)
{
    return (struct resource){
        .kind = kind,
        .schema = schema_new(kind),
        .list_kind = str_printf("%sList", kind->name),
        .prefix = object_key(kind->group, kind->plural, NULL, NULL),
        .bindings = mem_array(count_connects(kind) + 1, sizeof(struct binding)),
    };
}

void resources_init(struct resources *resources)
{
    size_t count = 0;

    while (all_kinds[count])
        count++;
    *resources = (struct resources){ mem_array(count, sizeof resources->items[0]), count };
    for (size_t i = 0; i < count; i++)
        resources->items[i] = resource_make(all_kinds[i]);
}

void resources_done(struct resources *resources)
{
    for (size_t i = 0; i < resources->count; i++) {
        schema_free(resources->items[i].schema);
        free(resources->items[i].list_kind);
        free(resources->items[i].prefix);
        free(resources->items[i].bindings);
    }
    free(resources->items);
    *resources = (struct resources){ 0 };
}

struct resource *resource_of(const struct resources *resources, const struct kind *kind)
{
    for (size_t i = 0; i < resources->count; i++)
        if (resources->items[i].kind == kind)
            return &resources->items[i];
    abort();
}

struct binding *resource_binding(struct resource *resource, const struct connect *connect)
{
    return &resource->bindings[connect - resource->kind->connects];
}

bool resource_is_namespaced(const struct resource *resource)
{
    return resource->kind->flags & KIND_NAMESPACED;
}

bool resource_is_computed(const struct resource *resource)
{
    return resource->kind->flags & KIND_READ_ONLY;
}

const char *const *resource_verbs(const struct resource *resource)
{
    static const char *const all[] = { "create", "delete", "deletecollection",
                                       "get",    "list",   "patch",
                                       "update", "watch",  NULL };
    static const char *const read_only[] = { "get", "list", NULL };

    return resource_is_computed(resource) ? read_only : all;
}

struct resource *resource_stored(const struct resources *resources, struct resource *resource)
{
    return resource->kind->stored_as ? resource_of(resources, resource->kind->stored_as) : resource;
}

struct record *resource_show(const struct resource *resource, struct record *record)
{
    if (!resource->kind->stored_as)
        return record_ref(record);
    auto_json json_t *stored = object_decode(record), *shown = resource->kind->show(stored);
    auto_buf struct buf text = { 0 };
    struct record_fields fields = { .key = record->key, .revision = record->revision, .created = record->created };

    json_write(shown, &text);
    fields.value = (struct store_value){ .bytes = text.bytes, .size = text.size, .gap = STORE_GAP_NONE };
    return record_new(&fields);
}

char *resource_key(const struct resource *resource, const char *namespace_name, const char *name)
{
    const struct kind *kind = resource->kind;
    const char *scope = namespace_name ? namespace_name : name ? "" : NULL;

    return object_key(kind->group, kind->plural, scope, name);
}
