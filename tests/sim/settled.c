/* tests/sim/settled.c - once all is calm: the world is exactly as wished, and what waits says why. */
#include "sim.h"
#include "base/quantity.h"
#include "drivers/compute/fake/world.h"
#include "drivers/network/fake/world.h"
#include <stdlib.h>
#include <string.h>

#define NAMESPACE "default"

static const char *phase_of(const struct thing *thing)
{
    const char *phase = thing ? thing_text(thing, "status.phase") : NULL;

    return phase ? phase : "";
}

static bool is_phase(const struct thing *thing, const char *phase)
{
    return str_equal(phase_of(thing), phase);
}

/* --- why something waits, and whether that is true --- */

static bool is_absent(const struct thing *thing) { return !thing || thing_is_deleting(thing); }

struct sum {
    int64_t cpus, memory;
};

/* A running machine keeps what it has, whatever its spec says now. */
static void add_share(struct sim *sim, const struct thing *thing, struct sum *sum)
{
    const struct fake_machine *machine = fake_machine_find(sim->machines, thing->uid);
    int64_t cpus = view_int(&kind_instance, thing->object, "spec.cpus");
    int64_t memory = view_bytes(&kind_instance, thing->object, "spec.memory");

    sum->cpus += machine && machine->status.cpus > cpus ? machine->status.cpus : cpus;
    sum->memory += machine && machine->status.memory_bytes > memory ? machine->status.memory_bytes : memory;
}

static bool is_full(struct sim *sim, const struct thing *wanted)
{
    const struct thing *host = thing_named(sim, &kind_host, "", HOST_NAME);
    struct sum sum = { view_int(&kind_instance, wanted->object, "spec.cpus"),
                       view_bytes(&kind_instance, wanted->object, "spec.memory") };
    void *each;

    for (size_t at = 0; map_next(sim->by_key, &at, NULL, &each);) {
        const struct thing *thing = each;
        if (thing->kind != &kind_instance || thing == wanted || !thing_text(thing, "status.host"))
            continue;
        add_share(sim, thing, &sum);
    }
    return sum.cpus > 16 || sum.memory > (7LL << 30) + (512LL << 20) ||
           view_bool(&kind_host, host->object, "spec.unschedulable");
}

static bool misses_network(struct sim *sim, const struct thing *thing)
{
    const json_t *cards = json_at(thing->object, "spec.networks");

    for (size_t i = 0; i < json_array_size(cards); i++)
        if (is_absent(thing_named(sim, &kind_network, NAMESPACE,
                                  json_text_at(json_array_get(cards, i), "network", ""))))
            return true;
    return false;
}

/* Some volume of the instance that is not there, not ready, or held by another one. */
static bool has_volume_trouble(struct sim *sim, const struct thing *thing)
{
    const json_t *disks = json_at(thing->object, "spec.disks");
    const char *stored = thing_text(thing, "status.rootVolume");
    auto_free char *root = stored ? str_dup(stored) : str_printf("%s-root", object_name(thing->object));

    for (size_t i = 0; i <= json_array_size(disks); i++) {
        const char *name = i ? json_text_at(json_array_get(disks, i - 1), "volume", "") : root;
        const struct thing *volume = thing_named(sim, &kind_volume, NAMESPACE, name);
        if (is_absent(volume) || !is_phase(volume, "Ready") ||
            !str_equal(thing_text(volume, "status.attachedToUID"), thing->uid))
            return true;
    }
    return false;
}

static bool waits_for_cdrom(struct sim *sim, const struct thing *thing)
{
    const char *image = thing_text(thing, "spec.cdrom.image");

    return image && !is_phase(thing_named(sim, &kind_image, "", image), "Ready");
}

static bool waits_rightly(struct sim *sim, const struct thing *thing, const char *reason)
{
    if (str_equal(reason, "NoRoom"))
        return is_full(sim, thing);
    if (str_equal(reason, "WaitingForNetwork"))
        return misses_network(sim, thing);
    if (str_equal(reason, "WaitingForSecret"))
        return is_absent(thing_named(sim, &kind_secret, NAMESPACE, "s0"));
    if (str_equal(reason, "NotStartable"))
        return waits_for_cdrom(sim, thing);
    if (str_equal(reason, "AddressInUse"))
        return true; /* of the small network, or fixed */
    return str_starts(reason, "Volume") && has_volume_trouble(sim, thing);
}

