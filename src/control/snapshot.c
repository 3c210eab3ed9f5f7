/* control/snapshot.c - Snapshot: taken once, kept while anybody stands on it. */
#include "control/snapshot.h"
#include "control/results.h"
#include "control/storage_refs.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

enum { ATTEMPTS_MAX = 3, LOOK_AGAIN_MS = 1000, LAUNCHING_MS = 200 };

#define ATTEMPTS "attempts"
#define NOT_BEFORE "not before"

/* --- the shot --- */

void shot_begin(struct shot *shot, struct work *work)
{
    struct compute *compute = control_setup(work->control)->compute;
    const char *uid;

    *shot = (struct shot){ .work = work,
                           .object = work->object,
                           .uid = object_uid(work->object),
                           .name = object_name(work->object),
                           .namespace_name = object_namespace(work->object) };
    uid = shot_text(shot, "status.instanceUID");
    shot->instance = work_find(work, &kind_instance, shot->namespace_name, shot_text(shot, "spec.instanceName"));
    if (shot->instance && uid && !str_equal(object_uid(shot->instance), uid)) {
        json_decref(shot->instance);
        shot->instance = NULL;
    }
    if (shot->instance)
        compute->ops->observe(compute, object_uid(shot->instance), &shot->machine);
    else if (uid)
        compute->ops->observe(compute, uid, &shot->machine);
}

void shot_done(struct shot *shot) { json_decref(shot->instance); }

const char *shot_text(const struct shot *shot, const char *path)
{
    return view_text(&kind_snapshot, shot->object, path);
}

bool shot_has_memory(const struct shot *shot) { return view_bool(&kind_snapshot, shot->object, "spec.memory"); }

/* --- what users see --- */

__attribute__((format(printf, 3, 4))) static struct verdict waiting(struct shot *shot, const char *reason,
                                                                    const char *format, ...)
{
    va_list args;

    va_start(args, format);
    auto_free char *message = str_vprintf(format, args);
    va_end(args);
    work_phase(shot->work, "Pending", message);
    work_condition(shot->work, "Ready", false, reason, "%s", message);
    return VERDICT_SETTLED;
}

static struct verdict fail(struct shot *shot, const char *reason, const char *text)
{
    work_phase(shot->work, "Failed", text);
    work_condition(shot->work, "Ready", false, reason, "%s", text);
    work_event(shot->work, "Warning", reason, "%s", text);
    return VERDICT_SETTLED;
}

/* --- whether it can be taken --- */

static bool has_further_disks(const struct shot *shot)
{
    return json_array_size(view_list(&kind_instance, shot->instance, "spec.disks")) ||
           json_array_size(view_list(&kind_instance, shot->instance, "status.disks"));
}

/* False with a verdict when its memory cannot be taken (now). */
static bool memory_can_be_taken(struct shot *shot, struct verdict *ret_verdict)
{
    const char *name = object_name(shot->instance);

    if (has_further_disks(shot))
        *ret_verdict = fail(shot, "FurtherDisks",
                            "its memory cannot be taken, for the instance has further disks, which would not be "
                            "as they were: take the disk alone with memory: false");
    else if (shot->machine.state != MACHINE_RUNNING && shot->machine.state != MACHINE_PAUSED)
        *ret_verdict = waiting(shot, "NotRunning", "instance %s does not run, so it has no memory to take", name);
    else if (shot->machine.state == MACHINE_PAUSED)
        *ret_verdict = waiting(shot, "Paused", "instance %s is paused; what gives its forks an identity is left in it "
                               "while it runs", name);
    else if (shot->machine.is_fork)
        *ret_verdict = fail(shot, "IsFork",
                            "the instance is a fork itself, whose memory cannot be taken before it is restarted");
    else if (!shot->machine.agent_connected)
        *ret_verdict = waiting(shot, "NoGuestAgent",
                               "waiting for the guest agent of instance %s, which gives forks an identity of their own",
                               name);
    else
        return true;
    return false;
}

/* --- the decision --- */

json_t *snapshot_machine(const json_t *instance)
{
    static const char *const same[] = { "cpus", "memory", "maxCPUs", "maxMemory", "firmware", "guestAgent" };
    const json_t *was = view_value(&kind_instance, instance, "status.machine");
    const json_t *spec = json_object_get(instance, "spec");
    json_t *machine = json_object();

    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        if (json_object_get(was ? was : spec, same[i]))
            json_object_set(machine, same[i], json_object_get(was ? was : spec, same[i]));
    json_object_set(machine, "vnc", was ? json_at(was, "vnc") : json_at(spec, "console.vnc"));
    return machine;
}

