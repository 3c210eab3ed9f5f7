/* control/results.c - values of driver calls, by object and name. */
#include "control/results.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/internal.h"
#include <stdlib.h>

static char *result_id(const char *key, const char *name) { return str_printf("%s#%s", key, name); }

void *work_result(struct work *work, const char *name)
{
    auto_free char *id = result_id(work->key, name);

    return map_get(work->control->results, id);
}

void work_result_keep(struct work *work, const char *name, int64_t number)
{
    work_result_keep_bytes(work, name, &number, sizeof number);
}

void work_result_keep_bytes(struct work *work, const char *name, const void *value, size_t size)
{
    auto_free char *id = result_id(work->key, name);

    map_set(work->control->results, id, mem_copy(value, size));
}

void work_result_forget(struct work *work, const char *name)
{
    auto_free char *id = result_id(work->key, name);

    map_remove(work->control->results, id);
}

struct carrier {
    struct done done;        /* of the operation; knows when the control has gone */
    struct carrier_link *link;
    char *key, *op;
    uint64_t life;           /* of the object */
};

/* Shared by carrier and control, so that the control can cut it off. */
struct carrier_link {
    struct control *control; /* NULL: gone */
    struct carrier_link *previous, *next;
};

struct carrier *carrier_new(struct work *work, const char *op)
{
    struct carrier *carrier = mem_new(struct carrier);
    struct carrier_link *link = mem_new(struct carrier_link);
    struct control *control = work->control;

    *link = (struct carrier_link){ control, NULL, control->carrier_first };
    if (control->carrier_first)
        control->carrier_first->previous = link;
    control->carrier_first = link;
    *carrier = (struct carrier){ work_op_done(work, op), link, str_dup(work->key), str_dup(op),
                                  entry_get(control, work->key)->life };
    return carrier;
}

void carriers_cut_off(struct control *control)
{
    for (struct carrier_link *link = control->carrier_first; link; link = link->next)
        link->control = NULL;
    control->carrier_first = NULL;
}

static void keep(struct carrier *carrier, const char *name, const void *value, size_t size)
{
    struct control *control = carrier->link->control;
    auto_free char *id = result_id(carrier->key, name);

    struct entry *entry = control ? entry_get(control, carrier->key) : NULL;

    if (entry && entry->life == carrier->life)
        map_set(control->results, id, mem_copy(value, size));
}

void carrier_interim(struct carrier *carrier, const char *name, const void *value, size_t size)
{
    keep(carrier, name, value, size);
    if (carrier->link->control)
        control_wake_key(carrier->link->control, carrier->key);
}

static void unlink_carrier(struct carrier_link *link)
{
    if (!link->control)
        return;
    if (link->previous)
        link->previous->next = link->next;
    else
        link->control->carrier_first = link->next;
    if (link->next)
        link->next->previous = link->previous;
}

void carrier_end(struct carrier *carrier, const struct err *err, const void *value, size_t size)
{
    if (!err && value)
        keep(carrier, carrier->op, value, size);
    unlink_carrier(carrier->link);
    done_call(carrier->done, err);
    free(carrier->link);
    free(carrier->key);
    free(carrier->op);
    free(carrier);
}

static bool belongs_to(const char *id, const char *key)
{
    size_t length = __builtin_strlen(key);

    return str_starts(id, key) && id[length] == '#';
}

void results_forget(struct control *control, const char *key)
{
    const char *id;

    if (map_count(control->results) == 0)
        return;
    for (size_t at = 0; map_next(control->results, &at, &id, NULL);)
        if (belongs_to(id, key))
            map_remove(control->results, id);
}

void control_keep_result(struct control *control, const struct kind *kind, const char *namespace_name,
                         const char *name, const char *result, int64_t number)
{
    auto_free char *key = key_of(kind, namespace_name, name);
    auto_free char *id = result_id(key, result);

    if (entry_get(control, key))
        map_set(control->results, id, mem_copy(&number, sizeof number));
}
