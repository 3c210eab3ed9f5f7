/* drivers/network/netns/rules.c - writing the firewall as nft text. */
#include "drivers/network/netns/rules.h"
#include "drivers/marks.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Who sends with what. ND targets need a set of their own, as raw payload: "icmpv6 taddr" came
 * with nft 1.0.8 only. v_owned6 has the link-local addresses that belong to a known MAC; any
 * other may be used by any guest, since systems make up their own (RFC 7217). */
static const char guard_sets[] = "add table bridge virga\n"
                                 "add set bridge virga v_trusted { type ifname; }\n"
                                 "add set bridge virga v_mac { type ifname . ether_addr; }\n"
                                 "add set bridge virga v_ip4 { type ifname . ipv4_addr; }\n"
                                 "add set bridge virga v_ip6 { type ifname . ipv6_addr; }\n"
                                 "add set bridge virga v_target6 { typeof iifname . @th,64,128; }\n"
                                 "add set bridge virga v_owned6 { type ipv6_addr; }\n"
                                 "add set bridge virga v_owned_target6 { typeof @th,64,128; }\n"
                                 "add set bridge virga v_drops { type ifname; counter; }\n";

static const char *const guard_chains[] = { "v_arp",    "v_ip",    "v_ipv6", "v_source",
                                            "v_target", "v_whole", "v_spoof" };

/* Everything is dropped that is not let through: a frame whose headers can't be read reaches
 * v_spoof. v_whole lets only those pass whose transport header nft has found, so that nothing
 * hides behind a chain of fragments (RFC 7113). */
static const char guard_rules[] =
    "add rule bridge virga v_guard iifname @v_trusted accept\n"
    "add rule bridge virga v_guard iifname . ether saddr != @v_mac goto v_spoof\n"
    "add rule bridge virga v_guard ether type arp goto v_arp\n"
    "add rule bridge virga v_guard ether type ip goto v_ip\n"
    "add rule bridge virga v_guard ether type ip6 goto v_ipv6\n"
    "add rule bridge virga v_guard goto v_spoof\n"
    /* ARP: its own addresses, or a probe before it takes one (RFC 5227) */
    "add rule bridge virga v_arp arp htype != 1 goto v_spoof\n"
    "add rule bridge virga v_arp arp ptype != ip goto v_spoof\n"
    "add rule bridge virga v_arp arp hlen != 6 goto v_spoof\n"
    "add rule bridge virga v_arp arp plen != 4 goto v_spoof\n"
    "add rule bridge virga v_arp arp operation != { request, reply } goto v_spoof\n"
    "add rule bridge virga v_arp iifname . arp saddr ether != @v_mac goto v_spoof\n"
    "add rule bridge virga v_arp iifname . arp saddr ip @v_ip4 accept\n"
    "add rule bridge virga v_arp arp operation request arp saddr ip 0.0.0.0 accept\n"
    "add rule bridge virga v_arp goto v_spoof\n"
    /* IPv4: its own address; without one yet, only to ask for it. Clients look at the
     * destination port alone, so both ports of a DHCP server are refused. */
    "add rule bridge virga v_ip udp sport 67 goto v_spoof\n"
    "add rule bridge virga v_ip udp dport 68 goto v_spoof\n"
    "add rule bridge virga v_ip iifname . ip saddr @v_ip4 goto v_whole\n"
    "add rule bridge virga v_ip ip saddr 0.0.0.0 ip daddr 255.255.255.255 "
    "udp sport 68 udp dport 67 accept\n"
    "add rule bridge virga v_ip ip saddr 0.0.0.0 ip protocol igmp drop\n"
    "add rule bridge virga v_ip goto v_spoof\n"
    /* IPv6: no router, no DHCP server, no neighbour discovery in fragments (RFC 6980) */
    "add rule bridge virga v_ipv6 icmpv6 type { nd-router-advert, nd-redirect } goto v_spoof\n"
    "add rule bridge virga v_ipv6 udp sport 547 goto v_spoof\n"
    "add rule bridge virga v_ipv6 udp dport 546 goto v_spoof\n"
    "add rule bridge virga v_ipv6 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } "
    "exthdr frag exists goto v_spoof\n"
    "add rule bridge virga v_ipv6 ip6 saddr :: icmpv6 type nd-neighbor-solicit goto v_target\n"
    "add rule bridge virga v_ipv6 ip6 saddr :: icmpv6 type "
    "{ nd-router-solicit, mld-listener-report, mld2-listener-report } accept\n"
    "add rule bridge virga v_ipv6 iifname . ip6 saddr @v_ip6 goto v_source\n"
    "add rule bridge virga v_ipv6 ip6 saddr fe80::/10 ip6 saddr != @v_owned6 goto v_source\n"
    "add rule bridge virga v_ipv6 goto v_spoof\n"
    "add rule bridge virga v_source icmpv6 type nd-neighbor-advert goto v_target\n"
    "add rule bridge virga v_source goto v_whole\n"
    /* a neighbour says "this address is mine": an advertisement, or a probe from :: */
    "add rule bridge virga v_target iifname . @th,64,128 @v_target6 accept\n"
    "add rule bridge virga v_target @th,64,10 0x3fa @th,64,128 != @v_owned_target6 accept\n"
    "add rule bridge virga v_target goto v_spoof\n"
    "add rule bridge virga v_whole meta l4proto != 255 accept\n"
    "add rule bridge virga v_whole goto v_spoof\n"
    "add rule bridge virga v_spoof iifname @v_drops drop\n";

