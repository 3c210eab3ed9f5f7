/* control/instance.c - Instance: a ladder of conditions, climbed one rung at a time. */
#include "control/instance.h"
#include "control/instance_hold.h"
#include "control/placement.h"
#include "control/turns.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdarg.h>
#include <stdio.h>

/* --- the scene --- */

static void find_volume(struct scene *scene, const char *name)
{
    json_t *volume = work_find(scene->work, &kind_volume, scene->namespace_name, name);

    if (volume)
        json_object_set_new(scene->volumes, name, volume);
}

static void find_volumes(struct scene *scene)
{
    const json_t *disks = scene_list(scene, "spec.disks");
    auto_free char *root = root_volume_name(scene);

    find_volume(scene, root);
    for (size_t i = 0; i < json_array_size(disks); i++)
        find_volume(scene, json_text_at(json_array_get(disks, i), "volume", ""));
}

static void find_networks(struct scene *scene)
{
    const json_t *cards = scene_list(scene, "spec.networks");

    for (size_t i = 0; i < json_array_size(cards); i++) {
        const char *name = json_text_at(json_array_get(cards, i), "network", "");
        json_t *network = work_find(scene->work, &kind_network, scene->namespace_name, name);
        if (network)
            json_object_set_new(scene->networks, name, network);
    }
}

void scene_begin(struct scene *scene, struct work *work)
{
    struct compute *compute = control_setup(work->control)->compute;

    *scene = (struct scene){
        .work = work,
        .object = work->object,
        .uid = object_uid(work->object),
        .name = object_name(work->object),
        .namespace_name = object_namespace(work->object),
        .volumes = json_object(),
        .networks = json_object(),
    };
    compute->ops->observe(compute, scene->uid, &scene->machine);
    find_volumes(scene);
    find_networks(scene);
}

void scene_done(struct scene *scene)
{
    json_decref(scene->volumes);
    json_decref(scene->networks);
    buf_done(&scene->restart);
    buf_done(&scene->plugging);
}

void scene_waits(struct scene *scene, const char *reason, const char *format, ...)
{
    va_list args;

    scene->reason = reason;
    va_start(args, format);
    (void)vsnprintf(scene->message, sizeof scene->message, format, args);
    va_end(args);
}

void scene_waits_for_op(struct scene *scene, const char *op, const char *text)
{
    struct err err = { 0 };

    if (work_op(scene->work, op, &err) == OP_FAILED)
        scene_waits(scene, "Retrying", "%s", err.text);
    else
        scene_waits(scene, "InProgress", "%s", text);
}

bool scene_has_process(const struct scene *scene)
{
    return scene->machine.state != MACHINE_ABSENT && scene->machine.state != MACHINE_ENDED;
}

const char *scene_text(const struct scene *scene, const char *path)
{
    return view_text(&kind_instance, scene->object, path);
}

const json_t *scene_list(const struct scene *scene, const char *path)
{
    return view_list(&kind_instance, scene->object, path);
}

/* --- the ladder --- */

static bool placed(const struct scene *scene)
{
    return (scene_has_process(scene) || !scene->no_room.code) &&
           str_equal(scene_text(scene, "status.host"), control_setup(scene->work->control)->host_name);
}

static void place(struct scene *scene)
{
    struct control *control = scene->work->control;
    struct err err = scene->no_room;

    if (err.code || placement_take(control, scene->uid, view_int(&kind_instance, scene->object, "spec.cpus"),
                                   view_bytes(&kind_instance, scene->object, "spec.memory"), &err) < 0) {
        placement_wait(control, scene->work->key);
        scene_waits(scene, "NoRoom", "%s", err.text);
        return;
    }
    json_set_at(scene->object, "status.host", json_string(control_setup(control)->host_name));
    if (!scene_text(scene, "status.rootVolume")) {
        auto_free char *root = root_volume_name(scene);
        json_set_at(scene->object, "status.rootVolume", json_string(root));
    }
    scene_waits(scene, "InProgress", "being placed");
}

