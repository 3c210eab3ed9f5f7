/* drivers/network/fake/driver.c - the contract's face of the pretended kernel. */
#include "base/fault.h"
#include "base/mem.h"
#include "drivers/network/fake/op.h"
#include <assert.h>
#include <stdlib.h>

struct network_driver *network_fake_open(struct network_fake *world,
                                         const struct network_setup *setup)
{
    struct network_fake_driver *fake = mem_new(struct network_fake_driver);

    assert(!world->driver);
    fake->driver.ops = &network_fake;
    fake->world = world;
    fake->loop = setup->loop;
    fake->changed = setup->changed;
    fake->arg = setup->arg;
    world->driver = fake;
    return &fake->driver;
}

static struct network_driver *fake_open(const struct network_setup *setup, struct err *err)
{
    struct network_driver *driver;

    if (fault_fails("network.open", err))
        return NULL;
    driver = network_fake_open(network_fake_new(), setup);
    fake_of(driver)->owns_world = true;
    return driver;
}

static void fake_close(struct network_driver *driver)
{
    if (!driver)
        return;

    struct network_fake_driver *fake = fake_of(driver);
    netfake_ops_cut(fake);
    fake->world->driver = NULL;
    if (fake->owns_world)
        network_fake_free(fake->world);
    free(fake);
}

static void fake_network_ensure(struct network_driver *driver, const struct network_config *config,
                                struct done done)
{
    struct fake_op *op = netfake_op_new(driver, CALL_NETWORK_ENSURE, config->uid, NULL);

    op->network = network_config_copy(config);
    op->done = done;
    (void)network_config_check(config, &op->refused);
}

static void fake_network_remove(struct network_driver *driver, const char *uid, struct done done)
{
    netfake_op_new(driver, CALL_NETWORK_REMOVE, uid, NULL)->done = done;
}

static void fake_network_refresh(struct network_driver *driver, const char *uid, struct done done)
{
    netfake_op_new(driver, CALL_NETWORK_REFRESH, uid, NULL)->done = done;
}

static void fake_port_ensure(struct network_driver *driver, const struct port_config *port,
                             struct done done)
{
    struct fake_op *op = netfake_op_new(driver, CALL_PORT_ENSURE, port->network_uid, port->id);

    op->port = *port;
    op->done = done;
    (void)port_config_check(port, &op->refused);
}

static void fake_port_open(struct network_driver *driver, const char *network_uid, const char *id,
                           network_fd_fn *fn, void *arg)
{
    struct fake_op *op = netfake_op_new(driver, CALL_PORT_OPEN, network_uid, id);

    op->fd_fn = fn;
    op->arg = arg;
}

static void fake_port_remove(struct network_driver *driver, const char *network_uid, const char *id,
                             struct done done)
{
    netfake_op_new(driver, CALL_PORT_REMOVE, network_uid, id)->done = done;
}

static void fake_port_read(struct network_driver *driver, const char *network_uid, const char *id,
                           port_counters_fn *fn, void *arg)
{
    struct fake_op *op = netfake_op_new(driver, CALL_PORT_READ, network_uid, id);

    op->counters_fn = fn;
    op->arg = arg;
}

static char **fake_list(struct network_driver *driver)
{
    return map_keys(fake_of(driver)->world->networks);
}

static char **fake_list_ports(struct network_driver *driver, const char *network_uid)
{
    struct fake_network *network = netfake_network(fake_of(driver)->world, network_uid);
    return network ? map_keys(network->ports) : mem_zero(sizeof(char *));
}

static void fake_dial(struct network_driver *driver, const char *network_uid,
                      const struct ip_addr *to, uint16_t port, int64_t timeout_ms,
                      network_fd_fn *fn, void *arg)
{
    struct fake_op *op = netfake_op_new(driver, CALL_DIAL, network_uid, NULL);

    op->to = *to;
    op->to_port = port;
    op->fd_fn = fn;
    op->arg = arg;
}

static void fake_namespace_open(struct network_driver *driver, const char *network_uid,
                                network_fd_fn *fn, void *arg)
{
    struct fake_op *op = netfake_op_new(driver, CALL_NAMESPACE_OPEN, network_uid, NULL);

    op->fd_fn = fn;
    op->arg = arg;
}

const struct network_ops network_fake = {
    .name = "fake",
    .open = fake_open,
    .close = fake_close,
    .network_ensure = fake_network_ensure,
    .network_remove = fake_network_remove,
    .network_refresh = fake_network_refresh,
    .network_observe = netfake_network_observe,
    .port_ensure = fake_port_ensure,
    .port_open = fake_port_open,
    .port_remove = fake_port_remove,
    .port_read = fake_port_read,
    .list = fake_list,
    .list_ports = fake_list_ports,
    .dial = fake_dial,
    .namespace_open = fake_namespace_open,
};
