/* tests/bench/bench_balancer.c - requests per second through a balancer of the driver against
 * HAProxy alone with the same settings, in turns, and what changes cost. As root, in namespaces of
 * its own. bench_balancer [ROUNDS [SECONDS]] */
#include "base/files.h"
#include "base/spawn.h"
#include "base/str.h"
#include "drivers/balancer.h"
#include "own_world.h"
#include "web.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    MEMBERS = 4,
    CLIENTS = 16,
    OURS = 9080,
    BARE = 9090,
    ROUNDS_MAX = 99,
    UID_BASE = 1900000000
};

static struct loop *loop;
static struct balancer_driver *driver;
static struct web_server *servers[MEMBERS + 1];
static char folder[] = "/tmp/virga-bench-XXXXXX";
static char uid[] = "b", name[] = "bench";

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "bench_balancer: %s\n", what);
    exit(1);
}

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* --- ours --- */

static struct balancer_member members[MEMBERS + 1];
static struct balancer_listener listener = { .name = "http",
                                             .protocol = BALANCER_HTTP,
                                             .addr = { 4, { 127, 0, 0, 1 } },
                                             .port = OURS,
                                             .backend = "web",
                                             .connections_max = 2000,
                                             .idle_timeout_ms = 60000 };
static struct balancer_backend backend = { .name = "web",
                                           .is_http = true,
                                           .connect_timeout_ms = 2000,
                                           .queue_timeout_ms = 10000,
                                           .idle_timeout_ms = 60000,
                                           .health = { .type = BALANCER_CHECK_TCP,
                                                       .interval_ms = 2000,
                                                       .timeout_ms = 2000,
                                                       .rise = 1,
                                                       .fall = 2 },
                                           .members = members };
static struct balancer_config config = { uid, name, &listener, 1, &backend, 1 };

static void on_done(void *arg, const struct err *err)
{
    if (err)
        die(err->text);
    loop_stop(loop);
}

static void on_tick(void *arg) { loop_stop(loop); }

static void turn(int64_t ms)
{
    struct loop_source *timer = loop_timer(loop, ms, on_tick, NULL);
    struct err err;

    if (loop_run(loop, &err) < 0)
        die(err.text);
    loop_source_free(timer);
}

static double ensure(size_t member_count)
{
    double began_ms = now_ms();
    struct err err;

    backend.member_count = member_count;
    driver->ops->ensure(driver, &config, -1, (struct done){ on_done, NULL });
    if (loop_run(loop, &err) < 0)
        die(err.text);
    return now_ms() - began_ms;
}

static size_t members_up(void)
{
    const struct balancer_backend_status *status =
        balancer_status_backend(driver->ops->observe(driver, uid), "web");
    size_t up = 0;

    for (size_t i = 0; status && i < status->member_count; i++)
        up += status->members[i].state == BALANCER_MEMBER_UP;
    return up;
}

static void open_ours(void)
{
    struct balancer_setup setup = { .run_dir = folder, .uid_base = UID_BASE };
    struct err err;

    setup.loop = loop = loop_new(&err);
    driver = balancer_haproxy.open(&setup, &err);
    if (!driver)
        die(err.text);
    for (unsigned i = 0; i <= MEMBERS; i++) {
        (void)snprintf(members[i].id, sizeof members[i].id, "member-%u", i);
        servers[i] = web_server_new(members[i].id, 0);
        members[i].addr = listener.addr;
        members[i].port = web_server_port(servers[i]);
    }
    printf("first start              %6.1f ms\n", ensure(MEMBERS));
    while (members_up() < MEMBERS)
        turn(20);
}

/* --- HAProxy alone, with what anybody would write for the same --- */

