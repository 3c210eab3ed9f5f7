/* control/snapshot_take.c - the moment itself.
 *
 *   held -> prepared -> still (frozen, or paused, or not running) -> disk copied -> links up -> goes on -> let go
 *
 * Nothing is stored in between: the instance does not wait for it. */
#include "control/snapshot.h"
#include "control/guest_clock.h"
#include "control/identity_prepare.h"
#include "control/instance_hold.h"
#include "control/internal.h"
#include "control/results.h"
#include "control/storage_refs.h"
#include "base/fault.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

#define DECIDED "decided"
#define STILL_SINCE "still since"
#define STOOD_STILL "stood still"
#define WAS_RUNNING "was running"
#define FAILURE "failure"

static struct compute *compute_of(const struct shot *shot) { return control_setup(shot->work->control)->compute; }
static struct storage_driver *storage_of(const struct shot *shot)
{
    return control_setup(shot->work->control)->storage;
}
static const char *instance_uid(const struct shot *shot) { return shot_text(shot, "status.instanceUID"); }

static bool machine_is_there(const struct shot *shot)
{
    return shot->machine.state != MACHINE_ABSENT && shot->machine.state != MACHINE_ENDED;
}

static bool is_op_done(struct shot *shot, const char *op) { return work_op_succeeded(shot->work, op); }

void taking_decided(struct shot *shot) { work_result_keep(shot->work, DECIDED, 1); }

/* --- still --- */

static bool is_prepared(struct shot *shot)
{
    if (is_op_done(shot, "prepare"))
        return true;
    if (work_op_begin(shot->work, "prepare"))
        identity_prepare(shot->work->control, instance_uid(shot), work_op_done(shot->work, "prepare"));
    return false;
}

static const char *still_op(const struct shot *shot) { return shot_has_memory(shot) ? "freeze" : "pause"; }

/* Begins to have it stand still; true when it does, or was not running anyway. */
static bool stand_still(struct shot *shot)
{
    struct compute *compute = compute_of(shot);
    const char *op = still_op(shot);

    if (is_op_done(shot, op) || !machine_is_there(shot))
        return true;
    if (shot_has_memory(shot) && !is_prepared(shot))
        return false;
    if (!work_op_begin(shot->work, op))
        return false;
    work_result_keep(shot->work, STILL_SINCE, loop_now_ms(control_setup(shot->work->control)->loop));
    work_result_keep(shot->work, WAS_RUNNING, shot->machine.state == MACHINE_RUNNING);
    if (shot_has_memory(shot))
        compute->ops->freeze(compute, instance_uid(shot), shot->uid, work_op_done(shot->work, op));
    else
        compute->ops->pause(compute, instance_uid(shot), work_op_done(shot->work, op));
    return false;
}

/* --- the disk --- */

static json_t *find_pool(struct shot *shot)
{
    return control_find(shot->work->control, &kind_storage_pool, NULL, shot_text(shot, "status.pool"));
}

static bool copy_disk(struct shot *shot)
{
    struct storage_driver *storage = storage_of(shot);
    const char *root = view_text(&kind_instance, shot->instance, "status.rootVolume");
    auto_json json_t *volume = control_find(shot->work->control, &kind_volume, shot->namespace_name, root);
    auto_json json_t *pool = find_pool(shot);

    if (is_op_done(shot, "copy"))
        return true;
    if (!work_op_begin(shot->work, "copy"))
        return false;
    if (!volume || !pool) {
        struct err err;

        (void)err_set(&err, ERR_INVALID, "the instance has no disk any more");
        done_call(work_op_done(shot->work, "copy"), &err);
        return false;
    }
    fault_point("snapshot.still");
    struct volume_request request = { .pool = storage_pool_of(pool), .uid = shot->uid, .twin_uid = object_uid(volume) };
    storage->ops->volume_create(storage, &request, work_op_done(shot->work, "copy"));
    return false;
}

/* --- on again --- */

/* Also of a machine that has ended meanwhile, or lost the card: then there is nothing to do. */
static bool is_settled(struct shot *shot, const char *op)
{
    struct err err;

    if (work_op(shot->work, op, &err) == OP_FAILED && (err.code == ERR_NOT_FOUND || err.code == ERR_CONFLICT))
        return true;
    return is_op_done(shot, op);
}

static bool links_are_up(struct shot *shot)
{
    struct compute *compute = compute_of(shot);
    bool all = true;

    for (unsigned i = 0; i < shot->machine.nic_count; i++) {
        auto_free char *op = str_printf("link %s", shot->machine.nics[i]);

        if (is_settled(shot, op))
            continue;
        all = false;
        if (work_op_begin(shot->work, op))
            compute->ops->nic_link(compute, instance_uid(shot), shot->machine.nics[i], /*is_up=*/true,
                                   work_op_done(shot->work, op));
    }
    return all;
}

static bool is_resumed(struct shot *shot)
{
    struct compute *compute = compute_of(shot);

    if (is_settled(shot, "resume"))
        return true;
    if (work_op_begin(shot->work, "resume"))
        compute->ops->resume(compute, instance_uid(shot), work_op_done(shot->work, "resume"));
    return false;
}

static void note_pause(struct shot *shot)
{
    const int64_t *since_ms = work_result(shot->work, STILL_SINCE);

    if (since_ms && !work_result(shot->work, STOOD_STILL))
        work_result_keep(shot->work, STOOD_STILL,
                         loop_now_ms(control_setup(shot->work->control)->loop) - *since_ms);
}

static void wake_instance(const struct shot *shot)
{
    control_wake(shot->work->control, &kind_instance, shot->namespace_name,
                 shot_text(shot, "spec.instanceName"));
}