static json_t *machine_of(const struct shot *shot)
{
    json_t *machine = snapshot_machine(shot->instance);

    if (shot->machine.machine_type[0]) {
        json_object_set_new(machine, "machineType", json_string(shot->machine.machine_type));
        json_object_set_new(machine, "accelerator", json_string(shot->machine.is_tcg ? "TCG" : "KVM"));
    }
    return machine;
}

static json_t *cards_of(const struct shot *shot)
{
    const json_t *cards = view_list(&kind_instance, shot->instance, "status.networks");
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(cards); i++) {
        const json_t *card = json_array_get(cards, i);

        json_array_append_new(list, json_pack("{s:s,s:s}", "name", json_text_at(card, "name", ""), "macAddress",
                                              json_text_at(card, "macAddress", "")));
    }
    return list;
}

/* What the disk stands on: an image, or a snapshot that stands on one. */
static void record_ground(struct shot *shot, const json_t *root)
{
    const char *image = view_text(&kind_volume, root, "spec.source.image");
    const char *snapshot = view_text(&kind_volume, root, "spec.source.snapshot");
    auto_json json_t *below =
        snapshot ? control_find(shot->work->control, &kind_snapshot, shot->namespace_name, snapshot) : NULL;

    if (below)
        image = view_text(&kind_snapshot, below, "status.image");
    if (image)
        json_set_at(shot->object, "status.image", json_string(image));
    if (view_text(&kind_volume, root, "status.snapshotUID"))
        json_set_at(shot->object, "status.parentUID", json_string(view_text(&kind_volume, root, "status.snapshotUID")));
    json_set_at(shot->object, "status.pool", json_string(view_text(&kind_volume, root, "spec.pool")));
}

static struct verdict decide(struct shot *shot)
{
    const char *root = view_text(&kind_instance, shot->instance, "status.rootVolume");
    auto_json json_t *volume = root ? work_find(shot->work, &kind_volume, shot->namespace_name, root) : NULL;

    if (!volume || !view_text(&kind_volume, volume, "status.size"))
        return waiting(shot, "NoDisk", "waiting for the disk of instance %s", object_name(shot->instance));
    record_ground(shot, volume);
    json_set_at(shot->object, "status.diskSize", json_string(view_text(&kind_volume, volume, "status.size")));
    json_set_at(shot->object, "status.instanceUID", json_string(object_uid(shot->instance)));
    json_set_at(shot->object, "status.machine", machine_of(shot));
    json_set_at(shot->object, "status.networks", cards_of(shot));
    work_phase(shot->work, "Taking", NULL);
    work_condition(shot->work, "Ready", false, "Taking", "the instance is being copied");
    taking_decided(shot);
    return VERDICT_SETTLED;
}

static struct verdict pending(struct shot *shot)
{
    struct verdict verdict = VERDICT_SETTLED;
    const int64_t *not_before_ms = work_result(shot->work, NOT_BEFORE);
    int64_t now_ms = control_wall_ms(shot->work->control);

    if (!shot->instance || object_is_deleting(shot->instance))
        return fail(shot, "InstanceNotFound", "the instance is gone");
    if (not_before_ms && now_ms < *not_before_ms)
        return VERDICT_AGAIN(*not_before_ms - now_ms);
    if (shot_has_memory(shot) && !memory_can_be_taken(shot, &verdict))
        return verdict;
    return decide(shot);
}

/* --- taking --- */

static struct verdict try_again(struct shot *shot, const struct err *err)
{
    const int64_t *before = work_result(shot->work, ATTEMPTS);
    int64_t attempts = before ? *before + 1 : 1, delay_ms = LOOK_AGAIN_MS << attempts;

    if (!err_is_retried(err->code) || attempts >= ATTEMPTS_MAX)
        return fail(shot, "NotTaken", err->text);
    work_result_keep(shot->work, ATTEMPTS, attempts);
    work_result_keep(shot->work, NOT_BEFORE, control_wall_ms(shot->work->control) + delay_ms);
    (void)waiting(shot, "Retrying", "%s", err->text);
    return VERDICT_AGAIN(delay_ms);
}

static struct verdict take(struct shot *shot)
{
    struct err err;
    bool is_done;
    char now[TIME_TEXT_SIZE];

