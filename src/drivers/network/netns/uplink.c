/* drivers/network/netns/uplink.c - the way from a network to the outside of the host: a veth
 * pair, and the host's own table of rules. All that happens in the host's namespace is under
 * host->lock, since networks share its table and its addresses. */
#include "base/fault.h"
#include "drivers/network/netns/host_table.h"
#include "drivers/network/netns/nft_kernel.h"
#include "drivers/network/netns/segment.h"
#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- addresses --- */

struct slots {
    int link_index; /* of this network's uplink */
    int own;        /* its slot; -1: none yet */
    bool is_taken[UPLINK_SLOT_COUNT];
};

static void on_address(void *arg, int link_index, const struct ip_prefix *address)
{
    struct slots *slots = arg;
    unsigned slot;

    if (!uplink_slot_of(&address->addr, &slot))
        return;
    if (link_index == slots->link_index)
        slots->own = (int)slot;
    else
        slots->is_taken[slot] = true;
}

/* The slot of this uplink, or a free one. The addresses that are there are the only record. */
static int find_slot(struct netlink *outside, int link_index, const char *uid, unsigned *ret_slot,
                     struct err *err)
{
    struct slots slots = { .link_index = link_index, .own = -1 };

    if (address_each(outside, on_address, &slots, err) < 0)
        return -1;
    if (slots.own >= 0 && !slots.is_taken[slots.own]) {
        *ret_slot = (unsigned)slots.own;
        return 0;
    }
    for (unsigned i = 0, slot = uplink_first_slot(uid); i < UPLINK_SLOT_COUNT; i++, slot++)
        if (!slots.is_taken[slot % UPLINK_SLOT_COUNT]) {
            *ret_slot = slot % UPLINK_SLOT_COUNT;
            return 0;
        }
    return err_set(err, ERR_EXHAUSTED, "all %d uplink addresses are in use", UPLINK_SLOT_COUNT);
}

/* --- the host's settings and rules --- */

/* A router ignores advertisements, by which this host may have its own default route, unless
 * told otherwise for the link. */
static void on_link(void *arg, const struct link *link)
{
    char name[64];
    struct err unused;

    (void)snprintf(name, sizeof name, "ipv6/conf/%s/accept_ra", link->name);
    if (sysctl_get(name) == '1')
        (void)sysctl_set(name, "2", &unused); /* at worst the link loses what it had from them */
}

static int turn_on_forwarding(struct netlink *outside, bool ipv6, struct err *err)
{
    if (sysctl_set("ipv4/ip_forward", "1", err) < 0)
        return -1;
    if (!ipv6 || sysctl_get("ipv6/conf/all/forwarding") == '1')
        return 0;
    if (link_each(outside, on_link, NULL, err) < 0)
        return -1;
    return sysctl_set("ipv6/conf/all/forwarding", "1", err);
}

/* What else filters packets in the host's namespace. */
struct survey {
    const char *prefix;
    char own_table[NFT_TABLE_MAXNAMELEN];
    bool has_own_table;
    char note[256]; /* on a firewall that stands in the way, or "" */
};

static const char *family_name(uint8_t family)
{
    return family == NFPROTO_INET   ? "inet"
           : family == NFPROTO_IPV4 ? "ip"
           : family == NFPROTO_IPV6 ? "ip6"
                                    : NULL;
}

/* Another table that drops what is forwarded wins over ours, which accepts it. */
static void survey_chain(void *arg, const struct nft_chain *chain)
{
    struct survey *survey = arg;

    if (!chain) { /* all over again */
        survey->has_own_table = false;
        survey->note[0] = '\0';
        return;
    }
    if (str_equal(chain->table, survey->own_table)) {
        survey->has_own_table = true;
        return;
    }
    if (survey->note[0] || !family_name(chain->family) || !chain->is_hooked ||
        chain->hook != NF_INET_FORWARD || chain->policy != NF_DROP)
        return;
    (void)snprintf(survey->note, sizeof survey->note,
                   "the host's own firewall (table %s %.64s, chain %.64s) drops what is forwarded "
                   "by default: it must accept the links %su*",
                   family_name(chain->family), chain->table, chain->name, survey->prefix);
}

static int survey_rules(const char *prefix, struct survey *ret_survey, struct err *err)
{
    *ret_survey = (struct survey){ .prefix = prefix };
    host_table_name(prefix, ret_survey->own_table);
    return nft_each_chain(survey_chain, ret_survey, err);
}

/* --- outside --- */

