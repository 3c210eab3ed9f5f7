/* drivers/network/netns/ports.c - jobs: taps, with their rules and their entries for dnsmasq.
 *
 * A tap carries its port's id as alias, so that the kernel knows which ports there are. It
 * persists: it outlives the machine, and goes with the port. */
#include "base/fault.h"
#include "base/mem.h"
#include "drivers/network/netns/dnsmasq_job.h"
#include "drivers/network/netns/nft_kernel.h"
#include "drivers/network/netns/segment.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- taps --- */

/* Attaches to the tap, creating it when there is none of that name. */
static int attach_tap(const char *tap, int *ret_fd, struct err *err)
{
    auto_close int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

    if (fd < 0)
        return err_errno(err, "open /dev/net/tun");
    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", tap);
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        if (errno == EBUSY)
            return err_set(err, ERR_CONFLICT, "tap %s is in use by another process", tap);
        return err_errno(err, "tap %s", tap);
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}

static int create_tap(const char *tap, struct err *err)
{
    auto_close int fd = -1;

    if (attach_tap(tap, &fd, err) < 0)
        return -1;
    return ioctl(fd, TUNSETPERSIST, 1) < 0 ? err_errno(err, "tap %s", tap) : 0;
}

/* ERR_CONFLICT when two ids have one name, which chance makes nearly impossible. */
static int check_owner(const struct link *link, const char *id, struct err *err)
{
    if (link->alias[0] && strcmp(link->alias, id) != 0)
        return err_set(err, ERR_CONFLICT, "tap %s is port %s's", link->name, link->alias);
    return 0;
}

static int find_tap(struct netlink *netlink, const char *id, struct link *ret_link, struct err *err)
{
    char tap[IFNAMSIZ];

    tap_name(id, tap);
    if (link_find(netlink, tap, ret_link, err) < 0) {
        if (err->code == ERR_NOT_FOUND)
            (void)err_set(err, ERR_NOT_FOUND, "port %s is not there", id);
        return -1;
    }
    return check_owner(ret_link, id, err);
}

/* The alias first: from then on the port is listed, and found by whoever cleans up. */
static int find_or_create_tap(struct netlink *netlink, const char *id, const char *tap,
                              struct link *ret_link, struct err *err)
{
    if (link_find(netlink, tap, ret_link, err) == 0)
        return check_owner(ret_link, id, err);
    if (err->code != ERR_NOT_FOUND || create_tap(tap, err) < 0)
        return -1;
    fault_point("network.tap");
    return link_find(netlink, tap, ret_link, err);
}

/* --- ensuring --- */

struct port_ensure {
    struct segment *segment;
    const struct port_config *port;
    const struct server_process *server;
};

/* No tap yet: an address it shall have may still be leased to a port of before. */
static int free_addresses(const struct port_ensure *ensure, struct netlink *netlink,
                          const char *tap, struct err *err)
{
    struct link link;
    bool is_new = link_find(netlink, tap, &link, err) < 0;

    if (is_new && err->code != ERR_NOT_FOUND)
        return -1;
    return dnsmasq_free_addresses(ensure->segment, ensure->port, is_new, ensure->server->pid != 0,
                                  err);
}

static int ensure_inside(void *arg, struct netlink *netlink, struct err *err)
{
    const struct port_ensure *ensure = arg;
    struct port_rules rules = port_rules_of(ensure->port);
    struct link_change change = { .alias = ensure->port->id };
    struct link bridge, link;
    char tap[IFNAMSIZ];

    tap_name(ensure->port->id, tap);
    if (link_find(netlink, BRIDGE_NAME, &bridge, err) < 0)
        return err_wrap(err, "network %s is half-made", ensure->segment->uid);
    if (free_addresses(ensure, netlink, tap, err) < 0 ||
        find_or_create_tap(netlink, ensure->port->id, tap, &link, err) < 0)
        return -1;
    change.master = bridge.index;
    change.mtu = bridge.mtu;
    if (link_change(netlink, &link, &change, err) < 0)
        return -1;
    fault_point("network.port.link");
    if (guard_set_port(&ensure->segment->guard, tap, &rules, err) < 0)
        return -1;
    fault_point("network.port.rules");
    return dnsmasq_put_port(ensure->segment, tap, ensure->port, ensure->server, err);
}

int port_ensure_job(struct segment *segment, const struct port_config *port,
                    const struct server_process *server, struct err *err)
{
    struct port_ensure ensure = { segment, port, server };

    if (fault_fails("network.port.ensure", err))
        return -1;
    return segment_visit(segment, ensure_inside, &ensure, err);
}

/* --- removing --- */

struct port_remove {
    struct segment *segment;
    const char *id;
    const struct server_process *server;
};

