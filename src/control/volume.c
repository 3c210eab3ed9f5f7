/* control/volume.c - Volume: made once, grown on request, measured, removed when nobody has it. */
#include "control/control.h"
#include "control/instance_hold.h"
#include "control/results.h"
#include "control/storage_refs.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdlib.h>

enum { MEASURE_MS = 30 * 1000, LOOK_AGAIN_MS = 1000 };

/* What a volume stands on, looked up for one call. */
struct ground {
    json_t *pool, *image, *source, *snapshot;
};

static void ground_done(struct ground *ground)
{
    json_decref(ground->pool);
    json_decref(ground->image);
    json_decref(ground->source);
    json_decref(ground->snapshot);
}
#define auto_ground __attribute__((cleanup(ground_done)))

static void set_bytes(json_t *object, const char *path, int64_t bytes)
{
    char text[32];

    quantity_format_bytes(bytes, text, sizeof text);
    json_set_at(object, path, json_string(text));
}

static struct verdict waiting(struct work *work, const char *reason, const char *format, const char *name)
{
    auto_free char *message = str_printf("%s %s", format, name);

    work_phase(work, "Pending", message);
    work_condition(work, "Ready", false, reason, "%s", message);
    return VERDICT_SETTLED;
}

static bool is_ready(const json_t *object)
{
    return str_equal(json_text_at(object, "status.phase", NULL), "Ready");
}

/* The file was seen: status.size is written after that. */
static bool is_made(const struct work *work) { return json_at(work->object, "status.size") != NULL; }

static bool find_snapshot(struct work *work, const char *name, const char *pool, struct ground *ground,
                          struct verdict *ret_verdict)
{
    ground->snapshot = work_find(work, &kind_snapshot, object_namespace(work->object), name);
    if (!is_ready(ground->snapshot)) {
        *ret_verdict = waiting(work, "WaitingForSnapshot", "waiting for snapshot", name);
        return false;
    }
    if (str_equal(view_text(&kind_snapshot, ground->snapshot, "status.pool"), pool))
        return true;
    *ret_verdict = waiting(work, "OtherPool", "its source lies in another storage pool: snapshot", name);
    return false;
}

/* Finds what the volume needs; false with a verdict when something is not there yet. Once made it
 * needs its pool, but neither image nor source, and a pool that is just being measured will do. */
static bool find_ground(struct work *work, struct ground *ret_ground, struct verdict *ret_verdict)
{
    const char *pool = view_text(&kind_volume, work->object, "spec.pool");
    const char *image = view_text(&kind_volume, work->object, "spec.source.image");
    const char *source = view_text(&kind_volume, work->object, "spec.source.volume");
    const char *snapshot = view_text(&kind_volume, work->object, "spec.source.snapshot");

    ret_ground->pool = work_find(work, &kind_storage_pool, NULL, pool);
    if (is_made(work) && ret_ground->pool)
        return true;
    if (!is_ready(ret_ground->pool)) {
        *ret_verdict = waiting(work, "WaitingForPool", "waiting for storage pool", pool);
        return false;
    }
    ret_ground->image = image ? work_find(work, &kind_image, NULL, image) : NULL;
    if (image && !is_ready(ret_ground->image)) {
        *ret_verdict = waiting(work, "WaitingForImage", "waiting for image", image);
        return false;
    }
    ret_ground->source =
        source ? work_find(work, &kind_volume, object_namespace(work->object), source) : NULL;
    if (ret_ground->source && !str_equal(view_text(&kind_volume, ret_ground->source, "spec.pool"), pool)) {
        *ret_verdict = waiting(work, "OtherPool", "its source lies in another storage pool: volume", source);
        return false;
    }
    if (source && (!is_ready(ret_ground->source) ||
                   view_text(&kind_volume, ret_ground->source, "status.attachedTo"))) {
        *ret_verdict = waiting(work, "WaitingForVolume", "waiting for a detached volume", source);
        return false;
    }
    return !snapshot || find_snapshot(work, snapshot, pool, ret_ground, ret_verdict);
}

static int64_t wanted_bytes(struct work *work, const struct ground *ground)
{
    int64_t bytes = view_bytes(&kind_volume, work->object, "spec.size");

    if (!bytes && ground->image)
        bytes = view_bytes(&kind_image, ground->image, "status.virtualSize");
    if (!bytes && ground->source)
        bytes = view_bytes(&kind_volume, ground->source, "status.size");
    if (!bytes && ground->snapshot)
        bytes = view_bytes(&kind_snapshot, ground->snapshot, "status.diskSize");
    return bytes;
}

static void read_done(void *arg, const struct err *err, const struct volume_info *info)
{
    carrier_end(arg, err, info, sizeof *info);
}