struct outside {
    struct host *host;
    struct segment *segment;
    const struct network_config *config;
    int netns_fd;  /* of the network */
    bool is_whole; /* the namespace has its end of the pair */
    bool ipv6;     /* the host knows IPv6, and the network has it */
    struct uplink_addresses addresses;
    char *note; /* 256 bytes */
};

/* An end whose other one is in a namespace of before is of no use. */
static int find_or_add_pair(const struct outside *outside, struct netlink *netlink,
                            const char *name, struct link *ret_link, struct err *err)
{
    int found = link_find(netlink, name, ret_link, err);

    if (found < 0 && err->code != ERR_NOT_FOUND)
        return -1;
    if (found == 0 && outside->is_whole)
        return 0;
    if (found == 0 && link_remove(netlink, ret_link->index, err) < 0)
        return -1;
    if (link_add_veth(netlink, name, UPLINK_NAME, outside->netns_fd, err) < 0)
        return -1;
    fault_point("network.uplink");
    return link_find(netlink, name, ret_link, err);
}

/* As last applied by this process they are left alone, as long as the table is there. */
static int ensure_host_table(struct outside *outside, const char *name, unsigned slot,
                             struct err *err)
{
    struct host *host = outside->host;
    struct segment *segment = outside->segment;
    struct survey survey;
    struct nft_batch batch;

    if (survey_rules(host->prefix, &survey, err) < 0)
        return -1;
    (void)snprintf(outside->note, sizeof survey.note, "%s", survey.note);
    if (!survey.has_own_table)
        host->rules_generation++;
    if (segment->uplink_rules_generation == host->rules_generation && segment->uplink_slot == slot)
        return 0;
    nft_batch_init(&batch, survey.own_table);
    host_table(&batch);
    host_table_uplink(&batch, name, &outside->addresses, /*is_there=*/true);
    int result = nft_batch_apply(&batch, err);
    nft_batch_done(&batch);
    if (result < 0)
        return -1;
    segment->uplink_rules_generation = host->rules_generation;
    segment->uplink_slot = slot;
    return 0;
}

/* Host addresses are the daemon's namespace's business: only those of the range are ours. */
static int ensure_outside_end(void *arg, struct netlink *netlink, struct err *err)
{
    struct outside *outside = arg;
    const char *uid = outside->segment->uid;
    char name[IFNAMSIZ];
    struct link link;
    unsigned slot = 0;

    uplink_host_name(outside->host->prefix, uid, name);
    if (find_or_add_pair(outside, netlink, name, &link, err) < 0 ||
        find_slot(netlink, link.index, uid, &slot, err) < 0)
        return -1;
    uplink_addresses(slot, &outside->addresses);
    outside->ipv6 =
        outside->config->ipv6.addr.family && sysctl_get("ipv6/conf/all/disable_ipv6") == '0';

    const struct ip_prefix wanted[] = { outside->addresses.host4, outside->addresses.host6 };
    if (link_change(netlink, &link, &(struct link_change){ .alias = uid }, err) < 0 ||
        address_set(netlink, link.index, wanted, outside->ipv6 ? 2 : 1, err) < 0)
        return -1;
    fault_point("network.uplink.addresses");
    if (ensure_host_table(outside, name, slot, err) < 0)
        return -1;
    fault_point("network.uplink.rules");
    return turn_on_forwarding(netlink, outside->ipv6, err);
}

/* --- inside --- */

static int ensure_inside_end(const struct outside *outside, struct netlink *inside, struct err *err)
{
    const struct uplink_addresses *addresses = &outside->addresses;
    struct link link;

    if (link_find(inside, UPLINK_NAME, &link, err) < 0)
        return -1;
    if (sysctl_set_if_there("ipv6/conf/" UPLINK_NAME "/disable_ipv6", outside->ipv6 ? "0" : "1",
                            err) < 0)
        return -1;
    const struct ip_prefix wanted[] = { addresses->network4, addresses->network6 };
    if (link_change(inside, &link, &(struct link_change){ 0 }, err) < 0 ||
        address_set(inside, link.index, wanted, outside->ipv6 ? 2 : 1, err) < 0 ||
        route_set_default(inside, link.index, &addresses->host4.addr, err) < 0)
        return -1;
    return outside->ipv6 ? route_set_default(inside, link.index, &addresses->host6.addr, err) : 0;
}

