/* base/netaddr.h - IPv4, IPv6 and MAC addresses and prefixes as values. */
#pragma once
#include "err.h"
#include <stdbool.h>
#include <stdint.h>

struct ip_addr {
    uint8_t family; /* 4 or 6; 0: none */
    uint8_t octet[16]; /* network order; IPv4 uses the first four */
};
struct ip_prefix {
    struct ip_addr addr; /* host bits zero when it came from ip_prefix_parse() */
    uint8_t length;
};
struct mac_addr {
    uint8_t octet[6];
};

enum { IP_TEXT_SIZE = 48, IP_PREFIX_TEXT_SIZE = 52, MAC_TEXT_SIZE = 18 };

int ip_parse(const char *text, struct ip_addr *ret_addr, struct err *err);
void ip_format(const struct ip_addr *addr, char to[IP_TEXT_SIZE]);
bool ip_equal(const struct ip_addr *a, const struct ip_addr *b);
int ip_compare(const struct ip_addr *a, const struct ip_addr *b);

/* "10.0.0.0/24"; host bits set is ERR_INVALID and the text says what would be right. */
int ip_prefix_parse(const char *text, struct ip_prefix *ret_prefix, struct err *err);
/* "10.0.0.1/24": address and length, host bits kept. */
int ip_interface_parse(const char *text, struct ip_prefix *ret_interface, struct err *err);
void ip_prefix_format(const struct ip_prefix *prefix, char to[IP_PREFIX_TEXT_SIZE]);
bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_addr *addr);
bool ip_prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b);
/* The address 'offset' after the first; false when outside the prefix. */
bool ip_prefix_nth(const struct ip_prefix *prefix, uint64_t offset, struct ip_addr *ret_addr);
bool ip_prefix_last(const struct ip_prefix *prefix, struct ip_addr *ret_addr);

int mac_parse(const char *text, struct mac_addr *ret_mac, struct err *err); /* unicast only */
void mac_format(const struct mac_addr *mac, char to[MAC_TEXT_SIZE]);        /* lower case */
bool mac_equal(const struct mac_addr *a, const struct mac_addr *b);
/* Both texts are the same IP or MAC address, however each is written. */
bool address_text_equal(const char *a, const char *b);
/* The EUI-64 (SLAAC) interface address of 'mac' below a /64 prefix, RFC 4291 appendix A. */
void ip_eui64(const struct ip_prefix *prefix, const struct mac_addr *mac, struct ip_addr *ret_addr);
