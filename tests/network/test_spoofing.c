/* tests/network/test_spoofing.c - what a guest may send to another, and what it may not. */
#include "drivers/network/netns/names.h"
#include "lab.h"
#include <string.h>

static const char *const one = "11111111-1111-4111-8111-111111111111";
static const char *const two = "22222222-2222-4222-8222-222222222222";

static struct rig rig;
static struct guest a, b;

static void begin(void)
{
    rig_open(&rig);
    lab_network(&rig, one, /*nat=*/false);
    a = guest_join(&rig, one, 2);
    b = guest_join(&rig, one, 3);
}

static void end(void)
{
    guest_leave(&a);
    guest_leave(&b);
    RIG_OK(&rig, network_remove, one);
    rig_close(&rig);
}

static struct frame datagram(const struct ends *ends) { return udp(ends, "hello", 5); }

static struct ends to_all_nodes(const struct guest *from)
{
    struct ends ends = ends_between(from, from, 6);

    ends.from = guest_link_local(from);
    ends.to = ip("ff02::1");
    ends.to_mac = multicast_mac(&ends.to);
    return ends;
}

static bool is_udp_datagram(void *arg, const struct frame *frame)
{
    return frame_is_udp(frame, 1000, 2000);
}

TEST(guests_of_one_network_reach_each_other)
{
    begin();
    struct ends ends4 = ends_between(&a, &b, 4), ends6 = ends_between(&a, &b, 6);
    struct frame frame = datagram(&ends4);
    check_passes(&a, &frame, &b);
    frame = datagram(&ends6);
    check_passes(&a, &frame, &b);
    frame = ping(&ends4);
    check_passes(&a, &frame, &b);
    ends4.to_mac = broadcast_mac;
    frame = arp(&ends4, ARP_IS_REQUEST);
    check_passes(&a, &frame, &b);
    CHECK_EQ(guest_spoof_drops(&a), 0);
    end();
}

TEST(bridged_packets_do_not_pass_the_rules_for_routing)
{
    /* A reply nobody asked for would be invalid or dropped there. */
    begin();
    struct ends ends = ends_between(&a, &b, 4);
    ends.from_port = 53;
    ends.to_port = 40000;
    struct frame frame = datagram(&ends);
    check_passes(&a, &frame, &b);
    end();
}

TEST(a_foreign_source_mac_is_dropped_and_counted)
{
    begin();
    struct ends ends = ends_between(&a, &b, 4);
    ends.from_mac = b.port.mac;
    struct frame frame = datagram(&ends);
    check_is_spoof(&a, &frame, &b);
    ends.from_mac = (struct mac_addr){ { 2, 0, 0, 0, 0, 9 } };
    frame = datagram(&ends);
    check_is_spoof(&a, &frame, &b);
    end();
}

TEST(a_foreign_ipv4_source_is_dropped)
{
    static const char *const sources[] = { "10.77.0.3", "10.77.0.1",       "10.77.0.99", "8.8.8.8",
                                           "127.0.0.1", "255.255.255.255", "0.0.0.0" };

    begin();
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        struct ends ends = ends_between(&a, &b, 4);
        ends.from = ip(sources[i]);
        struct frame frame = datagram(&ends);
        check_is_spoof(&a, &frame, &b);
    }
    end();
}

TEST(without_an_address_a_guest_may_only_ask_for_one)
{
    begin();
    struct ends ends = { .from_mac = a.port.mac,
                         .to_mac = broadcast_mac,
                         .from = ip_none(4),
                         .to = ip("255.255.255.255"),
                         .from_port = 68,
                         .to_port = 67 };
    struct frame frame = datagram(&ends);
    check_passes(&a, &frame, &b); /* a broadcast: dnsmasq sees it beside the guest */
    ends.to_port = 53;
    frame = datagram(&ends);
    check_is_spoof(&a, &frame, &b);
    ends.to_port = 67;
    ends.to = b.port.ipv4;
    frame = datagram(&ends);
    check_is_spoof(&a, &frame, &b);
    end();
}

