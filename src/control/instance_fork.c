/* control/instance_fork.c - an instance that begins as a Snapshot: going on from its memory, or booting.
 *
 * Condition Forked says how its machine began. What is decided is stored with the start:
 *
 *   Starting   it is to go on from the memory, or does and has no identity of its own yet
 *   Forked     True: it went on, as somebody else
 *   any other  it boots from its disk; the reason says why. So does every later start. */
#include "control/instance.h"
#include "control/admit.h"
#include "control/conditions.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

static const char *reason_of(const struct scene *scene)
{
    return json_text_at(condition_get(scene->object, CONDITION_FORKED), "reason", NULL);
}

json_t *fork_snapshot(const struct scene *scene)
{
    const char *name = scene_text(scene, "spec.snapshot");

    return name ? work_find(scene->work, &kind_snapshot, scene->namespace_name, name) : NULL;
}

static void boot_instead(struct scene *scene, const char *reason, const char *text)
{
    work_condition(scene->work, CONDITION_FORKED, false, reason, "%s", text);
    work_event(scene->work, "Warning", reason, "it boots from its disk: %s", text);
}

static void decide_first(struct scene *scene)
{
    auto_json json_t *snapshot = fork_snapshot(scene);
    auto_free char *misfit = snapshot ? snapshot_misfit(snapshot, scene->object) : NULL;

    if (!snapshot) {
        boot_instead(scene, "SnapshotNotFound", "the snapshot is gone");
        return;
    }
    json_set_at(scene->object, "status.snapshotUID", json_string(object_uid(snapshot)));
    if (!view_bool(&kind_snapshot, snapshot, "spec.memory"))
        work_condition(scene->work, CONDITION_FORKED, false, "DiskOnly", "the snapshot has no memory: it boots");
    else if (!condition_is_true(snapshot, "MemoryReady"))
        boot_instead(scene, "MemoryLost", "the snapshot's memory went with a restart of the host or an update of virgad");
    else if (misfit)
        boot_instead(scene, "DoesNotFit", misfit);
    else
        work_condition(scene->work, CONDITION_FORKED, false, REASON_FORK_STARTING, "going on from snapshot %s",
                       object_name(snapshot));
}

void fork_decide(struct scene *scene)
{
    if (!scene_text(scene, "spec.snapshot"))
        return;
    if (!condition_get(scene->object, CONDITION_FORKED))
        decide_first(scene);
    else if (condition_is_true(scene->object, CONDITION_FORKED))
        work_condition(scene->work, CONDITION_FORKED, false, "Restarted", "it has booted since");
    else if (fork_is_starting(scene)) /* its disk may be ahead of the memory */
        boot_instead(scene, "NotForked", "it was stopped before it was somebody else");
}

bool fork_is_starting(const struct scene *scene) { return str_equal(reason_of(scene), REASON_FORK_STARTING); }

bool fork_configure(const struct scene *scene, struct machine_config *config)
{
    auto_json json_t *snapshot = NULL;

    if (!fork_is_starting(scene))
        return false;
    snapshot = fork_snapshot(scene);
    config->frozen = str_dup(scene_text(scene, "status.snapshotUID"));
    config->start_paused = false; /* not before it is somebody else */
    free(config->machine_type);
    config->machine_type = str_dup(snapshot ? view_text(&kind_snapshot, snapshot, "status.machine.machineType") : NULL);
    return true;
}

bool fork_has_failed(struct scene *scene)
{
    if (!fork_is_starting(scene))
        return false;
    boot_instead(scene, "NotForked", scene->machine.message[0] ? scene->machine.message : "the fork has ended");
    return true;
}

bool fork_is_unsettled(const struct scene *scene)
{
    return scene->machine.is_fork && !condition_is_true(scene->object, CONDITION_FORKED);
}

static void give_up(struct scene *scene, const char *text)
{
    struct compute *compute = control_setup(scene->work->control)->compute;

    if (fork_is_starting(scene))
        boot_instead(scene, "IdentityFailed", text); /* stored, and then it goes */
    else if (work_op_begin(scene->work, "kill"))
        compute->ops->kill(compute, scene->uid, work_op_done(scene->work, "kill"));
}

int64_t fork_settle(struct scene *scene)
{
    struct err err;
    bool is_itself;
    int64_t again_ms = -1;

    if (!scene_text(scene, "spec.snapshot"))
        return -1;
    if (!fork_is_unsettled(scene))
        return identity_finish(scene);
    if (identity_give(scene, &is_itself, &err) < 0) {
        give_up(scene, err.text);
    } else if (is_itself) {
        work_condition(scene->work, CONDITION_FORKED, true, "Forked", "went on from snapshot %s",
                       scene_text(scene, "spec.snapshot"));
        work_event(scene->work, "Normal", "Forked", "from snapshot %s", scene_text(scene, "spec.snapshot"));
        again_ms = identity_finish(scene);
    }
    return again_ms;
}

bool fork_is_busy(const struct scene *scene)
{
    return fork_is_unsettled(scene) || (scene->machine.is_fork && !instance_is_itself(scene->object));
}
