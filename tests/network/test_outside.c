/* tests/network/test_outside.c - the way out of a network, and that there is none in. */
#include "base/str.h"
#include "lab.h"
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const one = "11111111-1111-4111-8111-111111111111";
static const char *const two = "22222222-2222-4222-8222-222222222222";

enum { SERVICE = 8080, GUEST_PORT = 40000 };

static struct rig rig;
static struct outside outside;

static void begin(void)
{
    rig_open(&rig);
    outside = outside_open();
}

static void end(void)
{
    outside_close(&outside);
    rig_close(&rig);
}

/* By way of the gateway. */
static struct ends ends_to(const struct guest *guest, const char *address)
{
    struct ip_addr to = ip(address);
    struct ends ends = ends_to_gateway(guest, to.family);

    ends.to = to;
    ends.from_port = GUEST_PORT;
    ends.to_port = SERVICE;
    return ends;
}

static bool is_answer(void *arg, const struct frame *frame)
{
    return frame_is_udp(frame, SERVICE, GUEST_PORT);
}

static bool is_syn_ack(void *arg, const struct frame *frame)
{
    size_t at;

    return frame_protocol(frame, &at) == 6 && frame_u16(frame, at) == SERVICE &&
           (frame->bytes[at + 13] & 0x3f) == 0x12;
}

/* The gateway asks for the MAC of an IPv6 guest before it hands it an answer. */
static bool is_neighbor_question(void *arg, const struct frame *frame)
{
    const struct guest *guest = arg;
    size_t at;

    return frame_protocol(frame, &at) == 58 && frame->bytes[at] == 135 &&
           memcmp(frame->bytes + at + 8, guest->port.ipv6.octet, 16) == 0;
}

static void introduce(const struct guest *guest)
{
    struct ends ends = ends_to_gateway(guest, 6);
    struct ip_addr own = guest->port.ipv6;
    struct frame frame = ping(&ends);

    guest_send(guest, &frame);
    (void)guest_receive(guest, is_neighbor_question, (void *)guest);
    frame = neighbor_advert(&ends, &own);
    guest_send(guest, &frame);
}

static void check_talks(const struct guest *guest, const char *server, const char *seen_as)
{
    struct ends ends = ends_to(guest, server);
    auto_close int service = outside_socket(&outside, SOCK_DGRAM, server, SERVICE);
    struct ip_addr wanted = ip(seen_as);
    char text[16], back[IP_TEXT_SIZE];
    uint16_t port;
    size_t size;

    struct frame frame = udp(&ends, "question", 8);
    guest_send(guest, &frame);
    struct ip_addr from = socket_receive(service, text, sizeof text, &port);
    CHECK_STR(text, "question");
    CHECK(ip_equal(&from, &wanted));
    ip_format(&from, back);
    socket_send(service, back, port, "answer");
    frame = guest_receive(guest, is_answer, NULL);
    CHECK_EQ(memcmp(frame_udp_payload(&frame, &size), "answer", 6), 0);
}

TEST(a_guest_talks_to_the_outside_by_the_hosts_address)
{
    begin();
    lab_network(&rig, one, /*nat=*/true);
    struct guest guest = guest_join(&rig, one, 2);
    check_talks(&guest, "192.168.50.2", "192.168.50.1");
    introduce(&guest);
    check_talks(&guest, "fd50::2", "fd50::1");
    guest_leave(&guest);
    RIG_OK(&rig, network_remove, one);
    end();
}

TEST(a_guest_connects_to_the_outside_by_tcp)
{
    begin();
    lab_network(&rig, one, /*nat=*/true);
    struct guest guest = guest_join(&rig, one, 2);
    auto_close int listener = outside_socket(&outside, SOCK_STREAM, "192.168.50.2", SERVICE);
    CHECK(listener >= 0);
    struct ends ends = ends_to(&guest, "192.168.50.2");
    struct frame syn = tcp_syn(&ends);
    guest_send(&guest, &syn);
    (void)guest_receive(&guest, is_syn_ack, NULL);
    guest_leave(&guest);
    RIG_OK(&rig, network_remove, one);
    end();
}

TEST(two_networks_with_the_same_addresses_both_go_outside)
{
    begin();
    lab_network(&rig, one, /*nat=*/true);
    lab_network(&rig, two, /*nat=*/true);
    struct guest a = guest_join(&rig, one, 2), b = guest_join(&rig, two, 2);
    check_talks(&a, "192.168.50.2", "192.168.50.1");
    check_talks(&b, "192.168.50.2", "192.168.50.1");
    guest_leave(&a);
    guest_leave(&b);
    RIG_OK(&rig, network_remove, one); /* the other one keeps its way */
    b = guest_join(&rig, two, 3);
    check_talks(&b, "192.168.50.2", "192.168.50.1");
    guest_leave(&b);
    RIG_OK(&rig, network_remove, two);
    end();
}

