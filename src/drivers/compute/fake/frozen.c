/* drivers/compute/fake/frozen.c - frozen machines, and the links of network cards. */
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/fake/call.h"
#include <stdio.h>

static void config_free(void *config) { machine_config_free(config); }

struct map *fake_frozen_new(void) { return map_new(config_free); }

int fake_frozen_check(const struct compute_fake_world *world, const struct machine_config *config, struct err *err)
{
    const struct machine_config *frozen = config->frozen ? map_get(world->frozen, config->frozen) : NULL;

    if (!config->frozen)
        return 0;
    if (!frozen)
        return err_set(err, ERR_NOT_FOUND, "there is no frozen machine %s", config->frozen);
    if (frozen->cpus != config->cpus || frozen->memory_bytes != config->memory_bytes ||
        machine_cpus_most(frozen) != machine_cpus_most(config) ||
        machine_memory_most(frozen) != machine_memory_most(config) || frozen->disk_count != config->disk_count || frozen->nic_count != config->nic_count)
        return err_set(err, ERR_INVALID, "the machine was frozen with other devices");
    return 0;
}

/* --- links --- */

static int do_nic_link(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    if (fake_needs_monitor(machine, err) < 0)
        return -1;
    for (unsigned i = 0; i < machine->config->nic_count; i++) {
        if (!str_equal(machine->config->nics[i].name, call->device))
            continue;
        machine->links_down = call->size_bytes ? machine->links_down & ~(1u << i) : machine->links_down | 1u << i;
        return 0;
    }
    return err_set(err, ERR_NOT_FOUND, "the machine has no NIC %s", call->device);
}

void fake_nic_link(struct compute *compute, const char *uid, const char *nic_name, bool is_up, struct done done)
{
    struct fake_call *call = fake_call_new(compute, uid, do_nic_link);

    call->done = done;
    call->size_bytes = is_up;
    snprintf(call->device, sizeof call->device, "%s", nic_name);
}

bool compute_fake_links_up(const struct compute_fake_world *world, const char *uid)
{
    const struct fake_machine *machine = fake_machine_find(world, uid);

    return machine && machine->links_down == 0;
}

/* --- identity --- */

static int do_identify(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    if (fake_needs_monitor(machine, err) < 0)
        return -1;
    /* One that stands still hears it when it goes on. */
    if (!fake_guest_executes(machine) && machine->status.state != MACHINE_PAUSED)
        return err_set(err, ERR_TIMEOUT, "the guest did not take its identity");
    if (machine->world->identity_refusal[0])
        return err_set(err, ERR_INTERNAL, "the guest took no identity of its own: %s",
                       machine->world->identity_refusal);
    machine->is_itself = true;
    return 0;
}

void fake_identify(struct compute *compute, const char *uid, const void *bytes, size_t size, struct done done)
{
    fake_call_done(compute, uid, done, do_identify);
}

void compute_fake_refuse_identity(struct compute_fake_world *world, const char *why)
{
    snprintf(world->identity_refusal, sizeof world->identity_refusal, "%s", why);
}

/* --- freezing --- */

static int do_freeze(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    struct compute_fake_world *world = call->driver->world;

    if (fake_needs_monitor(machine, err) < 0)
        return -1;
    if (machine->config->frozen)
        return err_set(err, ERR_CONFLICT, "the machine is a fork itself");
    if (machine->status.state != MACHINE_RUNNING && machine->status.state != MACHINE_PAUSED)
        return err_set(err, ERR_CONFLICT, "the guest does not run");
    if (machine->status.cpus != machine->config->cpus || machine->status.memory_bytes != machine->config->memory_bytes)
        return err_set(err, ERR_CONFLICT, "the machine has another size than it was started with");
    if (map_get(world->frozen, call->device))
        return err_set(err, ERR_ALREADY_EXISTS, "a frozen machine %s exists", call->device);
    fake_guest_account(machine);
    machine->status.state = MACHINE_PAUSED;
    machine->links_down = (1u << machine->config->nic_count) - 1;
    map_set(world->frozen, call->device, machine_config_copy(machine->config));
    fake_machine_changed(machine);
    return 0;
}

void fake_freeze(struct compute *compute, const char *uid, const char *name, struct done done)
{
    struct fake_call *call = fake_call_new(compute, uid, do_freeze);

    call->done = done;
    snprintf(call->device, sizeof call->device, "%s", name);
}

static int do_frozen_remove(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    (void)map_remove(call->driver->world->frozen, call->uid); /* absent is fine */
    return 0;
}

void fake_frozen_remove(struct compute *compute, const char *name, struct done done)
{
    fake_call_done(compute, name, done, do_frozen_remove);
}

char **fake_frozen_list(struct compute *compute) { return map_keys(fake_driver_of(compute)->world->frozen); }

unsigned compute_fake_frozen_count(const struct compute_fake_world *world)
{
    return (unsigned)map_count(world->frozen);
}

void compute_fake_lose_frozen(struct compute_fake_world *world)
{
    map_free(world->frozen);
    world->frozen = fake_frozen_new();
}
