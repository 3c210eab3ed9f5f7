/* control/turns.h - what takes a processor for itself is done in turns.
 *
 * A fork takes one until it can be reached, and once more when it becomes somebody else in all. Were ten
 * begun at once, the first would be as late as the last. So as many begin at a time as the host has
 * processors, in the order in which they came, and the rest is done by half as many, when none begins and
 * the last that began has had time for its first answers.
 * Turns live in memory only, and end by themselves when one takes long. */
#pragma once
#include "control/control.h"

enum turn {
    TURN_TO_BEGIN,  /* from the launch of a fork until its links are up */
    TURN_TO_FINISH, /* its keys, files and leases */
    TURN_COUNT,
};

/* True when it is the instance's turn, which it keeps until turn_end(). Else its controller is called
 * again when it is. */
bool turn_take(struct work *work, enum turn turn, const char *uid);
void turn_end(struct control *control, enum turn turn, const char *uid); /* one that has none is fine */
/* For how long nobody has had one or waited; 0: somebody has. INT64_MAX when nobody ever had. */
int64_t turns_rested_ms(struct control *control, enum turn turn);
