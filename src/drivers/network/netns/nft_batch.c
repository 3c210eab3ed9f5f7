/* drivers/network/netns/nft_batch.c - writing messages of nf_tables (linux/netfilter/nf_tables.h,
 * and in which order the kernel's nf_tables_api.c wants them). */
#include "drivers/network/netns/nft_batch.h"

#include "base/fault.h"
#include "drivers/network/netns/netlink_call.h"
#include <arpa/inet.h>
#include <assert.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

/* --- attributes --- */

static void pad(struct nft_batch *batch)
{
    static const char zeros[NLA_ALIGNTO];

    buf_add(&batch->bytes, zeros, NLA_ALIGN(batch->bytes.size) - batch->bytes.size);
}

static void put(struct nft_batch *batch, uint16_t type, const void *bytes, size_t size)
{
    struct nlattr header = { .nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = type };

    buf_add(&batch->bytes, &header, sizeof header);
    buf_add(&batch->bytes, bytes, size);
    pad(batch);
}

static void put_text(struct nft_batch *batch, uint16_t type, const char *text)
{
    put(batch, type, text, strlen(text) + 1);
}

static void put_number(struct nft_batch *batch, uint16_t type, uint32_t number)
{
    uint32_t value = htonl(number);

    put(batch, type, &value, sizeof value);
}

static void nest(struct nft_batch *batch, uint16_t type)
{
    assert(batch->depth < sizeof batch->nests / sizeof batch->nests[0]);
    batch->nests[batch->depth++] = batch->bytes.size;
    put(batch, NLA_F_NESTED | type, NULL, 0);
}

static void end(struct nft_batch *batch)
{
    size_t at = batch->nests[--batch->depth];

    ((struct nlattr *)(batch->bytes.bytes + at))->nla_len = (uint16_t)(batch->bytes.size - at);
}

/* --- messages --- */

static void begin_message(struct nft_batch *batch, uint16_t type, uint16_t flags, uint8_t family)
{
    struct nlmsghdr header = { .nlmsg_type = type,
                               .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
                               .nlmsg_seq = batch->count };
    struct nfgenmsg body = { .nfgen_family = family,
                             .version = NFNETLINK_V0,
                             .res_id = htons(NFNL_SUBSYS_NFTABLES) };

    batch->message = batch->bytes.size;
    buf_add(&batch->bytes, &header, sizeof header);
    buf_add(&batch->bytes, &body, sizeof body);
}

static void end_message(struct nft_batch *batch)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(batch->bytes.bytes + batch->message);

    while (batch->depth > 0)
        end(batch);
    header->nlmsg_len = (uint32_t)(batch->bytes.size - batch->message);
}

/* One of the table's family, which is acknowledged; number 0 is the batch's beginning. */
static void message(struct nft_batch *batch, unsigned type, uint16_t flags, const char *about)
{
    if (batch->count + 1 >= NFT_BATCH_MAX)
        abort();
    batch->about[++batch->count] = about;
    begin_message(batch, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
                  (uint16_t)(NLM_F_ACK | flags), NFPROTO_INET);
}

void nft_batch_init(struct nft_batch *batch, const char *table)
{
    *batch = (struct nft_batch){ .table = table };
    begin_message(batch, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC);
    end_message(batch);
}

void nft_batch_done(struct nft_batch *batch) { buf_done(&batch->bytes); }

static int explain(const struct nft_batch *batch, unsigned refused, struct err *err)
{
    const char *about = refused <= batch->count ? batch->about[refused] : NULL;

    return err_wrap(err, "rules of the host, table %s%s%s", batch->table, about ? " " : "",
                    about ? about : "");
}

int nft_batch_apply(struct nft_batch *batch, struct err *err)
{
    struct netlink netlink;
    unsigned refused;

    if (fault_fails("network.nft", err) < 0 || netlink_open_filter(&netlink, err) < 0)
        return -1;
    begin_message(batch, NFNL_MSG_BATCH_END, 0, AF_UNSPEC);
    end_message(batch);

    int result = netlink_transact(&netlink, batch->bytes.bytes, batch->bytes.size, 1, batch->count,
                                  &refused, err);
    netlink_close(&netlink);
    return result < 0 ? explain(batch, refused, err) : 0;
}

