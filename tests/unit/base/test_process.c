/* Watching processes, our own and adopted ones, and naming them for ever. */
#include "loop_pair.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "scratch.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHELL(script) ((const char *const[]){ "/bin/sh", "-c", (script), NULL })

struct ending {
    struct loop *loop;
    struct loop_source *source;
    unsigned calls;
    pid_t pid;
    struct loop_exit how;
};

static void on_end(void *arg, pid_t pid, struct loop_exit how)
{
    struct ending *ending = arg;

    ending->calls++;
    ending->pid = pid;
    ending->how = how;
    loop_source_free(take_pointer(ending->source));
    loop_stop(ending->loop);
}

/* A child with its standard input at the other end of '*ret_input'. */
struct child {
    pid_t pid;
    int pidfd;
    int input;
};

static struct child start(const char *script)
{
    struct child child;
    struct err err = { 0 };
    int ends[2];

    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    const struct spawn_fd fds[] = { { ends[0], 0 } };
    const struct spawn spawn = { .argv = SHELL(script), .fds = fds, .fd_count = 1 };
    CHECK_OK(spawn_start(&spawn, &child.pid, &child.pidfd, &err), &err);
    close(ends[0]);
    child.input = ends[1];
    return child;
}

static void wait_for_end(pid_t pid)
{
    siginfo_t info;

    CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

/* On the simulated loop the end must have come before: it does not wait. */
static struct loop_exit end_of(struct loop *loop, struct child child)
{
    struct ending ending = { .loop = loop };

    ending.source = loop_child(loop, child.pid, child.pidfd, on_end, &ending);
    close(child.input);
    if (loop_is_simulated(loop))
        wait_for_end(child.pid);
    run(loop);
    CHECK_EQ(ending.calls, 1);
    CHECK_EQ(ending.pid, child.pid);
    CHECK_EQ(waitpid(child.pid, NULL, WNOHANG), -1);
    close(child.pidfd);
    return ending.how;
}

TEST_ON_BOTH(the_exit_status_of_a_child_is_known)
{
    struct loop_exit how = end_of(loop, start("read line; exit 7"));

    CHECK(how.known);
    CHECK_EQ(how.code, 7);
    CHECK_EQ(how.signal, 0);
}

TEST_ON_BOTH(the_signal_that_ended_a_child_is_known)
{
    struct loop_exit how = end_of(loop, start("read line; kill -KILL $$"));

    CHECK(how.known);
    CHECK_EQ(how.code, -1);
    CHECK_EQ(how.signal, SIGKILL);
}

static void on_tick(void *arg) { loop_stop(arg); }

TEST_ON_BOTH(a_child_that_stops_or_runs_has_not_ended)
{
    struct child child = start("read line; exit 3");
    struct ending ending = { .loop = loop };
    siginfo_t info;

    CHECK_EQ(kill(child.pid, SIGSTOP), 0);
    CHECK_EQ(waitid(P_PID, (id_t)child.pid, &info, WSTOPPED | WNOWAIT), 0);
    ending.source = loop_child(loop, child.pid, child.pidfd, on_end, &ending);
    auto_clean(loop_source_free_auto) struct loop_source *tick = loop_timer(loop, 1, on_tick, loop);
    run(loop);
    CHECK_EQ(ending.calls, 0);
    loop_source_free(ending.source);
    CHECK_EQ(kill(child.pid, SIGCONT), 0);
    CHECK_EQ(end_of(loop, child).code, 3);
}

static void on_end_of_kept(void *arg, pid_t pid, struct loop_exit how)
{
    struct ending *ending = arg;

    ending->calls++;
    loop_stop(ending->loop);
}

TEST_ON_BOTH(the_end_is_told_once_though_the_source_is_kept)
{
    struct child child = start("exit 0");
    struct ending ending = { .loop = loop };

    wait_for_end(child.pid);
    ending.source = loop_child(loop, child.pid, child.pidfd, on_end_of_kept, &ending);
    run(loop);
    auto_clean(loop_source_free_auto) struct loop_source *tick = loop_timer(loop, 1, on_tick, loop);
    run(loop);
    CHECK_EQ(ending.calls, 1);
    loop_source_free(ending.source);
    close(child.pidfd);
    close(child.input);
}

TEST_ON_BOTH(a_freed_watch_leaves_the_child_to_its_maker)
{
    struct child child = start("exit 5");
    struct ending ending = { .loop = loop };
    int status;

    loop_source_free(loop_child(loop, child.pid, child.pidfd, on_end, &ending));
    close(child.pidfd);
    close(child.input);
    CHECK_EQ(waitpid(child.pid, &status, 0), child.pid);
    CHECK_EQ(WEXITSTATUS(status), 5);
    CHECK_EQ(ending.calls, 0);
}

/* The shell leaves its own child behind, which is nobody's of ours then. */
static pid_t start_stranger(int hold_fd)
{
    const struct spawn_fd fds[] = { { hold_fd, 3 } };
    const struct spawn spawn = { .argv = SHELL("cat <&3 >/dev/null & echo $!"),
                                 .fds = fds,
                                 .fd_count = 1 };
    auto_buf struct buf output = { .size_max = 100 };
    struct err err = { 0 };

    CHECK_OK(spawn_wait(&spawn, &output, &err), &err);
    return (pid_t)atoi(output.bytes);
}

TEST(an_adopted_process_ends_in_an_unknown_way)
{
    struct err err = { 0 };
    auto_clean(loop_free_auto) struct loop *loop = loop_new(&err);
    struct ending ending = { .loop = loop };
    uint64_t ticks;
    int hold[2];
    int pidfd;

    CHECK_EQ(pipe2(hold, O_CLOEXEC), 0);
    pid_t pid = start_stranger(hold[0]);
    CHECK_OK(process_start_time(pid, &ticks, &err), &err);
    CHECK_OK(process_open(pid, ticks, &pidfd, &err), &err);
    ending.source = loop_child(loop, pid, pidfd, on_end, &ending);
    close(hold[1]);
    run(loop);
    CHECK_EQ(ending.pid, pid);
    CHECK(!ending.how.known);
    CHECK_EQ(ending.how.code, -1);
    CHECK_EQ(ending.how.signal, 0);
    close(hold[0]);
    close(pidfd);
}

/* --- start times --- */

TEST(a_process_is_opened_by_pid_and_start_time)
{
    struct child child = start("read line");
    struct err err = { 0 };
    uint64_t ticks, again;
    int pidfd;

    CHECK_OK(process_start_time(child.pid, &ticks, &err), &err);
    CHECK_OK(process_start_time(child.pid, &again, &err), &err);
    CHECK(ticks > 0);
    CHECK_EQ(ticks, again);
    CHECK_OK(process_open(child.pid, ticks, &pidfd, &err), &err);
    CHECK_EQ(pidfd_send_signal(pidfd, SIGKILL, NULL, 0), 0);
    close(pidfd);
    CHECK_EQ(waitpid(child.pid, NULL, 0), child.pid);
    CHECK_FAILS(process_open(child.pid, ticks, &pidfd, &err), &err, ERR_NOT_FOUND);
    CHECK_FAILS(process_start_time(child.pid, &ticks, &err), &err, ERR_NOT_FOUND);
    CHECK_CONTAINS(err.text, "has ended");
    close(child.pidfd);
    close(child.input);
}

TEST(another_start_time_is_another_process)
{
    struct err err = { 0 };
    uint64_t ticks;
    int pidfd = -1;

    CHECK_OK(process_start_time(getpid(), &ticks, &err), &err);
    CHECK_FAILS(process_open(getpid(), ticks - 1, &pidfd, &err), &err, ERR_NOT_FOUND);
    CHECK_FAILS(process_open(getpid(), ticks + 1, &pidfd, &err), &err, ERR_NOT_FOUND);
    CHECK_FAILS(process_open(0, 0, &pidfd, &err), &err, ERR_NOT_FOUND);
    CHECK_FAILS(process_open(-1, 0, &pidfd, &err), &err, ERR_NOT_FOUND);
    CHECK_EQ(pidfd, -1);
}

TEST(a_zombie_has_ended)
{
    struct child child = start("exit 0");
    struct err err = { 0 };
    uint64_t ticks;
    int pidfd;

    wait_for_end(child.pid);
    CHECK_OK(process_start_time(child.pid, &ticks, &err), &err);
    CHECK_FAILS(process_open(child.pid, ticks, &pidfd, &err), &err, ERR_NOT_FOUND);
    CHECK_EQ(waitpid(child.pid, NULL, 0), child.pid);
    close(child.pidfd);
    close(child.input);
}

TEST(a_program_name_with_parentheses_does_not_confuse)
{
    char *path = scratch_new();
    char script[128];
    struct err err = { 0 };
    uint64_t before, after;

    snprintf(script, sizeof script, "cp /bin/cat '%s/a) S 1' && echo && exec '%s/a) S 1'", path,
             path);
    int told[2];
    int hold[2];
    CHECK_EQ(pipe2(told, O_CLOEXEC), 0);
    CHECK_EQ(pipe2(hold, O_CLOEXEC), 0);
    const struct spawn_fd fds[] = { { hold[0], 0 }, { told[1], 1 } };
    const struct spawn spawn = { .argv = SHELL(script), .fds = fds, .fd_count = 2 };
    char text[8];
    pid_t pid;
    int pidfd;

    CHECK_OK(spawn_start(&spawn, &pid, &pidfd, &err), &err);
    CHECK_OK(process_start_time(pid, &before, &err), &err);
    CHECK_EQ(read(told[0], text, 1), 1);
    CHECK_EQ(write(hold[1], "x", 1), 1); /* echoed by the program with the odd name */
    CHECK_EQ(read(told[0], text, 1), 1);
    CHECK_OK(process_start_time(pid, &after, &err), &err);
    CHECK_EQ(before, after);
    close(hold[0]);
    close(hold[1]);
    close(told[0]);
    close(told[1]);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    close(pidfd);
    scratch_remove(path);
}
