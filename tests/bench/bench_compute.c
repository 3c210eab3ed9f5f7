/* tests/bench/bench_compute.c - what the QEMU driver adds to QEMU. Run as root:
 *
 *     build/tests/bench/bench_compute [ROUNDS]
 *
 * Starts an empty guest ROUNDS times (20) and prints the middle, best and worst of each step. */
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS_MAX = 1000, UID_BASE = 21 * 1000 * 1000 };

static const char *const uid = "44444444-4444-4444-8444-444444444444";

struct bench {
    struct loop *loop;
    struct compute *compute;
    bool is_done;
};

struct figure {
    const char *what;
    double ms[ROUNDS_MAX];
    unsigned count;
};

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

_Noreturn static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "bench_compute: %s: %s\n", what, why);
    exit(1);
}

static void on_done(void *arg, const struct err *err)
{
    struct bench *bench = arg;

    if (err)
        give_up("call", err->text);
    bench->is_done = true;
    loop_stop(bench->loop);
}

static struct done done_of(struct bench *bench)
{
    bench->is_done = false;
    return (struct done){ on_done, bench };
}

static void wait_for(struct bench *bench, struct figure *figure, double since_ms)
{
    struct err err;

    while (!bench->is_done) {
        if (loop_run(bench->loop, &err) < 0)
            give_up("loop", err.text);
    }
    figure->ms[figure->count++] = now_ms() - since_ms;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

static void print_figure(struct figure *figure)
{
    qsort(figure->ms, figure->count, sizeof figure->ms[0], compare);
    printf("%-34s middle %7.2f   best %7.2f   worst %7.2f ms\n", figure->what,
           figure->ms[figure->count / 2], figure->ms[0], figure->ms[figure->count - 1]);
}

static struct machine_config *empty_guest(void)
{
    struct machine_config *config = mem_new(struct machine_config);

    config->uid = str_dup(uid);
    config->name = str_dup("bench/empty");
    config->cpus = 1;
    config->memory_bytes = 64 << 20;
    config->guest_agent = true;
    return config;
}

static void one_round(struct bench *bench, const struct machine_config *config,
                      struct figure figures[])
{
    const struct compute_ops *ops = bench->compute->ops;
    double since_ms = now_ms();

    ops->start(bench->compute, config, NULL, done_of(bench));
    wait_for(bench, &figures[0], since_ms);
    since_ms = now_ms();
    ops->pause(bench->compute, uid, done_of(bench));
    wait_for(bench, &figures[1], since_ms);
    since_ms = now_ms();
    ops->resume(bench->compute, uid, done_of(bench));
    wait_for(bench, &figures[2], since_ms);
    since_ms = now_ms();
    ops->kill(bench->compute, uid, done_of(bench));
    wait_for(bench, &figures[3], since_ms);
    since_ms = now_ms();
    ops->release(bench->compute, uid, done_of(bench));
    wait_for(bench, &figures[4], since_ms);
}

int main(int argc, char **argv)
{
    static struct figure figures[] = { { "start() until the guest runs" },
                                       { "pause()" },
                                       { "resume()" },
                                       { "kill() until the process is gone" },
                                       { "release()" } };
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 20;
    char folder[] = "/tmp/virga-bench-XXXXXX";
    struct bench bench = { 0 };
    struct err err;

    if (!mkdtemp(folder) || rounds < 1 || rounds > ROUNDS_MAX || !(bench.loop = loop_new(&err)))
        give_up("start", "no folder, no loop, or not 1 to 1000 rounds");
    auto_free char *state_dir = str_printf("%s/state", folder);
    auto_free char *run_dir = str_printf("%s/run", folder);
    const struct compute_setup setup = { .loop = bench.loop,
                                         .workers = worker_pool_new(bench.loop, 2),
                                         .state_dir = state_dir,
                                         .run_dir = run_dir,
                                         .uid_base = UID_BASE };
    auto_clean(machine_config_free_auto) struct machine_config *config = empty_guest();

    bench.compute = compute_qemu.open(&setup, &err);
    if (!bench.compute)
        give_up("open", err.text);
    for (unsigned i = 0; i < rounds; i++)
        one_round(&bench, config, figures);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        print_figure(&figures[i]);
    bench.compute->ops->close(bench.compute);
    worker_pool_free(setup.workers);
    loop_free(bench.loop);
    return dir_remove(folder, &err) < 0;
}
