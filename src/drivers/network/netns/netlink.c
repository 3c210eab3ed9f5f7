/* drivers/network/netns/netlink.c - asking the kernel by netlink and understanding its answers. */
#include "drivers/network/netns/netlink_call.h"

#include "base/fault.h"
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { ANSWER_SIZE = 32 * 1024, ANSWER_WAIT_S = 10 };

static int open_bus(struct netlink *netlink, int bus, struct err *err)
{
    static const int on = 1;
    static const struct timeval patience = { .tv_sec = ANSWER_WAIT_S };

    *netlink = (struct netlink){ .socket = mnl_socket_open2(bus, SOCK_CLOEXEC) };
    if (!netlink->socket)
        return err_errno(err, "open a netlink socket");
    if (mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        err_errno(err, "bind a netlink socket");
        netlink_close(netlink);
        return -1;
    }
    /* Both make errors better and are not needed for the rest. */
    (void)mnl_socket_setsockopt(netlink->socket, NETLINK_EXT_ACK, (void *)&on, sizeof on);
    (void)mnl_socket_setsockopt(netlink->socket, NETLINK_CAP_ACK, (void *)&on, sizeof on);
    (void)setsockopt(mnl_socket_get_fd(netlink->socket), SOL_SOCKET, SO_RCVTIMEO, &patience,
                     sizeof patience);
    return 0;
}

int netlink_open(struct netlink *netlink, struct err *err)
{
    return open_bus(netlink, NETLINK_ROUTE, err);
}

int netlink_open_filter(struct netlink *netlink, struct err *err)
{
    return open_bus(netlink, NETLINK_NETFILTER, err);
}

void netlink_close(struct netlink *netlink)
{
    if (netlink->socket)
        mnl_socket_close(netlink->socket);
    netlink->socket = NULL;
}

struct nlmsghdr *netlink_request(struct request *request, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(request->bytes);

    header->nlmsg_type = type;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    return header;
}

/* The kernel's own words about a failed request, or NULL. Borrowed from 'header'. */
static const char *explanation(const struct nlmsghdr *header)
{
    const struct nlmsgerr *body = mnl_nlmsg_get_payload(header);
    size_t skipped = sizeof *body;

    if (!(header->nlmsg_flags & NLM_F_ACK_TLVS))
        return NULL;
    if (!(header->nlmsg_flags & NLM_F_CAPPED))
        skipped += mnl_nlmsg_get_payload_len(&body->msg);
    if (skipped > mnl_nlmsg_get_payload_len(header))
        return NULL;

    const struct nlattr *attribute;
    mnl_attr_for_each(attribute, header,
                      skipped) if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG &&
                                   mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >=
                                       0) return mnl_attr_get_str(attribute);
    return NULL;
}

/* The answer to a request: 0, or -1 with errno's text and the kernel's. */
static int judge(const struct nlmsghdr *header, struct err *err)
{
    const struct nlmsgerr *body = mnl_nlmsg_get_payload(header);

    if (mnl_nlmsg_get_payload_len(header) < sizeof *body)
        return err_set(err, ERR_INTERNAL, "netlink: short answer");
    if (body->error == 0)
        return 0;

    const char *text = explanation(header);
    errno = -body->error;
    err_errno(err, "%s", text ? text : "netlink");
    errno = -body->error; /* for callers to whom some errors are none */
    return -1;
}

/* Reads one datagram of the answer; '*ret_over' when it was the last. */
static int take_answer(struct netlink *netlink, unsigned sequence, netlink_fn *fn, void *arg,
                       bool *ret_over, struct err *err)
{
    _Alignas(struct nlmsghdr) char bytes[ANSWER_SIZE];
    ssize_t size = mnl_socket_recvfrom(netlink->socket, bytes, sizeof bytes);
    int left = (int)size;

    if (size < 0 && errno == EINTR)
        return 0;
    if (size < 0)
        return err_errno(err, "read from netlink");
    for (const struct nlmsghdr *header = (const struct nlmsghdr *)bytes; mnl_nlmsg_ok(header, left);
         header = mnl_nlmsg_next(header, &left)) {
        if (header->nlmsg_seq != sequence)
            continue;
        if (header->nlmsg_flags & NLM_F_DUMP_INTR)
            netlink->is_interrupted = true;
        *ret_over = header->nlmsg_type == NLMSG_ERROR || header->nlmsg_type == NLMSG_DONE;
        if (header->nlmsg_type == NLMSG_ERROR)
            return judge(header, err);
        if (!*ret_over && fn)
            fn(arg, header);
    }
    return 0;
}

int netlink_call(struct netlink *netlink, struct nlmsghdr *header, netlink_fn *fn, void *arg,
                 struct err *err)
{
    bool over = false;

    if (fault_fails("network.netlink", err)) {
        errno = EIO;
        return -1;
    }
    netlink->is_interrupted = false;
    header->nlmsg_seq = ++netlink->sequence;
    if (mnl_socket_sendto(netlink->socket, header, header->nlmsg_len) < 0)
        return err_errno(err, "write to netlink");
    while (!over)
        if (take_answer(netlink, header->nlmsg_seq, fn, arg, &over, err) < 0)
            return -1;
    return 0;
}

/* --- several at once --- */

struct transaction {
    unsigned first, last;
    unsigned accepted;
    unsigned refused; /* 0: none */
};

static int judge_all(struct transaction *transaction, const char *bytes, ssize_t size,
                     struct err *err)
{
    int left = (int)size;

    for (const struct nlmsghdr *header = (const struct nlmsghdr *)bytes; mnl_nlmsg_ok(header, left);
         header = mnl_nlmsg_next(header, &left)) {
        if (header->nlmsg_type != NLMSG_ERROR)
            continue;
        if (judge(header, err) < 0) {
            transaction->refused = header->nlmsg_seq;
            return -1;
        }
        if (header->nlmsg_seq >= transaction->first && header->nlmsg_seq <= transaction->last)
            transaction->accepted++;
    }
    return 0;
}

/* The kernel has dealt with all of it when it was sent, so that every answer is there: also that
 * something went wrong at the end, which comes without the number of a request. */
static int take_acknowledgements(const struct netlink *netlink, struct transaction *transaction,
                                 struct err *err)
{
    _Alignas(struct nlmsghdr) char bytes[ANSWER_SIZE];
    ssize_t size;

    for (;;) {
        size = recv(mnl_socket_get_fd(netlink->socket), bytes, sizeof bytes, MSG_DONTWAIT);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            break;
        if (size < 0)
            return err_errno(err, "read from netlink");
        if (judge_all(transaction, bytes, size, err) < 0)
            return -1;
    }
    if (transaction->accepted != transaction->last - transaction->first + 1)
        return err_set(err, ERR_IO, "netlink: %u of %u requests were answered",
                       transaction->accepted, transaction->last - transaction->first + 1);
    return 0;
}

int netlink_transact(struct netlink *netlink, const void *bytes, size_t size, unsigned first,
                     unsigned last, unsigned *ret_refused, struct err *err)
{
    struct transaction transaction = { .first = first, .last = last };

    *ret_refused = 0;
    if (mnl_socket_sendto(netlink->socket, bytes, size) < 0)
        return err_errno(err, "write to netlink");

    int result = take_acknowledgements(netlink, &transaction, err);
    *ret_refused = transaction.refused;
    return result;
}
