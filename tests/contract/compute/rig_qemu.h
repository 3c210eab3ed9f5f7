/* tests/contract/compute/rig_qemu.h - more of the rig on real QEMUs. */
#pragma once
#include "rig.h"

/* On a folder that exists, with what an earlier driver left in it. */
void rig_open_at(struct rig *rig, const char *folder);
void rig_leave(struct rig *rig);       /* closes the driver; the folder and the machines stay */
void rig_open_driver(struct rig *rig); /* after its driver was closed */
/* After the driver was closed: asks the machine's own monitor, and then listens to it, until its guest
 * has shut down. Fails when it has not within a minute. */
void rig_await_shutdown(struct rig *rig, const char *uid);
