/* tests/network/frames.c - writing and reading frames byte by byte. */
#include "frames.h"
#include "check.h"
#include <string.h>

enum {
    TYPE_IPV4 = 0x0800,
    TYPE_ARP = 0x0806,
    TYPE_IPV6 = 0x86dd,
    ETHERNET_SIZE = 14,
    IPV4_SIZE = 20,
    IPV6_SIZE = 40,
    PROTOCOL_ICMP = 1,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    PROTOCOL_ICMP6 = 58,
};

const struct mac_addr broadcast_mac = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };

struct ip_addr ip(const char *text)
{
    struct ip_addr addr;
    struct err err;

    CHECK_OK(ip_parse(text, &addr, &err), &err);
    return addr;
}

struct ip_addr ip_none(uint8_t family) { return (struct ip_addr){ .family = family }; }

struct mac_addr multicast_mac(const struct ip_addr *group)
{
    return (struct mac_addr){ { 0x33, 0x33, group->octet[12], group->octet[13], group->octet[14],
                                group->octet[15] } };
}

void frame_add(struct frame *frame, const void *bytes, size_t size)
{
    CHECK(frame->size + size <= FRAME_SIZE_MAX);
    if (size > 0)
        memcpy(frame->bytes + frame->size, bytes, size);
    frame->size += size;
}

void frame_add_u8(struct frame *frame, unsigned value)
{
    frame_add(frame, &(uint8_t){ (uint8_t)value }, 1);
}

void frame_add_u16(struct frame *frame, unsigned value)
{
    frame_add_u8(frame, value >> 8);
    frame_add_u8(frame, value);
}

void frame_add_u32(struct frame *frame, uint32_t value)
{
    frame_add_u16(frame, value >> 16);
    frame_add_u16(frame, value & 0xffff);
}

static void put_u16(struct frame *frame, size_t at, unsigned value)
{
    frame->bytes[at] = (uint8_t)(value >> 8);
    frame->bytes[at + 1] = (uint8_t)value;
}

/* The Internet checksum's sum, not folded. */
static uint32_t sum(const uint8_t *bytes, size_t size)
{
    uint32_t total = 0;

    for (size_t i = 0; i < size; i++)
        total += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    return total;
}

static unsigned fold(uint32_t total)
{
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return ~total & 0xffff;
}

static size_t octets(const struct ip_addr *addr) { return addr->family == 4 ? 4 : 16; }

struct frame ethernet(const struct ends *ends, unsigned type)
{
    struct frame frame = { .size = 0 };

    frame_add(&frame, ends->to_mac.octet, 6);
    frame_add(&frame, ends->from_mac.octet, 6);
    frame_add_u16(&frame, type);
    return frame;
}

struct frame arp(const struct ends *ends, unsigned operation)
{
    struct frame frame = ethernet(ends, TYPE_ARP);

    frame_add_u16(&frame, 1);
    frame_add_u16(&frame, TYPE_IPV4);
    frame_add_u8(&frame, 6);
    frame_add_u8(&frame, 4);
    frame_add_u16(&frame, operation);
    frame_add(&frame, ends->from_mac.octet, 6);
    frame_add(&frame, ends->from.octet, 4);
    frame_add(&frame, operation == ARP_IS_REPLY ? ends->to_mac.octet : (const uint8_t[6]){ 0 }, 6);
    frame_add(&frame, ends->to.octet, 4);
    return frame;
}

static void add_ipv4(struct frame *frame, const struct ends *ends, unsigned protocol, size_t size)
{
    size_t at = frame->size;

    frame_add_u16(frame, 0x4500);
    frame_add_u16(frame, (unsigned)(IPV4_SIZE + size));
    frame_add_u32(frame, 0);
    frame_add_u8(frame, 64);
    frame_add_u8(frame, protocol);
    frame_add_u16(frame, 0);
    frame_add(frame, ends->from.octet, 4);
    frame_add(frame, ends->to.octet, 4);
    put_u16(frame, at + 10, fold(sum(frame->bytes + at, IPV4_SIZE)));
}

static void add_ipv6(struct frame *frame, const struct ends *ends, unsigned protocol, size_t size)
{
    frame_add_u32(frame, 6u << 28);
    frame_add_u16(frame, (unsigned)size);
    frame_add_u8(frame, protocol);
    frame_add_u8(frame, 255);
    frame_add(frame, ends->from.octet, 16);
    frame_add(frame, ends->to.octet, 16);
}

/* A packet of 'protocol' whose header is 'header' with the checksum at 'checksum_at' of it. */
static struct frame packet(const struct ends *ends, unsigned protocol, const struct frame *header,
                           size_t checksum_at, const void *payload, size_t size)
{
    struct frame frame = ethernet(ends, ends->from.family == 4 ? TYPE_IPV4 : TYPE_IPV6);
    size_t whole = header->size + size, at;
    uint32_t total = (uint32_t)whole + protocol;

    if (ends->from.family == 4)
        add_ipv4(&frame, ends, protocol, whole);
    else
        add_ipv6(&frame, ends, protocol, whole);
    at = frame.size;
    frame_add(&frame, header->bytes, header->size);
    frame_add(&frame, payload, size);
    if (protocol == PROTOCOL_ICMP)
        total = 0; /* the only one without the pseudo header */
    else
        total +=
            sum(ends->from.octet, octets(&ends->from)) + sum(ends->to.octet, octets(&ends->to));
    put_u16(&frame, at + checksum_at, fold(total + sum(frame.bytes + at, whole)));
    return frame;
}

