/* tests/sim/spy_network.c - judges what is asked of the networks. */
#include "spy.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

struct spy {
    struct network_driver driver;
    struct sim *sim;
    struct network_driver *inner;
};

static struct sim *sim_of(struct network_driver *driver) { return ((struct spy *)driver)->sim; }
static struct network_driver *inner_of(struct network_driver *driver)
{
    return ((struct spy *)driver)->inner;
}

static char *instance_of(const char *port_id)
{
    return str_dup_part(port_id, strcspn(port_id, "/"));
}

static void expect_unused(struct sim *sim, const char *call, const char *port_id)
{
    auto_free char *uid = instance_of(port_id);
    const char *slash = strchr(port_id, '/');

    if (slash && machine_has_nic(sim, uid, slash + 1))
        sim_fail(sim, "%s: a running machine has port %s", call, port_id);
}

static void network_ensure(struct network_driver *driver, const struct network_config *config,
                           struct done done)
{
    struct sim *sim = sim_of(driver);
    struct thing *thing = spy_expects_wanted(sim, "network_ensure", config->uid);

    inner_of(driver)->ops->network_ensure(inner_of(driver), config,
                                          spy_answer(sim, done, false, "ensure %s", thing->key));
}

static void network_remove(struct network_driver *driver, const char *uid, struct done done)
{
    struct sim *sim = sim_of(driver);
    char **ids = inner_of(driver)->ops->list_ports(inner_of(driver), uid);

    spy_expects_unwanted(sim, "network_remove", uid);
    for (char **id = ids; *id; id++)
        expect_unused(sim, "network_remove", *id);
    network_names_free(ids);
    inner_of(driver)->ops->network_remove(inner_of(driver), uid,
                                          spy_answer(sim, done, false, "remove network %s", uid));
}

static void network_refresh(struct network_driver *driver, const char *uid, struct done done)
{
    inner_of(driver)->ops->network_refresh(inner_of(driver), uid, done);
}

static void network_observe(struct network_driver *driver, const char *uid,
                            struct network_status *ret_status)
{
    inner_of(driver)->ops->network_observe(inner_of(driver), uid, ret_status);
}

static void port_ensure(struct network_driver *driver, const struct port_config *port,
                        struct done done)
{
    struct sim *sim = sim_of(driver);
    auto_free char *uid = instance_of(port->id);
    struct thing *thing = spy_expects_wanted(sim, "port_ensure", uid);

    inner_of(driver)->ops->port_ensure(inner_of(driver), port,
                                       spy_answer(sim, done, false, "ensure port %s of %s", port->id,
                                                  thing->key));
}

static void port_open(struct network_driver *driver, const char *network_uid, const char *id,
                      network_fd_fn *fn, void *arg)
{
    struct sim *sim = sim_of(driver);
    auto_free char *uid = instance_of(id);
    struct thing *thing = spy_expects_wanted(sim, "port_open", uid);

    spy_tell(sim, "open port %s of %s", id, thing->key);
    inner_of(driver)->ops->port_open(inner_of(driver), network_uid, id, fn, arg);
}

static void port_remove(struct network_driver *driver, const char *network_uid, const char *id,
                        struct done done)
{
    struct sim *sim = sim_of(driver);
    auto_free char *uid = instance_of(id);

    if (!thing_here(sim, uid) && !stranger_may_go(sim, id))
        sim_fail(sim, "port_remove of %s, a stranger", id);
    expect_unused(sim, "port_remove", id);
    inner_of(driver)->ops->port_remove(inner_of(driver), network_uid, id,
                                       spy_answer(sim, done, false, "remove port %s", id));
}

static void port_read(struct network_driver *driver, const char *network_uid, const char *id,
                      port_counters_fn *fn, void *arg)
{
    inner_of(driver)->ops->port_read(inner_of(driver), network_uid, id, fn, arg);
}

static char **list(struct network_driver *driver)
{
    return inner_of(driver)->ops->list(inner_of(driver));
}

static char **list_ports(struct network_driver *driver, const char *network_uid)
{
    return inner_of(driver)->ops->list_ports(inner_of(driver), network_uid);
}

static void close_spy(struct network_driver *driver)
{
    inner_of(driver)->ops->close(inner_of(driver));
    free(driver);
}

static const struct network_ops spy_ops = {
    .name = "spy",
    .close = close_spy,
    .network_ensure = network_ensure,
    .network_remove = network_remove,
    .network_refresh = network_refresh,
    .network_observe = network_observe,
    .port_ensure = port_ensure,
    .port_open = port_open,
    .port_remove = port_remove,
    .port_read = port_read,
    .list = list,
    .list_ports = list_ports,
};

struct network_driver *spy_network_new(struct sim *sim, const struct network_setup *setup)
{
    struct spy *spy = mem_new(struct spy);

    *spy = (struct spy){ { &spy_ops }, sim, network_fake_open(sim->networks, setup) };
    return &spy->driver;
}
