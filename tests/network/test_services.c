/* tests/network/test_services.c - what a guest gets from its network: addresses, names, routes. */
#include "base/str.h"
#include "drivers/marks.h"
#include "lab.h"
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const one = "11111111-1111-4111-8111-111111111111";

static struct rig rig;

static void begin(bool nat)
{
    rig_open(&rig);
    lab_network(&rig, one, nat);
}

static void end(void)
{
    RIG_OK(&rig, network_remove, one);
    rig_close(&rig);
}

/* --- DHCP --- */

enum { DISCOVER = 1, OFFER = 2, REQUEST = 3, ACK = 5, BOOTP_SIZE = 236, OPTIONS_AT = 240 };

static struct frame dhcp(const struct guest *guest, unsigned type, const struct ip_addr *wanted)
{
    struct ends ends = { .from_mac = guest->port.mac,
                         .to_mac = broadcast_mac,
                         .from = ip_none(4),
                         .to = ip("255.255.255.255"),
                         .from_port = 68,
                         .to_port = 67 };
    struct frame body = { .size = 0 };

    frame_add_u32(&body, 0x01010600);
    frame_add_u32(&body, 0x76697267); /* transaction */
    frame_add_u32(&body, 0x00008000); /* answer by broadcast */
    frame_add(&body, (uint8_t[16]){ 0 }, 16);
    frame_add(&body, guest->port.mac.octet, 6);
    frame_add(&body, (uint8_t[202]){ 0 }, 202);
    frame_add_u32(&body, 0x63825363);
    frame_add(&body, (uint8_t[]){ 53, 1, (uint8_t)type }, 3);
    frame_add(&body, (uint8_t[]){ 61, 3, 0xff, 1, 2 }, 5); /* a client id that all share */
    frame_add(&body, (uint8_t[]){ 12, 4, 'e', 'v', 'i', 'l' }, 6);
    frame_add(&body, (uint8_t[]){ 55, 6, 1, 3, 6, 15, 26, 12 }, 8);
    if (wanted) {
        frame_add(&body, (uint8_t[]){ 50, 4 }, 2);
        frame_add(&body, wanted->octet, 4);
    }
    frame_add_u8(&body, 255);
    return udp(&ends, body.bytes, body.size);
}

/* Option 'code' of an answer, or NULL. */
static const uint8_t *dhcp_option(const struct frame *frame, unsigned code, size_t *ret_size)
{
    size_t size;
    const uint8_t *body = frame_udp_payload(frame, &size);

    CHECK(body && size > OPTIONS_AT);
    for (size_t at = OPTIONS_AT; at + 1 < size && body[at] != 255;) {
        if (body[at] == 0) {
            at++;
            continue;
        }
        if (body[at] == code) {
            *ret_size = body[at + 1];
            return body + at + 2;
        }
        at += 2u + body[at + 1];
    }
    return NULL;
}

/* To this guest: answers are broadcast. */
static bool is_dhcp_answer(void *arg, const struct frame *frame)
{
    const struct guest *guest = arg;
    size_t size;
    const uint8_t *body = frame_is_udp(frame, 67, 68) ? frame_udp_payload(frame, &size) : NULL;

    return body && size > OPTIONS_AT && memcmp(body + 28, guest->port.mac.octet, 6) == 0;
}

static void check_option(const struct frame *frame, unsigned code, const void *wanted, size_t size)
{
    size_t found_size = 0;
    const uint8_t *found = dhcp_option(frame, code, &found_size);

    CHECK(found);
    CHECK_EQ(found_size, size);
    CHECK_EQ(memcmp(found, wanted, size), 0);
}

static struct ip_addr offered(const struct frame *frame)
{
    struct ip_addr addr = { .family = 4 };
    size_t size;

    memcpy(addr.octet, frame_udp_payload(frame, &size) + 16, 4);
    return addr;
}

/* Discover, offer, request, acknowledgement. */
static struct frame dhcp_lease(const struct guest *guest)
{
    struct frame frame = dhcp(guest, DISCOVER, NULL);

    guest_send(guest, &frame);
    frame = guest_receive(guest, is_dhcp_answer, (void *)guest);
    check_option(&frame, 53, (uint8_t[]){ OFFER }, 1);

