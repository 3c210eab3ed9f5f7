/* drivers/network/netns/rules.h - the firewall as nft text: pure.
 *
 * In a network's namespace the table "bridge virga" lets a guest send only with its own
 * addresses, and "inet virga" guards the namespace itself and what leaves it. Both are made of
 * fixed chains over sets keyed by tap, so that a port coming or going touches elements only.
 * In the host's namespace "inet virga_PREFIX" joins the uplinks to the outside. All texts can be
 * applied again over what they made before, each as one transaction. */
#pragma once
#include "base/str.h"
#include "drivers/network.h"
#include "drivers/network/netns/names.h"

/* What a port may send with. */
struct port_rules {
    struct mac_addr mac;
    struct ip_addr ipv4, ipv6; /* family 0: none */
    bool is_trusted;           /* nothing is checked */
};
struct port_rules port_rules_of(const struct port_config *port);
bool port_rules_equal(const struct port_rules *a, const struct port_rules *b);

/* Tables, sets and chains of a network's namespace; elements stay as they are. */
void rules_network(const struct network_config *config, struct buf *to);

/* Replaces what 'tap' may send with. 'old' NULL: nothing yet; 'new' NULL: nothing any more. */
void rules_port(const char *tap, const struct port_rules *old, const struct port_rules *new,
                struct buf *to);

/* The table of the host's namespace, and an uplink's entry in it. 'host_name' is the uplink's
 * link there. */
void rules_host(const char *prefix, struct buf *to);
void rules_host_uplink(const char *prefix, const char *host_name,
                       const struct uplink_addresses *addresses, bool is_there, struct buf *to);
void rules_host_remove(const char *prefix, struct buf *to); /* the whole table; absent is fine */