static bool goes_on(struct shot *shot)
{
    const int64_t *was_running = work_result(shot->work, WAS_RUNNING);

    if (machine_is_there(shot) && work_result(shot->work, STILL_SINCE)) {
        if (shot_has_memory(shot) && !links_are_up(shot))
            return false;
        if (was_running && *was_running && !is_resumed(shot))
            return false;
    }
    if (work_result(shot->work, STILL_SINCE) && !work_result(shot->work, STOOD_STILL) && was_running && *was_running)
        guest_clock_set(shot->work->control, instance_uid(shot));
    note_pause(shot);
    instance_let_go(shot->work);
    wake_instance(shot);
    return true;
}

/* --- undoing --- */

static bool is_frozen_removed(struct shot *shot)
{
    struct compute *compute = compute_of(shot);

    if (!shot_has_memory(shot) || is_op_done(shot, "remove frozen"))
        return true;
    if (work_op_begin(shot->work, "remove frozen"))
        compute->ops->frozen_remove(compute, shot->uid, work_op_done(shot->work, "remove frozen"));
    return false;
}

static bool is_disk_removed(struct shot *shot)
{
    struct storage_driver *storage = storage_of(shot);
    auto_json json_t *pool = find_pool(shot);

    if (!pool || is_op_done(shot, "remove disk"))
        return true;
    if (work_op_begin(shot->work, "remove disk")) {
        struct storage_pool where = storage_pool_of(pool);
        storage->ops->volume_remove(storage, &where, shot->uid, work_op_done(shot->work, "remove disk"));
    }
    return false;
}

/* An earlier daemon may have left it standing still with its links down. That it is resumed is up to
 * its own controller, for nobody holds it any more. */
static bool stray_links_are_up(struct shot *shot)
{
    bool was_mine = work_result(shot->work, STILL_SINCE) || work_result(shot->work, DECIDED);

    return was_mine || !shot_has_memory(shot) || !machine_is_there(shot) || shot->machine.state == MACHINE_LAUNCHING ||
           links_are_up(shot);
}

bool taking_remove(struct shot *shot)
{
    bool frozen_gone = is_frozen_removed(shot), disk_gone = is_disk_removed(shot);

    return frozen_gone && disk_gone;
}

bool taking_undo(struct shot *shot)
{
    struct work *work = shot->work;

    if (work_op(work, "prepare", NULL) == OP_RUNNING || work_op(work, still_op(shot), NULL) == OP_RUNNING ||
        work_op(work, "copy", NULL) == OP_RUNNING)
        return false;
    if (!stray_links_are_up(shot) || !goes_on(shot))
        return false;
    return taking_remove(shot);
}

/* The next attempt does everything anew. */
static void forget(struct shot *shot)
{
    static const char *const ops[] = { "prepare", "freeze", "pause", "copy", "resume", "remove frozen", "remove disk" };
    static const char *const results[] = { STILL_SINCE, STOOD_STILL, WAS_RUNNING, FAILURE };

    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        work_op_reset(shot->work, ops[i]);
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
        work_result_forget(shot->work, results[i]);
    for (unsigned i = 0; i < shot->machine.nic_count; i++) {
        auto_free char *op = str_printf("link %s", shot->machine.nics[i]);
        work_op_reset(shot->work, op);
    }
}

/* --- the whole --- */

/* One that goes is not held up; what stands still already is copied first. */
static bool is_too_late(const struct shot *shot)
{
    return !work_result(shot->work, STILL_SINCE) && (!shot->instance || object_is_deleting(shot->instance));
}

/* The guest, or the host with the daemon, went before its memory was taken. */
static bool has_no_memory(struct shot *shot)
{
    return shot_has_memory(shot) && !machine_is_there(shot) && !is_op_done(shot, still_op(shot));
}

static bool has_failed(struct shot *shot, struct err *ret_err)
{
    const struct err *failure = work_result(shot->work, FAILURE);
    struct err err;

    if (failure) {
        *ret_err = *failure;
        return true;
    }
    if (is_too_late(shot))
        (void)err_set(&err, ERR_INVALID, "the instance is being deleted");
    else if (has_no_memory(shot))
        (void)err_set(&err, ERR_CONFLICT, "the instance does not run any more");
    else if (work_op(shot->work, "prepare", &err) != OP_FAILED &&
             work_op(shot->work, still_op(shot), &err) != OP_FAILED &&
             work_op(shot->work, "copy", &err) != OP_FAILED)
        return false;
    work_result_keep_bytes(shot->work, FAILURE, &err, sizeof err);
    *ret_err = err;
    return true;
}

int taking_step(struct shot *shot, bool *ret_done, struct err *err)
{
    struct err failure;

    *ret_done = false;
    if (!work_result(shot->work, DECIDED)) {
        if (taking_undo(shot)) {
            forget(shot);
            taking_decided(shot);
            control_wake_key(shot->work->control, shot->work->key);
        }
        return 0;
    }
    if (has_failed(shot, &failure)) {
        if (!taking_undo(shot))
            return 0;
        forget(shot);
        *err = failure;
        return -1;
    }
    if (!instance_hold(shot->work, instance_uid(shot)) || !stand_still(shot) || !copy_disk(shot))
        return 0;
    fault_point("snapshot.copied");
    *ret_done = goes_on(shot);
    return 0;
}

int64_t taking_pause_ms(struct shot *shot)
{
    const int64_t *pause_ms = work_result(shot->work, STOOD_STILL);

    return pause_ms ? *pause_ms : 0;
}
