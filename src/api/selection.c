/* api/selection.c - which records of a kind a list, watch or deletion is about. */
#include "api/selection.h"
#include "api/index.h"
#include "api/internal.h"
#include "base/mem.h"
#include "store/object.h"
#include <stdlib.h>
#include <string.h>

enum { COLLECT_BATCH = 1000 };

int selection_parse(const struct request *request, struct selection *ret_selection,
                    struct failure *failure)
{
    const struct route *route = &request->route;
    struct err err;

    *ret_selection = (struct selection){ 0 };
    if (selector_parse_labels(request_option(request, "labelSelector"), &ret_selection->labels,
                              &err) < 0 ||
        selector_parse_fields(request_option(request, "fieldSelector"), route->kind,
                              &ret_selection->fields, &err) < 0)
        return failure_from(failure, &err);
    ret_selection->only_name =
        route->name ? route->name : selector_only_value(&ret_selection->fields, "metadata.name");
    ret_selection->prefix =
        resource_key(request->resource,
                     resource_is_namespaced(request->resource) ? route->namespace_name : "", NULL);
    return 0;
}

void selection_done(struct selection *selection)
{
    selector_done(&selection->labels);
    selector_done(&selection->fields);
    free(selection->prefix);
    *selection = (struct selection){ 0 };
}

void selection_done_auto(struct selection *selection) { selection_done(selection); }

bool selection_is_plain(const struct selection *selection)
{
    return !selection->labels.count && !selection->fields.count && !selection->only_name;
}

bool selection_matches(const struct selection *selection, const struct record *record)
{
    if (selection->only_name && strcmp(index_name(record), selection->only_name) != 0)
        return false;
    return selector_matches(&selection->labels, record, index_label) &&
           selector_matches(&selection->fields, record, index_field);
}

static const char *object_label(const void *object, const char *key)
{
    return json_string_value(json_object_get(json_at(object, "metadata.labels"), key));
}

static const char *object_field(const void *object, const char *key)
{
    return json_text_at(object, key, "");
}

bool selection_matches_object(const struct selection *selection, const json_t *object)
{
    if (selection->only_name && strcmp(object_name(object), selection->only_name) != 0)
        return false;
    return selector_matches(&selection->labels, object, object_label) &&
           selector_matches(&selection->fields, object, object_field);
}

/* Matching records so far. */
struct found {
    struct record **records;
    size_t count, capacity;
};

static void keep(struct found *found, struct record *record)
{
    if (found->count == found->capacity) {
        found->capacity = found->capacity ? 2 * found->capacity : 64;
        found->records = mem_resize(found->records, found->capacity * sizeof found->records[0]);
    }
    found->records[found->count++] = record_ref(record);
}

/* Looks at one batch behind '*after'; false when it was the last or enough is found. */
static bool collect_batch(const struct selection *selection, struct store *store, const char *after,
                          size_t limit, struct found *found, char **ret_last)
{
    size_t count;
    struct record **batch =
        store->ops->list(store, selection->prefix, after, COLLECT_BATCH, &count, NULL);

    for (size_t i = 0; i < count && (!limit || found->count < limit); i++)
        if (selection_matches(selection, batch[i]))
            keep(found, batch[i]);
    *ret_last = count ? str_dup(batch[count - 1]->key) : NULL;
    record_list_free(batch, count);
    return count == COLLECT_BATCH && (!limit || found->count < limit);
}

static struct found collect_matching(const struct selection *selection, struct store *store,
                                     const char *after, size_t limit)
{
    struct found found = { 0 };
    auto_free char *at = str_dup(after);
    bool goes_on = true;

    while (goes_on) {
        char *last;

        goes_on = collect_batch(selection, store, at, limit, &found, &last);
        free(at);
        at = last;
    }
    return found;
}

/* One name in one namespace is a look-up. */
static bool is_single(const struct selection *selection)
{
    size_t slashes = 0;

    for (const char *c = selection->prefix; *c; c++)
        slashes += *c == '/';
    return selection->only_name && slashes == 4; /* "/group/plural/namespace/" */
}

static struct found collect_single(const struct selection *selection, struct store *store,
                                   const char *after)
{
    auto_free char *key = str_printf("%s%s", selection->prefix, selection->only_name);
    auto_clean(record_unref_auto) struct record *record = store->ops->get(store, key);
    struct found found = { 0 };

    if (record && selection_matches(selection, record) && (!after || strcmp(key, after) > 0))
        keep(&found, record);
    return found;
}

struct record **selection_collect(const struct selection *selection, struct store *store,
                                  const char *after, size_t limit, size_t *ret_count,
                                  bool *ret_more, int64_t *ret_remaining)
{
    struct found found;
    size_t remaining = 0;

    *ret_remaining = -1;
    if (selection_is_plain(selection)) {
        found.records =
            store->ops->list(store, selection->prefix, after, limit, ret_count, &remaining);
        *ret_more = remaining > 0;
        *ret_remaining = (int64_t)remaining;
        return found.records;
    }
    /* One more than wanted tells whether there are more. */
    found = is_single(selection) ? collect_single(selection, store, after)
                                 : collect_matching(selection, store, after, limit ? limit + 1 : 0);
    *ret_more = limit && found.count > limit;
    if (*ret_more)
        record_unref(found.records[--found.count]);
    *ret_count = found.count;
    return found.records;
}

char *selection_watch_prefix(const struct selection *selection)
{
    return str_printf("%s%s", selection->prefix, is_single(selection) ? selection->only_name : "");
}
