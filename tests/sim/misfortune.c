/* tests/sim/misfortune.c - what happens to guests, disks and networks, whatever anybody wishes. */
#include "sim.h"
#include "drivers/compute/fake/world.h"
#include "drivers/network/fake/world.h"

/* A random machine with a process, or NULL. */
static const char *any_machine(struct sim *sim)
{
    size_t count = map_count(sim->machines->machines), nth = count ? sim_draw(sim, count) : 0;
    const char *uid = NULL;
    void *machine;

    for (size_t at = 0; map_next(sim->machines->machines, &at, &uid, &machine);)
        if (nth-- == 0)
            return ((struct fake_machine *)machine)->has_process ? uid : NULL;
    return NULL;
}

static const char *any_network(struct sim *sim)
{
    size_t count = map_count(sim->networks->networks), nth = count ? sim_draw(sim, count) : 0;
    const char *uid = NULL;

    for (size_t at = 0; map_next(sim->networks->networks, &at, &uid, NULL);)
        if (nth-- == 0)
            return uid;
    return NULL;
}

static const char *label(struct sim *sim, const char *uid)
{
    const struct thing *thing = map_get(sim->by_uid, uid);

    return thing ? thing->key : uid;
}

static void befall_machine(struct sim *sim, const char *uid)
{
    switch (sim_draw(sim, 6)) {
    case 0:
        sim_trace(sim, "misfortune: the guest of %s powers off", label(sim, uid));
        compute_fake_guest_powers_off(sim->machines, uid);
        break;
    case 1:
        sim_trace(sim, "misfortune: the guest of %s panics", label(sim, uid));
        compute_fake_guest_panics(sim->machines, uid);
        break;
    case 2:
        sim_trace(sim, "misfortune: the process of %s dies", label(sim, uid));
        compute_fake_process_dies(sim->machines, uid);
        break;
    case 3:
        sim_trace(sim, "misfortune: the disk of %s is full", label(sim, uid));
        compute_fake_disk_full(sim->machines, uid, true);
        break;
    case 4:
        sim_trace(sim, "misfortune: the disk of %s has space again", label(sim, uid));
        compute_fake_disk_full(sim->machines, uid, false);
        break;
    default:
        sim_trace(sim, "misfortune: the guest of %s is deaf for the power button", label(sim, uid));
        compute_fake_guest_ignores_power(sim->machines, uid, true);
    }
}

static void befall_network(struct sim *sim, const char *uid)
{
    if (sim_chance(sim, 2)) {
        sim_trace(sim, "misfortune: %s breaks", label(sim, uid));
        network_fake_break(sim->networks, uid);
    } else {
        sim_trace(sim, "misfortune: the DHCP of %s dies", label(sim, uid));
        network_fake_kill_dhcp(sim->networks, uid, 1 + (int64_t)sim_draw(sim, 10000));
    }
}

static void set_disk_full(struct sim *sim, bool is_full)
{
    struct storage_fake_settings settings = storage_fake_settings(sim->disks);

    sim_trace(sim, "misfortune: the file system %s", is_full ? "is full" : "has space");
    settings.foreign_bytes = is_full ? settings.capacity_bytes : 0;
    storage_fake_set(sim->disks, &settings);
}

static void befall(void *arg)
{
    struct sim *sim = arg;
    uint64_t what = sim_draw(sim, 10);
    const char *machine = any_machine(sim), *network = any_network(sim);

    loop_timer_again(sim->misfortune_timer, 1 + (int64_t)sim_draw(sim, (uint64_t)sim->plan.misfortune_gap_ms));
    sim->counts->misfortunes++;
    if (what < 7 && machine)
        befall_machine(sim, machine);
    else if (what < 9 && network)
        befall_network(sim, network);
    else
        set_disk_full(sim, sim_chance(sim, 2));
}

static void set_failures(struct sim *sim, const struct plan *plan)
{
    struct network_fake_settings networks = { .delay_max_ms = plan->delay_ms,
                                              .fail_one_in = plan->fail_one_in };
    struct storage_fake_settings disks = storage_fake_settings(sim->disks);

    disks.delay_ms_max = plan->delay_ms + 1;
    disks.import_ms_max = 1000;
    disks.fail_one_in = plan->fail_one_in;
    compute_fake_set_failures(sim->machines, plan->fail_permille, plan->start_fail_permille);
    network_fake_set(sim->networks, &networks);
    storage_fake_set(sim->disks, &disks);
}

void misfortune_begin(struct sim *sim)
{
    set_failures(sim, &sim->plan);
    if (sim->plan.misfortune_gap_ms)
        sim->misfortune_timer = loop_timer(sim->loop, sim->plan.misfortune_gap_ms, befall, sim);
}

void misfortune_ends(struct sim *sim)
{
    const struct plan quiet = { .delay_ms = 20 };
    const char *uid;

    loop_source_free(take_pointer(sim->misfortune_timer));
    set_failures(sim, &quiet);
    set_disk_full(sim, false);
    for (size_t at = 0; map_next(sim->machines->machines, &at, &uid, NULL);)
        compute_fake_disk_full(sim->machines, uid, false);
}
