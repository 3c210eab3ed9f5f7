/* drivers/network/netns/nft.h - the packet filter of a network's own namespace, which the calling
 * thread is in, through libnftables. Never the host's: libnftables reads the sets of all tables for
 * almost any command, and a set that a newer nftables made ends the process that reads it with an
 * older one (1.0.6). nft_batch.h and nft_kernel.h are for there. For worker jobs. */
#pragma once
#include "base/json.h"

/* Applies 'text' as one transaction. */
int nft_apply(const char *text, struct err *err);
/* The objects that "list ..." prints, a new reference. */
int nft_list(const char *command, json_t **ret_objects, struct err *err);