    struct ip_addr addr = offered(&frame);
    CHECK(ip_equal(&addr, &guest->port.ipv4));
    frame = dhcp(guest, REQUEST, &addr);
    guest_send(guest, &frame);
    frame = guest_receive(guest, is_dhcp_answer, (void *)guest);
    check_option(&frame, 53, (uint8_t[]){ ACK }, 1);
    return frame;
}

TEST(dhcp_gives_the_address_that_was_chosen)
{
    begin(/*nat=*/true);
    struct guest guest = guest_join(&rig, one, 2);
    struct frame ack = dhcp_lease(&guest);
    size_t size;
    check_option(&ack, 1, (uint8_t[]){ 255, 255, 255, 0 }, 4);
    check_option(&ack, 3, (uint8_t[]){ 10, 77, 0, 1 }, 4);
    check_option(&ack, 6, (uint8_t[]){ 10, 77, 0, 1 }, 4);
    check_option(&ack, 12, "vm2", 3);
    check_option(&ack, 15, "lan.internal", 12);
    check_option(&ack, 26, (uint8_t[]){ 0x05, 0xdc }, 2);
    CHECK(dhcp_option(&ack, 54, &size) != NULL);
    guest_leave(&guest);
    end();
}

TEST(an_isolated_network_offers_no_router)
{
    begin(/*nat=*/false);
    struct guest guest = guest_join(&rig, one, 2);
    struct frame ack = dhcp_lease(&guest);
    size_t size;
    CHECK(!dhcp_option(&ack, 3, &size));
    check_option(&ack, 6, (uint8_t[]){ 10, 77, 0, 1 }, 4);
    guest_leave(&guest);
    end();
}

TEST(guests_that_share_a_client_id_keep_their_own_addresses)
{
    begin(/*nat=*/false);
    struct guest a = guest_join(&rig, one, 2), b = guest_join(&rig, one, 3);
    (void)dhcp_lease(&a);
    (void)dhcp_lease(&b);
    (void)dhcp_lease(&a);
    guest_leave(&a);
    guest_leave(&b);
    end();
}

/* A port with its lease goes, and another comes with its address. */
static void hand_over_address(bool server_is_down_meanwhile)
{
    begin(/*nat=*/false);
    struct guest old = guest_join(&rig, one, 2);
    struct port_config port = rig_port(one, 9);
    (void)dhcp_lease(&old);
    RIG_OK(&rig, port_remove, one, old.port.id);
    guest_leave(&old);
    if (server_is_down_meanwhile) {
        rig_reopen(&rig); /* no longer knows of the server */
        rig_kill_dhcp(&rig, one);
    }
    port.ipv4 = old.port.ipv4;
    struct guest new = guest_join_as(&rig, &port);
    if (server_is_down_meanwhile)
        lab_network(&rig, one, /*nat=*/false);
    (void)dhcp_lease(&new);
    guest_leave(&new);
    end();
}

TEST(a_new_port_gets_the_address_of_a_removed_one_at_once) { hand_over_address(false); }

TEST(the_address_is_free_also_when_the_server_was_down_meanwhile) { hand_over_address(true); }

TEST(leases_outlive_the_daemon_and_the_server)
{
    begin(/*nat=*/false);
    struct guest guest = guest_join(&rig, one, 2);
    (void)dhcp_lease(&guest);
    rig_reopen(&rig);
    rig_kill_dhcp(&rig, one);
    lab_network(&rig, one, /*nat=*/false);
    (void)dhcp_lease(&guest);
    guest_leave(&guest);
    end();
}

/* --- IPv6 --- */

static bool is_icmp6(const struct frame *frame, unsigned type, size_t *ret_at)
{
    return frame_protocol(frame, ret_at) == 58 && frame->bytes[*ret_at] == type;
}

static bool is_router_advert(void *arg, const struct frame *frame)
{
    size_t at;

    return is_icmp6(frame, 134, &at);
}

static struct frame ask_for_router(const struct guest *guest)
{
    struct ends ends = { .from_mac = guest->port.mac, .from = guest_link_local(guest) };
    struct frame body = { .size = 0 };

