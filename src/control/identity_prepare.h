/* control/identity_prepare.h - before a guest is frozen: the program that gives its forks their identity. */
#pragma once
#include "control/control.h"

/* Leaves it waiting in the guest (guest/identity.h), by the guest's agent; one that waits already is left
 * alone. 'done' with ERR_UNSUPPORTED: it cannot be, and why. */
void identity_prepare(struct control *control, const char *uid, struct done done);
