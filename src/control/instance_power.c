/* control/instance_power.c - pause, reset and restart of a running machine. */
#include "control/instance.h"
#include "control/guest_clock.h"
#include "base/str.h"
#include "kinds/tables/tables.h"

static void resume(struct scene *scene)
{
    struct compute *compute = control_setup(scene->work->control)->compute;

    if (!work_op_begin(scene->work, "resume"))
        return;
    if (scene->machine.is_fork && work_op_begin(scene->work, "clock"))
        guest_clock_tell(scene->work->control, scene->uid, work_op_done(scene->work, "clock"));
    compute->ops->resume(compute, scene->uid, work_op_done(scene->work, "resume"));
}

/* It stood still while time went on. */
static void set_clock(struct scene *scene)
{
    if (work_op(scene->work, "clock", NULL) == OP_RUNNING)
        return;
    if (!work_op_succeeded(scene->work, "clock")) /* no fork, or what waits in it is of an earlier version */
        guest_clock_set(scene->work->control, scene->uid);
    work_op_reset(scene->work, "clock");
    work_op_reset(scene->work, "resume");
}

bool power_keep(struct scene *scene)
{
    struct compute *compute = control_setup(scene->work->control)->compute;
    bool pause = str_equal(scene_text(scene, "spec.powerState"), "Paused");

    if (pause && scene->machine.state == MACHINE_RUNNING && work_op_begin(scene->work, "pause"))
        compute->ops->pause(compute, scene->uid, work_op_done(scene->work, "pause"));
    if (!pause && scene->machine.state == MACHINE_PAUSED)
        resume(scene);
    if (!pause && scene->machine.state == MACHINE_RUNNING && work_op_succeeded(scene->work, "resume"))
        set_clock(scene);
    return work_op(scene->work, "pause", NULL) == OP_RUNNING ||
           work_op(scene->work, "resume", NULL) == OP_RUNNING;
}

bool is_asked_anew(const struct scene *scene, const char *name)
{
    auto_free char *spec = str_printf("spec.%s", name);
    auto_free char *status = str_printf("status.%s", name);

    return scene_text(scene, spec) && !str_equal(scene_text(scene, spec), scene_text(scene, status));
}

static void copy_time(struct scene *scene, const char *name)
{
    auto_free char *spec = str_printf("spec.%s", name);
    auto_free char *status = str_printf("status.%s", name);

    json_set_at(scene->object, status, json_string(scene_text(scene, spec)));
}

/* Written down before it is done, so that a crash in between does not lose it. */
void reset_obey(struct scene *scene)
{
    struct compute *compute = control_setup(scene->work->control)->compute;

    if (is_asked_anew(scene, "resetAt")) {
        copy_time(scene, "resetAt");
        work_op_reset(scene->work, "reset");
        work_condition(scene->work, "Resetting", scene_has_process(scene), "Asked",
                       "spec.resetAt is new");
        return;
    }
    if (!condition_is_true(scene->object, "Resetting"))
        return;
    if (work_op_succeeded(scene->work, "reset") || !scene_has_process(scene)) {
        work_op_reset(scene->work, "reset");
        work_condition(scene->work, "Resetting", false, "Done", "%s", "");
    } else if (work_op_begin(scene->work, "reset")) {
        compute->ops->reset(compute, scene->uid, work_op_done(scene->work, "reset"));
    }
}

/* True while a restart is under way. */
bool restart_obey(struct scene *scene)
{
    if (is_asked_anew(scene, "restartAt")) {
        copy_time(scene, "restartAt");
        json_remove_at(scene->object, "status.endedByItself");
        json_remove_at(scene->object, "status.nextStartAt");
        if (scene->machine.state != MACHINE_ABSENT)
            work_condition(scene->work, "Restarting", true, "Asked", "spec.restartAt is new");
    }
    if (scene->machine.state == MACHINE_ABSENT && condition_is_true(scene->object, "Restarting"))
        work_condition(scene->work, "Restarting", false, "Done", "%s", "");
    return condition_is_true(scene->object, "Restarting");
}
