/* tests/network/frames.h - Ethernet frames as guests write them, right or wrong. */
#pragma once
#include "base/netaddr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_SIZE_MAX = 1514 };

struct frame {
    uint8_t bytes[FRAME_SIZE_MAX];
    size_t size;
};

/* Who talks to whom. */
struct ends {
    struct mac_addr from_mac, to_mac;
    struct ip_addr from, to;
    uint16_t from_port, to_port;
};

extern const struct mac_addr broadcast_mac;
struct ip_addr ip(const char *text);                        /* fails the test when it is none */
struct ip_addr ip_none(uint8_t family);                     /* 0.0.0.0 or :: */
struct mac_addr multicast_mac(const struct ip_addr *group); /* of an IPv6 group */

void frame_add(struct frame *frame, const void *bytes, size_t size);
void frame_add_u8(struct frame *frame, unsigned value);
void frame_add_u16(struct frame *frame, unsigned value);
void frame_add_u32(struct frame *frame, uint32_t value);

/* Whole frames; 'ends' holds the addresses of Ethernet and of what is above. */
struct frame ethernet(const struct ends *ends, unsigned type);
enum { ARP_IS_REQUEST = 1, ARP_IS_REPLY = 2 };
/* Sender MAC and IP are ends->from_mac and from; the target's IP is ends->to. */
struct frame arp(const struct ends *ends, unsigned operation);
struct frame udp(const struct ends *ends, const void *payload, size_t size);
struct frame tcp_syn(const struct ends *ends);
struct frame ping(const struct ends *ends);
/* 'body' follows type, code and checksum. */
struct frame icmp6(const struct ends *ends, unsigned type, const void *body, size_t size);
/* A neighbour advertisement for 'target', with the sender's MAC. */
struct frame neighbor_advert(const struct ends *ends, const struct ip_addr *target);
struct frame neighbor_solicit(const struct ends *ends, const struct ip_addr *target);
struct frame router_advert(const struct ends *ends);
/* The same IPv6 packet with an extension header before its payload: 8 bytes of kind
 * 'next_header' (0: hop by hop, 44: fragment). */
struct frame with_extension(const struct frame *frame, unsigned next_header);

/* --- reading --- */

unsigned frame_u16(const struct frame *frame, size_t at);
bool frame_is_udp(const struct frame *frame, uint16_t from_port, uint16_t to_port);
/* The payload of a UDP packet, NULL when it is none. */
const uint8_t *frame_udp_payload(const struct frame *frame, size_t *ret_size);
/* The transport protocol and where its header begins; 0: neither IPv4 nor IPv6. */
unsigned frame_protocol(const struct frame *frame, size_t *ret_at);
