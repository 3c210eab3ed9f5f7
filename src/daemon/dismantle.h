/* daemon/dismantle.h - virgad --dismantle: ends what outlives the daemon. Stored objects and disks
 * stay as they are: the next virgad starts the machines again. */
#pragma once
#include "base/done.h"
#include "daemon/assemble.h"

/* Kills every machine 'compute' has and removes its traces, and every load balancer ('balancer' may be
 * NULL), then removes every network. Goes on
 * after a failure; 'done' gets the first one. Both drivers must stay open until then. */
void dismantle(struct compute *compute, struct network_driver *network, struct balancer_driver *balancer,
               struct done done);

/* The whole of the option: takes the lock of the state directory, opens the drivers and dismantles.
 * ERR_CONFLICT: a daemon runs. ERR_TIMEOUT: something did not go within a minute. */
int dismantle_run(struct daemon *daemon, struct err *err);
