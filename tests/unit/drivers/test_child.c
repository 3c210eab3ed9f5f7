/* Programs that worker threads run and can cancel. */
#include "check.h"
#include "drivers/storage/directory/child.h"
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHELL(script) ((const char *const[]){ "/bin/sh", "-c", (script), NULL })

static struct cancel cancel;

static struct child shell(const char *const *argv)
{
    return (struct child){ .spawn = { .argv = argv }, .cancel = &cancel, .timeout_ms = 30 * 1000 };
}

static struct child_end run(const char *script)
{
    struct child child = shell(SHELL(script));
    struct child_end end;
    struct err err = { 0 };

    cancel_init(&cancel);
    CHECK_OK(child_run(&child, &end, &err), &err);
    cancel_done(&cancel);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    return end;
}

static struct err explained(const char *script)
{
    struct child_end end = run(script);
    struct err err = { 0 };

    CHECK_EQ(child_explain(&end, ERR_INVALID, &err), -1);
    return err;
}

TEST(the_exit_status_and_the_signal_are_told)
{
    CHECK_EQ(run("exit 0").code, 0);
    CHECK_EQ(run("exit 7").code, 7);
    CHECK_EQ(run("kill -TERM $$").code, -1);
    CHECK_EQ(run("kill -TERM $$").signal, SIGTERM);
}

TEST(the_last_line_of_what_it_says_explains_a_failure)
{
    CHECK_STR(explained("echo first >&2; echo 'sh: last' >&2; exit 1").text, "last");
    CHECK_STR(explained("exit 3").text, "sh: exit status 3");
    CHECK_STR(explained("kill -SEGV $$").text, "sh: ended by signal 11");
    CHECK_EQ(explained("exit 3").code, ERR_INVALID);
}

TEST(of_many_words_the_last_are_kept)
{
    CHECK_STR(explained("i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i + 1)); done; "
                        "exit 1")
                  .text,
              "line 2999");
}

TEST(a_full_disk_and_a_file_too_large_are_told_apart)
{
    CHECK_EQ(explained("echo 'write: No space left on device' >&2; exit 1").code, ERR_NO_SPACE);
    CHECK_EQ(explained("echo 'write: File too large' >&2; exit 1").code, ERR_TOO_LARGE);
    CHECK_EQ(explained("kill -XFSZ $$").code, ERR_TOO_LARGE);
    CHECK_EQ(explained("kill -KILL $$").code, ERR_UNAVAILABLE);
    CHECK_CONTAINS(explained("kill -XCPU $$").text, "processor time");
}

static char printed[64];

static void take_print(void *arg, const char *text, size_t size)
{
    strncat(printed, text, size < 40 ? size : 40);
}

TEST(what_it_prints_is_handed_on)
{
    struct child child = shell(SHELL("printf 'one '; printf two; echo words >&2"));
    struct child_end end;
    struct err err = { 0 };

    child.printed = take_print;
    cancel_init(&cancel);
    CHECK_OK(child_run(&child, &end, &err), &err);
    cancel_done(&cancel);
    CHECK_STR(printed, "one two");
    CHECK_STR(end.words, "words\n");
}

TEST(a_missing_program_is_an_error)
{
    struct child child = shell((const char *const[]){ "/no/such/program", NULL });
    struct child_end end;
    struct err err = { 0 };

    cancel_init(&cancel);
    CHECK_FAILS(child_run(&child, &end, &err), &err, ERR_NOT_FOUND);
    cancel_done(&cancel);
}

/* A shell whose descriptor 'number' is a pipe that never says anything. */
struct waiting {
    struct child child;
    int input[2];
    struct spawn_fd fd;
};

static void wait_on(struct waiting *waiting, const char *const argv[], int number)
{
    CHECK_EQ(pipe(waiting->input), 0);
    waiting->child = shell(argv);
    waiting->fd = (struct spawn_fd){ waiting->input[0], number };
    waiting->child.spawn.fds = &waiting->fd;
    waiting->child.spawn.fd_count = 1;
}

static void wait_done(struct waiting *waiting)
{
    close(waiting->input[0]);
    close(waiting->input[1]);
}

TEST(a_program_that_takes_too_long_is_killed)
{
    struct waiting waiting;
    struct child_end end;
    struct err err = { 0 };

    wait_on(&waiting, SHELL("exec cat"), 0);
    waiting.child.timeout_ms = 10;
    cancel_init(&cancel);
    CHECK_FAILS(child_run(&waiting.child, &end, &err), &err, ERR_TIMEOUT);
    CHECK_EQ(end.signal, SIGKILL);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    cancel_done(&cancel);
    wait_done(&waiting);
}

static void cancel_it(void *arg, const char *text, size_t size) { cancel_set(&cancel); }

TEST(a_cancelled_program_is_killed)
{
    struct waiting waiting;
    struct child_end end;
    struct err err = { 0 };

    wait_on(&waiting, SHELL("echo ready; exec cat <&3"), 3);
    waiting.child.printed = cancel_it;
    cancel_init(&cancel);
    CHECK_FAILS(child_run(&waiting.child, &end, &err), &err, ERR_CANCELLED);
    CHECK_EQ(end.signal, SIGKILL);
    CHECK_FAILS(cancel_wait(&cancel, 60 * 1000, &err), &err, ERR_CANCELLED);
    cancel_done(&cancel);
    wait_done(&waiting);
}

TEST(without_a_descriptor_a_cancellation_is_noticed_too)
{
    struct waiting waiting;
    struct child_end end;
    struct err err = { 0 };

    wait_on(&waiting, SHELL("echo ready; exec cat <&3"), 3);
    waiting.child.printed = cancel_it;
    cancel = (struct cancel){ .fd = -1 };
    CHECK_FAILS(child_run(&waiting.child, &end, &err), &err, ERR_CANCELLED);
    wait_done(&waiting);
}
