/* drivers/compute/qemu/launch.c - from a configuration to a process, in one worker job.
 *
 *   lock -> record -> files, sockets, groups -> vfork and exec -> pid -> move -> (loop) watch
 *
 * The daemon may die between any two of these. Before the vfork the lock goes with it, and
 * the next daemon finds an intent without a process. After it the lock stays with the
 * process, and the next daemon finds the process. */
#include "base/fault.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/str.h"
#include "drivers/compute/qemu/frozen.h"
#include "drivers/compute/qemu/machine.h"
#include "drivers/compute/qemu/sockets.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What QEMU may use beside the guest's processors: its main loop, disks and the screen. Without it a
 * busy guest is held up for the work that is done for it, as every guest is while it boots. */

struct launch {
    struct qemu_driver *driver; /* for finish only */
    char *uid;
    struct trace trace; /* owns a copy of the configuration */
    struct trace_paths paths;
    struct qemu_host host;
    struct cgroups cgroups;
    struct command_line line;
    struct frozen_dirs frozen_dirs;
    char *frozen_path; /* NULL: it boots */
    int nic_fds[MACHINE_NICS_MAX];
    struct spawn_fd fds[DESCRIPTORS_MAX + 2];
    size_t fd_count;
    pid_t pid;
    int pidfd;
};

static void launch_free(struct launch *launch)
{
    for (size_t i = 0; i < launch->fd_count; i++)
        close(launch->fds[i].from);
    for (unsigned i = 0; i < MACHINE_NICS_MAX; i++) {
        if (launch->nic_fds[i] >= 0)
            close(launch->nic_fds[i]);
    }
    if (launch->pidfd >= 0)
        close(launch->pidfd);
    command_line_done(&launch->line);
    frozen_dirs_done(&launch->frozen_dirs);
    free(launch->frozen_path);
    trace_done(&launch->trace);
    trace_paths_done(&launch->paths);
    free(launch->uid);
    free(launch);
}

/* --- descriptors --- */

static void add_fd(struct launch *launch, int take_from, int to)
{
    launch->fds[launch->fd_count++] = (struct spawn_fd){ take_from, to };
}

static int open_log(const struct launch *launch, const char *name, int *ret_fd, struct err *err)
{
    auto_free char *path = str_printf("%s/%s", launch->paths.logs, name);

    *ret_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return *ret_fd < 0 ? err_errno(err, "create %s", path) : 0;
}

static int open_path(const char *path, bool writable, int *ret_fd, struct err *err)
{
    *ret_fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY);
    return *ret_fd < 0 ? err_errno(err, "open %s", path) : 0;
}

/* Whole or not at all, for a half-copied file would be taken for the real one next time. */
static int copy_vars(const char *from_path, const char *to_path, struct err *err)
{
    auto_free char *temporary = str_printf("%s.new", to_path);
    auto_close int from = open(from_path, O_RDONLY | O_CLOEXEC);
    auto_close int to = -1;
    struct stat status;

    if (from < 0 || fstat(from, &status) < 0)
        return err_errno(err, "open %s", from_path);
    to = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (to < 0)
        return err_errno(err, "create %s", temporary);
    if (sendfile(to, from, NULL, (size_t)status.st_size) != status.st_size)
        return err_errno(err, "copy %s", from_path);
    return rename(temporary, to_path) < 0 ? err_errno(err, "rename %s", temporary) : 0;
}

static int open_vars(const struct launch *launch, int *ret_fd, struct err *err)
{
    const char *kept = launch->trace.config->firmware_vars;
    auto_free char *path = kept ? str_dup(kept) : str_printf("%s/vars.fd", launch->paths.state);

    if (access(path, F_OK) < 0 && copy_vars(launch->host.ovmf_vars, path, err) < 0)
        return -1;
    return open_path(path, /*writable=*/true, ret_fd, err);
}

static int open_frozen(const struct launch *launch, const char *name, bool writable, int *ret_fd,
                       struct err *err)
{
    auto_free char *path = str_printf("%s/%s", launch->frozen_path, name);

