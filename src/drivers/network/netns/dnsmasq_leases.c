/* drivers/network/netns/dnsmasq_leases.c - freeing addresses of leases that are in the way. */
#include "base/files.h"
#include "drivers/network/netns/dnsmasq_job.h"
#include "drivers/network/netns/leases.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    LEASE_FILE_MAX = 64 << 20,
    HOST_FILE_MAX = 4096,
    DHCP4_SERVER_PORT = 67,
    DHCP6_SERVER_PORT = 547
};

/* --- to a running server, as the client would --- */

/* Bound to the bridge, so that the packet counts as one that came in there. */
static int open_socket(int family, int *ret_fd, struct err *err)
{
    auto_close int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, BRIDGE_NAME, strlen(BRIDGE_NAME)) < 0)
        return err_errno(err, "socket on " BRIDGE_NAME);
    *ret_fd = fd;
    fd = -1;
    return 0;
}

static int send_packet(int family, const struct sockaddr *to, socklen_t to_size,
                       const struct buf *packet, struct err *err)
{
    auto_close int fd = -1;

    if (open_socket(family, &fd, err) < 0)
        return -1;
    if (sendto(fd, packet->bytes, packet->size, 0, to, to_size) < 0)
        return err_errno(err, "give back a lease");
    return 0;
}

/* The bridge's first IPv4 address, which the server identifies itself with. */
static void on_address(void *arg, int link_index, const struct ip_prefix *address)
{
    struct ip_addr *server = arg;

    if (!server->family && address->addr.family == 4 &&
        link_index == (int)if_nametoindex(BRIDGE_NAME))
        *server = address->addr;
}

static int find_server(struct ip_addr *ret_server, struct err *err)
{
    struct netlink netlink;

    *ret_server = (struct ip_addr){ 0 };
    if (netlink_open(&netlink, err) < 0)
        return -1;
    int result = address_each(&netlink, on_address, ret_server, err);
    netlink_close(&netlink);
    return result;
}

static int release4(const struct lease *lease, struct err *err)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(DHCP4_SERVER_PORT) };
    auto_buf struct buf packet = { 0 };
    struct ip_addr server;

    if (find_server(&server, err) < 0)
        return -1;
    if (!server.family)
        return 0; /* no IPv4 here any more: the server has no such leases either */
    memcpy(&to.sin_addr, server.octet, sizeof to.sin_addr);
    lease_release4(lease, &server, &packet);
    return send_packet(AF_INET, (struct sockaddr *)&to, sizeof to, &packet, err);
}

static int release6(const struct lease *lease, const struct lease_reader *reader, struct err *err)
{
    struct sockaddr_in6 to = { .sin6_family = AF_INET6,
                               .sin6_port = htons(DHCP6_SERVER_PORT),
                               .sin6_scope_id = if_nametoindex(BRIDGE_NAME) };
    auto_buf struct buf packet = { 0 };

    if (inet_pton(AF_INET6, "ff02::1:2", &to.sin6_addr) != 1)
        return err_set(err, ERR_INTERNAL, "the address of all DHCP servers");
    lease_release6(lease, reader->server_duid, reader->server_duid_size, &packet);
    return send_packet(AF_INET6, (struct sockaddr *)&to, sizeof to, &packet, err);
}

static int release_all(const char *text, const struct port_config *port, bool is_new,
                       struct err *err)
{
    /* The server's DUID stands behind the IPv4 leases and before the IPv6 ones. */
    struct lease_reader reader = { .at = text };
    struct lease lease;

    while (lease_next(&reader, &lease)) {
        if (!lease_is_in_the_way(&lease, &port->mac, &port->ipv4, &port->ipv6, is_new))
            continue;
        if (lease.addr.family == 4 && release4(&lease, err) < 0)
            return -1;
        if (lease.addr.family == 6 && release6(&lease, &reader, err) < 0)
            return -1;
    }
    return 0;
}

/* --- in the file, while no server runs --- */

static int rewrite(const char *path, const char *text, const struct port_config *port, bool is_new,
                   struct err *err)
{
    auto_buf struct buf kept = { 0 };

    leases_without(text, &port->mac, &port->ipv4, &port->ipv6, is_new, &kept);
    if (str_equal(text, kept.size ? kept.bytes : ""))
        return 0;
    return file_write_atomic(path, kept.bytes, kept.size, 0644, err);
}

int dnsmasq_free_addresses(const struct segment *segment, const struct port_config *port,
                           bool is_new, bool server_runs, struct err *err)
{
    auto_free char *path = str_printf("%s/leases", segment->state_dir);
    auto_buf struct buf text = { 0 };

    if (file_read(path, LEASE_FILE_MAX, &text, err) < 0)
        return err->code == ERR_NOT_FOUND ? 0 : -1;
    if (text.size == 0)
        return 0;
    if (server_runs)
        return release_all(text.bytes, port, is_new, err);
    return rewrite(path, text.bytes, port, is_new, err);
}

/* --- of a port that goes --- */

static void read_address(const char *word, struct port_config *port)
{
    bool is_ipv6 = word[0] == '[';
    auto_free char *text = str_dup_part(word + is_ipv6, strcspn(word + is_ipv6, "]"));
    struct ip_addr addr;
    struct err unused;

    if (ip_parse(text, &addr, &unused) < 0)
        return; /* the MAC or the name */
    *(addr.family == 4 ? &port->ipv4 : &port->ipv6) = addr;
}

int dnsmasq_end_leases(const struct segment *segment, const char *tap, bool server_runs,
                       struct err *err)
{
    auto_free char *path = str_printf("%s/hosts/%s", segment->run_dir, tap);
    auto_buf struct buf host = { 0 };
    struct port_config port = { 0 }; /* with no client's MAC: whosever lease it is */
    char *rest, *word;

    if (file_read(path, HOST_FILE_MAX, &host, err) < 0)
        return err->code == ERR_NOT_FOUND ? 0 : -1;
    rest = host.bytes;
    while (rest && (word = strsep(&rest, ",\n")))
        read_address(word, &port);
    return dnsmasq_free_addresses(segment, &port, /*is_new=*/true, server_runs, err);
}
