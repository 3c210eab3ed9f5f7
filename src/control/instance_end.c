/* control/instance_end.c - machines that ended by themselves: what is kept, and whether they go on. */
#include "control/instance.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

enum {
    BACKOFF_FIRST_MS = 1000,
    BACKOFF_MAX_MS = 5 * 60 * 1000,
    STEADY_MS = 10 * 60 * 1000, /* having run so long, the next back-off begins anew */
};

static const char *reason_of(enum machine_end end)
{
    switch (end) {
    case MACHINE_END_GUEST_SHUTDOWN:
        return "GuestShutdown";
    case MACHINE_END_GUEST_PANIC:
        return "GuestPanic";
    case MACHINE_END_PROCESS_DIED:
        return "ProcessDied";
    case MACHINE_END_START_FAILED:
        return "StartFailed";
    case MACHINE_END_GUEST_RESET:
        return "GuestReset";
    case MACHINE_END_HOST_STOP:
    case MACHINE_END_NONE:
        break;
    }
    return "Stopped";
}

void end_record(struct scene *scene, enum machine_end end, const char *message)
{
    char now[TIME_TEXT_SIZE];

    time_format(control_wall_ms(scene->work->control), now, sizeof now);
    json_set_at(scene->object, "status.lastEnd",
                json_pack("{s:s,s:s}", "reason", reason_of(end), "time", now));
    if (message[0])
        json_set_at(scene->object, "status.lastEnd.message", json_string_plain(message));
    work_condition(scene->work, "Ended", true, reason_of(end), "%s", message);
    bool is_normal = end == MACHINE_END_GUEST_SHUTDOWN || end == MACHINE_END_HOST_STOP || end == MACHINE_END_GUEST_RESET;
    work_event(scene->work, is_normal ? "Normal" : "Warning", reason_of(end), "%s", message[0] ? message : "the machine has ended");
}

int64_t instance_start_due_ms(const struct scene *scene)
{
    int64_t due_ms = view_time_ms(&kind_instance, scene->object, "status.nextStartAt");

    return due_ms ? due_ms - control_wall_ms(scene->work->control) : 0;
}

static int64_t next_backoff_ms(const struct scene *scene, int64_t now_ms)
{
    int64_t last_end_ms = view_time_ms(&kind_instance, scene->object, "status.lastEnd.time");
    int64_t last_next_ms = view_time_ms(&kind_instance, scene->object, "status.nextStartAt");
    int64_t started_ms = view_time_ms(&kind_instance, scene->object, "status.startedAt");
    int64_t last_ms = last_next_ms - last_end_ms;

    if (!last_next_ms || last_ms <= 0 || now_ms - started_ms > STEADY_MS)
        return BACKOFF_FIRST_MS;
    return 2 * last_ms < BACKOFF_MAX_MS ? 2 * last_ms : BACKOFF_MAX_MS;
}

static bool is_restarted(const struct scene *scene, enum machine_end end)
{
    const char *policy = scene_text(scene, "spec.restartPolicy");

    if (str_equal(policy, "Never"))
        return false;
    return end != MACHINE_END_GUEST_SHUTDOWN || str_equal(policy, "Always");
}

static void decide(struct scene *scene, enum machine_end end, const char *message)
{
    int64_t now_ms = control_wall_ms(scene->work->control);
    int64_t backoff_ms = next_backoff_ms(scene, now_ms);
    bool asked = end == MACHINE_END_HOST_STOP || end == MACHINE_END_NONE || end == MACHINE_END_GUEST_RESET ||
                 condition_is_true(scene->object, "Stopping");
    char next[TIME_TEXT_SIZE];

    end_record(scene, end, message);
    if (asked)
        return;
    if (!is_restarted(scene, end)) {
        json_set_at(scene->object, "status.endedByItself", json_true());
        return;
    }
    time_format(now_ms + backoff_ms, next, sizeof next);
    json_set_at(scene->object, "status.nextStartAt", json_string(next));
    json_set_at(scene->object, "status.restartCount",
                json_integer(json_int_at(scene->object, "status.restartCount", 0) + 1));
}

struct verdict instance_ended(struct scene *scene)
{
    struct compute *compute = control_setup(scene->work->control)->compute;
    bool crashed = scene->machine.state == MACHINE_CRASHED;

    launch_forget(scene);
    work_phase(scene->work, "Starting", "the machine has ended");
    work_condition(scene->work, "Running", false, "Ended", "%s", scene->machine.message);
    work_condition(scene->work, "Ready", false, "Ended", "%s", scene->machine.message);
    if (!condition_is_true(scene->object, "Ended"))
        decide(scene, fork_has_failed(scene) ? MACHINE_END_NONE
                      : crashed              ? MACHINE_END_GUEST_PANIC
                                             : scene->machine.end,
               scene->machine.message);
    else if (!crashed)
        machine_release(scene);
    else if (work_op_begin(scene->work, "kill"))
        compute->ops->kill(compute, scene->uid, work_op_done(scene->work, "kill"));
    return VERDICT_SETTLED;
}
