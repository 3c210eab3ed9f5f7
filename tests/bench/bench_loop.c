/* tests/bench/bench_loop.c - what the loop, the workers and a new process cost.
 * Prints a table and asserts nothing: "meson test --benchmark" or run it by hand,
 * built without sanitizers. CPU counts all threads of this process, not children. */
#include "base/loop.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/worker.h"
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MEMORY_SIZE = 512 << 20 };

struct bench {
    struct loop *loop;
    struct loop_source *source;
    struct worker_pool *pool;
    unsigned left; /* events until the loop stops */
    double waited; /* seconds for children, which do not count */
};

struct measure {
    const char *what;
    unsigned count;
    void (*run)(struct bench *bench, unsigned count);
    bool with_memory;
    bool simulated;
};

_Noreturn static void give_up(const char *what, const struct err *err)
{
    fprintf(stderr, "bench_loop: %s: %s\n", what, err ? err->text : strerror(errno));
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void run_until_stopped(struct bench *bench)
{
    struct err err;

    if (loop_run(bench->loop, &err) < 0)
        give_up("loop", &err);
}

static bool is_last(struct bench *bench)
{
    if (--bench->left > 0)
        return false;
    loop_stop(bench->loop);
    return true;
}

/* --- the loop --- */

static void on_new_timer(void *arg)
{
    struct bench *bench = arg;

    loop_source_free(take_pointer(bench->source));
    if (!is_last(bench))
        bench->source = loop_timer(bench->loop, 0, on_new_timer, bench);
}

static void new_timers(struct bench *bench, unsigned count)
{
    bench->source = loop_timer(bench->loop, 0, on_new_timer, bench);
    run_until_stopped(bench);
}

static void on_timer_again(void *arg)
{
    struct bench *bench = arg;

    if (!is_last(bench))
        loop_timer_again(bench->source, 0);
}

static void timers_again(struct bench *bench, unsigned count)
{
    bench->source = loop_timer(bench->loop, 0, on_timer_again, bench);
    run_until_stopped(bench);
    loop_source_free(bench->source);
}

static void nothing(void *arg) {}

/* As a time limit that never comes: armed and freed beside 10,000 others. */
static void unused_timers(struct bench *bench, unsigned count)
{
    enum { OTHERS = 10000 };
    struct loop_source **others = mem_array(OTHERS, sizeof others[0]);

    for (size_t i = 0; i < OTHERS; i++)
        others[i] = loop_timer(bench->loop, 60000 + (int64_t)i, nothing, NULL);
    for (unsigned i = 0; i < count; i++)
        loop_source_free(loop_timer(bench->loop, 30000 + i % 60000, nothing, NULL));
    for (size_t i = 0; i < OTHERS; i++)
        loop_source_free(others[i]);
    free(others);
}

static void on_deferred(void *arg)
{
    struct bench *bench = arg;

    loop_source_free(take_pointer(bench->source));
    if (!is_last(bench))
        bench->source = loop_defer(bench->loop, on_deferred, bench);
}

static void deferred_calls(struct bench *bench, unsigned count)
{
    bench->source = loop_defer(bench->loop, on_deferred, bench);
    run_until_stopped(bench);
}

static void on_ready(void *arg, int fd, unsigned events) { is_last(arg); }

static void ready_descriptor(struct bench *bench, unsigned count)
{
    int fd = eventfd(1, EFD_CLOEXEC);

    bench->source = loop_io(bench->loop, fd, LOOP_READ, on_ready, bench);
    run_until_stopped(bench);
    loop_source_free(bench->source);
    close(fd);
}

static void on_ball(void *arg, int fd, unsigned events)
{
    char ball;

    if (read(fd, &ball, 1) != 1 || write(fd, &ball, 1) != 1)
        give_up("socket", NULL);
    is_last(arg);
}

/* Read and write of a byte included. */
static void socket_messages(struct bench *bench, unsigned count)
{
    struct loop_source *sources[2];
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        give_up("socketpair", NULL);
    for (int i = 0; i < 2; i++)
        sources[i] = loop_io(bench->loop, ends[i], LOOP_READ, on_ball, bench);
    if (write(ends[0], "x", 1) != 1)
        give_up("socket", NULL);
    run_until_stopped(bench);
    for (int i = 0; i < 2; i++) {
        loop_source_free(sources[i]);
        close(ends[i]);
    }
}

/* --- workers --- */

static int work_nothing(void *arg, struct err *err) { return 0; }

static void on_finished(void *arg, const struct err *err) { is_last(arg); }

static void queued_jobs(struct bench *bench, unsigned count)
{
    struct worker_pool *pool = worker_pool_new(bench->loop, 2);

    for (unsigned i = 0; i < count; i++)
        worker_run(pool, (struct worker_job){ work_nothing, on_finished, bench, NULL });
    run_until_stopped(bench);
    worker_pool_free(pool);
}

static void queued_lane_jobs(struct bench *bench, unsigned count)
{
    struct worker_pool *pool = worker_pool_new(bench->loop, 2);
    char lane[16];

    for (unsigned i = 0; i < count; i++) {
        snprintf(lane, sizeof lane, "lane-%u", i % 100);
        worker_run(pool, (struct worker_job){ work_nothing, on_finished, bench, lane });
    }
    run_until_stopped(bench);
    worker_pool_free(pool);
}

static void on_finished_next(void *arg, const struct err *err)
{
    struct bench *bench = arg;

    if (!is_last(bench))
        worker_run(bench->pool, (struct worker_job){ work_nothing, on_finished_next, bench, NULL });
}

static void jobs_one_by_one(struct bench *bench, unsigned count)
{
    bench->pool = worker_pool_new(bench->loop, 2);
    worker_run(bench->pool, (struct worker_job){ work_nothing, on_finished_next, bench, NULL });
    run_until_stopped(bench);
    worker_pool_free(bench->pool);
}

/* --- processes: how long they hold up the loop --- */

static const char *const true_argv[] = { "/bin/true", NULL };
static const struct spawn true_spawn = { .argv = true_argv };

static void wait_for(struct bench *bench, pid_t pid)
{
    bench->waited -= seconds(CLOCK_MONOTONIC);
    waitpid(pid, NULL, 0);
    bench->waited += seconds(CLOCK_MONOTONIC);
}

static void starts(struct bench *bench, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct err err;
        pid_t pid;
        int pidfd;

        if (spawn_start(&true_spawn, &pid, &pidfd, &err) < 0)
            give_up("spawn", &err);
        close(pidfd);
        wait_for(bench, pid);
    }
}

