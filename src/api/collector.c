/* api/collector.c - garbage: dependents of what is gone, and the contents of dying namespaces. */
#include "api/collector.h"
#include "api/delete.h"
#include "api/dependents.h"
#include "api/index.h"
#include "api/internal.h"
#include "api/namespaces.h"
#include "api/scan.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/object.h"
#include <stdlib.h>
#include <string.h>

enum { LOOKS_PER_TURN = 64, WRITES_MAX = 64, RETRY_MS = 5000, NAMESPACE_BATCH = 256 };

struct collector {
    struct api *api;
    struct store_watch *source;
    struct dependents *dependents;
    struct map *queue;  /* keys to look at */
    struct map *failed; /* keys whose write failed, for the retry */
    struct map *dying;  /* names of namespaces being deleted */
    struct loop_source *turn, *retry;
    unsigned write_count;
};

static struct store *store_of(const struct collector *collector) { return collector->api->store; }

/* --- the queue --- */

static void take_turn(void *arg);

static void run_soon(struct collector *collector)
{
    if (!collector->turn && collector->write_count < WRITES_MAX && map_count(collector->queue))
        collector->turn = loop_defer(collector->api->loop, take_turn, collector);
}

static void look_at(struct collector *collector, const char *key)
{
    map_set(collector->queue, key, NULL);
    run_soon(collector);
}

static void look_at_all(struct collector *collector, const struct map *keys)
{
    const char *key;

    for (size_t at = 0; keys && map_next(keys, &at, &key, NULL);)
        look_at(collector, key);
}

static void retry_due(void *arg)
{
    struct collector *collector = arg;
    struct map *failed = collector->failed;

    loop_source_free(take_pointer(collector->retry));
    collector->failed = map_new(NULL);
    look_at_all(collector, failed);
    map_free(failed);
}

/* --- writes --- */

struct errand {
    struct collector *collector;
    char *key;
};

static void errand_free(void *arg)
{
    struct errand *errand = arg;

    free(errand->key);
    free(errand);
}

/* Not found and conflict are fine: somebody else changed it, and the change is looked at. */
static void errand_done(void *arg, const struct write *write, const struct failure *failure,
                        const struct record *record, const json_t *object)
{
    struct errand *errand = arg;
    struct collector *collector = errand->collector;

    collector->write_count--;
    if (failure && failure->err.code != ERR_NOT_FOUND && failure->err.code != ERR_CONFLICT) {
        log_warning("garbage collection of %s: %s; trying again", errand->key,
                    failure->message ? failure->message : failure->err.text);
        map_set(collector->failed, errand->key, NULL);
        if (!collector->retry)
            collector->retry = loop_timer(collector->api->loop, RETRY_MS, retry_due, collector);
    }
    errand_free(errand);
    run_soon(collector);
}

/* A write of the object behind 'key' in the server's own name; NULL for a kind unknown here. */
static struct write *write_for(struct collector *collector, const char *key)
{
    const struct kind *kind = index_kind(key);
    struct resource *resource = kind ? resource_of(&collector->api->resources, kind) : NULL;
    const char *name = strrchr(key, '/') + 1;
    struct errand *errand;
    struct write *write;

    if (!kind)
        return NULL;
    const char *scope = key + strlen(resource->prefix);
    auto_free char *namespace_name = str_dup_part(scope, strcspn(scope, "/"));
    write = write_new(collector->api, resource,
                      resource_is_namespaced(resource) ? namespace_name : NULL, name);
    errand = mem_new(struct errand);
    *errand = (struct errand){ collector, str_dup(key) };
    write->is_system = true;
    write->done = errand_done;
    write->drop = errand_free;
    write->arg = errand;
    return write;
}

static void start(struct collector *collector, struct write *write)
{
    collector->write_count++;
    write_start(write);
}

static void delete_object(struct collector *collector, const char *key, const char *uid)
{
    struct delete_options options = { .grace_seconds = -1, .uid = (char *)uid };
    struct write *write = write_for(collector, key);

    if (!write)
        return;
    delete_prepare(write, &options);
    start(collector, write);
}

