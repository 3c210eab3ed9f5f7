/* tests/network/test_host.c - the host's packet filter, in which others have tables as well. */
#include "base/files.h"
#include "base/json.h"
#include "base/str.h"
#include "drivers/network/netns/host_table.h"
#include "drivers/network/netns/nft.h"
#include "drivers/network/netns/nft_kernel.h"
#include "lab.h"
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <sched.h>
#include <stdlib.h>

static const char *const one = "11111111-1111-4111-8111-111111111111";

static const char *const two = "22222222-2222-4222-8222-222222222222";

static struct rig rig;

/* --- a table of somebody else --- */

enum { KEY_IS_IPV4 = 7, REQUESTS_SIZE = 4096 };

/* What a set's key is "typeof" (3), by the number of the expression (0) and its description (1):
 * a number as newer nftables write. libnftables 1.0.6 falls over it in whatever command reads
 * sets, also when it is after another table. */
static const uint8_t newer_userdata[] = { 3, 10, 0, 4, 0xff, 0, 0, 0, 1, 2, 0, 0 };

static struct nlmsghdr *put_message(struct mnl_nlmsg_batch *batch, uint16_t type, uint16_t flags,
                                    uint8_t family)
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(batch));
    struct nfgenmsg *body;

    header->nlmsg_type = type;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    body = mnl_nlmsg_put_extra_header(header, sizeof *body);
    body->nfgen_family = family;
    body->res_id = htons(NFNL_SUBSYS_NFTABLES);
    return header;
}

static void put_edge(struct mnl_nlmsg_batch *batch, uint16_t type)
{
    (void)put_message(batch, type, 0, AF_UNSPEC);
    CHECK(mnl_nlmsg_batch_next(batch));
}

static void put_set(struct mnl_nlmsg_batch *batch)
{
    struct nlmsghdr *header = put_message(batch, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET,
                                          NLM_F_CREATE | NLM_F_ACK, NFPROTO_INET);

    mnl_attr_put_strz(header, NFTA_SET_TABLE, "foreign");
    mnl_attr_put_strz(header, NFTA_SET_NAME, "newer");
    mnl_attr_put_u32(header, NFTA_SET_FLAGS, 0);
    mnl_attr_put_u32(header, NFTA_SET_KEY_TYPE, htonl(KEY_IS_IPV4));
    mnl_attr_put_u32(header, NFTA_SET_KEY_LEN, htonl(4));
    mnl_attr_put_u32(header, NFTA_SET_ID, htonl(1));
    mnl_attr_put(header, NFTA_SET_USERDATA, sizeof newer_userdata, newer_userdata);
    CHECK(mnl_nlmsg_batch_next(batch));
}

static void check_accepted(struct mnl_socket *socket)
{
    _Alignas(struct nlmsghdr) char answer[REQUESTS_SIZE];
    const struct nlmsghdr *header = (const struct nlmsghdr *)answer;
    ssize_t size = mnl_socket_recvfrom(socket, answer, sizeof answer);
    const struct nlmsgerr *body = mnl_nlmsg_get_payload(header);

    CHECK(size >= 0 && mnl_nlmsg_ok(header, (int)size));
    CHECK_EQ(header->nlmsg_type, NLMSG_ERROR);
    CHECK_EQ(body->error, 0);
}

static void add_foreign_set(void)
{
    _Alignas(struct nlmsghdr) char bytes[2 * REQUESTS_SIZE];
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    struct mnl_nlmsg_batch *batch = mnl_nlmsg_batch_start(bytes, REQUESTS_SIZE);

    CHECK(socket && mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) >= 0);
    put_edge(batch, NFNL_MSG_BATCH_BEGIN);
    put_set(batch);
    put_edge(batch, NFNL_MSG_BATCH_END);
    CHECK(mnl_socket_sendto(socket, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch)) > 0);
    check_accepted(socket);
    mnl_nlmsg_batch_stop(batch);
    mnl_socket_close(socket);
}

typedef void change_table(struct nft_batch *batch);

static void change(const char *table, change_table *put)
{
    struct nft_batch batch;
    struct err err;

    nft_batch_init(&batch, table);
    put(&batch);
    CHECK_OK(nft_batch_apply(&batch, &err), &err);
    nft_batch_done(&batch);
}

TEST(a_set_that_libnftables_falls_over_does_no_harm_to_networks)
{
    struct network_status status;

    rig_open(&rig);
    change("foreign", nft_add_table);
    add_foreign_set();
    lab_network(&rig, one, /*nat=*/true);
    lab_network(&rig, two, /*nat=*/true);
    CHECK_EQ(host_uplinks(), 2);
    RIG_OK(&rig, network_refresh, one);
    rig.network->ops->network_observe(rig.network, one, &status);
    CHECK(status.is_up);
    RIG_OK(&rig, network_remove, one);
    RIG_OK(&rig, network_remove, two);
    CHECK_EQ(host_uplinks(), 0);
    change("foreign", nft_remove_table);
    rig_close(&rig);
}