/* Sends to where nothing may arrive, then to the gateway's resolver; its answer shows that the
 * first has been dealt with. */
static bool is_answer_or_resolver(void *arg, const struct frame *frame)
{
    return is_answer(arg, frame) || frame_is_udp(frame, 53, 5353);
}

static void check_nothing_arrives(const struct guest *guest, const char *address, int service)
{
    static const char question[] = "\0\1\1\0\0\1\0\0\0\0\0\0\3vm2\0\0\1\0\1";
    struct ends ends = ends_to(guest, address), resolver = ends_to_gateway(guest, 4);
    struct frame frame = udp(&ends, "hello", 5);
    char text[16];

    resolver.from_port = 5353;
    resolver.to_port = 53;
    guest_send(guest, &frame);
    frame = udp(&resolver, question, sizeof question - 1);
    guest_send(guest, &frame);
    frame = guest_receive(guest, is_answer_or_resolver, NULL);
    CHECK(frame_is_udp(&frame, 53, 5353));
    CHECK_EQ(recv(service, text, sizeof text, MSG_DONTWAIT), -1);
}

TEST(an_isolated_network_has_no_way_out)
{
    begin();
    lab_network(&rig, one, /*nat=*/false);
    struct guest guest = guest_join(&rig, one, 2);
    auto_close int service = outside_socket(&outside, SOCK_DGRAM, "192.168.50.2", SERVICE);
    check_nothing_arrives(&guest, "192.168.50.2", service);
    guest_leave(&guest);
    RIG_OK(&rig, network_remove, one);
    end();
}

TEST(nat_that_is_turned_off_leaves_no_way_out)
{
    begin();
    lab_network(&rig, one, /*nat=*/true);
    struct guest guest = guest_join(&rig, one, 2);
    check_talks(&guest, "192.168.50.2", "192.168.50.1");
    lab_network(&rig, one, /*nat=*/false);
    auto_close int service = outside_socket(&outside, SOCK_DGRAM, "192.168.50.2", SERVICE);
    check_nothing_arrives(&guest, "192.168.50.2", service);
    lab_network(&rig, one, /*nat=*/true);
    close(service);
    service = -1;
    check_talks(&guest, "192.168.50.2", "192.168.50.1");
    guest_leave(&guest);
    RIG_OK(&rig, network_remove, one);
    end();
}

TEST(the_host_itself_is_no_outside)
{
    begin();
    lab_network(&rig, one, /*nat=*/true);
    struct guest guest = guest_join(&rig, one, 2);
    auto_close int service = host_socket(SOCK_DGRAM, "0.0.0.0", SERVICE);
    check_nothing_arrives(&guest, "192.168.50.1", service);
    auto_free char *uplink = uplink_address(&rig, one);
    struct ip_addr host_end = ip(uplink);
    char text[IP_TEXT_SIZE];
    host_end.octet[3]--;
    ip_format(&host_end, text);
    check_nothing_arrives(&guest, text, service);
    check_talks(&guest, "192.168.50.2", "192.168.50.1");
    guest_leave(&guest);
    RIG_OK(&rig, network_remove, one);
    end();
}

TEST(guests_do_not_reach_link_local_services_of_the_host)
{
    begin();
    lab_network(&rig, one, /*nat=*/true);
    struct guest guest = guest_join(&rig, one, 2);
    auto_close int metadata = host_socket(SOCK_DGRAM, "0.0.0.0", SERVICE);
    check_nothing_arrives(&guest, "169.254.169.254", metadata);
    guest_leave(&guest);
    RIG_OK(&rig, network_remove, one);
    end();
}

/* --- inwards --- */

static bool is_udp_for_service(void *arg, const struct frame *frame)
{
    size_t at;

    return frame_protocol(frame, &at) == 17 && frame_u16(frame, at + 2) == SERVICE;
}

static bool is_udp_from_service(void *arg, const struct frame *frame)
{
    return is_udp_for_service(arg, frame) || is_answer(arg, frame);
}