    if (taking_step(shot, &is_done, &err) < 0)
        return try_again(shot, &err);
    if (!is_done)
        return VERDICT_AGAIN(LOOK_AGAIN_MS); /* another snapshot may have hold of the instance */
    time_format(control_wall_ms(shot->work->control), now, sizeof now);
    json_set_at(shot->object, "status.takenAt", json_string(now));
    json_set_at(shot->object, "status.pauseMilliseconds", json_integer(taking_pause_ms(shot)));
    work_phase(shot->work, "Ready", NULL);
    work_condition(shot->work, "Ready", true, "Taken", "instances can be made from it");
    if (shot_has_memory(shot))
        work_condition(shot->work, "MemoryReady", true, "Taken", "instances can go on from it");
    work_event(shot->work, "Normal", "Taken", "instance %s stood still for %lld ms",
               shot_text(shot, "spec.instanceName"), (long long)taking_pause_ms(shot));
    return VERDICT_SETTLED;
}

/* --- kept --- */

static void read_done(void *arg, const struct err *err, const struct volume_info *info)
{
    carrier_end(arg, err, info, sizeof *info);
}

static void show_size(struct shot *shot)
{
    struct storage_driver *storage = control_setup(shot->work->control)->storage;
    const struct volume_info *info = work_result(shot->work, "read");
    auto_json json_t *pool =
        control_find(shot->work->control, &kind_storage_pool, NULL, shot_text(shot, "status.pool"));
    char text[32];

    if (info && !info->exists) {
        work_phase(shot->work, "Failed", "its disk is gone from the pool");
        work_condition(shot->work, "Ready", false, "FileGone", "its disk is gone from the pool");
    } else if (info) {
        quantity_format_bytes(info->allocated_bytes, text, sizeof text);
        json_set_at(shot->object, "status.used", json_string(text));
    } else if (pool && work_op_begin(shot->work, "read")) {
        struct storage_pool where = storage_pool_of(pool);
        storage->ops->volume_read(storage, &where, shot->uid, read_done, carrier_new(shot->work, "read"));
    }
}

static bool memory_is_there(const struct shot *shot)
{
    struct compute *compute = control_setup(shot->work->control)->compute;
    auto_clean(compute_uids_free_auto) char **names = compute->ops->frozen_list(compute);

    for (char **name = names; *name; name++)
        if (str_equal(*name, shot->uid))
            return true;
    return false;
}

/* It goes with a reboot of the host, which this daemon sees when it begins. */
static void look_for_memory(struct shot *shot)
{
    if (!condition_is_true(shot->object, "MemoryReady") || work_result(shot->work, "looked"))
        return;
    work_result_keep(shot->work, "looked", 1);
    if (memory_is_there(shot))
        return;
    work_condition(shot->work, "MemoryReady", false, "MemoryLost",
                   "the memory went with a restart of the host or an update of virgad; instances boot from the disk");
    work_event(shot->work, "Warning", "MemoryLost", "instances boot from the disk from now on");
}

static struct verdict reconcile(struct work *work)
{
    auto_shot struct shot shot;
    const char *phase;

    shot_begin(&shot, work);
    phase = shot_text(&shot, "status.phase");
    if (str_equal(phase, "Failed"))
        return VERDICT_SETTLED;
    if (shot.machine.state == MACHINE_LAUNCHING && !str_equal(phase, "Ready"))
        return VERDICT_AGAIN(LAUNCHING_MS); /* or found again and not heard of yet */
    if (str_equal(phase, "Taking"))
        return take(&shot);
    if (!str_equal(phase, "Ready"))
        return pending(&shot);
    show_size(&shot);
    look_for_memory(&shot);
    return VERDICT_SETTLED;
}

static struct verdict finalize(struct work *work, bool *ret_gone)
{
    auto_shot struct shot shot;
    auto_free char *user = snapshot_user(work);

    shot_begin(&shot, work);
    /* The phase says until the end that the instance may stand still. */
    if (str_equal(shot_text(&shot, "status.phase"), "Taking")) {
        *ret_gone = taking_undo(&shot);
        return VERDICT_SETTLED;
    }
    work_phase(work, "Terminating", user);
    if (user) {
        work_condition(work, "InUse", true, "InUse", "%s stands on it: it goes when that is gone", user);
        return VERDICT_AGAIN(LOOK_AGAIN_MS);
    }
    *ret_gone = taking_remove(&shot);
    return VERDICT_SETTLED;
}

const struct controller controller_snapshot = {
    .kind = &kind_snapshot,
    .finalizer = "virga.dev/snapshot",
    .reconcile = reconcile,
    .finalize = finalize,
};
