/* What base/spawn.h promises of programs that run on the loop. */
#include "check.h"
#include "base/mem.h"
#include "base/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHELL(script) ((const char *const[]){ "/bin/sh", "-c", (script), NULL })
#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

struct outcome {
    struct loop *loop;
    struct spawn_run *run;
    unsigned calls;
    bool ok;
    struct err err;
    char output[256];
    size_t size;
    char stderr_text[256];
};

static void on_done(void *arg, const struct err *err, const char *output, size_t size)
{
    struct outcome *outcome = arg;

    outcome->calls++;
    outcome->ok = !err;
    if (err)
        outcome->err = *err;
    CHECK_EQ(output[size], '\0');
    snprintf(outcome->output, sizeof outcome->output, "%s", output);
    outcome->size = size;
    loop_stop(outcome->loop);
}

static void on_stderr(void *arg, const char *text, size_t size)
{
    struct outcome *outcome = arg;
    size_t length = strlen(outcome->stderr_text);

    snprintf(outcome->stderr_text + length, sizeof outcome->stderr_text - length, "%.*s", (int)size,
             text);
}

static void begin(struct outcome *outcome, struct spawn spawn, int64_t timeout_ms, size_t max)
{
    struct err err = { 0 };

    outcome->run = spawn_run(outcome->loop, &spawn, timeout_ms, max, on_done, outcome, &err);
    CHECK_OK(outcome->run ? 0 : -1, &err);
}

static struct outcome outcome_of(struct spawn spawn, int64_t timeout_ms, size_t max)
{
    struct err err;
    auto_clean(loop_free_auto) struct loop *loop = loop_new(&err);
    struct outcome outcome = { .loop = loop };

    begin(&outcome, spawn, timeout_ms, max);
    spawn_run_on_stderr(outcome.run, on_stderr, &outcome);
    CHECK_EQ(outcome.calls, 0);
    CHECK_OK(loop_run(loop, &err), &err);
    CHECK_EQ(outcome.calls, 1);
    return outcome;
}

static void check_no_children_left(void) { CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1); }

TEST(a_program_that_exits_with_0_succeeds)
{
    struct outcome outcome = outcome_of((struct spawn){ .argv = ARGV("printf", "a\\nb") }, 0, 100);

    CHECK(outcome.ok);
    CHECK_STR(outcome.output, "a\nb");
    check_no_children_left();
}

TEST(output_of_exactly_the_bound_is_fine)
{
    struct outcome outcome = outcome_of((struct spawn){ .argv = ARGV("printf", "12345") }, 0, 5);

    CHECK(outcome.ok);
    CHECK_STR(outcome.output, "12345");
}

TEST(output_over_the_bound_ends_the_program)
{
    struct outcome outcome = outcome_of((struct spawn){ .argv = ARGV("cat", "/dev/zero") }, 0, 5);

    CHECK_EQ(outcome.err.code, ERR_TOO_LARGE);
    CHECK_STR(outcome.err.text, "cat: printed more than 5 bytes");
    CHECK_EQ(outcome.size, 5);
    check_no_children_left();
}

TEST(output_over_the_bound_is_an_error_even_at_the_very_end)
{
    struct outcome outcome = outcome_of((struct spawn){ .argv = ARGV("printf", "123456") }, 0, 5);

    CHECK_EQ(outcome.err.code, ERR_TOO_LARGE);
}

TEST(a_bound_of_0_discards_the_output)
{
    struct outcome outcome = outcome_of(
        (struct spawn){ .argv = SHELL("(readlink /proc/$$/fd/1; :) >&2; exit 1") }, 0, 0);

    CHECK_EQ(outcome.size, 0);
    CHECK_STR(outcome.err.text, "sh: /dev/null");
}

TEST(large_output_arrives_whole)
{
    struct outcome outcome = outcome_of(
        (struct spawn){ .argv = ARGV("head", "-c", "3000000", "/dev/zero") }, 0, 4 << 20);

    CHECK(outcome.ok);
    CHECK_EQ(outcome.size, 3000000);
}