TEST(arp_speaks_for_the_sender_alone)
{
    begin();
    struct ends ends = ends_between(&a, &b, 4);
    struct frame frame = arp(&ends, ARP_IS_REPLY);
    check_passes(&a, &frame, &b);

    struct ends gateway = ends;
    gateway.from = ip("10.77.0.1");
    frame = arp(&gateway, ARP_IS_REPLY);
    check_is_spoof(&a, &frame, &b);
    frame = arp(&gateway, ARP_IS_REQUEST); /* a gratuitous one does the same */
    check_is_spoof(&a, &frame, &b);

    frame = arp(&ends, ARP_IS_REPLY);
    memcpy(frame.bytes + 22, b.port.mac.octet, 6); /* the sender's MAC inside */
    check_is_spoof(&a, &frame, &b);
    end();
}

TEST(an_arp_probe_passes_and_odd_arp_does_not)
{
    begin();
    struct ends ends = ends_between(&a, &b, 4);
    ends.from = ip_none(4);
    ends.to_mac = broadcast_mac;
    struct frame frame = arp(&ends, ARP_IS_REQUEST);
    check_passes(&a, &frame, &b);
    frame = arp(&ends, ARP_IS_REPLY);
    check_is_spoof(&a, &frame, &b);

    struct ends own = ends_between(&a, &b, 4);
    frame = arp(&own, 3); /* RARP's request */
    check_is_spoof(&a, &frame, &b);
    frame = arp(&own, ARP_IS_REQUEST);
    frame.bytes[18] = 5; /* another length of hardware addresses moves the fields */
    check_is_spoof(&a, &frame, &b);
    frame = arp(&own, ARP_IS_REQUEST);
    frame.size = 30; /* cut within the addresses */
    check_is_spoof(&a, &frame, &b);
    end();
}

TEST(a_foreign_ipv6_source_is_dropped)
{
    begin();
    struct ip_addr gateway_local,
        foreign[5] = { ip("fd77::3"), ip("fd77::1"), ip("2001:db8::1"), guest_link_local(&b) };
    struct mac_addr gateway;
    bridge_mac(one, &gateway);
    link_local(&gateway, &gateway_local);
    foreign[4] = gateway_local;
    for (size_t i = 0; i < 5; i++) {
        struct ends ends = ends_between(&a, &b, 6);
        ends.from = foreign[i];
        struct frame frame = datagram(&ends);
        check_is_spoof(&a, &frame, &b);
    }
    end();
}

TEST(a_guest_may_make_up_a_link_local_address_that_is_nobodys)
{
    begin();
    struct ends ends = ends_between(&a, &b, 6);
    ends.from = guest_link_local(&a);
    struct frame frame = datagram(&ends);
    check_passes(&a, &frame, &b);
    ends.from = ip("fe80::1234:5678:9abc:def0");
    frame = datagram(&ends);
    check_passes(&a, &frame, &b);
    frame = neighbor_advert(&ends, &ends.from);
    check_passes(&a, &frame, &b);
    end();
}

TEST(neighbours_are_advertised_by_their_owner_only)
{
    begin();
    struct ends ends = ends_between(&a, &b, 6);
    struct ip_addr own = a.port.ipv6, local = guest_link_local(&a);
    struct frame frame = neighbor_advert(&ends, &own);
    check_passes(&a, &frame, &b);
    frame = neighbor_advert(&ends, &local);
    check_passes(&a, &frame, &b);

    struct mac_addr gateway;
    struct ip_addr foreign[4] = { b.port.ipv6, ip("fd77::1"), guest_link_local(&b) };
    bridge_mac(one, &gateway);
    link_local(&gateway, &foreign[3]);
    for (size_t i = 0; i < 4; i++) {
        frame = neighbor_advert(&ends, &foreign[i]);
        check_is_spoof(&a, &frame, &b);
    }
    end();
}