    return open_path(path, writable, ret_fd, err);
}

/* QEMU opens it once more by its number, as the user it runs as. */
static int open_memory(const struct launch *launch, int *ret_fd, struct err *err)
{
    uid_t user = launch->trace.number;
    int fd;

    if (launch->frozen_path)
        return open_frozen(launch, "memory", /*writable=*/true, ret_fd, err);
    fd = memfd_create("virga-memory", MFD_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "make the guest's memory");
    if (fchmod(fd, 0600) < 0 || fchown(fd, user, (gid_t)user) < 0) {
        (void)err_errno(err, "give the guest's memory to its user");
        close(fd);
        return -1;
    }
    *ret_fd = fd;
    return 0;
}

static int open_nic(struct launch *launch, unsigned index, int *ret_fd, struct err *err)
{
    *ret_fd = launch->nic_fds[index];
    launch->nic_fds[index] = -1;
    return *ret_fd < 0 ? err_set(err, ERR_INVALID, "NIC %s has no tap",
                                 launch->trace.config->nics[index].name)
                       : 0;
}

static int open_wanted(struct launch *launch, const struct descriptor *wanted, int *ret_fd,
                       struct err *err)
{
    const struct machine_config *config = launch->trace.config;
    const char *run = launch->paths.run;

    switch (wanted->role) {
    case DESCRIPTOR_LOCK:
        break; /* was first of all */
    case DESCRIPTOR_MEMORY:
        return open_memory(launch, ret_fd, err);
    case DESCRIPTOR_STATE:
        return open_frozen(launch, "state", /*writable=*/false, ret_fd, err);
    case DESCRIPTOR_MONITOR:
        return socket_listen(run, "monitor", ret_fd, err);
    case DESCRIPTOR_SERIAL:
        return socket_listen(run, "serial", ret_fd, err);
    case DESCRIPTOR_AGENT:
        return socket_listen(run, "agent", ret_fd, err);
    case DESCRIPTOR_IDENTITY:
        return socket_listen(run, "identity", ret_fd, err);
    case DESCRIPTOR_SERIAL_LOG:
        return open_log(launch, "serial.log", ret_fd, err);
    case DESCRIPTOR_FIRMWARE:
        return open_path(launch->host.ovmf_code, false, ret_fd, err);
    case DESCRIPTOR_VARS:
        return open_vars(launch, ret_fd, err);
    case DESCRIPTOR_KERNEL:
        return open_path(config->kernel, false, ret_fd, err);
    case DESCRIPTOR_INITRD:
        return open_path(config->initrd, false, ret_fd, err);
    case DESCRIPTOR_DISK:
        return open_path(config->disks[wanted->index].source.files[wanted->file].path,
                         wanted->writable, ret_fd, err);
    case DESCRIPTOR_NIC:
        return open_nic(launch, wanted->index, ret_fd, err);
    }
    return err_set(err, ERR_INTERNAL, "descriptor %d is of no kind", wanted->number);
}

static int open_descriptors(struct launch *launch, struct err *err)
{
    int log;

    /* What the last run said is not to be taken for what this one says. */
    if (trace_begin_logs(&launch->paths, err) < 0)
        return -1;
    for (unsigned i = 0; i < launch->line.descriptor_count; i++) {
        const struct descriptor *wanted = &launch->line.descriptors[i];
        int fd;

        if (wanted->role == DESCRIPTOR_LOCK)
            continue;
        if (open_wanted(launch, wanted, &fd, err) < 0)
            return -1;
        add_fd(launch, fd, wanted->number);
    }
    if (open_log(launch, "qemu.log", &log, err) < 0)
        return -1;
    add_fd(launch, log, STDERR_FILENO);
    if (open_log(launch, "qemu.log", &log, err) < 0)
        return -1;
    add_fd(launch, log, STDOUT_FILENO);
    return 0;
}

/* --- the process --- */

