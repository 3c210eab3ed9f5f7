#include "check.h"
#include "drivers/network/netns/dnsmasq_config.h"
#include "golden.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct dnsmasq_paths paths = { .user = "dnsmasq",
                                            .pid_file = "/run/net/dnsmasq.pid",
                                            .lease_file = "/var/net/leases",
                                            .hosts_dir = "/run/net/hosts",
                                            .names_dir = "/run/net/names",
                                            .resolv_conf = "/etc/resolv.conf" };

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
                                    .domain = (char *)"lan.internal",
                                    .ipv4 = { ip("10.77.16.0"), 20 },
                                    .ipv4_gateway = ip("10.77.16.1"),
                                    .dhcp4 = true,
                                    .ipv6 = { ip("fd77::"), 64 },
                                    .ipv6_gateway = ip("fd77::1") };
}

static void check_config(const char *golden, const struct network_config *config,
                         const struct dnsmasq_paths *with)
{
    struct buf text = { 0 };

    dnsmasq_config(config, with, &text);
    auto_free char *whole = buf_take(&text);
    golden_check(golden, whole);
}

TEST(an_isolated_network_has_no_router_and_asks_nobody)
{
    struct network_config config = network();

    check_config("dnsmasq/isolated.conf", &config, &paths);
}

TEST(a_network_with_nat_uses_the_hosts_resolvers)
{
    struct network_config config = network();

    config.nat = true;
    config.mtu = 1450;
    check_config("dnsmasq/nat.conf", &config, &paths);
}

TEST(resolvers_of_the_network_come_before_the_hosts)
{
    struct network_config config = network();

    config.nat = true;
    config.dns[0] = ip("9.9.9.9");
    config.dns[1] = ip("2620:fe::9");
    config.dns_count = 2;
    config.ipv6.addr.family = 0;
    check_config("dnsmasq/resolvers.conf", &config, &paths);
}

TEST(without_a_resolver_to_reach_nothing_is_asked)
{
    struct network_config config = network();
    struct dnsmasq_paths none = paths;

    none.resolv_conf = NULL;
    config.nat = true;
    config.ipv4.addr.family = 0;
    config.domain = NULL;
    check_config("dnsmasq/no_resolvers.conf", &config, &none);
}

TEST(a_port_has_a_line_for_dhcp_and_its_names)
{
    struct port_config port = { .mac = { { 0x52, 0x54, 0, 0x77, 0, 2 } },
                                .ipv4 = ip("10.77.16.2"),
                                .ipv6 = ip("fd77::2"),
                                .hostname = "web" };
    struct buf host = { 0 }, names = { 0 };

    dnsmasq_host(&port, &host);
    CHECK_STR(host.bytes, "52:54:00:77:00:02,10.77.16.2,[fd77::2],web\n");
    dnsmasq_names(&port, &names);
    CHECK_STR(names.bytes, "10.77.16.2 web\nfd77::2 web\n");
    buf_done(&host);
    buf_done(&names);
}

TEST(a_port_without_address_or_name_has_no_line)
{
    struct port_config port = { .mac = { { 0x52, 0x54, 0, 0x77, 0, 2 } }, .hostname = "web" };
    struct buf text = { 0 };

    dnsmasq_host(&port, &text);
    dnsmasq_names(&port, &text);
    port.hostname[0] = '\0';
    port.ipv4 = ip("10.77.16.2");
    dnsmasq_names(&port, &text);
    CHECK_EQ(text.size, 0);
}

TEST(a_loopback_resolver_is_of_no_use_elsewhere)
{
    CHECK(resolv_conf_is_usable("search lan\nnameserver 192.0.2.1\n"));
    CHECK(resolv_conf_is_usable("nameserver 127.0.0.53\nnameserver\t2001:db8::1"));
    CHECK(!resolv_conf_is_usable("nameserver 127.0.0.53\noptions edns0\n"));
    CHECK(!resolv_conf_is_usable("nameserver ::1\nnameserver fe80::1%eth0\n"));
    CHECK(!resolv_conf_is_usable("# nameserver 192.0.2.1\n"));
    CHECK(!resolv_conf_is_usable(""));
    CHECK(!resolv_conf_is_usable("nameserver"));
}