struct port_rules port_rules_of(const struct port_config *port)
{
    return (struct port_rules){ port->mac, port->ipv4, port->ipv6, port->allow_spoofing };
}

bool port_rules_equal(const struct port_rules *a, const struct port_rules *b)
{
    return mac_equal(&a->mac, &b->mac) && ip_equal(&a->ipv4, &b->ipv4) &&
           ip_equal(&a->ipv6, &b->ipv6) && a->is_trusted == b->is_trusted;
}

/* As a number, which is what raw payload is to nft. */
static void format_raw(const struct ip_addr *addr, char to[35])
{
    static const char digits[] = "0123456789abcdef";

    *to++ = '0';
    *to++ = 'x';
    for (int i = 0; i < 16; i++) {
        *to++ = digits[addr->octet[i] >> 4];
        *to++ = digits[addr->octet[i] & 15];
    }
    *to = '\0';
}

static void add_owned(const char *verb, const struct mac_addr *mac, struct buf *to)
{
    struct ip_addr addr;
    char text[IP_TEXT_SIZE], raw[35];

    link_local(mac, &addr);
    ip_format(&addr, text);
    format_raw(&addr, raw);
    buf_printf(to, "%s element bridge virga v_owned6 { %s }\n", verb, text);
    buf_printf(to, "%s element bridge virga v_owned_target6 { %s }\n", verb, raw);
}

/* --- the namespace of a network --- */

static void add_guard(const struct network_config *config, struct buf *to)
{
    struct mac_addr gateway;

    buf_add_text(to, guard_sets);
    buf_add_text(to, "add chain bridge virga v_guard "
                     "{ type filter hook prerouting priority filter; policy drop; }\n");
    for (size_t i = 0; i < COUNT(guard_chains); i++)
        buf_printf(to, "add chain bridge virga %s\n", guard_chains[i]);
    buf_add_text(to, "flush chain bridge virga v_guard\n");
    for (size_t i = 0; i < COUNT(guard_chains); i++)
        buf_printf(to, "flush chain bridge virga %s\n", guard_chains[i]);
    buf_add_text(to, guard_rules);
    bridge_mac(config->uid, &gateway);
    add_owned("add", &gateway, to);
}

static const char namespace_chains[] =
    "add table inet virga\n"
    "add chain inet virga v_input { type filter hook input priority filter; policy drop; }\n"
    "add chain inet virga v_from_guests\n"
    "add chain inet virga v_forward { type filter hook forward priority filter; policy drop; }\n"
    "add chain inet virga v_postrouting "
    "{ type nat hook postrouting priority srcnat; policy accept; }\n"
    "flush chain inet virga v_input\n"
    "flush chain inet virga v_from_guests\n"
    "flush chain inet virga v_forward\n"
    "flush chain inet virga v_postrouting\n";

/* What guests may ask the gateway: names, addresses, whether it is there, and what is served to
 * them on purpose. */
