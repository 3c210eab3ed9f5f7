/* base/loop.c - what both loops share: the sources, and processes and signals as
 * descriptors. */
#include "base/loop_backend.h"
#include "base/mem.h"
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* A century: keeps sums of times far away from overflow. */
static const int64_t delay_max_ms = 100LL * 365 * 24 * 3600 * 1000;

/* --- the loop --- */

static bool is_owned_by_loop(const struct loop_source *source)
{
    return source->kind == SOURCE_REAP;
}

static void release_descriptor(struct loop_source *source)
{
    if (source->kind == SOURCE_SIGNAL || source->kind == SOURCE_REAP)
        close(source->fd);
}

static void orphan(struct loop_source *source)
{
    source->loop->backend->drop(source);
    source->loop = NULL;
    release_descriptor(source);
    if (is_owned_by_loop(source))
        free(source);
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    assert(!loop->firing && !loop->running);
    while (loop->first) {
        struct loop_source *source = loop->first;

        loop->first = source->next;
        orphan(source);
    }
    loop->backend->free(loop);
}

int loop_run(struct loop *loop, struct err *err)
{
    int result = 1;

    assert(!loop->firing && !loop->running);
    loop->running = true;
    while (!loop->stopped && result > 0)
        result = loop->backend->turn(loop, err);
    loop->running = false;
    loop->stopped = false;
    return result < 0 ? -1 : 0;
}

void loop_stop(struct loop *loop) { loop->stopped = true; }

int64_t loop_now_ms(const struct loop *loop) { return loop->backend->now_ms(loop); }

int64_t loop_wall_ms(const struct loop *loop) { return loop->backend->wall_ms(loop); }

uint64_t loop_random(struct loop *loop) { return loop->backend->random(loop); }

/* --- sources --- */

static struct loop_source *source_new(struct loop *loop, enum source_kind kind, void *arg)
{
    struct loop_source *source = mem_zero(loop->backend->source_size);

    source->loop = loop;
    source->kind = kind;
    source->arg = arg;
    source->fd = -1;
    source->next = loop->first;
    if (loop->first)
        loop->first->previous = source;
    loop->first = source;
    return source;
}

static void unlink_source(struct loop_source *source)
{
    if (source->next)
        source->next->previous = source->previous;
    if (source->previous)
        source->previous->next = source->next;
    else
        source->loop->first = source->next;
}

void loop_source_free(struct loop_source *source)
{
    if (!source)
        return;
    if (source->loop) {
        source->loop->backend->drop(source);
        unlink_source(source);
        release_descriptor(source);
    }
    free(source);
}

struct loop_source *loop_defer(struct loop *loop, loop_fn *fn, void *arg)
{
    struct loop_source *source = source_new(loop, SOURCE_DEFER, arg);

    source->fn.call = fn;
    loop->backend->arm(source, 0);
    return source;
}

static int64_t within_bounds(int64_t delay_ms)
{
    if (delay_ms < 0)
        return 0;
    return delay_ms < delay_max_ms ? delay_ms : delay_max_ms;
}

struct loop_source *loop_timer(struct loop *loop, int64_t delay_ms, loop_fn *fn, void *arg)
{
    struct loop_source *source = source_new(loop, SOURCE_TIMER, arg);

    source->fn.call = fn;
    loop->backend->arm(source, within_bounds(delay_ms));
    return source;
}

void loop_timer_again(struct loop_source *timer, int64_t delay_ms)
{
    assert(timer->kind == SOURCE_TIMER);
    if (timer->loop)
        timer->loop->backend->arm(timer, within_bounds(delay_ms));
}

static void set_events(struct loop_source *source, unsigned events)
{
    source->events = events;
    if (source->loop)
        source->loop->backend->watch(source);
}

struct loop_source *loop_io(struct loop *loop, int fd, unsigned events, loop_io_fn *fn, void *arg)
{
    struct loop_source *source = source_new(loop, SOURCE_IO, arg);

    source->fn.io = fn;
    source->fd = fd;
    set_events(source, events);
    return source;
}

