/* drivers/network/netns/nft_batch.h - one change of the packet filter, written in the kernel's own
 * messages: a table of the inet family with its sets, chains and rules. Unlike nft's text it needs
 * nobody who first reads what others have in theirs, so it is for the host's namespace.
 *
 * Names must live as long as the batch. What is there already stays, and adding it again is fine.
 * A rule is begun, gets its steps in order, and is ended by its verdict. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include <netinet/in.h> /* which the next goes without only when it came before */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdint.h>

enum { NFT_BATCH_MAX = 96 /* messages; more abort the process */ };

struct nft_batch {
    struct buf bytes;
    const char *table;
    const char *about[NFT_BATCH_MAX]; /* chain or set of each message, or NULL: for errors */
    unsigned count;
    size_t message;  /* where the one being written begins */
    size_t nests[8]; /* and what is open in it */
    unsigned depth;
};
void nft_batch_init(struct nft_batch *batch, const char *table);
void nft_batch_done(struct nft_batch *batch);
/* Sends it from the calling thread's namespace: all of it happens, or nothing. For worker jobs. */
int nft_batch_apply(struct nft_batch *batch, struct err *err);

/* --- what there is --- */

void nft_add_table(struct nft_batch *batch);
void nft_remove_table(struct nft_batch *batch); /* which must be there */
/* What nft(8) shows a set's keys as: its numbers of a data type and of a byte order. */
struct nft_key {
    unsigned type;
    unsigned size;
    enum nft_byte_order { NFT_HOST_ORDER = 1, NFT_NETWORK_ORDER = 2 } order;
};
void nft_add_set(struct nft_batch *batch, const char *set, const struct nft_key *key);
void nft_add_element(struct nft_batch *batch, const char *set, const void *key, size_t size);
void nft_remove_element(struct nft_batch *batch, const char *set, const void *key, size_t size);
void nft_add_chain(struct nft_batch *batch, const char *chain);
/* One that packets enter at 'hook' (NF_INET_...); its policy is to accept. */
void nft_add_base_chain(struct nft_batch *batch, const char *chain, const char *type, unsigned hook,
                        int priority);
void nft_flush_chain(struct nft_batch *batch, const char *chain);

/* --- rules: steps load a value, then say what it must be --- */

void nft_rule(struct nft_batch *batch, const char *chain);
void nft_load_meta(struct nft_batch *batch, enum nft_meta_keys key);
void nft_load_payload(struct nft_batch *batch, enum nft_payload_bases base, unsigned offset,
                      unsigned size);
void nft_load_socket_mark(struct nft_batch *batch);
void nft_is(struct nft_batch *batch, const void *value, size_t size);
void nft_is_in(struct nft_batch *batch, const char *set);
void nft_is_known_connection(struct nft_batch *batch); /* established or related */
/* 'code': NF_ACCEPT, NF_DROP, or NFT_GOTO with 'chain'. */
void nft_verdict(struct nft_batch *batch, int code, const char *chain);
void nft_masquerade(struct nft_batch *batch);