TEST(nothing_comes_in_that_no_guest_asked_for)
{
    begin();
    lab_network(&rig, one, /*nat=*/true);
    struct guest guest = guest_join(&rig, one, 2);
    auto_close int service = outside_socket(&outside, SOCK_DGRAM, "192.168.50.2", SERVICE);
    struct ends ends = ends_to(&guest, "192.168.50.2");
    char text[16], back[IP_TEXT_SIZE];
    uint16_t port;
    outside_route(&outside, "192.168.50.1"); /* it does all it can to get in */

    struct frame frame = udp(&ends, "question", 8);
    guest_send(&guest, &frame);
    struct ip_addr from = socket_receive(service, text, sizeof text, &port);
    socket_send(service, "10.77.0.2", SERVICE, "intruder");
    auto_free char *uplink = uplink_address(&rig, one);
    socket_send(service, uplink, SERVICE, "intruder");
    auto_close int other = outside_socket(&outside, SOCK_DGRAM, "192.168.50.2", SERVICE + 1);
    ip_format(&from, back);
    socket_send(other, back, port, "intruder"); /* the right way, from the wrong port */
    socket_send(service, back, port, "answer");
    frame = guest_receive(&guest, is_udp_from_service, NULL);
    CHECK(is_answer(NULL, &frame));
    guest_leave(&guest);
    RIG_OK(&rig, network_remove, one);
    end();
}

TEST(networks_do_not_meet_outside)
{
    begin();
    lab_network(&rig, one, /*nat=*/true);
    lab_network(&rig, two, /*nat=*/true);
    struct guest a = guest_join(&rig, one, 2);
    auto_close int there = network_socket(&rig, two, SOCK_DGRAM, "0.0.0.0", SERVICE);
    for (unsigned i = 0; i < 2; i++) {
        auto_free char *address = uplink_address(&rig, i ? two : one);
        check_nothing_arrives(&a, address, there);
    }
    guest_leave(&a);
    RIG_OK(&rig, network_remove, one);
    RIG_OK(&rig, network_remove, two);
    end();
}

/* --- the host's side --- */

TEST(the_host_keeps_only_what_networks_with_nat_need)
{
    begin();
    lab_network(&rig, one, /*nat=*/true);
    lab_network(&rig, two, /*nat=*/true);
    CHECK_EQ(host_uplinks(), 2);
    rig_reopen(&rig);
    lab_network(&rig, one, /*nat=*/true);
    CHECK_EQ(host_uplinks(), 2);
    RIG_OK(&rig, network_remove, two);
    CHECK_EQ(host_uplinks(), 1);
    RIG_OK(&rig, network_remove, one);
    CHECK_EQ(host_uplinks(), 0);
    end(); /* sees that the table is gone as well */
}

TEST(a_firewall_of_the_host_that_stands_in_the_way_is_named)
{
    struct network_status status;

    begin();
    host_rules("add table ip filter\n"
               "add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }");
    lab_network(&rig, one, /*nat=*/true);
    rig.network->ops->network_observe(rig.network, one, &status);
    CHECK(status.is_up);
    CHECK_CONTAINS(status.message, "table ip filter, chain FORWARD");
    host_rules("delete table ip filter");
    lab_network(&rig, one, /*nat=*/true);
    rig.network->ops->network_observe(rig.network, one, &status);
    CHECK_STR(status.message, "");
    RIG_OK(&rig, network_remove, one);
    end();
}

TEST(a_lost_uplink_is_made_again)
{
    begin();
    lab_network(&rig, one, /*nat=*/true);
    struct guest guest = guest_join(&rig, one, 2);
    remove_uplink();
    RIG_OK(&rig, network_refresh, one);
    struct network_status status;
    rig.network->ops->network_observe(rig.network, one, &status);
    CHECK(!status.is_up);
    lab_network(&rig, one, /*nat=*/true);
    check_talks(&guest, "192.168.50.2", "192.168.50.1");
    guest_leave(&guest);
    RIG_OK(&rig, network_remove, one);
    end();
}

TEST(rules_that_the_host_flushed_are_noticed_and_made_again)
{
    struct network_status status;

    begin();
    lab_network(&rig, one, /*nat=*/true);
    lab_network(&rig, two, /*nat=*/true);
    struct guest a = guest_join(&rig, one, 2), b = guest_join(&rig, two, 2);
    host_rules("flush ruleset"); /* as "systemctl restart nftables" does */
    RIG_OK(&rig, network_refresh, one);
    rig.network->ops->network_observe(rig.network, one, &status);
    CHECK(!status.is_up);
    CHECK_CONTAINS(status.message, "virga_vt");
    lab_network(&rig, one, /*nat=*/true);
    lab_network(&rig, two, /*nat=*/true); /* its entries went with the others' */
    check_talks(&a, "192.168.50.2", "192.168.50.1");
    check_talks(&b, "192.168.50.2", "192.168.50.1");
    guest_leave(&a);
    guest_leave(&b);
    RIG_OK(&rig, network_remove, one);
    RIG_OK(&rig, network_remove, two);
    end();
}
