#include "check.h"
#include "base/netaddr.h"
#include <string.h>

static struct ip_addr addr_of(const char *text)
{
    struct ip_addr addr = { 0 };
    struct err err;

    CHECK_OK(ip_parse(text, &addr, &err), &err);
    return addr;
}

static struct ip_prefix prefix_of(const char *text)
{
    struct ip_prefix prefix = { 0 };
    struct err err;

    CHECK_OK(ip_prefix_parse(text, &prefix, &err), &err);
    return prefix;
}

TEST(addresses_are_written_in_their_shortest_form)
{
    static const struct {
        const char *in;
        const char *out;
    } rows[] = {
        { "10.0.0.1", "10.0.0.1" },
        { "0.0.0.0", "0.0.0.0" },
        { "255.255.255.255", "255.255.255.255" },
        { "::", "::" },
        { "::1", "::1" },
        { "FD00::A", "fd00::a" },
        { "2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1" },
        { "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
        { "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
        { "fe80::1:2", "fe80::1:2" },
        { "::ffff:10.0.0.1", "::ffff:10.0.0.1" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ip_addr addr = addr_of(rows[i].in);
        char text[IP_TEXT_SIZE];

        ip_format(&addr, text);
        CHECK_STR(text, rows[i].out);
    }
}

TEST(what_is_no_address_is_refused)
{
    static const char *const rows[] = {
        "",
        "10.0.0",
        "10.0.0.256",
        "10.0.0.1.2",
        "010.0.0.1",
        "10.0.0.01",
        "0x0a.0.0.1",
        "167772161",
        " 10.0.0.1",
        "10.0.0.1 ",
        "localhost",
        ":",
        ":::",
        "1::2::3",
        "12345::",
        "fe80::1%eth0",
        "[::1]",
        "::1/64",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "::10.0.0.256",
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ip_addr addr = { .family = 77 };
        struct err err;

        CHECK_FAILS(ip_parse(rows[i], &addr, &err), &err, ERR_INVALID);
        CHECK_EQ(addr.family, 77);
    }
}

TEST(addresses_are_ordered_by_family_then_number)
{
    static const char *const ordered[] = { "0.0.0.0", "9.255.0.1", "10.0.0.1", "10.0.1.0",
                                           "::",      "::1",       "fd00::" };

    for (size_t i = 0; i < 7; i++) {
        for (size_t j = 0; j < 7; j++) {
            struct ip_addr a = addr_of(ordered[i]);
            struct ip_addr b = addr_of(ordered[j]);
            int order = ip_compare(&a, &b);

            CHECK_EQ(order < 0, i < j);
            CHECK_EQ(order > 0, i > j);
            CHECK_EQ(ip_equal(&a, &b), i == j);
        }
    }
}

TEST(an_absent_address_is_equal_to_itself_only_and_empty)
{
    struct ip_addr none = { 0 };
    struct ip_addr zero = addr_of("0.0.0.0");
    char text[IP_TEXT_SIZE];

    CHECK(ip_equal(&none, &none));
    CHECK(!ip_equal(&none, &zero));
    ip_format(&none, text);
    CHECK_STR(text, "");
}

TEST(prefixes_keep_no_host_bits)
{
    static const struct {
        const char *text;
        const char *right; /* NULL: good as it is */
    } rows[] = {
        { "10.0.0.0/24", NULL },
        { "0.0.0.0/0", NULL },
        { "10.0.0.1/32", NULL },
        { "10.128.0.0/9", NULL },
        { "fd00::/8", NULL },
        { "fd00::1/128", NULL },
        { "::/0", NULL },
        { "10.0.0.5/24", "10.0.0.0/24" },
        { "10.0.0.1/0", "0.0.0.0/0" },
        { "10.0.3.0/23", "10.0.2.0/23" },
        { "192.168.77.129/25", "192.168.77.128/25" },
        { "fd00::1/64", "fd00::/64" },
        { "fd00:0:0:1::/63", "fd00::/63" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ip_prefix prefix;
        char text[IP_PREFIX_TEXT_SIZE];
        struct err err;

        if (rows[i].right) {
            CHECK_FAILS(ip_prefix_parse(rows[i].text, &prefix, &err), &err, ERR_INVALID);
            CHECK_CONTAINS(err.text, rows[i].right);
            continue;
        }
        CHECK_OK(ip_prefix_parse(rows[i].text, &prefix, &err), &err);
        ip_prefix_format(&prefix, text);
        CHECK_STR(text, rows[i].text);
    }
}

TEST(an_interface_keeps_its_host_bits)
{
    struct ip_prefix interface;
    char text[IP_PREFIX_TEXT_SIZE];
    struct err err;

    CHECK_OK(ip_interface_parse("10.0.0.5/24", &interface, &err), &err);
    ip_prefix_format(&interface, text);
    CHECK_STR(text, "10.0.0.5/24");
}

TEST(what_is_no_prefix_is_refused)
{
    static const char *const rows[] = {
        "",
        "10.0.0.0",
        "10.0.0.0/",
        "/24",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/ 8",
        "10.0.0.0/08",
        "10.0.0.0/8 ",
        "10.0.0.0/8/8",
        "fd00::/129",
        "fd00::/256",
        "fd00::/1000",
        "10.0.0/24",
        "10.0.0.0/0x8",
        "10.0.0.0/255.255.255.0",
        "1111111111111111111111111111111111111111111111111111111/8",
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ip_prefix prefix = { .length = 77 };
        struct err err;

        CHECK_FAILS(ip_prefix_parse(rows[i], &prefix, &err), &err, ERR_INVALID);
        CHECK_EQ(prefix.length, 77);
    }
}

TEST(containment_follows_the_length)
{
    static const struct {
        const char *prefix;
        const char *addr;
        bool inside;
    } rows[] = {
        { "10.0.0.0/24", "10.0.0.0", true },
        { "10.0.0.0/24", "10.0.0.255", true },
        { "10.0.0.0/24", "10.0.1.0", false },
        { "10.0.0.0/25", "10.0.0.128", false },
        { "0.0.0.0/0", "1.2.3.4", true },
        { "10.0.0.7/32", "10.0.0.7", true },
        { "10.0.0.7/32", "10.0.0.6", false },
        { "::/0", "1.2.3.4", false },
        { "0.0.0.0/0", "::1", false },
        { "fd00::/65", "fd00::7fff:0:0:0", true },
        { "fd00::/65", "fd00::8000:0:0:0", false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ip_prefix prefix = prefix_of(rows[i].prefix);
        struct ip_addr addr = addr_of(rows[i].addr);

        CHECK_EQ(ip_prefix_contains(&prefix, &addr), rows[i].inside);
    }
}

TEST(overlap_is_mutual)
{
    static const struct {
        const char *a;
        const char *b;
        bool overlap;
    } rows[] = {
        { "10.0.0.0/24", "10.0.0.0/24", true },
        { "10.0.0.0/8", "10.5.0.0/16", true },
        { "10.0.0.0/24", "10.0.1.0/24", false },
        { "0.0.0.0/0", "10.0.0.0/8", true },
        { "0.0.0.0/0", "::/0", false },
        { "fd00::/64", "fd00::/48", true },
        { "fd00:0:0:1::/64", "fd00::/64", false },
        { "10.0.0.1/32", "10.0.0.0/32", false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ip_prefix a = prefix_of(rows[i].a);
        struct ip_prefix b = prefix_of(rows[i].b);

        CHECK_EQ(ip_prefix_overlaps(&a, &b), rows[i].overlap);
        CHECK_EQ(ip_prefix_overlaps(&b, &a), rows[i].overlap);
    }
}

TEST(the_nth_address_stays_inside)
{
    static const struct {
        const char *prefix;
        uint64_t offset;
        const char *addr; /* NULL: outside */
    } rows[] = {
        { "10.0.0.0/24", 0, "10.0.0.0" },
        { "10.0.0.0/24", 255, "10.0.0.255" },
        { "10.0.0.0/24", 256, NULL },
        { "10.0.0.0/16", 256, "10.0.1.0" },
        { "10.0.0.0/24", UINT64_MAX, NULL },
        { "10.0.0.0/24", (uint64_t)1 << 32, NULL },
        { "0.0.0.0/0", UINT32_MAX, "255.255.255.255" },
        { "255.255.255.255/32", 1, NULL },
        { "fd00::/64", 2, "fd00::2" },
        { "fd00::/64", UINT64_MAX, "fd00::ffff:ffff:ffff:ffff" },
        { "fd00::/120", 256, NULL },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127", 2, NULL },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ip_prefix prefix = prefix_of(rows[i].prefix);
        struct ip_addr addr = { 0 };
        char text[IP_TEXT_SIZE];

        CHECK_EQ(ip_prefix_nth(&prefix, rows[i].offset, &addr), rows[i].addr != NULL);
        ip_format(&addr, text);
        CHECK_STR(text, rows[i].addr ? rows[i].addr : "");
    }
}

TEST(the_last_address_has_all_host_bits_set)
{
    static const char *const rows[][2] = {
        { "10.0.0.0/24", "10.0.0.255" },
        { "10.0.0.4/30", "10.0.0.7" },
        { "10.0.0.4/32", "10.0.0.4" },
        { "0.0.0.0/0", "255.255.255.255" },
        { "fd00::/64", "fd00::ffff:ffff:ffff:ffff" },
        { "fd00::/61", "fd00::7:ffff:ffff:ffff:ffff" },
    };
    struct ip_prefix none = { 0 };
    struct ip_addr last;
    char text[IP_TEXT_SIZE];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ip_prefix prefix = prefix_of(rows[i][0]);

        CHECK(ip_prefix_last(&prefix, &last));
        ip_format(&last, text);
        CHECK_STR(text, rows[i][1]);
    }
    CHECK(!ip_prefix_last(&none, &last));
    CHECK(!ip_prefix_nth(&none, 0, &last));
}

TEST(mac_addresses_are_read_in_either_case_and_written_in_lower)
{
    struct mac_addr mac, same;
    char text[MAC_TEXT_SIZE];
    struct err err;

    CHECK_OK(mac_parse("52:54:00:AB:cd:Ef", &mac, &err), &err);
    mac_format(&mac, text);
    CHECK_STR(text, "52:54:00:ab:cd:ef");
    CHECK_OK(mac_parse(text, &same, &err), &err);
    CHECK(mac_equal(&mac, &same));
    same.octet[5]++;
    CHECK(!mac_equal(&mac, &same));
}

TEST(what_is_no_station_address_is_refused)
{
    static const struct {
        const char *text;
        const char *says;
    } rows[] = {
        { "", "not a MAC" },
        { "52:54:00:12:34", "not a MAC" },
        { "52:54:00:12:34:56:78", "not a MAC" },
        { "52-54-00-12-34-56", "not a MAC" },
        { "5254.0012.3456", "not a MAC" },
        { "52:54:0:12:34:56", "not a MAC" },
        { "52:54:00:12:34:5g", "not a MAC" },
        { " 52:54:00:12:34:5", "not a MAC" },
        { "52:54:00:12:34:56 ", "not a MAC" },
        { "01:00:5e:00:00:01", "multicast" },
        { "ff:ff:ff:ff:ff:ff", "multicast" },
        { "00:00:00:00:00:00", "no station" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mac_addr mac = { { 9 } };
        struct err err;

        CHECK_FAILS(mac_parse(rows[i].text, &mac, &err), &err, ERR_INVALID);
        CHECK_CONTAINS(err.text, rows[i].says);
        CHECK_EQ(mac.octet[0], 9);
    }
}

TEST(the_slaac_address_follows_from_the_mac)
{
    struct ip_prefix prefix = prefix_of("fd00:1:2:3::/64");
    struct mac_addr mac;
    struct ip_addr addr;
    char text[IP_TEXT_SIZE];
    struct err err;

    CHECK_OK(mac_parse("52:54:00:12:34:56", &mac, &err), &err);
    ip_eui64(&prefix, &mac, &addr);
    ip_format(&addr, text);
    CHECK_STR(text, "fd00:1:2:3:5054:ff:fe12:3456");
}

TEST(addresses_are_compared_by_value_not_by_text)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        { "10.0.0.1", "10.0.0.1", true },
        { "10.0.0.1", "10.0.0.2", false },
        { "fd00::1", "FD00:0:0::0001", true },
        { "52:54:00:00:00:0a", "52:54:00:00:00:0A", true },
        { "52:54:00:00:00:0a", "52:54:00:00:00:0b", false },
        { "10.0.0.1", "52:54:00:00:00:0a", false },
        { "", "", false },
        { "x", "x", false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQ(address_text_equal(rows[i].a, rows[i].b), rows[i].equal);
        CHECK_EQ(address_text_equal(rows[i].b, rows[i].a), rows[i].equal);
    }
}
