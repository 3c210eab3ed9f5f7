/* drivers/compute/qemu/watch.c - a process that runs: its end and its monitor. */
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/machine.h"
#include "drivers/compute/qemu/migrating.h"
#include "drivers/compute/qemu/parts.h"
#include "drivers/compute/qemu/sockets.h"
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

enum { RETRY_MIN_MS = 20, RETRY_MAX_MS = 5000, START_MS = 120 * 1000 };

static void on_ready(void *arg, const char *version);
static void on_lost(void *arg, const struct err *err);

static const struct monitor_hooks hooks = { on_ready, qemu_on_event, on_lost };

/* --- the process --- */

static void describe_death(struct qemu_machine *machine, struct loop_exit how)
{
    char text[64];

    if (how.known && how.signal)
        snprintf(text, sizeof text, "QEMU was killed by signal %d", how.signal);
    else if (how.known)
        snprintf(text, sizeof text, "QEMU exited with status %d", how.code);
    else
        snprintf(text, sizeof text, "QEMU ended unexpectedly");
    if (machine->start_call)
        qemu_expect_end(machine, MACHINE_END_START_FAILED, text);
    else if (machine->phase == PHASE_UP && machine->run_state == MACHINE_CRASHED)
        qemu_expect_end(machine, MACHINE_END_GUEST_PANIC, machine->status.message);
    else
        qemu_expect_end(machine, MACHINE_END_PROCESS_DIED, text);
}

static void on_exit_of_process(void *arg, pid_t pid, struct loop_exit how)
{
    struct qemu_machine *machine = arg;

    loop_source_free(machine->child);
    machine->child = NULL;
    if (machine->end.end == MACHINE_END_NONE)
        describe_death(machine, how);
    qemu_finish(machine);
}

/* A start that hangs is over. */
static void on_start_late(void *arg)
{
    struct qemu_machine *machine = arg;
    char text[64];

    loop_source_free(machine->start_timer);
    machine->start_timer = NULL;
    snprintf(text, sizeof text, "QEMU's monitor did not answer within %d s", START_MS / 1000);
    qemu_expect_end(machine, MACHINE_END_START_FAILED, text);
    qemu_kill_now(machine);
}

void qemu_watch(struct qemu_machine *machine, pid_t pid, int take_pidfd)
{
    assert(machine->pidfd < 0);
    machine->pidfd = take_pidfd;
    machine->status.pid = pid;
    machine->child =
        loop_child(machine->driver->setup.loop, pid, take_pidfd, on_exit_of_process, machine);
    qemu_machine_set_phase(machine, PHASE_CONNECTING);
    if (machine->start_call)
        machine->start_timer =
            loop_timer(machine->driver->setup.loop, START_MS, on_start_late, machine);
    fault_point("compute.launch.watched");
    if (machine->kill_wanted)
        qemu_begin_kill(machine);
    else
        qemu_connect(machine);
}

/* --- the connection --- */

static void on_retry(void *arg)
{
    struct qemu_machine *machine = arg;

    loop_source_free(machine->retry);
    machine->retry = NULL;
    qemu_connect(machine);
}

static void retry_later(struct qemu_machine *machine)
{
    int64_t delay_ms = machine->retry_delay_ms ? machine->retry_delay_ms : RETRY_MIN_MS;

    machine->retry_delay_ms = delay_ms * 2 < RETRY_MAX_MS ? delay_ms * 2 : RETRY_MAX_MS;
    loop_source_free(machine->retry);
    machine->retry = loop_timer(machine->driver->setup.loop, delay_ms, on_retry, machine);
}

void qemu_connect(struct qemu_machine *machine)
{
    struct err err;
    int fd;

    if (socket_connect(machine->paths.run, "monitor", &fd, &err) < 0) {
        retry_later(machine);
        return;
    }
    machine->monitor = monitor_new(machine->driver->setup.loop, fd, &hooks, machine);
}

void qemu_hang_up(struct qemu_machine *machine)
{
    struct monitor *monitor = machine->monitor;
    struct err err;

    if (machine->driver->is_closing)
        (void)err_set(&err, ERR_CANCELLED, "the driver was closed");
    else
        (void)err_set(&err, ERR_CONFLICT, "the machine does not run any more");
    machine->monitor = NULL;
    monitor_close(monitor, &err);
    loop_source_free(machine->retry);
    loop_source_free(machine->start_timer);
    machine->retry = machine->start_timer = NULL;
    qemu_parts_stop(machine, &err);
}

