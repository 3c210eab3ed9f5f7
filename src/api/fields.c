/* api/fields.c - sets of field paths as FieldsV1 trees. */
#include "api/fields.h"
#include "api/schema.h"
#include "base/str.h"
#include <string.h>

/* --- nodes --- */

static bool is_member(const json_t *node)
{
    return node && (json_object_size(node) == 0 || json_object_get(node, "."));
}

static bool is_dot(const char *key) { return strcmp(key, ".") == 0; }

/* Ends a node under construction in 'children': marks it as member of the set, or drops it when
 * it is neither member nor has children. Consumes 'take_children'; owned or NULL. */
static json_t *finish(json_t *take_children, bool member)
{
    if (json_object_size(take_children) == 0 && !member) {
        json_decref(take_children);
        return NULL;
    }
    if (json_object_size(take_children) && member)
        json_object_set_new(take_children, ".", json_object());
    return take_children;
}

static void add_child(json_t *children, const char *key, json_t *take_node)
{
    if (take_node)
        json_object_set_new(children, key, take_node);
}

static char *member_key(const char *name) { return str_printf("f:%s", name); }

static char *item_key(const struct field *list, const json_t *item)
{
    auto_json json_t *key = json_object();

    json_object_set(key, list->key, json_object_get(item, list->key));
    auto_free char *text = json_text(key);
    return str_printf("k:%s", text);
}

static char *value_key(const json_t *value)
{
    auto_free char *text = json_text(value);

    return str_printf("v:%s", text);
}

/* --- the fields of a value --- */

static json_t *node_of(const struct field *field, const json_t *value, bool mark_containers);

static json_t *list_children(const struct field *field, enum shape shape, const json_t *list,
                             bool mark_containers)
{
    json_t *children = json_object(), *item;
    size_t index;

    json_array_foreach (list, index, item) {
        if (shape == SHAPE_SET) {
            auto_free char *key = value_key(item);
            json_object_set_new(children, key, json_object());
        } else if (json_object_get(item, field->key)) {
            auto_free char *key = item_key(field, item);
            json_t *node = node_of(field->item, item, mark_containers);

            json_object_set_new(node, ".", json_object());
            json_object_set_new(children, key, node);
        }
    }
    return children;
}

static json_t *object_children(const struct field *field, const json_t *object,
                               bool mark_containers)
{
    json_t *children = json_object(), *value;
    const char *name;

    json_object_foreach ((json_t *)object, name, value) {
        auto_free char *key = member_key(name);
        json_object_set_new(children, key,
                            node_of(schema_member(field, name), value, mark_containers));
    }
    return children;
}

/* The node of a value that is there. 'mark_containers': maps, sets and list-maps count
 * themselves, as for a writer that made them, not only as a place for their items. */
static json_t *node_of(const struct field *field, const json_t *value, bool mark_containers)
{
    enum shape shape = schema_shape(field, value);
    json_t *children;

    if (shape == SHAPE_LEAF)
        return json_object();
    if (shape == SHAPE_OBJECT || shape == SHAPE_MAP)
        children = object_children(field, value, mark_containers);
    else
        children = list_children(field, shape, value, mark_containers);
    if (mark_containers && shape != SHAPE_OBJECT && json_object_size(children))
        json_object_set_new(children, ".", json_object());
    return children;
}

json_t *fields_of(const struct field *schema, const json_t *value)
{
    json_t *set = node_of(schema, value, /*mark_containers=*/false);

    fields_strip(set);
    return set;
}

/* --- comparing --- */

static json_t *changed_node(const struct field *field, const json_t *before, const json_t *now);

static json_t *changed_members(const struct field *field, const json_t *before, const json_t *now)
{
    json_t *children = json_object(), *value;
    const char *name;

    json_object_foreach ((json_t *)now, name, value) {
        auto_free char *key = member_key(name);
        add_child(children, key,
                  changed_node(schema_member(field, name), json_object_get(before, name), value));
    }
    return finish(children, false);
}