static char *waiting_problem(struct sim *sim, const struct thing *thing)
{
    const json_t *conditions = json_at(thing->object, "status.conditions");
    static const char *const rungs[] = { "Placed", "AddressesAssigned", "VolumesReady", "SeedWritten",
                                         "NetworkAttached", "Running" };

    for (size_t i = 0; i < sizeof rungs / sizeof rungs[0]; i++) {
        const json_t *rung = condition_get(thing->object, rungs[i]);
        const char *reason = json_text_at(rung, "reason", "");
        if (str_equal(json_text_at(rung, "status", ""), "True"))
            continue;
        if (str_is_empty(json_text_at(rung, "message", "")))
            return str_printf("%s waits at %s and does not say why", thing->key, rungs[i]);
        if (!waits_rightly(sim, thing, reason))
            return str_printf("%s waits at %s (%s: %s) without need", thing->key, rungs[i], reason,
                              json_text_at(rung, "message", ""));
        return NULL;
    }
    auto_free char *text = conditions ? json_text(conditions) : str_dup("nothing");
    return str_printf("%s is %s, and no rung says why: %s", thing->key, phase_of(thing), text);
}

/* --- instances --- */

static bool machine_has_disk(const struct fake_machine *machine, const char *name)
{
    for (unsigned i = 0; i < machine->status.disk_count; i++)
        if (str_equal(machine->status.disks[i], name))
            return true;
    return false;
}

static bool needs_restart(const struct thing *thing)
{
    const json_t *conditions = json_at(thing->object, "status.conditions");

    for (size_t i = 0; i < json_array_size(conditions); i++)
        if (str_equal(json_text_at(json_array_get(conditions, i), "reason", ""), "RestartNeeded"))
            return true;
    return false;
}

static char *devices_problem(struct sim *sim, const struct thing *thing,
                             const struct fake_machine *machine)
{
    const json_t *disks = json_at(thing->object, "spec.disks");
    const json_t *cards = json_at(thing->object, "status.networks");

    if (!machine_has_disk(machine, "root"))
        return str_printf("%s has no root disk", thing->key);
    for (size_t i = 0; i < json_array_size(disks); i++)
        if (!machine_has_disk(machine, json_text_at(json_array_get(disks, i), "name", "")) &&
            !has_volume_trouble(sim, thing))
            return str_printf("%s lacks disk %s", thing->key,
                              json_text_at(json_array_get(disks, i), "name", ""));
    for (size_t i = 0; i < json_array_size(cards); i++) {
        const json_t *card = json_array_get(cards, i);
        const char *nic = json_text_at(card, "name", "");
        auto_free char *id = str_printf("%s/%s", thing->uid, nic);
        if (!machine_has_nic(sim, thing->uid, nic))
            return str_printf("%s lacks NIC %s", thing->key, nic);
        if (!network_fake_port(sim->networks, json_text_at(card, "networkUID", ""), id))
            return str_printf("%s lacks port %s", thing->key, nic);
    }
    if (machine->status.nic_count != json_array_size(cards))
        return str_printf("%s has %u NICs, %zu are wanted", thing->key, machine->status.nic_count,
                          json_array_size(cards));
    return NULL;
}

/* It has what is wanted, or says that only a restart can do it, or that there is truly no room. */
static char *size_problem(struct sim *sim, const struct thing *thing, const struct fake_machine *machine)
{
    const json_t *resized = condition_get(thing->object, "Resized");

    if (machine->status.cpus == view_int(&kind_instance, thing->object, "spec.cpus") &&
        machine->status.memory_bytes == view_bytes(&kind_instance, thing->object, "spec.memory"))
        return str_equal(json_text_at(resized, "status", "True"), "True")
                   ? NULL
                   : str_printf("%s has its size, and says it has not", thing->key);
    if (condition_is_true(thing->object, "RestartRequired") || machine->status.state != MACHINE_RUNNING)
        return NULL;
    if (!str_equal(json_text_at(resized, "status", ""), "False") || str_is_empty(json_text_at(resized, "message", "")))
        return str_printf("%s has %u cpus and %lld bytes, and does not say why", thing->key, machine->status.cpus,
                          (long long)machine->status.memory_bytes);
    if (!str_equal(json_text_at(resized, "reason", ""), "NoRoom") || !is_full(sim, thing))
        return str_printf("%s is not resized (%s) without need", thing->key, json_text_at(resized, "message", ""));
    return NULL;
}

