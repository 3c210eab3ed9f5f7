/* control/reconcile.c - one call of a controller and the write-back of what it changed. */
#include "control/internal.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/object.h"
#include <stdlib.h>

enum { WRITE_RETRY_MS = 1000, WRITE_RETRY_MAX_MS = 30 * 1000 };

static void add_finalizer(json_t *object, const char *finalizer)
{
    if (!json_is_array(json_at(object, "metadata.finalizers")))
        json_set_at(object, "metadata.finalizers", json_array());
    json_array_append_new(json_at(object, "metadata.finalizers"), json_string(finalizer));
}

static void remove_finalizer(json_t *object, const char *finalizer)
{
    json_t *list = json_at(object, "metadata.finalizers");

    for (size_t i = json_array_size(list); i-- > 0;)
        if (str_equal(json_string_value(json_array_get(list, i)), finalizer))
            json_array_remove(list, i);
    if (json_array_size(list) == 0)
        json_remove_at(object, "metadata.finalizers");
}

static void observe_generation(const struct controller *controller, json_t *object)
{
    if ((controller->kind->flags & KIND_HAS_STATUS) &&
        !(controller->kind->flags & KIND_NO_GENERATION))
        json_set_at(object, "status.observedGeneration",
                    json_integer(json_int_at(object, "metadata.generation", 1)));
}

/* Calls the part of the controller that the object's state asks for. */
static struct verdict call_controller(struct work *work)
{
    const struct controller *controller = work->controller;
    const char *finalizer = controller->finalizer;
    bool has_finalizer = finalizer && object_has_finalizer(work->object, finalizer);
    bool gone = false;
    struct verdict verdict = VERDICT_SETTLED;

    if (object_is_deleting(work->object)) {
        if (!has_finalizer)
            return VERDICT_SETTLED;
        verdict = controller->finalize(work, &gone);
        if (gone)
            remove_finalizer(work->object, finalizer);
        return verdict;
    }
    if (finalizer && !has_finalizer) {
        /* Stored before anything is made in the world, so that nothing made is ever forgotten. */
        add_finalizer(work->object, finalizer);
        return VERDICT_SETTLED;
    }
    return controller->reconcile(work);
}

static int64_t write_retry_ms(unsigned failures)
{
    int64_t delay_ms = WRITE_RETRY_MS;

    while (--failures && delay_ms < WRITE_RETRY_MAX_MS)
        delay_ms *= 2;
    return delay_ms;
}

static void write_back_answered(struct entry *entry, const struct err *err)
{
    bool again_at_once = entry->is_stale || (err && err->code == ERR_CONFLICT);

    entry->is_writing = entry->is_stale = false;
    if (entry->gone) {
        entry_drop(entry);
        return;
    }
    if (!err)
        entry->write_failures = 0;
    else if (err->code != ERR_CONFLICT && err->code != ERR_NOT_FOUND)
        log_warning("%s: status not written: %s", entry->key, err->text);
    if (err && !again_at_once)
        entry_queue_after(entry, write_retry_ms(++entry->write_failures));
    else
        entry_queue(entry);
}

/* The entry is named by key: it may be gone. */
static void write_back_done(struct control *control, void *arg, const struct err *err)
{
    auto_free char *key = arg;
    struct entry *entry = control ? entry_get(control, key) : NULL;

    if (entry)
        write_back_answered(entry, err);
}

static void write_back(struct entry *entry, const json_t *object)
{
    bool is_last = object_is_deleting(object) &&
                   json_array_size(json_at(object, "metadata.finalizers")) == 0;

    entry->is_writing = true;
    (is_last ? write_remove : write_put)(entry->control, entry->key, object,
                                         object_revision(object), write_back_done,
                                         str_dup(entry->key));
}

static void copy_generation(const json_t *from, json_t *to)
{
    json_t *generation = json_object_get(from, "observedGeneration");

    if (generation && json_is_object(to))
        json_object_set(to, "observedGeneration", generation);
}

/* Whether there is more to tell than which generation was seen. */
static bool is_news(const json_t *before, const json_t *now)
{
    const json_t *old = json_at(before, "status.conditions");
    auto_json json_t *same = NULL;

    if (json_equal((json_t *)before, (json_t *)now))
        return false;
    same = json_deep_copy(now);
    copy_generation(json_at(before, "status"), json_at(same, "status"));
    for (size_t i = 0; i < json_array_size(old); i++)
        copy_generation(json_array_get(old, i), json_array_get(json_at(same, "status.conditions"), i));
    return !json_equal((json_t *)before, same);
}

static void look_at(struct entry *entry, const struct record *record)
{
    auto_json json_t *before = decoded_get(entry->control->decoded, record);
    auto_json json_t *object = json_deep_copy(before);
    struct work work = { entry->control, entry->controller, entry->key, object };

    dependencies_clear(entry);
    struct verdict verdict = call_controller(&work);
    /* That it was seen is told with what came of it: a write for that alone delays what is next. */
    bool waits = entry->running_ops > 0 && !is_news(before, object);
    if (!object_is_deleting(object) && !waits)
        observe_generation(entry->controller, object);
    if (!waits && !json_equal(before, object))
        write_back(entry, object);
    if (verdict.again_ms >= 0)
        entry_queue_after(entry, verdict.again_ms);
}

void reconcile_entry(struct entry *entry)
{
    struct store *store = entry->control->setup.store;

    if (entry->is_writing) {
        entry->is_stale = true;
        return;
    }
    auto_clean(record_unref_auto) struct record *record = store->ops->get(store, entry->key);
    if (record)
        look_at(entry, record);
    else
        entry_drop(entry);
}
