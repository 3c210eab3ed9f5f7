/* drivers/network/netns/netlink.h - links, addresses and routes of the calling thread's network
 * namespace; and the socket that nft_*.h talk to the packet filter through. Everything here waits for the kernel, which may hold one lock for all namespaces
 * for tens of milliseconds: for worker jobs, and the few reads of open(). Errors carry the
 * kernel's own explanation where it gives one. */
#pragma once
#include "base/netaddr.h"
#include <libmnl/libmnl.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

enum { LINK_ALIAS_SIZE = 256 };

struct netlink {
    struct mnl_socket *socket;
    unsigned sequence;
    bool is_interrupted; /* what the last call listed changed meanwhile: some may be missing */
};

/* The socket belongs to the namespace the thread is in now. */
int netlink_open(struct netlink *netlink, struct err *err);
int netlink_open_filter(struct netlink *netlink, struct err *err); /* to the packet filter */
void netlink_close(struct netlink *netlink); /* a zeroed one is fine */

struct link {
    int index;
    char name[IFNAMSIZ];
    char alias[LINK_ALIAS_SIZE]; /* "" when none */
    char kind[16];               /* "bridge", "tun", "veth" */
    bool is_up;
    int master; /* index of its bridge; 0: none */
    unsigned mtu;
    struct mac_addr mac;
    uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets;
};

/* ERR_NOT_FOUND when there is no link of that name. */
int link_find(struct netlink *netlink, const char *name, struct link *ret_link, struct err *err);
/* Calls 'fn' for each link; it must not use 'netlink'. */
typedef void link_fn(void *arg, const struct link *link);
int link_each(struct netlink *netlink, link_fn *fn, void *arg, struct err *err);

/* Without multicast snooping, spanning tree and forward delay. */
int link_add_bridge(struct netlink *netlink, const char *name, const struct mac_addr *mac,
                    struct err *err);
/* The peer is born in the namespace behind 'peer_netns_fd'. */
int link_add_veth(struct netlink *netlink, const char *name, const char *peer_name,
                  int peer_netns_fd, struct err *err);

/* How a link shall be: up, and what of the rest is not zero. Asks for nothing that is so. */
struct link_change {
    int master;
    unsigned mtu;
    const struct mac_addr *mac;
    const char *alias;
};
int link_change(struct netlink *netlink, const struct link *link, const struct link_change *change,
                struct err *err);
int link_remove(struct netlink *netlink, int index, struct err *err); /* absent is fine */

/* An address is one with the length of its network. */
typedef void address_fn(void *arg, int link_index, const struct ip_prefix *address);
int address_each(struct netlink *netlink, address_fn *fn, void *arg, struct err *err);
/* Gives a link exactly these addresses beside the kernel's own link-local ones; usable at once,
 * without duplicate address detection. */
int address_set(struct netlink *netlink, int link_index, const struct ip_prefix *wanted,
                unsigned wanted_count, struct err *err);

/* The default route of the gateway's family, instead of one that is there. */
int route_set_default(struct netlink *netlink, int link_index, const struct ip_addr *gateway,
                      struct err *err);
