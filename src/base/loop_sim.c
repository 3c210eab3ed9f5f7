/* base/loop_sim.c - the loop of the tests: the clock stands still while anything
 * is due and then jumps to the next timer. Descriptors are real, and what is
 * ready counts as due now; other processes and threads are not waited for. */
#include "base/loop_backend.h"
#include "base/mem.h"
#include "base/random.h"
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    AT_ONE_INSTANT_MAX = 1000 * 1000, /* events; more is a loop that never ends */
    START_MS = 1000 * 1000,
};
static const int64_t start_wall_ms = 1767225600000; /* 2026-01-01T00:00:00Z */

struct sim_source {
    struct loop_source source;
    int64_t due_ms;
    uint64_t order; /* among those due at the same instant */
    bool listed;    /* among the timers or the watches, by its kind */
    size_t at;      /* where there */
};

struct list {
    struct sim_source **sources;
    size_t count;
    size_t capacity;
};

struct sim_loop {
    struct loop loop;
    int64_t now_ms;
    int64_t wall_set_ms; /* by so much somebody set the wall clock */
    struct random_seeded random;
    struct list timers;  /* a heap: the next one first */
    struct list watches; /* in no order */
    struct pollfd *polls;
    size_t polls_capacity;
    unsigned at_this_instant;
};

static struct sim_loop *sim_of(struct loop *loop)
{
    assert(loop_is_simulated(loop));
    return (struct sim_loop *)loop;
}

/* --- timers: a binary heap --- */

static void put(struct list *list, size_t at, struct sim_source *source)
{
    list->sources[at] = source;
    source->at = at;
}

static void append(struct list *list, struct sim_source *source)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 16;
        list->sources = mem_resize(list->sources, list->capacity * sizeof list->sources[0]);
    }
    put(list, list->count++, source);
    source->listed = true;
}

