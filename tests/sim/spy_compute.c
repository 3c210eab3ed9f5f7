/* tests/sim/spy_compute.c - judges what is asked of the machines by what the store says now. */
#include "spy.h"
#include "base/mem.h"
#include "drivers/compute/fake/world.h"
#include <stdlib.h>
#include <string.h>

struct spy {
    struct compute compute;
    struct sim *sim;
    struct compute *inner;
};

static struct sim *sim_of(struct compute *compute) { return ((struct spy *)compute)->sim; }
static struct compute *inner_of(struct compute *compute) { return ((struct spy *)compute)->inner; }

static bool condition_holds(const struct thing *thing, const char *type)
{
    return condition_is_true(thing->object, type);
}

static bool differs(const struct thing *thing, const char *name)
{
    auto_free char *spec = str_printf("spec.%s", name);
    auto_free char *status = str_printf("status.%s", name);

    return thing_text(thing, spec) && !str_equal(thing_text(thing, spec), thing_text(thing, status));
}

/* It went on from memory, and could not become somebody else. */
static bool is_no_fork(const struct thing *thing)
{
    return str_equal(json_text_at(condition_get(thing->object, "Forked"), "reason", ""), "IdentityFailed");
}

/* May the machine of 'uid' be brought down now? */
static bool may_end(struct sim *sim, const char *uid)
{
    const struct thing *thing = thing_here(sim, uid);
    const struct fake_machine *machine = fake_machine_find(sim->machines, uid);

    if (!thing)
        return stranger_may_go(sim, uid);
    return thing_is_deleting(thing) || !machine || !machine->has_process || is_no_fork(thing) ||
           machine->status.state == MACHINE_CRASHED ||
           str_equal(thing_text(thing, "spec.powerState"), "Stopped") ||
           differs(thing, "restartAt") || condition_holds(thing, "Restarting") ||
           (condition_holds(thing, "Stopping") && machine->status.shutdown_requested);
}

static void check_ports(struct sim *sim, const struct thing *thing, const struct machine_config *config)
{
    const json_t *cards = json_at(thing->object, "status.networks");

    if (json_array_size(cards) != config->nic_count)
        sim_fail(sim, "%s is started with %u NICs, its status has %zu", thing->key, config->nic_count,
                 json_array_size(cards));
    for (unsigned i = 0; i < config->nic_count; i++) {
        const char *network = json_text_at(json_array_get(cards, i), "networkUID", "");
        auto_free char *id = str_printf("%s/%s", thing->uid, config->nics[i].name);
        if (!network_fake_port(sim->networks, network, id))
            sim_fail(sim, "%s is started, and port %s is not there", thing->key, id);
    }
}

static void check_disk(struct sim *sim, const struct thing *thing, const struct machine_disk *disk)
{
    const char *path = disk->source.file_count ? disk->source.files[0].path : "";
    const char *end = strrchr(path, '/'), *at = end;

    if (disk->is_cdrom || str_equal(disk->name, "seed"))
        return;
    while (at && at > path && at[-1] != '/')
        at--;
    auto_free char *uid = str_dup_part(at ? at : "", at ? (size_t)(end - at) : 0);
    const struct thing *volume = thing_here(sim, uid);
    if (!volume || volume->kind != &kind_volume)
        sim_fail(sim, "%s gets disk %s of no volume: %s", thing->key, disk->name, path);
    if (!str_equal(thing_text(volume, "status.attachedToUID"), thing->uid))
        sim_fail(sim, "%s gets %s, which is not claimed by it", thing->key, volume->key);
    if (thing_is_deleting(volume))
        sim_fail(sim, "%s gets %s, which is being deleted", thing->key, volume->key);
}

static void start(struct compute *compute, const struct machine_config *config, const int *nic_fds,
                  struct done done)
{
    struct sim *sim = sim_of(compute);
    const struct thing *thing = spy_expects_wanted(sim, "start", config->uid);

    if (str_equal(thing_text(thing, "spec.powerState"), "Stopped"))
        sim_fail(sim, "%s is started, and shall be stopped", thing->key);
    if (json_bool_at(thing->object, "status.endedByItself", false))
        sim_fail(sim, "%s is started, and ended by itself", thing->key);
    if (!str_equal(thing_text(thing, "status.host"), HOST_NAME))
        sim_fail(sim, "%s is started, and is not placed", thing->key);
    check_ports(sim, thing, config);
    for (unsigned i = 0; i < config->disk_count; i++)
        check_disk(sim, thing, &config->disks[i]);
    inner_of(compute)->ops->start(inner_of(compute), config, nic_fds,
                                  spy_answer(sim, done, false, "start %s", thing->key));
}

