/* tests/bench/bench_floor.c - the least an HTTPS server must do: the floor under the API's figures.
 *
 *   bench_floor TLS-DIR SIZE
 *
 * One thread, epoll and GnuTLS: reads a request and answers 200 with SIZE bytes from memory, and
 * looks at nothing. Prints "ready PORT"; ends when it is killed. */
#include "tls.h"
#include "base/mem.h"
#include "base/str.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 256, REQUEST_SIZE_MAX = 16 * 1024 };

struct peer {
    int fd;
    gnutls_session_t session;
    bool is_open; /* hands are shaken */
};

static gnutls_certificate_credentials_t credentials;
static char *answer;
static size_t answer_size;

static int listen_anywhere(unsigned *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        bench_fail("listen", NULL);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void watch(int epoll_fd, int fd, void *arg)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = arg };

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        bench_fail("epoll", NULL);
}

static void accept_one(int epoll_fd, int listen_fd)
{
    struct peer *peer = mem_new(struct peer);
    const int on = 1;

    peer->fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (peer->fd < 0)
        bench_fail("accept", NULL);
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    gnutls_init(&peer->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    gnutls_set_default_priority(peer->session);
    gnutls_credentials_set(peer->session, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_transport_set_int(peer->session, peer->fd);
    watch(epoll_fd, peer->fd, peer);
}

static void drop(struct peer *peer)
{
    gnutls_deinit(peer->session);
    close(peer->fd);
    free(peer);
}

static void serve(struct peer *peer)
{
    char bytes[REQUEST_SIZE_MAX];
    ssize_t size;
    int code;

    if (!peer->is_open) {
        code = gnutls_handshake(peer->session);
        peer->is_open = code == 0;
        if (code < 0 && gnutls_error_is_fatal(code))
            drop(peer);
        return;
    }
    size = gnutls_record_recv(peer->session, bytes, sizeof bytes);
    if (size > 0)
        bench_send(peer->session, peer->fd, answer, answer_size);
    else if (size == 0 || gnutls_error_is_fatal((int)size))
        drop(peer);
}

static void make_answer(size_t size)
{
    auto_free char *body = mem_zero(size + 1);

    memset(body, 'x', size);
    answer = str_printf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\n\r\n%s",
                        size, body);
    answer_size = strlen(answer);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS_MAX];
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC), listen_fd;
    unsigned port;

    if (argc != 3) {
        fprintf(stderr, "usage: bench_floor TLS-DIR SIZE\n");
        return 2;
    }
    bench_raise_limit();
    credentials = bench_server_credentials(argv[1]);
    make_answer(strtoul(argv[2], NULL, 10));
    listen_fd = listen_anywhere(&port);
    watch(epoll_fd, listen_fd, NULL);
    printf("ready %u\n", port);
    fflush(stdout);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);

        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr)
                serve(events[i].data.ptr);
            else
                accept_one(epoll_fd, listen_fd);
        }
        if (count < 0 && errno != EINTR)
            bench_fail("epoll", NULL);
    }
}
