/* base/netaddr.c - addresses as values. */
#include "base/netaddr.h"
#include "base/str.h"
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

static unsigned octet_count(const struct ip_addr *addr) { return addr->family == 4 ? 4 : 16; }

static unsigned bit_count(const struct ip_addr *addr) { return 8 * octet_count(addr); }

int ip_parse(const char *text, struct ip_addr *ret_addr, struct err *err)
{
    struct ip_addr addr = { 0 };

    addr.family = strchr(text, ':') ? 6 : 4;
    if (inet_pton(addr.family == 6 ? AF_INET6 : AF_INET, text, addr.octet) != 1)
        return err_set(err, ERR_INVALID,
                       "\"%.60s\" is not an IP address, such as 10.0.0.1 or fd00::1", text);
    *ret_addr = addr;
    return 0;
}

void ip_format(const struct ip_addr *addr, char to[IP_TEXT_SIZE])
{
    assert(addr->family == 0 || addr->family == 4 || addr->family == 6);
    to[0] = '\0';
    if (addr->family)
        inet_ntop(addr->family == 6 ? AF_INET6 : AF_INET, addr->octet, to, IP_TEXT_SIZE);
}

bool ip_equal(const struct ip_addr *a, const struct ip_addr *b) { return ip_compare(a, b) == 0; }

int ip_compare(const struct ip_addr *a, const struct ip_addr *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return a->family ? memcmp(a->octet, b->octet, octet_count(a)) : 0;
}

/* Bits of octet number 'i' that belong to the network in a prefix of 'length'. */
static uint8_t mask_octet(unsigned length, unsigned i)
{
    if (length >= 8 * (i + 1))
        return 0xff;
    return length <= 8 * i ? 0 : (uint8_t)(0xff << (8 - length % 8));
}

static void clear_host_bits(struct ip_prefix *prefix)
{
    for (unsigned i = 0; i < octet_count(&prefix->addr); i++)
        prefix->addr.octet[i] &= mask_octet(prefix->length, i);
}

/* One to three digits without leading zeros, at most 'max'. */
static bool parse_length(const char *text, unsigned max, uint8_t *ret_length)
{
    size_t digit_count = strspn(text, "0123456789");
    unsigned length = 0;

    if (digit_count < 1 || digit_count > 3 || text[digit_count] || (text[0] == '0' && text[1]))
        return false;
    for (; *text; text++)
        length = length * 10 + (unsigned)(*text - '0');
    *ret_length = (uint8_t)length;
    return length <= max;
}

int ip_interface_parse(const char *text, struct ip_prefix *ret_interface, struct err *err)
{
    const char *slash = strchr(text, '/');
    char addr_text[IP_TEXT_SIZE];
    struct ip_prefix parsed;

    if (!slash || (size_t)(slash - text) >= sizeof addr_text)
        return err_set(err, ERR_INVALID,
                       "\"%.60s\" is not an address and prefix length, such as 10.0.0.0/24", text);
    memcpy(addr_text, text, (size_t)(slash - text));
    addr_text[slash - text] = '\0';
    if (ip_parse(addr_text, &parsed.addr, err) < 0)
        return -1;
    if (!parse_length(slash + 1, bit_count(&parsed.addr), &parsed.length))
        return err_set(err, ERR_INVALID, "prefix length of \"%.60s\" is not a number from 0 to %u",
                       text, bit_count(&parsed.addr));
    *ret_interface = parsed;
    return 0;
}

int ip_prefix_parse(const char *text, struct ip_prefix *ret_prefix, struct err *err)
{
    char right[IP_PREFIX_TEXT_SIZE];
    struct ip_prefix given, prefix;

    if (ip_interface_parse(text, &given, err) < 0)
        return -1;
    prefix = given;
    clear_host_bits(&prefix);
    ip_prefix_format(&prefix, right);
    if (!ip_equal(&prefix.addr, &given.addr))
        return err_set(err, ERR_INVALID, "\"%.60s\" has host bits set; the prefix is %s", text,
                       right);
    *ret_prefix = prefix;
    return 0;
}

void ip_prefix_format(const struct ip_prefix *prefix, char to[IP_PREFIX_TEXT_SIZE])
{
    char addr[IP_TEXT_SIZE];

    ip_format(&prefix->addr, addr);
    snprintf(to, IP_PREFIX_TEXT_SIZE, "%s/%u", addr, prefix->length);
}

bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_addr *addr)
{
    if (!prefix->addr.family || prefix->addr.family != addr->family)
        return false;
    for (unsigned i = 0; i < octet_count(addr); i++)
        if ((prefix->addr.octet[i] ^ addr->octet[i]) & mask_octet(prefix->length, i))
            return false;
    return true;
}

/* Two prefixes overlap only when the shorter one contains the other's address. */
bool ip_prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b)
{
    return a->length <= b->length ? ip_prefix_contains(a, &b->addr)
                                  : ip_prefix_contains(b, &a->addr);
}

bool ip_prefix_nth(const struct ip_prefix *prefix, uint64_t offset, struct ip_addr *ret_addr)
{
    struct ip_prefix first = *prefix;
    unsigned carry = 0;

    if (!prefix->addr.family)
        return false;
    clear_host_bits(&first);
    for (unsigned i = octet_count(&first.addr); i-- > 0; offset >>= 8) {
        unsigned sum = first.addr.octet[i] + (unsigned)(offset & 0xff) + carry;

        first.addr.octet[i] = (uint8_t)sum;
        carry = sum >> 8;
    }
    if (carry || offset || !ip_prefix_contains(prefix, &first.addr))
        return false;
    *ret_addr = first.addr;
    return true;
}

bool ip_prefix_last(const struct ip_prefix *prefix, struct ip_addr *ret_addr)
{
    if (!prefix->addr.family)
        return false;
    *ret_addr = prefix->addr;
    for (unsigned i = 0; i < octet_count(&prefix->addr); i++)
        ret_addr->octet[i] |= (uint8_t)~mask_octet(prefix->length, i);
    return true;
}

/* "52:54:00:12:34:56", two digits each. */
static bool read_mac(const char *text, struct mac_addr *ret_mac)
{
    if (strlen(text) != MAC_TEXT_SIZE - 1)
        return false;
    for (unsigned i = 0; i < 6; i++, text += 3) {
        int high = str_hex_digit(text[0]);
        int low = str_hex_digit(text[1]);

        if (high < 0 || low < 0 || text[2] != (i < 5 ? ':' : '\0'))
            return false;
        ret_mac->octet[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

int mac_parse(const char *text, struct mac_addr *ret_mac, struct err *err)
{
    static const struct mac_addr none;
    struct mac_addr mac;

    if (!read_mac(text, &mac))
        return err_set(err, ERR_INVALID,
                       "\"%.40s\" is not a MAC address, such as 52:54:00:12:34:56", text);
    if (mac.octet[0] & 1)
        return err_set(err, ERR_INVALID, "MAC address %s is a multicast address", text);
    if (mac_equal(&mac, &none))
        return err_set(err, ERR_INVALID, "MAC address %s is no station's", text);
    *ret_mac = mac;
    return 0;
}

void mac_format(const struct mac_addr *mac, char to[MAC_TEXT_SIZE])
{
    snprintf(to, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac->octet[0], mac->octet[1],
             mac->octet[2], mac->octet[3], mac->octet[4], mac->octet[5]);
}

bool mac_equal(const struct mac_addr *a, const struct mac_addr *b)
{
    return memcmp(a->octet, b->octet, sizeof a->octet) == 0;
}

void ip_eui64(const struct ip_prefix *prefix, const struct mac_addr *mac, struct ip_addr *ret_addr)
{
    struct ip_addr addr = prefix->addr;

    assert(prefix->addr.family == 6 && prefix->length <= 64);
    memcpy(addr.octet + 8, mac->octet, 3);
    addr.octet[8] ^= 2; /* the universal/local bit */
    addr.octet[11] = 0xff;
    addr.octet[12] = 0xfe;
    memcpy(addr.octet + 13, mac->octet + 3, 3);
    *ret_addr = addr;
}

bool address_text_equal(const char *a, const char *b)
{
    struct ip_addr ip_a, ip_b;
    struct mac_addr mac_a, mac_b;
    struct err err;

    if (mac_parse(a, &mac_a, &err) == 0)
        return mac_parse(b, &mac_b, &err) == 0 && mac_equal(&mac_a, &mac_b);
    return ip_parse(a, &ip_a, &err) == 0 && ip_parse(b, &ip_b, &err) == 0 && ip_equal(&ip_a, &ip_b);
}