TEST(a_failure_names_the_program_and_its_last_words)
{
    struct outcome outcome = outcome_of(
        (struct spawn){ .argv = SHELL("echo part; echo one >&2; echo two >&2; exit 4") }, 0, 100);

    CHECK(!outcome.ok);
    CHECK_EQ(outcome.err.code, ERR_IO);
    CHECK_STR(outcome.err.text, "sh: two");
    CHECK_STR(outcome.output, "part\n");
    CHECK_STR(outcome.stderr_text, "one\ntwo\n");
}

TEST(a_silent_failure_tells_the_exit_status)
{
    struct outcome outcome = outcome_of((struct spawn){ .argv = SHELL("exit 42") }, 0, 100);

    CHECK_STR(outcome.err.text, "sh: exit status 42");
}

TEST(a_death_by_signal_tells_the_signal)
{
    struct outcome quiet = outcome_of((struct spawn){ .argv = SHELL("kill -TERM $$") }, 0, 100);
    struct outcome last =
        outcome_of((struct spawn){ .argv = SHELL("echo help >&2; kill -KILL $$") }, 0, 100);

    CHECK_STR(quiet.err.text, "sh: killed by signal 15 (Terminated)");
    CHECK_STR(last.err.text, "sh: killed by signal 9 (Killed): help");
}

TEST(the_last_words_of_very_long_complaints_are_kept)
{
    struct outcome outcome = outcome_of(
        (struct spawn){ .argv = SHELL("seq 1 100000 >&2; echo the end >&2; exit 1") }, 0, 100);

    CHECK_STR(outcome.err.text, "sh: the end");
}

TEST(a_program_that_takes_too_long_is_killed_and_reaped)
{
    struct outcome outcome = outcome_of((struct spawn){ .argv = SHELL("kill -STOP $$") }, 5, 100);

    CHECK_EQ(outcome.err.code, ERR_TIMEOUT);
    CHECK_STR(outcome.err.text, "sh: not done after 5 ms");
    check_no_children_left();
}

/* The shell waits for its child, which holds the write end of 'alive' too. */
TEST(a_session_is_killed_as_a_whole)
{
    int alive[2];
    char byte;

    CHECK_EQ(pipe2(alive, O_CLOEXEC), 0);
    const struct spawn_fd fds[] = { { alive[1], 3 } };
    struct outcome outcome = outcome_of(
        (struct spawn){
            .argv = SHELL("tail -f /dev/null; :"), .new_session = true, .fds = fds, .fd_count = 1 },
        20, 100);

    close(alive[1]);
    CHECK_EQ(outcome.err.code, ERR_TIMEOUT);
    CHECK_EQ(read(alive[0], &byte, 1), 0); /* returns when the last holder is dead */
    close(alive[0]);
}

TEST(a_grandchild_that_holds_the_pipes_is_not_waited_for)
{
    int hold[2];

    CHECK_EQ(pipe2(hold, O_CLOEXEC), 0);
    const struct spawn_fd fds[] = { { hold[0], 3 } };
    struct outcome outcome = outcome_of(
        (struct spawn){ .argv = SHELL("cat <&3 & echo started"), .fds = fds, .fd_count = 1 }, 0,
        100);

    CHECK(outcome.ok);
    CHECK_STR(outcome.output, "started\n");
    close(hold[0]);
    close(hold[1]);
}

TEST(descriptors_named_by_the_caller_are_not_collected)
{
    int own[2];
    char text[16] = "";

    CHECK_EQ(pipe2(own, O_CLOEXEC), 0);
    const struct spawn_fd fds[] = { { own[1], 1 }, { own[1], 2 } };
    struct outcome outcome = outcome_of(
        (struct spawn){ .argv = SHELL("echo a; echo b >&2; exit 1"), .fds = fds, .fd_count = 2 }, 0,
        100);

    CHECK_EQ(read(own[0], text, sizeof text - 1), 4);
    CHECK_STR(text, "a\nb\n");
    CHECK_STR(outcome.err.text, "sh: exit status 1");
    CHECK_EQ(outcome.size, 0);
    close(own[0]);
    close(own[1]);
}

TEST(standard_input_can_be_given)
{
    int in[2];

    CHECK_EQ(pipe2(in, O_CLOEXEC), 0);
    CHECK_EQ(write(in[1], "input", 5), 5);
    close(in[1]);
    const struct spawn_fd fds[] = { { in[0], 0 } };
    struct outcome outcome =
        outcome_of((struct spawn){ .argv = ARGV("cat"), .fds = fds, .fd_count = 1 }, 0, 100);

    CHECK_STR(outcome.output, "input");
    close(in[0]);
}

