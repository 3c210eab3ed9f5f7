/* tests/unit/drivers/test_nft_kernel.c - what a message about a chain says, also a broken one. */
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "drivers/network/netns/nft_kernel.h"
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_SIZE = 512 };

static struct nlmsghdr *begin(void *bytes)
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
    struct nfgenmsg *body;

    header->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN;
    body = mnl_nlmsg_put_extra_header(header, sizeof *body);
    body->nfgen_family = NFPROTO_IPV4;
    return header;
}

static void put_forward_chain(struct nlmsghdr *header, const char *name)
{
    mnl_attr_put_strz(header, NFTA_CHAIN_TABLE, "filter");
    mnl_attr_put_strz(header, NFTA_CHAIN_NAME, name);
    struct nlattr *hook = mnl_attr_nest_start(header, NFTA_CHAIN_HOOK);
    mnl_attr_put_u32(header, NFTA_HOOK_HOOKNUM, htonl(NF_INET_FORWARD));
    mnl_attr_put_u32(header, NFTA_HOOK_PRIORITY, 0);
    mnl_attr_nest_end(header, hook);
    mnl_attr_put_u32(header, NFTA_CHAIN_POLICY, htonl(NF_DROP));
}

TEST(a_chain_is_read)
{
    _Alignas(struct nlmsghdr) char bytes[MESSAGE_SIZE];
    struct nlmsghdr *header = begin(bytes);
    struct nft_chain chain;

    put_forward_chain(header, "FORWARD");
    CHECK(nft_read_chain(header, &chain));
    CHECK_EQ(chain.family, NFPROTO_IPV4);
    CHECK_STR(chain.table, "filter");
    CHECK_STR(chain.name, "FORWARD");
    CHECK(chain.is_hooked);
    CHECK_EQ(chain.hook, NF_INET_FORWARD);
    CHECK_EQ(chain.policy, NF_DROP);
}

TEST(a_chain_without_a_hook_has_none)
{
    _Alignas(struct nlmsghdr) char bytes[MESSAGE_SIZE];
    struct nlmsghdr *header = begin(bytes);
    struct nft_chain chain;

    mnl_attr_put_strz(header, NFTA_CHAIN_TABLE, "filter");
    mnl_attr_put_strz(header, NFTA_CHAIN_NAME, "mine");
    CHECK(nft_read_chain(header, &chain));
    CHECK(!chain.is_hooked);
}

TEST(a_name_is_shown_in_visible_characters)
{
    _Alignas(struct nlmsghdr) char bytes[MESSAGE_SIZE];
    struct nlmsghdr *header = begin(bytes);
    struct nft_chain chain;

    put_forward_chain(header, "a\n\xff b\x7f");
    CHECK(nft_read_chain(header, &chain));
    CHECK_STR(chain.name, "a???b?");
}

TEST(a_name_that_is_too_long_or_without_an_end_is_none)
{
    _Alignas(struct nlmsghdr) char bytes[4 * MESSAGE_SIZE];
    struct nlmsghdr *header = begin(bytes);
    char name[NFT_CHAIN_MAXNAMELEN + 1];
    struct nft_chain chain;

    memset(name, 'x', sizeof name);
    mnl_attr_put_strz(header, NFTA_CHAIN_TABLE, "filter");
    mnl_attr_put(header, NFTA_CHAIN_NAME, 8, name);
    CHECK(!nft_read_chain(header, &chain));
    name[sizeof name - 1] = '\0';
    header = begin(bytes);
    mnl_attr_put_strz(header, NFTA_CHAIN_TABLE, "filter");
    mnl_attr_put_strz(header, NFTA_CHAIN_NAME, name);
    CHECK(!nft_read_chain(header, &chain));
}

/* In memory of exactly that size, so that the sanitizer sees every byte read beyond. */
static void read_copy(const char *bytes, size_t size)
{
    auto_free char *copy = mem_copy(bytes, size);
    struct nft_chain chain;

    ((struct nlmsghdr *)copy)->nlmsg_len = (uint32_t)size;
    (void)nft_read_chain((struct nlmsghdr *)copy, &chain);
}

TEST(nothing_is_read_beyond_a_message_cut_or_changed_anywhere)
{
    _Alignas(struct nlmsghdr) char bytes[MESSAGE_SIZE] = { 0 };
    struct nlmsghdr *header = begin(bytes);

    put_forward_chain(header, "FORWARD");
    for (size_t size = sizeof *header; size <= header->nlmsg_len; size++)
        read_copy(bytes, size);
    for (size_t at = sizeof *header; at < header->nlmsg_len; at++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[at] ^= (char)(1 << bit);
            read_copy(bytes, header->nlmsg_len);
            bytes[at] ^= (char)(1 << bit);
        }
}
