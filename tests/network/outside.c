/* tests/network/outside.c - a namespace beyond the host, and sockets in any of them. */
#include "base/str.h"
#include "drivers/network/netns/namespaces.h"
#include "drivers/network/netns/netlink.h"
#include "drivers/network/netns/nft.h"
#include "lab.h"
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 10 * 1000 };

static void set_up(const char *name, const char *address4, const char *address6)
{
    const struct ip_prefix wanted[] = { { ip(address4), 24 }, { ip(address6), 64 } };
    struct netlink netlink;
    struct link link;
    struct err err;

    CHECK_OK(netlink_open(&netlink, &err), &err);
    CHECK_OK(link_find(&netlink, name, &link, &err), &err);
    CHECK_OK(link_change(&netlink, &link, &(struct link_change){ 0 }, &err), &err);
    CHECK_OK(address_set(&netlink, link.index, wanted, 2, &err), &err);
    netlink_close(&netlink);
}

/* The namespace lives as long as its descriptor. */
static int make_namespace(void)
{
    struct namespace_visit visit;
    struct err err;
    int fd;

    CHECK_OK(namespace_open_own(&visit.origin_fd, &err), &err);
    CHECK_EQ(unshare(CLONE_NEWNET), 0);
    CHECK_OK(namespace_open_own(&fd, &err), &err);
    namespace_leave(&visit);
    return fd;
}

struct outside outside_open(void)
{
    struct outside outside = { .netns_fd = make_namespace() };
    struct namespace_visit visit;
    struct netlink netlink;
    struct err err;

    CHECK_OK(netlink_open(&netlink, &err), &err);
    CHECK_OK(link_add_veth(&netlink, "lab0", "lab1", outside.netns_fd, &err), &err);
    netlink_close(&netlink);
    set_up("lab0", "192.168.50.1", "fd50::1");
    CHECK_OK(namespace_enter(outside.netns_fd, &visit, &err), &err);
    set_up("lab1", "192.168.50.2", "fd50::2");
    namespace_leave(&visit);
    return outside;
}

void outside_close(struct outside *outside) { close(outside->netns_fd); }

void outside_route(const struct outside *outside, const char *router)
{
    struct namespace_visit visit;
    struct ip_addr gateway = ip(router);
    struct netlink netlink;
    struct link link;
    struct err err;

    CHECK_OK(namespace_enter(outside->netns_fd, &visit, &err), &err);
    CHECK_OK(netlink_open(&netlink, &err), &err);
    CHECK_OK(link_find(&netlink, "lab1", &link, &err), &err);
    CHECK_OK(route_set_default(&netlink, link.index, &gateway, &err), &err);
    netlink_close(&netlink);
    namespace_leave(&visit);
}

struct uplinks {
    unsigned count;
    int last_index;
};

static void on_uplink(void *arg, const struct link *link)
{
    struct uplinks *uplinks = arg;

    if (!str_starts(link->name, "vtu"))
        return;
    uplinks->count++;
    uplinks->last_index = link->index;
}

static struct uplinks find_uplinks(bool remove_last)
{
    struct uplinks uplinks = { 0 };
    struct netlink netlink;
    struct err err;

    CHECK_OK(netlink_open(&netlink, &err), &err);
    CHECK_OK(link_each(&netlink, on_uplink, &uplinks, &err), &err);
    if (remove_last)
        CHECK_OK(link_remove(&netlink, uplinks.last_index, &err), &err);
    netlink_close(&netlink);
    return uplinks;
}

unsigned host_uplinks(void) { return find_uplinks(/*remove_last=*/false).count; }

void remove_uplink(void) { (void)find_uplinks(/*remove_last=*/true); }

void host_rules(const char *text)
{
    struct err err;

    CHECK_OK(nft_apply(text, &err), &err);
}

static socklen_t fill(const struct ip_addr *addr, uint16_t port, struct sockaddr_storage *to)
{
    struct sockaddr_in *to4 = (struct sockaddr_in *)to;
    struct sockaddr_in6 *to6 = (struct sockaddr_in6 *)to;

    memset(to, 0, sizeof *to);
    if (addr->family == 4) {
        to4->sin_family = AF_INET;
        to4->sin_port = htons(port);
        memcpy(&to4->sin_addr, addr->octet, 4);
        return sizeof *to4;
    }
    to6->sin6_family = AF_INET6;
    to6->sin6_port = htons(port);
    memcpy(&to6->sin6_addr, addr->octet, 16);
    return sizeof *to6;
}

