/* control/guest_clock.h - the clock of a guest that stood still. */
#pragma once
#include "control/control.h"

/* Sets it to the host's, through its agent. Nothing waits for that, and nothing depends on it: a guest
 * without an agent keeps its clock by itself. */
void guest_clock_set(struct control *control, const char *uid);
