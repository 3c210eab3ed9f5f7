/* drivers/network/netns/rules.h - the firewall of a network's namespace as nft text: pure.
 *
 * In a network's namespace the table "bridge virga" lets a guest send only with its own
 * addresses, and "inet virga" guards the namespace itself and what leaves it. Both are made of
 * fixed chains over sets keyed by tap, so that a port coming or going touches elements only.
 * All texts can be applied again over what they made before, each as one transaction. */
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