/* --- what there is --- */

void nft_add_table(struct nft_batch *batch)
{
    message(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, NULL);
    put_text(batch, NFTA_TABLE_NAME, batch->table);
    end_message(batch);
}

void nft_remove_table(struct nft_batch *batch)
{
    message(batch, NFT_MSG_DELTABLE, 0, NULL);
    put_text(batch, NFTA_TABLE_NAME, batch->table);
    end_message(batch);
}

void nft_add_set(struct nft_batch *batch, const char *set, const struct nft_key *key)
{
    const uint32_t order = key->order;
    uint8_t userdata[2 + sizeof order] = { 0 /* of a key the byte order */, sizeof order };

    memcpy(userdata + 2, &order, sizeof order);
    message(batch, NFT_MSG_NEWSET, NLM_F_CREATE, set);
    put_text(batch, NFTA_SET_TABLE, batch->table);
    put_text(batch, NFTA_SET_NAME, set);
    put_number(batch, NFTA_SET_FLAGS, 0);
    put_number(batch, NFTA_SET_KEY_TYPE, key->type);
    put_number(batch, NFTA_SET_KEY_LEN, key->size);
    put_number(batch, NFTA_SET_ID, batch->count); /* any that no other set of the batch has */
    put(batch, NFTA_SET_USERDATA, userdata, sizeof userdata);
    end_message(batch);
}

static void element(struct nft_batch *batch, unsigned type, uint16_t flags, const char *set,
                    const void *key, size_t size)
{
    message(batch, type, flags, set);
    put_text(batch, NFTA_SET_ELEM_LIST_TABLE, batch->table);
    put_text(batch, NFTA_SET_ELEM_LIST_SET, set);
    nest(batch, NFTA_SET_ELEM_LIST_ELEMENTS);
    nest(batch, NFTA_LIST_ELEM);
    nest(batch, NFTA_SET_ELEM_KEY);
    put(batch, NFTA_DATA_VALUE, key, size);
    end_message(batch);
}

void nft_add_element(struct nft_batch *batch, const char *set, const void *key, size_t size)
{
    element(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, key, size);
}

void nft_remove_element(struct nft_batch *batch, const char *set, const void *key, size_t size)
{
    element(batch, NFT_MSG_DELSETELEM, 0, set, key, size);
}

void nft_add_chain(struct nft_batch *batch, const char *chain)
{
    message(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE, chain);
    put_text(batch, NFTA_CHAIN_TABLE, batch->table);
    put_text(batch, NFTA_CHAIN_NAME, chain);
    end_message(batch);
}

void nft_add_base_chain(struct nft_batch *batch, const char *chain, const char *type, unsigned hook,
                        int priority)
{
    message(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE, chain);
    put_text(batch, NFTA_CHAIN_TABLE, batch->table);
    put_text(batch, NFTA_CHAIN_NAME, chain);
    nest(batch, NFTA_CHAIN_HOOK);
    put_number(batch, NFTA_HOOK_HOOKNUM, hook);
    put_number(batch, NFTA_HOOK_PRIORITY, (uint32_t)priority);
    end(batch);
    put_number(batch, NFTA_CHAIN_POLICY, NF_ACCEPT);
    put_text(batch, NFTA_CHAIN_TYPE, type);
    end_message(batch);
}

void nft_flush_chain(struct nft_batch *batch, const char *chain)
{
    message(batch, NFT_MSG_DELRULE, 0, chain);
    put_text(batch, NFTA_RULE_TABLE, batch->table);
    put_text(batch, NFTA_RULE_CHAIN, chain);
    end_message(batch);
}

/* --- rules --- */

void nft_rule(struct nft_batch *batch, const char *chain)
{
    message(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, chain);
    put_text(batch, NFTA_RULE_TABLE, batch->table);
    put_text(batch, NFTA_RULE_CHAIN, chain);
    nest(batch, NFTA_RULE_EXPRESSIONS);
}

