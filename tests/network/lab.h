/* tests/network/lab.h - networks of the real driver with guests made of raw frames: each holds
 * its tap's descriptor as QEMU would. The rig's namespace is the host; an "outside" one is
 * joined to it when asked for. Nothing waits for time to pass: that a frame was dropped is seen
 * when a later one of the same sender has arrived. */
#pragma once
#include "../contract/network/rig.h"
#include "frames.h"

struct guest {
    struct rig *rig;
    struct port_config port;
    int fd;
};

/* The rig's network 'uid' as it is, or with NAT. */
void lab_network(struct rig *rig, const char *uid, bool nat);
/* The port with that number of the network, ensured and opened. */
struct guest guest_join(struct rig *rig, const char *network_uid, unsigned number);
struct guest guest_join_as(struct rig *rig, const struct port_config *port);
void guest_leave(struct guest *guest); /* closes the tap; the port stays */

void guest_send(const struct guest *guest, const struct frame *frame);
/* The next frame that 'is_wanted'; fails the test when none comes within ten seconds. Others
 * are passed over. */
typedef bool frame_fn(void *arg, const struct frame *frame);
struct frame guest_receive(const struct guest *guest, frame_fn *is_wanted, void *arg);

/* From one guest to another, by its own addresses. */
struct ends ends_between(const struct guest *from, const struct guest *to, uint8_t family);
/* From a guest to the gateway of the rig's networks. */
struct ends ends_to_gateway(const struct guest *from, uint8_t family);
struct ip_addr guest_link_local(const struct guest *guest);
uint64_t guest_spoof_drops(const struct guest *guest);

/* Sends 'frame' and sees it arrive. */
void check_passes(const struct guest *from, const struct frame *frame, const struct guest *to);
/* Sends 'frame', then another, and sees that only the second arrives. */
void check_is_dropped(const struct guest *from, const struct frame *frame, const struct guest *to);
/* The same, and that the drop was counted for the sender. */
void check_is_spoof(const struct guest *from, const struct frame *frame, const struct guest *to);

/* --- the outside: 192.168.50.2 and fd50::2, the host there: .1 and ::1 --- */

struct outside {
    int netns_fd;
};
struct outside outside_open(void);
void outside_close(struct outside *outside);
/* Makes the host the outside's router for everything. */
void outside_route(const struct outside *outside, const char *router);
/* Links of the driver in the host's namespace; removes one of them. */
unsigned host_uplinks(void);
void remove_uplink(void);
void host_rules(const char *text); /* nft text, applied there */
/* The IPv4 address of a network's own end of its uplink; the caller frees it. */
char *uplink_address(struct rig *rig, const char *uid);

/* Sockets that belong to the outside, to the host, or to a network's namespace; bound. 'type' is
 * SOCK_DGRAM or SOCK_STREAM (listening). */
int outside_socket(const struct outside *outside, int type, const char *address, uint16_t port);
int host_socket(int type, const char *address, uint16_t port);
int network_socket(struct rig *rig, const char *uid, int type, const char *address, uint16_t port);
/* As somebody else would: applies nft text in the network's namespace. */
void change_rules(struct rig *rig, const char *uid, const char *text);
/* Reads a datagram within ten seconds; the sender is returned. */
struct ip_addr socket_receive(int fd, char *text, size_t size, uint16_t *ret_port);
void socket_send(int fd, const char *address, uint16_t port, const char *text);
