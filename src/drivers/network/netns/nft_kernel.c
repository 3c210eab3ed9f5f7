/* drivers/network/netns/nft_kernel.c - reading chains and counters from nf_tables. */
#include "drivers/network/netns/nft_kernel.h"

#include "drivers/network/netns/netlink_call.h"
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <string.h>

enum { TRIES_MAX = 16 };

static void put_header(struct nlmsghdr *header, uint8_t family)
{
    struct nfgenmsg *body = mnl_nlmsg_put_extra_header(header, sizeof *body);

    body->nfgen_family = family;
    body->version = NFNETLINK_V0;
}

static uint16_t message_type(unsigned type) { return (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type); }

static const struct nlattr *nested(const struct nlattr *parent, uint16_t type)
{
    const struct nlattr *attribute;

    mnl_attr_for_each_nested(attribute,
                             parent) if (mnl_attr_get_type(attribute) == type) return attribute;
    return NULL;
}

static const struct nlattr *top(const struct nlmsghdr *header, uint16_t type)
{
    const struct nlattr *attribute;

    mnl_attr_for_each(attribute, header,
                      sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attribute) ==
                                                   type) return attribute;
    return NULL;
}

/* --- chains --- */

static bool read_name(const struct nlattr *attribute, char *to, size_t size)
{
    if (!attribute || mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0)
        return false;

    const char *text = mnl_attr_get_str(attribute);
    if (strlen(text) >= size)
        return false;
    memcpy(to, text, strlen(text) + 1);
    for (char *at = to; *at; at++)
        if (*at <= ' ' || *at > '~')
            *at = '?';
    return true;
}

static bool read_number(const struct nlattr *attribute, uint32_t *ret_number)
{
    if (!attribute || mnl_attr_validate(attribute, MNL_TYPE_U32) < 0)
        return false;
    *ret_number = be32toh(mnl_attr_get_u32(attribute));
    return true;
}

bool nft_read_chain(const struct nlmsghdr *header, struct nft_chain *ret_chain)
{
    const struct nfgenmsg *body = mnl_nlmsg_get_payload(header);
    const struct nlattr *hook;

    *ret_chain = (struct nft_chain){ 0 };
    /* libmnl takes a message to be longer when its length isn't aligned; the kernel's are. */
    if (header->nlmsg_type != message_type(NFT_MSG_NEWCHAIN) ||
        header->nlmsg_len != NLMSG_ALIGN(header->nlmsg_len) ||
        mnl_nlmsg_get_payload_len(header) < sizeof *body ||
        !read_name(top(header, NFTA_CHAIN_TABLE), ret_chain->table, sizeof ret_chain->table) ||
        !read_name(top(header, NFTA_CHAIN_NAME), ret_chain->name, sizeof ret_chain->name))
        return false;
    ret_chain->family = body->nfgen_family;
    hook = top(header, NFTA_CHAIN_HOOK);
    ret_chain->is_hooked = hook && read_number(nested(hook, NFTA_HOOK_HOOKNUM), &ret_chain->hook) &&
                           read_number(top(header, NFTA_CHAIN_POLICY), &ret_chain->policy);
    return true;
}

struct chains {
    nft_chain_fn *fn;
    void *arg;
};

static void on_chain(void *arg, const struct nlmsghdr *header)
{
    const struct chains *chains = arg;
    struct nft_chain chain;

    if (nft_read_chain(header, &chain))
        chains->fn(chains->arg, &chain);
}

static int list_chains(struct netlink *netlink, struct chains *chains, struct err *err)
{
    struct request request;

    for (unsigned i = 0; i < TRIES_MAX; i++) {
        struct nlmsghdr *header =
            netlink_request(&request, message_type(NFT_MSG_GETCHAIN), NLM_F_DUMP);

        put_header(header, NFPROTO_UNSPEC);
        if (netlink_call(netlink, header, on_chain, chains, err) < 0)
            return err_wrap(err, "list the chains of the packet filter");
        if (!netlink->is_interrupted)
            return 0;
        chains->fn(chains->arg, NULL);
    }
    return err_set(err, ERR_CONFLICT, "the packet filter changed %d times while it was read",
                   TRIES_MAX);
}

int nft_each_chain(nft_chain_fn *fn, void *arg, struct err *err)
{
    struct chains chains = { fn, arg };
    struct netlink netlink;

    if (netlink_open_filter(&netlink, err) < 0)
        return -1;
    int result = list_chains(&netlink, &chains, err);
    netlink_close(&netlink);
    return result;
}

/* --- one counter --- */

struct counter {
    bool is_found;
    uint64_t packets;
};

/* Follows NFTA_..._LIST_ELEMENTS, LIST_ELEM, SET_ELEM_EXPR, EXPR_DATA, COUNTER_PACKETS. */
static void on_element(void *arg, const struct nlmsghdr *header)
{
    static const uint16_t path[] = { NFTA_LIST_ELEM, NFTA_SET_ELEM_EXPR, NFTA_EXPR_DATA,
                                     NFTA_COUNTER_PACKETS };
    struct counter *counter = arg;
    const struct nlattr *at = top(header, NFTA_SET_ELEM_LIST_ELEMENTS);

    for (size_t i = 0; at && i < sizeof path / sizeof path[0]; i++)
        at = nested(at, path[i]);
    if (at && mnl_attr_get_payload_len(at) == sizeof(uint64_t)) {
        counter->is_found = true;
        counter->packets = be64toh(mnl_attr_get_u64(at));
    }
}

static void put_query(struct nlmsghdr *header, const char *table, const char *set,
                      const char *interface)
{
    char key[IFNAMSIZ] = "";

    put_header(header, NFPROTO_BRIDGE);
    mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_TABLE, table);
    mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, set);
    strncpy(key, interface, sizeof key - 1);
    struct nlattr *elements = mnl_attr_nest_start(header, NFTA_SET_ELEM_LIST_ELEMENTS);
    struct nlattr *element = mnl_attr_nest_start(header, NFTA_LIST_ELEM);
    struct nlattr *holder = mnl_attr_nest_start(header, NFTA_SET_ELEM_KEY);
    mnl_attr_put(header, NFTA_DATA_VALUE, sizeof key, key);
    mnl_attr_nest_end(header, holder);
    mnl_attr_nest_end(header, element);
    mnl_attr_nest_end(header, elements);
}

int nft_read_counter(const char *table, const char *set, const char *interface,
                     uint64_t *ret_packets, struct err *err)
{
    struct counter counter = { 0 };
    struct request request;
    struct netlink netlink;

    if (netlink_open_filter(&netlink, err) < 0)
        return -1;
    struct nlmsghdr *header = netlink_request(&request, message_type(NFT_MSG_GETSETELEM), 0);
    put_query(header, table, set, interface);
    int result = netlink_call(&netlink, header, on_element, &counter, err);
    netlink_close(&netlink);
    if (result < 0)
        return err_wrap(err, "counter of %s", interface);
    if (!counter.is_found)
        return err_set(err, ERR_NOT_FOUND, "%s has no counter", interface);
    *ret_packets = counter.packets;
    return 0;
}
