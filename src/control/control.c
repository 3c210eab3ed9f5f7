/* control/control.c - putting the framework together, and what controllers call. */
#include "control/control.h"
#include "control/internal.h"
#include "control/strangers.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/object.h"
#include <stdlib.h>
#include <string.h>

const struct controller *const all_controllers[] = {
    &controller_host,   &controller_pool,   &controller_image, &controller_network,
    &controller_volume, &controller_snapshot, &controller_instance, &controller_balancer,
    &controller_instance_group, &controller_autoscaler, &controller_hpa, NULL,
};

/* --- extensions --- */

struct extension {
    void *state;
    void (*free_state)(void *state);
};

static void extension_free(void *pointer)
{
    struct extension *extension = pointer;

    if (extension->free_state)
        extension->free_state(extension->state);
    free(extension);
}

void *control_extension(struct control *control, const char *name)
{
    struct extension *extension = map_get(control->extensions, name);

    return extension ? extension->state : NULL;
}

void control_set_extension(struct control *control, const char *name, void *state,
                           void (*free_state)(void *state))
{
    struct extension *extension = mem_new(struct extension);

    *extension = (struct extension){ state, free_state };
    map_set(control->extensions, name, extension);
}

/* --- life --- */

static int start_controllers(struct control *control, struct err *err)
{
    for (const struct controller *const *controller = all_controllers; *controller; controller++)
        if ((*controller)->start && (*controller)->start(control, err) < 0)
            return err_wrap(err, "%s controller", (*controller)->kind->name);
    return 0;
}

struct control *control_new(const struct control_setup *setup, struct err *err)
{
    struct control *control = mem_new(struct control);

    control->setup = *setup;
    control->setup.host_name = control->host_name = str_dup(setup->host_name);
    control->setup.state_dir = control->state_dir = str_dup(setup->state_dir);
    control->entries = map_new(entry_free);
    control->keys_by_uid = map_new(free);
    control->extensions = map_new(extension_free);
    control->results = map_new(free);
    control->decoded = decoded_new();
    control->recorder = recorder_new(control);
    defaults_make(control);
    if (start_controllers(control, err) < 0 || watch_start(control, err) < 0) {
        control_free(control);
        return NULL;
    }
    strangers_find(control);
    return control;
}

void control_free(struct control *control)
{
    if (!control)
        return;
    queue_stop(control);
    write_cut_off(control);
    ops_cut_off(control);
    carriers_cut_off(control);
    if (control->watch)
        control->setup.store->ops->watch_free(control->watch);
    map_free(control->extensions);
    map_free(control->results);
    recorder_free(control->recorder);
    map_free(control->entries);
    map_free(control->dependents);
    map_free(control->keys_by_uid);
    decoded_free(control->decoded);
    free(control->host_name);
    free(control->state_dir);
    free(control);
}

/* --- what the daemon passes on --- */

static void wake_uid(struct control *control, const char *uid)
{
    const char *key = map_get(control->keys_by_uid, uid);

    if (!key)
        return;
    control_wake_key(control, key);
    dependencies_wake(control, key);
}

void control_machine_changed(struct control *control, const char *uid) { wake_uid(control, uid); }

void control_network_changed(struct control *control, const char *network_uid)
{
    wake_uid(control, network_uid);
}

void control_balancer_changed(struct control *control, const char *uid) { wake_uid(control, uid); }

/* --- reads --- */

const struct control_setup *control_setup(const struct control *control) { return &control->setup; }

int64_t control_wall_ms(const struct control *control) { return loop_wall_ms(control->setup.loop); }

static json_t *find_key(struct control *control, const char *key)
{
    struct store *store = control->setup.store;
    auto_clean(record_unref_auto) struct record *record = store->ops->get(store, key);

    return record ? object_decode(record) : NULL;
}

json_t *control_find(struct control *control, const struct kind *kind, const char *namespace_name,
                     const char *name)
{
    auto_free char *key = key_of(kind, namespace_name, name);

    return find_key(control, key);
}

