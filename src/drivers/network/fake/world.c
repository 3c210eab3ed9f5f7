/* drivers/network/fake/world.c - the pretended kernel: what is there, and how it changes. */
#include "drivers/network/fake/world.h"

#include "base/mem.h"
#include "base/str.h"
#include <fcntl.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void port_free(void *value)
{
    struct fake_port *port = value;

    if (port->peer >= 0)
        close(port->peer);
    free(port);
}

static void network_free(void *value)
{
    struct fake_network *network = value;

    network_config_free(network->config);
    map_free(network->ports);
    free(network);
}

struct network_fake *network_fake_new(void)
{
    struct network_fake *fake = mem_new(struct network_fake);

    fake->networks = map_new(network_free);
    fake->settings = (struct network_fake_settings){ .delay_max_ms = 3 };
    return fake;
}

static struct fake_dialled dialled_pop(struct network_fake *fake)
{
    struct fake_dialled first = fake->dialled[0];

    memmove(fake->dialled, fake->dialled + 1, --fake->dialled_count * sizeof first);
    return first;
}

void network_fake_free(struct network_fake *fake)
{
    if (!fake)
        return;
    assert(!fake->driver);
    while (fake->dialled_count)
        close(dialled_pop(fake).fd);
    map_free(fake->networks);
    free(fake);
}

void network_fake_reboot(struct network_fake *fake)
{
    assert(!fake->driver);
    map_free(fake->networks);
    fake->networks = map_new(network_free);
}

void network_fake_set(struct network_fake *fake, const struct network_fake_settings *settings)
{
    assert(settings->delay_min_ms <= settings->delay_max_ms);
    fake->settings = *settings;
}

__attribute__((format(printf, 2, 3))) static void violated(struct network_fake *fake,
                                                           const char *format, ...)
{
    va_list args;

    if (fake->violation[0])
        return;
    va_start(args, format);
    (void)vsnprintf(fake->violation, sizeof fake->violation, format, args);
    va_end(args);
}

const char *network_fake_violation(const struct network_fake *fake)
{
    return fake->violation[0] ? fake->violation : NULL;
}

struct fake_network *netfake_network(const struct network_fake *fake, const char *uid)
{
    return map_get(fake->networks, uid);
}

struct fake_port *netfake_port(const struct network_fake *fake, const char *network_uid,
                               const char *id)
{
    struct fake_network *network = netfake_network(fake, network_uid);
    return network ? map_get(network->ports, id) : NULL;
}

void netfake_network_ensure(struct network_fake *fake, const struct network_config *config,
                            bool whole)
{
    struct fake_network *network = netfake_network(fake, config->uid);

    if (!network) {
        network = mem_new(struct fake_network);
        network->ports = map_new(port_free);
        map_set(fake->networks, config->uid, network);
    }
    if (!whole)
        return;
    network_config_free(network->config);
    network->config = network_config_copy(config);
    network->is_up = true;
    network->dhcp_running = true;
}