static pid_t start_bare(void)
{
    auto_buf struct buf text = { 0 };
    auto_free char *path = str_printf("%s/bare.cfg", folder);
    const char *const argv[] = { "haproxy", "-db", "-f", path, NULL };
    /* In a session of its own as ours is: the scheduler shares time out by sessions. */
    struct spawn spawn = { .argv = argv, .dies_with_us = true, .new_session = true };
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    char body[64];
    pid_t pid;
    int pidfd;
    struct err err;

    buf_printf(
        &text,
        "global\n  nbthread %ld\n  maxconn 2000\n  quiet\ndefaults\n  mode http\n  retries 3\n"
        "  option redispatch\n  option forwardfor\n  timeout connect 2s\n  timeout client 60s\n"
        "  timeout server 60s\n  timeout queue 10s\n  timeout http-request 15s\n"
        "frontend f\n  bind 127.0.0.1:%d\n  http-request set-header X-Forwarded-Proto http\n"
        "  default_backend b\nbackend b\n  balance leastconn\n",
        cpus > 8 ? 8 : cpus, BARE);
    for (unsigned i = 0; i < MEMBERS; i++)
        buf_printf(&text, "  server s%u 127.0.0.1:%u check inter 2s\n", i, members[i].port);
    if (file_write_atomic(path, text.bytes, text.size, 0644, &err) < 0 ||
        spawn_start(&spawn, &pid, &pidfd, &err) < 0)
        die(err.text);
    close(pidfd);
    while (web_get(&(struct web_request){ .port = BARE }, body, sizeof body) != 200)
        turn(20);
    return pid;
}

/* --- in turns --- */

static int compare(const void *a, const void *b)
{
    double difference = *(const double *)a - *(const double *)b;

    return (difference > 0) - (difference < 0);
}

static double median(double *values, unsigned count)
{
    qsort(values, count, sizeof values[0], compare);
    return values[count / 2];
}

static double rate(uint16_t port, bool keep_alive, double seconds)
{
    struct web_running *load = web_load_start(
        &(struct web_load){ .port = port, .clients = CLIENTS, .keep_alive = keep_alive });
    struct web_result result;

    turn((int64_t)(seconds * 1000));
    result = web_load_stop(load);
    if (result.failures)
        die(result.first_failure);
    return (double)result.answers / result.seconds;
}

static void measure(const char *what, bool keep_alive, unsigned rounds, double seconds)
{
    double ours[ROUNDS_MAX], bare[ROUNDS_MAX], ratios[ROUNDS_MAX];

    for (unsigned i = 0; i < rounds; i++) {
        /* Who comes first changes, as the load of a machine does. */
        if (i % 2)
            ours[i] = rate(OURS, keep_alive, seconds);
        bare[i] = rate(BARE, keep_alive, seconds);
        if (i % 2 == 0)
            ours[i] = rate(OURS, keep_alive, seconds);
        ratios[i] = ours[i] / bare[i];
    }
    double ratio = median(ratios, rounds);
    printf("%-24s %6.0f requests/s, HAProxy alone %6.0f, ratio %.3f\n", what, median(ours, rounds),
           median(bare, rounds), ratio);
}

static double until_up(size_t member_count, bool is_proven)
{
    double began_ms = now_ms();

    members[member_count - 1].is_proven = is_proven;
    (void)ensure(member_count);
    while (members_up() < member_count)
        turn(5);
    return now_ms() - began_ms;
}

static void measure_changes(void)
{
    printf("member joins, proven     %6.1f ms to traffic\n", until_up(MEMBERS + 1, true));
    printf("member leaves            %6.1f ms\n", ensure(MEMBERS));
    printf("member joins, by check   %6.1f ms to traffic as seen, once a second\n",
           until_up(MEMBERS + 1, false));
    listener.idle_timeout_ms += 1000;
    printf("listener changes         %6.1f ms\n", ensure(MEMBERS));
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 7;
    double seconds = argc > 2 ? atof(argv[2]) : 2;
    struct err err;

    if (rounds < 1 || rounds > ROUNDS_MAX || !mkdtemp(folder) || chmod(folder, 0755) < 0)
        die("bench_balancer [ROUNDS [SECONDS]]");
    open_ours();
    pid_t bare = start_bare();
    measure("keep-alive", true, rounds, seconds);
    measure("a connection each", false, rounds, seconds);
    kill(bare, SIGKILL);
    measure_changes();
    driver->ops->remove(driver, uid, (struct done){ on_done, NULL });
    if (loop_run(loop, &err) < 0)
        die(err.text);
    driver->ops->close(driver);
    for (unsigned i = 0; i <= MEMBERS; i++)
        web_server_free(servers[i]);
    loop_free(loop);
    return dir_remove(folder, &err) < 0;
}
