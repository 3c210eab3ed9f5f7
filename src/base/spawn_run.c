/* base/spawn_run.c - running a program to its end and collecting what it prints.
 *
 * It is over when the process has ended: what it wrote before is in the pipes
 * then. A grandchild that keeps them open is not waited for. */
#include "base/last_line.h"
#include "base/mem.h"
#include "base/spawn.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum {
    CHUNK_SIZE = 64 * 1024,
    LAST_CHUNKS_MAX = 32,       /* read after the end: more than a pipe holds */
    COMPLAINT_SIZE_MAX = 8192,  /* of standard error its end is kept, */
    COMPLAINT_SIZE_KEPT = 4096, /* at least so much of it */
    WAIT_OUTPUT_MAX = 64 << 20, /* of spawn_wait() into a buffer without a bound */
};

enum verdict { VERDICT_NONE, VERDICT_LATE, VERDICT_TOO_MUCH };

struct stream {
    int fd; /* our end of the pipe; -1: none, or at its end */
    struct loop_source *source;
};

struct spawn_run {
    struct loop *loop;
    char *program; /* its name without the directories, for errors */
    pid_t pid;
    bool leads_group;
    int pidfd;
    struct loop_source *child;
    struct loop_source *timer; /* NULL: no time limit */
    int64_t timeout_ms;
    struct stream output;
    struct buf printed;
    size_t output_size_max;
    struct stream stderr_stream;
    struct buf complaint;
    enum verdict verdict; /* why we killed it */
    bool finishing;
    spawn_run_fn *fn;
    void *arg;
    void (*on_stderr)(void *arg, const char *text, size_t size);
    void *on_stderr_arg;
};

/* --- killing --- */

static void kill_program(struct spawn_run *run)
{
    if (run->leads_group)
        kill(-run->pid, SIGKILL); /* not reaped yet: the number is still its own */
    pidfd_send_signal(run->pidfd, SIGKILL, NULL, 0);
}

static void condemn(struct spawn_run *run, enum verdict verdict)
{
    if (run->verdict != VERDICT_NONE)
        return;
    run->verdict = verdict;
    kill_program(run);
}

static void on_timeout(void *arg) { condemn(arg, VERDICT_LATE); }

/* --- what it prints --- */

static void stream_close(struct stream *stream)
{
    loop_source_free(take_pointer(stream->source));
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
}

static void take_output(struct spawn_run *run, const char *bytes, size_t size)
{
    buf_add(&run->printed, bytes, size);
    if (run->printed.overflowed) {
        stream_close(&run->output);
        condemn(run, VERDICT_TOO_MUCH);
    }
}

static void take_complaint(struct spawn_run *run, const char *bytes, size_t size)
{
    size_t kept = size < COMPLAINT_SIZE_KEPT ? size : COMPLAINT_SIZE_KEPT;

    buf_add(&run->complaint, bytes + size - kept, kept);
    if (run->complaint.size > COMPLAINT_SIZE_MAX)
        buf_drop_front(&run->complaint, run->complaint.size - COMPLAINT_SIZE_KEPT);
    if (run->on_stderr)
        run->on_stderr(run->on_stderr_arg, bytes, size);
}

/* False when nothing more is to be had now. */
static bool read_chunk(struct spawn_run *run, struct stream *stream)
{
    char bytes[CHUNK_SIZE];
    ssize_t size = stream->fd >= 0 ? read(stream->fd, bytes, sizeof bytes) : 0;

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    if (size <= 0)
        stream_close(stream);
    else if (stream == &run->output)
        take_output(run, bytes, (size_t)size);
    else
        take_complaint(run, bytes, (size_t)size);
    return size > 0;
}

static void on_output(void *arg, int fd, unsigned events)
{
    struct spawn_run *run = arg;

    read_chunk(run, &run->output);
}

static void on_complaint(void *arg, int fd, unsigned events)
{
    struct spawn_run *run = arg;

    read_chunk(run, &run->stderr_stream);
}

