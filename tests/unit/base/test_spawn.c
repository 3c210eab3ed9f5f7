/* What base/spawn.h promises of spawn_start() and spawn_wait(). The programs are
 * the shell and its friends; each tells what it sees. */
#include "scratch.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/spawn.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHELL(script) ((const char *const[]){ "/bin/sh", "-c", (script), NULL })
#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* What 'spawn' prints, without the last line end. Valid until the next call. */
static const char *output_of(struct spawn spawn)
{
    static char text[4096];
    auto_buf struct buf output = { .size_max = sizeof text - 1 };
    struct err err = { 0 };

    CHECK_OK(spawn_wait(&spawn, &output, &err), &err);
    while (output.size > 0 && output.bytes[output.size - 1] == '\n')
        output.size--;
    snprintf(text, sizeof text, "%.*s", (int)output.size, output.size ? output.bytes : "");
    return text;
}

static void check_no_children_left(void) { CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1); }

static void need_root(void)
{
    if (geteuid() != 0)
        skip();
}

/* --- programs and arguments --- */

TEST(arguments_arrive_as_they_are)
{
    CHECK_STR(output_of((struct spawn){ .argv = ARGV("printf", "%s|", "a b", "", "$x*") }),
              "a b||$x*|");
}

TEST(the_program_is_looked_up_in_path)
{
    CHECK_STR(output_of((struct spawn){ .argv = ARGV("echo", "found") }), "found");
}

TEST(a_missing_program_is_not_found)
{
    struct spawn spawn = { .argv = ARGV("virga-no-such-program", "x") };
    struct spawn by_path = { .argv = ARGV("/no/such/program", "x") };
    struct err err;
    pid_t pid;
    int pidfd;

    CHECK_FAILS(spawn_start(&spawn, &pid, &pidfd, &err), &err, ERR_NOT_FOUND);
    CHECK_STR(err.text, "exec virga-no-such-program: No such file or directory");
    CHECK_FAILS(spawn_start(&by_path, &pid, &pidfd, &err), &err, ERR_NOT_FOUND);
    CHECK_STR(err.text, "exec /no/such/program: No such file or directory");
    check_no_children_left();
}

TEST(what_is_no_program_is_refused)
{
    struct spawn spawn = { .argv = ARGV("/etc/passwd") };
    struct err err;
    pid_t pid;
    int pidfd;

    CHECK_FAILS(spawn_start(&spawn, &pid, &pidfd, &err), &err, ERR_FORBIDDEN);
    CHECK_STR(err.text, "exec /etc/passwd: Permission denied");
    check_no_children_left();
}

TEST(the_environment_is_small_unless_given)
{
    char expected[4096];

    setenv("VIRGA_TEST_SECRET", "x", 1);
    snprintf(expected, sizeof expected, "PATH=%s\nLANG=C.UTF-8", getenv("PATH"));
    CHECK_STR(output_of((struct spawn){ .argv = ARGV("env") }), expected);
    CHECK_STR(output_of((struct spawn){ .argv = ARGV("env"), .env = ARGV("A=1", "B=2") }),
              "A=1\nB=2");
    unsetenv("VIRGA_TEST_SECRET");
}

TEST(the_directory_is_the_root_unless_given)
{
    CHECK_STR(output_of((struct spawn){ .argv = ARGV("pwd") }), "/");
    CHECK_STR(output_of((struct spawn){ .argv = ARGV("pwd"), .directory = "/proc" }), "/proc");
}

TEST(a_missing_directory_is_named)
{
    struct spawn spawn = { .argv = ARGV("pwd"), .directory = "/no/such" };
    struct err err;

    CHECK_FAILS(spawn_wait(&spawn, NULL, &err), &err, ERR_NOT_FOUND);
    CHECK_STR(err.text, "start pwd: chdir /no/such: No such file or directory");
    check_no_children_left();
}

/* --- descriptors --- */