/* While the process lives, its monitor comes back. */
static void on_lost(void *arg, const struct err *err)
{
    struct qemu_machine *machine = arg;
    struct monitor *monitor = machine->monitor;

    machine->monitor = NULL;
    monitor_free(monitor);
    if (machine->phase == PHASE_UP)
        qemu_machine_set_phase(machine, PHASE_CONNECTING);
    qemu_plugs_stop(machine, err);
    retry_later(machine);
}

/* --- the mark --- */

static int write_mark(void *arg, struct err *err) { return trace_write_started(arg, err); }

static void mark_written(void *arg, bool is_closed, const struct err *err)
{
    trace_paths_done(arg); /* a failure costs only the wording of a later message */
    free(arg);
}

static void mark_started(struct qemu_machine *machine)
{
    struct trace_paths *paths = mem_new(struct trace_paths);

    trace_paths_init(paths, machine->driver->state_dir, machine->driver->run_dir, machine->uid);
    qemu_job_run(machine->driver->jobs, machine->uid,
                 (struct qemu_job){ write_mark, mark_written, paths });
}

/* --- questions before it is up --- */

static void come_up(struct qemu_machine *machine)
{
    struct qemu_call *call = machine->start_call;

    machine->retry_delay_ms = 0;
    machine->start_call = NULL;
    loop_source_free(machine->start_timer);
    machine->start_timer = NULL;
    qemu_machine_set_phase(machine, PHASE_UP);
    mark_started(machine);
    qemu_parts_start(machine);
    fault_point("compute.launch.up");
    if (call)
        qemu_call_end(call, NULL);
}

static void answered(struct qemu_machine *machine, const struct err *err)
{
    struct monitor *monitor = machine->monitor;

    if (!err && --machine->questions == 0)
        come_up(machine);
    if (!err || !monitor)
        return;
    machine->monitor = NULL; /* asked again by the next connection */
    retry_later(machine);
    monitor_free(monitor);
}

static void on_status(void *arg, const struct err *err, const json_t *result)
{
    struct qemu_machine *machine = arg;

    if (!err && str_equal(json_text_at(result, "status", ""), "inmigrate") && machine->config->frozen) {
        qemu_thaw(machine, on_status); /* answers this question */
        return;
    }
    if (!err)
        qemu_read_run_state(machine, json_text_at(result, "status", ""));
    answered(machine, err);
}

static void on_devices(void *arg, const struct err *err, const json_t *result)
{
    if (!err)
        qemu_read_devices(arg, result);
    answered(arg, err);
}

static void on_blocks(void *arg, const struct err *err, const json_t *result)
{
    if (!err)
        qemu_read_blocks(arg, result);
    answered(arg, err);
}

static void on_chardevs(void *arg, const struct err *err, const json_t *result)
{
    if (!err)
        qemu_read_chardevs(arg, result);
    answered(arg, err);
}

static void ask(struct qemu_machine *machine, const char *command, json_t *take_arguments,
                monitor_fn *fn)
{
    machine->questions++;
    monitor_call(machine->monitor, command, take_arguments, -1, MONITOR_HANDSHAKE_MS, fn, machine);
}

/* Of a machine that we have just launched we know the devices, and nobody has changed them. */
static void on_ready(void *arg, const char *version)
{
    struct qemu_machine *machine = arg;
    bool is_new = machine->start_call != NULL;

    fault_point("compute.launch.ready");
    machine->questions = 0;
    /* Before a frozen state is loaded: a guest that finds its host's side closed, and then open, loses
     * tens of milliseconds over it. */
    qemu_identity_start(machine);
    qemu_agent_start(machine);
    ask(machine, "query-status", NULL, on_status);
    if (!is_new) {
        ask(machine, "qom-list", json_pack("{ss}", "path", "/machine/peripheral"), on_devices);
        ask(machine, "query-block", NULL, on_blocks);
    }
    ask(machine, "query-chardev", NULL, on_chardevs);
}