/* Does the far end of the port's descriptor still exist anywhere? */
static bool is_in_use(struct fake_port *port)
{
    char byte;

    if (port->peer < 0)
        return false;
    if (recv(port->peer, &byte, 1, MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    close(port->peer);
    port->peer = -1;
    return false;
}

void netfake_network_remove(struct network_fake *fake, const char *uid, bool whole)
{
    struct fake_network *network = netfake_network(fake, uid);
    const char *id;
    void *port;

    if (!network)
        return;
    for (size_t at = 0; map_next(network->ports, &at, &id, &port);)
        if (is_in_use(port))
            violated(fake, "network %s was removed while port %s is in use", uid, id);
    network->is_up = false;
    network->dhcp_running = false;
    if (whole)
        map_remove(fake->networks, uid);
}

/* Two ports of one network must never share an address or a MAC. */
static void check_unique(struct network_fake *fake, struct fake_network *network,
                         const struct port_config *new)
{
    const char *id;
    void *value;

    for (size_t at = 0; map_next(network->ports, &at, &id, &value);) {
        const struct port_config *old = &((struct fake_port *)value)->config;
        const char *what = NULL;

        if (str_equal(id, new->id))
            continue;
        if (mac_equal(&old->mac, &new->mac))
            what = "MAC address";
        else if (new->ipv4.family && ip_equal(&old->ipv4, &new->ipv4))
            what = "IPv4 address";
        else if (new->ipv6.family && ip_equal(&old->ipv6, &new->ipv6))
            what = "IPv6 address";
        if (what)
            violated(fake, "ports %s and %s have the same %s", id, new->id, what);
    }
}

int netfake_port_ensure(struct network_fake *fake, const struct port_config *config, bool whole,
                        struct err *err)
{
    struct fake_network *network = netfake_network(fake, config->network_uid);

    if (!network)
        return err_set(err, ERR_NOT_FOUND, "network %s is not there", config->network_uid);

    struct fake_port *port = map_get(network->ports, config->id);
    if (!port) {
        port = mem_new(struct fake_port);
        port->peer = -1;
        map_set(network->ports, config->id, port);
    }
    check_unique(fake, network, config);
    port->config = *config;
    port->is_whole = whole;
    return 0;
}

void netfake_port_remove(struct network_fake *fake, const char *network_uid, const char *id,
                         bool whole)
{
    struct fake_network *network = netfake_network(fake, network_uid);
    struct fake_port *port = netfake_port(fake, network_uid, id);

    if (!port)
        return;
    if (is_in_use(port))
        violated(fake, "port %s of network %s was removed while it is in use", id, network_uid);
    port->is_whole = false;
    if (whole)
        map_remove(network->ports, id);
}

int netfake_port_open(struct network_fake *fake, const char *network_uid, const char *id,
                      int *ret_fd, struct err *err)
{
    struct fake_port *port = netfake_port(fake, network_uid, id);
    int ends[2];

    if (!port)
        return err_set(err, ERR_NOT_FOUND, "port %s of network %s is not there", id, network_uid);
    if (is_in_use(port))
        return err_set(err, ERR_CONFLICT, "port %s is in use by another process", id);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return err_errno(err, "port %s", id);
    port->peer = ends[0];
    *ret_fd = ends[1];
    return 0;
}

int netfake_namespace_open(struct network_fake *fake, const char *uid, int *ret_fd, struct err *err)
{
    if (!netfake_network(fake, uid))
        return err_set(err, ERR_NOT_FOUND, "network %s is not there", uid);
    *ret_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return *ret_fd < 0 ? err_errno(err, "open /dev/null") : 0;
}

int netfake_dial(struct network_fake *fake, const char *network_uid, const struct ip_addr *to,
                 uint16_t port, int *ret_fd, struct err *err)
{
    int ends[2];

    if (!netfake_network(fake, network_uid))
        return err_set(err, ERR_NOT_FOUND, "network %s is not there", network_uid);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return err_errno(err, "dial");
    if (fake->dialled_count == FAKE_DIALLED_MAX)
        close(dialled_pop(fake).fd);
    fake->dialled[fake->dialled_count++] = (struct fake_dialled){ ends[0], *to, port };
    *ret_fd = ends[1];
    return 0;
}

int network_fake_take_dialled(struct network_fake *fake, struct ip_addr *ret_to, uint16_t *ret_port)
{
    struct fake_dialled first;

    if (!fake->dialled_count)
        return -1;
    first = dialled_pop(fake);
    *ret_to = first.to;
    *ret_port = first.port;
    return first.fd;
}

static int line_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* 'lines' is consumed. */
static char *sorted_text(char **lines, size_t count)
{
    struct buf text = { 0 };

    qsort(lines, count, sizeof *lines, line_compare);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&text, "%s\n", lines[i]);
        free(lines[i]);
    }
    free(lines);
    return buf_take(&text);
}

char *network_fake_describe(const struct network_fake *fake)
{
    char **lines =
        mem_array(map_count(fake->networks) + network_fake_port_count(fake) + 1, sizeof *lines);
    const char *uid, *id;
    void *network, *port;
    size_t count = 0;

    for (size_t at = 0; map_next(fake->networks, &at, &uid, &network);) {
        lines[count++] = str_printf("network %s%s", uid,
                                    ((struct fake_network *)network)->is_up ? "" : " half-made");
        for (size_t in = 0; map_next(((struct fake_network *)network)->ports, &in, &id, &port);)
            lines[count++] = str_printf("network %s port %s%s", uid, id,
                                        ((struct fake_port *)port)->is_whole ? "" : " half-made");
    }
    return sorted_text(lines, count);
}

unsigned network_fake_network_count(const struct network_fake *fake)
{
    return (unsigned)map_count(fake->networks);
}

unsigned network_fake_port_count(const struct network_fake *fake)
{
    unsigned count = 0;
    const char *uid;
    void *network;

    for (size_t at = 0; map_next(fake->networks, &at, &uid, &network);)
        count += (unsigned)map_count(((struct fake_network *)network)->ports);
    return count;
}

unsigned network_fake_fds_open(struct network_fake *fake)
{
    unsigned count = 0;
    const char *name;
    void *network, *port;

    for (size_t at = 0; map_next(fake->networks, &at, &name, &network);)
        for (size_t in = 0; map_next(((struct fake_network *)network)->ports, &in, &name, &port);)
            count += is_in_use(port);
    return count;
}

const struct network_config *network_fake_network(const struct network_fake *fake, const char *uid)
{
    struct fake_network *network = netfake_network(fake, uid);
    return network && network->is_up ? network->config : NULL;
}

const struct port_config *network_fake_port(const struct network_fake *fake,
                                            const char *network_uid, const char *id)
{
    struct fake_port *port = netfake_port(fake, network_uid, id);
    return port && port->is_whole ? &port->config : NULL;
}

void network_fake_set_counters(struct network_fake *fake, const char *network_uid, const char *id,
                               const struct port_counters *counters)
{
    struct fake_port *port = netfake_port(fake, network_uid, id);

    if (port)
        port->counters = *counters;
}

void network_fake_kill_dhcp(struct network_fake *fake, const char *network_uid,
                            int64_t back_after_ms)
{
    struct fake_network *network = netfake_network(fake, network_uid);

    if (!network || !network->is_up)
        return;
    network->dhcp_running = false;
    if (fake->driver)
        netfake_driver_dhcp_back(fake->driver, network_uid, back_after_ms);
}

void network_fake_break(struct network_fake *fake, const char *network_uid)
{
    struct fake_network *network = netfake_network(fake, network_uid);

    if (!network)
        return;
    network->is_up = false;
    network->dhcp_running = false;
    if (fake->driver)
        netfake_driver_changed(fake->driver, network_uid);
}
