/* drivers/compute/qemu/life.c - how machines begin and end. */
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/machine.h"
#include "drivers/compute/qemu/parts.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum { QUIT_MS = 5000 }; /* to flush and close its files before it is killed */

/* --- start --- */

static void close_nics(const struct machine_config *config, const int *take_nic_fds)
{
    for (unsigned i = 0; take_nic_fds && i < config->nic_count && i < MACHINE_NICS_MAX; i++) {
        if (take_nic_fds[i] >= 0)
            close(take_nic_fds[i]);
    }
}

/* The machine is known from here on, even when it cannot start. */
static struct qemu_machine *machine_for(struct qemu_driver *driver,
                                        const struct machine_config *config, struct err *err)
{
    uid_t number;

    if (qemu_machine_find(driver, config->uid)) {
        (void)err_set(err, ERR_ALREADY_EXISTS, "the machine exists already");
        return NULL;
    }
    if (command_line_check_uid(config, err) < 0 || qemu_number_take(driver, &number, err) < 0)
        return NULL;
    struct qemu_machine *machine = qemu_machine_new(driver, machine_config_copy(config));
    machine->number = number;
    machine->status.launched_wall_ms = loop_wall_ms(driver->setup.loop);
    return machine;
}

static int decide(struct qemu_machine *machine, struct err *err)
{
    const struct machine_config *config = machine->config;
    const struct qemu_host *host = &machine->driver->host;

    if (command_line_check(config, host, err) < 0 ||
        command_line_accelerator(config, host, &machine->kvm, err) < 0)
        return -1;
    snprintf(machine->status.machine_type, sizeof machine->status.machine_type, "%s",
             config->machine_type ? config->machine_type : host->machine_type);
    machine->status.is_tcg = !machine->kvm;
    machine->status.is_fork = config->frozen != NULL;
    return 0;
}

void qemu_start(struct compute *compute, const struct machine_config *config, const int *nic_fds,
                struct done done)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct qemu_call *call = qemu_call_done(driver, done);
    struct err err;
    struct qemu_machine *machine = machine_for(driver, config, &err);

    if (!machine) {
        close_nics(config, nic_fds);
        qemu_call_end_later(call, &err);
        return;
    }
    machine->start_call = call;
    if (decide(machine, &err) < 0) {
        close_nics(config, nic_fds);
        machine->start_err = err;
        qemu_expect_end(machine, MACHINE_END_START_FAILED, err.text);
        qemu_finish(machine);
        return;
    }
    qemu_launch(machine, nic_fds);
}

/* --- end --- */

void qemu_kill_now(struct qemu_machine *machine)
{
    if (machine->pidfd >= 0)
        (void)pidfd_send_signal(machine->pidfd, SIGKILL, NULL, 0); /* gone already is fine */
}

static void on_quit_late(void *arg)
{
    struct qemu_machine *machine = arg;

    loop_source_free(machine->kill_timer);
    machine->kill_timer = NULL;
    qemu_kill_now(machine);
}

/* The end is written down: now make it so. */
void qemu_end_process(struct qemu_machine *machine)
{
    fault_point("compute.end.agreed");
    if (!machine->monitor || machine->phase != PHASE_UP) {
        qemu_kill_now(machine);
        return;
    }
    monitor_call(machine->monitor, "quit", NULL, -1, MONITOR_CALL_MS, NULL, NULL);
    if (!machine->kill_timer)
        machine->kill_timer =
            loop_timer(machine->driver->setup.loop, QUIT_MS, on_quit_late, machine);
}

void qemu_begin_kill(struct qemu_machine *machine)
{
    machine->kill_wanted = true;
    if (machine->pidfd < 0)
        return; /* as soon as there is a process */
    qemu_expect_end(machine, MACHINE_END_HOST_STOP, "stopped as asked");
    qemu_note_end(machine);
}

void qemu_guest_shut_down(struct qemu_machine *machine)
{
    if (machine->end.end != MACHINE_END_NONE)
        return;
    qemu_expect_end(machine, MACHINE_END_GUEST_SHUTDOWN, "the guest powered off");
    qemu_note_end(machine);
}

void qemu_fork_was_reset(struct qemu_machine *machine)
{
    if (machine->end.end != MACHINE_END_NONE)
        return;
    qemu_expect_end(machine, MACHINE_END_GUEST_RESET, "the fork was reset, and boots from its disk");
    qemu_note_end(machine);
}

void qemu_kill(struct compute *compute, const char *uid, struct done done)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct qemu_machine *machine = qemu_machine_find(driver, uid);
    struct qemu_call *call = qemu_call_done(driver, done);

    if (!machine || machine->phase == PHASE_ENDED) {
        qemu_call_end_later(call, NULL);
        return;
    }
    qemu_wait_for_end(machine, call);
    if (machine->phase != PHASE_ENDING)
        qemu_begin_kill(machine);
}
