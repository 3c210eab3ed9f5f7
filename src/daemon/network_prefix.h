/* daemon/network_prefix.h - the names of links and tables in the host begin with the setting
 * network-prefix, and only by it are they found again. So what networks were made with is kept in
 * the state directory. */
#pragma once
#include "daemon/config.h"

/* For --dismantle, before the networks are opened: what is there goes, whatever the setting is now. */
int network_prefix_take(struct config *config, struct err *err);
/* For serving, once they are: ERR_CONFLICT when there are networks made with another prefix, else
 * the setting is kept from now on. */
int network_prefix_keep(const struct config *config, bool has_networks, struct err *err);
