/* drivers/storage/directory/child.c - runs a program and waits for its end, a signal to stop,
 * or the end of patience. */
#include "drivers/storage/directory/child.h"
#include "base/fault.h"
#include "base/last_line.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 500 };

void cancel_init(struct cancel *cancel)
{
    cancel->is_set = false;
    cancel->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void cancel_done(struct cancel *cancel)
{
    if (cancel->fd >= 0)
        close(cancel->fd);
    cancel->fd = -1;
}

void cancel_set(struct cancel *cancel)
{
    atomic_store(&cancel->is_set, true);
    (void)eventfd_write(cancel->fd, 1); /* fails when it is readable already, or not there */
}

bool cancel_is_set(const struct cancel *cancel) { return atomic_load(&cancel->is_set); }

int cancel_check(const struct cancel *cancel, struct err *err)
{
    return cancel_is_set(cancel) ? err_set(err, ERR_CANCELLED, "cancelled") : 0;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

int cancel_wait(const struct cancel *cancel, int64_t ms, struct err *err)
{
    struct pollfd wait = { .fd = cancel->fd, .events = POLLIN };
    int64_t until = now_ms() + ms;

    for (int64_t left; !cancel_is_set(cancel) && (left = until - now_ms()) > 0;)
        if (poll(&wait, 1, left > TICK_MS ? TICK_MS : (int)left) < 0 && errno != EINTR)
            return err_errno(err, "poll");
    return cancel_check(cancel, err);
}

/* A running child and the ends of its pipes. */
struct run {
    const struct child *child;
    int pidfd;
    int words_fd, output_fd; /* -1 once at its end */
    struct child_end *end;
    size_t words_size;
    int64_t deadline_ms, tick_ms;
};

enum { AT_CANCEL, AT_EXIT, AT_WORDS, AT_OUTPUT, AT_COUNT };

/* The end of what it says is kept. */
static void keep_words(struct run *run, const char *text, size_t size)
{
    size_t room = CHILD_WORDS_SIZE - 1;

    if (size > room) {
        text += size - room;
        size = room;
    }
    if (run->words_size + size > room) {
        size_t drop = run->words_size + size - room;

        memmove(run->end->words, run->end->words + drop, run->words_size - drop);
        run->words_size -= drop;
    }
    memcpy(run->end->words + run->words_size, text, size);
    run->words_size += size;
    run->end->words[run->words_size] = '\0';
}

static void read_pipe(struct run *run, int *fd)
{
    char chunk[4096];
    ssize_t got = read(*fd, chunk, sizeof chunk);

    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        close(*fd);
        *fd = -1;
    } else if (fd == &run->words_fd) {
        keep_words(run, chunk, (size_t)got);
    } else {
        run->child->printed(run->child->arg, chunk, (size_t)got);
    }
}

static void reap(struct run *run)
{
    siginfo_t info = { 0 };

    while (waitid(P_PIDFD, (id_t)run->pidfd, &info, WEXITED) < 0 && errno == EINTR)
        ;
    run->end->code = info.si_code == CLD_EXITED ? info.si_status : -1;
    run->end->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
}

static void stop(struct run *run)
{
    (void)pidfd_send_signal(run->pidfd, SIGKILL, NULL, 0); /* gone already is as good */
    reap(run);
}

/* What is still in the pipes of a child that has ended; a grandchild may hold them open. */
static void drain(struct run *run)
{
    int *fds[] = { &run->words_fd, &run->output_fd };

    for (int i = 0; i < 2; i++) {
        struct pollfd ready = { .fd = *fds[i], .events = POLLIN };

        while (*fds[i] >= 0 && poll(&ready, 1, 0) == 1)
            read_pipe(run, fds[i]);
    }
}

static void tick(struct run *run)
{
    if (!run->child->tick || now_ms() < run->tick_ms)
        return;
    run->tick_ms = now_ms() + TICK_MS;
    run->child->tick(run->child->arg);
}

static int watch(struct run *run, struct err *err)
{
    for (;;) {
        struct pollfd fds[AT_COUNT] = {
            [AT_CANCEL] = { .fd = run->child->cancel->fd, .events = POLLIN },
            [AT_EXIT] = { .fd = run->pidfd, .events = POLLIN },
            [AT_WORDS] = { .fd = run->words_fd, .events = POLLIN },
            [AT_OUTPUT] = { .fd = run->output_fd, .events = POLLIN },
        };

        if (poll(fds, AT_COUNT, TICK_MS) < 0 && errno != EINTR)
            return err_errno(err, "poll");
        if (cancel_check(run->child->cancel, err) < 0)
            return -1;
        if (fds[AT_WORDS].revents)
            read_pipe(run, &run->words_fd);
        if (fds[AT_OUTPUT].revents)
            read_pipe(run, &run->output_fd);
        tick(run);
        if (fds[AT_EXIT].revents)
            return 0;
        if (now_ms() >= run->deadline_ms)
            return err_set(err, ERR_TIMEOUT, "%s: not done after %" PRId64 " s",
                           run->child->spawn.argv[0], run->child->timeout_ms / 1000);
    }
}

static int wait_for_end(struct run *run, struct err *err)
{
    if (watch(run, err) < 0) {
        stop(run);
        return -1;
    }
    reap(run);
    drain(run);
    return 0;
}

static void close_pipe(const int ends[2])
{
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
}

static int start(const struct child *child, const int words[2], const int output[2], int *ret_pidfd,
                 struct err *err)
{
    struct spawn spawn = child->spawn;
    struct spawn_fd *fds = mem_array(spawn.fd_count + 2, sizeof *fds);
    pid_t pid;
    int result;

    for (size_t i = 0; i < spawn.fd_count; i++)
        fds[i] = spawn.fds[i];
    fds[spawn.fd_count++] = (struct spawn_fd){ .from = words[1], .to = STDERR_FILENO };
    if (child->printed)
        fds[spawn.fd_count++] = (struct spawn_fd){ .from = output[1], .to = STDOUT_FILENO };
    spawn.fds = fds;
    spawn.dies_with_us = true;
    result = spawn_start(&spawn, &pid, ret_pidfd, err);
    free(fds);
    return result;
}

static void begin_end(const struct child *child, struct child_end *end)
{
    const char *slash = strrchr(child->spawn.argv[0], '/');

    *end = (struct child_end){ .code = -1,
                               .file_size_max = child->spawn.file_size_max,
                               .cpu_seconds_max = child->spawn.cpu_seconds_max };
    snprintf(end->program, sizeof end->program, "%s", slash ? slash + 1 : child->spawn.argv[0]);
}

int child_run(const struct child *child, struct child_end *ret_end, struct err *err)
{
    int words[2] = { -1, -1 }, output[2] = { -1, -1 };
    struct run run = { .child = child, .end = ret_end };
    int result;

    begin_end(child, ret_end);
    if (pipe2(words, O_CLOEXEC) < 0 || (child->printed && pipe2(output, O_CLOEXEC) < 0)) {
        err_errno(err, "pipe");
        close_pipe(words);
        return -1;
    }
    if (start(child, words, output, &run.pidfd, err) < 0) {
        close_pipe(words);
        close_pipe(output);
        return -1;
    }
    fault_point("storage.child_runs");
    close_pipe((int[2]){ words[1], output[1] });
    run.words_fd = words[0];
    run.output_fd = output[0];
    run.deadline_ms = now_ms() + child->timeout_ms;
    result = wait_for_end(&run, err);
    close_pipe((int[2]){ run.words_fd, run.output_fd });
    close(run.pidfd);
    return result;
}

int child_explain(const struct child_end *end, enum err_code code, struct err *err)
{
    auto_free char *words = last_line(end->words, strlen(end->words), end->program);

    if (strstr(end->words, strerror(ENOSPC)))
        return err_set(err, ERR_NO_SPACE, "%s", strerror(ENOSPC));
    if (strstr(end->words, "Failed to get") && strstr(end->words, "lock"))
        return err_set(err, ERR_CONFLICT, "in use by another process");
    if (end->signal == SIGXFSZ || strstr(end->words, strerror(EFBIG)))
        return err_set(err, ERR_TOO_LARGE, "larger than the %" PRIu64 " bytes allowed",
                       end->file_size_max);
    if (end->signal == SIGXCPU)
        return err_set(err, code, "%s: took more than %u s of processor time", end->program,
                       end->cpu_seconds_max);
    if (end->signal == SIGKILL) /* by the host, when memory is short */
        return err_set(err, ERR_UNAVAILABLE, "%s: was killed", end->program);
    if (end->signal)
        return err_set(err, code, "%s: ended by signal %d", end->program, end->signal);
    if (words[0])
        return err_set(err, code, "%s", words);
    return err_set(err, code, "%s: exit status %d", end->program, end->code);
}
