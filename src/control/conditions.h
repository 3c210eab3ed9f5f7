/* control/conditions.h - conditions of an Instance that other controllers go by, too. */
#pragma once
#include "base/json.h"

/* Set by whoever checks readiness. True: gets traffic at once. False: none. Absent: once it runs, after its
 * first good health check. */
#define CONDITION_SERVING "Serving"
/* Of one that load balancers let finish what it has begun. */
#define CONDITION_DRAINING "Draining"

/* How the machine of one began that goes on from a Snapshot, see instance_fork.c. */
#define CONDITION_FORKED "Forked"
#define REASON_FORK_STARTING "Starting"
/* Whether such a one has all that is its own: keys, files, leases; see instance_identity.c. */
#define CONDITION_OWN_IDENTITY "OwnIdentity"
/* It has, or its guest has refused it: nothing more comes of that. */
bool instance_is_itself(const json_t *instance);
