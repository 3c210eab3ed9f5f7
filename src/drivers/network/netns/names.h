/* drivers/network/netns/names.h - the names and addresses that follow from uids: pure. */
#pragma once
#include "base/netaddr.h"
#include "drivers/network.h"
#include <net/if.h>

enum { HOST_PREFIX_SIZE = 5 };

/* Inside a namespace, where nothing else is. */
#define BRIDGE_NAME "br0"
#define UPLINK_NAME "up0"

/* Spreads texts over numbers, the same for ever (FNV-1a, folded). Not a secret. */
uint64_t name_hash(const char *text);

/* Of the link to the namespace, seen in the host's: "vgu" and ten hex digits. */
void uplink_host_name(const char *prefix, const char *network_uid, char to[IFNAMSIZ]);
/* Of a port: "t" and thirteen hex digits. */
void tap_name(const char *port_id, char to[IFNAMSIZ]);
/* Is it one that tap_name() can give? */
bool is_tap_name(const char *name);
/* A locally administered one, the same after each restart: guests remember their gateway. */
void bridge_mac(const char *network_uid, struct mac_addr *ret_mac);

/* The link-local address (fe80::/64) that belongs to a MAC. */
void link_local(const struct mac_addr *mac, struct ip_addr *ret_addr);

/* An uplink is a /30 of 169.254.64.0/18 and a /64 of fd76:6972:6761::/48, both numbered by its
 * slot. Nothing outside the host ever sees them. The range leaves out 169.254.169.254, where
 * clouds serve metadata. */
enum { UPLINK_SLOT_COUNT = 4096 };
struct uplink_addresses {
    struct ip_prefix host4, network4; /* address and length of either end */
    struct ip_prefix host6, network6;
};
void uplink_addresses(unsigned slot, struct uplink_addresses *ret_addresses);
/* The slot an address belongs to; false when it is no uplink's. */
bool uplink_slot_of(const struct ip_addr *addr, unsigned *ret_slot);
/* Where the search for a free slot begins, so that two daemons rarely try the same. */
unsigned uplink_first_slot(const char *network_uid);