static int file_with(const char *text)
{
    FILE *file = tmpfile();

    CHECK(file);
    fputs(text, file);
    fflush(file);
    int fd = fcntl(fileno(file), F_DUPFD_CLOEXEC, 3);
    fclose(file);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

TEST(descriptors_can_be_swapped)
{
    auto_close int a = file_with("a");
    auto_close int b = file_with("b");
    const struct spawn_fd fds[] = { { a, b }, { b, a } };
    char script[64];

    CHECK(a < 10 && b < 10);
    snprintf(script, sizeof script, "cat <&%d; cat <&%d", a, b);
    CHECK_STR(output_of((struct spawn){ .argv = SHELL(script), .fds = fds, .fd_count = 2 }), "ba");
}

TEST(one_descriptor_can_become_several)
{
    auto_close int a = file_with("text");
    const struct spawn_fd fds[] = { { a, 5 }, { a, 0 } };

    CHECK_STR(output_of((struct spawn){
                  .argv = SHELL("head -c 2 <&5; printf .; cat"), .fds = fds, .fd_count = 2 }),
              "te.xt");
}

TEST(a_descriptor_that_stays_in_its_place_is_inherited)
{
    auto_close int a = file_with("stays");
    const struct spawn_fd fds[] = { { a, a } };
    char script[64];

    snprintf(script, sizeof script, "cat <&%d", a);
    CHECK_STR(output_of((struct spawn){ .argv = SHELL(script), .fds = fds, .fd_count = 1 }),
              "stays");
}

/* Standard output is not named here, so spawn_wait() collects it. */
TEST(all_other_descriptors_are_closed)
{
    int leaked[2];

    CHECK_EQ(pipe(leaked), 0); /* without O_CLOEXEC, as a careless library would */
    auto_close int keep = file_with("");
    const struct spawn_fd fds[] = { { keep, 7 } };
    CHECK_STR(output_of((struct spawn){
                  .argv = SHELL("ls -1 /proc/$$/fd; true"), .fds = fds, .fd_count = 1 }),
              "0\n1\n2\n7");
    close(leaked[0]);
    close(leaked[1]);
}

TEST(standard_descriptors_not_named_are_null)
{
    auto_close int out = file_with("");
    const struct spawn_fd fds[] = { { out, 3 } };
    struct spawn spawn = { .argv =
                               SHELL("(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2; :) >&3"),
                           .fds = fds,
                           .fd_count = 1 };
    char text[64] = "";
    struct loop_exit how;
    pid_t pid;
    int pidfd;
    struct err err;

    CHECK_OK(spawn_start(&spawn, &pid, &pidfd, &err), &err);
    close(pidfd);
    CHECK_EQ(waitpid(pid, &how.code, 0), pid);
    CHECK_EQ(pread(out, text, sizeof text - 1, 0), 30);
    CHECK_STR(text, "/dev/null\n/dev/null\n/dev/null\n");
}

TEST(a_closed_descriptor_is_an_error)
{
    const struct spawn_fd fds[] = { { 900, 3 } };
    struct spawn spawn = { .argv = ARGV("true"), .fds = fds, .fd_count = 1 };
    struct err err;

    CHECK_FAILS(spawn_wait(&spawn, NULL, &err), &err, ERR_IO);
    CHECK_CONTAINS(err.text, "start true: copy a descriptor: Bad file descriptor");
    check_no_children_left();
}

TEST(running_out_of_descriptors_is_an_error_that_leaves_nothing)
{
    struct spawn spawn = { .argv = ARGV("true") };
    struct rlimit before;
    struct err err;
    pid_t pid;
    int pidfd;

    getrlimit(RLIMIT_NOFILE, &before);
    auto_close int next_free = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (int room = 1; room <= 2; room++) { /* /dev/null opens; one copy of it more */
        struct rlimit low = { (rlim_t)(next_free + 1 + room), before.rlim_max };

        setrlimit(RLIMIT_NOFILE, &low);
        int result = spawn_start(&spawn, &pid, &pidfd, &err);
        setrlimit(RLIMIT_NOFILE, &before);
        CHECK_FAILS(result, &err, ERR_IO);
        CHECK_CONTAINS(err.text, "start true: copy a descriptor: Too many open files");
    }
    check_no_children_left();
}

/* --- what it may do --- */

static void on_usr1(int number) {}

TEST(signals_are_as_in_a_fresh_process)
{
    struct sigaction before_pipe, before_usr1;
    sigset_t mask, before_mask;

    sigfillset(&mask);
    sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, &before_pipe);
    sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = on_usr1 }, &before_usr1);
    sigprocmask(SIG_SETMASK, &mask, &before_mask);
    const char *seen = output_of((struct spawn){ .argv = ARGV("cat", "/proc/self/status") });
    sigset_t after_mask;
    sigprocmask(SIG_SETMASK, &before_mask, &after_mask);
    sigaction(SIGPIPE, &before_pipe, NULL);
    sigaction(SIGUSR1, &before_usr1, NULL);

    CHECK_CONTAINS(seen, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
                         "SigCgt:\t0000000000000000");
    CHECK_EQ(sigismember(&after_mask, SIGUSR1), 1);
}