static const char *label(struct sim *sim, const char *uid)
{
    const struct thing *thing = map_get(sim->by_uid, uid);

    return thing ? thing->key : uid;
}

static void expect_end(struct sim *sim, const char *call, const char *uid)
{
    if (!may_end(sim, uid))
        sim_fail(sim, "%s of %s, whose machine shall run", call, label(sim, uid));
}

static void press_power(struct compute *compute, const char *uid, struct done done)
{
    struct sim *sim = sim_of(compute);

    expect_end(sim, "power button", uid);
    inner_of(compute)->ops->press_power(inner_of(compute), uid,
                                        spy_answer(sim, done, true, "power button of %s", label(sim, uid)));
}

static void kill_machine(struct compute *compute, const char *uid, struct done done)
{
    struct sim *sim = sim_of(compute);

    expect_end(sim, "kill", uid);
    inner_of(compute)->ops->kill(inner_of(compute), uid,
                                 spy_answer(sim, done, true, "kill %s", label(sim, uid)));
}

static void reset(struct compute *compute, const char *uid, struct done done)
{
    struct sim *sim = sim_of(compute);
    const struct thing *thing = spy_expects_wanted(sim, "reset", uid);

    if (!condition_holds(thing, "Resetting"))
        sim_fail(sim, "%s is reset, and nobody asked", thing->key);
    inner_of(compute)->ops->reset(inner_of(compute), uid,
                                  spy_answer(sim, done, true, "reset %s", label(sim, uid)));
}

/* It may stand still while it is taken. */
static bool is_being_taken(struct sim *sim, const char *uid)
{
    void *each;

    for (size_t at = 0; map_next(sim->by_key, &at, NULL, &each);) {
        const struct thing *thing = each;

        if (thing->kind == &kind_snapshot && str_equal(thing_text(thing, "status.phase"), "Taking") &&
            str_equal(thing_text(thing, "status.instanceUID"), uid))
            return true;
    }
    return false;
}

static void nic_link(struct compute *compute, const char *uid, const char *nic_name, bool is_up, struct done done)
{
    struct sim *sim = sim_of(compute);
    const struct fake_machine *machine = fake_machine_find(sim->machines, uid);

    if (is_up && machine && machine->has_process && !machine->is_itself)
        sim_fail(sim, "%s goes on the network as its parent's double", label(sim, uid));
    inner_of(compute)->ops->nic_link(inner_of(compute), uid, nic_name, is_up,
                                     spy_answer(sim, done, true, "link %s of %s", nic_name, label(sim, uid)));
}

static void identify(struct compute *compute, const char *uid, const void *bytes, size_t size, struct done done)
{
    struct sim *sim = sim_of(compute);

    inner_of(compute)->ops->identify(inner_of(compute), uid, bytes, size,
                                     spy_answer(sim, done, true, "identify %s", label(sim, uid)));
}

static void resize(struct compute *compute, const char *uid, unsigned cpus, int64_t memory_bytes, struct done done)
{
    struct sim *sim = sim_of(compute);
    const struct thing *thing = spy_expects_wanted(sim, "resize", uid);

    inner_of(compute)->ops->resize(inner_of(compute), uid, cpus, memory_bytes,
                                   spy_answer(sim, done, true, "resize %s", thing->key));
}

static void freeze(struct compute *compute, const char *uid, const char *name, struct done done)
{
    struct sim *sim = sim_of(compute);

    if (!is_being_taken(sim, uid))
        sim_fail(sim, "%s is frozen, and no snapshot says so", label(sim, uid));
    inner_of(compute)->ops->freeze(inner_of(compute), uid, name,
                                   spy_answer(sim, done, true, "freeze %s", label(sim, uid)));
}

static void frozen_remove(struct compute *compute, const char *name, struct done done)
{
    struct sim *sim = sim_of(compute);

    inner_of(compute)->ops->frozen_remove(inner_of(compute), name,
                                          spy_answer(sim, done, true, "remove frozen %s", label(sim, name)));
}

static char **frozen_list(struct compute *compute) { return inner_of(compute)->ops->frozen_list(inner_of(compute)); }

