/* control/write.c - writing objects: the same bytes as the API writes, compare-and-swap always. */
#include "control/internal.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/random.h"
#include "base/str.h"
#include "store/object.h"
#include <stdlib.h>

/* A write on its way. 'control' is NULL once the control has gone. */
struct pending {
    struct control *control;
    pending_fn *fn;
    void *arg;
    struct pending *previous, *next;
};

static struct pending *pending_new(struct control *control, pending_fn *fn, void *arg)
{
    struct pending *pending = mem_new(struct pending);

    *pending = (struct pending){ control, fn, arg, NULL, control->pending_first };
    if (control->pending_first)
        control->pending_first->previous = pending;
    control->pending_first = pending;
    return pending;
}

static void pending_unlink(struct pending *pending)
{
    if (pending->previous)
        pending->previous->next = pending->next;
    else
        pending->control->pending_first = pending->next;
    if (pending->next)
        pending->next->previous = pending->previous;
}

static void written(void *arg, const struct err *err, const struct record *record)
{
    struct pending *pending = arg;

    if (pending->control)
        pending_unlink(pending);
    pending->fn(pending->control, pending->arg, err);
    free(pending);
}

void write_cut_off(struct control *control)
{
    for (struct pending *pending = control->pending_first; pending; pending = pending->next)
        pending->control = NULL;
    control->pending_first = NULL;
}

void write_put(struct control *control, const char *key, const json_t *object, int64_t expected,
               pending_fn *fn, void *arg)
{
    auto_buf struct buf text = { 0 };
    struct store_value value;
    struct store *store = control->setup.store;

    object_encode(object, &text, &value);
    store->ops->put(store, key, value, expected, written, pending_new(control, fn, arg));
}

void write_remove(struct control *control, const char *key, const json_t *object, int64_t expected,
                  pending_fn *fn, void *arg)
{
    auto_buf struct buf text = { 0 };
    struct store_value value;
    struct store *store = control->setup.store;

    object_encode(object, &text, &value);
    store->ops->remove(store, key, value, expected, written, pending_new(control, fn, arg));
}

char *key_of(const struct kind *kind, const char *namespace_name, const char *name)
{
    return object_key(kind->group, kind->plural,
                      kind->flags & KIND_NAMESPACED ? namespace_name : "", name);
}

/* --- writes of other objects, for controllers --- */

/* Also after the end: an operation's 'done' frees itself then, and calls nobody. */
static void tell_done(struct control *control, void *arg, const struct err *err)
{
    struct done *done = arg;

    done_call(*done, err);
    free(done);
}

static char *key_of_object(const struct kind *kind, const json_t *object)
{
    return key_of(kind, object_namespace(object), object_name(object));
}

void control_create(struct control *control, const struct kind *kind, json_t *take_object,
                    struct done done)
{
    auto_json json_t *object = take_object;
    char uid[UUID_TEXT_SIZE], now[32];

    random_uuid(uid);
    time_format(control_wall_ms(control), now, sizeof now);
    json_object_set_new(object, "apiVersion", json_string(kind_api_version(kind)));
    json_object_set_new(object, "kind", json_string(kind->name));
    json_set_at(object, "metadata.uid", json_string(uid));
    json_set_at(object, "metadata.creationTimestamp", json_string(now));
    if (!(kind->flags & KIND_NO_GENERATION))
        json_set_at(object, "metadata.generation", json_integer(1));
    kind_default(kind, object);
    if (control_finalizer(kind))
        json_set_at(object, "metadata.finalizers", json_pack("[s]", control_finalizer(kind)));

    auto_free char *key = key_of_object(kind, object);
    write_put(control, key, object, STORE_MUST_NOT_EXIST, tell_done, mem_copy(&done, sizeof done));
}

static void count_change(struct control *control, const char *key, json_t *object)
{
    struct store *store = control->setup.store;
    auto_clean(record_unref_auto) struct record *record = store->ops->get(store, key);
    auto_json json_t *old = record ? decoded_get(control->decoded, record) : NULL;

    if (old)
        object_count_change(object, old);
}

void control_update(struct control *control, const struct kind *kind, json_t *take_object,
                    struct done done)
{
    auto_json json_t *object = take_object;
    auto_free char *key = key_of_object(kind, object);

    if (!(kind->flags & KIND_NO_GENERATION))
        count_change(control, key, object);
    write_put(control, key, object, object_revision(object), tell_done,
              mem_copy(&done, sizeof done));
}

static void mark_deleting(struct control *control, const struct kind *kind, json_t *object)
{
    char now[32];

    time_format(control_wall_ms(control), now, sizeof now);
    json_set_at(object, "metadata.deletionTimestamp", json_string(now));
    json_set_at(object, "metadata.deletionGracePeriodSeconds", json_integer(0));
    if (!(kind->flags & KIND_NO_GENERATION))
        json_set_at(object, "metadata.generation",
                    json_integer(json_int_at(object, "metadata.generation", 1) + 1));
}

void control_delete(struct control *control, const struct kind *kind, const char *namespace_name,
                    const char *name, struct done done)
{
    auto_json json_t *object = control_find(control, kind, namespace_name, name);
    auto_free char *key = key_of(kind, namespace_name, name);
    struct done *answer = mem_copy(&done, sizeof done);

    if (!object)
        object = json_pack("{s:{}}", "metadata"); /* the store answers that it is not there */
    if (json_array_size(json_at(object, "metadata.finalizers")) == 0) {
        write_remove(control, key, object, object_revision(object), tell_done, answer);
        return;
    }
    if (!object_is_deleting(object))
        mark_deleting(control, kind, object);
    write_put(control, key, object, object_revision(object), tell_done, answer);
}