TEST(a_new_session_is_led_by_the_child)
{
    const char *const script =
        "set -- $(cat /proc/$$/stat); [ $5 = $$ ] && [ $6 = $$ ] && echo yes";

    CHECK_STR(output_of((struct spawn){ .argv = SHELL(script), .new_session = true }), "yes");
    CHECK_STR(output_of((struct spawn){ .argv = SHELL("set -- $(cat /proc/$$/stat); "
                                                      "[ $6 != $$ ] && echo no") }),
              "no");
}

TEST(the_user_is_changed_and_other_groups_are_left)
{
    need_root();
    CHECK_STR(output_of((struct spawn){ .argv = SHELL("id -u; id -g; id -G"),
                                        .change_user = true,
                                        .uid = 65534,
                                        .gid = 65533 }),
              "65534\n65533\n65533");
    CHECK_EQ(geteuid(), 0);
    CHECK_STR(
        output_of((struct spawn){ .argv = ARGV("grep", "-E", "^Cap(Prm|Eff)", "/proc/self/status"),
                                  .change_user = true,
                                  .uid = 65534,
                                  .gid = 65533 }),
        "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000");
}

/* A copy of a binary in a folder that only its owner may enter, as a clone in a home is. */
TEST(a_program_in_a_folder_closed_to_its_user_runs)
{
    char program[64], *folder;

    need_root();
    folder = scratch_new();
    snprintf(program, sizeof program, "%s/id", folder);
    CHECK_STR(output_of((struct spawn){ .argv = ARGV("cp", "/usr/bin/id", program) }), "");
    CHECK_STR(output_of((struct spawn){
                  .argv = ARGV(program, "-u"), .change_user = true, .uid = 4321, .gid = 4321 }),
              "4321");
    scratch_remove(folder);
}

TEST(a_new_network_namespace_has_only_loopback)
{
    need_root();
    CHECK_STR(output_of((struct spawn){ .argv = SHELL("sed -n 's/^ *\\([^ :]*\\):.*/\\1/p' "
                                                      "/proc/$$/net/dev"),
                                        .new_netns = true }),
              "lo");
}

TEST(a_given_network_namespace_is_entered)
{
    char path[64];
    char expected[64] = "";
    char ours[64] = "";
    int hold[2];
    int told[2];
    struct err err;
    pid_t pid;
    int pidfd;

    need_root();
    CHECK_EQ(pipe2(hold, O_CLOEXEC), 0);
    CHECK_EQ(pipe2(told, O_CLOEXEC), 0);
    const struct spawn_fd fds[] = { { hold[0], 0 }, { told[1], 1 } };
    struct spawn holder = { .argv = ARGV("cat"), .new_netns = true, .fds = fds, .fd_count = 2 };
    CHECK_OK(spawn_start(&holder, &pid, &pidfd, &err), &err);

    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    auto_close int netns_fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(readlink(path, expected, sizeof expected - 1) > 0);
    CHECK(readlink("/proc/self/ns/net", ours, sizeof ours - 1) > 0);
    CHECK(strcmp(expected, ours) != 0);
    CHECK_STR(output_of((struct spawn){ .argv = ARGV("readlink", "/proc/self/ns/net"),
                                        .netns_fd = netns_fd }),
              expected);
    CHECK_STR(output_of((struct spawn){ .argv = ARGV("readlink", "/proc/self/ns/net") }), ours);

    for (int i = 0; i < 2; i++) {
        close(hold[i]);
        close(told[i]);
    }
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    close(pidfd);
}