static void begin_read(struct work *work, const struct ground *ground)
{
    struct storage_driver *storage = control_setup(work->control)->storage;
    struct storage_pool pool = storage_pool_of(ground->pool);

    if (work_op_begin(work, "read"))
        storage->ops->volume_read(storage, &pool, object_uid(work->object), read_done,
                                  carrier_new(work, "read"));
}

static void show_failure(struct work *work, const char *reason, const struct err *err)
{
    bool is_final = !err_is_retried(err->code);

    work_phase(work, is_final ? "Failed" : "Creating", err->text);
    work_condition(work, "Ready", false, reason, "%s", err->text);
}

static struct verdict create(struct work *work, const struct ground *ground)
{
    struct storage_driver *storage = control_setup(work->control)->storage;
    struct err err;
    struct volume_request request = {
        .pool = storage_pool_of(ground->pool),
        .uid = object_uid(work->object),
        .size_bytes = wanted_bytes(work, ground),
        .image_uid = ground->image ? object_uid(ground->image) : NULL,
        .volume_uid = ground->source ? object_uid(ground->source) : NULL,
        .parent_uid = ground->snapshot ? object_uid(ground->snapshot) : NULL,
    };

    if (work_op(work, "create", &err) == OP_FAILED)
        show_failure(work, "NotCreated", &err);
    else
        work_phase(work, "Creating", NULL);
    if (work_op_begin(work, "create"))
        storage->ops->volume_create(storage, &request, work_op_done(work, "create"));
    return VERDICT_SETTLED;
}

static void show_info(struct work *work, const struct volume_info *info)
{
    set_bytes(work->object, "status.size", info->size_bytes);
    set_bytes(work->object, "status.used", info->allocated_bytes);
    if (info->image_uid[0])
        json_set_at(work->object, "status.imageUID", json_string(info->image_uid));
    if (info->parent_uid[0])
        json_set_at(work->object, "status.snapshotUID", json_string(info->parent_uid));
}

/* --- growing --- */

struct user { /* the machine that has the volume */
    const char *uid;
    char *disk;
    enum machine_state state;
    bool disk_present;
};

static char *disk_name(struct work *work, const json_t *instance)
{
    const json_t *disks = view_list(&kind_instance, instance, "status.disks");

    if (str_equal(view_text(&kind_instance, instance, "status.rootVolume"), object_name(work->object)))
        return str_dup("root");
    for (size_t i = 0; i < json_array_size(disks); i++) {
        const json_t *disk = json_array_get(disks, i);
        if (str_equal(json_text_at(disk, "volume", NULL), object_name(work->object)))
            return str_dup(json_text_at(disk, "name", ""));
    }
    return NULL;
}

static void find_user(struct work *work, struct user *ret_user)
{
    struct compute *compute = control_setup(work->control)->compute;
    const char *name = view_text(&kind_volume, work->object, "status.attachedTo");
    auto_json json_t *instance =
        name ? work_find(work, &kind_instance, object_namespace(work->object), name) : NULL;
    struct machine_status status;

    *ret_user = (struct user){ .uid = view_text(&kind_volume, work->object, "status.attachedToUID") };
    if (!ret_user->uid)
        return;
    compute->ops->observe(compute, ret_user->uid, &status);
    ret_user->state = status.state;
    ret_user->disk = instance ? disk_name(work, instance) : NULL;
    for (unsigned i = 0; i < status.disk_count && ret_user->disk; i++)
        ret_user->disk_present |= str_equal(status.disks[i], ret_user->disk);
}

static bool has_process(const struct user *user)
{
    return user->uid && user->state != MACHINE_ABSENT && user->state != MACHINE_ENDED;
}

/* A machine is only ever started when the volume has its wanted size, so no machine can come up
 * between this look and the end of an offline growth. */
static struct verdict grow(struct work *work, const struct ground *ground, int64_t bytes)
{
    struct storage_driver *storage = control_setup(work->control)->storage;
    struct compute *compute = control_setup(work->control)->compute;
    struct storage_pool pool = storage_pool_of(ground->pool);
    struct user user;
    struct err err;

    work_result_forget(work, "read");
    work_condition(work, "Resized", false, "Growing", "growing to %lld bytes", (long long)bytes);
    if (work_op(work, "grow", &err) == OP_FAILED)
        work_condition(work, "Resized", false, "GrowFailed", "%s", err.text);
    find_user(work, &user);
    if ((has_process(&user) && !user.disk_present) || (user.uid && instance_is_held(work->control, user.uid))) {
        free(user.disk);
        return VERDICT_AGAIN(LOOK_AGAIN_MS);
    }
    if (work_op_begin(work, "grow")) {
        if (has_process(&user))
            compute->ops->disk_resize(compute, user.uid, user.disk, bytes, work_op_done(work, "grow"));
        else
            storage->ops->volume_grow(storage, &pool, object_uid(work->object), bytes,
                                      work_op_done(work, "grow"));
    }
    free(user.disk);
    return VERDICT_SETTLED;
}

