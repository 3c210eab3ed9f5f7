/* cli/cmd_forward.c - port-forward: ports of this machine that lead to ports of an instance; and
 * stdio-forward, the same for one connection on standard input and output. */
#include "cli/common.h"
#include "cli/ports.h"
#include "cli/progress.h"
#include "client/websocket.h"
#include "base/quantity.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PORTS_MAX = 64, CONNECTIONS_MAX = 256, BACKLOG = 64, RETRY_MS = 500 };

static int open_port(struct session *session, const char *name, const char *network, unsigned port,
                     struct websocket **ret_websocket, struct err *err)
{
    struct client *client = session_client(session, err);
    auto_free char *path = object_path(session, kind_find_name("instances"), name, "portforward");
    auto_free char *text = str_printf("%u", port);

    client_path_option(&path, "port", text);
    if (network)
        client_path_option(&path, "network", network);
    return client ? websocket_open(client, path, ret_websocket, err) : -1;
}

/* --- one connection --- */

/* Whether it may work in a moment: the guest boots, or its server starts. A refused connection comes
 * as an internal error, as which the API tells every failed system call. */
static bool is_worth_waiting(enum err_code code)
{
    return code == ERR_UNAVAILABLE || code == ERR_TIMEOUT || code == ERR_CONFLICT ||
           code == ERR_INTERNAL || code == ERR_EXHAUSTED;
}

static int read_wait(struct session *session, const struct arguments *arguments, int64_t *ret_ms,
                     struct err *err)
{
    const char *text = argument(arguments, "wait");

    *ret_ms = 0;
    if (!text || duration_parse(text, ret_ms, err) == 0)
        return 0;
    session->is_usage = true;
    return err_wrap(err, "--wait");
}

COMMAND(cmd_stdio_forward)
{
    const char *name = arguments->operands[0], *network = argument(arguments, "network");
    auto_clean(websocket_free_auto) struct websocket *websocket = NULL;
    auto_free char *waiting = str_printf("waiting for port %s of %s", arguments->operands[1], name);
    struct websocket_relay relay = { .in_fd = STDIN_FILENO,
                                     .out_fd = STDOUT_FILENO,
                                     .input_end = INPUT_END_IS_TOLD };
    int64_t wait_ms, begin = monotonic_ms();
    unsigned port;
    bool told = session->err_is_terminal;

    if (port_parse(arguments->operands[1], &port, err) < 0 || port == 0) {
        session->is_usage = true;
        return port ? -1 : err_set(err, ERR_BAD_REQUEST, "PORT: must be from 1 to 65535");
    }
    if (read_wait(session, arguments, &wait_ms, err) < 0)
        return -1;
    if (told)
        progress_show(session, waiting);
    while (open_port(session, name, network, port, &websocket, err) < 0) {
        if (!is_worth_waiting(err->code) || monotonic_ms() - begin > wait_ms) {
            progress_clear(session);
            return -1;
        }
        if (!told)
            progress_show(session, waiting);
        told = true;
        poll(NULL, 0, RETRY_MS);
    }
    progress_clear(session);
    return websocket_relay(websocket, &relay, err);
}

/* --- listening --- */

struct forwarding {
    struct session *session;
    const char *name, *network;
    struct port_pair pairs[PORTS_MAX];
    struct pollfd listeners[PORTS_MAX];
    size_t count;
    int connections; /* child processes */
};

static int listen_on(const char *address, unsigned port, int *ret_fd, unsigned *ret_port,
                     struct err *err)
{
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    bool is_six = inet_pton(AF_INET6, address, &six.sin6_addr) == 1;
    struct sockaddr *to = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four;
    socklen_t size = is_six ? sizeof six : sizeof four;
    int yes = 1;

    if (!is_six && inet_pton(AF_INET, address, &four.sin_addr) != 1)
        return err_set(err, ERR_BAD_REQUEST, "--address %s: is no IP address", address);
    auto_close int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        bind(fd, to, size) < 0 || listen(fd, BACKLOG) < 0 || getsockname(fd, to, &size) < 0)
        return err_errno(err, "listen on %s port %u", address, port);
    *ret_port = ntohs(is_six ? six.sin6_port : four.sin_port);
    *ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return *ret_fd < 0 ? err_errno(err, "listen on %s port %u", address, port) : 0;
}

