/* drivers/network/fake/op.c - calls that take their time, fail when told to, and are cut. */
#include "drivers/network/fake/op.h"

#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *fault;
} calls[] = {
    [CALL_NETWORK_ENSURE] = { "network_ensure", "network.network_ensure" },
    [CALL_NETWORK_REMOVE] = { "network_remove", "network.network_remove" },
    [CALL_NETWORK_REFRESH] = { "network_refresh", "network.network_refresh" },
    [CALL_PORT_ENSURE] = { "port_ensure", "network.port_ensure" },
    [CALL_PORT_OPEN] = { "port_open", "network.port_open" },
    [CALL_PORT_REMOVE] = { "port_remove", "network.port_remove" },
    [CALL_PORT_READ] = { "port_read", "network.port_read" },
    [CALL_DIAL] = { "dial", "network.dial" },
    [CALL_NAMESPACE_OPEN] = { "namespace_open", "network.namespace_open" },
    [CALL_DHCP_BACK] = { "dhcp", NULL },
};

static void op_free(struct fake_op *op)
{
    loop_source_free(op->timer);
    network_config_free(op->network);
    free(op);
}

/* Tells the caller how it ended. 'take_fd' and 'counters' are of a success only. */
static void op_answer(struct fake_op *op, const struct err *err, int take_fd,
                      const struct port_counters *counters)
{
    if (op->fd_fn)
        op->fd_fn(op->arg, err, err ? -1 : take_fd);
    else if (op->counters_fn)
        op->counters_fn(op->arg, err, err ? NULL : counters);
    else
        done_call(op->done, err);
}

/* Does the op's work, or half of it. */
static int op_apply(struct fake_op *op, bool whole, int *ret_fd, struct port_counters *ret_counters,
                    struct err *err)
{
    struct network_fake *world = op->driver->world;
    struct fake_port *port;
    struct fake_network *network;

    switch (op->call) {
    case CALL_NETWORK_ENSURE:
        netfake_network_ensure(world, op->network, whole);
        return 0;
    case CALL_NETWORK_REMOVE:
        netfake_network_remove(world, op->uid, whole);
        return 0;
    case CALL_PORT_ENSURE:
        return netfake_port_ensure(world, &op->port, whole, err);
    case CALL_PORT_REMOVE:
        netfake_port_remove(world, op->uid, op->id, whole);
        return 0;
    case CALL_PORT_OPEN:
        return whole ? netfake_port_open(world, op->uid, op->id, ret_fd, err) : 0;
    case CALL_DIAL:
        return whole ? netfake_dial(world, op->uid, &op->to, op->to_port, ret_fd, err) : 0;
    case CALL_NAMESPACE_OPEN:
        return whole ? netfake_namespace_open(world, op->uid, ret_fd, err) : 0;
    case CALL_PORT_READ:
        port = netfake_port(world, op->uid, op->id);
        if (!port)
            return err_set(err, ERR_NOT_FOUND, "port %s of network %s is not there", op->id,
                           op->uid);
        *ret_counters = port->counters;
        return 0;
    case CALL_DHCP_BACK:
        network = netfake_network(world, op->uid);
        if (network && network->is_up)
            network->dhcp_running = true;
        return 0;
    case CALL_NETWORK_REFRESH:
        return 0;
    }
    return 0;
}

/* A crash cuts a call before, within or after its work. */
static void op_cut(struct fake_op *op)
{
    static const struct err cancelled = { .code = ERR_CANCELLED, .text = "the driver was closed" };
    struct port_counters counters;
    struct err err;
    int fd = -1;
    uint64_t how_far = loop_random(op->driver->loop) % 3;

    if (how_far > 0 && op->refused.code == ERR_NONE && op->call != CALL_PORT_OPEN &&
        op->call != CALL_DIAL && op->call != CALL_NAMESPACE_OPEN && op->call != CALL_DHCP_BACK)
        (void)op_apply(op, /*whole=*/how_far == 2, &fd, &counters,
                       &err); /* nobody is left to ask */
    op_answer(op, &cancelled, -1, NULL);
    op_free(op);
}

void netfake_ops_cut(struct network_fake_driver *driver)
{
    while (driver->ops) {
        struct fake_op *op = driver->ops;

        driver->ops = op->next;
        op_cut(op);
    }
}

/* Decides at the call's end whether it fails, and how much of it is done then. */
static int op_fails(struct fake_op *op, struct err *err)
{
    struct network_fake_driver *fake = op->driver;
    struct network_fake *world = fake->world;

    if (op->call == CALL_DHCP_BACK)
        return 0;
    if (op->refused.code != ERR_NONE) {
        *err = op->refused;
        return -1;
    }
    if (world->fail_call && str_equal(world->fail_call, calls[op->call].name)) {
        world->fail_call = NULL;
        return err_set(err, world->fail_code, "%s was told to fail", calls[op->call].name);
    }
    if (fault_fails(calls[op->call].fault, err))
        return -1;
    if (world->settings.fail_one_in && loop_random(fake->loop) % world->settings.fail_one_in == 0) {
        struct port_counters counters;
        int fd = -1;

        if (loop_random(fake->loop) % 2)
            (void)op_apply(op, /*whole=*/false, &fd, &counters, err); /* it fails anyway */
        return err_set(err, ERR_IO, "%s failed by chance", calls[op->call].name);
    }
    return 0;
}

