/* api/managed.c - metadata.managedFields. */
#include "api/managed.h"
#include "api/fields.h"
#include "api/schema.h"
#include "base/quantity.h"
#include <string.h>

#define ANCIENT "ancient-changes"

/* --- entries --- */

static const char *entry_text(const json_t *entry, const char *key)
{
    return json_string_value(json_object_get(entry, key));
}

static bool is_apply(const json_t *entry)
{
    return str_equal(entry_text(entry, "operation"), "Apply");
}

static bool is_of(const json_t *entry, const struct field_writer *writer, bool apply)
{
    return is_apply(entry) == apply && str_equal(entry_text(entry, "manager"), writer->manager) &&
           str_equal(entry_text(entry, "apiVersion"), writer->api_version) &&
           str_equal(entry_text(entry, "subresource"), writer->subresource);
}

static json_t *entry_new(const struct field_writer *writer, bool apply)
{
    json_t *entry = json_object();

    json_object_set_new(entry, "manager", json_printf("%s", writer->manager));
    json_object_set_new(entry, "operation", json_string(apply ? "Apply" : "Update"));
    json_object_set_new(entry, "apiVersion", json_string(writer->api_version));
    json_object_set_new(entry, "time", json_null()); /* keeps its place; entry_set() fills it */
    json_object_set_new(entry, "fieldsType", json_string("FieldsV1"));
    json_object_set_new(entry, "fieldsV1", json_object());
    if (writer->subresource)
        json_object_set_new(entry, "subresource", json_string(writer->subresource));
    return entry;
}

static json_t *entry_fields(const json_t *entry) { return json_object_get(entry, "fieldsV1"); }

/* Gives the entry a new set and, when that differs, the time of now. */
static void entry_set(json_t *entry, json_t *take_fields, int64_t wall_ms)
{
    char time[32];

    if (json_is_string(json_object_get(entry, "time")) &&
        json_equal(entry_fields(entry), take_fields)) {
        json_decref(take_fields);
        return;
    }
    time_format(wall_ms, time, sizeof time);
    json_object_set_new(entry, "time", json_string(time));
    json_object_set_new(entry, "fieldsV1", take_fields);
}

static bool entry_is_valid(const json_t *entry)
{
    const char *operation = entry_text(entry, "operation");

    return json_is_object(entry) && entry_text(entry, "manager") &&
           (str_equal(operation, "Apply") || str_equal(operation, "Update")) &&
           fields_are_valid(entry_fields(entry));
}

bool managed_are_valid(const json_t *entries)
{
    size_t index;
    json_t *entry;

    if (!json_is_array(entries))
        return false;
    if (json_array_size(entries) == 1 && json_object_size(json_array_get(entries, 0)) == 0)
        return json_is_object(json_array_get(entries, 0));
    json_array_foreach (entries, index, entry)
        if (!entry_is_valid(entry))
            return false;
    return true;
}

/* A copy to work on: the usable entries of 'entries'. */
static json_t *copy_entries(const json_t *entries)
{
    json_t *copy = json_array(), *entry;
    size_t index;

    json_array_foreach (entries, index, entry)
        if (entry_is_valid(entry))
            json_array_append_new(copy, json_copy(entry));
    return copy;
}

static void drop_empty(json_t *entries)
{
    for (size_t i = json_array_size(entries); i-- > 0;)
        if (fields_empty(entry_fields(json_array_get(entries, i))))
            json_array_remove(entries, i);
}

/* The entry of 'writer', made when it is not there. Borrowed. */
static json_t *own_entry(json_t *entries, const struct field_writer *writer, bool apply)
{
    size_t index;
    json_t *entry;

    json_array_foreach (entries, index, entry)
        if (is_of(entry, writer, apply))
            return entry;
    entry = entry_new(writer, apply);
    json_array_append_new(entries, entry);
    return entry;
}

/* Takes 'lost' away from all entries but 'own'. */
static void take_from_others(json_t *entries, const json_t *own, const json_t *lost,
                             int64_t wall_ms)
{
    size_t index;
    json_t *entry;

    json_array_foreach (entries, index, entry)
        if (entry != own)
            entry_set(entry, fields_difference(entry_fields(entry), lost), wall_ms);
}

/* --- ordinary writes --- */

