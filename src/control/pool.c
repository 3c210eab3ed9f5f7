/* control/pool.c - StoragePool: made once, measured every half minute. */
#include "control/control.h"
#include "control/results.h"
#include "control/storage_refs.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

enum { MEASURE_MS = 30 * 1000 };

struct promised {
    const char *pool;
    int64_t bytes, count;
};

static void add_volume(void *arg, const json_t *volume)
{
    struct promised *promised = arg;

    if (!str_equal(view_text(&kind_volume, volume, "spec.pool"), promised->pool))
        return;
    promised->count++;
    promised->bytes += view_bytes(&kind_volume, volume, "status.size");
}

static void set_bytes(json_t *object, const char *path, int64_t bytes)
{
    char text[32];

    quantity_format_bytes(bytes, text, sizeof text);
    json_set_at(object, path, json_string(text));
}

static void show(struct work *work, const struct pool_usage *usage)
{
    struct promised promised = { .pool = object_name(work->object) };

    control_each(work->control, &kind_volume, NULL, add_volume, &promised);
    set_bytes(work->object, "status.capacity", usage->capacity_bytes);
    set_bytes(work->object, "status.available", usage->available_bytes);
    set_bytes(work->object, "status.used", usage->used_bytes);
    set_bytes(work->object, "status.provisioned", promised.bytes);
    json_set_at(work->object, "status.volumes", json_integer(promised.count));
}

static void measured(void *arg, const struct err *err, const struct pool_usage *usage)
{
    carrier_end(arg, err, usage, sizeof *usage);
}

static struct verdict not_ready(struct work *work, const struct err *err)
{
    work_phase(work, err->code == ERR_NONE ? "Pending" : "Failed", err->code ? err->text : NULL);
    work_condition(work, "Ready", false, err->code ? "NotUsable" : "Preparing", "%s", err->text);
    return VERDICT_SETTLED;
}

/* Measures when the last reading is old; work_op_begin() has the call come back in time. */
static void measure(struct work *work, const struct storage_pool *pool)
{
    struct storage_driver *storage = control_setup(work->control)->storage;

    if (work_op_begin(work, "measure"))
        storage->ops->pool_read(storage, pool, measured, carrier_new(work, "measure"));
}

static bool is_due(struct work *work)
{
    int64_t *next_ms = work_result(work, "measured at"), now_ms = control_wall_ms(work->control);

    return !next_ms || now_ms >= *next_ms;
}

static struct verdict reconcile(struct work *work)
{
    struct storage_driver *storage = control_setup(work->control)->storage;
    struct storage_pool pool = storage_pool_of(work->object);
    const struct pool_usage *usage = work_result(work, "measure");
    struct err err = { 0 };

    if (!work_op_succeeded(work, "ensure")) {
        (void)work_op(work, "ensure", &err);
        if (work_op_begin(work, "ensure"))
            storage->ops->pool_ensure(storage, &pool, work_op_done(work, "ensure"));
        return not_ready(work, &err);
    }
    if (!usage || is_due(work)) {
        work_result_keep(work, "measured at", control_wall_ms(work->control) + MEASURE_MS);
        measure(work, &pool);
    }
    if (work_op(work, "measure", &err) == OP_FAILED) {
        (void)not_ready(work, &err);
        return VERDICT_AGAIN(MEASURE_MS);
    }
    if (!usage)
        return not_ready(work, &err);
    show(work, usage);
    work_phase(work, "Ready", NULL);
    work_condition(work, "Ready", true, "Usable", "volumes can be made here");
    return VERDICT_AGAIN(MEASURE_MS);
}

struct search {
    const char *pool;
    bool found;
};

static void look_for_use(void *arg, const json_t *volume)
{
    struct search *search = arg;

    search->found |= str_equal(view_text(&kind_volume, volume, "spec.pool"), search->pool);
}

static void look_for_snapshot(void *arg, const json_t *snapshot)
{
    struct search *search = arg;

    search->found |= str_equal(view_text(&kind_snapshot, snapshot, "status.pool"), search->pool);
}

/* The directory stays: it may hold what is not ours. */
static struct verdict finalize(struct work *work, bool *ret_gone)
{
    struct search search = { object_name(work->object), false };

    control_each(work->control, &kind_volume, NULL, look_for_use, &search);
    control_each(work->control, &kind_snapshot, NULL, look_for_snapshot, &search);
    *ret_gone = !search.found;
    work_phase(work, "Terminating", search.found ? "volumes are in it" : NULL);
    return VERDICT_AGAIN(1000);
}

const struct controller controller_pool = {
    .kind = &kind_storage_pool,
    .finalizer = "virga.dev/pool",
    .reconcile = reconcile,
    .finalize = finalize,
};