TEST(a_program_that_does_not_start_fails_at_once)
{
    struct err err;
    auto_clean(loop_free_auto) struct loop *loop = loop_new(&err);
    struct outcome outcome = { .loop = loop };
    struct spawn spawn = { .argv = ARGV("virga-no-such-program") };
    struct spawn_run *run = spawn_run(loop, &spawn, 0, 100, on_done, &outcome, &err);

    CHECK(!run);
    CHECK_EQ(err.code, ERR_NOT_FOUND);
    CHECK_EQ(outcome.calls, 0);
}

/* The simulated clock fires exactly one event for each step. */
static void check_reaped_by(struct loop *loop)
{
    siginfo_t info;

    CHECK_EQ(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
    CHECK_EQ(info.si_status, SIGKILL);
    CHECK(loop_sim_step(loop));
    check_no_children_left();
}

TEST(a_cancelled_program_is_killed_reaped_and_silent)
{
    auto_clean(loop_free_auto) struct loop *loop = loop_sim_new(1);
    struct outcome outcome = { .loop = loop };

    begin(&outcome, (struct spawn){ .argv = ARGV("tail", "-f", "/dev/null") }, 1000, 100);
    spawn_run_cancel(outcome.run);
    check_reaped_by(loop);
    CHECK(!loop_sim_step(loop));
    CHECK_EQ(outcome.calls, 0);
    spawn_run_cancel(NULL);
}

TEST(a_loop_may_be_freed_before_a_cancelled_program_is_reaped)
{
    struct loop *loop = loop_sim_new(1);
    struct outcome outcome = { .loop = loop };

    begin(&outcome, (struct spawn){ .argv = ARGV("tail", "-f", "/dev/null") }, 1000, 100);
    spawn_run_cancel(outcome.run);
    loop_free(loop);
    CHECK(waitpid(-1, NULL, 0) > 0);
}

TEST(an_exit_status_that_somebody_else_took_is_an_error)
{
    struct err err;
    auto_clean(loop_free_auto) struct loop *loop = loop_new(&err);
    struct outcome outcome = { .loop = loop };

    begin(&outcome, (struct spawn){ .argv = ARGV("true") }, 0, 100);
    CHECK(waitpid(-1, NULL, 0) > 0);
    CHECK_OK(loop_run(loop, &err), &err);
    CHECK_EQ(outcome.err.code, ERR_IO);
    CHECK_STR(outcome.err.text, "true: somebody else took its exit status");
}

static void cancel_on_stderr(void *arg, const char *text, size_t size)
{
    struct outcome *outcome = arg;

    spawn_run_cancel(outcome->run);
    outcome->run = NULL;
    loop_stop(outcome->loop);
}

TEST(a_program_can_be_cancelled_while_it_complains)
{
    struct err err;
    auto_clean(loop_free_auto) struct loop *loop = loop_new(&err);
    struct outcome outcome = { .loop = loop };

    begin(&outcome, (struct spawn){ .argv = SHELL("echo now >&2; exec tail -f /dev/null") }, 0,
          100);
    spawn_run_on_stderr(outcome.run, cancel_on_stderr, &outcome);
    CHECK_OK(loop_run(loop, &err), &err);
    CHECK(!outcome.run);
    CHECK_EQ(outcome.calls, 0);
    CHECK(waitpid(-1, NULL, 0) > 0);
}

TEST(last_complaints_may_cancel_too)
{
    auto_clean(loop_free_auto) struct loop *loop = loop_sim_new(3);
    siginfo_t info;

    for (int i = 0; i < 10; i++) { /* the exit or the complaint first, as the seed has it */
        struct outcome outcome = { .loop = loop };

        begin(&outcome, (struct spawn){ .argv = SHELL("echo now >&2") }, 0, 100);
        spawn_run_on_stderr(outcome.run, cancel_on_stderr, &outcome);
        CHECK_EQ(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
        while (loop_sim_step(loop))
            ;
        CHECK_EQ(outcome.calls, 0);
        check_no_children_left();
    }
}
