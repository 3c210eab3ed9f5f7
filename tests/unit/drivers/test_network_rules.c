#include "check.h"
#include "drivers/network/netns/rules.h"
#include "golden.h"
#include <stdlib.h>

static struct ip_addr ip(const char *text)
{
    struct ip_addr addr;
    struct err err;

    CHECK_OK(ip_parse(text, &addr, &err), &err);
    return addr;
}

static struct network_config network(void)
{
    return (struct network_config){ .uid = (char *)"11111111-1111-4111-8111-111111111111",
                                    .ipv4 = { ip("10.77.0.0"), 24 },
                                    .ipv4_gateway = ip("10.77.0.1"),
                                    .dhcp4 = true,
                                    .ipv6 = { ip("fd77::"), 64 },
                                    .ipv6_gateway = ip("fd77::1") };
}

static struct port_rules port(void)
{
    return (struct port_rules){ .mac = { { 0x52, 0x54, 0, 0x77, 0, 2 } },
                                .ipv4 = ip("10.77.0.2"),
                                .ipv6 = ip("fd77::2") };
}

static void check_rules(const char *golden, struct buf *text)
{
    auto_free char *whole = buf_take(text);

    golden_check(golden, whole);
}

TEST(a_network_without_nat_forwards_nothing)
{
    struct network_config config = network();
    struct buf text = { 0 };

    rules_network(&config, &text);
    check_rules("nft/isolated.nft", &text);
}

TEST(a_network_with_nat_forwards_to_its_uplink_only)
{
    struct network_config config = network();
    struct buf text = { 0 };

    config.nat = true;
    config.ipv6.addr.family = 0;
    rules_network(&config, &text);
    check_rules("nft/nat.nft", &text);
}

TEST(a_port_is_nothing_but_elements)
{
    struct port_rules rules = port();
    struct buf text = { 0 };

    rules_port("t0123456789abc", NULL, &rules, &text);
    check_rules("nft/port.nft", &text);
}

TEST(a_port_that_may_spoof_is_one_element)
{
    struct port_rules rules = port();
    struct buf text = { 0 };

    rules.is_trusted = true;
    rules_port("t0123456789abc", NULL, &rules, &text);
    check_rules("nft/port_trusted.nft", &text);
}

TEST(a_port_with_another_address_loses_the_old_one)
{
    struct port_rules old = port(), new = port();
    struct buf text = { 0 };

    new.ipv4 = ip("10.77.0.3");
    rules_port("t0123456789abc", &old, &new, &text);
    check_rules("nft/port_moved.nft", &text);
}

TEST(a_removed_port_leaves_no_element)
{
    struct port_rules old = port();
    struct buf text = { 0 };

    rules_port("t0123456789abc", &old, NULL, &text);
    check_rules("nft/port_removed.nft", &text);
}

TEST(nothing_known_and_nothing_wanted_is_no_text)
{
    struct buf text = { 0 };

    rules_port("t0123456789abc", NULL, NULL, &text);
    CHECK_EQ(text.size, 0);
}