static void agent(struct compute *compute, const char *uid, const char *command, const json_t *arguments,
                  int64_t timeout_ms, compute_json_fn *fn, void *arg)
{
    inner_of(compute)->ops->agent(inner_of(compute), uid, command, arguments, timeout_ms, fn, arg);
}

static void pause_machine(struct compute *compute, const char *uid, struct done done)
{
    struct sim *sim = sim_of(compute);
    const struct thing *thing = spy_expects_wanted(sim, "pause", uid);

    if (!str_equal(thing_text(thing, "spec.powerState"), "Paused") && !is_being_taken(sim, uid))
        sim_fail(sim, "%s is paused, and nobody asked", thing->key);
    inner_of(compute)->ops->pause(inner_of(compute), uid,
                                  spy_answer(sim, done, true, "pause %s", label(sim, uid)));
}

static void resume(struct compute *compute, const char *uid, struct done done)
{
    struct sim *sim = sim_of(compute);
    const struct thing *thing = thing_here(sim, uid);

    if (thing && str_equal(thing_text(thing, "spec.powerState"), "Paused") &&
        !condition_holds(thing, "Stopping") && !thing_is_deleting(thing) && !is_being_taken(sim, uid))
        sim_fail(sim, "%s is resumed, and shall be paused", thing->key);
    inner_of(compute)->ops->resume(inner_of(compute), uid,
                                   spy_answer(sim, done, true, "resume %s", label(sim, uid)));
}

static void release(struct compute *compute, const char *uid, struct done done)
{
    struct sim *sim = sim_of(compute);

    if (!thing_here(sim, uid) && !stranger_may_go(sim, uid))
        sim_fail(sim, "release of %s, a stranger", uid);
    inner_of(compute)->ops->release(inner_of(compute), uid,
                                    spy_answer(sim, done, true, "release %s", label(sim, uid)));
}

static void logs_remove(struct compute *compute, const char *uid, struct done done)
{
    struct sim *sim = sim_of(compute);
    const struct thing *thing = thing_here(sim, uid);

    if (thing ? !thing_is_deleting(thing) : !stranger_may_go(sim, uid))
        sim_fail(sim, "the logs of %s go before it does", uid);
    inner_of(compute)->ops->logs_remove(inner_of(compute), uid,
                                        spy_answer(sim, done, true, "remove logs %s", label(sim, uid)));
}

static char **logs_list(struct compute *compute)
{
    return inner_of(compute)->ops->logs_list(inner_of(compute));
}

static void sample(struct compute *compute, struct done done)
{
    inner_of(compute)->ops->sample(inner_of(compute), done);
}

/* --- devices --- */

static bool list_has(const struct thing *thing, const char *list, const char *name)
{
    const json_t *items = json_at(thing->object, list);

    for (size_t i = 0; i < json_array_size(items); i++)
        if (str_equal(json_text_at(json_array_get(items, i), "name", NULL), name))
            return true;
    return false;
}

static void disk_attach(struct compute *compute, const char *uid, const struct machine_disk *disk,
                        struct done done)
{
    struct sim *sim = sim_of(compute);
    const struct thing *thing = spy_expects_wanted(sim, "disk_attach", uid);

    check_disk(sim, thing, disk);
    inner_of(compute)->ops->disk_attach(inner_of(compute), uid, disk,
                                        spy_answer(sim, done, true, "attach disk %s to %s", disk->name,
                                                   thing->key));
}

static void disk_detach(struct compute *compute, const char *uid, const char *disk_name,
                        struct done done)
{
    struct sim *sim = sim_of(compute);
    const struct thing *thing = thing_here(sim, uid);

    if (str_equal(disk_name, "root") || str_equal(disk_name, "seed"))
        sim_fail(sim, "disk %s of %s is taken away", disk_name, label(sim, uid));
    inner_of(compute)->ops->disk_detach(inner_of(compute), uid, disk_name,
                                        spy_answer(sim, done, true, "detach disk %s from %s", disk_name,
                                                   thing ? thing->key : uid));
}

struct growth {
    struct sim *sim;
    struct done done;
    char *path;
    int64_t size_bytes;
};

/* The two fakes do not know each other: what the machine does to the file is done here. */
static void disk_grown(void *arg, const struct err *err)
{
    struct growth *growth = arg;

    if (!err && growth->path)
        disk_grows(growth->sim, growth->path, growth->size_bytes);
    done_call(growth->done, err);
    free(growth->path);
    free(growth);
}