struct frame udp(const struct ends *ends, const void *payload, size_t size)
{
    struct frame header = { .size = 0 };

    frame_add_u16(&header, ends->from_port);
    frame_add_u16(&header, ends->to_port);
    frame_add_u16(&header, (unsigned)(8 + size));
    frame_add_u16(&header, 0);
    return packet(ends, PROTOCOL_UDP, &header, 6, payload, size);
}

struct frame tcp_syn(const struct ends *ends)
{
    struct frame header = { .size = 0 };

    frame_add_u16(&header, ends->from_port);
    frame_add_u16(&header, ends->to_port);
    frame_add_u32(&header, 1000);
    frame_add_u32(&header, 0);
    frame_add_u16(&header, 0x5002); /* five words, SYN */
    frame_add_u16(&header, 64240);
    frame_add_u32(&header, 0);
    return packet(ends, PROTOCOL_TCP, &header, 16, NULL, 0);
}

struct frame ping(const struct ends *ends)
{
    struct frame header = { .size = 0 };
    bool is_v4 = ends->from.family == 4;

    frame_add_u16(&header, is_v4 ? 0x0800 : 0x8000);
    frame_add_u16(&header, 0);
    frame_add_u32(&header, 0x00010001);
    return packet(ends, is_v4 ? PROTOCOL_ICMP : PROTOCOL_ICMP6, &header, 2, "virga", 6);
}

struct frame icmp6(const struct ends *ends, unsigned type, const void *body, size_t size)
{
    struct frame header = { .size = 0 };

    frame_add_u8(&header, type);
    frame_add_u8(&header, 0);
    frame_add_u16(&header, 0);
    return packet(ends, PROTOCOL_ICMP6, &header, 2, body, size);
}

/* Flags or reserved, the target, and the sender's MAC as an option. */
static struct frame neighbor(const struct ends *ends, unsigned type, uint32_t flags,
                             unsigned option, const struct ip_addr *target)
{
    struct frame body = { .size = 0 };
    bool is_probe = memcmp(ends->from.octet, (const uint8_t[16]){ 0 }, 16) == 0;

    frame_add_u32(&body, flags);
    frame_add(&body, target->octet, 16);
    if (!is_probe) {
        frame_add_u8(&body, option);
        frame_add_u8(&body, 1);
        frame_add(&body, ends->from_mac.octet, 6);
    }
    return icmp6(ends, type, body.bytes, body.size);
}

struct frame neighbor_advert(const struct ends *ends, const struct ip_addr *target)
{
    return neighbor(ends, 136, 0x60000000, 2, target);
}

struct frame neighbor_solicit(const struct ends *ends, const struct ip_addr *target)
{
    return neighbor(ends, 135, 0, 1, target);
}

struct frame router_advert(const struct ends *ends)
{
    struct frame body = { .size = 0 };

    frame_add_u32(&body, 0x40000708); /* 64 hops, lifetime 1800 s */
    frame_add_u32(&body, 0);
    frame_add_u32(&body, 0);
    return icmp6(ends, 134, body.bytes, body.size);
}

struct frame with_extension(const struct frame *frame, unsigned next_header)
{
    struct frame longer = { .size = 0 };
    size_t payload = ETHERNET_SIZE + IPV6_SIZE;

    frame_add(&longer, frame->bytes, payload);
    frame_add_u8(&longer, frame->bytes[ETHERNET_SIZE + 6]);
    frame_add_u8(&longer, 0);
    /* a padding option of six bytes; or: the first fragment, more follow, number 1 */
    frame_add_u16(&longer, next_header == 44 ? 0x0001 : 0x0104);
    frame_add_u32(&longer, next_header == 44 ? 1 : 0);
    frame_add(&longer, frame->bytes + payload, frame->size - payload);
    longer.bytes[ETHERNET_SIZE + 6] = (uint8_t)next_header;
    put_u16(&longer, ETHERNET_SIZE + 4, (unsigned)(longer.size - payload));
    return longer;
}

/* --- reading --- */

unsigned frame_u16(const struct frame *frame, size_t at)
{
    if (at + 2 > frame->size)
        return 0;
    return (unsigned)frame->bytes[at] << 8 | frame->bytes[at + 1];
}

unsigned frame_protocol(const struct frame *frame, size_t *ret_at)
{
    unsigned type = frame_u16(frame, 12);

    if (type == TYPE_IPV4 && frame->size >= ETHERNET_SIZE + IPV4_SIZE) {
        *ret_at = ETHERNET_SIZE + (frame->bytes[ETHERNET_SIZE] & 15u) * 4;
        return frame->bytes[ETHERNET_SIZE + 9];
    }
    if (type == TYPE_IPV6 && frame->size >= ETHERNET_SIZE + IPV6_SIZE) {
        *ret_at = ETHERNET_SIZE + IPV6_SIZE;
        return frame->bytes[ETHERNET_SIZE + 6];
    }
    return 0;
}

bool frame_is_udp(const struct frame *frame, uint16_t from_port, uint16_t to_port)
{
    size_t at;

    return frame_protocol(frame, &at) == PROTOCOL_UDP && frame_u16(frame, at) == from_port &&
           frame_u16(frame, at + 2) == to_port;
}

const uint8_t *frame_udp_payload(const struct frame *frame, size_t *ret_size)
{
    size_t at;

    if (frame_protocol(frame, &at) != PROTOCOL_UDP || frame->size < at + 8)
        return NULL;
    *ret_size = frame_u16(frame, at + 4) - 8u;
    return *ret_size <= frame->size - at - 8 ? frame->bytes + at + 8 : NULL;
}
