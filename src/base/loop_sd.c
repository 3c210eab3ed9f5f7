/* base/loop_sd.c - the loop of the programs, on sd-event. */
#include "base/loop_backend.h"
#include "base/mem.h"
#include "base/random.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

struct sd_loop {
    struct loop loop;
    sd_event *event;
};

struct sd_source {
    struct loop_source source;
    sd_event_source *event;
    int own_fd; /* stands in for a descriptor that epoll would refuse; 0: none */
};

static sd_event *event_of(const struct loop_source *source)
{
    return ((struct sd_loop *)source->loop)->event;
}

/* What can fail here is kernel memory or descriptors for the loop itself. Like
 * memory in mem.h: the machines outlive the daemon, which starts over. */
static void must(int result)
{
    if (result < 0)
        abort();
}

/* --- time --- */

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t sd_now_ms(const struct loop *loop) { return clock_us(CLOCK_MONOTONIC) / 1000; }

static int64_t sd_wall_ms(const struct loop *loop) { return clock_us(CLOCK_REALTIME) / 1000; }

static uint64_t sd_random(struct loop *loop)
{
    uint64_t random;

    random_bytes(&random, sizeof random);
    return random;
}

static int on_defer(sd_event_source *event, void *source)
{
    loop_source_fire(source, 0);
    return 0;
}

static int on_time(sd_event_source *event, uint64_t due_us, void *source)
{
    loop_source_fire(source, 0);
    return 0;
}

static void sd_arm(struct loop_source *source, int64_t delay_ms)
{
    struct sd_source *sd = (struct sd_source *)source;
    uint64_t due_us = (uint64_t)(clock_us(CLOCK_MONOTONIC) + delay_ms * 1000);
    const uint64_t accuracy_us = 1; /* 0 would mean a quarter of a second */

    if (source->kind == SOURCE_DEFER) {
        must(sd_event_add_defer(event_of(source), &sd->event, on_defer, source));
    } else if (!sd->event) {
        must(sd_event_add_time(event_of(source), &sd->event, CLOCK_MONOTONIC, due_us, accuracy_us,
                               on_time, source));
    } else {
        must(sd_event_source_set_time(sd->event, due_us));
        must(sd_event_source_set_enabled(sd->event, SD_EVENT_ONESHOT));
    }
}

/* --- descriptors --- */

static int on_io(sd_event_source *event, int fd, uint32_t happened, void *arg)
{
    struct loop_source *source = arg;
    unsigned events = loop_events_from_poll(happened, source->events);

    if (events)
        loop_source_fire(source, events);
    return 0;
}

static int add_io(struct sd_source *sd, int fd)
{
    return sd_event_add_io(event_of(&sd->source), &sd->event, fd,
                           (uint32_t)loop_events_to_poll(sd->source.events), on_io, sd);
}

/* epoll takes a descriptor once only: a second source watches a copy. It refuses
 * plain files and /dev/null, which are always ready: so is an eventfd of 1. */
static void add_io_for_any_descriptor(struct sd_source *sd)
{
    int result = add_io(sd, sd->source.fd);

    if (result == -EEXIST) {
        sd->own_fd = fcntl(sd->source.fd, F_DUPFD_CLOEXEC, 3);
    } else if (result == -EPERM) {
        sd->own_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    } else {
        must(result);
        return;
    }
    must(sd->own_fd);
    must(add_io(sd, sd->own_fd));
}

static void sd_drop(struct loop_source *source)
{
    struct sd_source *sd = (struct sd_source *)source;

    sd->event = sd_event_source_disable_unref(sd->event);
    if (sd->own_fd > 0)
        close(sd->own_fd);
    sd->own_fd = 0;
}

/* A paused source leaves epoll altogether, so coming back is being added anew. */
static void sd_watch(struct loop_source *source)
{
    struct sd_source *sd = (struct sd_source *)source;

    if (!source->events)
        sd_drop(source);
    else if (!sd->event)
        add_io_for_any_descriptor(sd);
    else
        must(sd_event_source_set_io_events(sd->event,
                                           (uint32_t)loop_events_to_poll(source->events)));
}

/* --- the loop --- */

static int sd_turn(struct loop *loop, struct err *err)
{
    int result = sd_event_run(((struct sd_loop *)loop)->event, UINT64_MAX);

    if (result < 0) {
        errno = -result;
        return err_errno(err, "event loop");
    }
    return 1;
}

static void sd_free(struct loop *loop)
{
    sd_event_unref(((struct sd_loop *)loop)->event);
    free(loop);
}

static const struct loop_backend backend = {
    .source_size = sizeof(struct sd_source),
    .turn = sd_turn,
    .now_ms = sd_now_ms,
    .wall_ms = sd_wall_ms,
    .random = sd_random,
    .arm = sd_arm,
    .watch = sd_watch,
    .drop = sd_drop,
    .free = sd_free,
};

struct loop *loop_new(struct err *err)
{
    sd_event *event;
    int result = sd_event_new(&event);

    if (result < 0) {
        errno = -result;
        err_errno(err, "make an event loop");
        return NULL;
    }

    struct sd_loop *loop = mem_new(struct sd_loop);
    loop->loop.backend = &backend;
    loop->event = event;
    return &loop->loop;
}
