/* drivers/network/netns/nft.h - the packet filter of the calling thread's network namespace,
 * through libnftables; and one element's counter, straight from the kernel, since libnftables
 * reads a whole set for it. For worker jobs. */
#pragma once
#include "base/json.h"

/* Applies 'text' as one transaction. */
int nft_apply(const char *text, struct err *err);
/* The objects that "list ..." prints, a new reference. */
int nft_list(const char *command, json_t **ret_objects, struct err *err);
/* The packets that matched 'interface' in a bridge-family set of interface names with counters.
 * ERR_NOT_FOUND: no such element. */
int nft_read_counter(const char *table, const char *set, const char *interface,
                     uint64_t *ret_packets, struct err *err);
