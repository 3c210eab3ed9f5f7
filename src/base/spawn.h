/* base/spawn.h - child processes: vfork, a prepared environment, a pidfd. */
#pragma once
#include "err.h"
#include "loop.h"
#include "str.h"
#include <sys/types.h>

/* Descriptor 'from' of ours becomes 'to' in the child; all others are closed there.
 * Any overlap of the two sides is right: { 3, 4 } and { 4, 3 } swaps. */
struct spawn_fd {
    int from;
    int to;
};

struct spawn {
    const char *const *argv;      /* NULL-terminated; argv[0] is looked up in our PATH unless it has a '/' */
    const char *const *env;       /* NULL-terminated "K=V"; NULL: PATH, LANG=C.UTF-8 and nothing else */
    const struct spawn_fd *fds;   /* 0, 1, 2 not named here become /dev/null */
    size_t fd_count;
    int netns_fd;                 /* enter this network namespace; 0 or -1: stay */
    bool new_netns;               /* an own, empty network namespace */
    bool new_session;             /* setsid(): the child outlives us and our terminal */
    bool dies_with_us;            /* SIGKILL when the thread that started it ends, however we end */
    const char *const *cgroup_procs; /* NULL-terminated paths of cgroup.procs files to enter before exec; or NULL */
    bool change_user;             /* setgroups(none), setgid, setuid before exec; a binary that only
                                   * we can reach by its path is run all the same */
    uid_t uid;
    gid_t gid;
    bool punches_no_holes;        /* fallocate(2) with PUNCH_HOLE is not supported for it, nor for its children */
    const char *directory;        /* chdir; NULL: "/" */
    uint64_t address_space_max;   /* RLIMIT_AS in bytes; 0: unlimited */
    uint64_t file_size_max;       /* RLIMIT_FSIZE in bytes; 0: unlimited */
    unsigned cpu_seconds_max;     /* RLIMIT_CPU; 0: unlimited */
    uint64_t open_files_max;      /* RLIMIT_NOFILE; 0: as ours */
};

/* Starts the process. SIGCHLD must not be ignored. On success '*ret_pidfd' is the caller's to close and the
 * caller watches it with loop_child(). A failure between vfork and exec is
 * reported as an error naming the step ("setns", "exec qemu-img"). */
int spawn_start(const struct spawn *spawn, pid_t *ret_pid, int *ret_pidfd, struct err *err);

/* Runs a program to its end on the loop, collecting what it prints.
 * 'fn' is called once, after it ended: err is NULL when it exited 0. Otherwise
 * the error names the program and the last line of its standard error: ERR_TIMEOUT
 * after 'timeout_ms' (0: no limit), ERR_TOO_LARGE when it printed more than
 * 'output_size_max' bytes (0: it prints to /dev/null), both by killing it (with
 * new_session its whole process group), ERR_IO for the rest. 'output' is what it
 * printed until then, NUL-terminated, valid during the call. A descriptor 1 or 2
 * named in spawn->fds is the program's own and not collected. NULL when it could
 * not be started: 'fn' is not called. Children are real also on a simulated loop,
 * whose clock does not wait for them. */
typedef void spawn_run_fn(void *arg, const struct err *err, const char *output, size_t size);
struct spawn_run;
struct spawn_run *spawn_run(struct loop *loop, const struct spawn *spawn, int64_t timeout_ms,
                            size_t output_size_max, spawn_run_fn *fn, void *arg, struct err *err);
/* Kills the program (SIGKILL); 'fn' is not called any more. Not after 'fn' was. */
void spawn_run_cancel(struct spawn_run *run);
/* Called for every chunk of standard error while it runs, for progress. */
void spawn_run_on_stderr(struct spawn_run *run, void (*fn)(void *arg, const char *text, size_t size),
                         void *arg);

/* Runs to the end, blocking: for worker jobs and the CLI only. 'output' may be NULL,
 * is emptied first and bounded by its size_max (0: 64 MiB). Errors as above. */
int spawn_wait(const struct spawn *spawn, struct buf *output, struct err *err);

/* Start time of process 'pid' in clock ticks since boot (/proc/PID/stat field 22):
 * with the pid it names one process for ever. ERR_NOT_FOUND when it is gone. */
int process_start_time(pid_t pid, uint64_t *ret_ticks, struct err *err);
/* pidfd of that very process, or ERR_NOT_FOUND when it ended or the pid was reused.
 * A zombie counts as ended. */
int process_open(pid_t pid, uint64_t start_ticks, int *ret_pidfd, struct err *err);
