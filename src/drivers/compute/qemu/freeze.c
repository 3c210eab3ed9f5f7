/* drivers/compute/qemu/freeze.c - from a running machine to a frozen one.
 *
 *   room found -> stop -> links down -> device state to its file -> memory copied -> named
 *
 * The memory is a shared file, which "x-ignore-shared" leaves out of the device state; it is copied
 * while the machine stands still. When anything fails the links come up and it runs on. */
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/qemu/frozen.h"
#include "drivers/compute/qemu/migrating.h"
#include "drivers/compute/qemu/parts.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct freezing {
    struct qemu_driver *driver;   /* of the loop's half only */
    struct qemu_machine *machine; /* valid while its monitor answers */
    struct qemu_call *call;
    struct frozen_dirs dirs;
    char *uid, *name, *path;
    struct machine_config *config;
    struct frozen_make make;
    pid_t pid;
    int state_fd;
    bool was_running;
    struct err err;               /* why it is being undone */
    struct migrating migrating;
};

static void freezing_end(struct freezing *freezing, const struct err *err)
{
    struct qemu_call *call = freezing->call;
    struct err copy = err ? *err : (struct err){ 0 };

    if (freezing->state_fd >= 0)
        close(freezing->state_fd);
    frozen_dirs_done(&freezing->dirs);
    machine_config_free(freezing->config);
    free(freezing->uid);
    free(freezing->name);
    free(freezing->path);
    free(freezing);
    if (call)
        qemu_call_end(call, err ? &copy : NULL);
}

static void ask(struct freezing *freezing, const char *command, json_t *take_arguments, int take_fd,
                monitor_fn *fn)
{
    struct monitor *monitor = freezing->machine->monitor;
    struct err err;

    if (monitor) {
        monitor_call(monitor, command, take_arguments, take_fd, MONITOR_CALL_MS, fn, freezing);
        return;
    }
    json_decref(take_arguments);
    if (take_fd >= 0)
        close(take_fd);
    (void)err_set(&err, ERR_CONFLICT, "the machine does not run any more");
    fn(freezing, &err, NULL);
}

/* --- undoing --- */

static int work_abandon(void *arg, struct err *err)
{
    const struct freezing *freezing = arg;

    if (freezing->path)
        frozen_abandon(freezing->path);
    return 0;
}

static void abandoned(void *arg, bool is_closed, const struct err *err)
{
    struct freezing *freezing = arg;

    if (is_closed)
        freezing->call = NULL; /* has been cancelled */
    freezing_end(freezing, &freezing->err);
}

static void abandon(struct freezing *freezing)
{
    qemu_job_run(freezing->driver->jobs, freezing->uid, (struct qemu_job){ work_abandon, abandoned, freezing });
}

static void gone_on(void *arg, const struct err *err, const json_t *result) { abandon(arg); }

/* The last of what was done comes first: an answer is not waited for but by the last. */
static void undo(struct freezing *freezing, const struct err *why)
{
    freezing->err = *why;
    if (!freezing->machine || !freezing->machine->monitor) {
        abandon(freezing);
        return;
    }
    qemu_links_set(freezing->machine, /*is_up=*/true);
    migrating_reset(freezing->machine);
    if (freezing->was_running)
        ask(freezing, "cont", NULL, -1, gone_on);
    else
        abandon(freezing);
}

/* --- memory --- */

static int work_copy(void *arg, struct err *err)
{
    struct freezing *freezing = arg;
    auto_free char *path = str_printf("/proc/%d/fd/%d", (int)freezing->pid, DESCRIPTOR_OF_MEMORY);
    auto_close int memory = open(path, O_RDONLY | O_CLOEXEC);

    if (memory < 0)
        return err_errno(err, "open the machine's memory");
    if (fault_fails("compute.freeze.copy", err) < 0)
        return -1;
    return frozen_finish(freezing->path, memory, freezing->config, &freezing->make, err);
}

static void copied(void *arg, bool is_closed, const struct err *err)
{
    struct freezing *freezing = arg;

    if (is_closed) {
        freezing->call = NULL;
        freezing_end(freezing, NULL);
        return;
    }
    freezing->machine = qemu_machine_find(freezing->driver, freezing->uid);
    if (err)
        undo(freezing, err);
    else
        freezing_end(freezing, NULL);
}

/* --- device state --- */

static void saved(void *arg, const struct err *err)
{
    struct freezing *freezing = arg;
    struct qemu_machine *machine = freezing->machine;

    if (err) {
        undo(freezing, err);
        return;
    }
    migrating_reset(machine);
    machine->run_state = MACHINE_PAUSED;
    qemu_machine_refresh(machine);
    freezing->machine = NULL; /* may be gone when the copy is done */
    qemu_job_run(freezing->driver->jobs, freezing->uid, (struct qemu_job){ work_copy, copied, freezing });
}

static void migrate_asked(void *arg, const struct err *err, const json_t *result)
{
    struct freezing *freezing = arg;

    if (err)
        undo(freezing, err);
    else
        migrating_wait(&freezing->migrating, freezing->machine, saved, freezing);
}

static void state_given(void *arg, const struct err *err, const json_t *result)
{
    struct freezing *freezing = arg;

    if (err)
        undo(freezing, err);
    else
        ask(freezing, "migrate", json_pack("{ss}", "uri", "fd:frozen"), -1, migrate_asked);
}