static int make_groups(const struct launch *launch, struct err *err)
{
    const struct machine_config *config = launch->trace.config;
    const struct cgroup_limits limits = {
        .cpu_milli = config->cpu_limit_milli ? config->cpu_limit_milli
                                             : config->cpus * 1000 + QEMU_CPU_MILLI,
        .memory_bytes = config->memory_bytes + command_line_overhead_bytes(launch->trace.kvm),
    };

    return cgroup_create(&launch->cgroups, launch->uid, &limits, err);
}

/* Of the 54 ms that QEMU takes until its guest runs, page faults of its heap, most of all of the kernel
 * it loads, were 12: with huge pages they are a few. It costs 2 MiB. (Where the host gives huge pages
 * to nobody, nothing changes.) A fork goes without: of many that begin at once the heaps come and go,
 * and where the host is a virtual machine itself, huge pages are those that its own host took back
 * meanwhile. Ten forks took 0.15 s of a processor each until they ran, and take 0.08 s. */
static const char *const huge_pages[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
                                          "GLIBC_TUNABLES=glibc.malloc.hugetlb=1", NULL };

static int spawn_qemu(struct launch *launch, struct err *err)
{
    const struct spawn spawn = {
        .argv = (const char *const *)launch->line.argv,
        .env = launch->trace.config->frozen ? NULL : huge_pages,
        .fds = launch->fds,
        .fd_count = launch->fd_count,
        .new_netns = true,
        .new_session = true,
        .change_user = true,
        .uid = launch->trace.number,
        .gid = launch->trace.kvm && launch->host.kvm_gid ? launch->host.kvm_gid
                                                         : (gid_t)launch->trace.number,
        /* QEMU answers each page that a guest puts into its balloon, asked or not, with a hole in the
         * file behind the memory: of a fork that is the frozen one, which all its siblings share. */
        .punches_no_holes = launch->trace.config->frozen != NULL,
    };

    return spawn_start(&spawn, &launch->pid, &launch->pidfd, err);
}

static int note_pid(const struct launch *launch, struct err *err)
{
    struct trace_process process = { .pid = launch->pid };

    if (process_start_time(launch->pid, &process.start_ticks, err) < 0)
        return err_set(err, ERR_UNAVAILABLE, "QEMU ended at once");
    return trace_write_process(&launch->paths, &process, err);
}

/* The kernel takes some 10 ms for a move, in which QEMU starts up already: a third of the whole
 * start. What it allocates until then, a few MiB and none of it the guest's, stays charged to
 * the daemon. */
static int move_process(const struct launch *launch, struct err *err)
{
    fault_point("compute.launch.noted");
    if (cgroup_enter(&launch->cgroups, launch->uid, launch->pid, err) < 0)
        return err_wrap(err, "enter the cgroup");
    fault_point("compute.launch.moved");
    return 0;
}

/* A process that cannot be written down or confined must not be. */
static void end_process(struct launch *launch)
{
    siginfo_t info;

    (void)pidfd_send_signal(launch->pidfd, SIGKILL, NULL, 0); /* gone already is fine */
    while (waitid(P_PIDFD, (id_t)launch->pidfd, &info, WEXITED) < 0 && errno == EINTR)
        continue;
    close(launch->pidfd);
    launch->pidfd = -1;
    launch->pid = 0;
}

/* A fork has the machine type of what it goes on from. */
static int find_frozen(struct launch *launch, struct err *err)
{
    const struct machine_config *config = launch->trace.config;
    struct frozen_make make;

    if (!config->frozen)
        return 0;
    launch->frozen_path = frozen_path(&launch->frozen_dirs, config->frozen, err);
    if (!launch->frozen_path || frozen_check(launch->frozen_path, config, &make, err) < 0)
        return -1;
    if (str_equal(make.machine_type, launch->trace.machine_type))
        return 0;
    return err_set(err, ERR_INVALID, "the machine was frozen as %s, and would go on as %s", make.machine_type,
                   launch->trace.machine_type);
}

