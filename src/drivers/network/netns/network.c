/* drivers/network/netns/network.c - jobs: bringing a network's namespace to what its
 * configuration says, and taking it away. Each step can be cut and is found again. */
#include "base/fault.h"
#include "base/files.h"
#include "drivers/network/netns/dnsmasq_job.h"
#include "drivers/network/netns/segment.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- inside --- */

struct setting {
    const char *name, *value;
};

static int set_all(const struct setting *settings, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (sysctl_set_if_there(settings[i].name, settings[i].value, err) < 0)
            return -1;
    return 0;
}

/* Links are born without IPv6; those that shall have it are given it by name. Bridged frames
 * must not pass the routing rules too, as they do by default. */
static int set_up_settings(const struct network_config *config, struct err *err)
{
    const char *routes4 = config->nat ? "1" : "0";
    /* Only a router learns a guest's MAC from its first question; the rules keep it from being
     * more of one than it shall. */
    const char *routes6 = config->ipv6.addr.family ? "1" : "0";
    const struct setting settings[] = {
        { "bridge/bridge-nf-call-iptables", "0" },
        { "bridge/bridge-nf-call-ip6tables", "0" },
        { "bridge/bridge-nf-call-arptables", "0" },
        { "ipv6/conf/default/disable_ipv6", "1" },
        { "ipv6/conf/default/accept_dad", "0" },
        { "ipv6/conf/default/accept_ra", "0" },
        { "ipv6/conf/all/accept_ra", "0" },
        { "ipv6/conf/all/accept_redirects", "0" },
        { "ipv4/conf/all/accept_redirects", "0" },
        { "ipv4/conf/all/send_redirects", "0" },
        { "ipv4/conf/default/send_redirects", "0" },
        { "ipv4/conf/all/rp_filter", "0" },
        { "ipv4/conf/default/rp_filter", "0" },
        { "ipv4/conf/all/arp_ignore", "1" },
        { "ipv4/ip_forward", routes4 },
        { "ipv6/conf/all/forwarding", routes6 },
    };

    return set_all(settings, sizeof settings / sizeof settings[0], err);
}

static int set_up_loopback(struct netlink *netlink, struct err *err)
{
    struct link link;

    if (link_find(netlink, "lo", &link, err) < 0)
        return -1;
    return link_change(netlink, &link, &(struct link_change){ 0 }, err);
}

static int find_or_add_bridge(struct netlink *netlink, const struct mac_addr *mac,
                              struct link *ret_link, struct err *err)
{
    if (link_find(netlink, BRIDGE_NAME, ret_link, err) == 0)
        return 0;
    if (err->code != ERR_NOT_FOUND || link_add_bridge(netlink, BRIDGE_NAME, mac, err) < 0)
        return -1;
    fault_point("network.bridge");
    return link_find(netlink, BRIDGE_NAME, ret_link, err);
}

static int set_bridge_addresses(struct netlink *netlink, const struct network_config *config,
                                int link_index, const struct mac_addr *mac, struct err *err)
{
    struct ip_prefix wanted[3];
    unsigned count = 0;

    if (config->ipv4.addr.family)
        wanted[count++] = (struct ip_prefix){ config->ipv4_gateway, config->ipv4.length };
    if (config->ipv6.addr.family) {
        wanted[count++] = (struct ip_prefix){ config->ipv6_gateway, config->ipv6.length };
        /* The kernel would make its own when the first guest comes, too late for dnsmasq. */
        wanted[count].length = 64;
        link_local(mac, &wanted[count++].addr);
    }
    return address_set(netlink, link_index, wanted, count, err);
}

static int set_up_bridge(struct netlink *netlink, const struct network_config *config,
                         struct err *err)
{
    const char *no_ipv6 = config->ipv6.addr.family ? "0" : "1";
    /* A guest that was asked for before it was there is asked again soon, and for as long as ever. */
    const struct setting settings[] = {
        { "ipv4/neigh/" BRIDGE_NAME "/retrans_time_ms", "50" },
        { "ipv4/neigh/" BRIDGE_NAME "/mcast_solicit", "60" },
        { "ipv6/neigh/" BRIDGE_NAME "/retrans_time_ms", "50" },
        { "ipv6/neigh/" BRIDGE_NAME "/mcast_solicit", "60" },
        { "ipv6/conf/" BRIDGE_NAME "/accept_dad", "0" },
        { "ipv6/conf/" BRIDGE_NAME "/addr_gen_mode", "1" },
        { "ipv6/conf/" BRIDGE_NAME "/disable_ipv6", no_ipv6 },
    };
    struct link_change change = { .mtu = config->mtu ? config->mtu : NETWORK_MTU_DEFAULT };
    struct mac_addr mac;
    struct link bridge;

    bridge_mac(config->uid, &mac);
    change.mac = &mac;
    if (find_or_add_bridge(netlink, &mac, &bridge, err) < 0 ||
        set_all(settings, sizeof settings / sizeof settings[0], err) < 0 ||
        link_change(netlink, &bridge, &change, err) < 0)
        return -1;
    return set_bridge_addresses(netlink, config, bridge.index, &mac, err);
}

struct inside {
    struct host *host;
    struct segment *segment;
    const struct network_config *config;
    struct segment_seen *seen;
};