static void prepared(void *arg, const struct err *err, const json_t *result)
{
    struct freezing *freezing = arg;
    int fd = freezing->state_fd;

    if (err) {
        undo(freezing, err);
        return;
    }
    freezing->state_fd = -1;
    ask(freezing, "getfd", json_pack("{ss}", "fdname", "frozen"), fd, state_given);
}

static void stopped(void *arg, const struct err *err, const json_t *result)
{
    struct freezing *freezing = arg;

    if (err) {
        undo(freezing, err);
        return;
    }
    /* While it stands still: a machine that goes on with its links up again never saw them down. */
    qemu_links_set(freezing->machine, /*is_up=*/false);
    ask(freezing, "migrate-set-capabilities", migrating_capabilities(true), -1, prepared);
}

/* --- room --- */

static int work_begin(void *arg, struct err *err)
{
    struct freezing *freezing = arg;
    auto_free char *path = str_printf("/proc/%d/fd/%d", (int)freezing->pid, DESCRIPTOR_OF_MEMORY);
    struct stat status;

    if (stat(path, &status) < 0)
        return err_errno(err, "look at the machine's memory");
    return frozen_begin(&freezing->dirs, freezing->name, (int64_t)status.st_blocks * 512, &freezing->path,
                        &freezing->state_fd, err);
}

static void begun(void *arg, bool is_closed, const struct err *err)
{
    struct freezing *freezing = arg;
    struct err why;

    if (is_closed)
        freezing->call = NULL;
    if (is_closed || err) {
        freezing_end(freezing, err);
        return;
    }
    freezing->machine = qemu_machine_up(freezing->driver, freezing->uid, &why);
    if (!freezing->machine) {
        undo(freezing, &why);
        return;
    }
    fault_point("compute.freeze.begun");
    freezing->was_running = freezing->machine->run_state == MACHINE_RUNNING;
    ask(freezing, "stop", NULL, -1, stopped);
}

static int check(const struct qemu_machine *machine, const char *name, struct err *err)
{
    if (!machine_uid_is_valid(name))
        return err_set(err, ERR_INVALID, "'%.40s' is no UUID", name);
    if (machine->devices != DEVICES)
        return err_set(err, ERR_UNSUPPORTED,
                       "the machine runs since an earlier version of virgad: it can be frozen once it was restarted");
    if (machine->config->frozen)
        return err_set(err, ERR_CONFLICT, "the machine is a fork itself; it can be forked after a restart");
    if (machine->run_state != MACHINE_RUNNING && machine->run_state != MACHINE_PAUSED)
        return err_set(err, ERR_CONFLICT, "the guest does not run");
    if (machine->is_resizing)
        return err_set(err, ERR_CONFLICT, "the machine is being resized");
    return qemu_size_check_original(machine, err);
}

void qemu_freeze(struct compute *compute, const char *uid, const char *name, struct done done)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct qemu_call *call = qemu_call_done(driver, done);
    struct err err;
    struct qemu_machine *machine = qemu_machine_up(driver, uid, &err);
    struct freezing *freezing;

    if (!machine || check(machine, name, &err) < 0) {
        qemu_call_end_later(call, &err);
        return;
    }
    freezing = mem_new(struct freezing);
    *freezing = (struct freezing){ .driver = driver, .call = call, .uid = str_dup(uid), .name = str_dup(name),
                                   .config = machine_config_copy(machine->config), .pid = machine->status.pid,
                                   .state_fd = -1 };
    frozen_dirs_init(&freezing->dirs, &driver->setup);
    freezing->make.devices = machine->devices;
    snprintf(freezing->make.machine_type, sizeof freezing->make.machine_type, "%s", machine->status.machine_type);
    snprintf(freezing->make.boot_id, sizeof freezing->make.boot_id, "%s", driver->boot_id);
    qemu_job_run(driver->jobs, uid, (struct qemu_job){ work_begin, begun, freezing });
}

/* --- removing and listing --- */

struct removal {
    struct qemu_call *call;
    struct frozen_dirs dirs;
    char *name;
};

static int work_remove(void *arg, struct err *err)
{
    const struct removal *removal = arg;

    return frozen_delete(&removal->dirs, removal->name, err);
}

static void removed(void *arg, bool is_closed, const struct err *err)
{
    struct removal *removal = arg;

    if (!is_closed)
        qemu_call_end(removal->call, err);
    frozen_dirs_done(&removal->dirs);
    free(removal->name);
    free(removal);
}

void qemu_frozen_remove(struct compute *compute, const char *name, struct done done)
{
    struct qemu_driver *driver = qemu_driver_of(compute);
    struct removal *removal = mem_new(struct removal);

    removal->call = qemu_call_done(driver, done);
    removal->name = str_dup(name);
    frozen_dirs_init(&removal->dirs, &driver->setup);
    qemu_job_run(driver->jobs, name, (struct qemu_job){ work_remove, removed, removal });
}

char **qemu_frozen_list(struct compute *compute)
{
    struct frozen_dirs dirs;
    char **names;

    frozen_dirs_init(&dirs, &qemu_driver_of(compute)->setup);
    names = frozen_names(&dirs);
    frozen_dirs_done(&dirs);
    return names;
}