static bool agent_ready(const struct scene *scene)
{
    return scene->machine.agent_connected && !fork_is_unsettled(scene);
}

static void wait_for_agent(struct scene *scene)
{
    if (fork_is_unsettled(scene))
        scene_waits(scene, "OwnIdentity", "the fork is being given an identity of its own");
    else if (view_bool(&kind_instance, scene->object, "spec.guestAgent"))
        scene_waits(scene, "NotConnected", "the guest agent has not answered");
    else
        scene_waits(scene, "NotOffered", "spec.guestAgent is false");
}

enum { RUNG_PLACED, RUNG_ADDRESSES, RUNG_VOLUMES, RUNG_SEED, RUNG_NETWORK, RUNG_RUNNING,
       RUNG_AGENT, RUNG_COUNT };

static const struct rung {
    const char *name;                           /* type of its condition */
    bool (*holds)(const struct scene *scene);   /* judges the scene alone */
    void (*climb)(struct scene *scene);         /* starts what is missing, and says what it is */
    unsigned stands_on;                         /* the highest rung that it needs */
} rungs[RUNG_COUNT] = {
    [RUNG_PLACED] = { "Placed", placed, place },
    [RUNG_ADDRESSES] = { "AddressesAssigned", addresses_hold, addresses_climb, RUNG_PLACED },
    [RUNG_VOLUMES] = { "VolumesReady", volumes_hold, volumes_climb, RUNG_ADDRESSES },
    [RUNG_SEED] = { "SeedWritten", seed_holds, seed_climb, RUNG_ADDRESSES },
    [RUNG_NETWORK] = { "NetworkAttached", ports_hold, ports_climb, RUNG_ADDRESSES },
    [RUNG_RUNNING] = { "Running", machine_holds, machine_climb, RUNG_NETWORK },
    [RUNG_AGENT] = { "AgentReady", agent_ready, wait_for_agent, RUNG_RUNNING },
};

/* May 'rung' be climbed though 'first' does not hold? What it stands on has to. Decisions are an
 * exception: one that was taken a moment ago counts for the next, and both are stored at once. */
static bool may_climb(const struct scene *scene, unsigned rung, unsigned first, bool runs)
{
    if (runs || first > rungs[rung].stands_on)
        return true;
    return rung == RUNG_ADDRESSES && placed(scene);
}

/* The rungs below the first that does not hold are shown as they are, those that need it as waiting.
 * A machine that runs is still looked at from all sides: a broken port below it is mended. */
static unsigned climb(struct scene *scene, bool runs)
{
    unsigned first = RUNG_COUNT;

    for (unsigned i = 0; i < RUNG_COUNT; i++) {
        if (!may_climb(scene, i, first, runs)) {
            work_condition(scene->work, rungs[i].name, false, "Waiting", "waiting for %s",
                           rungs[first].name);
        } else if (rungs[i].holds(scene)) {
            work_condition(scene->work, rungs[i].name, true, rungs[i].name, "%s", "");
        } else {
            scene_waits(scene, "InProgress", "%s", "");
            rungs[i].climb(scene);
            work_condition(scene->work, rungs[i].name, false, scene->reason, "%s", scene->message);
            if (first == RUNG_COUNT)
                first = i;
        }
    }
    return first;
}

/* QEMU stops a guest whose write failed, and the driver lets it go on when it can be repeated. */
static void show_disk_error(struct scene *scene)
{
    const struct machine_status *machine = &scene->machine;
    bool was = condition_is_true(scene->object, "DiskError");

    if (machine->state == MACHINE_IO_PAUSED) {
        work_condition(scene->work, "DiskError", true, "WriteFailed", "%s", machine->message);
        if (!was)
            work_event(scene->work, "Warning", "WriteFailed", "%s: the guest stands still until it can be written",
                       machine->message);
    } else if (was && machine->state == MACHINE_RUNNING) {
        work_condition(scene->work, "DiskError", false, "Written", "%s", "");
        work_event(scene->work, "Normal", "WriteRecovered", "the guest goes on");
    }
}