static void op_unlink(struct fake_op *op)
{
    struct fake_op **at = &op->driver->ops;

    while (*at != op)
        at = &(*at)->next;
    *at = op->next;
}

static bool has_changed(const struct network_status *a, const struct network_status *b)
{
    return a->is_up != b->is_up || a->dhcp_running != b->dhcp_running ||
           strcmp(a->message, b->message) != 0;
}

void netfake_network_observe(struct network_driver *driver, const char *uid,
                             struct network_status *ret_status)
{
    struct fake_network *network = netfake_network(fake_of(driver)->world, uid);

    *ret_status = (struct network_status){ 0 };
    if (!network) {
        (void)snprintf(ret_status->message, sizeof ret_status->message, "the network is not there");
        return;
    }
    ret_status->is_up = network->is_up;
    ret_status->dhcp_running = network->dhcp_running;
    if (!network->is_up)
        (void)snprintf(ret_status->message, sizeof ret_status->message, "half-made");
    else if (!network->dhcp_running)
        (void)snprintf(ret_status->message, sizeof ret_status->message, "dnsmasq died");
}

static void on_due(void *arg)
{
    struct fake_op *op = arg;
    struct network_fake_driver *fake = op->driver;
    struct port_counters counters = { 0 };
    struct network_status before, after;
    struct err err;
    int fd = -1;

    op_unlink(op);
    netfake_network_observe(&fake->driver, op->uid, &before);
    bool failed = op_fails(op, &err) || op_apply(op, /*whole=*/true, &fd, &counters, &err);
    netfake_network_observe(&fake->driver, op->uid, &after);
    if (fake->changed && has_changed(&before, &after))
        fake->changed(fake->arg, op->uid);
    op_answer(op, failed ? &err : NULL, fd, &counters);
    op_free(op);
}

/* When the op ends: after a drawn delay, and after the calls before it on the same network. */
static int64_t due_of(struct network_fake_driver *fake, const char *uid)
{
    const struct network_fake_settings *settings = &fake->world->settings;
    uint64_t range = (uint64_t)(settings->delay_max_ms - settings->delay_min_ms) + 1;
    int64_t due = loop_now_ms(fake->loop) + settings->delay_min_ms +
                  (int64_t)(loop_random(fake->loop) % range);

    for (const struct fake_op *op = fake->ops; op; op = op->next)
        if (op->call != CALL_DHCP_BACK && str_equal(op->uid, uid) && op->due_ms >= due)
            due = op->due_ms + 1;
    return due;
}

static struct fake_op *op_start(struct network_fake_driver *fake, enum fake_call call,
                                const char *uid, const char *id, int64_t due_ms)
{
    struct fake_op *op = mem_new(struct fake_op);
    struct fake_op **at = &fake->ops;

    op->driver = fake;
    op->call = call;
    (void)snprintf(op->uid, sizeof op->uid, "%s", uid ? uid : "");
    (void)snprintf(op->id, sizeof op->id, "%s", id ? id : "");
    op->due_ms = due_ms;
    op->timer = loop_timer(fake->loop, due_ms - loop_now_ms(fake->loop), on_due, op);
    while (*at)
        at = &(*at)->next;
    *at = op;
    return op;
}

struct fake_op *netfake_op_new(struct network_driver *driver, enum fake_call call, const char *uid,
                               const char *id)
{
    struct network_fake_driver *fake = fake_of(driver);
    struct fake_op *op = op_start(fake, call, uid, id, due_of(fake, uid));

    /* A failed check fills 'refused', which the end of the call then answers. */
    if (network_uid_check(uid, &op->refused) == 0 && id)
        (void)port_id_check(id, &op->refused);
    return op;
}

void network_fake_fail_next(struct network_fake *fake, const char *call, enum err_code code)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (str_equal(calls[i].name, call)) {
            fake->fail_call = calls[i].name;
            fake->fail_code = code;
            return;
        }
    assert(!"a call of network_ops");
}

static void on_changed(void *arg)
{
    struct fake_op *op = arg;
    struct network_fake_driver *fake = op->driver;
    char uid[NETWORK_UID_SIZE];

    memcpy(uid, op->uid, sizeof uid);
    op_unlink(op);
    op_free(op);
    if (fake->changed)
        fake->changed(fake->arg, uid);
}

void netfake_driver_changed(struct network_fake_driver *driver, const char *network_uid)
{
    struct fake_op *op =
        op_start(driver, CALL_DHCP_BACK, network_uid, NULL, loop_now_ms(driver->loop));

    loop_source_free(op->timer);
    op->timer = loop_defer(driver->loop, on_changed, op);
}

void netfake_driver_dhcp_back(struct network_fake_driver *driver, const char *network_uid,
                              int64_t after_ms)
{
    netfake_driver_changed(driver, network_uid);
    op_start(driver, CALL_DHCP_BACK, network_uid, NULL, loop_now_ms(driver->loop) + after_ms);
}
