/* tests/sim/run.c - one seed from beginning to end. */
#include "sim.h"
#include "drivers/compute/fake/world.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    SETTLE_LOOK_MS = 5 * 1000,
    SETTLE_MAX_MS = 30 * 60 * 1000,
    IDLE_MS = 10 * 60 * 1000,
    CHAOS_MAX_MS = 2 * 3600 * 1000,
};

uint64_t sim_draw(struct sim *sim, uint64_t limit) { return random_below(&sim->random, limit); }

bool sim_chance(struct sim *sim, unsigned one_in) { return one_in && sim_draw(sim, one_in) == 0; }

static unsigned one_of(struct sim *sim, const unsigned *values, size_t count)
{
    return values[sim_draw(sim, count)];
}
#define ONE_OF(sim, ...)                                                                           \
    one_of(sim, (const unsigned[]){ __VA_ARGS__ },                                                 \
           sizeof((const unsigned[]){ __VA_ARGS__ }) / sizeof(unsigned))

static void draw_plan(struct sim *sim)
{
    sim->plan = (struct plan){
        .wish_count = 8 + (unsigned)sim_draw(sim, 24),
        .wish_gap_ms = ONE_OF(sim, 20, 500, 5000, 30000),
        .crash_one_in = ONE_OF(sim, 0, 1000, 200, 40, 10),
        .crash_count_max = ONE_OF(sim, 5, 20),
        .lost_one_in = ONE_OF(sim, 0, 0, 20, 4),
        .fail_permille = ONE_OF(sim, 0, 0, 50, 300),
        .start_fail_permille = ONE_OF(sim, 0, 0, 100, 500),
        .fail_one_in = ONE_OF(sim, 0, 0, 20, 3),
        .delay_ms = ONE_OF(sim, 1, 20, 2000),
        .misfortune_gap_ms = ONE_OF(sim, 0, 2000, 30000),
        .boot_ms = ONE_OF(sim, 0, 2000, 100000000),
        .is_emptied = sim_chance(sim, 4),
        .restores = sim_chance(sim, 6),
    };
}

/* Does a machine that runs have this file? */
static bool is_open(void *arg, const char *path)
{
    struct sim *sim = arg;
    void *each;

    for (size_t at = 0; map_next(sim->machines->machines, &at, NULL, &each);) {
        const struct fake_machine *machine = each;
        for (unsigned i = 0; machine->has_process && i < machine->config->disk_count; i++) {
            const struct disk_source *source = &machine->config->disks[i].source;
            for (unsigned j = 0; j < source->file_count; j++)
                if (str_equal(source->files[j].path, path))
                    return true;
        }
    }
    return false;
}

static void begin(struct sim *sim)
{
    struct compute_fake_options options = { .seed = sim->seed };

    sim->random.state = sim->seed;
    sim->names.state = ~sim->seed;
    random_simulate(&sim->names);
    draw_plan(sim);
    options.delay_max_ms = sim->plan.delay_ms;
    options.guest_boot_ms = sim->plan.boot_ms;
    options.guest_shutdown_ms = 1500;
    sim->loop = loop_sim_new(sim->seed);
    sim->start_ms = loop_now_ms(sim->loop);
    sim->store = store_memory_new(sim->loop);
    sim->machines = compute_fake_world_new(sim->loop, &options);
    sim->networks = network_fake_new();
    sim->disks = storage_fake_new();
    storage_fake_watch_use(sim->disks, is_open, sim);
    watchdog_begin(sim);
    misfortune_begin(sim);
    daemon_opens(sim);
    wishes_begin(sim);
}

static void end(struct sim *sim)
{
    sim->plan.crash_count_max = 0;
    daemon_crashes(sim);
    sim->counts->crashes--; /* it was an end */
    loop_source_free(sim->wish_timer);
    loop_source_free(sim->misfortune_timer);
    watchdog_end(sim);
    json_decref(sim->backup);
    compute_fake_world_free(sim->machines);
    network_fake_free(sim->networks);
    storage_fake_free(sim->disks);
    store_free(sim->store);
    loop_free(sim->loop);
    random_simulate(NULL);
}

