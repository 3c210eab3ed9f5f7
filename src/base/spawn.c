/* base/spawn.c - starting a process by vfork.
 *
 * The child borrows our memory until it execs, while other threads of ours run
 * on: it may only make system calls. All that needs memory or the C library is
 * prepared before, and a failed step is told through the plan. */
#include "base/spawn.h"
#include "base/fault.h"
#include "base/mem.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/falloc.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STANDARD_FD_COUNT = 3 };

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct plan {
    const struct spawn *spawn;
    char *program;       /* what to exec */
    char *path_variable; /* "PATH=..." of the default environment */
    const char *env[3];
    struct spawn_fd *fds; /* the wanted ones and /dev/null where a standard one is missing */
    int *copies;          /* of fds[].from, out of the way of all fds[].to */
    size_t fd_count;
    int null_fd;
    int program_fd;       /* when the user is changed: it need not reach the program's folder */
    int program_copy;     /* of program_fd, out of the way too */
    pid_t our_pid;
    /* Written by the child, on a way that never returns: the compiler must not take us for who
     * can not see it. */
    const char *volatile failed_step; /* NULL: it runs the program */
    const char *volatile failed_on;
    volatile int failed_errno;
};

/* --- before --- */

static const char *our_path(void)
{
    const char *path = getenv("PATH");

    return path && *path ? path : default_path;
}

static bool is_program(const char *path)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return false;
    errno = EACCES;
    return S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* Where 'name' is, by PATH; NULL and errno when nowhere. */
static char *find_program(const char *name)
{
    int problem = ENOENT;

    if (strchr(name, '/'))
        return str_dup(name);
    for (const char *at = our_path(); *at;) {
        size_t length = strcspn(at, ":");
        auto_free char *path = str_printf("%.*s/%s", (int)length, at, name);

        if (is_program(path))
            return take_pointer(path);
        if (errno == EACCES)
            problem = EACCES;
        at += length + (at[length] == ':');
    }
    errno = problem;
    return NULL;
}

static bool is_named(const struct spawn *spawn, int to)
{
    for (size_t i = 0; i < spawn->fd_count; i++)
        if (spawn->fds[i].to == to)
            return true;
    return false;
}

static void plan_descriptors(struct plan *plan)
{
    const struct spawn *spawn = plan->spawn;

    plan->fds = mem_array(spawn->fd_count + STANDARD_FD_COUNT, sizeof plan->fds[0]);
    plan->copies = mem_array(spawn->fd_count + STANDARD_FD_COUNT, sizeof plan->copies[0]);
    for (size_t i = 0; i < spawn->fd_count; i++)
        plan->fds[plan->fd_count++] = spawn->fds[i];
    for (int to = 0; to < STANDARD_FD_COUNT; to++)
        if (!is_named(spawn, to))
            plan->fds[plan->fd_count++] = (struct spawn_fd){ .from = plan->null_fd, .to = to };
}

static int plan_init(struct plan *plan, const struct spawn *spawn, struct err *err)
{
    *plan = (struct plan){ .spawn = spawn, .null_fd = -1, .program_fd = -1, .our_pid = getpid() };
    plan->program = find_program(spawn->argv[0]);
    if (!plan->program)
        return err_errno(err, "exec %s", spawn->argv[0]);
    plan->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (plan->null_fd < 0)
        return err_errno(err, "open /dev/null");
    if (spawn->change_user)
        plan->program_fd = open(plan->program, O_PATH | O_CLOEXEC); /* what is missing exec tells */
    plan->path_variable = str_printf("PATH=%s", our_path());
    plan->env[0] = plan->path_variable;
    plan->env[1] = "LANG=C.UTF-8";
    plan_descriptors(plan);
    return 0;
}

static void plan_done(struct plan *plan)
{
    free(plan->program);
    free(plan->path_variable);
    free(plan->fds);
    free(plan->copies);
    if (plan->null_fd >= 0)
        close(plan->null_fd);
    if (plan->program_fd >= 0)
        close(plan->program_fd);
}

/* --- in the child: system calls only --- */

#define IN_CHILD __attribute__((no_sanitize("address"))) __attribute__((no_sanitize("undefined")))

IN_CHILD static bool failed(struct plan *plan, const char *step, const char *on)
{
    plan->failed_errno = errno;
    plan->failed_on = on;
    plan->failed_step = step;
    return false;
}

IN_CHILD static bool begin_session(struct plan *plan)
{
    if (plan->spawn->new_session && setsid() < 0)
        return failed(plan, "setsid", NULL);
    return true;
}