void loop_io_events(struct loop_source *io, unsigned events)
{
    assert(io->kind == SOURCE_IO);
    if (io->events != events)
        set_events(io, events);
}

static struct loop_source *watch_process(struct loop *loop, enum source_kind kind, pid_t pid,
                                         int pidfd, void *arg)
{
    struct loop_source *source = source_new(loop, kind, arg);

    source->pid = pid;
    source->fd = pidfd;
    return source;
}

struct loop_source *loop_child(struct loop *loop, pid_t pid, int pidfd, loop_exit_fn *fn, void *arg)
{
    struct loop_source *source = watch_process(loop, SOURCE_CHILD, pid, pidfd, arg);

    source->fn.child = fn;
    set_events(source, LOOP_READ);
    return source;
}

void loop_reap(struct loop *loop, pid_t pid, int take_pidfd)
{
    set_events(watch_process(loop, SOURCE_REAP, pid, take_pidfd, NULL), LOOP_READ);
}

struct loop_source *loop_signal(struct loop *loop, int signal, loop_signal_fn *fn, void *arg)
{
    struct loop_source *source = source_new(loop, SOURCE_SIGNAL, arg);
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, signal);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    source->fn.signal = fn;
    source->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    assert(source->fd >= 0);
    set_events(source, LOOP_READ);
    return source;
}

/* --- firing --- */

/* False while the process still runs. What is not our child, or was reaped
 * elsewhere, answers ECHILD: its descriptor says that it ended, and no more. */
static bool reap(int pidfd, struct loop_exit *ret_how)
{
    siginfo_t info = { 0 };

    *ret_how = (struct loop_exit){ .known = false, .code = -1 };
    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0)
        return true;
    if (info.si_pid == 0)
        return false;
    ret_how->known = true;
    if (info.si_code == CLD_EXITED)
        ret_how->code = info.si_status;
    else
        ret_how->signal = info.si_status;
    return true;
}

static void fire_child(struct loop_source *source)
{
    struct loop_exit how;

    if (!reap(source->fd, &how))
        return;
    if (source->kind == SOURCE_REAP) {
        loop_source_free(source);
        return;
    }
    set_events(source, 0); /* an ended process stays readable for ever */
    source->fn.child(source->arg, source->pid, how);
}

static void fire_signal(struct loop_source *source)
{
    struct signalfd_siginfo info;

    if (read(source->fd, &info, sizeof info) == sizeof info)
        source->fn.signal(source->arg, (int)info.ssi_signo);
}

static void call(struct loop_source *source, unsigned events)
{
    switch (source->kind) {
    case SOURCE_DEFER:
    case SOURCE_TIMER:
        source->fn.call(source->arg);
        break;
    case SOURCE_IO:
        source->fn.io(source->arg, source->fd, events);
        break;
    case SOURCE_CHILD:
    case SOURCE_REAP:
        fire_child(source);
        break;
    case SOURCE_SIGNAL:
        fire_signal(source);
        break;
    }
}

void loop_source_fire(struct loop_source *source, unsigned events)
{
    struct loop *loop = source->loop;

    assert(!loop->firing);
    loop->firing = true;
    call(source, events);
    loop->firing = false;
}

short loop_events_to_poll(unsigned events)
{
    int bits = 0;

    if (events & LOOP_READ)
        bits |= POLLIN;
    if (events & LOOP_WRITE)
        bits |= POLLOUT;
    if (events & LOOP_HANGUP)
        bits |= POLLRDHUP;
    return (short)bits;
}

unsigned loop_events_from_poll(unsigned happened, unsigned wanted)
{
    unsigned events = 0;

    if (happened & (POLLHUP | POLLERR | POLLNVAL))
        return wanted;
    if (happened & POLLIN)
        events |= LOOP_READ;
    if (happened & POLLOUT)
        events |= LOOP_WRITE;
    if (happened & POLLRDHUP)
        events |= LOOP_HANGUP;
    return events & wanted;
}
