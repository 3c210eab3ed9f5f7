/* drivers/network/netns/names.c - the names and addresses that follow from uids. */
#include "drivers/network/netns/names.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

uint64_t name_hash(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

void uplink_host_name(const char *prefix, const char *network_uid, char to[IFNAMSIZ])
{
    assert(strlen(prefix) < HOST_PREFIX_SIZE);
    (void)snprintf(to, IFNAMSIZ, "%su%010llx", prefix,
                   (unsigned long long)(name_hash(network_uid) & 0xffffffffff));
}

void tap_name(const char *port_id, char to[IFNAMSIZ])
{
    (void)snprintf(to, IFNAMSIZ, "t%013llx",
                   (unsigned long long)(name_hash(port_id) & 0xfffffffffffff));
}

bool is_tap_name(const char *name)
{
    return name[0] == 't' && strlen(name) == 14 && strspn(name + 1, "0123456789abcdef") == 13;
}

void bridge_mac(const char *network_uid, struct mac_addr *ret_mac)
{
    uint64_t hash = name_hash(network_uid);

    ret_mac->octet[0] = 0x02;
    for (int i = 1; i < 6; i++, hash >>= 8)
        ret_mac->octet[i] = (uint8_t)hash;
}

void link_local(const struct mac_addr *mac, struct ip_addr *ret_addr)
{
    static const struct ip_prefix prefix = { { 6, { 0xfe, 0x80 } }, 64 };

    ip_eui64(&prefix, mac, ret_addr);
}

static struct ip_prefix address4(unsigned slot, unsigned end)
{
    unsigned low = 64u * 256 + slot * 4 + end;

    return (struct ip_prefix){ { 4, { 169, 254, (uint8_t)(low >> 8), (uint8_t)low } }, 30 };
}

static struct ip_prefix address6(unsigned slot, unsigned end)
{
    return (struct ip_prefix){ { 6,
                                 { 0xfd, 0x76, 0x69, 0x72, 0x67, 0x61, (uint8_t)(slot >> 8),
                                   (uint8_t)slot, [15] = (uint8_t)end } },
                               64 };
}

void uplink_addresses(unsigned slot, struct uplink_addresses *ret_addresses)
{
    assert(slot < UPLINK_SLOT_COUNT);
    *ret_addresses = (struct uplink_addresses){
        .host4 = address4(slot, 1),
        .network4 = address4(slot, 2),
        .host6 = address6(slot, 1),
        .network6 = address6(slot, 2),
    };
}

bool uplink_slot_of(const struct ip_addr *addr, unsigned *ret_slot)
{
    const uint8_t *octet = addr->octet;

    if (addr->family != 4 || octet[0] != 169 || octet[1] != 254 || octet[2] < 64 || octet[2] > 127)
        return false;
    *ret_slot = ((octet[2] - 64u) * 256 + octet[3]) / 4;
    return true;
}

unsigned uplink_first_slot(const char *network_uid)
{
    return (unsigned)(name_hash(network_uid) % UPLINK_SLOT_COUNT);
}