    ends.to = ip("ff02::2");
    ends.to_mac = multicast_mac(&ends.to);
    frame_add_u32(&body, 0);
    frame_add_u16(&body, 0x0101);
    frame_add(&body, guest->port.mac.octet, 6);

    struct frame frame = icmp6(&ends, 133, body.bytes, body.size);
    guest_send(guest, &frame);
    return guest_receive(guest, is_router_advert, NULL);
}

/* An option of a router advertisement, or NULL. */
static const uint8_t *advert_option(const struct frame *frame, unsigned type)
{
    size_t at;

    CHECK(is_icmp6(frame, 134, &at));
    for (at += 16; at + 8 <= frame->size; at += frame->bytes[at + 1] * 8u) {
        CHECK(frame->bytes[at + 1] > 0);
        if (frame->bytes[at] == type)
            return frame->bytes + at;
    }
    return NULL;
}

TEST(the_router_tells_guests_to_ask_for_their_address)
{
    begin(/*nat=*/true);
    struct guest guest = guest_join(&rig, one, 2);
    struct frame advert = ask_for_router(&guest);
    const uint8_t *prefix = advert_option(&advert, 3), *mtu = advert_option(&advert, 5);
    struct ip_addr wanted = ip("fd77::");
    size_t at;
    CHECK(is_icmp6(&advert, 134, &at));
    CHECK((advert.bytes[at + 5] & 0x80) != 0); /* managed */
    CHECK(frame_u16(&advert, at + 6) > 0);     /* a default router */
    CHECK(prefix && prefix[2] == 64);
    CHECK((prefix[3] & 0x80) != 0); /* on link */
    CHECK((prefix[3] & 0x40) == 0); /* and none made up from it */
    CHECK_EQ(memcmp(prefix + 16, wanted.octet, 16), 0);
    CHECK(mtu && mtu[6] == 0x05 && mtu[7] == 0xdc);
    CHECK(advert_option(&advert, 25)); /* resolver */
    guest_leave(&guest);
    end();
}

TEST(the_router_of_an_isolated_network_leads_nowhere)
{
    begin(/*nat=*/false);
    struct guest guest = guest_join(&rig, one, 2);
    struct frame advert = ask_for_router(&guest);
    size_t at;
    CHECK(is_icmp6(&advert, 134, &at));
    CHECK_EQ(frame_u16(&advert, at + 6), 0);
    CHECK((advert.bytes[at + 5] & 0x80) != 0);
    guest_leave(&guest);
    end();
}

/* Answers the gateway's questions for the guest's MAC as well, as its system would. */
static bool is_dhcp6_answer(void *arg, const struct frame *frame)
{
    const struct guest *guest = arg;
    struct ends ends = ends_to_gateway(guest, 6);
    struct ip_addr own = guest_link_local(guest);
    size_t at;

    if (is_icmp6(frame, 135, &at) && memcmp(frame->bytes + at + 8, own.octet, 16) == 0) {
        struct frame advert = neighbor_advert(&ends, &own);

        guest_send(guest, &advert);
    }
    return frame_is_udp(frame, 547, 546);
}

/* Solicit with rapid commit: the reply is the lease. The DUID is one that clones share. */
static struct frame dhcp6_lease(const struct guest *guest)
{
    static const uint8_t options[] = { 0, 1,  0, 6, 0, 3, 0, 1, 7, 7, /* client id */
                                       0, 14, 0, 0,                   /* rapid commit */
                                       0, 8,  0, 2, 0, 0,             /* elapsed */
                                       0, 3,  0, 12 };                /* IA_NA */
    struct ends ends = { .from_mac = guest->port.mac,
                         .from = guest_link_local(guest),
                         .from_port = 546,
                         .to_port = 547 };
    struct frame body = { .size = 0 };

    ends.to = ip("ff02::1:2");
    ends.to_mac = multicast_mac(&ends.to);
    frame_add_u32(&body, 0x01766972);
    frame_add(&body, options, sizeof options);
    frame_add(&body, guest->port.mac.octet + 2, 4);
    frame_add(&body, (uint8_t[8]){ 0 }, 8);

    struct frame frame = udp(&ends, body.bytes, body.size);
    guest_send(guest, &frame);
    return guest_receive(guest, is_dhcp6_answer, (void *)guest);
}