static int prepare(struct launch *launch, struct err *err)
{
    const struct trace *trace = &launch->trace;

    if (find_frozen(launch, err) < 0 || trace_write(&launch->paths, trace, err) < 0)
        return -1;
    command_line_build(&launch->line, trace->config, &launch->host, trace->kvm);
    fault_point("compute.launch.recorded");
    if (fault_fails("compute.launch.open", err) < 0 || open_descriptors(launch, err) < 0)
        return -1;
    fault_point("compute.launch.opened");
    if (make_groups(launch, err) < 0)
        return -1;
    return 0;
}

static int run(struct launch *launch, struct err *err)
{
    if (spawn_qemu(launch, err) < 0)
        return -1;
    fault_point("compute.launch.spawned");
    if (note_pid(launch, err) == 0 && move_process(launch, err) == 0)
        return 0;
    end_process(launch);
    return -1;
}

static void note_failure(const struct launch *launch, const struct err *why)
{
    struct trace_end end = { .end = MACHINE_END_START_FAILED };
    struct err err;

    snprintf(end.message, sizeof end.message, "%.255s", why->text);
    /* Best effort: without them the next daemon says "the start was interrupted", and
     * release() removes the groups. */
    (void)cgroup_remove(&launch->cgroups, launch->uid, &err);
    (void)trace_write_end(&launch->paths, &end, &err);
}

static int work(void *arg, struct err *err)
{
    struct launch *launch = arg;
    int lock;

    fault_point("compute.launch.begun");
    if (trace_lock(&launch->paths, &lock, err) < 0)
        return -1;
    add_fd(launch, lock, DESCRIPTOR_FIRST);
    fault_point("compute.launch.locked");
    if (prepare(launch, err) == 0 && run(launch, err) == 0)
        return 0;
    note_failure(launch, err);
    return -1;
}

/* --- on the loop --- */

static void finish(void *arg, bool is_closed, const struct err *err)
{
    struct launch *launch = arg;
    struct qemu_machine *machine =
        is_closed ? NULL : qemu_machine_find(launch->driver, launch->uid);

    if (machine && !err) {
        int pidfd = launch->pidfd;

        launch->pidfd = -1;
        qemu_watch(machine, launch->pid, pidfd);
    } else if (machine) {
        machine->start_err = *err;
        qemu_expect_end(machine, MACHINE_END_START_FAILED, err->text);
        qemu_finish(machine);
    }
    launch_free(launch);
}

static void take_nics(struct launch *launch, unsigned count, const int *take_nic_fds)
{
    for (unsigned i = 0; i < MACHINE_NICS_MAX; i++)
        launch->nic_fds[i] = take_nic_fds && i < count ? take_nic_fds[i] : -1;
}

void qemu_launch(struct qemu_machine *machine, const int *take_nic_fds)
{
    struct qemu_driver *driver = machine->driver;
    struct launch *launch = mem_new(struct launch);
    struct trace *trace = &launch->trace;

    launch->driver = driver;
    launch->uid = str_dup(machine->uid);
    launch->pidfd = -1;
    launch->host = driver->host;
    launch->cgroups = driver->cgroups;
    trace_paths_init(&launch->paths, driver->state_dir, driver->run_dir, machine->uid);
    *trace = (struct trace){ .config = machine_config_copy(machine->config),
                             .number = machine->number,
                             .launched_wall_ms = machine->status.launched_wall_ms,
                             .kvm = machine->kvm,
                             .devices = machine->devices };
    memcpy(trace->boot_id, driver->boot_id, sizeof trace->boot_id);
    memcpy(trace->machine_type, machine->status.machine_type, sizeof trace->machine_type);
    take_nics(launch, machine->config->nic_count, take_nic_fds);
    frozen_dirs_init(&launch->frozen_dirs, &driver->setup);
    qemu_job_run(driver->jobs, machine->uid, (struct qemu_job){ work, finish, launch });
}