static void read_the_rest(struct spawn_run *run, struct stream *stream)
{
    for (unsigned i = 0; i < LAST_CHUNKS_MAX && read_chunk(run, stream); i++)
        ;
}

/* --- its end --- */

static void explain_exit(const struct spawn_run *run, struct loop_exit how, struct err *err)
{
    auto_free char *said = last_line(run->complaint.bytes, run->complaint.size, run->program);

    if (!how.known)
        err_set(err, ERR_IO, "%s: somebody else took its exit status", run->program);
    else if (how.signal)
        err_set(err, ERR_IO, "%s: killed by signal %d (%s)%s%s", run->program, how.signal,
                strsignal(how.signal), *said ? ": " : "", said);
    else if (*said)
        err_set(err, ERR_IO, "%s: %s", run->program, said);
    else
        err_set(err, ERR_IO, "%s: exit status %d", run->program, how.code);
}

/* 0 when it did all it was asked to. */
static int judge(const struct spawn_run *run, struct loop_exit how, struct err *err)
{
    if (run->verdict == VERDICT_TOO_MUCH)
        return err_set(err, ERR_TOO_LARGE, "%s: printed more than %zu bytes", run->program,
                       run->output_size_max);
    if (how.known && how.code == 0)
        return 0;
    if (run->verdict == VERDICT_LATE)
        return err_set(err, ERR_TIMEOUT, "%s: not done after %lld ms", run->program,
                       (long long)run->timeout_ms);
    explain_exit(run, how, err);
    return -1;
}

static void release(struct spawn_run *run)
{
    stream_close(&run->output);
    stream_close(&run->stderr_stream);
    loop_source_free(run->child);
    loop_source_free(run->timer);
    buf_done(&run->printed);
    buf_done(&run->complaint);
    free(run->program);
    free(run);
}

static void on_exit_of_program(void *arg, pid_t pid, struct loop_exit how)
{
    struct spawn_run *run = arg;
    struct err err;

    run->finishing = true;
    close(run->pidfd);
    read_the_rest(run, &run->output);
    read_the_rest(run, &run->stderr_stream);

    const struct err *problem = judge(run, how, &err) < 0 ? &err : NULL;
    if (run->fn)
        run->fn(run->arg, problem, run->printed.size > 0 ? run->printed.bytes : "",
                run->printed.size);
    release(run);
}

void spawn_run_cancel(struct spawn_run *run)
{
    if (!run)
        return;
    if (run->finishing) { /* from a callback of its end, which frees it */
        run->fn = NULL;
        return;
    }
    kill_program(run);
    loop_reap(run->loop, run->pid, run->pidfd);
    release(run);
}

void spawn_run_on_stderr(struct spawn_run *run,
                         void (*fn)(void *arg, const char *text, size_t size), void *arg)
{
    run->on_stderr = fn;
    run->on_stderr_arg = arg;
}

/* --- its start --- */

struct pipes {
    struct spawn_fd *fds; /* the caller's and ours */
    size_t fd_count;
    int output[2];
    int complaint[2];
};

static bool is_named(const struct spawn *spawn, int to)
{
    for (size_t i = 0; i < spawn->fd_count; i++)
        if (spawn->fds[i].to == to)
            return true;
    return false;
}