static int make_without_finalizer(struct write *write, const json_t *old, json_t **ret_object,
                                  struct failure *failure)
{
    *ret_object = json_deep_copy(old);
    delete_set_finalizer(*ret_object, json_string_value(write->body), false);
    return 0;
}

static void remove_finalizer(struct collector *collector, const char *key, const char *finalizer)
{
    struct write *write = write_for(collector, key);

    if (!write)
        return;
    write->body = json_string(finalizer);
    write->make = make_without_finalizer;
    start(collector, write);
}

/* write->body lists the UIDs of the owners that are let go. */
static int make_without_owners(struct write *write, const json_t *old, json_t **ret_object,
                               struct failure *failure)
{
    json_t *object = json_deep_copy(old);
    json_t *owners = json_at(object, "metadata.ownerReferences");

    for (size_t i = json_array_size(owners); i-- > 0;) {
        const char *uid = json_text_at(json_array_get(owners, i), "uid", "");
        json_t *gone;
        size_t index;

        json_array_foreach (write->body, index, gone)
            if (str_equal(json_string_value(gone), uid)) {
                json_array_remove(owners, i);
                break;
            }
    }
    if (json_array_size(owners) == 0)
        json_remove_at(object, "metadata.ownerReferences");
    *ret_object = object;
    return 0;
}

static void remove_owners(struct collector *collector, const char *key, json_t *take_uids)
{
    struct write *write = write_for(collector, key);

    if (!write) {
        json_decref(take_uids);
        return;
    }
    write->body = take_uids;
    write->make = make_without_owners;
    start(collector, write);
}

static int make_empty_namespace(struct write *write, const json_t *old, json_t **ret_object,
                                struct failure *failure)
{
    *ret_object = json_deep_copy(old);
    json_remove_at(*ret_object, "spec.finalizers");
    return 0;
}

/* --- owners --- */

/* Whether the object that 'owner' of the dependent 'key' names is there. What can't be resolved
 * counts as there: nothing is deleted on a guess. */
static bool owner_exists(struct collector *collector, const struct record *dependent,
                         const json_t *owner)
{
    const struct kind *kind =
        kind_find_object(json_text_at(owner, "apiVersion", ""), json_text_at(owner, "kind", ""));
    bool namespaced = kind && (kind->flags & KIND_NAMESPACED);
    const char *scope = namespaced ? index_namespace(dependent) : "";

    if (!kind || (kind->flags & KIND_READ_ONLY) || (namespaced && !*scope))
        return true;
    auto_free char *key =
        object_key(kind->group, kind->plural, scope, json_text_at(owner, "name", ""));
    auto_clean(record_unref_auto) struct record *record =
        store_of(collector)->ops->get(store_of(collector), key);
    return record && scan_equals(scan_path(scan_text(record->bytes, record->size), "metadata.uid"),
                                 json_text_at(owner, "uid", ""));
}

static void check_owners(struct collector *collector, const struct record *record,
                         const json_t *object)
{
    const json_t *owners = json_at(object, "metadata.ownerReferences");
    json_t *gone = json_array(), *owner;
    size_t index;

    json_array_foreach (owners, index, owner)
        if (!owner_exists(collector, record, owner))
            json_array_append(gone, json_object_get(owner, "uid"));
    if (json_array_size(gone) == 0) {
        json_decref(gone);
    } else if (json_array_size(gone) < json_array_size(owners)) {
        remove_owners(collector, record->key, gone);
    } else {
        json_decref(gone);
        if (!object_is_deleting(object))
            delete_object(collector, record->key, object_uid(object));
    }
}

/* --- deletions that wait for dependents --- */

/* Whether the dependent insists that its owner stays until it is gone. */
static bool blocks(const json_t *dependent, const char *owner_uid)
{
    const json_t *owners = json_at(dependent, "metadata.ownerReferences");
    size_t index;
    json_t *owner;

    json_array_foreach (owners, index, owner)
        if (str_equal(json_text_at(owner, "uid", ""), owner_uid))
            return json_bool_at(owner, "blockOwnerDeletion", false);
    return false;
}

