/* control/watch.c - from store events to the queue. */
#include "control/internal.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/object.h"
#include <stdlib.h>
#include <string.h>

const struct controller *controller_of_kind(const struct kind *kind)
{
    for (const struct controller *const *controller = all_controllers; *controller; controller++)
        if ((*controller)->kind == kind)
            return *controller;
    return NULL;
}

const struct controller *controller_of_key(const char *key)
{
    for (const struct controller *const *controller = all_controllers; *controller; controller++) {
        const struct kind *kind = (*controller)->kind;
        size_t group = strlen(kind->group), plural = strlen(kind->plural);

        if (key[0] == '/' && strncmp(key + 1, kind->group, group) == 0 && key[group + 1] == '/' &&
            strncmp(key + group + 2, kind->plural, plural) == 0 && key[group + plural + 2] == '/')
            return *controller;
    }
    return NULL;
}

static void remember_uid(struct control *control, struct entry *entry, const struct record *record)
{
    auto_json json_t *object = object_decode(record);

    if (str_equal(entry->uid, object_uid(object)))
        return;
    if (entry->uid[0])
        map_remove(control->keys_by_uid, entry->uid);
    free(entry->uid);
    entry->uid = str_dup(object_uid(object));
    map_set(control->keys_by_uid, entry->uid, str_dup(entry->key));
}

static void object_seen(struct control *control, const struct controller *controller,
                        const struct record *record)
{
    struct entry *entry = entry_ensure(control, controller, record->key);

    /* A uid changes only when an object of the same name is made anew. */
    if (!entry->uid[0] || record->created == record->revision)
        remember_uid(control, entry, record);
    entry_queue(entry);
}

static void object_went(struct control *control, const char *key)
{
    struct entry *entry = entry_get(control, key);

    if (!entry)
        return;
    if (entry->uid[0])
        map_remove(control->keys_by_uid, entry->uid);
    free(entry->uid);
    entry->uid = str_dup("");
    entry_drop(entry);
}

/* Those who look at all objects of the kind, in the namespace. */
static void wake_lookers_at_all(struct control *control, const char *key)
{
    const char *slash = strrchr(key, '/');
    auto_free char *folder = slash ? str_dup_part(key, (size_t)(slash - key) + 1) : NULL;

    if (folder)
        dependencies_wake(control, folder);
}

static void on_event(void *arg, const struct store_event *event)
{
    struct control *control = arg;
    const struct controller *controller = controller_of_key(event->record->key);

    if (controller && event->type == STORE_DELETED)
        object_went(control, event->record->key);
    else if (controller)
        object_seen(control, controller, event->record);
    dependencies_wake(control, event->record->key);
    wake_lookers_at_all(control, event->record->key);
}

static void list_kind(struct control *control, const struct controller *controller)
{
    auto_free char *prefix = key_of(controller->kind, NULL, NULL);
    struct store *store = control->setup.store;
    size_t count;
    struct record **records = store->ops->list(store, prefix, NULL, 0, &count, NULL);

    for (size_t i = 0; i < count; i++)
        object_seen(control, controller, records[i]);
    record_list_free(records, count);
}

int watch_start(struct control *control, struct err *err)
{
    struct store *store = control->setup.store;

    for (const struct controller *const *controller = all_controllers; *controller; controller++)
        list_kind(control, *controller);
    control->watch = store->ops->watch(store, "/", store->ops->revision(store), on_event, control, err);
    return control->watch ? 0 : -1;
}