static int listen_on_all(struct forwarding *forwarding, const char *address, struct err *err)
{
    for (size_t i = 0; i < forwarding->count; i++) {
        struct pollfd *listener = &forwarding->listeners[i];
        unsigned port;

        if (listen_on(address, forwarding->pairs[i].local, &listener->fd, &port, err) < 0)
            return -1;
        listener->events = POLLIN;
        printf(strchr(address, ':') ? "[%s]:%u leads to %s:%u\n" : "%s:%u leads to %s:%u\n", address,
               port, forwarding->name, forwarding->pairs[i].remote);
    }
    fflush(stdout);
    return 0;
}

/* In a process of its own: connections wait for nothing but themselves. */
static void carry(struct forwarding *forwarding, int fd, unsigned port)
{
    struct session session = *forwarding->session;
    struct websocket_relay relay = { .in_fd = fd, .out_fd = fd, .input_end = INPUT_END_IS_TOLD };
    struct websocket *websocket = NULL;
    struct err err;

    session.client = NULL; /* its connection is the parent's */
    if (open_port(&session, forwarding->name, forwarding->network, port, &websocket, &err) < 0 ||
        websocket_relay(websocket, &relay, &err) < 0) {
        session_report(&session, &err);
        _exit(1);
    }
    _exit(0);
}

static void take_connection(struct forwarding *forwarding, size_t i)
{
    int fd = accept4(forwarding->listeners[i].fd, NULL, NULL, SOCK_CLOEXEC);
    pid_t child;

    if (fd < 0)
        return;
    child = fork();
    if (child == 0)
        carry(forwarding, fd, forwarding->pairs[i].remote);
    if (child > 0)
        forwarding->connections++;
    close(fd);
}

static void collect_children(struct forwarding *forwarding, bool waits)
{
    while (forwarding->connections > 0 && waitpid(-1, NULL, waits ? 0 : WNOHANG) > 0) {
        forwarding->connections--;
        waits = false;
    }
}

static void serve(struct forwarding *forwarding)
{
    for (;;) {
        /* With all places taken the next one waits in the backlog. */
        collect_children(forwarding, forwarding->connections >= CONNECTIONS_MAX);
        if (poll(forwarding->listeners, forwarding->count, -1) < 0)
            continue; /* a child ended */
        for (size_t i = 0; i < forwarding->count; i++)
            if (forwarding->listeners[i].revents)
                take_connection(forwarding, i);
    }
}

static int read_pairs(struct session *session, struct forwarding *forwarding,
                      const struct arguments *arguments, struct err *err)
{
    for (int i = 1; i < arguments->operand_count; i++) {
        if (forwarding->count == PORTS_MAX)
            return usage_error(session, err, "more than %d ports", PORTS_MAX);
        if (port_pair_parse(arguments->operands[i], &forwarding->pairs[forwarding->count++], err) < 0) {
            session->is_usage = true;
            return -1;
        }
    }
    return 0;
}

COMMAND(cmd_port_forward)
{
    const char *address = argument(arguments, "address"), *name = arguments->operands[0];
    auto_free char *path = object_path(session, kind_find_name("instances"), name, NULL);
    struct forwarding forwarding = { .session = session, .name = name,
                                     .network = argument(arguments, "network") };
    auto_json json_t *object = NULL;
    struct client *client;

    if (read_pairs(session, &forwarding, arguments, err) < 0 ||
        !(client = session_client(session, err)))
        return -1;
    if (client_get(client, path, &object, err) < 0) {
        session_hint(session, "\"virga ls\" lists what there is");
        return -1;
    }
    if (listen_on_all(&forwarding, address ? address : "127.0.0.1", err) < 0)
        return -1;
    serve(&forwarding);
    return 0;
}
