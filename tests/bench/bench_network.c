/* tests/bench/bench_network.c - what networks and ports cost, in namespaces of its own; as root. */
#include "base/files.h"
#include "base/str.h"
#include "drivers/network.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NETWORKS = 10, PORTS = 200 };

static struct loop *loop;
static struct network_driver *network;

static void die(const struct err *err)
{
    fprintf(stderr, "bench_network: %s\n", err->text);
    exit(1);
}

static double now_ms(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void on_done(void *arg, const struct err *err)
{
    if (err)
        die(err);
    loop_stop(loop);
}

static void on_fd(void *arg, const struct err *err, int take_fd)
{
    on_done(NULL, err);
    close(take_fd);
}

static void on_counters(void *arg, const struct err *err, const struct port_counters *counters)
{
    on_done(NULL, err);
}

static void finish(void)
{
    struct err err;

    if (loop_run(loop, &err) < 0)
        die(&err);
}

/* --- samples --- */

struct samples {
    const char *name;
    double ms[NETWORKS * PORTS];
    size_t count;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print(struct samples *samples)
{
    qsort(samples->ms, samples->count, sizeof samples->ms[0], by_value);
    printf("%-32s %5zu times   median %7.2f ms   worst of nine in ten %7.2f ms\n", samples->name,
           samples->count, samples->ms[samples->count / 2], samples->ms[samples->count * 9 / 10]);
    samples->count = 0;
}

#define MEASURE(samples, call)                                                                     \
    do {                                                                                           \
        double begin_ = now_ms();                                                                  \
        call;                                                                                      \
        finish();                                                                                  \
        (samples)->ms[(samples)->count++] = now_ms() - begin_;                                     \
    } while (0)

/* --- networks and ports --- */

static struct ip_addr ip(const char *text)
{
    struct ip_addr addr;
    struct err err;

    if (ip_parse(text, &addr, &err) < 0)
        die(&err);
    return addr;
}

static struct network_config config_of(const char *uid, bool nat)
{
    return (struct network_config){ .uid = (char *)uid,
                                    .domain = (char *)"lan.internal",
                                    .ipv4 = { ip("10.77.0.0"), 16 },
                                    .ipv4_gateway = ip("10.77.255.254"),
                                    .dhcp4 = true,
                                    .ipv6 = { ip("fd77::"), 64 },
                                    .ipv6_gateway = ip("fd77::1"),
                                    .nat = nat };
}

static struct port_config port_of(const char *uid, unsigned number)
{
    uint8_t high = (uint8_t)(number >> 8), low = (uint8_t)(number & 0xff);
    struct port_config port = { .mac = { { 0x52, 0x54, 0, 0, high, low } },
                                .ipv4 = { 4, { 10, 77, high, low } },
                                .ipv6 = ip("fd77::") };

    port.ipv6.octet[13] = 1;
    port.ipv6.octet[14] = high;
    port.ipv6.octet[15] = low;
    snprintf(port.network_uid, sizeof port.network_uid, "%s", uid);
    snprintf(port.id, sizeof port.id, "%08x-0000-4000-8000-000000000000/eth0", number);
    snprintf(port.hostname, sizeof port.hostname, "vm%u", number);
    return port;
}

static void measure_networks(bool nat)
{
    const struct network_ops *ops = network->ops;
    struct samples made = { .name = nat ? "network with NAT" : "network" };
    struct samples again = { .name = "  ensured again" }, removed = { .name = "  removed" };
    struct done done = { on_done, NULL };
    char uid[32];

    for (unsigned i = 0; i < NETWORKS; i++) {
        snprintf(uid, sizeof uid, "net-%u", i);
        struct network_config config = config_of(uid, nat);
        MEASURE(&made, ops->network_ensure(network, &config, done));
        MEASURE(&again, ops->network_ensure(network, &config, done));
    }
    for (unsigned i = 0; i < NETWORKS; i++) {
        snprintf(uid, sizeof uid, "net-%u", i);
        MEASURE(&removed, ops->network_remove(network, uid, done));
    }
    print(&made);
    print(&again);
    print(&removed);
}

static void measure_ports(void)
{
    const struct network_ops *ops = network->ops;
    static struct samples made = { .name = "port" }, again = { .name = "  ensured again" },
                          opened = { .name = "  opened" }, read = { .name = "  counters read" },
                          removed = { .name = "  removed" };
    struct network_config config = config_of("net", /*nat=*/true);
    struct done done = { on_done, NULL };

    ops->network_ensure(network, &config, done);
    finish();
    for (unsigned i = 1; i <= PORTS; i++) {
        struct port_config port = port_of("net", i);
        MEASURE(&made, ops->port_ensure(network, &port, done));
        MEASURE(&opened, ops->port_open(network, "net", port.id, on_fd, NULL));
        MEASURE(&again, ops->port_ensure(network, &port, done));
        MEASURE(&read, ops->port_read(network, "net", port.id, on_counters, NULL));
    }
    for (unsigned i = 1; i <= PORTS; i++) {
        struct port_config port = port_of("net", i);
        MEASURE(&removed, ops->port_remove(network, "net", port.id, done));
    }
    print(&made);
    print(&opened);
    print(&again);
    print(&read);
    print(&removed);
    ops->network_remove(network, "net", done);
    finish();
}

int main(void)
{
    char folder[] = "/tmp/virga-bench-XXXXXX";
    struct err err;

    if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0 || !mkdtemp(folder) ||
        chmod(folder, 0755) < 0) {
        fprintf(stderr, "bench_network: needs root\n");
        return 77;
    }
    auto_free char *state_dir = str_printf("%s/state", folder);
    auto_free char *run_dir = str_printf("%s/run", folder);
    loop = loop_new(&err);
    struct worker_pool *workers = worker_pool_new(loop, 2);
    struct network_setup setup = {
        .loop = loop, .workers = workers, .state_dir = state_dir, .run_dir = run_dir, .prefix = "vb"
    };
    network = network_netns.open(&setup, &err);
    if (!network)
        die(&err);
    measure_networks(/*nat=*/false);
    measure_networks(/*nat=*/true);
    measure_ports();
    network->ops->close(network);
    worker_pool_free(workers);
    loop_free(loop);
    return dir_remove(folder, &err) < 0;
}
