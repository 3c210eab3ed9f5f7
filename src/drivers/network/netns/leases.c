/* drivers/network/netns/leases.c - reading leases and writing the packets that end them. */
#include "drivers/network/netns/leases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIELD_COUNT = 5,
    FIELD_SIZE = 3 * DUID_SIZE_MAX + 1,
    BOOTP_SIZE = 236,
    BOOTP_CHADDR = 28,
    BOOTP_CIADDR = 12,
    DHCP6_RELEASE = 8,
    DHCP6_CLIENTID = 1,
    DHCP6_SERVERID = 2,
    DHCP6_IA_NA = 3,
    DHCP6_IAADDR = 5,
};

/* --- the file: "EXPIRY MAC-or-IAID ADDRESS NAME CLIENT-ID", "duid SERVER-DUID" --- */

static size_t read_hex(const char *text, uint8_t *to, size_t size_max)
{
    size_t size = 0;
    unsigned octet;
    int used;

    while (size < size_max && sscanf(text, "%2x%n", &octet, &used) == 1) {
        to[size++] = (uint8_t)octet;
        text += used;
        if (*text != ':')
            break;
        text++;
    }
    return size;
}

/* Copies the words of one line; returns how many there are. */
static unsigned read_words(const char *line, size_t length, char words[][FIELD_SIZE])
{
    unsigned count = 0;

    for (const char *at = line, *end = line + length; at < end && count < FIELD_COUNT; count++) {
        const char *space = memchr(at, ' ', (size_t)(end - at));
        size_t size = (size_t)((space ? space : end) - at);

        (void)snprintf(words[count], FIELD_SIZE, "%.*s", (int)size, at);
        at += size + 1;
    }
    return count;
}

static bool read_lease(char words[][FIELD_SIZE], struct lease *lease)
{
    struct err unused;

    *lease = (struct lease){ 0 };
    if (ip_parse(words[2], &lease->addr, &unused) < 0)
        return false;
    if (lease->addr.family == 4)
        return mac_parse(words[1], &lease->mac, &unused) == 0;
    lease->iaid = (uint32_t)strtoul(words[1] + (words[1][0] == 'T'), NULL, 10);
    lease->duid_size = read_hex(words[4], lease->duid, sizeof lease->duid);
    return lease->duid_size > 0;
}

bool lease_next(struct lease_reader *reader, struct lease *ret_lease)
{
    char words[FIELD_COUNT][FIELD_SIZE];

    while (*reader->at) {
        size_t length = strcspn(reader->at, "\n");
        unsigned count = read_words(reader->at, length, words);

        reader->at += length + (reader->at[length] == '\n');
        if (count == 2 && str_equal(words[0], "duid"))
            reader->server_duid_size =
                read_hex(words[1], reader->server_duid, sizeof reader->server_duid);
        else if (count == FIELD_COUNT && read_lease(words, ret_lease))
            return true;
    }
    return false;
}

bool lease_is_in_the_way(const struct lease *lease, const struct mac_addr *mac,
                         const struct ip_addr *ipv4, const struct ip_addr *ipv6, bool is_new)
{
    if (lease->addr.family == 4)
        return ip_equal(&lease->addr, ipv4) && !mac_equal(&lease->mac, mac);
    return is_new && ip_equal(&lease->addr, ipv6);
}

void leases_without(const char *text, const struct mac_addr *mac, const struct ip_addr *ipv4,
                    const struct ip_addr *ipv6, bool is_new, struct buf *to)
{
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        auto_free char *alone = str_dup_part(line, length);
        struct lease_reader reader = { .at = alone };
        struct lease lease;

        if (!lease_next(&reader, &lease) || !lease_is_in_the_way(&lease, mac, ipv4, ipv6, is_new)) {
            buf_add(to, line, length);
            buf_add_char(to, '\n');
        }
        line += length + (line[length] == '\n');
    }
}

/* --- packets --- */

static void add_zeros(struct buf *to, size_t count)
{
    static const uint8_t zeros[BOOTP_SIZE];

    buf_add(to, zeros, count);
}

void lease_release4(const struct lease *lease, const struct ip_addr *server, struct buf *to)
{
    static const uint8_t head[BOOTP_CIADDR] = {
        1 /* request */, 1 /* Ethernet */, 6, 0, 'v', 'i', 'r', 'g'
    };
    static const uint8_t cookie_and_type[] = { 99, 130, 83, 99, 53, 1, 7 /* DHCPRELEASE */ };
    static const uint8_t server_id[] = { 54, 4 }, end = 255;

    buf_add(to, head, sizeof head);
    buf_add(to, lease->addr.octet, 4);
    add_zeros(to, BOOTP_CHADDR - BOOTP_CIADDR - 4);
    buf_add(to, lease->mac.octet, sizeof lease->mac.octet);
    add_zeros(to, BOOTP_SIZE - BOOTP_CHADDR - sizeof lease->mac.octet);
    buf_add(to, cookie_and_type, sizeof cookie_and_type);
    buf_add(to, server_id, sizeof server_id);
    buf_add(to, server->octet, 4);
    buf_add(to, &end, 1);
}

static void add_u16(struct buf *to, size_t value)
{
    const uint8_t octets[] = { (uint8_t)(value >> 8), (uint8_t)value };

    buf_add(to, octets, sizeof octets);
}

static void add_u32(struct buf *to, uint32_t value)
{
    add_u16(to, value >> 16);
    add_u16(to, value & 0xffff);
}

static void add_option(struct buf *to, uint16_t code, const uint8_t *bytes, size_t size)
{
    add_u16(to, code);
    add_u16(to, size);
    buf_add(to, bytes, size);
}

void lease_release6(const struct lease *lease, const uint8_t *server_duid, size_t server_duid_size,
                    struct buf *to)
{
    static const uint8_t head[] = { DHCP6_RELEASE, 'v', 'i', 'r' };

    buf_add(to, head, sizeof head);
    add_option(to, DHCP6_CLIENTID, lease->duid, lease->duid_size);
    add_option(to, DHCP6_SERVERID, server_duid, server_duid_size);
    add_u16(to, DHCP6_IA_NA);
    add_u16(to, 12 + 28); /* itself and the option within */
    add_u32(to, lease->iaid);
    add_zeros(to, 8);
    add_u16(to, DHCP6_IAADDR);
    add_u16(to, 24);
    buf_add(to, lease->addr.octet, 16);
    add_zeros(to, 8);
}
