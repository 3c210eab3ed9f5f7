/* drivers/network/netns/guard.h - the rules in a network's namespace, and what is known of them
 * so that a change needs no reading back. Owned by the network's lane: for its jobs only, with
 * the thread in the namespace. What is known comes from the kernel when it isn't from us. */
#pragma once
#include "base/map.h"
#include "drivers/network/netns/rules.h"

struct guard {
    struct map *ports;  /* tap: struct port_rules, as applied; NULL: not read yet */
    char *network_text; /* as applied by this process; NULL: unknown */
};
void guard_done(struct guard *guard);

/* Forgets what is known: somebody else may have changed it. */
void guard_forget(struct guard *guard);
/* The rules of the network itself. Where the tables are gone, those of the known ports too. */
int guard_ensure(struct guard *guard, const struct network_config *config, struct err *err);
/* ERR_NOT_FOUND when a table is missing. */
int guard_check(struct err *err);
/* What 'tap' may send with; NULL: it is gone. */
int guard_set_port(struct guard *guard, const char *tap, const struct port_rules *rules,
                   struct err *err);