TEST(duplicate_address_detection_works_and_cannot_be_abused)
{
    begin();
    struct ends ends = to_all_nodes(&a);
    struct ip_addr own = a.port.ipv6, local = guest_link_local(&a), foreign = b.port.ipv6;
    ends.from = ip_none(6);
    struct frame frame = neighbor_solicit(&ends, &own);
    check_passes(&a, &frame, &b);
    frame = neighbor_solicit(&ends, &local);
    check_passes(&a, &frame, &b);
    frame = neighbor_solicit(&ends, &foreign); /* would make the owner give it up */
    check_is_spoof(&a, &frame, &b);
    ends.from = own;
    frame = neighbor_solicit(&ends, &foreign); /* asking for it is fine */
    check_passes(&a, &frame, &b);
    end();
}

TEST(a_guest_is_no_router)
{
    begin();
    struct ends ends = to_all_nodes(&a);
    struct frame advert = router_advert(&ends);
    check_is_spoof(&a, &advert, &b);
    struct frame hidden = with_extension(&advert, 0);
    check_is_spoof(&a, &hidden, &b);
    hidden = with_extension(&advert, 44);
    check_is_spoof(&a, &hidden, &b);
    struct frame redirect = icmp6(&ends, 137, advert.bytes, 36);
    check_is_spoof(&a, &redirect, &b);
    end();
}

TEST(nothing_hides_behind_fragments)
{
    begin();
    struct ends ends = to_all_nodes(&a);
    struct frame advert = router_advert(&ends);
    /* The first fragment ends within the extension headers: what follows can't be seen. */
    struct frame chain = with_extension(&advert, 60);
    struct frame fragment = with_extension(&chain, 44);
    fragment.size = 14 + 40 + 8 + 8;
    fragment.bytes[14 + 4] = 0;
    fragment.bytes[14 + 5] = 16;
    fragment.bytes[14 + 40 + 8] = 60; /* destination options again, beyond the end */
    check_is_spoof(&a, &fragment, &b);

    struct ip_addr own = a.port.ipv6;
    struct frame neighbor = neighbor_advert(&ends, &own);
    fragment = with_extension(&neighbor, 44);
    check_is_spoof(&a, &fragment, &b);
    end();
}

TEST(harmless_extensions_and_fragments_pass)
{
    begin();
    struct ends ends = ends_between(&a, &b, 6);
    struct frame frame = datagram(&ends);
    struct frame extended = with_extension(&frame, 0);
    check_passes(&a, &extended, &b);
    extended = with_extension(&frame, 60);
    check_passes(&a, &extended, &b);
    extended = with_extension(&frame, 44);
    check_passes(&a, &extended, &b);
    CHECK_EQ(guest_spoof_drops(&a), 0);
    end();
}

TEST(a_guest_is_no_dhcp_server)
{
    begin();
    struct ends ends = ends_between(&a, &b, 4);
    ends.from_port = 67;
    ends.to_port = 68;
    struct frame frame = datagram(&ends);
    check_is_spoof(&a, &frame, &b);
    ends.from_port = 5000; /* clients look at their own port only */
    frame = datagram(&ends);
    check_is_spoof(&a, &frame, &b);

    struct ends ends6 = ends_between(&a, &b, 6);
    ends6.from_port = 547;
    ends6.to_port = 546;
    frame = datagram(&ends6);
    check_is_spoof(&a, &frame, &b);
    ends6.from_port = 5000;
    frame = datagram(&ends6);
    check_is_spoof(&a, &frame, &b);
    end();
}

TEST(other_protocols_and_tagged_frames_are_dropped)
{
    static const unsigned types[] = { 0x8100, 0x88a8, 0x88cc, 0x8847, 0x0026 };
    static const uint8_t rest[50];

    begin();
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct ends ends = ends_between(&a, &b, 4);
        struct frame frame = ethernet(&ends, types[i]);
        frame_add(&frame, rest, sizeof rest);
        check_is_spoof(&a, &frame, &b);
    }
    end();
}

