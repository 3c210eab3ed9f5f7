/* drivers/compute/fake/world.c - the machines of the fake, which outlive the driver. */
#include "drivers/compute/fake/world.h"
#include "base/mem.h"
#include "base/str.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void machine_free(void *value)
{
    struct fake_machine *machine = value;

    fake_guest_stop(machine);
    machine_config_free(machine->config);
    free(machine->uid);
    free(machine);
}

struct compute_fake_world *compute_fake_world_new(struct loop *loop,
                                                  const struct compute_fake_options *options)
{
    struct compute_fake_world *world = mem_new(struct compute_fake_world);

    world->loop = loop;
    if (options)
        world->options = *options;
    world->random.state = world->options.seed;
    world->machines = map_new(machine_free);
    world->launches = map_new(free);
    world->presses = map_new(free);
    world->resets = map_new(free);
    world->logs = map_new(free);
    world->ignores_power = map_new(NULL);
    world->frozen = fake_frozen_new();
    world->next_pid = 1000;
    return world;
}

void compute_fake_world_free(struct compute_fake_world *world)
{
    if (!world)
        return;
    assert(!world->driver);
    map_free(world->machines);
    map_free(world->launches);
    map_free(world->presses);
    map_free(world->resets);
    map_free(world->logs);
    map_free(world->ignores_power);
    map_free(world->frozen);
    free(world);
}

bool fake_chance(struct compute_fake_world *world, unsigned permille)
{
    return permille && random_below(&world->random, 1000) < permille;
}

int64_t fake_delay_ms(struct compute_fake_world *world)
{
    int64_t span = world->options.delay_max_ms - world->options.delay_min_ms;

    if (span <= 0)
        return world->options.delay_min_ms;
    return world->options.delay_min_ms + (int64_t)random_below(&world->random, (uint64_t)span + 1);
}

void compute_fake_set_failures(struct compute_fake_world *world, unsigned fail_permille,
                               unsigned start_fail_permille)
{
    world->options.fail_permille = fail_permille;
    world->options.start_fail_permille = start_fail_permille;
}

void compute_fake_set_agent(struct compute_fake_world *world, compute_fake_agent_fn *fn, void *arg)
{
    world->agent = fn;
    world->agent_arg = arg;
}

/* --- machines --- */

struct fake_machine *fake_machine_find(const struct compute_fake_world *world, const char *uid)
{
    return map_get(world->machines, uid);
}

struct fake_machine *fake_machine_new(struct compute_fake_world *world,
                                      const struct machine_config *config)
{
    struct fake_machine *machine = mem_new(struct fake_machine);

    assert(!fake_machine_find(world, config->uid));
    machine->world = world;
    machine->uid = str_dup(config->uid);
    machine->config = machine_config_copy(config);
    machine->slots = world->spare_slots ? fake_slots_used(config) + world->spare_slots : 0;
    machine->status.state = MACHINE_LAUNCHING;
    machine->status.is_fork = config->frozen != NULL;
    machine->is_itself = !config->frozen;
    machine->links_down = config->frozen ? (1u << config->nic_count) - 1 : 0;
    machine->status.is_tcg = config->accelerator != ACCELERATOR_KVM;
    snprintf(machine->status.machine_type, sizeof machine->status.machine_type, "%s",
             config->machine_type ? config->machine_type : "fake-1.0");
    map_set(world->machines, config->uid, machine);
    map_set(world->logs, config->uid, str_dup(config->name ? config->name : "?"));
    fake_machine_changed(machine);
    return machine;
}

void fake_machine_list_devices(struct fake_machine *machine)
{
    const struct machine_config *config = machine->config;
    struct machine_status *status = &machine->status;

    status->disk_count = config->disk_count;
    for (unsigned i = 0; i < config->disk_count; i++)
        memcpy(status->disks[i], config->disks[i].name, DEVICE_NAME_SIZE);
    status->nic_count = config->nic_count;
    for (unsigned i = 0; i < config->nic_count; i++)
        memcpy(status->nics[i], config->nics[i].name, DEVICE_NAME_SIZE);
}

