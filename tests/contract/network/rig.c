/* tests/contract/network/rig.c - networks and ports to try, and waiting for a driver. */
#include "rig.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdio.h>

enum { PATIENCE_MS = 60 * 1000 };

static struct ip_addr address(const char *text)
{
    struct ip_addr addr;
    struct err err;

    CHECK_OK(ip_parse(text, &addr, &err), &err);
    return addr;
}

struct network_config *rig_network(const char *uid)
{
    struct network_config *config = mem_new(struct network_config);

    config->uid = str_dup(uid);
    config->name = str_printf("default/%s", uid);
    config->domain = str_dup("lan.internal");
    config->ipv4 = (struct ip_prefix){ address("10.77.0.0"), 24 };
    config->ipv4_gateway = address("10.77.0.1");
    config->dhcp4 = true;
    config->ipv6 = (struct ip_prefix){ address("fd77::"), 64 };
    config->ipv6_gateway = address("fd77::1");
    return config;
}

struct port_config rig_port(const char *network_uid, unsigned number)
{
    struct port_config port = { .mac = { { 0x52, 0x54, 0, 0x77, 0, (uint8_t)number } } };
    char text[IP_TEXT_SIZE];

    snprintf(port.network_uid, sizeof port.network_uid, "%s", network_uid);
    snprintf(port.id, sizeof port.id, "aaaaaaaa-0000-4000-8000-0000000000%02x/eth0", number);
    snprintf(port.hostname, sizeof port.hostname, "vm%u", number);
    snprintf(text, sizeof text, "10.77.0.%u", number);
    port.ipv4 = address(text);
    snprintf(text, sizeof text, "fd77::%x", number);
    port.ipv6 = address(text);
    return port;
}

static void stop_waiting(void *arg)
{
    struct rig *rig = arg;

    rig->failed_to_wait = true;
    loop_stop(rig->loop);
}

static void answered(struct wait *wait, const struct err *err)
{
    CHECK(!wait->called);
    wait->called = true;
    if (err)
        wait->err = *err;
    loop_stop(wait->rig->loop);
}

static void on_done(void *arg, const struct err *err) { answered(arg, err); }

struct done wait_done(struct rig *rig, struct wait *wait)
{
    *wait = (struct wait){ .rig = rig, .fd = -1 };
    return (struct done){ on_done, wait };
}

void wait_fd(void *arg, const struct err *err, int take_fd)
{
    struct wait *wait = arg;

    wait->fd = take_fd;
    answered(wait, err);
}

void wait_counters(void *arg, const struct err *err, const struct port_counters *counters)
{
    struct wait *wait = arg;

    if (counters)
        wait->counters = *counters;
    answered(wait, err);
}

void rig_wait(struct rig *rig, struct wait *wait)
{
    auto_clean(loop_source_free_auto) struct loop_source *guard =
        loop_timer(rig->loop, PATIENCE_MS, stop_waiting, rig);
    struct err err;

    rig->failed_to_wait = false;
    while (!wait->called && !rig->failed_to_wait)
        CHECK_OK(loop_run(rig->loop, &err), &err);
    CHECK(wait->called);
}

void rig_changed(void *arg, const char *uid)
{
    struct rig *rig = arg;

    rig->changes++;
    loop_stop(rig->loop);
}

static bool rig_holds(struct rig *rig, const char *uid,
                      bool (*holds)(const struct network_status *))
{
    struct network_status status;

    rig->network->ops->network_observe(rig->network, uid, &status);
    return holds(&status);
}

bool rig_reaches(struct rig *rig, const char *uid, bool (*holds)(const struct network_status *))
{
    auto_clean(loop_source_free_auto) struct loop_source *guard =
        loop_timer(rig->loop, PATIENCE_MS, stop_waiting, rig);
    struct err err;

    rig->failed_to_wait = false;
    while (!rig_holds(rig, uid, holds) && !rig->failed_to_wait)
        CHECK_OK(loop_run(rig->loop, &err), &err);
    return rig_holds(rig, uid, holds);
}