TEST(a_wrong_network_namespace_names_the_step)
{
    auto_close int file = file_with("");
    struct spawn spawn = { .argv = ARGV("true"), .netns_fd = file };
    struct err err;

    CHECK_FAILS(spawn_wait(&spawn, NULL, &err), &err, ERR_IO);
    CHECK_CONTAINS(err.text, "start true: setns: ");
}

TEST(every_cgroup_is_entered_by_the_child_itself)
{
    char a[] = "/tmp/virga-test-cgroup-XXXXXX";
    char text[8] = "";
    auto_close int fd = mkostemp(a, O_CLOEXEC);
    const char *const procs[] = { "/dev/null", a, NULL };
    struct spawn spawn = { .argv = ARGV("true"), .cgroup_procs = procs };
    struct err err;

    CHECK_OK(spawn_wait(&spawn, NULL, &err), &err);
    CHECK_EQ(pread(fd, text, sizeof text - 1, 0), 1);
    CHECK_STR(text, "0");
    unlink(a);
    CHECK_FAILS(spawn_wait(&spawn, NULL, &err), &err, ERR_NOT_FOUND);
    CHECK_CONTAINS(err.text, "start true: enter /tmp/virga-test-cgroup-");
}

TEST(limits_hold_in_the_child_only)
{
    CHECK_STR(output_of((struct spawn){ .argv = SHELL("ulimit -v; ulimit -f; ulimit -t; ulimit -n"),
                                        .address_space_max = 256 << 20,
                                        .file_size_max = 1 << 20,
                                        .cpu_seconds_max = 7,
                                        .open_files_max = 33 }),
              "262144\n2048\n7\n33");
    CHECK_STR(output_of((struct spawn){ .argv = SHELL("ulimit -v; ulimit -f; ulimit -t") }),
              "unlimited\nunlimited\nunlimited");
}

TEST(a_child_that_punches_no_holes_leaves_a_file_as_it_is)
{
    const char *const *punch = SHELL("f=$(mktemp) && head -c 8192 /dev/zero | tr '\\0' x >$f; "
                                     "fallocate --punch-hole --length 4096 $f 2>/dev/null; tr -d '\\0' <$f | wc -c; rm $f");
    const char *const *extend = SHELL("f=$(mktemp) && fallocate --length 4096 $f && stat -c %s $f; rm $f");

    CHECK_STR(output_of((struct spawn){ .argv = punch }), "4096");
    CHECK_STR(output_of((struct spawn){ .argv = punch, .punches_no_holes = true }), "8192");
    CHECK_STR(output_of((struct spawn){ .argv = extend, .punches_no_holes = true }), "4096");
}

TEST(a_program_over_its_address_space_fails)
{
    struct spawn spawn = { .argv = ARGV("dd", "if=/dev/zero", "of=/dev/null", "bs=512M", "count=1"),
                           .address_space_max = 64 << 20 };
    struct err err;

    CHECK_FAILS(spawn_wait(&spawn, NULL, &err), &err, ERR_IO);
    CHECK_CONTAINS(err.text, "dd: memory exhausted");
}

/* --- from several threads --- */

/* Each 'cat' ends only when no other program holds the write end of its input. */
static void *run_many(void *arg)
{
    for (int i = 0; i < 10; i++) {
        auto_buf struct buf output = { .size_max = 100 };
        struct err err = { 0 };
        int input[2];

        if (pipe2(input, O_CLOEXEC) < 0 || write(input[1], "mine", 4) != 4)
            return (void *)"pipe";
        close(input[1]);
        const struct spawn_fd fds[] = { { input[0], 0 } };
        const struct spawn spawn = { .argv = ARGV("cat"), .fds = fds, .fd_count = 1 };
        int result = spawn_wait(&spawn, &output, &err);
        close(input[0]);
        if (result < 0 || !str_equal(output.bytes, "mine"))
            return (void *)"cat";
    }
    return NULL;
}

