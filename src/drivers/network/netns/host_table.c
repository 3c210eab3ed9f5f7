/* drivers/network/netns/host_table.c - writing the firewall of the host's namespace. As nft(8) text
 * it is in tests/golden/nft/host.nft; tests/network compares what the kernel has after either. */
#include "drivers/network/netns/host_table.h"

#include "drivers/marks.h"
#include <arpa/inet.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <string.h>

/* ipv4_addr, ipv6_addr and ifname of nft(8). */
static const struct nft_key ipv4_key = { 7, sizeof(struct in_addr), NFT_NETWORK_ORDER };
static const struct nft_key ipv6_key = { 8, sizeof(struct in6_addr), NFT_NETWORK_ORDER };
static const struct nft_key interface_key = { 41, IFNAMSIZ, NFT_HOST_ORDER };

void host_table_name(const char *prefix, char to[NFT_TABLE_MAXNAMELEN])
{
    (void)snprintf(to, NFT_TABLE_MAXNAMELEN, "virga_%s", prefix);
}

/* --- conditions --- */

static void from_uplink(struct nft_batch *batch)
{
    nft_load_meta(batch, NFT_META_IIFNAME);
    nft_is_in(batch, "v_uplinks");
}

static void to_uplink(struct nft_batch *batch)
{
    nft_load_meta(batch, NFT_META_OIFNAME);
    nft_is_in(batch, "v_uplinks");
}

static void of_family(struct nft_batch *batch, uint8_t family)
{
    nft_load_meta(batch, NFT_META_NFPROTO);
    nft_is(batch, &family, sizeof family);
}

static void of_protocol(struct nft_batch *batch, uint8_t protocol)
{
    nft_load_meta(batch, NFT_META_L4PROTO);
    nft_is(batch, &protocol, sizeof protocol);
}

/* --- rules of v_from_uplinks --- */

static void accept_resolver(struct nft_batch *batch, uint8_t protocol)
{
    const uint16_t port = htons(53);

    nft_rule(batch, "v_from_uplinks");
    of_protocol(batch, protocol);
    nft_load_payload(batch, NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof port);
    nft_is(batch, &port, sizeof port);
    nft_verdict(batch, NF_ACCEPT, NULL);
}

static void accept_served(struct nft_batch *batch)
{
    const uint32_t mark = MARK_SERVED;

    nft_rule(batch, "v_from_uplinks");
    nft_load_socket_mark(batch);
    nft_is(batch, &mark, sizeof mark);
    nft_verdict(batch, NF_ACCEPT, NULL);
}

static void accept_icmp(struct nft_batch *batch, uint8_t family, uint8_t protocol, uint8_t type)
{
    nft_rule(batch, "v_from_uplinks");
    of_family(batch, family);
    of_protocol(batch, protocol);
    nft_load_payload(batch, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof type);
    nft_is(batch, &type, sizeof type);
    nft_verdict(batch, NF_ACCEPT, NULL);
}

/* Guests use the host as a router and as a resolver of names, and connect to what is served to them
 * on purpose; it is no machine to them otherwise. */
static void put_input(struct nft_batch *batch)
{
    nft_rule(batch, "v_input");
    from_uplink(batch);
    nft_verdict(batch, NFT_GOTO, "v_from_uplinks");

    nft_rule(batch, "v_from_uplinks");
    nft_is_known_connection(batch);
    nft_verdict(batch, NF_ACCEPT, NULL);
    accept_resolver(batch, IPPROTO_TCP);
    accept_resolver(batch, IPPROTO_UDP);
    accept_served(batch);
    accept_icmp(batch, NFPROTO_IPV4, IPPROTO_ICMP, ICMP_ECHO);
    accept_icmp(batch, NFPROTO_IPV6, IPPROTO_ICMPV6, ICMP6_ECHO_REQUEST);
    accept_icmp(batch, NFPROTO_IPV6, IPPROTO_ICMPV6, ND_NEIGHBOR_SOLICIT);
    accept_icmp(batch, NFPROTO_IPV6, IPPROTO_ICMPV6, ND_NEIGHBOR_ADVERT);
    nft_rule(batch, "v_from_uplinks");
    nft_verdict(batch, NF_DROP, NULL);
}

/* Networks do not reach each other through the host, and nothing reaches them that they did not ask
 * for. */
static void put_forward(struct nft_batch *batch)
{
    nft_rule(batch, "v_forward");
    from_uplink(batch);
    to_uplink(batch);
    nft_verdict(batch, NF_DROP, NULL);
    nft_rule(batch, "v_forward");
    from_uplink(batch);
    nft_verdict(batch, NF_ACCEPT, NULL);
    nft_rule(batch, "v_forward");
    to_uplink(batch);
    nft_is_known_connection(batch);
    nft_verdict(batch, NF_ACCEPT, NULL);
    nft_rule(batch, "v_forward");
    to_uplink(batch);
    nft_verdict(batch, NF_DROP, NULL);
}

/* The source address is at 'offset' of the network header. */
static void masquerade(struct nft_batch *batch, uint8_t family, unsigned offset, unsigned size,
                       const char *set)
{
    nft_rule(batch, "v_postrouting");
    of_family(batch, family);
    nft_load_payload(batch, NFT_PAYLOAD_NETWORK_HEADER, offset, size);
    nft_is_in(batch, set);
    nft_masquerade(batch);
}

/* --- the whole --- */

void host_table(struct nft_batch *batch)
{
    static const char *const chains[] = { "v_input", "v_forward", "v_postrouting",
                                          "v_from_uplinks" };

    nft_add_table(batch);
    nft_add_set(batch, "v_uplinks", &interface_key);
    nft_add_set(batch, "v_sources4", &ipv4_key);
    nft_add_set(batch, "v_sources6", &ipv6_key);
    nft_add_base_chain(batch, "v_input", "filter", NF_INET_LOCAL_IN, NF_IP_PRI_FILTER);
    nft_add_base_chain(batch, "v_forward", "filter", NF_INET_FORWARD, NF_IP_PRI_FILTER);
    nft_add_base_chain(batch, "v_postrouting", "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC);
    nft_add_chain(batch, "v_from_uplinks");
    for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++)
        nft_flush_chain(batch, chains[i]);
    put_input(batch);
    put_forward(batch);
    masquerade(batch, NFPROTO_IPV4, 12, sizeof(struct in_addr), "v_sources4");
    masquerade(batch, NFPROTO_IPV6, 8, sizeof(struct in6_addr), "v_sources6");
}

typedef void change_element(struct nft_batch *batch, const char *set, const void *key, size_t size);

static void change_elements(struct nft_batch *batch, change_element *change, const char *host_name,
                            const struct uplink_addresses *addresses)
{
    char name[IFNAMSIZ] = "";

    strncpy(name, host_name, sizeof name - 1);
    change(batch, "v_uplinks", name, sizeof name);
    change(batch, "v_sources4", addresses->network4.addr.octet, sizeof(struct in_addr));
    change(batch, "v_sources6", addresses->network6.addr.octet, sizeof(struct in6_addr));
}

void host_table_uplink(struct nft_batch *batch, const char *host_name,
                       const struct uplink_addresses *addresses, bool is_there)
{
    change_elements(batch, nft_add_element, host_name, addresses);
    if (!is_there) /* only what is there can be removed */
        change_elements(batch, nft_remove_element, host_name, addresses);
}

void host_table_remove(struct nft_batch *batch)
{
    nft_add_table(batch); /* only what is there can be removed */
    nft_remove_table(batch);
}
