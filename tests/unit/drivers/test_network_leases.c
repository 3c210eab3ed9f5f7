#include "check.h"
#include "drivers/network/netns/leases.h"
#include <stdlib.h>
#include <string.h>

static const char file[] = "1795322735 52:54:00:77:00:02 10.77.0.2 vm2 *\n"
                           "1795322736 52:54:00:77:00:03 10.77.0.3 * ff:b5:5e:67:ff:00:02\n"
                           "duid 00:01:00:01:32:93:dd:2b:02:11:22:33:44:55\n"
                           "1795322737 7798786 fd77::2 vm2 00:03:00:01:52:54:00:77:00:02\n";

static struct ip_addr ip(const char *text)
{
    struct ip_addr addr;
    struct err err;

    CHECK_OK(ip_parse(text, &addr, &err), &err);
    return addr;
}

static const struct mac_addr second = { { 0x52, 0x54, 0, 0x77, 0, 2 } };
static const struct mac_addr ninth = { { 0x52, 0x54, 0, 0x77, 0, 9 } };

TEST(leases_of_both_families_are_read)
{
    struct lease_reader reader = { .at = file };
    struct ip_addr two = ip("10.77.0.2"), two6 = ip("fd77::2");
    struct lease lease;

    CHECK(lease_next(&reader, &lease));
    CHECK(ip_equal(&lease.addr, &two));
    CHECK(mac_equal(&lease.mac, &second));
    CHECK(lease_next(&reader, &lease));
    CHECK(lease_next(&reader, &lease));
    CHECK(ip_equal(&lease.addr, &two6));
    CHECK_EQ(lease.iaid, 7798786);
    CHECK_EQ(lease.duid_size, 10);
    CHECK_EQ(lease.duid[9], 2);
    CHECK_EQ(reader.server_duid_size, 14);
    CHECK_EQ(reader.server_duid[13], 0x55);
    CHECK(!lease_next(&reader, &lease));
}

TEST(lines_that_are_no_lease_are_passed_over)
{
    struct lease_reader reader = { .at = "\n\nx\n1 2 3\n1 nomac 10.0.0.1 a b\n1 1 fd77::1 a b\n"
                                         "1 52:54:00:77:00:02 10.77.0.2 vm2 *" };
    struct lease lease;

    /* "b" is hexadecimal: a client id of one byte */
    CHECK(lease_next(&reader, &lease));
    CHECK_EQ(lease.addr.family, 6);
    CHECK_EQ(lease.duid_size, 1);
    CHECK(lease_next(&reader, &lease));
    CHECK_EQ(lease.addr.family, 4);
    CHECK(!lease_next(&reader, &lease));
}

TEST(a_lease_is_in_the_way_of_another_client_only)
{
    struct lease_reader reader = { .at = file };
    struct ip_addr two = ip("10.77.0.2"), two6 = ip("fd77::2"), none = { 0 };
    struct lease lease;

    CHECK(lease_next(&reader, &lease));
    CHECK(!lease_is_in_the_way(&lease, &second, &two, &two6, true));
    CHECK(lease_is_in_the_way(&lease, &ninth, &two, &two6, false));
    CHECK(!lease_is_in_the_way(&lease, &ninth, &none, &two6, true));
    CHECK(lease_next(&reader, &lease));
    CHECK(lease_next(&reader, &lease));
    CHECK(lease_is_in_the_way(&lease, &second, &two, &two6, true));
    CHECK(!lease_is_in_the_way(&lease, &second, &two, &two6, false));
    CHECK(!lease_is_in_the_way(&lease, &second, &two, &none, true));
}

TEST(the_file_is_written_again_without_the_leases_in_the_way)
{
    struct ip_addr two = ip("10.77.0.2"), two6 = ip("fd77::2");
    struct buf text = { 0 };

    leases_without(file, &ninth, &two, &two6, true, &text);
    CHECK_STR(text.bytes, "1795322736 52:54:00:77:00:03 10.77.0.3 * ff:b5:5e:67:ff:00:02\n"
                          "duid 00:01:00:01:32:93:dd:2b:02:11:22:33:44:55\n");
    buf_done(&text);
}

TEST(the_file_stays_as_it_is_when_nothing_is_in_the_way)
{
    struct ip_addr other = ip("10.77.0.7"), other6 = ip("fd77::7");
    struct buf text = { 0 };

    leases_without(file, &ninth, &other, &other6, true, &text);
    CHECK_STR(text.bytes, file);
    buf_done(&text);
}

TEST(a_release_carries_address_mac_and_server)
{
    struct lease lease = { .addr = ip("10.77.0.2"), .mac = second };
    struct ip_addr server = ip("10.77.0.1");
    struct buf packet = { 0 };
    static const uint8_t options[] = { 99, 130, 83, 99, 53, 1, 7, 54, 4, 10, 77, 0, 1, 255 };

    lease_release4(&lease, &server, &packet);
    CHECK_EQ(packet.size, 236 + sizeof options);
    CHECK_EQ(packet.bytes[0], 1);
    CHECK_EQ(memcmp(packet.bytes + 12, lease.addr.octet, 4), 0);
    CHECK_EQ(memcmp(packet.bytes + 28, second.octet, 6), 0);
    CHECK_EQ(memcmp(packet.bytes + 236, options, sizeof options), 0);
    buf_done(&packet);
}

TEST(a_release_of_ipv6_names_client_server_and_address)
{
    struct lease lease = {
        .addr = ip("fd77::2"), .iaid = 0x01020304, .duid = { 9, 8 }, .duid_size = 2
    };
    static const uint8_t server[] = { 7, 6, 5 };
    static const uint8_t wanted[] = { 8, 'v', 'i', 'r', 0,  1,    0,    2, 9, 8, 0, 2, 0, 3, 7, 6,
                                      5, 0,   3,   0,   40, 1,    2,    3, 4, 0, 0, 0, 0, 0, 0, 0,
                                      0, 0,   5,   0,   24, 0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                      0, 0,   0,   0,   2,  0,    0,    0, 0, 0, 0, 0, 0 };
    struct buf packet = { 0 };

    lease_release6(&lease, server, sizeof server, &packet);
    CHECK_EQ(packet.size, sizeof wanted);
    CHECK_EQ(memcmp(packet.bytes, wanted, sizeof wanted), 0);
    buf_done(&packet);
}