static char *running_problem(struct sim *sim, const struct thing *thing)
{
    const struct fake_machine *machine = fake_machine_find(sim->machines, thing->uid);
    bool is_paused = str_equal(thing_text(thing, "spec.powerState"), "Paused");

    if (!machine || !machine->has_process)
        return str_printf("%s is %s, and has no process", thing->key, phase_of(thing));
    if (machine->status.state != (is_paused ? MACHINE_PAUSED : MACHINE_RUNNING))
        return str_printf("%s: its machine is in state %d", thing->key, (int)machine->status.state);
    if (!is_phase(thing, is_paused ? "Paused" : "Running"))
        return str_printf("%s is %s", thing->key, phase_of(thing));
    if (!is_paused && !compute_fake_links_up(sim->machines, thing->uid))
        return str_printf("%s runs with its links down", thing->key);
    if (!is_paused && !condition_is_true(thing->object, "Ready"))
        return str_printf("%s runs and is not Ready", thing->key);
    if (condition_is_true(thing->object, "Restarting") || condition_is_true(thing->object, "Resetting") ||
        condition_is_true(thing->object, "Stopping"))
        return str_printf("%s is said to restart, reset or stop", thing->key);
    char *problem = size_problem(sim, thing, machine);
    return problem || needs_restart(thing) ? problem : devices_problem(sim, thing, machine);
}

static char *stopped_problem(struct sim *sim, const struct thing *thing)
{
    void *each;

    if (!is_phase(thing, "Stopped") && !is_phase(thing, "Failed"))
        return str_printf("%s is %s, not stopped", thing->key, phase_of(thing));
    if (fake_machine_find(sim->machines, thing->uid))
        return str_printf("%s is stopped, and its machine is there", thing->key);
    if (thing_text(thing, "status.host"))
        return str_printf("%s is stopped, and has a place", thing->key);
    for (size_t at = 0; map_next(sim->by_key, &at, NULL, &each);)
        if (str_equal(thing_text(each, "status.attachedToUID"), thing->uid))
            return str_printf("%s is stopped, and has %s", thing->key, ((struct thing *)each)->key);
    return NULL;
}

static char *instance_problem(struct sim *sim, const struct thing *thing)
{
    if (thing_is_deleting(thing))
        return str_printf("%s is still being deleted", thing->key);
    if (str_equal(thing_text(thing, "spec.powerState"), "Stopped") ||
        json_bool_at(thing->object, "status.endedByItself", false))
        return stopped_problem(sim, thing);
    if (is_phase(thing, "Pending") || is_phase(thing, "Starting")) {
        const struct fake_machine *machine = fake_machine_find(sim->machines, thing->uid);
        return machine ? str_printf("%s is %s, and its machine is there", thing->key, phase_of(thing))
                       : waiting_problem(sim, thing);
    }
    return running_problem(sim, thing);
}

/* --- the other kinds --- */

static char *not_ready_problem(const struct thing *thing)
{
    if (str_is_empty(thing_text(thing, "status.message")))
        return str_printf("%s is %s and does not say why", thing->key, phase_of(thing));
    return NULL;
}

static bool volume_waits_rightly(struct sim *sim, const struct thing *thing)
{
    const char *image = thing_text(thing, "spec.source.image");
    const char *source = thing_text(thing, "spec.source.volume");
    const char *pool = thing_text(thing, "spec.pool");
    const struct thing *from = source ? thing_named(sim, &kind_volume, NAMESPACE, source) : NULL;

    const char *name = thing_text(thing, "spec.source.snapshot");
    const struct thing *snapshot = name ? thing_named(sim, &kind_snapshot, NAMESPACE, name) : NULL;

    return is_absent(thing_named(sim, &kind_storage_pool, "", pool)) ||
           (name && (!is_phase(snapshot, "Ready") || !str_equal(thing_text(snapshot, "status.pool"), pool))) ||
           (image && !is_phase(thing_named(sim, &kind_image, "", image), "Ready")) ||
           (from && !str_equal(thing_text(from, "spec.pool"), pool)) ||
           (source && (!is_phase(from, "Ready") || thing_text(from, "status.attachedTo")));
}

