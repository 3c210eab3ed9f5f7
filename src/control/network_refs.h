/* control/network_refs.h - from a stored Network to what the network driver is told. */
#pragma once
#include "base/json.h"
#include "drivers/network.h"

/* Never fails on a validated object. Absent gateways are the subnet's first address; the
 * absent domain is NAME.NAMESPACE.internal. */
struct network_config *network_config_of(const json_t *network);