/* The rules come before the bridge's address: nothing answers unguarded. */
static int ensure_inside(void *arg, struct netlink *netlink, struct err *err)
{
    const struct inside *inside = arg;
    const struct network_config *config = inside->config;

    if (set_up_settings(config, err) < 0 || set_up_loopback(netlink, err) < 0)
        return -1;
    if (guard_ensure(&inside->segment->guard, config, err) < 0)
        return -1;
    if (set_up_bridge(netlink, config, err) < 0)
        return -1;
    fault_point("network.addresses");
    if (!config->nat)
        return uplink_remove(inside->host, inside->segment, err);
    return uplink_ensure(inside->host, inside->segment, netlink, config, inside->seen->note, err);
}

/* --- the whole --- */

static int make_namespace(struct segment *segment, struct err *err)
{
    bool created;

    if (dir_make(segment->run_dir, 0755, err) < 0)
        return -1;
    fault_point("network.folder");
    if (namespace_create(segment->netns_path, &created, err) < 0)
        return -1;
    fault_point("network.namespace");
    if (created)
        guard_forget(&segment->guard);
    /* In a new namespace there are no ports; files of some are left from before a reboot. */
    return dnsmasq_make_folders(segment, /*afresh=*/created, err);
}

/* Without an address there is nothing to serve. */
static int find_server(struct host *host, struct segment *segment,
                       const struct network_config *config, const struct server_process *known,
                       struct segment_seen *ret_seen, struct err *err)
{
    auto_free char *path = NULL;

    if ((config->ipv4.addr.family || config->ipv6.addr.family) &&
        dnsmasq_write_config(host, segment, config, &path, err) < 0)
        return -1;
    fault_point("network.config");
    if (dnsmasq_find(segment, path, known, &ret_seen->server, err) < 0)
        return -1;
    ret_seen->dnsmasq_config = take_pointer(path);
    return 0;
}

int segment_ensure(struct host *host, struct segment *segment, const struct network_config *config,
                   const struct server_process *known, struct segment_seen *ret_seen,
                   struct err *err)
{
    struct inside inside = { host, segment, config, ret_seen };

    *ret_seen = (struct segment_seen){ 0 };
    segment->has_uplink = config->nat;
    if (fault_fails("network.ensure", err) || make_namespace(segment, err) < 0)
        return -1;
    if (segment_visit(segment, ensure_inside, &inside, err) < 0)
        return -1;
    fault_point("network.inside");
    return find_server(host, segment, config, known, ret_seen, err);
}

enum { LINKS_MAX = 64 };

struct doomed {
    int indexes[LINKS_MAX];
    unsigned count;
};

static void on_doomed(void *arg, const struct link *link)
{
    struct doomed *doomed = arg;

    if ((is_tap_name(link->name) || strcmp(link->name, BRIDGE_NAME) == 0) &&
        doomed->count < LINKS_MAX)
        doomed->indexes[doomed->count++] = link->index;
}

/* The kernel takes the namespace down when it has time, and not before the last process lets go
 * of its tap: what connects guests is removed now. */
static int empty_inside(void *arg, struct netlink *netlink, struct err *err)
{
    struct doomed doomed;

    do {
        doomed.count = 0;
        if (link_each(netlink, on_doomed, &doomed, err) < 0)
            return -1;
        for (unsigned i = 0; i < doomed.count; i++)
            if (link_remove(netlink, doomed.indexes[i], err) < 0)
                return -1;
    } while (doomed.count == LINKS_MAX);
    return 0;
}

static int remove_inside(struct segment *segment, struct err *err)
{
    const struct server_process known = { 0 };
    struct server_process none;

    if (dnsmasq_find(segment, NULL, &known, &none, err) < 0)
        return err->code == ERR_NOT_FOUND ? 0 : -1; /* no namespace, nothing in it */
    fault_point("network.remove.server");
    return segment_visit(segment, empty_inside, NULL, err);
}

int segment_remove(struct host *host, struct segment *segment, struct err *err)
{
    if (fault_fails("network.remove", err) || remove_inside(segment, err) < 0)
        return -1;
    if (uplink_remove(host, segment, err) < 0)
        return -1;
    fault_point("network.remove.uplink");
    if (namespace_remove(segment->netns_path, err) < 0)
        return -1;
    guard_forget(&segment->guard);
    fault_point("network.remove.namespace");
    if (dir_remove(segment->state_dir, err) < 0)
        return -1;
    fault_point("network.remove.state");
    return dir_remove(segment->run_dir, err);
}

/* --- looking --- */

static int check_inside(void *arg, struct netlink *netlink, struct err *err)
{
    const struct segment *segment = arg;
    struct link link;

    if (link_find(netlink, BRIDGE_NAME, &link, err) < 0)
        return -1;
    if (!link.is_up)
        return err_set(err, ERR_IO, "link " BRIDGE_NAME " is down");
    if (segment->has_uplink && link_find(netlink, UPLINK_NAME, &link, err) < 0)
        return -1;
    return guard_check(err);
}

int segment_check(struct host *host, struct segment *segment, struct segment_seen *ret_seen,
                  char ***ret_ports, struct err *err)
{
    *ret_seen = (struct segment_seen){ 0 };
    *ret_ports = segment_ports(segment, err);
    if (!*ret_ports)
        return -1;
    guard_forget(&segment->guard);
    segment->uplink_rules_generation = 0;
    if (dnsmasq_look(segment, &ret_seen->server, err) < 0)
        return -1;
    if (segment_visit(segment, check_inside, segment, err) < 0)
        return -1;
    return segment->has_uplink ? uplink_check(host, segment, err) : 0;
}