static bool has_file(struct sim *sim, const char *what, const char *path, const char *uid)
{
    auto_free char *disks = storage_fake_describe(sim->disks);
    auto_free char *line = str_printf("%s %s%s\n", what, path, uid);

    return strstr(disks, line) != NULL;
}

static char *volume_size_problem(struct sim *sim, const struct thing *thing)
{
    const struct thing *pool = thing_named(sim, &kind_storage_pool, "", thing_text(thing, "spec.pool"));
    auto_free char *path = pool ? str_printf("%s/", thing_text(pool, "spec.directory.path")) : str_dup("?");

    if (view_bytes(&kind_volume, thing->object, "status.size") <
        view_bytes(&kind_volume, thing->object, "spec.size"))
        return str_printf("%s has not its size", thing->key);
    if (!has_file(sim, "volume", path, thing->uid))
        return str_printf("%s is ready, and has no file", thing->key);
    return NULL;
}

static char *volume_problem(struct sim *sim, const struct thing *thing)
{
    const char *holder = thing_text(thing, "status.attachedToUID");

    if (holder && !thing_here(sim, holder))
        return str_printf("%s is attached to %s, which is gone", thing->key, holder);
    if (thing_is_deleting(thing))
        return holder ? not_ready_problem(thing) : str_printf("%s is still being deleted", thing->key);
    if (is_phase(thing, "Ready"))
        return volume_size_problem(sim, thing);
    if (is_phase(thing, "Pending") && !volume_waits_rightly(sim, thing))
        return str_printf("%s waits without need: %s", thing->key, thing_text(thing, "status.message"));
    if (!is_phase(thing, "Pending") && !is_phase(thing, "Failed"))
        return str_printf("%s is %s", thing->key, phase_of(thing));
    return not_ready_problem(thing);
}

static char *snapshot_problem(struct sim *sim, const struct thing *thing)
{
    if (thing_is_deleting(thing) || is_phase(thing, "Pending") || is_phase(thing, "Failed"))
        return not_ready_problem(thing);
    if (!is_phase(thing, "Ready"))
        return str_printf("%s is %s", thing->key, phase_of(thing));
    return NULL;
}

static char *image_problem(struct sim *sim, const struct thing *thing)
{
    if (thing_is_deleting(thing))
        return str_printf("%s is still being deleted", thing->key);
    if (is_phase(thing, "Failed") || is_phase(thing, "Uploading"))
        return not_ready_problem(thing);
    if (!is_phase(thing, "Ready"))
        return str_printf("%s is %s", thing->key, phase_of(thing));
    if (!has_file(sim, "image", "", thing->uid))
        return str_printf("%s is ready, and has no file", thing->key);
    return NULL;
}

static char *network_problem(struct sim *sim, const struct thing *thing)
{
    const struct network_config *config = network_fake_network(sim->networks, thing->uid);

    if (thing_is_deleting(thing))
        return not_ready_problem(thing);
    if (!is_phase(thing, "Ready"))
        return str_printf("%s is %s", thing->key, phase_of(thing));
    if (!config || config->nat != json_bool_at(thing->object, "spec.nat", false))
        return str_printf("%s is not as wished", thing->key);
    if (!condition_is_true(thing->object, "ServicesReady"))
        return str_printf("%s: its services are said not to run", thing->key);
    return NULL;
}

static char *pool_problem(struct sim *sim, const struct thing *thing)
{
    if (thing_is_deleting(thing))
        return not_ready_problem(thing);
    return is_phase(thing, "Ready") ? NULL : str_printf("%s is %s", thing->key, phase_of(thing));
}

static const struct {
    const struct kind *kind;
    char *(*problem)(struct sim *sim, const struct thing *thing);
} kinds[] = {
    { &kind_instance, instance_problem }, { &kind_volume, volume_problem },
    { &kind_image, image_problem },       { &kind_network, network_problem },
    { &kind_storage_pool, pool_problem }, { &kind_snapshot, snapshot_problem },
};

static char *thing_problem(struct sim *sim, const struct thing *thing)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].kind != thing->kind)
            continue;
        if (!thing_is_deleting(thing) && json_int_at(thing->object, "status.observedGeneration", 0) !=
                                             json_int_at(thing->object, "metadata.generation", 0))
            return str_printf("%s: the last generation is not observed", thing->key);
        return kinds[i].problem(sim, thing);
    }
    return NULL;
}

