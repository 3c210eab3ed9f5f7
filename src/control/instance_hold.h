/* control/instance_hold.h - instances that others have standing still for a moment.
 *
 * While a Snapshot is being taken its Instance is let alone: not resumed, stopped, started or given
 * devices. A hold lives in memory only, so that an instance goes on after a crash. */
#pragma once
#include "control/control.h"

/* Takes hold of the instance for the Snapshot 'work' is about; again is fine. False: another has it. */
bool instance_hold(struct work *work, const char *instance_uid);
/* Gives up what this Snapshot holds. The caller wakes the instance. */
void instance_let_go(struct work *work);
/* Ends when the Snapshot goes, however it does. */
bool instance_is_held(struct control *control, const char *instance_uid);