static void begin_step(struct nft_batch *batch, const char *name)
{
    nest(batch, NFTA_LIST_ELEM);
    put_text(batch, NFTA_EXPR_NAME, name);
    nest(batch, NFTA_EXPR_DATA);
}

static void end_step(struct nft_batch *batch)
{
    end(batch);
    end(batch);
}

/* Attribute 'type' with a value of so many bytes. */
static void put_value(struct nft_batch *batch, uint16_t type, const void *value, size_t size)
{
    nest(batch, type);
    put(batch, NFTA_DATA_VALUE, value, size);
    end(batch);
}

static void compare(struct nft_batch *batch, enum nft_cmp_ops how, const void *value, size_t size)
{
    begin_step(batch, "cmp");
    put_number(batch, NFTA_CMP_SREG, NFT_REG_1);
    put_number(batch, NFTA_CMP_OP, how);
    put_value(batch, NFTA_CMP_DATA, value, size);
    end_step(batch);
}

void nft_load_meta(struct nft_batch *batch, enum nft_meta_keys key)
{
    begin_step(batch, "meta");
    put_number(batch, NFTA_META_KEY, key);
    put_number(batch, NFTA_META_DREG, NFT_REG_1);
    end_step(batch);
}

void nft_load_payload(struct nft_batch *batch, enum nft_payload_bases base, unsigned offset,
                      unsigned size)
{
    begin_step(batch, "payload");
    put_number(batch, NFTA_PAYLOAD_DREG, NFT_REG_1);
    put_number(batch, NFTA_PAYLOAD_BASE, base);
    put_number(batch, NFTA_PAYLOAD_OFFSET, offset);
    put_number(batch, NFTA_PAYLOAD_LEN, size);
    end_step(batch);
}

void nft_load_socket_mark(struct nft_batch *batch)
{
    begin_step(batch, "socket");
    put_number(batch, NFTA_SOCKET_KEY, NFT_SOCKET_MARK);
    put_number(batch, NFTA_SOCKET_DREG, NFT_REG_1);
    end_step(batch);
}

void nft_is(struct nft_batch *batch, const void *value, size_t size)
{
    compare(batch, NFT_CMP_EQ, value, size);
}

void nft_is_in(struct nft_batch *batch, const char *set)
{
    begin_step(batch, "lookup");
    put_text(batch, NFTA_LOOKUP_SET, set);
    put_number(batch, NFTA_LOOKUP_SREG, NFT_REG_1);
    end_step(batch);
}

void nft_is_known_connection(struct nft_batch *batch)
{
    static const uint32_t none = 0, known = NF_CT_STATE_BIT(IP_CT_ESTABLISHED) |
                                            NF_CT_STATE_BIT(IP_CT_RELATED); /* host's byte order */

    begin_step(batch, "ct");
    put_number(batch, NFTA_CT_KEY, NFT_CT_STATE);
    put_number(batch, NFTA_CT_DREG, NFT_REG_1);
    end_step(batch);
    begin_step(batch, "bitwise");
    put_number(batch, NFTA_BITWISE_SREG, NFT_REG_1);
    put_number(batch, NFTA_BITWISE_DREG, NFT_REG_1);
    put_number(batch, NFTA_BITWISE_LEN, sizeof known);
    put_value(batch, NFTA_BITWISE_MASK, &known, sizeof known);
    put_value(batch, NFTA_BITWISE_XOR, &none, sizeof none);
    end_step(batch);
    compare(batch, NFT_CMP_NEQ, &none, sizeof none);
}

void nft_verdict(struct nft_batch *batch, int code, const char *chain)
{
    begin_step(batch, "immediate");
    put_number(batch, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    nest(batch, NFTA_IMMEDIATE_DATA);
    nest(batch, NFTA_DATA_VERDICT);
    put_number(batch, NFTA_VERDICT_CODE, (uint32_t)code);
    if (chain)
        put_text(batch, NFTA_VERDICT_CHAIN, chain);
    end_message(batch);
}

void nft_masquerade(struct nft_batch *batch)
{
    begin_step(batch, "masq");
    end_message(batch);
}