IN_CHILD static bool enter_cgroup(struct plan *plan, const char *cgroup_procs)
{
    static const char myself[] = { '0' };
    int fd = open(cgroup_procs, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return failed(plan, "enter", cgroup_procs);
    if (write(fd, myself, sizeof myself) < 0)
        return failed(plan, "enter", cgroup_procs);
    close(fd);
    return true;
}

IN_CHILD static bool enter_cgroups(struct plan *plan)
{
    const char *const *each = plan->spawn->cgroup_procs;

    for (; each && *each; each++)
        if (!enter_cgroup(plan, *each))
            return false;
    return true;
}

IN_CHILD static bool enter_netns(struct plan *plan)
{
    const struct spawn *spawn = plan->spawn;

    if (spawn->netns_fd > 0 && setns(spawn->netns_fd, CLONE_NEWNET) < 0)
        return failed(plan, "setns", NULL);
    if (spawn->new_netns && unshare(CLONE_NEWNET) < 0)
        return failed(plan, "unshare", NULL);
    return true;
}

/* All are copied above every target first, so that no target hides a source. */
IN_CHILD static bool place_descriptors(struct plan *plan)
{
    int above = STANDARD_FD_COUNT;

    for (size_t i = 0; i < plan->fd_count; i++)
        if (plan->fds[i].to >= above)
            above = plan->fds[i].to + 1;
    for (size_t i = 0; i < plan->fd_count; i++) {
        plan->copies[i] = fcntl(plan->fds[i].from, F_DUPFD_CLOEXEC, above);
        if (plan->copies[i] < 0)
            return failed(plan, "copy a descriptor", NULL);
    }
    if (plan->program_fd >= 0) {
        plan->program_copy = fcntl(plan->program_fd, F_DUPFD_CLOEXEC, above);
        if (plan->program_copy < 0)
            return failed(plan, "copy a descriptor", NULL);
    }
    if (close_range(STANDARD_FD_COUNT, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return failed(plan, "close_range", NULL);
    for (size_t i = 0; i < plan->fd_count; i++)
        if (dup2(plan->copies[i], plan->fds[i].to) < 0)
            return failed(plan, "dup2", NULL);
    return true;
}

IN_CHILD static bool limit(struct plan *plan, int resource, rlim_t soft, rlim_t hard,
                           const char *name)
{
    const struct rlimit both = { .rlim_cur = soft, .rlim_max = hard };

    if (soft != 0 && setrlimit((__rlimit_resource_t)resource, &both) < 0)
        return failed(plan, "limit", name);
    return true;
}

/* A second after SIGXCPU, which says what happened, SIGKILL would follow. */
IN_CHILD static bool limit_resources(struct plan *plan)
{
    const struct spawn *spawn = plan->spawn;

    return limit(plan, RLIMIT_AS, spawn->address_space_max, spawn->address_space_max,
                 "the address space") &&
           limit(plan, RLIMIT_FSIZE, spawn->file_size_max, spawn->file_size_max, "the file size") &&
           limit(plan, RLIMIT_CPU, spawn->cpu_seconds_max, (rlim_t)spawn->cpu_seconds_max + 1,
                 "the CPU time") &&
           limit(plan, RLIMIT_NOFILE, spawn->open_files_max, spawn->open_files_max,
                 "the open files");
}

/* The C library's own functions would change the user of all our threads. */
IN_CHILD static bool change_user(struct plan *plan)
{
    const struct spawn *spawn = plan->spawn;

    if (!spawn->change_user)
        return true;
    if (syscall(SYS_setgroups, 0, NULL) < 0)
        return failed(plan, "setgroups", NULL);
    if (syscall(SYS_setresgid, spawn->gid, spawn->gid, spawn->gid) < 0)
        return failed(plan, "setgid", NULL);
    if (syscall(SYS_setresuid, spawn->uid, spawn->uid, spawn->uid) < 0)
        return failed(plan, "setuid", NULL);
    return true;
}

#if defined(__x86_64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* System calls of another architecture pass: this is for programs that do what they are made for, but
 * for others than us. Source: Documentation/userspace-api/seccomp_filter.rst of Linux. */
static const struct sock_filter hole_filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCHITECTURE, 0, 5),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fallocate, 0, 3),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])), /* low half: mode */
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, FALLOC_FL_PUNCH_HOLE, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