static void delete_dependents(struct collector *collector, const char *key, const char *uid)
{
    const struct map *keys = dependents_of(collector->dependents, uid);
    struct store *store = store_of(collector);
    bool is_blocked = false;
    const char *dependent_key;

    for (size_t at = 0; keys && map_next(keys, &at, &dependent_key, NULL);) {
        auto_clean(record_unref_auto) struct record *record = store->ops->get(store, dependent_key);
        auto_json json_t *dependent = record ? object_decode(record) : NULL;

        if (!dependent)
            continue;
        is_blocked |= blocks(dependent, uid);
        if (!object_is_deleting(dependent))
            delete_object(collector, dependent_key, object_uid(dependent));
    }
    if (!is_blocked)
        remove_finalizer(collector, key, FINALIZER_FOREGROUND);
}

static void orphan_dependents(struct collector *collector, const char *key, const char *uid)
{
    const struct map *keys = dependents_of(collector->dependents, uid);
    const char *dependent_key;

    for (size_t at = 0; keys && map_next(keys, &at, &dependent_key, NULL);)
        remove_owners(collector, dependent_key, json_pack("[s]", uid));
    if (!keys)
        remove_finalizer(collector, key, FINALIZER_ORPHAN);
}

/* --- namespaces --- */

/* Asks for the deletion of all objects of a kind in a namespace; whether there are any. */
static bool empty_kind(struct collector *collector, const struct resource *resource,
                       const char *name)
{
    struct store *store = store_of(collector);
    auto_free char *prefix = resource_key(resource, name, NULL);
    size_t count, remaining = 0;
    struct record **records =
        store->ops->list(store, prefix, NULL, NAMESPACE_BATCH, &count, &remaining);

    for (size_t i = 0; i < count; i++) {
        struct scan metadata =
            scan_member(scan_text(records[i]->bytes, records[i]->size), "metadata");
        auto_free char *uid = scan_copy(scan_member(metadata, "uid"));

        if (!scan_member(metadata, "deletionTimestamp").at)
            delete_object(collector, records[i]->key, uid);
    }
    record_list_free(records, count);
    return count > 0;
}

static void empty_namespace(struct collector *collector, const char *key, const char *name)
{
    const struct resources *resources = &collector->api->resources;
    bool has_content = false;
    struct write *write;

    map_set(collector->dying, name, NULL);
    for (size_t i = 0; i < resources->count; i++)
        if (resource_is_namespaced(&resources->items[i]))
            has_content |= empty_kind(collector, &resources->items[i], name);
    if (has_content)
        return;
    write = write_for(collector, key);
    write->make = make_empty_namespace;
    start(collector, write);
}

/* --- looking --- */

static void examine(struct collector *collector, const struct record *record)
{
    auto_json json_t *object = object_decode(record);
    const struct kind *kind = index_kind(record->key);

    if (index_has_owners(record))
        check_owners(collector, record, object);
    if (!object_is_deleting(object) || !kind)
        return;
    if (object_has_finalizer(object, FINALIZER_ORPHAN))
        orphan_dependents(collector, record->key, object_uid(object));
    else if (object_has_finalizer(object, FINALIZER_FOREGROUND))
        delete_dependents(collector, record->key, object_uid(object));
    else if (is_namespace(kind))
        empty_namespace(collector, record->key, object_name(object));
}

static void look(struct collector *collector, const char *key)
{
    struct store *store = store_of(collector);
    auto_clean(record_unref_auto) struct record *record = store->ops->get(store, key);

    if (record)
        examine(collector, record);
}

static void take_turn(void *arg)
{
    struct collector *collector = arg;
    const char *key;

    loop_source_free(take_pointer(collector->turn));
    for (int i = 0; i < LOOKS_PER_TURN && collector->write_count < WRITES_MAX; i++) {
        size_t at = 0;

        if (!map_next(collector->queue, &at, &key, NULL))
            break;
        auto_free char *own = str_dup(key);
        map_remove(collector->queue, own);
        look(collector, own);
    }
    run_soon(collector);
}