TEST(several_threads_may_run_programs_at_once)
{
    pthread_t threads[4];

    for (size_t i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, run_many, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        void *problem;

        CHECK_EQ(pthread_join(threads[i], &problem), 0);
        CHECK_STR(problem, NULL);
    }
    check_no_children_left();
}

TEST(a_start_can_be_made_to_fail_for_tests)
{
    struct spawn spawn = { .argv = ARGV("true") };
    struct err err;

    CHECK_OK(fault_init("spawn=fail@1", &err), &err);
    CHECK_FAILS(spawn_wait(&spawn, NULL, &err), &err, ERR_IO);
    CHECK_OK(spawn_wait(&spawn, NULL, &err), &err);
    CHECK_OK(fault_init(NULL, &err), &err);
}

/* --- waiting --- */

TEST(waiting_tells_failures_with_the_last_line_of_standard_error)
{
    struct spawn spawn = { .argv = SHELL("echo out; echo first >&2; echo 'sh: last' >&2; exit 3") };
    auto_buf struct buf output = { 0 };
    struct err err;

    CHECK_FAILS(spawn_wait(&spawn, &output, &err), &err, ERR_IO);
    CHECK_STR(err.text, "sh: last");
    CHECK_STR(output.bytes, "out\n");
    check_no_children_left();
}

TEST(waiting_starts_with_an_empty_output)
{
    struct spawn spawn = { .argv = ARGV("printf", "new") };
    auto_buf struct buf output = { 0 };
    struct err err;

    buf_add_text(&output, "old");
    CHECK_OK(spawn_wait(&spawn, &output, &err), &err);
    CHECK_STR(output.bytes, "new");
}

TEST(waiting_ends_when_the_output_is_over_its_bound)
{
    struct spawn spawn = { .argv = ARGV("cat", "/dev/zero") };
    auto_buf struct buf output = { .size_max = 1000 };
    struct err err;

    CHECK_FAILS(spawn_wait(&spawn, &output, &err), &err, ERR_TOO_LARGE);
    CHECK_STR(err.text, "cat: printed more than 1000 bytes");
    CHECK_EQ(output.size, 1000);
    check_no_children_left();
}

/* --- the end of the one who started it --- */

/* A process of ours starts a program that waits for ever and is killed at once. */
static void start_and_be_killed(struct spawn spawn)
{
    struct err err = { 0 };
    pid_t pid;
    int pidfd;

    if (spawn_start(&spawn, &pid, &pidfd, &err) == 0)
        kill(getpid(), SIGKILL);
    _exit(1);
}

static void check_dies_with_its_parent(struct spawn spawn)
{
    int alive[2], input[2], status = 0;
    struct pollfd poll_alive = { .events = POLLIN };

    CHECK_EQ(pipe2(alive, O_CLOEXEC), 0);
    CHECK_EQ(pipe2(input, O_CLOEXEC), 0);
    struct spawn_fd fds[] = { { input[0], 0 }, { alive[1], 1 } };
    spawn.argv = ARGV("cat");
    spawn.fds = fds;
    spawn.fd_count = 2;
    spawn.dies_with_us = true;
    pid_t parent = fork();
    if (parent == 0)
        start_and_be_killed(spawn);
    close(alive[1]);
    CHECK_EQ(waitpid(parent, &status, 0), parent);
    CHECK(WIFSIGNALED(status));
    poll_alive.fd = alive[0];
    CHECK_EQ(poll(&poll_alive, 1, 20 * 1000), 1); /* its end closes the last writer */
    CHECK_EQ(poll_alive.revents, POLLHUP);
    close(alive[0]);
    close(input[0]);
    close(input[1]);
}

TEST(a_child_bound_to_us_is_killed_when_we_are)
{
    check_dies_with_its_parent((struct spawn){ 0 });
}

TEST(a_child_of_another_user_is_bound_to_us_too)
{
    need_root();
    check_dies_with_its_parent((struct spawn){ .change_user = true, .uid = 4321, .gid = 4321 });
}
