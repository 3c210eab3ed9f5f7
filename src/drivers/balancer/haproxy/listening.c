/* drivers/balancer/haproxy/listening.c - sockets that clients connect to. */
#include "drivers/balancer/haproxy/listening.h"
#include "base/auto.h"
#include "drivers/marks.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BACKLOG = 4096 /* the kernel takes less when somaxconn says so */ };

static socklen_t address_of(const struct ip_addr *addr, uint16_t port,
                            struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *to4 = (struct sockaddr_in *)ret_address;
    struct sockaddr_in6 *to6 = (struct sockaddr_in6 *)ret_address;

    *ret_address = (struct sockaddr_storage){ 0 };
    if (addr->family == 4) {
        to4->sin_family = AF_INET;
        to4->sin_port = htons(port);
        memcpy(&to4->sin_addr, addr->octet, sizeof to4->sin_addr);
        return sizeof *to4;
    }
    to6->sin6_family = AF_INET6;
    to6->sin6_port = htons(port);
    memcpy(&to6->sin6_addr, addr->octet, sizeof to6->sin6_addr);
    return sizeof *to6;
}

/* A socket belongs for good to the namespace it was made in; the thread is there for this one call
 * only. Were it to stay astray it would work on the wrong network, so it aborts. */
static int socket_in(int netns_fd, int family, struct err *err)
{
    int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, fd, problem;
    auto_close int origin = -1;

    if (netns_fd < 0) {
        fd = socket(family, type, 0);
        return fd < 0 ? err_errno(err, "socket") : fd;
    }
    origin = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (origin < 0)
        return err_errno(err, "open the own network namespace");
    if (setns(netns_fd, CLONE_NEWNET) < 0)
        return err_errno(err, "enter a network namespace");
    fd = socket(family, type, 0);
    problem = errno;
    if (setns(origin, CLONE_NEWNET) < 0)
        abort();
    errno = problem;
    return fd < 0 ? err_errno(err, "socket") : fd;
}

static int refused(const struct ip_addr *addr, uint16_t port, struct err *err)
{
    char text[IP_TEXT_SIZE];

    ip_format(addr, text);
    if (errno == EADDRINUSE)
        return err_set(err, ERR_ALREADY_EXISTS, "port %u of %s is in use by another program", port,
                       text);
    if (errno == EADDRNOTAVAIL)
        return err_set(err, ERR_NOT_FOUND, "%s is no address here", text);
    return err_errno(err, "listen on port %u of %s", port, text);
}

static int set_up(int fd, const struct ip_addr *addr, uint16_t port, struct err *err)
{
    static const int on = 1, mark = MARK_SERVED;
    struct sockaddr_storage address;
    socklen_t size = address_of(addr, port, &address);

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        (addr->family == 6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0))
        return err_errno(err, "socket options");
    /* Without the right to set it nothing is lost but that guests of networks reach it. */
    (void)setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
    if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, BACKLOG) < 0)
        return refused(addr, port, err);
    return 0;
}

int listening_open(int netns_fd, const struct ip_addr *addr, uint16_t port, int *ret_fd,
                   struct err *err)
{
    auto_close int fd = socket_in(netns_fd, addr->family == 6 ? AF_INET6 : AF_INET, err);

    if (fd < 0 || set_up(fd, addr, port, err) < 0)
        return -1;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int listening_copy(int pidfd, int number, const struct ip_addr *addr, uint16_t port, int *ret_fd,
                   struct err *err)
{
    struct sockaddr_storage wanted, found = { 0 };
    socklen_t size = address_of(addr, port, &wanted), found_size = sizeof found;
    auto_close int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);

    if (fd < 0)
        return err_errno(err, "copy descriptor %d of the proxy", number);
    if (getsockname(fd, (struct sockaddr *)&found, &found_size) < 0 || found_size != size ||
        memcmp(&wanted, &found, size) != 0)
        return err_set(err, ERR_NOT_FOUND, "descriptor %d of the proxy listens elsewhere", number);
    *ret_fd = fd;
    fd = -1;
    return 0;
}