static void check_dhcp6_address(const struct frame *frame, const struct ip_addr *wanted)
{
    static const uint8_t head[] = { 0, 5, 0, 24 };
    size_t size;
    const uint8_t *body = frame_udp_payload(frame, &size);
    const uint8_t *option = body ? memmem(body, size, head, sizeof head) : NULL;

    CHECK(body && body[0] == 7); /* reply */
    CHECK(option != NULL);
    CHECK_EQ(memcmp(option + sizeof head, wanted->octet, 16), 0);
}

TEST(dhcpv6_gives_the_address_that_was_chosen)
{
    begin(/*nat=*/false);
    struct guest guest = guest_join(&rig, one, 2);
    (void)ask_for_router(&guest); /* as guests do; the router learns the MAC */
    struct frame reply = dhcp6_lease(&guest);
    check_dhcp6_address(&reply, &guest.port.ipv6);
    guest_leave(&guest);
    end();
}

TEST(a_new_port_gets_the_ipv6_address_of_a_removed_one_at_once)
{
    begin(/*nat=*/false);
    struct guest old = guest_join(&rig, one, 2);
    struct port_config port = rig_port(one, 9);
    (void)ask_for_router(&old);
    struct frame reply = dhcp6_lease(&old);
    check_dhcp6_address(&reply, &old.port.ipv6);
    RIG_OK(&rig, port_remove, one, old.port.id);
    guest_leave(&old);
    port.ipv6 = old.port.ipv6;
    struct guest new = guest_join_as(&rig, &port);
    (void)ask_for_router(&new);
    reply = dhcp6_lease(&new);
    check_dhcp6_address(&reply, &old.port.ipv6);
    guest_leave(&new);
    end();
}

/* --- names --- */

enum { TYPE_A = 1, TYPE_PTR = 12, TYPE_AAAA = 28, NAME_ERROR = 3, REFUSED = 5 };

static void add_dns_name(struct frame *to, const char *name)
{
    while (*name) {
        size_t length = strcspn(name, ".");

        frame_add_u8(to, (unsigned)length);
        frame_add(to, name, length);
        name += length + (name[length] == '.');
    }
    frame_add_u8(to, 0);
}

static bool is_dns_answer(void *arg, const struct frame *frame)
{
    return frame_is_udp(frame, 53, 5353);
}

struct dns_answer {
    uint8_t bytes[512];
    size_t size;
    unsigned code, count;
};

static struct dns_answer ask(const struct guest *guest, uint8_t family, const char *name,
                             unsigned type)
{
    struct ends ends = ends_to_gateway(guest, family);
    struct frame body = { .size = 0 };
    struct dns_answer answer = { .size = 0 };

    ends.from_port = 5353;
    ends.to_port = 53;
    frame_add_u32(&body, 0x12340100);
    frame_add_u32(&body, 0x00010000);
    frame_add_u32(&body, 0);
    add_dns_name(&body, name);
    frame_add_u16(&body, type);
    frame_add_u16(&body, 1);

    struct frame frame = udp(&ends, body.bytes, body.size);
    guest_send(guest, &frame);
    frame = guest_receive(guest, is_dns_answer, NULL);
    const uint8_t *bytes = frame_udp_payload(&frame, &answer.size);
    CHECK(bytes && answer.size >= 12 && answer.size <= sizeof answer.bytes);
    memcpy(answer.bytes, bytes, answer.size);
    answer.code = bytes[3] & 15;
    answer.count = bytes[7];
    return answer;
}

/* The answer's last bytes are the data of its last record. */
static void check_ends_with(const struct dns_answer *answer, const void *bytes, size_t size)
{
    CHECK_EQ(answer->code, 0);
    CHECK_EQ(answer->count, 1);
    CHECK(answer->size > size);
    CHECK_EQ(memcmp(answer->bytes + answer->size - size, bytes, size), 0);
}

/* Neighbour discovery is the kernel's: the gateway asks for the guest's MAC before it answers. */
static bool is_question_for_us(void *arg, const struct frame *frame)
{
    const struct guest *guest = arg;
    size_t at;

    return is_icmp6(frame, 135, &at) &&
           memcmp(frame->bytes + at + 8, guest->port.ipv6.octet, 16) == 0;
}

