/* drivers/network/netns/netlink_call.h - requests by netlink, for links.c, addresses.c
 * and nft_*.c. */
#pragma once
#include "base/err.h"
#include "drivers/network/netns/netlink.h"

enum { REQUEST_SIZE = 4096 };

struct request {
    _Alignas(struct nlmsghdr) char bytes[REQUEST_SIZE];
};

/* Begins a request in 'request'; the caller adds the family's header and attributes. */
struct nlmsghdr *netlink_request(struct request *request, uint16_t type, uint16_t flags);
/* Sends it and reads the answer to its end; 'fn' (may be NULL) sees each message of it. When the
 * kernel refuses, errno says how. */
typedef void netlink_fn(void *arg, const struct nlmsghdr *header);
int netlink_call(struct netlink *netlink, struct nlmsghdr *header, netlink_fn *fn, void *arg,
                 struct err *err);

/* Sends several requests at once, numbered from 'first' to 'last', each of which asks for an
 * acknowledgement; the packet filter takes all of them or none. '*ret_refused' is the number of the
 * first that was refused, or 0. */
int netlink_transact(struct netlink *netlink, const void *bytes, size_t size, unsigned first,
                     unsigned last, unsigned *ret_refused, struct err *err);
