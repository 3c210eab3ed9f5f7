/* drivers/network/netns/links.c - bridges, veth pairs and what is common to all links. */
#include "drivers/network/netns/netlink_call.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>

/* --- reading --- */

static void copy_text(char *to, size_t size, const struct nlattr *attribute)
{
    size_t length = mnl_attr_get_payload_len(attribute);

    if (length >= size)
        length = size - 1;
    memcpy(to, mnl_attr_get_payload(attribute), length);
    to[length] = '\0';
}

static void read_kind(struct link *link, const struct nlattr *info)
{
    const struct nlattr *attribute;

    mnl_attr_for_each_nested(attribute, info) if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
        copy_text(link->kind, sizeof link->kind, attribute);
}

static void read_counters(struct link *link, const struct nlattr *attribute)
{
    struct rtnl_link_stats64 stats = { 0 };
    size_t size = mnl_attr_get_payload_len(attribute);

    memcpy(&stats, mnl_attr_get_payload(attribute), size < sizeof stats ? size : sizeof stats);
    link->rx_bytes = stats.rx_bytes;
    link->tx_bytes = stats.tx_bytes;
    link->rx_packets = stats.rx_packets;
    link->tx_packets = stats.tx_packets;
}

static void read_attribute(struct link *link, const struct nlattr *attribute)
{
    switch (mnl_attr_get_type(attribute)) {
    case IFLA_IFNAME:
        copy_text(link->name, sizeof link->name, attribute);
        break;
    case IFLA_IFALIAS:
        copy_text(link->alias, sizeof link->alias, attribute);
        break;
    case IFLA_MTU:
        link->mtu = mnl_attr_get_u32(attribute);
        break;
    case IFLA_MASTER:
        link->master = (int)mnl_attr_get_u32(attribute);
        break;
    case IFLA_ADDRESS:
        if (mnl_attr_get_payload_len(attribute) == sizeof link->mac.octet)
            memcpy(link->mac.octet, mnl_attr_get_payload(attribute), sizeof link->mac.octet);
        break;
    case IFLA_LINKINFO:
        read_kind(link, attribute);
        break;
    case IFLA_STATS64:
        read_counters(link, attribute);
        break;
    default:
        break;
    }
}

static void read_link(struct link *link, const struct nlmsghdr *header)
{
    const struct ifinfomsg *body = mnl_nlmsg_get_payload(header);
    const struct nlattr *attribute;

    *link = (struct link){ .index = body->ifi_index, .is_up = body->ifi_flags & IFF_UP };
    mnl_attr_for_each(attribute, header, sizeof *body) read_attribute(link, attribute);
}

static void on_found(void *arg, const struct nlmsghdr *header)
{
    if (header->nlmsg_type == RTM_NEWLINK)
        read_link(arg, header);
}

int link_find(struct netlink *netlink, const char *name, struct link *ret_link, struct err *err)
{
    struct request request;
    struct nlmsghdr *header = netlink_request(&request, RTM_GETLINK, 0);
    struct link found = { 0 };

    (void)mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    if (netlink_call(netlink, header, on_found, &found, err) < 0) {
        if (errno == ENODEV)
            err->code = ERR_NOT_FOUND;
        return err_wrap(err, "link %s", name);
    }
    if (!found.index)
        return err_set(err, ERR_NOT_FOUND, "link %s is not there", name);
    *ret_link = found;
    return 0;
}

struct each {
    link_fn *fn;
    void *arg;
};

static void on_each(void *arg, const struct nlmsghdr *header)
{
    const struct each *each = arg;
    struct link link;

    if (header->nlmsg_type != RTM_NEWLINK)
        return;
    read_link(&link, header);
    each->fn(each->arg, &link);
}

int link_each(struct netlink *netlink, link_fn *fn, void *arg, struct err *err)
{
    struct request request;
    struct nlmsghdr *header = netlink_request(&request, RTM_GETLINK, NLM_F_DUMP);
    struct each each = { fn, arg };

    (void)mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
    if (netlink_call(netlink, header, on_each, &each, err) < 0)
        return err_wrap(err, "list links");
    return 0;
}