/* --- the whole --- */

static bool reading_is_due(struct work *work)
{
    int64_t *next_ms = work_result(work, "read at");

    return !next_ms || control_wall_ms(work->control) >= *next_ms;
}

static void keep_measured(struct work *work, const struct ground *ground)
{
    if (!reading_is_due(work))
        return;
    work_result_keep(work, "read at", control_wall_ms(work->control) + MEASURE_MS);
    begin_read(work, ground);
}

/* One that succeeded and changed nothing is not tried again at once. */
static bool growth_is_due(struct work *work)
{
    int64_t *grown_ms = work_result(work, "grown at");

    return !grown_ms || control_wall_ms(work->control) >= *grown_ms + LOOK_AGAIN_MS;
}

static struct verdict settle(struct work *work, const struct ground *ground,
                             const struct volume_info *info)
{
    int64_t wanted = wanted_bytes(work, ground);

    if (work_op(work, "grow", NULL) == OP_RUNNING)
        return VERDICT_SETTLED;
    /* What was read before the growth ended is old. */
    if (work_op_succeeded(work, "grow")) {
        work_op_reset(work, "grow");
        work_result_keep(work, "grown at", control_wall_ms(work->control));
        work_result_forget(work, "read");
        begin_read(work, ground);
        return VERDICT_SETTLED;
    }
    show_info(work, info);
    if (wanted > info->size_bytes && growth_is_due(work))
        return grow(work, ground, wanted);
    if (wanted > info->size_bytes)
        return VERDICT_AGAIN(LOOK_AGAIN_MS);
    work_phase(work, "Ready", NULL);
    work_condition(work, "Ready", true, "Created", "it can be attached");
    if (condition_get(work->object, "Resized"))
        work_condition(work, "Resized", true, "Grown", "it has its wanted size");
    keep_measured(work, ground);
    return VERDICT_AGAIN(MEASURE_MS);
}

/* What was in it is lost; an empty one in its place would hide that. Looks whether it comes back. */
static struct verdict show_gone(struct work *work, const struct ground *ground)
{
    work_phase(work, "Failed", "its file is gone from the pool");
    work_condition(work, "Ready", false, "FileGone", "its file is gone from the pool");
    keep_measured(work, ground);
    return VERDICT_AGAIN(MEASURE_MS);
}

static struct verdict find_out(struct work *work, const struct ground *ground)
{
    struct err err;

    if (work_op(work, "read", &err) == OP_FAILED) {
        work_phase(work, is_made(work) ? "Failed" : "Pending", err.text);
        work_condition(work, "Ready", false, "NotReadable", "%s", err.text);
    }
    begin_read(work, ground);
    return VERDICT_SETTLED;
}

static struct verdict reconcile(struct work *work)
{
    auto_ground struct ground ground = { 0 };
    const struct volume_info *info = work_result(work, "read");
    struct verdict verdict = VERDICT_SETTLED;

    if (!find_ground(work, &ground, &verdict))
        return verdict;
    if (info && info->exists)
        return settle(work, &ground, info);
    if (info && is_made(work))
        return show_gone(work, &ground);
    if (info && !work_op_succeeded(work, "create"))
        return create(work, &ground);
    if (info)
        work_result_forget(work, "read");
    return find_out(work, &ground);
}

/* Detached, or held by an instance that is gone. */
static bool is_free(struct work *work)
{
    struct user user;

    find_user(work, &user);
    free(user.disk);
    if (!user.uid)
        return true;
    auto_json json_t *holder = control_find_uid(work->control, &kind_instance, user.uid);
    return !holder && !has_process(&user);
}

static struct verdict finalize(struct work *work, bool *ret_gone)
{
    struct storage_driver *storage = control_setup(work->control)->storage;
    const char *pool_name = view_text(&kind_volume, work->object, "spec.pool");
    auto_json json_t *pool = work_find(work, &kind_storage_pool, NULL, pool_name);

    if (!is_free(work)) {
        work_phase(work, "Terminating", "an instance has it attached");
        return VERDICT_AGAIN(LOOK_AGAIN_MS);
    }
    work_phase(work, "Terminating", NULL);
    if (work_op(work, "create", NULL) == OP_RUNNING || work_op(work, "grow", NULL) == OP_RUNNING)
        return VERDICT_SETTLED;
    *ret_gone = work_op_succeeded(work, "remove") || !pool;
    if (!*ret_gone && work_op_begin(work, "remove")) {
        struct storage_pool where = storage_pool_of(pool);
        storage->ops->volume_remove(storage, &where, object_uid(work->object),
                                    work_op_done(work, "remove"));
    }
    return VERDICT_SETTLED;
}

const struct controller controller_volume = {
    .kind = &kind_volume,
    .finalizer = "virga.dev/volume",
    .reconcile = reconcile,
    .finalize = finalize,
};