int uplink_ensure(struct host *host, struct segment *segment, struct netlink *inside,
                  const struct network_config *config, char note[256], struct err *err)
{
    struct outside outside = {
        .host = host, .segment = segment, .config = config, .netns_fd = -1, .note = note
    };
    struct link link;

    outside.is_whole = link_find(inside, UPLINK_NAME, &link, err) == 0;
    if (!outside.is_whole && err->code != ERR_NOT_FOUND)
        return -1;
    if (namespace_open_own(&outside.netns_fd, err) < 0)
        return -1;

    int result = host_visit(host, ensure_outside_end, &outside, err);
    close(outside.netns_fd);
    return result < 0 ? -1 : ensure_inside_end(&outside, inside, err);
}

/* --- removing --- */

struct removal {
    const char *prefix;
    char name[IFNAMSIZ];
    unsigned others; /* uplinks of other networks */
};

static void count_others(void *arg, const struct link *link)
{
    struct removal *removal = arg;
    size_t length = strlen(removal->prefix);

    if (strncmp(link->name, removal->prefix, length) == 0 && link->name[length] == 'u' &&
        strlen(link->name) == strlen(removal->name) && strcmp(link->name, removal->name) != 0)
        removal->others++;
}

/* Of one uplink, or with the last one the whole table. */
static int remove_rules(const struct removal *removal, const struct uplink_addresses *addresses,
                        struct err *err)
{
    char table[NFT_TABLE_MAXNAMELEN];
    struct nft_batch batch;

    host_table_name(removal->prefix, table);
    nft_batch_init(&batch, table);
    if (removal->others == 0) {
        host_table_remove(&batch);
    } else {
        host_table(&batch);
        host_table_uplink(&batch, removal->name, addresses, /*is_there=*/false);
    }
    int result = nft_batch_apply(&batch, err);
    nft_batch_done(&batch);
    return result;
}

static int remove_rules_of(const struct removal *removal, struct netlink *netlink,
                           const struct link *link, struct err *err)
{
    struct slots slots = { .link_index = link->index, .own = -1 };
    struct uplink_addresses addresses = { 0 };

    if (removal->others > 0) {
        if (address_each(netlink, on_address, &slots, err) < 0)
            return -1;
        if (slots.own < 0)
            return 0; /* cut before it had addresses, which come before the rules */
        uplink_addresses((unsigned)slots.own, &addresses);
    }
    return remove_rules(removal, &addresses, err);
}

/* The link went without us, with its namespace maybe. Most often there never was one, and nothing
 * is to be done. */
static int remove_stray_table(const struct removal *removal, struct err *err)
{
    static const struct uplink_addresses none;
    struct survey survey;

    if (survey_rules(removal->prefix, &survey, err) < 0)
        return -1;
    return survey.has_own_table ? remove_rules(removal, &none, err) : 0;
}

/* The rules first: as long as the link is there, the next try knows what they were. */
static int remove_in_host(void *arg, struct netlink *netlink, struct err *err)
{
    struct removal *removal = arg;
    struct link link;
    bool is_gone = link_find(netlink, removal->name, &link, err) < 0;

    if ((is_gone && err->code != ERR_NOT_FOUND) ||
        link_each(netlink, count_others, removal, err) < 0)
        return -1;
    if (is_gone)
        return removal->others > 0 ? 0 : remove_stray_table(removal, err);
    if (remove_rules_of(removal, netlink, &link, err) < 0)
        return -1;
    fault_point("network.remove.rules");
    return link_remove(netlink, link.index, err);
}

int uplink_remove(struct host *host, struct segment *segment, struct err *err)
{
    struct removal removal = { .prefix = host->prefix };

    segment->uplink_rules_generation = 0;
    uplink_host_name(host->prefix, segment->uid, removal.name);
    return host_visit(host, remove_in_host, &removal, err);
}

/* --- looking --- */

static int check_in_host(void *arg, struct netlink *netlink, struct err *err)
{
    const struct removal *check = arg;
    struct survey survey;
    struct link link;

    if (link_find(netlink, check->name, &link, err) < 0 ||
        survey_rules(check->prefix, &survey, err) < 0)
        return -1;
    if (!survey.has_own_table)
        return err_set(err, ERR_NOT_FOUND, "the host's table virga_%s of rules is gone",
                       check->prefix);
    return 0;
}

int uplink_check(struct host *host, const struct segment *segment, struct err *err)
{
    struct removal check = { .prefix = host->prefix };

    uplink_host_name(host->prefix, segment->uid, check.name);
    return host_visit(host, check_in_host, &check, err);
}
