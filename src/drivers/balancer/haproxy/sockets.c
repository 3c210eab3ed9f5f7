/* drivers/balancer/haproxy/sockets.c - the listening sockets a balancer holds. */
#include "drivers/balancer/haproxy/haproxy.h"
#include "drivers/balancer/haproxy/listening.h"
#include <stdio.h>
#include <unistd.h>

static bool is_of(const struct held_socket *socket, const struct balancer_listener *listener)
{
    return socket->port == listener->port && socket->is_inside == listener->is_inside &&
           ip_equal(&socket->addr, &listener->addr);
}

int sockets_find(const struct balancer *balancer, const struct balancer_listener *listener)
{
    for (size_t i = 0; i < balancer->socket_count; i++)
        if (is_of(&balancer->sockets[i], listener))
            return (int)i;
    return -1;
}

void sockets_add(struct balancer *balancer, const struct held_socket *socket)
{
    if (balancer->socket_count == sizeof balancer->sockets / sizeof balancer->sockets[0])
        close(socket->fd); /* twice the listeners there can be: only a broken record does this */
    else
        balancer->sockets[balancer->socket_count++] = *socket;
}

static void drop(struct balancer *balancer, size_t at)
{
    close(balancer->sockets[at].fd);
    balancer->sockets[at] = balancer->sockets[--balancer->socket_count];
}

static bool is_wanted(const struct balancer *balancer, const struct held_socket *socket)
{
    for (size_t i = 0; i < balancer->config->listener_count; i++)
        if (is_of(socket, &balancer->config->listeners[i]))
            return true;
    return false;
}

void sockets_close_unwanted(struct balancer *balancer)
{
    for (size_t i = balancer->socket_count; i-- > 0;)
        if (!is_wanted(balancer, &balancer->sockets[i]))
            drop(balancer, i);
}

void sockets_close(struct balancer *balancer)
{
    while (balancer->socket_count)
        drop(balancer, balancer->socket_count - 1);
}

/* The one in force is asked for, and there is none: HAProxy would refuse all listeners for it. */
static bool lacks_certificate(const struct balancer *balancer, const struct balancer_listener *listener)
{
    auto_free char *path = haproxy_trace_path(balancer, "%s.pem", listener->name);

    return listener->certificate && !listener->certificate[0] && access(path, F_OK) < 0;
}

void sockets_open(struct balancer *balancer)
{
    for (size_t i = 0; i < balancer->config->listener_count; i++) {
        const struct balancer_listener *listener = &balancer->config->listeners[i];
        struct held_socket socket = { listener->addr, listener->port, listener->is_inside, -1 };
        struct err err;

        balancer->problems[i][0] = '\0';
        balancer->is_taken[i] = false;
        if (lacks_certificate(balancer, listener)) {
            (void)snprintf(balancer->problems[i], sizeof balancer->problems[i], "it has no certificate");
            continue;
        }
        if (sockets_find(balancer, listener) >= 0)
            continue;
        if (listening_open(listener->is_inside ? balancer->netns_fd : -1, &listener->addr,
                           listener->port, &socket.fd, &err) == 0) {
            sockets_add(balancer, &socket);
            continue;
        }
        balancer->is_taken[i] = err.code == ERR_ALREADY_EXISTS;
        (void)snprintf(balancer->problems[i], sizeof balancer->problems[i], "%.159s", err.text);
    }
}

void sockets_openness(const struct balancer *balancer, struct config_open *ret_open)
{
    *ret_open = (struct config_open){ 0 };
    for (size_t i = 0; i < balancer->config->listener_count; i++)
        ret_open->is_open[i] = sockets_find(balancer, &balancer->config->listeners[i]) >= 0 &&
                               !lacks_certificate(balancer, &balancer->config->listeners[i]);
}