/* The tap goes last: as long as it is there, so is the port. */
static int remove_inside(void *arg, struct netlink *netlink, struct err *err)
{
    const struct port_remove *remove = arg;
    struct link link;

    if (find_tap(netlink, remove->id, &link, err) < 0)
        return err->code == ERR_NOT_FOUND ? 0 : -1;
    if (dnsmasq_end_leases(remove->segment, link.name, remove->server->pid != 0, err) < 0 ||
        dnsmasq_remove_port(remove->segment, link.name, remove->server, err) < 0)
        return -1;
    fault_point("network.port.remove.files");
    if (guard_set_port(&remove->segment->guard, link.name, NULL, err) < 0)
        return -1;
    fault_point("network.port.remove.rules");
    return link_remove(netlink, link.index, err);
}

int port_remove_job(struct segment *segment, const char *id, const struct server_process *server,
                    struct err *err)
{
    struct port_remove remove = { segment, id, server };

    if (fault_fails("network.port.remove", err))
        return -1;
    if (segment_visit(segment, remove_inside, &remove, err) < 0)
        return err->code == ERR_NOT_FOUND ? 0 : -1;
    return 0;
}

/* --- opening and reading --- */

struct port_open {
    const char *id;
    int *ret_fd;
};

static int open_inside(void *arg, struct netlink *netlink, struct err *err)
{
    const struct port_open *open = arg;
    struct link link;

    if (find_tap(netlink, open->id, &link, err) < 0)
        return -1;
    return attach_tap(link.name, open->ret_fd, err);
}

int port_open_job(struct segment *segment, const char *id, int *ret_fd, struct err *err)
{
    struct port_open open = { id, ret_fd };

    if (fault_fails("network.port.open", err))
        return -1;
    return segment_visit(segment, open_inside, &open, err);
}

struct port_read {
    const char *id;
    struct port_counters *ret_counters;
};

/* What the guest sends, the tap receives. */
static int read_inside(void *arg, struct netlink *netlink, struct err *err)
{
    const struct port_read *read = arg;
    struct port_counters counters;
    struct link link;

    if (find_tap(netlink, read->id, &link, err) < 0)
        return -1;
    counters = (struct port_counters){ .rx_bytes = link.tx_bytes,
                                       .rx_packets = link.tx_packets,
                                       .tx_bytes = link.rx_bytes,
                                       .tx_packets = link.rx_packets };
    if (nft_read_counter("virga", "v_drops", link.name, &counters.spoof_drops, err) < 0 &&
        err->code != ERR_NOT_FOUND)
        return -1;
    *read->ret_counters = counters;
    return 0;
}

int port_read_job(struct segment *segment, const char *id, struct port_counters *ret_counters,
                  struct err *err)
{
    struct port_read read = { id, ret_counters };

    return segment_visit(segment, read_inside, &read, err);
}

/* --- listing --- */

struct port_list {
    char **ids;
    size_t count, capacity;
    int nameless[16]; /* taps cut off between creation and alias; the rest next time */
    unsigned nameless_count;
};

static void on_link(void *arg, const struct link *link)
{
    struct port_list *list = arg;

    if (!is_tap_name(link->name))
        return;
    if (!link->alias[0]) {
        if (list->nameless_count < sizeof list->nameless / sizeof list->nameless[0])
            list->nameless[list->nameless_count++] = link->index;
        return;
    }
    if (list->count + 1 >= list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 16;
        list->ids = mem_resize(list->ids, list->capacity * sizeof *list->ids);
    }
    list->ids[list->count++] = str_dup(link->alias);
    list->ids[list->count] = NULL;
}

static int list_inside(void *arg, struct netlink *netlink, struct err *err)
{
    struct port_list *list = arg;

    if (link_each(netlink, on_link, list, err) < 0)
        return -1;
    for (unsigned i = 0; i < list->nameless_count; i++)
        if (link_remove(netlink, list->nameless[i], err) < 0)
            return -1;
    return 0;
}

char **segment_ports(struct segment *segment, struct err *err)
{
    struct port_list list = { .ids = mem_zero(sizeof(char *)) };

    if (segment_visit(segment, list_inside, &list, err) < 0) {
        network_names_free(list.ids);
        return NULL;
    }
    return list.ids;
}

/* --- a socket --- */

struct dial {
    int family;
    int fd;
};

static int dial_inside(void *arg, struct netlink *netlink, struct err *err)
{
    struct dial *dial = arg;

    dial->fd = socket(dial->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return dial->fd < 0 ? err_errno(err, "socket") : 0;
}

int dial_job(struct segment *segment, uint8_t family, int *ret_fd, struct err *err)
{
    struct dial dial = { .family = family == 4 ? AF_INET : AF_INET6 };

    if (segment_visit(segment, dial_inside, &dial, err) < 0)
        return -1;
    *ret_fd = dial.fd;
    return 0;
}
