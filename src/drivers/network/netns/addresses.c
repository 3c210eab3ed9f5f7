/* drivers/network/netns/addresses.c - addresses of links and default routes. */
#include "drivers/network/netns/netlink_call.h"

#include <assert.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

static size_t octet_count(const struct ip_addr *addr) { return addr->family == 4 ? 4 : 16; }

static uint8_t kernel_family(const struct ip_addr *addr)
{
    return addr->family == 4 ? AF_INET : AF_INET6;
}

static struct nlmsghdr *address_request(struct request *request, uint16_t type, uint16_t flags,
                                        int link_index, const struct ip_prefix *address)
{
    struct nlmsghdr *header = netlink_request(request, type, flags);
    struct ifaddrmsg *body = mnl_nlmsg_put_extra_header(header, sizeof *body);
    size_t size = octet_count(&address->addr);

    body->ifa_family = kernel_family(&address->addr);
    body->ifa_prefixlen = address->length;
    body->ifa_index = (unsigned)link_index;
    body->ifa_flags = address->addr.family == 6 ? IFA_F_NODAD : 0;
    mnl_attr_put(header, IFA_LOCAL, size, address->addr.octet);
    mnl_attr_put(header, IFA_ADDRESS, size, address->addr.octet);
    return header;
}

static int address_add(struct netlink *netlink, int link_index, const struct ip_prefix *address,
                       struct err *err)
{
    struct request request;
    struct nlmsghdr *header =
        address_request(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, link_index, address);
    char text[IP_PREFIX_TEXT_SIZE];

    if (netlink_call(netlink, header, NULL, NULL, err) == 0 || errno == EEXIST)
        return 0;
    ip_prefix_format(address, text);
    return err_wrap(err, "add address %s", text);
}

static int address_remove(struct netlink *netlink, int link_index, const struct ip_prefix *address,
                          struct err *err)
{
    struct request request;
    struct nlmsghdr *header = address_request(&request, RTM_DELADDR, 0, link_index, address);
    char text[IP_PREFIX_TEXT_SIZE];

    if (netlink_call(netlink, header, NULL, NULL, err) == 0 || errno == EADDRNOTAVAIL)
        return 0;
    ip_prefix_format(address, text);
    return err_wrap(err, "remove address %s", text);
}

struct each {
    address_fn *fn;
    void *arg;
};

static void on_each(void *arg, const struct nlmsghdr *header)
{
    const struct each *each = arg;
    const struct ifaddrmsg *body = mnl_nlmsg_get_payload(header);
    const struct nlattr *attribute, *found = NULL;
    struct ip_prefix address = { .length = body->ifa_prefixlen };

    if (header->nlmsg_type != RTM_NEWADDR)
        return;
    /* IFA_ADDRESS is the far end of a point-to-point link, IFA_LOCAL ours, IPv4 only. */
    mnl_attr_for_each(attribute, header,
                      sizeof *body) if (mnl_attr_get_type(attribute) == IFA_LOCAL ||
                                        (mnl_attr_get_type(attribute) == IFA_ADDRESS && !found))
        found = attribute;
    address.addr.family = body->ifa_family == AF_INET ? 4 : 6;
    if (!found || mnl_attr_get_payload_len(found) != octet_count(&address.addr))
        return;
    memcpy(address.addr.octet, mnl_attr_get_payload(found), octet_count(&address.addr));
    each->fn(each->arg, (int)body->ifa_index, &address);
}

int address_each(struct netlink *netlink, address_fn *fn, void *arg, struct err *err)
{
    struct request request;
    struct nlmsghdr *header = netlink_request(&request, RTM_GETADDR, NLM_F_DUMP);
    struct each each = { fn, arg };

    (void)mnl_nlmsg_put_extra_header(header, sizeof(struct ifaddrmsg));
    if (netlink_call(netlink, header, on_each, &each, err) < 0)
        return err_wrap(err, "list addresses");
    return 0;
}

/* --- exactly these --- */

enum { WANTED_MAX = 4, STALE_MAX = 16 };

struct comparison {
    int link_index;
    const struct ip_prefix *wanted;
    unsigned wanted_count;
    bool is_there[WANTED_MAX];
    struct ip_prefix stale[STALE_MAX]; /* the rest waits for the next round */
    unsigned stale_count;
};

static bool is_link_local(const struct ip_addr *addr)
{
    return addr->family == 6 && addr->octet[0] == 0xfe && (addr->octet[1] & 0xc0) == 0x80;
}

static void on_compared(void *arg, int link_index, const struct ip_prefix *address)
{
    struct comparison *comparison = arg;

    if (link_index != comparison->link_index)
        return;
    for (unsigned i = 0; i < comparison->wanted_count; i++)
        if (comparison->wanted[i].length == address->length &&
            ip_equal(&comparison->wanted[i].addr, &address->addr)) {
            comparison->is_there[i] = true;
            return;
        }
    if (!is_link_local(&address->addr) && comparison->stale_count < STALE_MAX)
        comparison->stale[comparison->stale_count++] = *address;
}

/* The stale ones go first: the same address with another length would be in the way. */
int address_set(struct netlink *netlink, int link_index, const struct ip_prefix *wanted,
                unsigned wanted_count, struct err *err)
{
    struct comparison comparison = { .link_index = link_index,
                                     .wanted = wanted,
                                     .wanted_count = wanted_count };

    assert(wanted_count <= WANTED_MAX);
    if (address_each(netlink, on_compared, &comparison, err) < 0)
        return -1;
    for (unsigned i = 0; i < comparison.stale_count; i++)
        if (address_remove(netlink, link_index, &comparison.stale[i], err) < 0)
            return -1;
    for (unsigned i = 0; i < wanted_count; i++)
        if (!comparison.is_there[i] && address_add(netlink, link_index, &wanted[i], err) < 0)
            return -1;
    return 0;
}

int route_set_default(struct netlink *netlink, int link_index, const struct ip_addr *gateway,
                      struct err *err)
{
    struct request request;
    struct nlmsghdr *header = netlink_request(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
    struct rtmsg *body = mnl_nlmsg_put_extra_header(header, sizeof *body);
    char text[IP_TEXT_SIZE];

    body->rtm_family = kernel_family(gateway);
    body->rtm_table = RT_TABLE_MAIN;
    body->rtm_protocol = RTPROT_STATIC;
    body->rtm_scope = RT_SCOPE_UNIVERSE;
    body->rtm_type = RTN_UNICAST;
    mnl_attr_put(header, RTA_GATEWAY, octet_count(gateway), gateway->octet);
    mnl_attr_put_u32(header, RTA_OIF, (uint32_t)link_index);
    if (netlink_call(netlink, header, NULL, NULL, err) == 0)
        return 0;
    ip_format(gateway, text);
    return err_wrap(err, "default route by %s", text);
}
