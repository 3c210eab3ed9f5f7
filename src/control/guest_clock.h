/* control/guest_clock.h - the clock of a guest that stood still. */
#pragma once
#include "control/control.h"

/* Sets it to the host's, through its agent. Nothing waits for that, and nothing depends on it: a guest
 * without an agent keeps its clock by itself. */
void guest_clock_set(struct control *control, const char *uid);

/* The same of a fork, which has a program that waits for it (guest/identity.h) and takes it before anything
 * else that is to be done. Told while the machine still stands: it is the first that it hears. */
void guest_clock_tell(struct control *control, const char *uid, struct done done);
