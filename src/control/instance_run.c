/* control/instance_run.c - from the stored objects to a started machine. */
#include "control/instance.h"
#include "control/internal.h"
#include "control/turns.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NAME "launches"

/* The taps of a machine about to start. Each call on its way holds a reference; so does the map. */
struct launch {
    unsigned references, waiting, count;
    bool abandoned;
    int fds[MACHINE_NICS_MAX];
    struct err err;
    struct done done;
};

static void launch_unref(struct launch *launch)
{
    if (--launch->references == 0)
        free(launch);
}

static void launch_drop(void *pointer)
{
    struct launch *launch = pointer;

    launch->abandoned = true;
    for (unsigned i = 0; i < launch->count; i++)
        if (launch->fds[i] >= 0)
            close(launch->fds[i]);
    launch_unref(launch);
}

static void launches_free(void *map) { map_free(map); }

static struct map *launches(struct control *control)
{
    struct map *map = control_extension(control, NAME);

    if (map)
        return map;
    map = map_new(launch_drop);
    control_set_extension(control, NAME, map, launches_free);
    return map;
}

void launch_forget(struct scene *scene)
{
    map_remove(launches(scene->work->control), scene->uid);
    work_op_reset(scene->work, "open");
}

void launch_let_go(struct scene *scene)
{
    if (map_has(launches(scene->work->control), scene->uid) &&
        work_op(scene->work, "open", NULL) != OP_RUNNING)
        launch_forget(scene);
}

/* --- opening the taps --- */

struct opening {
    struct launch *launch;
    unsigned index;
};

static void opened(void *arg, const struct err *err, int take_fd)
{
    struct opening *opening = arg;
    struct launch *launch = opening->launch;

    if (err)
        launch->err = *err;
    else if (launch->abandoned)
        close(take_fd);
    else
        launch->fds[opening->index] = take_fd;
    if (--launch->waiting == 0)
        done_call(launch->done, launch->err.code ? &launch->err : NULL);
    launch_unref(launch);
    free(opening);
}

static void open_one(struct scene *scene, struct launch *launch, unsigned index)
{
    struct network_driver *network = control_setup(scene->work->control)->network;
    const json_t *card = json_array_get(scene_list(scene, "status.networks"), index);
    auto_free char *id = str_printf("%s/%s", scene->uid, json_text_at(card, "name", ""));
    struct opening *opening = mem_new(struct opening);

    *opening = (struct opening){ launch, index };
    launch->references++;
    network->ops->port_open(network, json_text_at(card, "networkUID", ""), id, opened, opening);
}

static void open_ports(struct scene *scene)
{
    struct launch *launch;
    size_t count = json_array_size(scene_list(scene, "status.networks"));

    if (!work_op_begin(scene->work, "open"))
        return;
    launch = mem_new(struct launch);
    *launch = (struct launch){ .references = 1,
                               .count = (unsigned)count,
                               .waiting = (unsigned)count,
                               .done = work_op_done(scene->work, "open") };
    for (unsigned i = 0; i < MACHINE_NICS_MAX; i++)
        launch->fds[i] = -1;
    map_set(launches(scene->work->control), scene->uid, launch);
    for (unsigned i = 0; i < count; i++)
        open_one(scene, launch, i);
}

/* --- the rung --- */

bool machine_holds(const struct scene *scene)
{
    return scene->machine.state == MACHINE_RUNNING || scene->machine.state == MACHINE_PAUSED ||
           scene->machine.state == MACHINE_IO_PAUSED || scene->machine.state == MACHINE_CRASHED;
}

/* What is about to be started is stored first, so that it is known of a machine found later. */
static bool start_is_recorded(struct scene *scene)
{
    char now[TIME_TEXT_SIZE];

    if (machine_is_recorded(scene) && !condition_is_true(scene->object, "Ended") && !condition_is_true(scene->object, "Stopping") &&
        scene_text(scene, "status.startedAt"))
        return true;
    machine_record(scene);
    fork_decide(scene);
    time_format(control_wall_ms(scene->work->control), now, sizeof now);
    json_set_at(scene->object, "status.startedAt", json_string(now));
    work_condition(scene->work, "Ended", false, "Starting", "%s", "");
    work_condition(scene->work, "Stopping", false, "Starting", "%s", "");
    if (scene_text(scene, "spec.restartAt"))
        json_set_at(scene->object, "status.restartAt", json_string(scene_text(scene, "spec.restartAt")));
    if (scene_text(scene, "spec.resetAt"))
        json_set_at(scene->object, "status.resetAt", json_string(scene_text(scene, "spec.resetAt")));
    return false;
}

static void launch_machine(struct scene *scene, struct launch *launch)
{
    struct compute *compute = control_setup(scene->work->control)->compute;
    static const char *const old[] = { "press", "kill", "release", "pause", "resume", "reset", "disc" };
    struct err err = { 0 };
    auto_clean(machine_config_free_auto) struct machine_config *config = machine_config_of(scene, &err);

    if (!config) {
        scene_waits(scene, "NotStartable", "%s", err.text);
        return;
    }
    if (!work_op_begin(scene->work, "start"))
        return;
    identity_forget(scene);
    for (unsigned i = 0; i < sizeof old / sizeof old[0]; i++)
        work_op_reset(scene->work, old[i]);
    compute->ops->start(compute, config, launch->fds, work_op_done(scene->work, "start"));
    for (unsigned i = 0; i < MACHINE_NICS_MAX; i++)
        launch->fds[i] = -1; /* consumed */
    launch_forget(scene);
    work_event(scene->work, "Normal", "Starting", "on host %s",
               control_setup(scene->work->control)->host_name);
}

void machine_climb(struct scene *scene)
{
    struct launch *launch = map_get(launches(scene->work->control), scene->uid);
    int64_t due_ms = instance_start_due_ms(scene);
    bool is_recorded;

    if (scene->machine.state == MACHINE_LAUNCHING) {
        scene_waits(scene, "Launching", "the machine is being started");
        return;
    }
    if (due_ms > 0) {
        scene_waits(scene, "BackOff", "ended (%s); the next start is at %s",
                    json_text_at(scene->object, "status.lastEnd.reason", ""),
                    json_text_at(scene->object, "status.nextStartAt", ""));
        return;
    }
    scene_waits_for_op(scene, work_op(scene->work, "start", NULL) == OP_FAILED ? "start" : "open",
                       "the machine is being started");
    /* Ports are opened while it is being stored that the machine is to start. */
    is_recorded = start_is_recorded(scene);
    if (fork_is_starting(scene) && !turn_take(scene->work, TURN_TO_BEGIN, scene->uid)) {
        launch_let_go(scene);
        scene_waits(scene, "Queued", "other forks begin first");
        return;
    }
    if (work_op(scene->work, "open", NULL) == OP_RUNNING ||
        work_op(scene->work, "start", NULL) == OP_RUNNING)
        return;
    if (launch && (launch->waiting == 0) && !launch->err.code) {
        if (is_recorded)
            launch_machine(scene, launch);
        return;
    }
    map_remove(launches(scene->work->control), scene->uid);
    if (json_array_size(scene_list(scene, "status.networks"))) {
        open_ports(scene);
    } else if (is_recorded) {
        struct launch none = { 0 };
        launch_machine(scene, &none);
    }
}