static bool is_before(const struct sim_source *a, const struct sim_source *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void heap_up(struct list *heap, struct sim_source *source)
{
    size_t at = source->at;

    for (; at > 0 && is_before(source, heap->sources[(at - 1) / 2]); at = (at - 1) / 2)
        put(heap, at, heap->sources[(at - 1) / 2]);
    put(heap, at, source);
}

static void heap_down(struct list *heap, struct sim_source *source)
{
    size_t at = source->at;

    for (;;) {
        size_t child = 2 * at + 1;

        if (child + 1 < heap->count && is_before(heap->sources[child + 1], heap->sources[child]))
            child++;
        if (child >= heap->count || !is_before(heap->sources[child], source))
            break;
        put(heap, at, heap->sources[child]);
        at = child;
    }
    put(heap, at, source);
}

static void heap_remove(struct list *heap, struct sim_source *source)
{
    struct sim_source *last = heap->sources[--heap->count];

    source->listed = false;
    if (last == source)
        return;
    put(heap, source->at, last);
    heap_up(heap, last);
    heap_down(heap, last);
}

static bool is_timed(const struct loop_source *source)
{
    return source->kind == SOURCE_DEFER || source->kind == SOURCE_TIMER;
}

static void sim_drop(struct loop_source *source)
{
    struct sim_source *each = (struct sim_source *)source;
    struct sim_loop *sim = sim_of(source->loop);

    if (!each->listed)
        return;
    if (is_timed(source)) {
        heap_remove(&sim->timers, each);
        return;
    }
    each->listed = false;
    struct sim_source *last = sim->watches.sources[--sim->watches.count];
    put(&sim->watches, each->at, last);
}

static void sim_arm(struct loop_source *source, int64_t delay_ms)
{
    struct sim_source *timer = (struct sim_source *)source;
    struct sim_loop *sim = sim_of(source->loop);

    sim_drop(source);
    timer->due_ms = sim->now_ms + delay_ms;
    timer->order = random_next(&sim->random);
    append(&sim->timers, timer);
    heap_up(&sim->timers, timer);
}

/* --- descriptors --- */

static void sim_watch(struct loop_source *source)
{
    struct sim_source *watch = (struct sim_source *)source;

    if (!source->events)
        sim_drop(source);
    else if (!watch->listed)
        append(&sim_of(source->loop)->watches, watch);
}

static unsigned ready_events(const struct sim_loop *sim, size_t at)
{
    return loop_events_from_poll((unsigned short)sim->polls[at].revents,
                                 sim->watches.sources[at]->source.events);
}

/* How many watches are ready; the answers stay in 'sim->polls'. */
static size_t poll_watches(struct sim_loop *sim)
{
    size_t ready_count = 0;

    if (sim->polls_capacity < sim->watches.capacity) {
        sim->polls_capacity = sim->watches.capacity;
        sim->polls = mem_resize(sim->polls, sim->polls_capacity * sizeof sim->polls[0]);
    }
    for (size_t i = 0; i < sim->watches.count; i++) {
        const struct loop_source *source = &sim->watches.sources[i]->source;

        sim->polls[i] =
            (struct pollfd){ .fd = source->fd, .events = loop_events_to_poll(source->events) };
    }
    if (sim->watches.count == 0)
        return 0;
    while (poll(sim->polls, sim->watches.count, 0) < 0)
        assert(errno == EINTR);
    for (size_t i = 0; i < sim->watches.count; i++)
        ready_count += ready_events(sim, i) != 0;
    return ready_count;
}

static void fire_watch(struct sim_loop *sim, size_t nth_ready)
{
    size_t at = 0;

    while (ready_events(sim, at) == 0 || nth_ready-- > 0)
        at++;
    loop_source_fire(&sim->watches.sources[at]->source, ready_events(sim, at));
}

/* --- one event after the other --- */

static void move_clock(struct sim_loop *sim, int64_t to_ms)
{
    if (to_ms > sim->now_ms) {
        sim->now_ms = to_ms;
        sim->at_this_instant = 0;
    } else if (++sim->at_this_instant > AT_ONE_INSTANT_MAX) {
        fprintf(stderr, "simulated loop: %d events at one instant, and no end\n",
                AT_ONE_INSTANT_MAX);
        abort();
    }
}

static void fire_timer(struct sim_loop *sim, struct sim_source *timer)
{
    heap_remove(&sim->timers, timer);
    loop_source_fire(&timer->source, 0);
}

/* The next timer, unless it is due later than 'until_ms'. */
static struct sim_source *next_timer(const struct sim_loop *sim, int64_t until_ms)
{
    struct sim_source *next = sim->timers.count > 0 ? sim->timers.sources[0] : NULL;

    return next && next->due_ms <= until_ms ? next : NULL;
}

static bool step(struct sim_loop *sim, int64_t until_ms)
{
    size_t ready_count = poll_watches(sim);
    struct sim_source *timer = next_timer(sim, ready_count > 0 ? sim->now_ms : until_ms);
    size_t choice_count = ready_count + (timer != NULL);

    if (choice_count == 0)
        return false;
    move_clock(sim, timer ? timer->due_ms : sim->now_ms);

    size_t choice = choice_count > 1 ? random_below(&sim->random, choice_count) : 0;
    if (choice < ready_count)
        fire_watch(sim, choice);
    else
        fire_timer(sim, timer);
    return true;
}

bool loop_sim_step(struct loop *loop) { return step(sim_of(loop), INT64_MAX); }

void loop_sim_set_wall(struct loop *loop, int64_t by_ms) { sim_of(loop)->wall_set_ms += by_ms; }

void loop_sim_advance(struct loop *loop, int64_t ms)
{
    struct sim_loop *sim = sim_of(loop);
    int64_t until_ms = sim->now_ms + ms;

    assert(ms >= 0);
    while (step(sim, until_ms))
        ;
    sim->now_ms = until_ms;
}

/* --- the loop --- */

static int sim_turn(struct loop *loop, struct err *err) { return loop_sim_step(loop); }

static int64_t sim_now_ms(const struct loop *loop)
{
    return ((const struct sim_loop *)loop)->now_ms;
}

static int64_t sim_wall_ms(const struct loop *loop)
{
    return start_wall_ms + sim_now_ms(loop) - START_MS + ((const struct sim_loop *)loop)->wall_set_ms;
}

static uint64_t sim_random(struct loop *loop) { return random_next(&sim_of(loop)->random); }

static void sim_free(struct loop *loop)
{
    struct sim_loop *sim = sim_of(loop);

    free(sim->timers.sources);
    free(sim->watches.sources);
    free(sim->polls);
    free(sim);
}

static const struct loop_backend backend = {
    .source_size = sizeof(struct sim_source),
    .turn = sim_turn,
    .now_ms = sim_now_ms,
    .wall_ms = sim_wall_ms,
    .random = sim_random,
    .arm = sim_arm,
    .watch = sim_watch,
    .drop = sim_drop,
    .free = sim_free,
};

struct loop *loop_sim_new(uint64_t seed)
{
    struct sim_loop *sim = mem_new(struct sim_loop);

    sim->loop.backend = &backend;
    sim->now_ms = START_MS;
    sim->random.state = seed;
    return &sim->loop;
}

bool loop_is_simulated(const struct loop *loop) { return loop->backend == &backend; }
