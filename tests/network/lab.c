/* tests/network/lab.c - guests made of frames. */
#include "lab.h"
#include "drivers/network/netns/names.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { VNET_HEADER_SIZE = 10, PATIENCE_MS = 10 * 1000, ASK_AGAIN_MS = 20, MARK_PORT = 4711 };

void lab_network(struct rig *rig, const char *uid, bool nat)
{
    auto_clean(network_config_free_auto) struct network_config *config = rig_network(uid);

    config->nat = nat;
    RIG_OK(rig, network_ensure, config);
}

/* The kernel lets a bridge's port forward some time after its tap was opened, and what comes
 * before is lost: asks the gateway for its MAC until it answers. */
static void wait_until_bridged(const struct guest *guest)
{
    struct ends ends = ends_to_gateway(guest, 4);
    struct pollfd readable = { .fd = guest->fd, .events = POLLIN };
    uint8_t bytes[VNET_HEADER_SIZE + FRAME_SIZE_MAX];

    ends.to_mac = broadcast_mac;
    struct frame question = arp(&ends, ARP_IS_REQUEST);
    for (unsigned i = 0; i < PATIENCE_MS / ASK_AGAIN_MS; i++) {
        guest_send(guest, &question);
        while (poll(&readable, 1, ASK_AGAIN_MS) > 0 && read(guest->fd, bytes, sizeof bytes) > 0)
            if (bytes[VNET_HEADER_SIZE + 13] == 0x06 && bytes[VNET_HEADER_SIZE + 21] == 2)
                return;
    }
    check_fail(CHECK_HERE, "the gateway does not answer %s", guest->port.hostname);
}

struct guest guest_join_as(struct rig *rig, const struct port_config *port)
{
    struct guest guest = { .rig = rig, .port = *port };
    struct wait wait;

    RIG_OK(rig, port_ensure, port);
    (void)wait_done(rig, &wait);
    rig->network->ops->port_open(rig->network, port->network_uid, port->id, wait_fd, &wait);
    rig_wait(rig, &wait);
    CHECK_STR(wait.err.text, "");
    guest.fd = wait.fd;
    wait_until_bridged(&guest);
    return guest;
}

struct guest guest_join(struct rig *rig, const char *network_uid, unsigned number)
{
    struct port_config port = rig_port(network_uid, number);

    return guest_join_as(rig, &port);
}

void guest_leave(struct guest *guest)
{
    close(guest->fd);
    guest->fd = -1;
}

void guest_send(const struct guest *guest, const struct frame *frame)
{
    uint8_t bytes[VNET_HEADER_SIZE + FRAME_SIZE_MAX] = { 0 };

    memcpy(bytes + VNET_HEADER_SIZE, frame->bytes, frame->size);
    CHECK_EQ(write(guest->fd, bytes, VNET_HEADER_SIZE + frame->size),
             VNET_HEADER_SIZE + frame->size);
}

static struct frame read_frame(const struct guest *guest)
{
    uint8_t bytes[VNET_HEADER_SIZE + FRAME_SIZE_MAX];
    struct pollfd readable = { .fd = guest->fd, .events = POLLIN };
    struct frame frame = { .size = 0 };

    if (poll(&readable, 1, PATIENCE_MS) <= 0)
        check_fail(CHECK_HERE, "no frame came to %s", guest->port.hostname);

    ssize_t size = read(guest->fd, bytes, sizeof bytes);
    CHECK(size >= VNET_HEADER_SIZE);
    frame_add(&frame, bytes + VNET_HEADER_SIZE, (size_t)size - VNET_HEADER_SIZE);
    return frame;
}

struct frame guest_receive(const struct guest *guest, frame_fn *is_wanted, void *arg)
{
    struct frame frame;

    do
        frame = read_frame(guest);
    while (!is_wanted(arg, &frame));
    return frame;
}

struct ends ends_between(const struct guest *from, const struct guest *to, uint8_t family)
{
    return (struct ends){ .from_mac = from->port.mac,
                          .to_mac = to->port.mac,
                          .from = family == 4 ? from->port.ipv4 : from->port.ipv6,
                          .to = family == 4 ? to->port.ipv4 : to->port.ipv6,
                          .from_port = 1000,
                          .to_port = 2000 };
}

struct ends ends_to_gateway(const struct guest *from, uint8_t family)
{
    struct ends ends = ends_between(from, from, family);

    bridge_mac(from->port.network_uid, &ends.to_mac);
    ends.to = family == 4 ? ip("10.77.0.1") : ip("fd77::1");
    return ends;
}

struct ip_addr guest_link_local(const struct guest *guest)
{
    struct ip_addr addr;

    link_local(&guest->port.mac, &addr);
    return addr;
}

uint64_t guest_spoof_drops(const struct guest *guest)
{
    struct rig *rig = guest->rig;
    struct wait wait;

    (void)wait_done(rig, &wait);
    rig->network->ops->port_read(rig->network, guest->port.network_uid, guest->port.id,
                                 wait_counters, &wait);
    rig_wait(rig, &wait);
    CHECK_STR(wait.err.text, "");
    return wait.counters.spoof_drops;
}

/* --- passing and being dropped --- */

static bool is_same(void *arg, const struct frame *frame)
{
    const struct frame *wanted = arg;

    return frame->size == wanted->size && memcmp(frame->bytes, wanted->bytes, frame->size) == 0;
}

void check_passes(const struct guest *from, const struct frame *frame, const struct guest *to)
{
    struct frame wanted = *frame;

    guest_send(from, frame);
    (void)guest_receive(to, is_same, &wanted);
}

struct sought {
    const struct frame *unwanted;
    struct frame mark;
};

static bool is_mark(void *arg, const struct frame *frame)
{
    struct sought *sought = arg;
    struct frame unwanted = *sought->unwanted;

    if (is_same(&unwanted, frame))
        check_fail(CHECK_HERE, "the frame got through");
    return is_same(&sought->mark, frame);
}

void check_is_dropped(const struct guest *from, const struct frame *frame, const struct guest *to)
{
    static uint32_t count;
    struct ends ends = ends_between(from, to, 4);
    struct sought sought = { .unwanted = frame };

    count++;
    ends.to_port = MARK_PORT;
    sought.mark = udp(&ends, &count, sizeof count);
    guest_send(from, frame);
    guest_send(from, &sought.mark);
    (void)guest_receive(to, is_mark, &sought);
}

void check_is_spoof(const struct guest *from, const struct frame *frame, const struct guest *to)
{
    uint64_t before = guest_spoof_drops(from);

    check_is_dropped(from, frame, to);
    CHECK_EQ(guest_spoof_drops(from), before + 1);
}
