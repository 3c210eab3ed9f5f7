/* What base/loop.h promises of both loops. */
#include "loop_pair.h"
#include "base/mem.h"
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A source, how often it fired, and what it is to do then. */
struct probe {
    struct loop *loop;
    struct loop_source *source;
    struct loop_source *victim; /* freed at the first firing */
    unsigned fired;
    unsigned stop_at; /* stops the loop at that firing; 0: never */
    unsigned events;
    char bytes[16];
};

static void note(struct probe *probe)
{
    probe->fired++;
    loop_source_free(take_pointer(probe->victim));
    if (probe->fired == probe->stop_at)
        loop_stop(probe->loop);
}

static void on_call(void *arg) { note(arg); }

static void on_io(void *arg, int fd, unsigned events)
{
    struct probe *probe = arg;

    probe->events = events;
    note(probe);
}

static void on_read(void *arg, int fd, unsigned events)
{
    struct probe *probe = arg;
    ssize_t size = read(fd, probe->bytes, sizeof probe->bytes - 1);

    CHECK(size >= 0);
    probe->bytes[size] = '\0';
    on_io(arg, fd, events);
}

static void socket_pair(int ret_ends[2])
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_ends), 0);
}

static void close_both(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

/* --- running --- */

static void on_defer_while_busy(void *arg)
{
    struct probe *probe = arg;
    struct probe inner = { .loop = probe->loop };
    struct loop_source *source = loop_defer(probe->loop, on_call, &inner);

    CHECK_EQ(inner.fired, 0);
    loop_source_free(source);
    note(probe);
}

TEST_ON_BOTH(a_deferred_call_comes_once_and_later)
{
    struct probe first = { .loop = loop, .stop_at = 1 };
    struct probe last = { .loop = loop, .stop_at = 1 };

    first.source = loop_defer(loop, on_defer_while_busy, &first);
    CHECK_EQ(first.fired, 0);
    run(loop);
    CHECK_EQ(first.fired, 1);

    last.source = loop_timer(loop, 3, on_call, &last);
    run(loop);
    CHECK_EQ(first.fired, 1);
    loop_source_free(first.source);
    loop_source_free(last.source);
}

TEST_ON_BOTH(a_stop_before_the_run_ends_it_at_once)
{
    struct probe probe = { .loop = loop, .stop_at = 1 };

    loop_stop(loop);
    probe.source = loop_defer(loop, on_call, &probe);
    run(loop);
    CHECK_EQ(probe.fired, 0);
    run(loop);
    CHECK_EQ(probe.fired, 1);
    loop_source_free(probe.source);
}

TEST_ON_BOTH(sources_may_be_freed_after_their_loop)
{
    struct err err;
    struct probe probe = { 0 };
    int ends[2];
    struct loop *other = loop_is_simulated(loop) ? loop_sim_new(1) : loop_new(&err);

    socket_pair(ends);
    struct loop_source *sources[] = {
        loop_defer(other, on_call, &probe),
        loop_timer(other, 0, on_call, &probe),
        loop_io(other, ends[0], LOOP_WRITE, on_io, &probe),
        loop_signal(other, SIGUSR2, NULL, &probe),
    };
    loop_free(other);
    loop_timer_again(sources[1], 1);
    loop_io_events(sources[2], LOOP_READ);
    for (size_t i = 0; i < 4; i++)
        loop_source_free(sources[i]);
    CHECK_EQ(probe.fired, 0);
    close_both(ends);
}

/* --- timers --- */

/* Only the order of the simulated clock is exact: a late real one finds several due. */
struct due {
    struct probe probe;
    int64_t due_ms;
    unsigned *fired_before;
    unsigned place;
};

static void on_due(void *arg)
{
    struct due *due = arg;

    CHECK(loop_now_ms(due->probe.loop) >= due->due_ms);
    due->place = ++*due->fired_before;
    if (due->place == 5)
        loop_stop(due->probe.loop);
}

TEST_ON_BOTH(timers_fire_in_the_order_of_their_times_and_not_early)
{
    static const int delay_ms[] = { 8, 2, 5, 0, -3 };
    struct due dues[5];
    unsigned fired = 0;

    for (size_t i = 0; i < 5; i++) {
        dues[i] = (struct due){ .probe.loop = loop, .fired_before = &fired };
        dues[i].due_ms = loop_now_ms(loop) + (delay_ms[i] > 0 ? delay_ms[i] : 0);
        dues[i].probe.source = loop_timer(loop, delay_ms[i], on_due, &dues[i]);
    }
    run(loop);
    CHECK_EQ(fired, 5);
    if (loop_is_simulated(loop)) {
        CHECK(dues[3].place <= 2 && dues[4].place <= 2);
        CHECK_EQ(dues[1].place, 3);
        CHECK_EQ(dues[2].place, 4);
        CHECK_EQ(dues[0].place, 5);
    }
    for (size_t i = 0; i < 5; i++)
        loop_source_free(dues[i].probe.source);
}

static void on_again(void *arg)
{
    struct probe *probe = arg;

    loop_timer_again(probe->source, 1);
    note(probe);
}

TEST_ON_BOTH(a_timer_can_be_armed_again_from_its_own_callback)
{
    struct probe probe = { .loop = loop, .stop_at = 5 };
    int64_t start_ms = loop_now_ms(loop);

    probe.source = loop_timer(loop, 1, on_again, &probe);
    run(loop);
    CHECK_EQ(probe.fired, 5);
    CHECK(loop_now_ms(loop) >= start_ms + 5);
    loop_source_free(probe.source);
}

TEST_ON_BOTH(arming_again_replaces_the_earlier_time)
{
    struct probe later = { .loop = loop, .stop_at = 1 };
    struct probe guard = { .loop = loop, .stop_at = 1 };

    later.source = loop_timer(loop, 1, on_call, &later);
    guard.source = loop_timer(loop, 5, on_call, &guard);
    loop_timer_again(later.source, INT64_MAX);
    run(loop);
    CHECK_EQ(guard.fired, 1);
    CHECK_EQ(later.fired, 0);
    loop_timer_again(later.source, 0);
    run(loop);
    CHECK_EQ(later.fired, 1);
    loop_source_free(later.source);
    loop_source_free(guard.source);
}

/* --- fairness --- */

static void on_defer_for_ever(void *arg)
{
    struct probe *probe = arg;

    CHECK(probe->fired++ < 100000);
    loop_source_free(probe->source);
    probe->source = loop_defer(probe->loop, on_defer_for_ever, probe);
}

TEST_ON_BOTH(calls_deferred_without_end_do_not_starve_a_descriptor)
{
    struct probe endless = { .loop = loop };
    struct probe reader = { .loop = loop, .stop_at = 1 };
    int ends[2];

    socket_pair(ends);
    endless.source = loop_defer(loop, on_defer_for_ever, &endless);
    reader.source = loop_io(loop, ends[0], LOOP_READ, on_read, &reader);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    run(loop);
    CHECK_EQ(reader.fired, 1);
    loop_source_free(endless.source);
    loop_source_free(reader.source);
    close_both(ends);
}

/* --- freeing --- */

static void on_free_self(void *arg)
{
    struct probe *probe = arg;

    loop_source_free(take_pointer(probe->source));
    note(probe);
}

static void on_free_self_io(void *arg, int fd, unsigned events) { on_free_self(arg); }

TEST_ON_BOTH(a_source_may_free_itself)
{
    struct probe probes[3] = { 0 };
    int ends[2];

    socket_pair(ends);
    for (size_t i = 0; i < 3; i++)
        probes[i] = (struct probe){ .loop = loop, .stop_at = 1 };
    probes[0].source = loop_defer(loop, on_free_self, &probes[0]);
    probes[1].source = loop_timer(loop, 0, on_free_self, &probes[1]);
    probes[2].source = loop_io(loop, ends[0], LOOP_WRITE, on_free_self_io, &probes[2]);
    for (size_t i = 0; i < 3; i++)
        run(loop);
    for (size_t i = 0; i < 3; i++)
        CHECK_EQ(probes[i].fired, 1);
    close_both(ends);
}

/* Whichever comes first frees the other: exactly one may fire. */
static void check_only_one_fires(struct loop *loop, struct probe *a, struct probe *b)
{
    struct probe end = { .loop = loop, .stop_at = 1 };

    a->victim = b->source;
    b->victim = a->source;
    a->stop_at = b->stop_at = 1;
    run(loop);
    end.source = loop_timer(loop, 3, on_call, &end); /* time enough for the other */
    run(loop);
    CHECK_EQ(a->fired + b->fired, 1);
    loop_source_free(a->fired ? a->source : b->source);
    loop_source_free(end.source);
}

TEST_ON_BOTH(a_freed_source_of_the_same_batch_does_not_fire)
{
    struct probe a = { .loop = loop };
    struct probe b = { .loop = loop };

    a.source = loop_defer(loop, on_call, &a);
    b.source = loop_defer(loop, on_call, &b);
    check_only_one_fires(loop, &a, &b);

    a = b = (struct probe){ .loop = loop };
    a.source = loop_timer(loop, 1, on_call, &a);
    b.source = loop_timer(loop, 1, on_call, &b);
    check_only_one_fires(loop, &a, &b);
}

TEST_ON_BOTH(a_freed_descriptor_watch_of_the_same_batch_does_not_fire)
{
    struct probe a = { .loop = loop };
    struct probe b = { .loop = loop };
    int ends[2];

    socket_pair(ends);
    CHECK_EQ(write(ends[0], "x", 1), 1);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    a.source = loop_io(loop, ends[0], LOOP_READ, on_read, &a);
    b.source = loop_io(loop, ends[1], LOOP_READ, on_read, &b);
    check_only_one_fires(loop, &a, &b);
    close_both(ends);
}

/* --- descriptors --- */

TEST_ON_BOTH(bytes_on_a_descriptor_fire_its_watch)
{
    struct probe probe = { .loop = loop, .stop_at = 1 };
    int ends[2];

    socket_pair(ends);
    probe.source = loop_io(loop, ends[0], LOOP_READ, on_read, &probe);
    CHECK_EQ(write(ends[1], "hello", 5), 5);
    run(loop);
    CHECK_STR(probe.bytes, "hello");
    CHECK_EQ(probe.events, LOOP_READ);
    loop_source_free(probe.source);
    close_both(ends);
}

TEST_ON_BOTH(a_condition_that_holds_on_fires_again)
{
    struct probe probe = { .loop = loop, .stop_at = 3 };
    int ends[2];

    socket_pair(ends);
    probe.source = loop_io(loop, ends[0], LOOP_READ | LOOP_WRITE, on_io, &probe);
    run(loop);
    CHECK_EQ(probe.fired, 3);
    CHECK_EQ(probe.events, LOOP_WRITE);
    loop_source_free(probe.source);
    close_both(ends);
}

TEST_ON_BOTH(a_paused_watch_is_silent_even_when_the_other_end_hangs_up)
{
    struct probe probe = { .loop = loop, .stop_at = 1 };
    struct probe guard = { .loop = loop, .stop_at = 1 };
    int ends[2];

    socket_pair(ends);
    probe.source = loop_io(loop, ends[0], LOOP_WRITE, on_io, &probe);
    loop_io_events(probe.source, 0);
    close(ends[1]);
    guard.source = loop_timer(loop, 2, on_call, &guard);
    run(loop);
    CHECK_EQ(probe.fired, 0);
    CHECK_EQ(guard.fired, 1);
    loop_io_events(probe.source, LOOP_READ);
    run(loop);
    CHECK_EQ(probe.events, LOOP_READ);
    loop_source_free(probe.source);
    loop_source_free(guard.source);
    close(ends[0]);
}

TEST_ON_BOTH(a_pipe_without_writers_is_readable)
{
    struct probe probe = { .loop = loop, .stop_at = 1 };
    int ends[2];

    CHECK_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    probe.source = loop_io(loop, ends[0], LOOP_READ, on_read, &probe);
    close(ends[1]);
    run(loop);
    CHECK_STR(probe.bytes, "");
    CHECK_EQ(probe.events, LOOP_READ);
    loop_source_free(probe.source);
    close(ends[0]);
}

TEST_ON_BOTH(the_end_of_the_others_writing_is_a_hangup)
{
    struct probe probe = { .loop = loop, .stop_at = 1 };
    int ends[2];

    socket_pair(ends);
    probe.source = loop_io(loop, ends[0], LOOP_HANGUP, on_io, &probe);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(shutdown(ends[1], SHUT_WR), 0);
    run(loop);
    CHECK_EQ(probe.events, LOOP_HANGUP);
    CHECK_EQ(probe.fired, 1);
    loop_source_free(probe.source);
    close_both(ends);
}

TEST_ON_BOTH(several_sources_may_watch_one_descriptor)
{
    struct probe reader = { .loop = loop, .stop_at = 1 };
    struct probe writer = { .loop = loop, .stop_at = 1 };
    int ends[2];

    socket_pair(ends);
    reader.source = loop_io(loop, ends[0], LOOP_READ, on_read, &reader);
    loop_io_events(reader.source, 0);
    writer.source = loop_io(loop, ends[0], LOOP_WRITE, on_io, &writer);
    loop_io_events(reader.source, LOOP_READ);
    run(loop);
    CHECK_EQ(writer.fired, 1);
    loop_io_events(writer.source, 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    run(loop);
    CHECK_EQ(reader.fired, 1);
    loop_source_free(reader.source);
    loop_source_free(writer.source);
    close_both(ends);
}

TEST_ON_BOTH(a_plain_file_is_always_ready)
{
    struct probe probe = { .loop = loop, .stop_at = 2 };
    auto_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    probe.source = loop_io(loop, null_fd, LOOP_READ, on_io, &probe);
    run(loop);
    CHECK_EQ(probe.fired, 2);
    CHECK_EQ(probe.events, LOOP_READ);
    loop_source_free(probe.source);
}

/* --- signals --- */

struct signals {
    struct loop *loop;
    unsigned count;
    int last;
};

static void on_signal(void *arg, int number)
{
    struct signals *signals = arg;

    signals->count++;
    signals->last = number;
    loop_stop(signals->loop);
}

TEST_ON_BOTH(a_signal_arrives_on_the_loop)
{
    struct signals signals = { .loop = loop };
    auto_clean(loop_source_free_auto) struct loop_source *source =
        loop_signal(loop, SIGUSR1, on_signal, &signals);

    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(signals.count, 0);
    run(loop);
    CHECK_EQ(raise(SIGUSR1), 0);
    run(loop);
    CHECK_EQ(signals.count, 2);
    CHECK_EQ(signals.last, SIGUSR1);
}

/* --- time --- */

TEST_ON_BOTH(the_wall_clock_is_after_2025_and_moves_with_the_loops)
{
    struct probe probe = { .loop = loop, .stop_at = 1 };
    int64_t before_ms = loop_wall_ms(loop);

    CHECK(before_ms > 1735689600000);
    probe.source = loop_timer(loop, 2, on_call, &probe);
    run(loop);
    CHECK(loop_wall_ms(loop) > before_ms);
    loop_source_free(probe.source);
}
