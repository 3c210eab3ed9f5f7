/* api/listen.c - sockets to listen on. */
#include "api/listen.h"
#include "base/auto.h"
#include "base/str.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { SOCKET_FLAGS = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK };

static bool somebody_answers(const struct sockaddr_un *address)
{
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
}

static int unix_address(const char *path, struct sockaddr_un *ret_address, struct err *err)
{
    *ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof ret_address->sun_path)
        return err_set(err, ERR_BAD_REQUEST, "%s: a socket's path may have at most %zu characters",
                       path, sizeof ret_address->sun_path - 1);
    strcpy(ret_address->sun_path, path);
    return 0;
}

static int bind_unix(int fd, const struct sockaddr_un *address, struct err *err)
{
    mode_t mask = umask(0117);
    int result = bind(fd, (const struct sockaddr *)address, sizeof *address);
    int problem = errno;

    umask(mask);
    errno = problem;
    return result < 0 ? err_errno(err, "bind %s", address->sun_path) : 0;
}

int listen_unix(const char *path, struct err *err)
{
    struct sockaddr_un address;
    auto_close int fd = -1;

    if (unix_address(path, &address, err) < 0)
        return -1;
    if (somebody_answers(&address))
        return err_set(err, ERR_CONFLICT, "%s: another process listens there", path);
    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, "remove %s", path);
    fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
    if (fd < 0)
        return err_errno(err, "socket");
    if (bind_unix(fd, &address, err) < 0)
        return -1;
    if (listen(fd, LISTEN_BACKLOG) < 0)
        return err_errno(err, "listen on %s", path);
    int listening = fd;
    fd = -1;
    return listening;
}

/* Cuts "host:port" or "[host]:port" in two; owned texts. */
static int split(const char *address, char **ret_host, char **ret_port, struct err *err)
{
    const char *colon = strrchr(address, ':');
    bool bracketed = address[0] == '[' && colon && colon > address && colon[-1] == ']';

    if (!colon || !colon[1])
        return err_set(err, ERR_BAD_REQUEST, "\"%s\": must be ADDRESS:PORT", address);
    *ret_port = str_dup(colon + 1);
    *ret_host = bracketed ? str_dup_part(address + 1, (size_t)(colon - address) - 2)
                          : str_dup_part(address, (size_t)(colon - address));
    return 0;
}

static int resolve(const char *address, struct addrinfo **ret_info, struct err *err)
{
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                              .ai_socktype = SOCK_STREAM };
    auto_free char *host = NULL;
    auto_free char *port = NULL;
    int problem;

    if (split(address, &host, &port, err) < 0)
        return -1;
    problem = getaddrinfo(*host ? host : NULL, port, &hints, ret_info);
    if (problem)
        return err_set(err, ERR_BAD_REQUEST, "\"%s\": %s", address, gai_strerror(problem));
    return 0;
}

static int bind_tcp(int fd, const struct addrinfo *info, const char *address, struct err *err)
{
    const int on = 1, off = 0;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 && errno == EADDRINUSE)
        return err_set(err, ERR_CONFLICT, "%s: another process listens there", address);
    else if (listen(fd, LISTEN_BACKLOG) < 0)
        return err_errno(err, "listen on %s", address);
    return 0;
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

int listen_tcp(const char *address, unsigned *ret_port, struct err *err)
{
    struct addrinfo *info = NULL;
    int fd;

    if (resolve(address, &info, err) < 0)
        return -1;
    fd = socket(info->ai_family, SOCKET_FLAGS, 0);
    if (fd < 0)
        err_errno(err, "socket");
    else if (bind_tcp(fd, info, address, err) < 0) {
        close(fd);
        fd = -1;
    } else {
        *ret_port = port_of(fd);
    }
    freeaddrinfo(info);
    return fd;
}

char *listen_peer(int fd)
{
    struct sockaddr_storage address = { 0 };
    socklen_t size = sizeof address;
    char host[INET6_ADDRSTRLEN] = "", port[8] = "";
    struct ucred peer;
    socklen_t peer_size = sizeof peer;

    if (getpeername(fd, (struct sockaddr *)&address, &size) < 0)
        return str_dup("unknown");
    if (address.ss_family == AF_UNIX) {
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) < 0)
            return str_dup("unix");
        return str_printf("unix:uid=%u", peer.uid);
    }
    getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    return str_printf(strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

void listen_keep_alive(int fd)
{
    const int on = 1, idle_s = 60, interval_s = 15, count = 4;
    const unsigned unacknowledged_ms = 60 * 1000;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
}

void listen_no_delay(int fd)
{
    const int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* unix sockets know no such thing */
}
