/* tests/sim/daemon.c - virgad as daemon/assemble.c puts it together, over fakes that outlive it. */
#include "sim.h"

static void machine_changed(void *arg, const char *uid)
{
    struct sim *sim = arg;

    if (sim->control)
        control_machine_changed(sim->control, uid);
}

static void network_changed(void *arg, const char *uid)
{
    struct sim *sim = arg;

    if (sim->control)
        control_network_changed(sim->control, uid);
}

static void open_drivers(struct sim *sim)
{
    struct compute_setup compute = { .loop = sim->loop, .changed = machine_changed, .arg = sim };
    struct network_setup network = { .loop = sim->loop, .changed = network_changed, .arg = sim };
    struct storage_setup storage = { .loop = sim->loop, .image_dir = "/images" };

    sim->compute = spy_compute_new(sim, &compute);
    sim->network = spy_network_new(sim, &network);
    sim->storage = spy_storage_new(sim, &storage);
}

void daemon_opens(struct sim *sim)
{
    struct control_setup setup = { .loop = sim->loop,
                                   .store = sim->store,
                                   .host_name = HOST_NAME,
                                   .state_dir = "/state",
                                   .host_cpus = 4,
                                   .host_memory_bytes = 8LL << 30,
                                   .usage_interval_ms = 60 * 1000 };
    struct err err;

    sim_trace(sim, "the daemon starts");
    open_drivers(sim);
    setup.compute = sim->compute;
    setup.network = sim->network;
    setup.storage = sim->storage;
    desk_open(sim);
    sim->is_up = true;
    sim->control = control_new(&setup, &err);
    if (!sim->control)
        sim_fail(sim, "the daemon does not start: %s", err.text);
}

/* Nothing of the process is left; of the writes on their way some reached the disk. */
void daemon_crashes(struct sim *sim)
{
    sim_trace(sim, "the daemon dies");
    sim->crashes++;
    sim->counts->crashes++;
    sim->is_up = false;
    desk_close(sim);
    control_free(sim->control);
    sim->control = NULL;
    sim->compute->ops->close(sim->compute);
    sim->network->ops->close(sim->network);
    sim->storage->ops->close(sim->storage);
    store_memory_crash(sim->store, sim_draw(sim, 4));
    watchdog_crashed(sim);
}

static void host_restarts(struct sim *sim)
{
    sim_trace(sim, "the host restarts");
    sim->counts->reboots++;
    compute_fake_host_reboots(sim->machines);
    network_fake_reboot(sim->networks);
}

void daemon_maybe_crashes(struct sim *sim)
{
    if (sim->is_calm || sim->crashes >= sim->plan.crash_count_max ||
        !sim_chance(sim, sim->plan.crash_one_in))
        return;
    daemon_crashes(sim);
    if (sim_chance(sim, 30))
        host_restarts(sim);
    if (sim->plan.restores && sim->backup && sim->wishes_made > sim->plan.wish_count / 2)
        store_is_put_back(sim);
    else if (sim->plan.restores && !sim->is_restored && !sim->backup)
        store_is_copied(sim);
    daemon_opens(sim);
}
