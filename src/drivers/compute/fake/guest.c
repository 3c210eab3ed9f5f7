/* drivers/compute/fake/guest.c - what the guests of the fake do, by themselves or told to. */
#include "base/json.h"
#include "base/str.h"
#include "drivers/compute/fake/world.h"
#include <assert.h>
#include <stdio.h>

bool fake_guest_executes(const struct fake_machine *machine)
{
    return machine->has_process && machine->status.state == MACHINE_RUNNING;
}

static void end_boot(struct fake_machine *machine)
{
    loop_source_free(machine->boot);
    machine->boot = NULL;
}

static void on_booted(void *arg)
{
    struct fake_machine *machine = arg;

    end_boot(machine);
    if (!fake_guest_executes(machine) || !machine->config->guest_agent)
        return;
    machine->status.agent_connected = true;
    fake_machine_changed(machine);
}

void fake_guest_boot(struct fake_machine *machine)
{
    fake_guest_stop(machine);
    machine->status.agent_connected = false;
    machine->status.shutdown_requested = false;
    fake_guest_goes_on(machine);
}

static void on_shut_down(void *arg)
{
    struct fake_machine *machine = arg;

    loop_source_free(machine->shutdown);
    machine->shutdown = NULL;
    if (fake_guest_executes(machine))
        fake_machine_end(machine, MACHINE_END_GUEST_SHUTDOWN, "the guest powered off");
}

static void obey_power(struct fake_machine *machine)
{
    struct compute_fake_world *world = machine->world;

    if (machine->shutdown || map_has(world->ignores_power, machine->uid))
        return;
    machine->shutdown =
        loop_timer(world->loop, world->options.guest_shutdown_ms, on_shut_down, machine);
}

void fake_guest_press_power(struct fake_machine *machine)
{
    machine->status.shutdown_requested = true;
    fake_machine_changed(machine);
    obey_power(machine);
}

void fake_guest_goes_on(struct fake_machine *machine)
{
    if (!fake_guest_executes(machine))
        return;
    if (!machine->status.agent_connected && !machine->boot)
        machine->boot = loop_timer(machine->world->loop, machine->world->options.guest_boot_ms,
                                   on_booted, machine);
    if (machine->status.shutdown_requested)
        obey_power(machine);
}

void fake_guest_stop(struct fake_machine *machine)
{
    end_boot(machine);
    loop_source_free(machine->shutdown);
    machine->shutdown = NULL;
}

void fake_guest_account(struct fake_machine *machine)
{
    int64_t now_ms = loop_now_ms(machine->world->loop);

    if (fake_guest_executes(machine))
        machine->status.usage.cpu_ns +=
            (uint64_t)(now_ms - machine->load_since_ms) * 1000 * machine->load_milli;
    machine->load_since_ms = now_ms;
}

/* --- told by the test --- */

static struct fake_machine *with_process(struct compute_fake_world *world, const char *uid)
{
    struct fake_machine *machine = fake_machine_find(world, uid);

    return machine && machine->has_process ? machine : NULL;
}

void compute_fake_guest_powers_off(struct compute_fake_world *world, const char *uid)
{
    struct fake_machine *machine = with_process(world, uid);

    if (machine && fake_guest_executes(machine))
        fake_machine_end(machine, MACHINE_END_GUEST_SHUTDOWN, "the guest powered off");
}

void compute_fake_guest_panics(struct compute_fake_world *world, const char *uid)
{
    struct fake_machine *machine = with_process(world, uid);

    if (!machine || !fake_guest_executes(machine))
        return;
    fake_guest_account(machine);
    fake_guest_stop(machine);
    machine->status.state = MACHINE_CRASHED;
    machine->status.agent_connected = false;
    snprintf(machine->status.message, sizeof machine->status.message, "the guest panicked");
    fake_machine_changed(machine);
}

void compute_fake_process_dies(struct compute_fake_world *world, const char *uid)
{
    struct fake_machine *machine = with_process(world, uid);

    if (machine)
        fake_machine_end(machine, MACHINE_END_PROCESS_DIED, "the process was killed by signal 9");
}

void compute_fake_host_reboots(struct compute_fake_world *world)
{
    void *machine;

    assert(!world->driver && "the daemon does not survive a reboot");
    for (size_t at = 0; map_next(world->machines, &at, NULL, &machine);) {
        if (((struct fake_machine *)machine)->has_process)
            fake_machine_end(machine, MACHINE_END_PROCESS_DIED, "the host was restarted");
    }
    compute_fake_lose_frozen(world);
}

void compute_fake_disk_full(struct compute_fake_world *world, const char *uid, bool is_full)
{
    struct fake_machine *machine = with_process(world, uid);

    if (!machine)
        return;
    fake_guest_account(machine);
    machine->disk_is_full = is_full;
    if (is_full && machine->status.state == MACHINE_RUNNING) {
        machine->status.state = MACHINE_IO_PAUSED;
        snprintf(machine->status.message, sizeof machine->status.message,
                 "disk %s: no space left on device",
                 machine->config->disk_count ? machine->config->disks[0].name : "root");
    } else if (!is_full && machine->status.state == MACHINE_IO_PAUSED) {
        machine->status.state = MACHINE_RUNNING;
        machine->status.message[0] = '\0';
        fake_guest_goes_on(machine);
    }
    fake_machine_changed(machine);
}

void compute_fake_guest_ignores_power(struct compute_fake_world *world, const char *uid,
                                      bool ignores)
{
    if (ignores)
        map_set(world->ignores_power, uid, NULL);
    else
        (void)map_remove(world->ignores_power, uid); /* absent is fine */
}

void compute_fake_set_load(struct compute_fake_world *world, const char *uid, unsigned cpu_milli,
                           int64_t memory_bytes)
{
    struct fake_machine *machine = with_process(world, uid);

    if (!machine)
        return;
    fake_guest_account(machine);
    machine->load_milli = cpu_milli;
    machine->status.usage.memory_bytes = memory_bytes;
    machine->status.usage.guest_memory_bytes = memory_bytes;
}

/* --- the agent --- */

static json_t *built_in_answer(const char *command, struct err *err)
{
    if (str_equal(command, "guest-ping"))
        return json_object();
    if (str_equal(command, "guest-exec"))
        return json_pack("{si}", "pid", 1);
    if (str_equal(command, "guest-exec-status"))
        return json_pack("{sbsiss}", "exited", 1, "exitcode", 0, "out-data", "ZmFrZQo=");
    (void)err_set(err, ERR_UNSUPPORTED, "the agent does not know %s", command);
    return NULL;
}

json_t *fake_guest_agent(struct fake_machine *machine, const char *command, const json_t *arguments,
                         struct err *err)
{
    struct compute_fake_world *world = machine->world;

    if (!machine->status.agent_connected) {
        (void)err_set(err, ERR_UNAVAILABLE, "the guest agent does not answer");
        return NULL;
    }
    if (world->agent)
        return world->agent(world->agent_arg, machine->uid, command, arguments, err);
    return built_in_answer(command, err);
}