TEST(peers_are_found_by_name_and_by_address)
{
    begin(/*nat=*/false);
    struct guest a = guest_join(&rig, one, 2), b = guest_join(&rig, one, 3);
    struct dns_answer answer = ask(&a, 4, "vm3.lan.internal", TYPE_A);
    check_ends_with(&answer, b.port.ipv4.octet, 4);
    answer = ask(&a, 4, "vm3", TYPE_A);
    check_ends_with(&answer, b.port.ipv4.octet, 4);
    answer = ask(&a, 4, "vm3.lan.internal", TYPE_AAAA);
    check_ends_with(&answer, b.port.ipv6.octet, 16);
    answer = ask(&a, 4, "3.0.77.10.in-addr.arpa", TYPE_PTR);
    check_ends_with(&answer, "\3vm3\3lan\10internal", 18);
    answer = ask(&a, 4, "3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.7.d.f.ip6.arpa",
                 TYPE_PTR);
    check_ends_with(&answer, "\3vm3\3lan\10internal", 18);
    guest_leave(&a);
    guest_leave(&b);
    end();
}

/* The server may be asked before it has taken the end of the lease. */
static bool is_forgotten(const struct guest *guest, const char *name)
{
    for (int i = 0; i < 50; i++)
        if (ask(guest, 4, name, TYPE_A).code == NAME_ERROR)
            return true;
    return false;
}

TEST(the_name_of_a_guest_that_kept_its_lease_ends_with_its_port)
{
    begin(/*nat=*/false);
    struct guest a = guest_join(&rig, one, 2), b = guest_join(&rig, one, 3);
    (void)dhcp_lease(&b); /* forced down, it does not give it back */
    struct dns_answer answer = ask(&a, 4, "vm3", TYPE_A);
    check_ends_with(&answer, b.port.ipv4.octet, 4);
    RIG_OK(&rig, port_remove, one, b.port.id);
    CHECK(is_forgotten(&a, "vm3.lan.internal"));
    CHECK(is_forgotten(&a, "vm3"));
    guest_leave(&a);
    guest_leave(&b);
    end();
}

TEST(names_end_with_their_ports_and_follow_their_addresses)
{
    begin(/*nat=*/false);
    struct guest a = guest_join(&rig, one, 2), b = guest_join(&rig, one, 3);
    struct port_config moved = rig_port(one, 8);
    memcpy(moved.id, b.port.id, sizeof moved.id);
    RIG_OK(&rig, port_ensure, &moved);
    struct dns_answer answer = ask(&a, 4, "vm8", TYPE_A);
    check_ends_with(&answer, moved.ipv4.octet, 4);
    CHECK_EQ(ask(&a, 4, "vm3.lan.internal", TYPE_A).code, NAME_ERROR);
    RIG_OK(&rig, port_remove, one, b.port.id);
    CHECK_EQ(ask(&a, 4, "vm8.lan.internal", TYPE_A).code, NAME_ERROR);
    guest_leave(&a);
    guest_leave(&b);
    end();
}

TEST(a_guest_cannot_give_itself_a_name)
{
    begin(/*nat=*/false);
    struct guest guest = guest_join(&rig, one, 2);
    (void)dhcp_lease(&guest); /* says that it is called evil */
    CHECK_EQ(ask(&guest, 4, "evil.lan.internal", TYPE_A).code, NAME_ERROR);
    guest_leave(&guest);
    end();
}

TEST(an_isolated_network_asks_nobody_else)
{
    begin(/*nat=*/false);
    struct guest guest = guest_join(&rig, one, 2);
    CHECK_EQ(ask(&guest, 4, "example.org", TYPE_A).code, REFUSED);
    guest_leave(&guest);
    end();
}

TEST(names_are_served_over_ipv6_too)
{
    begin(/*nat=*/false);
    struct guest a = guest_join(&rig, one, 2);
    struct ends ends = ends_to_gateway(&a, 6);
    struct ip_addr own = a.port.ipv6;
    struct frame frame = ping(&ends);
    guest_send(&a, &frame);
    (void)guest_receive(&a, is_question_for_us, &a);
    frame = neighbor_advert(&ends, &own);
    guest_send(&a, &frame);
    struct dns_answer answer = ask(&a, 6, "vm2", TYPE_AAAA);
    check_ends_with(&answer, own.octet, 16);
    guest_leave(&a);
    end();
}