/* --- making --- */

static struct nlmsghdr *begin_link(struct request *request, const char *name)
{
    struct nlmsghdr *header = netlink_request(request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);

    (void)mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    return header;
}

int link_add_bridge(struct netlink *netlink, const char *name, const struct mac_addr *mac,
                    struct err *err)
{
    struct request request;
    struct nlmsghdr *header = begin_link(&request, name);

    mnl_attr_put(header, IFLA_ADDRESS, sizeof mac->octet, mac->octet);
    struct nlattr *info = mnl_attr_nest_start(header, IFLA_LINKINFO);
    mnl_attr_put_strz(header, IFLA_INFO_KIND, "bridge");
    struct nlattr *data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
    mnl_attr_put_u32(header, IFLA_BR_FORWARD_DELAY, 0);
    mnl_attr_put_u32(header, IFLA_BR_STP_STATE, 0);
    mnl_attr_put_u8(header, IFLA_BR_MCAST_SNOOPING, 0);
    mnl_attr_nest_end(header, data);
    mnl_attr_nest_end(header, info);
    if (netlink_call(netlink, header, NULL, NULL, err) < 0)
        return err_wrap(err, "create bridge %s", name);
    return 0;
}

int link_add_veth(struct netlink *netlink, const char *name, const char *peer_name,
                  int peer_netns_fd, struct err *err)
{
    struct request request;
    struct nlmsghdr *header = begin_link(&request, name);

    struct nlattr *info = mnl_attr_nest_start(header, IFLA_LINKINFO);
    mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
    struct nlattr *peer = mnl_attr_nest_start(header, VETH_INFO_PEER);
    (void)mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(header, IFLA_IFNAME, peer_name);
    mnl_attr_put_u32(header, IFLA_NET_NS_FD, (uint32_t)peer_netns_fd);
    mnl_attr_nest_end(header, peer);
    mnl_attr_nest_end(header, data);
    mnl_attr_nest_end(header, info);
    if (netlink_call(netlink, header, NULL, NULL, err) < 0)
        return err_wrap(err, "create veth %s", name);
    return 0;
}

/* --- changing --- */

/* Most rounds find everything as it should be: then nothing is asked of the kernel's lock. */
static bool is_so(const struct link *link, const struct link_change *change)
{
    return link->is_up && (!change->master || link->master == change->master) &&
           (!change->mtu || link->mtu == change->mtu) &&
           (!change->mac || mac_equal(&link->mac, change->mac)) &&
           (!change->alias || strcmp(link->alias, change->alias) == 0);
}

int link_change(struct netlink *netlink, const struct link *link, const struct link_change *change,
                struct err *err)
{
    struct request request;
    struct nlmsghdr *header = netlink_request(&request, RTM_NEWLINK, 0);
    struct ifinfomsg *body = mnl_nlmsg_put_extra_header(header, sizeof *body);

    if (is_so(link, change))
        return 0;
    body->ifi_index = link->index;
    body->ifi_flags = IFF_UP;
    body->ifi_change = IFF_UP;
    if (change->master)
        mnl_attr_put_u32(header, IFLA_MASTER, (uint32_t)change->master);
    if (change->mtu)
        mnl_attr_put_u32(header, IFLA_MTU, change->mtu);
    if (change->mac)
        mnl_attr_put(header, IFLA_ADDRESS, sizeof change->mac->octet, change->mac->octet);
    if (change->alias)
        mnl_attr_put(header, IFLA_IFALIAS, strlen(change->alias), change->alias);
    if (netlink_call(netlink, header, NULL, NULL, err) < 0)
        return err_wrap(err, "set up link %s", link->name);
    return 0;
}

int link_remove(struct netlink *netlink, int index, struct err *err)
{
    struct request request;
    struct nlmsghdr *header = netlink_request(&request, RTM_DELLINK, 0);
    struct ifinfomsg *body = mnl_nlmsg_put_extra_header(header, sizeof *body);

    body->ifi_index = index;
    if (netlink_call(netlink, header, NULL, NULL, err) == 0 || errno == ENODEV)
        return 0;
    return err_wrap(err, "remove link %d", index);
}