bool control_has(struct control *control, const struct kind *kind, const char *namespace_name,
                 const char *name, bool *ret_is_deleting)
{
    static const char mark[] = "\"deletionTimestamp\"";
    struct store *store = control->setup.store;
    auto_free char *key = key_of(kind, namespace_name, name);
    auto_clean(record_unref_auto) struct record *record = store->ops->get(store, key);

    *ret_is_deleting = false;
    if (!record)
        return false;
    if (memmem(record->bytes, record->size, mark, sizeof mark - 1)) {
        auto_json json_t *object = object_decode(record);
        *ret_is_deleting = object_is_deleting(object);
    }
    return true;
}

json_t *work_find(struct work *work, const struct kind *kind, const char *namespace_name,
                  const char *name)
{
    auto_free char *key = key_of(kind, namespace_name, name);

    dependencies_add(entry_get(work->control, work->key), key);
    return find_key(work->control, key);
}

json_t *work_look(struct work *work, const struct kind *kind, const char *namespace_name, const char *name)
{
    auto_free char *key = key_of(kind, namespace_name, name);
    struct store *store = work->control->setup.store;
    auto_clean(record_unref_auto) struct record *record = store->ops->get(store, key);

    dependencies_add(entry_get(work->control, work->key), key);
    return record ? decoded_get(work->control->decoded, record) : NULL;
}

json_t *control_find_uid(struct control *control, const struct kind *kind, const char *uid)
{
    const char *key = map_get(control->keys_by_uid, uid);
    const struct controller *controller = key ? controller_of_key(key) : NULL;

    return controller && controller->kind == kind ? find_key(control, key) : NULL;
}

void control_each_mentioning(struct control *control, const struct kind *kind,
                             const char *namespace_name, const char *mention,
                             void (*fn)(void *arg, const json_t *object), void *arg)
{
    auto_free char *prefix = key_of(kind, namespace_name, NULL);
    struct store *store = control->setup.store;
    size_t count, length = strlen(mention);
    struct record **records = store->ops->list(store, prefix, NULL, 0, &count, NULL);

    for (size_t i = 0; i < count; i++) {
        if (!memmem(records[i]->bytes, records[i]->size, mention, length))
            continue;
        /* So many would only drive each other out. */
        auto_json json_t *object =
            count > DECODED_MAX ? object_decode(records[i]) : decoded_get(control->decoded, records[i]);
        fn(arg, object);
    }
    record_list_free(records, count);
}

void control_each(struct control *control, const struct kind *kind, const char *namespace_name,
                  void (*fn)(void *arg, const json_t *object), void *arg)
{
    control_each_mentioning(control, kind, namespace_name, "", fn, arg);
}

const char *control_finalizer(const struct kind *kind)
{
    const struct controller *controller = controller_of_kind(kind);

    return controller ? controller->finalizer : NULL;
}

void work_each(struct work *work, const struct kind *kind, const char *namespace_name,
               void (*fn)(void *arg, const json_t *object), void *arg)
{
    auto_free char *folder = key_of(kind, namespace_name, NULL);

    dependencies_add(entry_get(work->control, work->key), folder);
    control_each(work->control, kind, namespace_name, fn, arg);
}

void control_wake_key(struct control *control, const char *key)
{
    struct entry *entry = entry_get(control, key);

    if (entry)
        entry_queue(entry);
}

void control_wake(struct control *control, const struct kind *kind, const char *namespace_name,
                  const char *name)
{
    auto_free char *key = key_of(kind, namespace_name, name);

    control_wake_key(control, key);
}

/* --- shortcuts on the object in work --- */

void work_event(struct work *work, const char *type, const char *reason, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    auto_free char *message = str_vprintf(format, args);
    va_end(args);
    recorder_record(work->control->recorder, work->controller->kind, work->object, type, reason,
                    message);
}

void work_phase(struct work *work, const char *phase, const char *message)
{
    json_set_at(work->object, "status.phase", json_string(phase));
    if (message)
        json_set_at(work->object, "status.message", json_string_plain(message));
    else
        json_remove_at(work->object, "status.message");
}

void work_condition(struct work *work, const char *type, bool holds, const char *reason,
                    const char *format, ...)
{
    va_list args;

    va_start(args, format);
    auto_free char *message = str_vprintf(format, args);
    va_end(args);
    condition_set(work->object, type, holds ? "True" : "False", reason, message,
                  control_wall_ms(work->control));
}
