/* tests/bench/bench_store.c - what the store costs: durable writes, reads, events, memory, opening.
 * Prints a table and asserts nothing: "meson test --benchmark" or run it by hand, built
 * without sanitizers; the argument names the folder to write to. CPU counts all threads. */
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OBJECT_COUNT = 10000, OBJECT_SIZE = 3000, WRITE_SIZE = 2000, WATCH_COUNT = 2000 };

struct bench {
    struct loop *loop;
    struct store *store;
    const char *folder;
    char text[OBJECT_SIZE];

    const char *prefix; /* of the keys written */
    size_t size;
    unsigned key_count; /* written in turn */
    unsigned left, running;
    unsigned number;
    double *started; /* by write */
    double *took;
    unsigned ended;

    unsigned events_left;
};

_Noreturn static void give_up(const char *what, const struct err *err)
{
    fprintf(stderr, "bench_store: %s: %s\n", what, err ? err->text : strerror(errno));
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double now(void) { return seconds(CLOCK_MONOTONIC); }

static void run_until_stopped(struct bench *bench)
{
    struct err err;

    if (loop_run(bench->loop, &err) < 0)
        give_up("loop", &err);
}

static void open_store(struct bench *bench)
{
    struct store_sqlite_options options = { .directory = bench->folder };
    struct err err;

    bench->store = store_sqlite_open(bench->loop, &options, &err);
    if (!bench->store)
        give_up("open", &err);
}

/* --- writes --- */

struct write {
    struct bench *bench;
    unsigned number;
};

static void write_next(struct bench *bench);

static void written(void *arg, const struct err *err, const struct record *record)
{
    struct write *write = arg;
    struct bench *bench = write->bench;

    if (err)
        give_up("write", err);
    bench->took[write->number] = now() - bench->started[write->number];
    bench->running--;
    free(write);
    if (bench->left > 0)
        write_next(bench);
    else if (bench->running == 0)
        loop_stop(bench->loop);
}

static void write_next(struct bench *bench)
{
    struct write *write = mem_new(struct write);
    char key[64];

    *write = (struct write){ bench, bench->number++ };
    snprintf(key, sizeof key, "%s%06u", bench->prefix, write->number % bench->key_count);
    bench->left--;
    bench->running++;
    bench->started[write->number] = now();
    bench->store->ops->put(bench->store, key, (struct store_value){ bench->text, bench->size, 100 },
                           STORE_ANY_REVISION, written, write);
}

static void write_all_of(struct bench *bench, unsigned count, unsigned outstanding)
{
    bench->left = count;
    bench->number = 0;
    bench->started = mem_array(count, sizeof(double));
    bench->took = mem_array(count, sizeof(double));
    for (unsigned i = 0; i < outstanding; i++)
        write_next(bench);
    run_until_stopped(bench);
    free(bench->started);
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static double measure_writes(struct bench *bench, const char *what, const char *prefix,
                             unsigned count, unsigned key_count, unsigned outstanding)
{
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = now();

    bench->prefix = prefix;
    bench->size = WRITE_SIZE;
    bench->key_count = key_count;
    write_all_of(bench, count, outstanding);
    wall = now() - wall;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    qsort(bench->took, count, sizeof(double), compare);
    printf("%-38s %9.0f/s %8.1f us CPU   p50 %7.0f us  p99 %7.0f us  max %7.0f us\n", what,
           count / wall, cpu / count * 1e6, bench->took[count / 2] * 1e6,
           bench->took[count - count / 100 - 1] * 1e6, bench->took[count - 1] * 1e6);
    free(bench->took);
    return count / wall;
}

/* The yardstick: the same bytes appended to a file and flushed, one after another. */
static double measure_plain_file(struct bench *bench)
{
    enum { COUNT = 5000 };
    auto_free char *path = str_printf("%s/plain", bench->folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    double wall = now();
    struct err err;

    if (fd < 0)
        give_up(path, NULL);
    for (int i = 0; i < COUNT; i++)
        if (write_all(fd, bench->text, WRITE_SIZE, &err) < 0 || fdatasync(fd) < 0)
            give_up(path, NULL);
    wall = now() - wall;
    close(fd);
    unlink(path);
    printf("%-38s %9.0f/s\n", "plain file, append and fdatasync", COUNT / wall);
    return COUNT / wall;
}

/* --- reads and events --- */

static void measure_reads(struct bench *bench, const char *prefix)
{
    enum { ROUNDS = 100, GETS = 1000000 };
    size_t count = 0;
    double wall = now();
    char key[64];

    for (int i = 0; i < ROUNDS; i++) {
        struct record **records =
            bench->store->ops->list(bench->store, prefix, NULL, 0, &count, NULL);

        record_list_free(records, count);
    }
    printf("%-38s %9.3f ms (%zu objects)\n", "list", (now() - wall) / ROUNDS * 1e3, count);
    wall = now();
    for (unsigned i = 0; i < GETS; i++) {
        snprintf(key, sizeof key, "%s%06u", prefix, i % OBJECT_COUNT);
        record_unref(bench->store->ops->get(bench->store, key));
    }
    printf("%-38s %9.0f ns\n", "get", (now() - wall) / GETS * 1e9);
}

static void on_event(void *arg, const struct store_event *event)
{
    struct bench *bench = arg;

    if (--bench->events_left == 0)
        loop_stop(bench->loop);
}

static void measure_events(struct bench *bench)
{
    enum { COUNT = 50 };
    struct store_watch *watches[WATCH_COUNT];
    struct err err;

    for (int i = 0; i < WATCH_COUNT; i++)
        watches[i] = bench->store->ops->watch(bench->store, "/events/", -1, on_event, bench, &err);

    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    bench->prefix = "/events/";
    bench->size = 256;
    bench->key_count = COUNT;
    bench->events_left = COUNT * WATCH_COUNT;
    write_all_of(bench, COUNT, COUNT);
    if (bench->events_left > 0)
        run_until_stopped(bench);
    free(bench->took);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("%-38s %9.0f ns CPU each (%d events to %d watches)\n", "event delivered",
           cpu / COUNT / WATCH_COUNT * 1e9, COUNT, WATCH_COUNT);
    for (int i = 0; i < WATCH_COUNT; i++)
        bench->store->ops->watch_free(watches[i]);
}

/* --- memory and opening --- */

static double resident_mib(void)
{
    struct buf text = { 0 };
    struct err err;
    long pages;

    if (file_read("/proc/self/statm", 4096, &text, &err) < 0)
        give_up("memory", &err);
    sscanf(text.bytes, "%*d %ld", &pages);
    buf_done(&text);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1024 * 1024);
}

static void measure_opening(struct bench *bench)
{
    store_free(bench->store);
    malloc_trim(0);

    double before = resident_mib(), wall = now();
    open_store(bench);
    wall = now() - wall;

    double used = resident_mib() - before;
    printf("%-38s %9.1f ms\n", "open", wall * 1e3);
    printf("%-38s %9.1f MiB, of it %.1f bytes for each of %d objects beside their %d\n",
           "resident after opening", used, used * 1024 * 1024 / OBJECT_COUNT - OBJECT_SIZE,
           OBJECT_COUNT, OBJECT_SIZE);
}

static void fill(struct bench *bench)
{
    bench->prefix = "/virga.dev/instances/default/";
    bench->size = OBJECT_SIZE;
    bench->key_count = OBJECT_COUNT;
    write_all_of(bench, OBJECT_COUNT, 64);
    free(bench->took);
}

/* Every object replaced ten times: what history and a busy heap add. */
static void measure_churn(struct bench *bench)
{
    bench->prefix = "/virga.dev/instances/default/";
    bench->size = OBJECT_SIZE;
    bench->key_count = OBJECT_COUNT;
    write_all_of(bench, 10 * OBJECT_COUNT, 64);
    free(bench->took);
    printf("%-38s %9.1f MiB, all of the process\n", "resident after replacing all 10 times",
           resident_mib());
}

static void start(struct bench *bench)
{
    struct err err;

    if (dir_remove(bench->folder, &err) < 0 || dir_make(bench->folder, 0700, &err) < 0)
        give_up("folder", &err);
    open_store(bench);
}

static void measure_all(struct bench *bench)
{
    start(bench);
    double plain = measure_plain_file(bench);
    double alone = measure_writes(bench, "create, 1 outstanding", "/one/", 5000, 5000, 1);
    double many = measure_writes(bench, "create, 64 outstanding", "/many/", 40000, 40000, 64);
    printf("%-38s %9.2f, %.2f\n", "ratio to the plain file", alone / plain, many / plain);
    measure_writes(bench, "replace, 1 outstanding", "/r/", 10000, 100, 1);
    measure_writes(bench, "replace, 64 outstanding", "/s/", 60000, 1000, 64);
    store_free(bench->store);

    start(bench);
    fill(bench);
    measure_reads(bench, "/virga.dev/instances/");
    measure_opening(bench);
    measure_events(bench);
    measure_churn(bench);
    store_free(bench->store);
}

int main(int argc, char **argv)
{
    auto_free char *folder =
        str_printf("%s/virga-bench-%d", argc > 1 ? argv[1] : "/tmp", (int)getpid());
    struct bench bench = { .folder = folder };
    struct err err;

    bench.loop = loop_new(&err);
    if (!bench.loop)
        give_up("loop", &err);
    memset(bench.text, 'x', sizeof bench.text);
    measure_all(&bench);
    loop_free(bench.loop);
    return dir_remove(folder, &err) < 0 ? 1 : 0;
}