TEST(a_folder_that_dnsmasq_could_not_read_is_refused_at_once)
{
    auto_free char *hidden = NULL;
    struct network_setup setup;
    struct err err;

    rig_open(&rig);
    setup = rig.setup;
    hidden = str_printf("%s/hidden", setup.state_dir); /* the folder above is root's alone */
    setup.run_dir = hidden;
    CHECK(!network_netns.open(&setup, &err));
    CHECK_EQ(err.code, ERR_INVALID);
    CHECK_CONTAINS(err.text, "searchable");
    CHECK_EQ(rmdir(hidden), 0);
    setup = rig.setup;
    setup.prefix = "Too-Long";
    CHECK(!network_netns.open(&setup, &err));
    CHECK_EQ(err.code, ERR_INVALID);
    rig_close(&rig);
}

/* --- the gateway itself --- */

static bool is_echo_reply(void *arg, const struct frame *frame)
{
    size_t at;

    return frame_protocol(frame, &at) == 1 && frame->bytes[at] == 0;
}

static bool is_tcp(void *arg, const struct frame *frame)
{
    size_t at;

    return frame_protocol(frame, &at) == 6;
}

static bool is_tcp_or_echo_reply(void *arg, const struct frame *frame)
{
    return is_tcp(arg, frame) || is_echo_reply(arg, frame);
}

TEST(the_gateway_answers_pings_and_hides_all_else)
{
    begin(/*nat=*/false);
    struct guest guest = guest_join(&rig, one, 2);
    auto_close int listener = network_socket(&rig, one, SOCK_STREAM, "0.0.0.0", 8080);
    CHECK(listener >= 0);
    struct ends ends = ends_to_gateway(&guest, 4);
    ends.to_port = 8080;
    struct frame syn = tcp_syn(&ends), echo = ping(&ends);
    guest_send(&guest, &syn);
    guest_send(&guest, &echo);
    struct frame answer = guest_receive(&guest, is_tcp_or_echo_reply, NULL);
    CHECK(is_echo_reply(NULL, &answer));

    ends.to_port = 53; /* what it serves is open by TCP as well */
    syn = tcp_syn(&ends);
    guest_send(&guest, &syn);
    (void)guest_receive(&guest, is_tcp, NULL);
    guest_leave(&guest);
    end();
}

TEST(a_guest_that_is_not_there_or_does_not_listen_yet_is_unavailable)
{
    auto_clean(network_config_free_auto) struct network_config *config = rig_network(one);
    struct ip_addr nobody = config->ipv4_gateway;
    struct wait wait;

    begin(/*nat=*/false);
    nobody.octet[3] = 250;
    (void)wait_done(&rig, &wait);
    rig.network->ops->dial(rig.network, one, &config->ipv4_gateway, 1, 5000, wait_fd, &wait);
    rig_wait(&rig, &wait);
    CHECK_EQ(wait.err.code, ERR_UNAVAILABLE);
    (void)wait_done(&rig, &wait);
    rig.network->ops->dial(rig.network, one, &nobody, 22, 10000, wait_fd, &wait);
    rig_wait(&rig, &wait);
    CHECK_EQ(wait.err.code, ERR_UNAVAILABLE);
    end();
}

TEST(the_gateway_shows_what_is_marked_as_served)
{
    static const int mark = MARK_SERVED;

    begin(/*nat=*/false);
    struct guest guest = guest_join(&rig, one, 2);
    auto_close int listener = network_socket(&rig, one, SOCK_STREAM, "0.0.0.0", 8080);
    CHECK(listener >= 0);
    CHECK_EQ(setsockopt(listener, SOL_SOCKET, SO_MARK, &mark, sizeof mark), 0);
    struct ends ends = ends_to_gateway(&guest, 4);
    ends.to_port = 8080;
    struct frame syn = tcp_syn(&ends);
    guest_send(&guest, &syn);
    (void)guest_receive(&guest, is_tcp, NULL);
    guest_leave(&guest);
    end();
}