static void show_run_phase(struct scene *scene)
{
    const struct machine_status *machine = &scene->machine;

    if (machine->state == MACHINE_IO_PAUSED) {
        auto_free char *message = str_printf("%s; it goes on by itself as soon as that can be written: make room",
                                             machine->message);

        work_phase(scene->work, "Paused", message);
        json_set_at(scene->object, "status.reason", json_string("WriteFailed"));
    } else {
        work_phase(scene->work, machine->state == MACHINE_PAUSED ? "Paused" : "Running", NULL);
    }
}

static void show_machine(struct scene *scene)
{
    const struct machine_status *machine = &scene->machine;

    if (machine->machine_type[0])
        json_set_at(scene->object, "status.machineType", json_string(machine->machine_type));
    json_set_at(scene->object, "status.accelerator", json_string(machine->is_tcg ? "TCG" : "KVM"));
    size_show(scene);
    show_disk_error(scene);
    show_run_phase(scene);
    if (fork_is_unsettled(scene))
        work_condition(scene->work, "Ready", false, "OwnIdentity", "the fork is being given an identity of its own");
    else
        work_condition(scene->work, "Ready", machine->state == MACHINE_RUNNING,
                       machine->state == MACHINE_RUNNING ? "Running" : "NotRunning", "%s", "");
}

static void show_waiting(struct scene *scene, unsigned first)
{
    const json_t *condition = condition_get(scene->object, rungs[first].name);
    const char *message = json_text_at(condition, "message", "");

    work_phase(scene->work, first == RUNG_RUNNING ? "Starting" : "Pending",
               message[0] ? message : NULL);
    work_condition(scene->work, "Ready", false, rungs[first].name, "%s", message);
}

/* --- the whole --- */

static struct verdict come_up(struct scene *scene)
{
    bool runs = machine_holds(scene);
    unsigned first;
    int64_t due_ms = instance_start_due_ms(scene), settle_ms, usage_ms;

    machine_account(scene);
    if (!fork_is_starting(scene))
        turn_end(scene->work->control, TURN_TO_BEGIN, scene->uid);
    settle_ms = runs ? fork_settle(scene) : -1;
    first = climb(scene, runs);
    (void)volumes_unclaim(scene, false);
    if (!runs && first < RUNG_RUNNING)
        launch_let_go(scene);
    if (!runs) {
        show_waiting(scene, first);
        return due_ms > 0 ? VERDICT_AGAIN(due_ms) : VERDICT_SETTLED;
    }
    if (condition_get(scene->object, "Stopping"))
        work_condition(scene->work, "Stopping", false, "Running", "%s", "");
    show_machine(scene);
    if (fork_is_unsettled(scene))
        return settle_ms < 0 ? VERDICT_SETTLED : VERDICT_AGAIN(settle_ms);
    reset_obey(scene);
    /* A reading of its usage is not stored now: the new phase would have to wait for it. */
    if (!fork_is_busy(scene) && power_keep(scene))
        return VERDICT_SETTLED;
    devices_plug(scene);
    size_follow(scene);
    restart_show(scene);
    usage_ms = usage_show(scene);
    return VERDICT_AGAIN(settle_ms >= 0 && settle_ms < usage_ms ? settle_ms : usage_ms);
}

static void show_stopped(struct scene *scene)
{
    for (unsigned i = 0; i < RUNG_COUNT; i++)
        work_condition(scene->work, rungs[i].name, rungs[i].holds == addresses_hold && addresses_hold(scene),
                       "Stopped", "%s", "");
    work_condition(scene->work, "Ready", false, "Stopped", "%s", "");
    if (condition_get(scene->object, "DevicesReady"))
        work_condition(scene->work, "DevicesReady", false, "Stopped", "%s", "");
    if (condition_get(scene->object, "DiskError"))
        work_condition(scene->work, "DiskError", false, "Stopped", "%s", "");
    restart_forget(scene);
    size_forget(scene);
}

