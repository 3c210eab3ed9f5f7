#include "check.h"
#include "base/str.h"
#include "drivers/network/netns/names.h"
#include <string.h>

static struct ip_addr ip(const char *text)
{
    struct ip_addr addr;
    struct err err;

    CHECK_OK(ip_parse(text, &addr, &err), &err);
    return addr;
}

static void check_address(const struct ip_prefix *address, const char *wanted)
{
    char text[IP_PREFIX_TEXT_SIZE];

    ip_prefix_format(address, text);
    CHECK_STR(text, wanted);
}

TEST(names_of_links_fit_and_never_change)
{
    char name[IFNAMSIZ];

    tap_name("aaaaaaaa-0000-4000-8000-000000000001/eth0", name);
    CHECK_STR(name, "tec8e42ba55d12");
    CHECK(is_tap_name(name));
    uplink_host_name("virg", "11111111-1111-4111-8111-111111111111", name);
    CHECK_EQ(strlen(name), 15);
    CHECK(str_starts(name, "virgu"));
}

TEST(only_whole_tap_names_are_tap_names)
{
    CHECK(!is_tap_name("br0"));
    CHECK(!is_tap_name("tec8e42ba55d1"));
    CHECK(!is_tap_name("tec8e42ba55d1g"));
    CHECK(!is_tap_name(""));
}

TEST(the_bridge_has_a_local_unicast_mac)
{
    struct mac_addr one, two;

    bridge_mac("11111111-1111-4111-8111-111111111111", &one);
    bridge_mac("22222222-2222-4222-8222-222222222222", &two);
    CHECK_EQ(one.octet[0], 2);
    CHECK(!mac_equal(&one, &two));
}

TEST(link_local_addresses_follow_from_the_mac)
{
    struct mac_addr mac = { { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 } };
    struct ip_addr wanted = ip("fe80::5054:ff:fe12:3456"), addr;

    link_local(&mac, &addr);
    CHECK(ip_equal(&addr, &wanted));
}

TEST(uplinks_take_small_subnets_one_after_another)
{
    struct uplink_addresses addresses;

    uplink_addresses(0, &addresses);
    check_address(&addresses.host4, "169.254.64.1/30");
    check_address(&addresses.network4, "169.254.64.2/30");
    check_address(&addresses.host6, "fd76:6972:6761::1/64");
    check_address(&addresses.network6, "fd76:6972:6761::2/64");
    uplink_addresses(UPLINK_SLOT_COUNT - 1, &addresses);
    check_address(&addresses.host4, "169.254.127.253/30");
    check_address(&addresses.network6, "fd76:6972:6761:fff::2/64");
}

TEST(the_slot_is_read_back_from_an_address)
{
    for (unsigned slot = 0; slot < UPLINK_SLOT_COUNT; slot++) {
        struct uplink_addresses addresses;
        unsigned host, network;

        uplink_addresses(slot, &addresses);
        CHECK(uplink_slot_of(&addresses.host4.addr, &host));
        CHECK(uplink_slot_of(&addresses.network4.addr, &network));
        CHECK_EQ(host, slot);
        CHECK_EQ(network, slot);
    }
}

TEST(other_addresses_are_no_uplinks)
{
    static const char *const others[] = { "169.254.63.255", "169.254.128.0", "169.254.169.254",
                                          "10.0.0.1",       "fd76::1",       "192.168.64.1" };
    unsigned slot;

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct ip_addr addr = ip(others[i]);
        CHECK(!uplink_slot_of(&addr, &slot));
    }
    CHECK(uplink_first_slot("11111111-1111-4111-8111-111111111111") < UPLINK_SLOT_COUNT);
}