/* --- what is in the world and belongs to nothing --- */

static char *machines_problem(struct sim *sim)
{
    const char *uid;

    for (size_t at = 0; map_next(sim->machines->machines, &at, &uid, NULL);)
        if (!thing_here(sim, uid))
            return str_printf("machine %s belongs to nothing", uid);
    return NULL;
}

static bool is_wanted_port(struct sim *sim, const char *network_uid, const char *id)
{
    auto_free char *uid = str_dup_part(id, strcspn(id, "/"));
    const struct thing *thing = thing_here(sim, uid);
    const json_t *cards = thing ? json_at(thing->object, "status.networks") : NULL;

    for (size_t i = 0; i < json_array_size(cards); i++)
        if (str_equal(json_text_at(json_array_get(cards, i), "networkUID", ""), network_uid) &&
            str_equal(json_text_at(json_array_get(cards, i), "name", ""), id + strlen(uid) + 1))
            return !is_phase(thing, "Stopped") && !is_phase(thing, "Failed");
    return false;
}

static char *networks_problem(struct sim *sim)
{
    const char *uid, *id;
    void *network;

    for (size_t at = 0; map_next(sim->networks->networks, &at, &uid, &network);) {
        if (!thing_here(sim, uid))
            return str_printf("network %s belongs to nothing", uid);
        for (size_t in = 0; map_next(((struct fake_network *)network)->ports, &in, &id, NULL);)
            if (!is_wanted_port(sim, uid, id))
                return str_printf("port %s of network %s is not wanted", id, uid);
    }
    if (network_fake_fds_open(sim->networks))
        return str_printf("%u taps are open", network_fake_fds_open(sim->networks));
    return NULL;
}

/* 'line' is as of storage_fake_describe(). */
static char *file_problem(struct sim *sim, const char *line)
{
    const char *end = strpbrk(line, "/ ");
    const struct thing *thing;

    for (const char *at = end; at; at = strpbrk(at + 1, "/ "))
        end = at;
    thing = thing_here(sim, end + 1);
    if (!thing || (str_starts(line, "staged ") && !is_phase(thing, "Uploading")))
        return str_printf("%s belongs to nothing", line);
    return NULL;
}

static char *disks_problem(struct sim *sim)
{
    auto_free char *disks = storage_fake_describe(sim->disks);
    char *problem = NULL, *rest = NULL;

    for (char *line = strtok_r(disks, "\n", &rest); line && !problem; line = strtok_r(NULL, "\n", &rest))
        problem = file_problem(sim, line);
    return problem;
}

char *settled_problem(struct sim *sim)
{
    char *problem = NULL;
    void *each;

    watchdog_look(sim);
    if (sim->asks)
        return str_dup("a request is not answered");
    for (size_t at = 0; !problem && map_next(sim->by_key, &at, NULL, &each);)
        problem = thing_problem(sim, each);
    problem = problem ? problem : machines_problem(sim);
    problem = problem ? problem : networks_problem(sim);
    return problem ? problem : disks_problem(sim);
}

char *settled_remains(struct sim *sim)
{
    auto_free char *disks = storage_fake_describe(sim->disks);
    auto_free char *networks = network_fake_describe(sim->networks);

    if (compute_fake_trace_count(sim->machines))
        return str_dup("a machine is left");
    if (compute_fake_log_count(sim->machines))
        return str_dup("a log is left");
    return disks[0] || networks[0] ? str_printf("left: %s%s", networks, disks) : NULL;
}

/* What no object knows stays, and the Host names it. */
char *settled_strangers(struct sim *sim)
{
    const struct thing *host = thing_named(sim, &kind_host, "", HOST_NAME);
    const json_t *told = condition_get(host->object, "AllKnown");
    const char *message = json_text_at(told, "message", ""), *uid;

    watchdog_look(sim);
    for (size_t at = 0; map_next(sim->machines->machines, &at, &uid, NULL);)
        if (!thing_here(sim, uid) && !strstr(message, uid))
            return str_printf("machine %s is unknown and not told of", uid);
    for (size_t at = 0; map_next(sim->networks->networks, &at, &uid, NULL);)
        if (!thing_here(sim, uid) && !strstr(message, uid))
            return str_printf("network %s is unknown and not told of", uid);
    return NULL;
}
