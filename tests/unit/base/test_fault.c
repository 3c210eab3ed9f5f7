#include "check.h"
#include "base/fault.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(without_a_setting_nothing_fails)
{
    struct err err;

    CHECK_OK(fault_init(NULL, &err), &err);
    CHECK_OK(fault_init("", &err), &err);
    for (int i = 0; i < 10; i++) {
        fault_point("a");
        CHECK_OK(fault_fails("a", &err), &err);
    }
}

TEST(only_the_named_call_of_the_named_point_fails)
{
    struct err err;

    CHECK_OK(fault_init("tap.open=fail@2,disk=fail@1", &err), &err);
    CHECK_OK(fault_fails("tap.open", &err), &err);
    CHECK_FAILS(fault_fails("tap.open", &err), &err, ERR_IO);
    CHECK_STR(err.text, "injected fault at tap.open");
    CHECK_OK(fault_fails("tap.open", &err), &err);
    CHECK_OK(fault_fails("tap.openx", &err), &err);
    CHECK_FAILS(fault_fails("disk", &err), &err, ERR_IO);
    CHECK_OK(fault_fails("disk", &err), &err);
}

/* Signal that ended a child which passes 'name' five times, or 0. */
static int signal_of_child(const char *setting, const char *name)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct err err;

        if (fault_init(setting, &err) < 0)
            _exit(99);
        for (int i = 0; i < 5; i++)
            fault_point(name);
        _exit(0);
    }
    CHECK(pid > 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST(a_kill_ends_the_process_at_once)
{
    CHECK_EQ(signal_of_child("start=kill@3", "start"), SIGKILL);
    CHECK_EQ(signal_of_child("start=kill@5", "start"), SIGKILL);
    CHECK_EQ(signal_of_child("start=kill@6", "start"), 0);
    CHECK_EQ(signal_of_child("start=kill@3", "stop"), 0);
    CHECK_EQ(signal_of_child("start=fail@3", "start"), 0);
}

TEST(the_nth_call_of_any_name_fails_and_calls_are_counted)
{
    struct err err;

    CHECK_OK(fault_init(NULL, &err), &err);
    fault_fail_nth(3);
    CHECK_OK(fault_fails("a", &err), &err);
    CHECK_OK(fault_fails("b", &err), &err);
    CHECK_FAILS(fault_fails("c", &err), &err, ERR_IO);
    CHECK_CONTAINS(err.text, "at c");
    CHECK_OK(fault_fails("c", &err), &err);
    CHECK_EQ(fault_calls_seen(), 4);
    fault_fail_nth(0);
    CHECK_EQ(fault_calls_seen(), 0);
    CHECK_OK(fault_fails("a", &err), &err);
    CHECK_EQ(fault_calls_seen(), 1);
}

TEST(a_malformed_setting_is_refused_and_arms_nothing)
{
    static const char *const rows[] = {
        "a",
        "a=",
        "a=kill",
        "a=kill@",
        "a=kill@0",
        "a=kill@x",
        "a=kill@1x",
        "a=burn@1",
        "=kill@1",
        "a=kill@1,",
        ",a=kill@1",
        "a=kill@-1",
        "a=kill@ 1",
        "a=kill@+1",
        "a b=kill@1",
        "a=fail@1,b",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=fail@"
        "1",
        ("a=fail@1,a=fail@1,a=fail@1,a=fail@1,a=fail@1,a=fail@1,a=fail@1,a=fail@1,a=fail@1,"
         "a=fail@1,a=fail@1,a=fail@1,a=fail@1,a=fail@1,a=fail@1,a=fail@1,a=fail@1"),
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err err;

        CHECK_FAILS(fault_init(rows[i], &err), &err, ERR_BAD_REQUEST);
        CHECK_CONTAINS(err.text, "VIRGA_FAULT");
        CHECK_OK(fault_fails("a", &err), &err);
    }
}
