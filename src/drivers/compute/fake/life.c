/* drivers/compute/fake/life.c - start, end and power of the fake's machines.
 * A start has one step more than other calls: the process appears, its monitor answers later. */
#include "drivers/compute/fake/call.h"
#include <unistd.h>

static void on_monitor_answers(void *arg)
{
    struct fake_call *call = arg;
    struct compute_fake_world *world = call->driver->world;
    struct fake_machine *machine = fake_machine_find(world, call->uid);

    if (!machine || machine->status.state != MACHINE_LAUNCHING) {
        (void)err_set(&call->err, ERR_UNAVAILABLE, "the process ended while it started");
    } else if (fake_chance(world, world->options.start_fail_permille)) {
        fake_machine_end(machine, MACHINE_END_START_FAILED, "the fake was told to fail");
        (void)err_set(&call->err, ERR_UNAVAILABLE, "the fake was told to fail");
    } else {
        fake_machine_runs(machine);
    }
    fake_call_answer(call);
}

static void on_launch(void *arg)
{
    struct fake_call *call = arg;
    struct fake_machine *machine = fake_machine_find(call->driver->world, call->uid);

    if (!machine || machine->status.state != MACHINE_LAUNCHING) {
        (void)err_set(&call->err, ERR_CANCELLED, "killed before it started");
    } else if (fake_call_fails(call) || fake_frozen_check(call->driver->world, machine->config, &call->err) < 0) {
        fake_machine_end(machine, MACHINE_END_START_FAILED, call->err.text);
    } else {
        fake_machine_launch(machine);
        fake_call_step(call, fake_delay_ms(call->driver->world), on_monitor_answers);
        return;
    }
    fake_call_answer(call);
}

static int start_refused(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    return err_set(err, ERR_ALREADY_EXISTS, "the machine exists already");
}

void fake_start(struct compute *compute, const struct machine_config *config, const int *nic_fds,
                struct done done)
{
    struct compute_fake_world *world = fake_driver_of(compute)->world;
    bool exists = fake_machine_find(world, config->uid);

    for (unsigned i = 0; i < config->nic_count; i++) {
        if (nic_fds && nic_fds[i] >= 0)
            close(nic_fds[i]);
    }
    struct fake_call *call = fake_call_new(compute, config->uid, start_refused);
    call->done = done;
    if (exists)
        return;
    (void)fake_machine_new(world, config);
    fake_call_step(call, fake_delay_ms(world), on_launch);
}

static int do_kill(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    if (machine && machine->status.state != MACHINE_ENDED)
        fake_machine_end(machine, MACHINE_END_HOST_STOP, "stopped as asked");
    return 0;
}

static int do_release(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    if (!machine)
        return 0;
    if (machine->status.state != MACHINE_ENDED)
        return err_set(err, ERR_CONFLICT, "the machine runs");
    fake_machine_changed(machine);
    (void)map_remove(call->driver->world->machines, call->uid); /* found above */
    return 0;
}

/* --- power --- */

static int do_press_power(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    if (fake_needs_monitor(machine, err) < 0)
        return -1;
    fake_count(machine->world->presses, machine->uid);
    fake_guest_press_power(machine);
    return 0;
}

static int do_reset(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    if (fake_needs_monitor(machine, err) < 0)
        return -1;
    fake_guest_account(machine);
    fake_count(machine->world->resets, machine->uid);
    if (machine->status.is_fork) {
        fake_machine_end(machine, MACHINE_END_GUEST_RESET, "the fork was reset, and boots from its disk");
        return 0;
    }
    if (machine->status.state == MACHINE_CRASHED)
        machine->status.state = MACHINE_RUNNING;
    machine->status.message[0] = '\0';
    fake_guest_boot(machine);
    fake_machine_changed(machine);
    return 0;
}

static int do_pause(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    if (fake_needs_monitor(machine, err) < 0)
        return -1;
    if (machine->status.state == MACHINE_PAUSED)
        return 0;
    if (machine->status.state == MACHINE_CRASHED)
        return err_set(err, ERR_CONFLICT, "the guest crashed");
    fake_guest_account(machine);
    machine->status.state = MACHINE_PAUSED;
    machine->status.message[0] = '\0';
    fake_machine_changed(machine);
    return 0;
}

static int do_resume(struct fake_call *call, struct fake_machine *machine, struct err *err)
{
    if (fake_needs_monitor(machine, err) < 0)
        return -1;
    if (machine->status.state == MACHINE_RUNNING)
        return 0;
    if (machine->status.state == MACHINE_CRASHED)
        return err_set(err, ERR_CONFLICT, "the guest crashed");
    fake_guest_account(machine);
    machine->status.state = machine->disk_is_full ? MACHINE_IO_PAUSED : MACHINE_RUNNING;
    fake_guest_goes_on(machine);
    fake_machine_changed(machine);
    return 0;
}

#define SIMPLE_CALL(name)                                                                          \
    void fake_##name(struct compute *compute, const char *uid, struct done done)                   \
    {                                                                                              \
        fake_call_done(compute, uid, done, do_##name);                                             \
    }
SIMPLE_CALL(kill)
SIMPLE_CALL(release)
SIMPLE_CALL(press_power)
SIMPLE_CALL(reset)
SIMPLE_CALL(pause)
SIMPLE_CALL(resume)
#undef SIMPLE_CALL
