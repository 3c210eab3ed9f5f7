/* drivers/network/netns/nft_kernel.h - what the packet filter of the calling thread's network
 * namespace holds, straight from the kernel: what others put there is bytes to us, passed over
 * unless we ask for it. For worker jobs. */
#pragma once
#include "base/err.h"
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stdint.h>

/* Whoever made the names chose their bytes; those that are no visible ASCII are "?" here. */
struct nft_chain {
    uint8_t family; /* NFPROTO_... */
    char table[NFT_TABLE_MAXNAMELEN];
    char name[NFT_CHAIN_MAXNAMELEN];
    bool is_hooked;
    uint32_t hook;   /* NF_INET_... in the families that have these */
    uint32_t policy; /* NF_ACCEPT, NF_DROP */
};

/* Calls 'fn' for each chain of all tables, as they were at one moment; with NULL when they changed
 * meanwhile and it begins anew. ERR_CONFLICT: they change all the time. */
typedef void nft_chain_fn(void *arg, const struct nft_chain *chain);
int nft_each_chain(nft_chain_fn *fn, void *arg, struct err *err);

/* The packets that matched 'interface' in a bridge-family set of interface names with counters.
 * ERR_NOT_FOUND: no such element. (libnftables reads the whole set for it.) */
int nft_read_counter(const char *table, const char *set, const char *interface,
                     uint64_t *ret_packets, struct err *err);

/* What a message about a chain says; false when it makes no sense. For tests, beside the above. */
struct nlmsghdr;
bool nft_read_chain(const struct nlmsghdr *header, struct nft_chain *ret_chain);