static void posix_spawns(struct bench *bench, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        pid_t pid;

        if (posix_spawn(&pid, true_argv[0], NULL, NULL, (char *const *)true_argv, NULL) != 0)
            give_up("posix_spawn", NULL);
        wait_for(bench, pid);
    }
}

static void forks(struct bench *bench, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        pid_t pid = fork();

        if (pid < 0)
            give_up("fork", NULL);
        if (pid == 0) {
            execv(true_argv[0], (char *const *)true_argv);
            _exit(127);
        }
        wait_for(bench, pid);
    }
}

static void start_next(struct bench *bench);

static void on_exit_of_program(void *arg, const struct err *err, const char *output, size_t size)
{
    struct bench *bench = arg;

    if (err)
        give_up("spawn_run", err);
    if (!is_last(bench))
        start_next(bench);
}

static void start_next(struct bench *bench)
{
    struct err err;

    if (!spawn_run(bench->loop, &true_spawn, 10000, 1000, on_exit_of_program, bench, &err))
        give_up("spawn_run", &err);
}

static void programs_on_the_loop(struct bench *bench, unsigned count)
{
    start_next(bench);
    run_until_stopped(bench);
}

/* --- the table --- */

static const struct measure measures[] = {
    { "timer made, fired, freed", 200000, new_timers },
    { "timer armed again, fired", 200000, timers_again },
    { "timer made, freed beside 10,000", 200000, unused_timers },
    { "deferred call", 200000, deferred_calls },
    { "descriptor ready", 200000, ready_descriptor },
    { "byte through a socket", 200000, socket_messages },
    { "simulated timer", 500000, new_timers, .simulated = true },
    { "simulated byte through a socket", 200000, socket_messages, .simulated = true },
    { "worker job, many queued", 100000, queued_jobs },
    { "worker job, many queued, 100 lanes", 100000, queued_lane_jobs },
    { "worker job, one after the other", 50000, jobs_one_by_one },
    { "spawn_start", 500, starts },
    { "spawn_start from 512 MiB", 500, starts, .with_memory = true },
    { "spawn_run from 512 MiB, to its end", 500, programs_on_the_loop, .with_memory = true },
    { "posix_spawn from 512 MiB", 500, posix_spawns, .with_memory = true },
    { "fork from 512 MiB", 50, forks, .with_memory = true },
};

static void print_row(const struct measure *measure)
{
    struct err err;
    struct bench bench = { .left = measure->count };

    bench.loop = measure->simulated ? loop_sim_new(1) : loop_new(&err);
    if (!bench.loop)
        give_up("loop", &err);
    double wall = -seconds(CLOCK_MONOTONIC), cpu = -seconds(CLOCK_PROCESS_CPUTIME_ID);
    measure->run(&bench, measure->count);
    wall += seconds(CLOCK_MONOTONIC) - bench.waited;
    cpu += seconds(CLOCK_PROCESS_CPUTIME_ID);
    loop_free(bench.loop);
    printf("%-38s %8u %10.2f %10.2f\n", measure->what, measure->count, wall / measure->count * 1e6,
           cpu / measure->count * 1e6);
    fflush(stdout);
}

static void *touch_memory(void)
{
    void *memory =
        mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        give_up("mmap", NULL);
    madvise(memory, MEMORY_SIZE, MADV_NOHUGEPAGE); /* as many small allocations would be */
    memset(memory, 1, MEMORY_SIZE);
    return memory;
}

int main(void)
{
    printf("%-38s %8s %10s %10s\n", "", "count", "wall us", "CPU us");
    for (size_t i = 0; i < sizeof measures / sizeof measures[0]; i++) {
        void *memory = measures[i].with_memory ? touch_memory() : NULL;

        print_row(&measures[i]);
        if (memory)
            munmap(memory, MEMORY_SIZE);
    }
    return 0;
}