static int64_t run_ms(const struct sim *sim) { return loop_now_ms(sim->loop) - sim->start_ms; }

static void step(struct sim *sim)
{
    if (!loop_sim_step(sim->loop))
        sim_fail(sim, "nothing will ever happen again");
    sim->counts->steps++;
    watchdog_look(sim);
    daemon_maybe_crashes(sim);
}

static void pass(struct sim *sim, int64_t ms)
{
    int64_t until_ms = run_ms(sim) + ms;

    while (run_ms(sim) < until_ms)
        step(sim);
}

static void make_all_wishes(struct sim *sim)
{
    while (sim->wishes_made < sim->plan.wish_count) {
        if (run_ms(sim) > CHAOS_MAX_MS)
            sim_fail(sim, "the wishes do not come to an end");
        step(sim);
    }
    pass(sim, (int64_t)sim_draw(sim, 2000));
}

static void settle(struct sim *sim, char *(*problem)(struct sim *sim))
{
    int64_t until_ms = run_ms(sim) + SETTLE_MAX_MS;
    char *text;

    while ((text = problem(sim))) {
        if (run_ms(sim) > until_ms)
            sim_fail(sim, "not settled after %d minutes: %s", SETTLE_MAX_MS / 60000, text);
        free(text);
        pass(sim, SETTLE_LOOK_MS);
    }
}

/* Nothing turns round and round while there is nothing to do: some looks at each object a minute. */
static void stay_idle(struct sim *sim)
{
    unsigned long steps = sim->counts->steps, bound;

    pass(sim, IDLE_MS);
    bound = (unsigned long)(IDLE_MS / 60000) * 40 * (map_count(sim->by_key) + 4);
    if (sim->counts->steps - steps > bound)
        sim_fail(sim, "%lu events in %d idle minutes with %zu objects", sim->counts->steps - steps,
                 IDLE_MS / 60000, map_count(sim->by_key));
    settle(sim, settled_problem);
}

static bool ask_all_to_go(struct sim *sim, const struct kind *kind)
{
    bool is_any_there = false;
    void *each;

    for (size_t at = 0; map_next(sim->by_key, &at, NULL, &each);) {
        const struct thing *thing = each;
        const char *namespace_name = object_namespace(thing->object);
        is_any_there |= thing->kind == kind;
        if (thing->kind == kind && !thing_is_deleting(thing))
            ask_delete(sim, kind, namespace_name[0] ? namespace_name : NULL, object_name(thing->object));
    }
    return is_any_there;
}

static void delete_all_of(struct sim *sim, const struct kind *kind)
{
    int64_t until_ms = run_ms(sim) + SETTLE_MAX_MS;

    while (ask_all_to_go(sim, kind)) {
        if (run_ms(sim) > until_ms)
            sim_fail(sim, "some %s cannot be deleted", kind->singular);
        pass(sim, SETTLE_LOOK_MS);
    }
}

static void delete_everything(struct sim *sim)
{
    sim_trace(sim, "everything is deleted");
    delete_all_of(sim, &kind_instance);
    delete_all_of(sim, &kind_volume);
    delete_all_of(sim, &kind_snapshot);
    delete_all_of(sim, &kind_image);
    delete_all_of(sim, &kind_network);
    settle(sim, settled_remains);
}

void sim_run(struct sim *sim)
{
    begin(sim);
    make_all_wishes(sim);
    sim_trace(sim, "from now on all is calm");
    sim->is_calm = true;
    misfortune_ends(sim);
    if (sim->is_restored) {
        settle(sim, settled_strangers);
        strangers_shall_go(sim);
        settle(sim, strangers_remain);
        end(sim);
        return;
    }
    settle(sim, settled_problem);
    if (sim->seed % 16 == 0)
        stay_idle(sim);
    if (sim->plan.is_emptied)
        delete_everything(sim);
    end(sim);
}