static ptrdiff_t next_updater(const json_t *entries, size_t from)
{
    for (size_t i = from; i < json_array_size(entries); i++)
        if (!is_apply(json_array_get(entries, i)))
            return (ptrdiff_t)i;
    return -1;
}

static size_t count_updaters(const json_t *entries)
{
    size_t count = 0;

    for (ptrdiff_t at = -1; (at = next_updater(entries, (size_t)(at + 1))) >= 0;)
        count++;
    return count;
}

/* Melts the two oldest updaters into one. */
static void merge_oldest(json_t *entries, int64_t wall_ms)
{
    ptrdiff_t first = next_updater(entries, 0);
    ptrdiff_t second = next_updater(entries, (size_t)first + 1);
    json_t *older = json_array_get(entries, (size_t)first);
    json_t *newer = json_array_get(entries, (size_t)second);

    entry_set(older, fields_union(entry_fields(older), entry_fields(newer)), wall_ms);
    json_object_set_new(older, "manager", json_string(ANCIENT));
    json_object_del(older, "subresource");
    json_array_remove(entries, (size_t)second);
}

json_t *managed_after_update(const struct field *schema, const json_t *entries,
                             const json_t *before, const json_t *now,
                             const struct field_writer *writer)
{
    json_t *result = copy_entries(entries), *own = own_entry(result, writer, /*apply=*/false);
    json_t *changed, *removed;

    fields_compare(schema, before, now, &changed, &removed);
    auto_json json_t *touched = fields_union(changed, removed);
    auto_json json_t *grown = fields_union(entry_fields(own), changed);
    take_from_others(result, own, touched, writer->wall_ms);
    entry_set(own, fields_difference(grown, removed), writer->wall_ms);
    json_decref(changed);
    json_decref(removed);
    drop_empty(result);
    while (count_updaters(result) > MANAGED_UPDATERS_MAX)
        merge_oldest(result, writer->wall_ms);
    return result;
}

/* --- conflicts --- */

struct conflicts {
    struct causes *causes;
    struct buf text;
    const json_t *entry;
    size_t count;
};

/* "m" for an applier, "m" using v1 for an updater. Owned. */
static char *manager_title(const json_t *entry)
{
    const char *subresource = entry_text(entry, "subresource");
    auto_free char *through =
        subresource ? str_printf(" with subresource \"%s\"", subresource) : str_dup("");

    if (is_apply(entry))
        return str_printf("\"%s\"%s", entry_text(entry, "manager"), through);
    return str_printf("\"%s\"%s using %s", entry_text(entry, "manager"), through,
                      entry_text(entry, "apiVersion"));
}

static void note_conflict(void *arg, const char *path)
{
    struct conflicts *conflicts = arg;
    auto_free char *title = manager_title(conflicts->entry);

    causes_add(conflicts->causes, "FieldManagerConflict", path, "conflict with %s", title);
    buf_printf(&conflicts->text, "\n- %s", path);
    conflicts->count++;
}

static void note_conflicts(struct conflicts *conflicts, const json_t *entry, const json_t *changed)
{
    auto_json json_t *both = fields_intersection(entry_fields(entry), changed);

    if (fields_empty(both))
        return;
    auto_free char *title = manager_title(entry);
    buf_printf(&conflicts->text, "%sconflicts with %s:", conflicts->text.size ? "\n" : "", title);
    conflicts->entry = entry;
    fields_each(both, note_conflict, conflicts);
}

static char *conflict_message(const struct conflicts *conflicts)
{
    const struct cause *first = &conflicts->causes->items[0];

    if (conflicts->count == 1)
        return str_printf("Apply failed with 1 conflict: %s: %s", first->message, first->field);
    return str_printf("Apply failed with %zu conflicts: %s", conflicts->count,
                      conflicts->text.bytes);
}

/* --- apply --- */

/* 'live' with 'config' laid over it, by the schema's shapes. Owned. */
static json_t *overlay(const struct field *field, const json_t *live, const json_t *config);

static json_t *overlay_object(const struct field *field, const json_t *live, const json_t *config)
{
    json_t *result = json_is_object(live) ? json_copy((json_t *)live) : json_object(), *value;
    const char *name;

    json_object_foreach ((json_t *)config, name, value)
        json_object_set_new(
            result, name, overlay(schema_member(field, name), json_object_get(live, name), value));
    return result;
}

static bool is_there_before(const struct field *field, const json_t *items, const json_t *item)
{
    const json_t *first = schema_find_item(field, items, item);

    return first && first != item;
}

