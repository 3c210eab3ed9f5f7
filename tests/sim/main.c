/* tests/sim/main.c - many seeds, one after the other; the first that fails ends the program and
 * says how to see it again. */
#include "sim.h"
#include "base/log.h"
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS_MAX = 16 };

static struct {
    uint64_t first, count;
    unsigned jobs;
    unsigned seconds; /* no new seed is begun after so long; 0: no bound */
    unsigned least;   /* seeds of each job that are run however long it takes */
    bool traces;
} options = { 1, 1, 1, 0, 0, false };

static const char *program;
static uint64_t running_seed;

/* --- telling --- */

__attribute__((format(printf, 2, 0)))
static void print_line(const struct sim *sim, const char *format, va_list args)
{
    int64_t at_ms = loop_now_ms(sim->loop) - sim->start_ms;

    printf("%6" PRId64 ".%03d  ", at_ms / 1000, (int)(at_ms % 1000));
    vprintf(format, args);
    putchar('\n');
}

void sim_trace(struct sim *sim, const char *format, ...)
{
    va_list args;

    if (!sim->traces)
        return;
    va_start(args, format);
    print_line(sim, format, args);
    va_end(args);
}

static void print_replay(void)
{
    printf("seed %" PRIu64 " failed; to see it again:\n  %s --seed %" PRIu64 " --trace\n", running_seed,
           program, running_seed);
}

_Noreturn void sim_fail(struct sim *sim, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_line(sim, format, args);
    va_end(args);
    print_replay();
    fflush(stdout);
    _exit(1);
}

/* An assertion of the fakes, or a bug. */
static void on_abort(int signal_number)
{
    print_replay();
    fflush(stdout);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* --- running --- */

static bool time_is_up(time_t began)
{
    return options.seconds && time(NULL) - began >= (time_t)options.seconds;
}

static void print_counts(const struct counts *counts, uint64_t failed_to_run)
{
    printf("%lu seeds, %lu events, %lu driver calls, %lu wishes granted, %lu refused, %lu cut off,\n"
           "%lu crashes, %lu reboots, %lu stores restored, %lu misfortunes, %lu answers lost\n",
           counts->runs, counts->steps, counts->calls, counts->accepted, counts->refused, counts->cut,
           counts->crashes, counts->reboots, counts->restores, counts->misfortunes, counts->lost);
    if (failed_to_run)
        printf("%" PRIu64 " seeds were not run: the time was up\n", failed_to_run);
}

static void run_share(unsigned job)
{
    struct counts counts = { 0 };
    time_t began = time(NULL);
    uint64_t left = 0;

    for (uint64_t i = job; i < options.count; i += options.jobs) {
        struct sim sim = { .seed = options.first + i, .traces = options.traces, .counts = &counts };

        if (counts.runs >= options.least && time_is_up(began)) {
            left++;
            continue;
        }
        running_seed = sim.seed;
        sim_run(&sim);
        counts.runs++;
    }
    print_counts(&counts, left);
}

static int run_all(void)
{
    pid_t children[JOBS_MAX];
    int result = 0, status;

    if (options.jobs == 1) {
        run_share(0);
        return 0;
    }
    for (unsigned job = 0; job < options.jobs; job++) {
        children[job] = fork();
        if (children[job] == 0) {
            run_share(job);
            fflush(stdout);
            _exit(0);
        }
    }
    for (unsigned job = 0; job < options.jobs; job++)
        if (children[job] < 0 || waitpid(children[job], &status, 0) < 0 || status != 0)
            result = 1;
    return result;
}

static bool read_option(const char *name, const char *value)
{
    uint64_t number = value ? strtoull(value, NULL, 10) : 0;

    if (strcmp(name, "--seed") == 0 && value)
        options.first = number;
    else if (strcmp(name, "--count") == 0 && value)
        options.count = number;
    else if (strcmp(name, "--jobs") == 0 && number >= 1 && number <= JOBS_MAX)
        options.jobs = (unsigned)number;
    else if (strcmp(name, "--seconds") == 0 && value)
        options.seconds = (unsigned)number;
    else if (strcmp(name, "--least") == 0 && value)
        options.least = (unsigned)number;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    program = argv[0];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            options.traces = true;
        } else if (i + 1 < argc && read_option(argv[i], argv[i + 1])) {
            i++;
        } else {
            fprintf(stderr, "usage: %s [--seed N] [--count N] [--jobs N] [--seconds N] [--least N] [--trace]\n",
                    program);
            return 2;
        }
    }
    signal(SIGABRT, on_abort);
    log_set_level(options.traces ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR);
    return run_all();
}