TEST(the_table_goes_with_the_last_network_also_when_its_uplink_was_lost)
{
    rig_open(&rig);
    lab_network(&rig, one, /*nat=*/true);
    lab_network(&rig, two, /*nat=*/true);
    remove_uplink();
    remove_uplink();
    RIG_OK(&rig, network_remove, one);
    RIG_OK(&rig, network_remove, two);
    rig_close(&rig); /* sees that it is gone */
}

TEST(the_table_stays_while_another_network_needs_it)
{
    struct network_status status;

    rig_open(&rig);
    lab_network(&rig, one, /*nat=*/true);
    lab_network(&rig, two, /*nat=*/false);
    RIG_OK(&rig, network_remove, two); /* which never had an uplink */
    RIG_OK(&rig, network_refresh, one);
    rig.network->ops->network_observe(rig.network, one, &status);
    CHECK(status.is_up);
    RIG_OK(&rig, network_remove, one);
    rig_close(&rig);
}

/* --- the table --- */

/* Fails the test unless nft, which prints numbers of its own that differ, prints both alike. */
static json_t *list_table(void)
{
    json_t *objects, *object, *part;
    const char *key;
    struct err err;
    size_t i;

    CHECK_OK(nft_list("list table inet virga_vg", &objects, &err), &err);
    json_array_foreach (objects, i, object)
        json_object_foreach (object, key, part)
            (void)json_object_del(part, "handle");
    return objects;
}

static void check_table(const json_t *wanted)
{
    auto_json json_t *found = list_table();
    auto_free char *wanted_text = json_dumps(wanted, JSON_INDENT(1));
    auto_free char *found_text = json_dumps(found, JSON_INDENT(1));

    CHECK_STR(found_text, wanted_text);
}

static char *golden_text(void)
{
    auto_free char *path = str_printf("%s/tests/golden/nft/host.nft", getenv("VIRGA_SOURCE"));
    struct buf text = { 0 };
    struct err err;

    CHECK_OK(file_read(path, 1 << 16, &text, &err), &err);
    return buf_take(&text);
}

static void put_whole(struct nft_batch *batch)
{
    struct uplink_addresses addresses;

    uplink_addresses(7, &addresses);
    host_table(batch);
    host_table_uplink(batch, "vgu0123456789", &addresses, /*is_there=*/true);
}

static void put_without_uplink(struct nft_batch *batch)
{
    struct uplink_addresses addresses;

    uplink_addresses(7, &addresses);
    host_table(batch);
    host_table_uplink(batch, "vgu0123456789", &addresses, /*is_there=*/false);
}

TEST(the_hosts_table_is_what_its_text_says)
{
    auto_free char *golden = golden_text();

    CHECK_EQ(unshare(CLONE_NEWNET), 0);
    host_rules(golden);
    auto_json json_t *wanted = list_table();
    change("virga_vg", host_table_remove);
    change("virga_vg", put_whole);
    check_table(wanted);
    change("virga_vg", put_whole);
    check_table(wanted);
}

TEST(a_table_of_an_older_virgad_is_taken_over)
{
    auto_free char *golden = golden_text();

    CHECK_EQ(unshare(CLONE_NEWNET), 0);
    host_rules(golden);
    auto_json json_t *wanted = list_table();
    host_rules("add rule inet virga_vg v_from_uplinks tcp dport { 22, 23 } accept");
    change("virga_vg", put_whole);
    check_table(wanted);
}

TEST(an_uplink_goes_with_its_elements)
{
    CHECK_EQ(unshare(CLONE_NEWNET), 0);
    change("virga_vg", put_without_uplink); /* as if it were not known whether it was there */
    auto_json json_t *wanted = list_table();
    change("virga_vg", put_whole);
    change("virga_vg", put_without_uplink);
    check_table(wanted);
    change("virga_vg", host_table_remove);
    change("virga_vg", host_table_remove);
}

static void put_nonsense(struct nft_batch *batch)
{
    nft_add_table(batch);
    nft_add_chain(batch, "v_here");
    nft_flush_chain(batch, "v_nowhere");
}

static void no_chain(void *arg, const struct nft_chain *chain)
{
    check_fail(CHECK_HERE, "chain %s is there", chain ? chain->name : "?");
}

TEST(a_refused_change_says_where_and_leaves_nothing)
{
    struct nft_batch batch;
    struct err err;

    CHECK_EQ(unshare(CLONE_NEWNET), 0);
    nft_batch_init(&batch, "virga_vg");
    put_nonsense(&batch);
    CHECK_FAILS(nft_batch_apply(&batch, &err), &err, ERR_NOT_FOUND);
    CHECK_CONTAINS(err.text, "table virga_vg v_nowhere");
    nft_batch_done(&batch);
    CHECK_OK(nft_each_chain(no_chain, NULL, &err), &err);
}
