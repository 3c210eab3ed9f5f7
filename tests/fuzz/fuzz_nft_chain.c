/* Chains of the host's packet filter, whose names others chose: what follows a message's header. */
#include "base/mem.h"
#include "base/str.h"
#include "drivers/network/netns/nft_kernel.h"
#include "fuzz.h"
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

static void check_name(const char *name)
{
    assert(strlen(name) < NFT_CHAIN_MAXNAMELEN);
    for (const char *at = name; *at; at++)
        assert(*at > ' ' && *at <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    auto_free char *message = mem_alloc(NLMSG_HDRLEN + size);
    struct nlmsghdr *header = (struct nlmsghdr *)message;
    struct nft_chain chain;

    *header = (struct nlmsghdr){ .nlmsg_len = (uint32_t)(NLMSG_HDRLEN + size),
                                 .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN };
    if (size > 0)
        memcpy(message + NLMSG_HDRLEN, bytes, size);
    if (!nft_read_chain(header, &chain))
        return 0;
    check_name(chain.table);
    check_name(chain.name);
    return 0;
}