int host_socket(int type, const char *address, uint16_t port)
{
    struct ip_addr addr = ip(address);
    struct sockaddr_storage at;
    socklen_t size = fill(&addr, port, &at);
    int fd = socket(at.ss_family, type | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&at, size), 0);
    if (type == SOCK_STREAM)
        CHECK_EQ(listen(fd, 4), 0);
    return fd;
}

static int socket_in(int netns_fd, int type, const char *address, uint16_t port)
{
    struct namespace_visit visit;
    struct err err;

    CHECK_OK(namespace_enter(netns_fd, &visit, &err), &err);
    int fd = host_socket(type, address, port);
    namespace_leave(&visit);
    return fd;
}

int outside_socket(const struct outside *outside, int type, const char *address, uint16_t port)
{
    return socket_in(outside->netns_fd, type, address, port);
}

static int open_network(struct rig *rig, const char *uid)
{
    auto_free char *path = str_printf("%s/%s/netns", rig->setup.run_dir, uid);
    struct err err;
    int fd;

    CHECK_OK(namespace_open(path, &fd, &err), &err);
    return fd;
}

int network_socket(struct rig *rig, const char *uid, int type, const char *address, uint16_t port)
{
    auto_close int netns_fd = open_network(rig, uid);

    return socket_in(netns_fd, type, address, port);
}

void change_rules(struct rig *rig, const char *uid, const char *text)
{
    auto_close int netns_fd = open_network(rig, uid);
    struct namespace_visit visit;
    struct err err;

    CHECK_OK(namespace_enter(netns_fd, &visit, &err), &err);
    CHECK_OK(nft_apply(text, &err), &err);
    namespace_leave(&visit);
}

static void on_uplink_address(void *arg, int link_index, const struct ip_prefix *address)
{
    struct ip_addr *found = arg;

    if (address->addr.family == 4 && address->addr.octet[0] == 169)
        *found = address->addr;
}

char *uplink_address(struct rig *rig, const char *uid)
{
    auto_close int netns_fd = open_network(rig, uid);
    struct namespace_visit visit;
    struct ip_addr found = { 0 };
    char text[IP_TEXT_SIZE];
    struct netlink netlink;
    struct err err;

    CHECK_OK(namespace_enter(netns_fd, &visit, &err), &err);
    CHECK_OK(netlink_open(&netlink, &err), &err);
    CHECK_OK(address_each(&netlink, on_uplink_address, &found, &err), &err);
    netlink_close(&netlink);
    namespace_leave(&visit);
    CHECK_EQ(found.family, 4);
    ip_format(&found, text);
    return str_dup(text);
}

struct ip_addr socket_receive(int fd, char *text, size_t size, uint16_t *ret_port)
{
    struct pollfd readable = { .fd = fd, .events = POLLIN };
    struct sockaddr_storage from;
    socklen_t from_size = sizeof from;
    struct ip_addr addr = { .family = 4 };

    if (poll(&readable, 1, PATIENCE_MS) <= 0)
        check_fail(CHECK_HERE, "no datagram came");

    ssize_t length = recvfrom(fd, text, size - 1, 0, (struct sockaddr *)&from, &from_size);
    CHECK(length >= 0);
    text[length] = '\0';
    if (from.ss_family == AF_INET) {
        memcpy(addr.octet, &((struct sockaddr_in *)&from)->sin_addr, 4);
        *ret_port = ntohs(((struct sockaddr_in *)&from)->sin_port);
    } else {
        addr.family = 6;
        memcpy(addr.octet, &((struct sockaddr_in6 *)&from)->sin6_addr, 16);
        *ret_port = ntohs(((struct sockaddr_in6 *)&from)->sin6_port);
    }
    return addr;
}

void socket_send(int fd, const char *address, uint16_t port, const char *text)
{
    struct ip_addr addr = ip(address);
    struct sockaddr_storage to;
    socklen_t size = fill(&addr, port, &to);

    CHECK_EQ(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&to, size), strlen(text));
}