IN_CHILD static bool forbid_holes(struct plan *plan)
{
    const struct sock_fprog filter = { sizeof hole_filter / sizeof hole_filter[0],
                                        (struct sock_filter *)(uintptr_t)hole_filter };

    if (!plan->spawn->punches_no_holes)
        return true;
    /* Without that only root may filter, for a program that gains rights would be confused by it. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)
        return failed(plan, "filter system calls", NULL);
    return true;
}

IN_CHILD static bool change_directory(struct plan *plan)
{
    const char *directory = plan->spawn->directory ? plan->spawn->directory : "/";

    if (chdir(directory) < 0)
        return failed(plan, "chdir", directory);
    return true;
}

/* After change_user(), which undoes it. We may have ended before it was said. */
IN_CHILD static bool bind_to_us(struct plan *plan)
{
    if (!plan->spawn->dies_with_us)
        return true;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return failed(plan, "prctl", NULL);
    if (getppid() != plan->our_pid)
        _exit(127);
    return true;
}

/* Handlers first: none of ours may run in the child once signals are let in. */
IN_CHILD static bool reset_signals(struct plan *plan)
{
    const struct sigaction standard = { .sa_handler = SIG_DFL };
    sigset_t none;

    for (int number = 1; number < _NSIG; number++)
        sigaction(number, &standard, NULL); /* fails for SIGKILL and the C library's own */
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
        return failed(plan, "sigprocmask", NULL);
    return true;
}

IN_CHILD static bool prepare(struct plan *plan)
{
    return begin_session(plan) && enter_cgroups(plan) && enter_netns(plan) &&
           place_descriptors(plan) && limit_resources(plan) && change_user(plan) &&
           bind_to_us(plan) && change_directory(plan) && reset_signals(plan) && forbid_holes(plan);
}

IN_CHILD __attribute__((noinline, noreturn)) static void run_child(struct plan *plan)
{
    const struct spawn *spawn = plan->spawn;
    char *const *argv = (char *const *)spawn->argv;
    char *const *env = (char *const *)(spawn->env ? spawn->env : plan->env);

    if (prepare(plan)) {
        execve(plan->program, argv, env);
        /* A program in a folder closed to the new user, as a home is. (Scripts need the path.) */
        if (errno == EACCES && plan->program_fd >= 0)
            execveat(plan->program_copy, "", argv, env, AT_EMPTY_PATH);
        failed(plan, "exec", spawn->argv[0]);
    }
    _exit(127);
}

/* Returns when the child runs its program or has given up. */
IN_CHILD __attribute__((noinline)) static pid_t vfork_child(struct plan *plan)
{
    pid_t pid = vfork();

    if (pid == 0)
        run_child(plan);
    return pid;
}

/* --- after --- */

/* No signal may reach a handler of ours while the child borrows our memory. */
static pid_t vfork_undisturbed(struct plan *plan)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = vfork_child(plan);
    int problem = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = problem;
    return pid;
}

static void wait_for_end(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int explain(const struct plan *plan, struct err *err)
{
    errno = plan->failed_errno;
    err_errno(err, "%s%s%s", plan->failed_step, plan->failed_on ? " " : "",
              plan->failed_on ? plan->failed_on : "");
    if (str_equal(plan->failed_step, "exec"))
        return -1;
    return err_wrap(err, "start %s", plan->spawn->argv[0]);
}

static int start(struct plan *plan, pid_t *ret_pid, int *ret_pidfd, struct err *err)
{
    pid_t pid = vfork_undisturbed(plan);

    if (pid < 0)
        return err_errno(err, "vfork for %s", plan->spawn->argv[0]);
    if (plan->failed_step) {
        wait_for_end(pid);
        return explain(plan, err);
    }
    int pidfd = pidfd_open(pid, 0); /* not reaped yet: the pid is certainly its own */
    if (pidfd < 0) {
        bool exists = errno != ESRCH; /* a process that ignores SIGCHLD keeps no zombies */

        err_errno(err, "pidfd_open for %s", plan->spawn->argv[0]);
        if (exists)
            kill(pid, SIGKILL);
        wait_for_end(pid);
        return -1;
    }
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}

int spawn_start(const struct spawn *spawn, pid_t *ret_pid, int *ret_pidfd, struct err *err)
{
    struct plan plan;

    if (fault_fails("spawn", err) < 0)
        return -1;

    int result = plan_init(&plan, spawn, err);
    if (result == 0)
        result = start(&plan, ret_pid, ret_pidfd, err);
    plan_done(&plan);
    return result;
}