static struct verdict stay_down(struct scene *scene)
{
    struct verdict verdict = VERDICT_SETTLED;
    bool ended = view_bool(&kind_instance, scene->object, "status.endedByItself");
    const char *reason = scene_text(scene, "status.lastEnd.reason");

    if (!instance_take_down(scene, &verdict))
        return verdict;
    show_stopped(scene);
    if (ended && !str_equal(reason, "GuestShutdown"))
        work_phase(scene->work, "Failed", scene_text(scene, "status.lastEnd.message"));
    else
        work_phase(scene->work, "Stopped", ended ? "the guest shut itself down" : NULL);
    return VERDICT_SETTLED;
}

/* Once the power button is pressed the stop is carried through, whatever is asked meanwhile. */
static bool is_on_its_way_down(const struct scene *scene)
{
    return scene_has_process(scene) && scene->machine.shutdown_requested &&
           condition_is_true(scene->object, "Stopping");
}

/* A machine that is found running has not ended, whatever an older store that was put back says. */
static bool has_ended_by_itself(struct scene *scene)
{
    enum machine_state state = scene->machine.state;

    if (state == MACHINE_RUNNING || state == MACHINE_PAUSED || state == MACHINE_IO_PAUSED)
        json_remove_at(scene->object, "status.endedByItself");
    return view_bool(&kind_instance, scene->object, "status.endedByItself");
}

static struct verdict reconcile_scene(struct scene *scene)
{
    struct verdict verdict = VERDICT_SETTLED;
    bool is_stopped = str_equal(scene_text(scene, "spec.powerState"), "Stopped");

    if (scene->machine.state != MACHINE_IO_PAUSED)
        json_remove_at(scene->object, "status.reason");
    if (is_stopped) {
        json_remove_at(scene->object, "status.endedByItself");
        json_remove_at(scene->object, "status.nextStartAt");
    }
    if (host_is_shutting_down(scene->work->control) || restart_obey(scene) || is_on_its_way_down(scene)) {
        if (machine_halt(scene, &verdict))
            work_phase(scene->work, "Stopped", NULL);
        return verdict;
    }
    if (is_stopped)
        return stay_down(scene);
    if (has_ended_by_itself(scene)) /* while it is not heard of, that is not known */
        return scene->machine.state == MACHINE_LAUNCHING ? VERDICT_SETTLED : stay_down(scene);
    if (scene->machine.state == MACHINE_ENDED || (scene->machine.state == MACHINE_CRASHED &&
                                                  !condition_is_true(scene->object, "Resetting") &&
                                                  !is_asked_anew(scene, "resetAt")))
        return instance_ended(scene);
    return come_up(scene);
}

static struct verdict reconcile(struct work *work)
{
    auto_scene struct scene scene = { 0 };

    if (instance_is_held(work->control, object_uid(work->object)))
        return VERDICT_SETTLED; /* woken when it is let go */
    scene_begin(&scene, work);
    root_volume_tie(&scene);
    addresses_settle(&scene);
    return reconcile_scene(&scene);
}

static void adopt(void *arg, const json_t *instance)
{
    struct control *control = arg;
    const char *host = view_text(&kind_instance, instance, "status.host");

    addresses_adopt(control, instance);
    if (str_equal(host, control_setup(control)->host_name))
        machine_account_adopt(control, instance);
}

static int start(struct control *control, struct err *err)
{
    control_each(control, &kind_instance, NULL, adopt, control);
    return 0;
}

const struct controller controller_instance = {
    .kind = &kind_instance,
    .finalizer = "virga.dev/instance",
    .reconcile = reconcile,
    .finalize = instance_finalize,
    .start = start,
};