static json_t *changed_items(const struct field *field, enum shape shape, const json_t *before,
                             const json_t *now)
{
    json_t *children = json_object(), *item;
    size_t index;

    json_array_foreach (now, index, item) {
        if (shape == SHAPE_SET) {
            auto_free char *key = value_key(item);
            add_child(children, key, schema_find_value(before, item) < 0 ? json_object() : NULL);
        } else if (json_object_get(item, field->key)) {
            auto_free char *key = item_key(field, item);
            const json_t *old = schema_find_item(field, before, item);
            json_t *node = changed_node(field->item, old, item);

            if (!old && node)
                json_object_set_new(node, ".", json_object());
            add_child(children, key, node);
        }
    }
    return finish(children, false);
}

/* The part of 'now' that differs from 'before' (NULL: all of it); NULL when nothing does. */
static json_t *changed_node(const struct field *field, const json_t *before, const json_t *now)
{
    enum shape shape = schema_shape(field, now);

    if (before && before == now)
        return NULL;
    if (!before || shape != schema_shape(field, before) || json_typeof(before) != json_typeof(now))
        return node_of(field, now, /*mark_containers=*/true);
    if (shape == SHAPE_LEAF)
        return json_equal(before, now) ? NULL : json_object();
    if (shape == SHAPE_OBJECT || shape == SHAPE_MAP)
        return changed_members(field, before, now);
    return changed_items(field, shape, before, now);
}

void fields_compare(const struct field *schema, const json_t *before, const json_t *now,
                    json_t **ret_changed, json_t **ret_removed)
{
    auto_json json_t *had = before ? node_of(schema, before, true) : json_object();
    auto_json json_t *has = node_of(schema, now, true);
    json_t *changed = changed_node(schema, before, now);

    *ret_changed = changed ? changed : json_object();
    *ret_removed = fields_difference(had, has);
    json_object_del(*ret_changed, ".");
    fields_strip(*ret_changed);
    fields_strip(*ret_removed);
}

/* --- set algebra --- */

enum algebra { SET_UNION, SET_DIFFERENCE, SET_INTERSECTION };

static bool combine_members(enum algebra how, bool a, bool b)
{
    if (how == SET_UNION)
        return a || b;
    return how == SET_DIFFERENCE ? a && !b : a && b;
}

static json_t *combine(enum algebra how, const json_t *a, const json_t *b)
{
    json_t *children = json_object(), *child;
    const char *key;

    json_object_foreach ((json_t *)a, key, child)
        if (!is_dot(key))
            add_child(children, key, combine(how, child, json_object_get(b, key)));
    if (how == SET_UNION)
        json_object_foreach ((json_t *)b, key, child)
            if (!is_dot(key) && !json_object_get(a, key))
                add_child(children, key, combine(how, NULL, child));
    return finish(children, combine_members(how, is_member(a), is_member(b)));
}

/* The root is a container only: an empty one is no member, unlike every other node. */
static json_t *combine_roots(enum algebra how, const json_t *a, const json_t *b)
{
    json_t *set = combine(how, a, b);

    if (!set)
        return json_object();
    json_object_del(set, ".");
    return set;
}

json_t *fields_union(const json_t *a, const json_t *b) { return combine_roots(SET_UNION, a, b); }

json_t *fields_difference(const json_t *a, const json_t *b)
{
    return combine_roots(SET_DIFFERENCE, a, b);
}

json_t *fields_intersection(const json_t *a, const json_t *b)
{
    return combine_roots(SET_INTERSECTION, a, b);
}

bool fields_empty(const json_t *set) { return json_object_size(set) == 0; }

void fields_strip(json_t *set)
{
    static const char *const untracked[] = { "f:name",
                                             "f:namespace",
                                             "f:uid",
                                             "f:resourceVersion",
                                             "f:generation",
                                             "f:creationTimestamp",
                                             "f:deletionTimestamp",
                                             "f:deletionGracePeriodSeconds",
                                             "f:managedFields",
                                             "f:selfLink",
                                             "f:generateName" };
    json_t *metadata = json_object_get(set, "f:metadata");

    json_object_del(set, "f:apiVersion");
    json_object_del(set, "f:kind");
    json_object_del(metadata, ".");
    for (size_t i = 0; i < sizeof untracked / sizeof untracked[0]; i++)
        json_object_del(metadata, untracked[i]);
    if (metadata && json_object_size(metadata) == 0)
        json_object_del(set, "f:metadata");
}

/* --- paths as text --- */