static void disk_resize(struct compute *compute, const char *uid, const char *disk_name,
                        int64_t size_bytes, struct done done)
{
    struct sim *sim = sim_of(compute);
    struct growth *growth = mem_new(struct growth);
    const struct machine_config *config = compute_fake_config(sim->machines, uid);

    *growth = (struct growth){ .sim = sim, .size_bytes = size_bytes };
    growth->done = spy_answer(sim, done, true, "resize disk %s of %s to %lld", disk_name, label(sim, uid),
                              (long long)size_bytes);
    for (unsigned i = 0; config && i < config->disk_count; i++)
        if (str_equal(config->disks[i].name, disk_name) && config->disks[i].source.file_count)
            growth->path = str_dup(config->disks[i].source.files[0].path);
    inner_of(compute)->ops->disk_resize(inner_of(compute), uid, disk_name, size_bytes,
                                        (struct done){ disk_grown, growth });
}

static void nic_attach(struct compute *compute, const char *uid, const struct machine_nic *nic,
                       int take_fd, struct done done)
{
    struct sim *sim = sim_of(compute);
    const struct thing *thing = thing_here(sim, uid);

    /* Its tap was asked for before; it may be going by now. */
    if (!thing)
        sim_fail(sim, "nic_attach to %s, which is not there", uid);
    if (!thing_is_deleting(thing) && !list_has(thing, "status.networks", nic->name))
        sim_fail(sim, "%s gets NIC %s, which its status has not", thing->key, nic->name);
    inner_of(compute)->ops->nic_attach(inner_of(compute), uid, nic, take_fd,
                                       spy_answer(sim, done, true, "attach NIC %s to %s", nic->name,
                                                  thing->key));
}

static void nic_detach(struct compute *compute, const char *uid, const char *nic_name,
                       struct done done)
{
    struct sim *sim = sim_of(compute);

    inner_of(compute)->ops->nic_detach(inner_of(compute), uid, nic_name,
                                       spy_answer(sim, done, true, "detach NIC %s from %s", nic_name,
                                                  label(sim, uid)));
}

static void cdrom_change(struct compute *compute, const char *uid, const char *disk_name,
                         const struct disk_source *source, struct done done)
{
    struct sim *sim = sim_of(compute);

    inner_of(compute)->ops->cdrom_change(inner_of(compute), uid, disk_name, source,
                                         spy_answer(sim, done, true, "change CD-ROM %s of %s", disk_name,
                                                    label(sim, uid)));
}

/* --- reads, passed on --- */

static const struct compute_facts *facts(struct compute *compute)
{
    return inner_of(compute)->ops->facts(inner_of(compute));
}

static void observe(struct compute *compute, const char *uid, struct machine_status *ret_status)
{
    inner_of(compute)->ops->observe(inner_of(compute), uid, ret_status);
}

static char **list(struct compute *compute) { return inner_of(compute)->ops->list(inner_of(compute)); }

static void close_spy(struct compute *compute)
{
    inner_of(compute)->ops->close(inner_of(compute));
    free(compute);
}

static const struct compute_ops spy_ops = {
    .name = "spy",
    .close = close_spy,
    .facts = facts,
    .observe = observe,
    .list = list,
    .identify = identify,
    .nic_link = nic_link,
    .resize = resize,
    .freeze = freeze,
    .frozen_remove = frozen_remove,
    .frozen_list = frozen_list,
    .agent = agent,
    .start = start,
    .press_power = press_power,
    .kill = kill_machine,
    .reset = reset,
    .pause = pause_machine,
    .resume = resume,
    .release = release,
    .logs_remove = logs_remove,
    .logs_list = logs_list,
    .disk_attach = disk_attach,
    .disk_detach = disk_detach,
    .disk_resize = disk_resize,
    .nic_attach = nic_attach,
    .nic_detach = nic_detach,
    .cdrom_change = cdrom_change,
    .sample = sample,
};

struct compute *spy_compute_new(struct sim *sim, const struct compute_setup *setup)
{
    struct spy *spy = mem_new(struct spy);

    *spy = (struct spy){ { &spy_ops }, sim, compute_fake_open(sim->machines, setup) };
    return &spy->compute;
}

bool machine_has_nic(struct sim *sim, const char *uid, const char *nic)
{
    const struct fake_machine *machine = fake_machine_find(sim->machines, uid);

    for (unsigned i = 0; machine && machine->has_process && i < machine->status.nic_count; i++)
        if (str_equal(machine->status.nics[i], nic))
            return true;
    return false;
}
