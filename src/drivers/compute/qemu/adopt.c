/* drivers/compute/qemu/adopt.c - finds again what earlier daemons started.
 *
 * Per folder: no record -> rubbish, removed. Another boot of the host -> ended. Lock free ->
 * no process, ended. Lock held -> a process: by its written pid, else by looking for it, and
 * when it is not there yet (its daemon died between vfork and exec) by looking again. */
#include "base/files.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/str.h"
#include "drivers/compute/qemu/machine.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEEK_MIN_MS = 10, SEEK_MAX_MS = 1000 };

/* --- the ended --- */

static void find_end(struct qemu_machine *machine, const struct trace *trace)
{
    struct trace_end end;
    struct err err;

    if (trace_read_end(&machine->paths, &end, &err) == 0)
        qemu_expect_end(machine, end.end, end.message);
    else if (!str_equal(trace->boot_id, machine->driver->boot_id))
        qemu_expect_end(machine, MACHINE_END_PROCESS_DIED, "the host was restarted");
    else if (!trace_was_started(&machine->paths))
        qemu_expect_end(machine, MACHINE_END_START_FAILED, "the start was interrupted");
    else
        qemu_expect_end(machine, MACHINE_END_PROCESS_DIED,
                        "QEMU ended while the daemon was not running");
}

/* --- the living --- */

static bool open_process(struct qemu_machine *machine, struct trace_process *ret_process,
                         int *ret_pidfd)
{
    struct err err;

    if (trace_read_process(&machine->paths, ret_process, &err) == 0 &&
        process_open(ret_process->pid, ret_process->start_ticks, ret_pidfd, &err) == 0)
        return true;
    if (trace_find_process(machine->uid, machine->number, ret_process, &err) < 0 ||
        process_open(ret_process->pid, ret_process->start_ticks, ret_pidfd, &err) < 0)
        return false;
    (void)trace_write_process(&machine->paths, ret_process, &err); /* found again the same way */
    return true;
}

/* The last daemon may have died before it moved the process. */
static void confine(struct qemu_machine *machine, pid_t pid)
{
    const struct cgroups *cgroups = &machine->driver->cgroups;
    struct err err;

    /* A host that allows it no more is no reason to give the machine up. */
    if (!cgroup_holds(cgroups, machine->uid, pid))
        (void)cgroup_enter(cgroups, machine->uid, pid, &err);
}

/* True when a process was found and is watched. */
static bool take_process(struct qemu_machine *machine)
{
    struct trace_process process;
    int pidfd;

    if (!open_process(machine, &process, &pidfd))
        return false;
    machine->retry_delay_ms = 0;
    trace_forget_end(&machine->paths); /* what was intended has not happened */
    confine(machine, process.pid);
    qemu_watch(machine, process.pid, pidfd);
    return true;
}

static void on_seek(void *arg);

static void seek_later(struct qemu_machine *machine)
{
    int64_t delay_ms = machine->retry_delay_ms ? machine->retry_delay_ms : SEEK_MIN_MS;

    machine->retry_delay_ms = delay_ms * 2 < SEEK_MAX_MS ? delay_ms * 2 : SEEK_MAX_MS;
    machine->retry = loop_timer(machine->driver->setup.loop, delay_ms, on_seek, machine);
}

static void on_seek(void *arg)
{
    struct qemu_machine *machine = arg;

    loop_source_free(machine->retry);
    machine->retry = NULL;
    if (!trace_is_locked(&machine->paths)) {
        qemu_expect_end(machine, MACHINE_END_START_FAILED, "the start was interrupted");
        qemu_finish(machine);
    } else if (!take_process(machine)) {
        seek_later(machine);
    }
}

/* --- each --- */

static struct qemu_machine *machine_of(struct qemu_driver *driver, struct trace *trace)
{
    struct qemu_machine *machine = qemu_machine_new(driver, take_pointer(trace->config));

    machine->number = trace->number;
    machine->kvm = trace->kvm;
    machine->devices = trace->devices;
    machine->is_adopted = true;
    machine->status.launched_wall_ms = trace->launched_wall_ms;
    machine->status.is_tcg = !trace->kvm;
    machine->status.is_fork = machine->config->frozen != NULL;
    memcpy(machine->status.machine_type, trace->machine_type, sizeof machine->status.machine_type);
    qemu_number_claim(driver, trace->number);
    return machine;
}

static void adopt(struct qemu_driver *driver, struct trace *trace)
{
    struct qemu_machine *machine = machine_of(driver, trace);
    bool same_boot = str_equal(trace->boot_id, driver->boot_id);

    qemu_machine_set_phase(machine, PHASE_SEEKING);
    if (same_boot && trace_is_locked(&machine->paths)) {
        if (!take_process(machine))
            seek_later(machine);
        return;
    }
    /* The written pid is believed over the lock, should a QEMU ever close what it inherits. */
    if (same_boot && take_process(machine))
        return;
    find_end(machine, trace);
    qemu_machine_set_phase(machine, PHASE_ENDED);
}

static void remove_rubbish(struct qemu_driver *driver, const char *uid)
{
    struct trace_paths paths;
    struct err err;

    trace_paths_init(&paths, driver->state_dir, driver->run_dir, uid);
    /* What cannot be removed now is tried again by the next daemon. */
    if (cgroup_remove(&driver->cgroups, uid, &err) == 0)
        (void)trace_remove(&paths, &err);
    trace_paths_done(&paths);
}

static void adopt_folder(struct qemu_driver *driver, const char *uid)
{
    struct trace_paths paths;
    struct trace trace;
    struct err err;

    trace_paths_init(&paths, driver->state_dir, driver->run_dir, uid);
    bool is_ours = trace_read(&paths, &trace, &err) == 0;
    bool is_locked = trace_is_locked(&paths);
    trace_paths_done(&paths);
    if (is_ours && str_equal(trace.config->uid, uid))
        adopt(driver, &trace);
    else if (!is_locked)
        remove_rubbish(driver, uid);
    if (is_ours)
        trace_done(&trace);
}

void qemu_adopt_all(struct qemu_driver *driver)
{
    DIR *folder = opendir(driver->state_dir);

    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (machine_uid_is_valid(entry->d_name))
            adopt_folder(driver, entry->d_name);
    }
    if (folder)
        closedir(folder);
}