/* Where the caller has an own use for 'to', there is no pipe. */
static int make_pipe(struct pipes *pipes, const struct spawn *spawn, int to, int ends[2],
                     struct err *err)
{
    if (is_named(spawn, to))
        return 0;
    if (pipe2(ends, O_CLOEXEC) < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
        return err_errno(err, "make a pipe for %s", spawn->argv[0]);
    pipes->fds[pipes->fd_count++] = (struct spawn_fd){ .from = ends[1], .to = to };
    return 0;
}

static int pipes_init(struct pipes *pipes, const struct spawn *spawn, bool with_output,
                      struct err *err)
{
    *pipes = (struct pipes){ .output = { -1, -1 }, .complaint = { -1, -1 } };
    pipes->fds = mem_array(spawn->fd_count + 2, sizeof pipes->fds[0]);
    for (size_t i = 0; i < spawn->fd_count; i++)
        pipes->fds[pipes->fd_count++] = spawn->fds[i];
    if (with_output && make_pipe(pipes, spawn, STDOUT_FILENO, pipes->output, err) < 0)
        return -1;
    return make_pipe(pipes, spawn, STDERR_FILENO, pipes->complaint, err);
}

static int take_end(int *end)
{
    int fd = *end;

    *end = -1;
    return fd;
}

static void pipes_done(struct pipes *pipes)
{
    for (int i = 0; i < 2; i++) {
        if (pipes->output[i] >= 0)
            close(pipes->output[i]);
        if (pipes->complaint[i] >= 0)
            close(pipes->complaint[i]);
    }
    free(pipes->fds);
}

static void listen_to(struct spawn_run *run, struct stream *stream, int take_fd, loop_io_fn *fn)
{
    stream->fd = take_fd;
    if (take_fd >= 0)
        stream->source = loop_io(run->loop, take_fd, LOOP_READ, fn, run);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static struct spawn_run *watch(struct loop *loop, const struct spawn *spawn, struct pipes *pipes,
                               pid_t pid, int take_pidfd)
{
    struct spawn_run *run = mem_new(struct spawn_run);

    run->loop = loop;
    run->program = str_dup(base_name(spawn->argv[0]));
    run->pid = pid;
    run->pidfd = take_pidfd;
    run->leads_group = spawn->new_session;
    listen_to(run, &run->output, take_end(&pipes->output[0]), on_output);
    listen_to(run, &run->stderr_stream, take_end(&pipes->complaint[0]), on_complaint);
    run->child = loop_child(loop, pid, take_pidfd, on_exit_of_program, run);
    return run;
}

struct spawn_run *spawn_run(struct loop *loop, const struct spawn *spawn, int64_t timeout_ms,
                            size_t output_size_max, spawn_run_fn *fn, void *arg, struct err *err)
{
    struct spawn_run *run = NULL;
    struct spawn with_pipes = *spawn;
    struct pipes pipes;
    pid_t pid;
    int pidfd;
    int result = pipes_init(&pipes, spawn, /*with_output=*/output_size_max > 0, err);

    with_pipes.fds = pipes.fds;
    with_pipes.fd_count = pipes.fd_count;
    if (result == 0 && spawn_start(&with_pipes, &pid, &pidfd, err) == 0) {
        run = watch(loop, spawn, &pipes, pid, pidfd);
        run->fn = fn;
        run->arg = arg;
        run->output_size_max = output_size_max;
        run->printed.size_max = output_size_max;
        run->timeout_ms = timeout_ms;
        if (timeout_ms > 0)
            run->timer = loop_timer(loop, timeout_ms, on_timeout, run);
    }
    pipes_done(&pipes);
    return run;
}

/* --- blocking --- */

struct wait {
    struct loop *loop;
    struct buf *output;
    struct err *err;
    int result;
};

static void on_waited(void *arg, const struct err *err, const char *output, size_t size)
{
    struct wait *wait = arg;

    if (wait->output)
        buf_add(wait->output, output, size);
    if (err)
        *wait->err = *err;
    wait->result = err ? -1 : 0;
    loop_stop(wait->loop);
}

static size_t wait_output_max(const struct buf *output)
{
    if (!output)
        return 0;
    return output->size_max ? output->size_max : WAIT_OUTPUT_MAX;
}

int spawn_wait(const struct spawn *spawn, struct buf *output, struct err *err)
{
    auto_clean(loop_free_auto) struct loop *loop = loop_new(err);
    struct wait wait = { .loop = loop, .output = output, .err = err };

    if (!loop)
        return -1;
    if (output)
        buf_clear(output);

    struct spawn_run *run =
        spawn_run(loop, spawn, /*timeout_ms=*/0, wait_output_max(output), on_waited, &wait, err);
    if (!run)
        return -1;
    if (loop_run(loop, err) < 0) {
        spawn_run_cancel(run);
        return -1;
    }
    return wait.result;
}
