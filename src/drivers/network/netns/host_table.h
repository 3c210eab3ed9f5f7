/* drivers/network/netns/host_table.h - the table "inet virga_PREFIX" of the host's namespace, which
 * joins the uplinks to the outside: pure, into a batch. Each function can be applied again over
 * what it made before. */
#pragma once
#include "drivers/network/netns/names.h"
#include "drivers/network/netns/nft_batch.h"

/* "virga_PREFIX" */
void host_table_name(const char *prefix, char to[NFT_TABLE_MAXNAMELEN]);

/* The table, its sets and chains; elements stay as they are. */
void host_table(struct nft_batch *batch);
/* An uplink's entry in it. 'host_name' is the uplink's link there. */
void host_table_uplink(struct nft_batch *batch, const char *host_name,
                       const struct uplink_addresses *addresses, bool is_there);
void host_table_remove(struct nft_batch *batch); /* the whole table; absent is fine */
