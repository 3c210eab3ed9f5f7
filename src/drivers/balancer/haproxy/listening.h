/* drivers/balancer/haproxy/listening.h - sockets that clients connect to. They are made here, on
 * the host or inside a network, and inherited by the proxy. */
#pragma once
#include "base/netaddr.h"

/* Binds and listens, with MARK_SERVED, so that guests reach it too. 'netns_fd': the network namespace, -1: ours. ERR_ALREADY_EXISTS: the port is
 * taken; ERR_NOT_FOUND: there is no such address; ERR_FORBIDDEN and the like. */
int listening_open(int netns_fd, const struct ip_addr *addr, uint16_t port, int *ret_fd,
                   struct err *err);
/* A copy of descriptor 'number' of the process behind 'pidfd', when it listens on that place. */
int listening_copy(int pidfd, int number, const struct ip_addr *addr, uint16_t port, int *ret_fd,
                   struct err *err);