TEST(a_tagged_frame_does_not_carry_a_false_address_through)
{
    begin();
    struct ends ends = ends_between(&a, &b, 4);
    ends.from = ip("10.77.0.1");
    struct frame plain = datagram(&ends), tagged = ethernet(&ends, 0x8100);
    frame_add_u16(&tagged, 0);
    frame_add(&tagged, plain.bytes + 12, plain.size - 12);
    check_is_dropped(&a, &tagged, &b);
    end();
}

TEST(a_port_that_may_spoof_sends_what_it_likes)
{
    begin();
    struct port_config port = rig_port(one, 4);
    port.allow_spoofing = true;
    struct guest c = guest_join_as(&rig, &port);
    struct ends ends = ends_between(&c, &b, 4);
    ends.from_mac = (struct mac_addr){ { 2, 0, 0, 0, 0, 9 } };
    ends.from = ip("8.8.8.8");
    struct frame frame = datagram(&ends);
    check_passes(&c, &frame, &b);
    ends = to_all_nodes(&c);
    frame = router_advert(&ends);
    check_passes(&c, &frame, &b);

    /* And no longer, when that is taken back. */
    port.allow_spoofing = false;
    RIG_OK(&rig, port_ensure, &port);
    check_is_spoof(&c, &frame, &b);
    guest_leave(&c);
    end();
}

TEST(a_port_with_new_addresses_loses_the_old_ones)
{
    begin();
    struct ends old = ends_between(&a, &b, 4);
    struct port_config port = rig_port(one, 9);
    memcpy(port.id, a.port.id, sizeof port.id);
    rig_reopen(&rig); /* what the port was is known to the kernel only */
    RIG_OK(&rig, port_ensure, &port);
    struct guest moved = a;
    moved.port = port;
    struct frame frame = datagram(&old);
    check_is_spoof(&moved, &frame, &b);
    struct ends new = ends_between(&moved, &b, 6);
    frame = datagram(&new);
    check_passes(&moved, &frame, &b);
    end();
}

TEST(two_networks_with_the_same_addresses_do_not_meet)
{
    begin();
    lab_network(&rig, two, /*nat=*/false);
    struct guest c = guest_join(&rig, two, 3);
    struct ends ends = ends_between(&a, &c, 4);
    struct frame frame = datagram(&ends);
    check_passes(&a, &frame, &b); /* b has that address and MAC here */

    struct guest d = guest_join(&rig, two, 4);
    struct ends there = ends_between(&d, &c, 4);
    struct frame mark = datagram(&there);
    check_passes(&d, &mark, &c);
    ends.to_mac = broadcast_mac;
    frame = arp(&ends, ARP_IS_REQUEST);
    guest_send(&a, &frame);
    check_is_dropped(&d, &frame, &c); /* d is not a: its MAC is wrong */
    guest_leave(&c);
    guest_leave(&d);
    RIG_OK(&rig, network_remove, two);
    end();
}

TEST(a_port_made_again_begins_anew)
{
    begin();
    struct ends ends = ends_between(&a, &b, 4);
    ends.from = ip("10.77.0.1");
    struct frame frame = datagram(&ends);
    check_is_spoof(&a, &frame, &b);
    RIG_OK(&rig, port_remove, one, a.port.id);
    guest_leave(&a);
    a = guest_join(&rig, one, 2);
    CHECK_EQ(guest_spoof_drops(&a), 0);
    check_is_spoof(&a, &frame, &b);
    end();
}

TEST(a_tap_without_rules_lets_nothing_through)
{
    begin();
    struct ends ends = ends_between(&a, &b, 4);
    struct frame first = datagram(&ends), second = udp(&ends, "again", 5);
    change_rules(&rig, one, "flush set bridge virga v_mac");
    guest_send(&a, &first);
    rig_reopen(&rig); /* reads what there is */
    RIG_OK(&rig, port_ensure, &a.port);
    guest_send(&a, &second);
    struct frame arrived = guest_receive(&b, is_udp_datagram, NULL);
    CHECK_EQ(memcmp(arrived.bytes, second.bytes, second.size), 0);
    end();
}