static bool writes_file(const struct fake_machine *machine, const char *path)
{
    for (unsigned i = 0; i < machine->config->disk_count; i++) {
        const struct disk_source *source = &machine->config->disks[i].source;

        if (source->file_count && !source->read_only && str_equal(source->files[0].path, path))
            return true;
    }
    return false;
}

void fake_assert_sole_writer(const struct fake_machine *machine, const struct machine_disk *disk)
{
    void *other;

    if (!disk->source.file_count || disk->source.read_only)
        return;
    for (size_t at = 0; map_next(machine->world->machines, &at, NULL, &other);) {
        const struct fake_machine *rival = other;

        if (rival != machine && rival->has_process)
            assert(!writes_file(rival, disk->source.files[0].path) &&
                   "two machines write one disk file");
    }
}

void fake_count(struct map *counts, const char *uid)
{
    unsigned *count = map_get(counts, uid);

    if (!count) {
        count = mem_new(unsigned);
        map_set(counts, uid, count);
    }
    ++*count;
}

void fake_machine_launch(struct fake_machine *machine)
{
    struct compute_fake_world *world = machine->world;

    assert(!machine->has_process && "a second process for one machine");
    for (unsigned i = 0; i < machine->config->disk_count; i++)
        fake_assert_sole_writer(machine, &machine->config->disks[i]);
    fake_count(world->launches, machine->uid);
    machine->has_process = machine->is_heard = true;
    machine->status.pid = world->next_pid++;
    machine->status.cpus = machine->config->cpus;
    machine->status.memory_bytes = machine->config->memory_bytes;
    machine->status.launched_wall_ms = loop_wall_ms(world->loop);
    fake_machine_list_devices(machine);
    fake_machine_changed(machine);
}

void fake_machine_runs(struct fake_machine *machine)
{
    assert(machine->has_process && machine->status.state == MACHINE_LAUNCHING);
    machine->status.state = machine->config->start_paused ? MACHINE_PAUSED : MACHINE_RUNNING;
    machine->load_since_ms = loop_now_ms(machine->world->loop);
    fake_guest_boot(machine);
    fake_machine_changed(machine);
}

void fake_machine_end(struct fake_machine *machine, enum machine_end end, const char *message)
{
    fake_guest_account(machine);
    fake_guest_stop(machine);
    machine->has_process = false;
    machine->status.pid = 0;
    machine->status.cpus = 0;
    machine->status.memory_bytes = 0;
    machine->status.state = MACHINE_ENDED;
    machine->status.end = end;
    machine->status.agent_connected = false;
    machine->status.shutdown_requested = false;
    snprintf(machine->status.message, sizeof machine->status.message, "%s", message);
    fake_machine_changed(machine);
}

void fake_machine_changed(struct fake_machine *machine)
{
    if (machine->world->driver)
        changes_add(&machine->world->driver->changes, machine->uid);
}

/* --- what happened --- */

static unsigned counted(struct map *counts, const char *uid)
{
    const unsigned *count = map_get(counts, uid);

    return count ? *count : 0;
}

unsigned compute_fake_launches(const struct compute_fake_world *world, const char *uid)
{
    return counted(world->launches, uid);
}

unsigned compute_fake_presses(const struct compute_fake_world *world, const char *uid)
{
    return counted(world->presses, uid);
}

unsigned compute_fake_resets(const struct compute_fake_world *world, const char *uid)
{
    return counted(world->resets, uid);
}

unsigned compute_fake_process_count(const struct compute_fake_world *world)
{
    unsigned count = 0;
    void *machine;

    for (size_t at = 0; map_next(world->machines, &at, NULL, &machine);)
        count += ((const struct fake_machine *)machine)->has_process;
    return count;
}

unsigned compute_fake_trace_count(const struct compute_fake_world *world)
{
    return (unsigned)map_count(world->machines);
}

unsigned compute_fake_log_count(const struct compute_fake_world *world)
{
    return (unsigned)map_count(world->logs);
}

bool compute_fake_has_process(const struct compute_fake_world *world, const char *uid)
{
    const struct fake_machine *machine = fake_machine_find(world, uid);

    return machine && machine->has_process;
}

const struct machine_config *compute_fake_config(const struct compute_fake_world *world,
                                                 const char *uid)
{
    const struct fake_machine *machine = fake_machine_find(world, uid);

    return machine ? machine->config : NULL;
}