/* Items that 'live' has, too, get its places for them, in the order of 'config'; the others come at the
 * end. What 'config' has twice stays twice, for validation to refuse: none of them may get lost. */
static json_t *overlay_items(const struct field *field, const json_t *live, const json_t *config)
{
    json_t *result = json_is_array(live) ? json_copy((json_t *)live) : json_array(), *value;
    size_t place = 0, index;

    json_array_foreach (config, index, value) {
        json_t *old = is_there_before(field, config, value) ? NULL : schema_find_item(field, live, value);

        if (!old) {
            json_array_append(result, value);
            continue;
        }
        while (!schema_find_item(field, config, json_array_get(live, place)))
            place++;
        json_array_set_new(result, place++, overlay(field->item, old, value));
    }
    return result;
}

/* What 'config' has twice stays twice here, too. */
static json_t *overlay_set(const json_t *live, const json_t *config)
{
    json_t *result = json_is_array(live) ? json_copy((json_t *)live) : json_array(), *value;
    size_t index;

    json_array_foreach (config, index, value)
        if (schema_find_value(config, value) < (ptrdiff_t)index || schema_find_value(result, value) < 0)
            json_array_append(result, value);
    return result;
}

static json_t *overlay(const struct field *field, const json_t *live, const json_t *config)
{
    enum shape shape = schema_shape(field, config);

    if (shape == SHAPE_LEAF || !live)
        return json_deep_copy(config);
    if (shape == SHAPE_OBJECT || shape == SHAPE_MAP)
        return overlay_object(field, live, config);
    return shape == SHAPE_LIST_MAP ? overlay_items(field, live, config) : overlay_set(live, config);
}

static json_t *union_of_others(const json_t *entries, const json_t *own)
{
    json_t *all = json_object(), *entry;
    size_t index;

    json_array_foreach (entries, index, entry) {
        json_t *more = entry == own ? NULL : fields_union(all, entry_fields(entry));

        if (!more)
            continue;
        json_decref(all);
        all = more;
    }
    return all;
}

/* Takes away what this applier set before, does not set now, and nobody else owns. */
static void prune_unwanted(const struct field *schema, json_t *object, const json_t *entries,
                           const json_t *own, const json_t *wanted)
{
    auto_json json_t *others = union_of_others(entries, own);
    auto_json json_t *kept = fields_union(others, wanted);
    auto_json json_t *unwanted = fields_difference(entry_fields(own), kept);

    if (!fields_empty(unwanted))
        fields_prune(schema, object, unwanted, kept);
}

static int find_conflicts(const json_t *entries, const json_t *own, const json_t *changed,
                          struct causes *causes, char **ret_message)
{
    struct conflicts conflicts = { .causes = causes };
    size_t index;
    json_t *entry;

    json_array_foreach (entries, index, entry)
        if (entry != own)
            note_conflicts(&conflicts, entry, changed);
    if (conflicts.count)
        *ret_message = conflict_message(&conflicts);
    buf_done(&conflicts.text);
    return conflicts.count ? -1 : 0;
}

int managed_apply(const struct field *schema, const json_t *live, const json_t *config, bool force,
                  const struct field_writer *writer, json_t **ret_object,
                  struct causes *ret_conflicts, char **ret_message)
{
    auto_json json_t *entries = copy_entries(json_at(live, "metadata.managedFields"));
    json_t *own = own_entry(entries, writer, /*apply=*/true);
    auto_json json_t *wanted = fields_of(schema, config);
    auto_json json_t *merged = overlay(schema, live, config);
    auto_json json_t *object = json_deep_copy(merged);
    json_t *changed_new, *removed_new;

    prune_unwanted(schema, object, entries, own, wanted);
    fields_compare(schema, live, object, &changed_new, &removed_new);
    auto_json json_t *changed = changed_new;
    auto_json json_t *removed = removed_new;
    if (!force && find_conflicts(entries, own, changed, ret_conflicts, ret_message) < 0)
        return -1;
    auto_json json_t *lost = fields_union(changed, removed);
    take_from_others(entries, own, lost, writer->wall_ms);
    entry_set(own, json_incref(wanted), writer->wall_ms);
    drop_empty(entries);
    json_set_at(object, "metadata.managedFields", json_incref(entries));
    *ret_object = json_incref(object);
    return 0;
}