/* k:{"name":"root"} is [name="root"], v:"x" is [="x"], f:size is .size */
static void add_step(struct buf *path, const char *key)
{
    struct err err;

    if (strncmp(key, "f:", 2) == 0) {
        buf_printf(path, ".%s", key + 2);
    } else if (strncmp(key, "v:", 2) == 0) {
        buf_printf(path, "[=%s]", key + 2);
    } else {
        auto_json json_t *keys = json_parse(key + 2, strlen(key + 2), &err);
        const char *name, *comma = "";
        json_t *value;

        buf_add_char(path, '[');
        json_object_foreach (keys, name, value) {
            auto_free char *text = json_text(value);
            buf_printf(path, "%s%s=%s", comma, name, text);
            comma = ",";
        }
        buf_add_char(path, ']');
    }
}

static void each_below(const json_t *node, struct buf *path, fields_path_fn *fn, void *arg)
{
    const char *key;
    json_t *child;
    size_t size = path->size;

    json_object_foreach ((json_t *)node, key, child) {
        if (is_dot(key) || strlen(key) < 2)
            continue;
        add_step(path, key);
        if (is_member(child))
            fn(arg, path->bytes);
        each_below(child, path, fn, arg);
        path->size = size;
        if (path->bytes)
            path->bytes[size] = 0;
    }
}

void fields_each(const json_t *set, fields_path_fn *fn, void *arg)
{
    auto_buf struct buf path = { 0 };

    each_below(set, &path, fn, arg);
}

/* --- pruning --- */

static void prune_node(const struct field *field, json_t *value, const json_t *node,
                       const json_t *kept);

static bool is_empty(const json_t *value)
{
    return (json_is_object(value) && json_object_size(value) == 0) ||
           (json_is_array(value) && json_array_size(value) == 0);
}

static void prune_members(const struct field *field, json_t *object, const json_t *node,
                          const json_t *kept)
{
    const char *name;
    json_t *value;
    void *next;

    json_object_foreach_safe (object, next, name, value) {
        auto_free char *key = member_key(name);
        const json_t *child = json_object_get(node, key), *keeper = json_object_get(kept, key);

        if (!child)
            continue;
        prune_node(schema_member(field, name), value, child, keeper);
        if (!keeper && (is_member(child) || is_empty(value)))
            json_object_del(object, name);
    }
}

/* Whether an item holds nothing but its key. */
static bool is_bare(const struct field *list, const json_t *item)
{
    return json_object_size(item) <= (json_object_get(item, list->key) ? 1u : 0u);
}

static void prune_items(const struct field *field, enum shape shape, json_t *list,
                        const json_t *node, const json_t *kept)
{
    for (size_t i = json_array_size(list); i-- > 0;) {
        json_t *item = json_array_get(list, i);
        auto_free char *key = shape == SHAPE_SET ? value_key(item) : item_key(field, item);
        const json_t *child = json_object_get(node, key), *keeper = json_object_get(kept, key);

        if (!child)
            continue;
        if (shape == SHAPE_LIST_MAP)
            prune_node(field->item, item, child, keeper);
        if (!keeper && (shape == SHAPE_SET || is_member(child) || is_bare(field, item)))
            json_array_remove(list, i);
    }
}

static void prune_node(const struct field *field, json_t *value, const json_t *node,
                       const json_t *kept)
{
    enum shape shape = schema_shape(field, value);

    if (shape == SHAPE_OBJECT || shape == SHAPE_MAP)
        prune_members(field, value, node, kept);
    else if (shape != SHAPE_LEAF)
        prune_items(field, shape, value, node, kept);
}

void fields_prune(const struct field *schema, json_t *value, const json_t *set, const json_t *kept)
{
    prune_node(schema, value, set, kept);
}

bool fields_are_valid(const json_t *tree)
{
    const char *key;
    json_t *child;

    if (!json_is_object(tree))
        return false;
    json_object_foreach ((json_t *)tree, key, child) {
        /* A member may have the empty name. */
        bool is_step = key[0] && key[1] == ':' && strchr("fkvi", key[0]) && (key[2] || key[0] == 'f');

        if ((!is_dot(key) && !is_step) || !fields_are_valid(child))
            return false;
    }
    return true;
}