static void add_input(const struct network_config *config, struct buf *to)
{
    buf_add_text(to, "add rule inet virga v_input iifname \"lo\" accept\n"
                     "add rule inet virga v_input ct state established,related accept\n"
                     "add rule inet virga v_input iifname \"" BRIDGE_NAME "\" goto v_from_guests\n"
                     "add rule inet virga v_input iifname \"" UPLINK_NAME "\" icmpv6 type "
                     "{ nd-neighbor-solicit, nd-neighbor-advert } accept\n"
                     "add rule inet virga v_from_guests meta l4proto { tcp, udp } "
                     "th dport 53 accept\n"
                     "add rule inet virga v_from_guests socket mark " MARK_SERVED_TEXT " accept\n"
                     "add rule inet virga v_from_guests icmp type echo-request accept\n");
    if (config->dhcp4 && config->ipv4.addr.family)
        buf_add_text(to, "add rule inet virga v_from_guests udp dport 67 accept\n");
    if (config->ipv6.addr.family)
        buf_add_text(to, "add rule inet virga v_from_guests udp dport 547 accept\n"
                         "add rule inet virga v_from_guests icmpv6 type { echo-request, "
                         "nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept\n");
}

/* Guests reach the outside, never the host's link-local neighbours: a cloud serves its
 * credentials there. */
static void add_nat(struct buf *to)
{
    buf_add_text(to, "add rule inet virga v_forward ip daddr 169.254.0.0/16 drop\n"
                     "add rule inet virga v_forward ct state established,related accept\n"
                     "add rule inet virga v_forward iifname \"" BRIDGE_NAME
                     "\" oifname \"" UPLINK_NAME "\" accept\n"
                     "add rule inet virga v_postrouting oifname \"" UPLINK_NAME "\" masquerade\n");
}

void rules_network(const struct network_config *config, struct buf *to)
{
    add_guard(config, to);
    buf_add_text(to, namespace_chains);
    add_input(config, to);
    if (config->nat)
        add_nat(to);
}

/* --- ports --- */

static void add_address6(const char *verb, const char *tap, const struct ip_addr *addr,
                         struct buf *to)
{
    char text[IP_TEXT_SIZE], raw[35];

    ip_format(addr, text);
    format_raw(addr, raw);
    buf_printf(to, "%s element bridge virga v_ip6 { \"%s\" . %s }\n", verb, tap, text);
    buf_printf(to, "%s element bridge virga v_target6 { \"%s\" . %s }\n", verb, tap, raw);
}

static void add_port(const char *verb, const char *tap, const struct port_rules *rules,
                     struct buf *to)
{
    char mac[MAC_TEXT_SIZE], text[IP_TEXT_SIZE];
    struct ip_addr local;

    if (rules->is_trusted) {
        buf_printf(to, "%s element bridge virga v_trusted { \"%s\" }\n", verb, tap);
        return;
    }
    mac_format(&rules->mac, mac);
    buf_printf(to, "%s element bridge virga v_mac { \"%s\" . %s }\n", verb, tap, mac);
    if (rules->ipv4.family) {
        ip_format(&rules->ipv4, text);
        buf_printf(to, "%s element bridge virga v_ip4 { \"%s\" . %s }\n", verb, tap, text);
    }
    if (rules->ipv6.family)
        add_address6(verb, tap, &rules->ipv6, to);
    link_local(&rules->mac, &local);
    add_address6(verb, tap, &local, to);
    add_owned(verb, &rules->mac, to);
}

void rules_port(const char *tap, const struct port_rules *old, const struct port_rules *new,
                struct buf *to)
{
    /* Adding before deleting makes deleting right whatever is there. */
    if (old && !(new &&port_rules_equal(old, new))) {
        add_port("add", tap, old, to);
        add_port("delete", tap, old, to);
    }
    if (old && !new)
        buf_printf(to,
                   "add element bridge virga v_drops { \"%s\" }\n"
                   "delete element bridge virga v_drops { \"%s\" }\n",
                   tap, tap);
    if (!new)
        return;
    add_port("add", tap, new, to);
    buf_printf(to, "add element bridge virga v_drops { \"%s\" }\n", tap);
}