/* --- changes --- */

static bool deserves_a_look(const struct record *record)
{
    return index_has_owners(record) ||
           scan_path(scan_text(record->bytes, record->size), "metadata.deletionTimestamp").at;
}

static void look_at_namespace(struct collector *collector, const char *name)
{
    if (!map_has(collector->dying, name))
        return;
    auto_free char *key = object_key("", "namespaces", "", name);
    look_at(collector, key);
}

/* Owners may wait for this one to go, or to let go of them. */
static void look_at_owners(struct collector *collector, const struct record *record)
{
    struct scan owners, name, owner;

    owners = scan_path(scan_text(record->bytes, record->size), "metadata.ownerReferences");
    for (const char *at = NULL; scan_next(owners, &at, &name, &owner);) {
        auto_free char *api_version = scan_copy(scan_member(owner, "apiVersion"));
        auto_free char *kind_name = scan_copy(scan_member(owner, "kind"));
        auto_free char *owner_name = scan_copy(scan_member(owner, "name"));
        const struct kind *kind =
            api_version && kind_name ? kind_find_object(api_version, kind_name) : NULL;

        if (!kind || !owner_name)
            continue;
        auto_free char *key =
            object_key(kind->group, kind->plural,
                       kind->flags & KIND_NAMESPACED ? index_namespace(record) : "", owner_name);
        look_at(collector, key);
    }
}

static void look_around_deleted(struct collector *collector, const struct record *record)
{
    struct scan text = scan_text(record->bytes, record->size);
    auto_free char *uid = scan_copy(scan_path(text, "metadata.uid"));
    const struct kind *kind = index_kind(record->key);

    if (uid)
        look_at_all(collector, dependents_of(collector->dependents, uid));
    look_at_owners(collector, record);
    if (kind && is_namespace(kind))
        map_remove(collector->dying, index_name(record));
    else
        look_at_namespace(collector, index_namespace(record));
}

static void changed(void *arg, const struct store_event *change)
{
    struct collector *collector = arg;
    bool is_gone = change->type == STORE_DELETED;

    dependents_update(collector->dependents, change->previous, is_gone ? NULL : change->record);
    if (is_gone) {
        if (!change->previous)
            dependents_update(collector->dependents, change->record, NULL);
        look_around_deleted(collector, change->record);
        return;
    }
    if (deserves_a_look(change->record))
        look_at(collector, change->record->key);
    if (change->previous && index_has_owners(change->previous))
        look_at_owners(collector, change->previous);
}

static void look_at_stored(struct collector *collector)
{
    struct store *store = store_of(collector);
    size_t count;
    struct record **records = store->ops->list(store, "/", NULL, 0, &count, NULL);

    for (size_t i = 0; i < count; i++) {
        dependents_update(collector->dependents, NULL, records[i]);
        if (deserves_a_look(records[i]))
            look_at(collector, records[i]->key);
    }
    record_list_free(records, count);
}

struct collector *collector_new(struct api *api)
{
    struct collector *collector = mem_new(struct collector);
    struct store *store = api->store;
    struct err err;

    *collector = (struct collector){ .api = api,
                                     .dependents = dependents_new(),
                                     .queue = map_new(NULL),
                                     .failed = map_new(NULL),
                                     .dying = map_new(NULL) };
    look_at_stored(collector);
    collector->source =
        store->ops->watch(store, "/", store->ops->revision(store), changed, collector, &err);
    if (!collector->source)
        abort(); /* the current revision can always be watched */
    return collector;
}

void collector_free(struct collector *collector)
{
    if (!collector)
        return;
    store_of(collector)->ops->watch_free(collector->source);
    loop_source_free(collector->turn);
    loop_source_free(collector->retry);
    dependents_free(collector->dependents);
    map_free(collector->queue);
    map_free(collector->failed);
    map_free(collector->dying);
    free(collector);
}
