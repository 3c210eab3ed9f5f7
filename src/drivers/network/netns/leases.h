/* drivers/network/netns/leases.h - dnsmasq's lease file, and taking a lease back.
 *
 * dnsmasq refuses an address to a port while an old lease for it is in another client's name,
 * and it reads its lease file at start only. So when a port takes over an address, the lease
 * is given back in the name of the one who had it, as that client would have. */
#pragma once
#include "base/netaddr.h"
#include "base/str.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DUID_SIZE_MAX = 128 /* RFC 8415, with its type */ };

struct lease {
    struct ip_addr addr;
    struct mac_addr mac;         /* IPv4 only */
    uint32_t iaid;               /* IPv6 only */
    uint8_t duid[DUID_SIZE_MAX]; /* IPv6 only: the client's */
    size_t duid_size;
};

/* Reads the next line of a lease file from '*at' on, which moves behind it; false at the end.
 * Lines that are no lease are skipped; a line "duid ..." fills the server's DUID. */
struct lease_reader {
    const char *at;
    uint8_t server_duid[DUID_SIZE_MAX];
    size_t server_duid_size;
};
bool lease_next(struct lease_reader *reader, struct lease *ret_lease);

/* Is this lease in the way of a port with that MAC and those addresses? IPv6 leases name no MAC:
 * 'is_new' says that the port has never asked for one. */
bool lease_is_in_the_way(const struct lease *lease, const struct mac_addr *mac,
                         const struct ip_addr *ipv4, const struct ip_addr *ipv6, bool is_new);

/* The lease file without the leases in the way. */
void leases_without(const char *text, const struct mac_addr *mac, const struct ip_addr *ipv4,
                    const struct ip_addr *ipv6, bool is_new, struct buf *to);

/* What the client would send to give its lease back: RFC 2131 DHCPRELEASE to 'server' (its
 * server identifier), RFC 8415 Release. */
void lease_release4(const struct lease *lease, const struct ip_addr *server, struct buf *to);
void lease_release6(const struct lease *lease, const uint8_t *server_duid, size_t server_duid_size,
                    struct buf *to);
