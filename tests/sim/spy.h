/* tests/sim/spy.h - what the three spies share. */
#pragma once
#include "sim.h"

/* An answer on its way back to a controller. */
struct answer {
    struct sim *sim;
    char *text;
    struct done done;
    bool is_lost; /* the work is done, but an error is answered */
};

/* The 'done' to give to the fake driver in place of 'done'. 'may_lose': the contract allows that
 * the call has had its effect when it fails. */
struct done spy_answer(struct sim *sim, struct done done, bool may_lose, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Tells of a call without 'done'. */
void spy_tell(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fails the run unless the object with 'uid' is there and is not being deleted. */
struct thing *spy_expects_wanted(struct sim *sim, const char *call, const char *uid);
/* Fails the run when the object with 'uid' is there and is wanted, or when nobody knows it and no
 * user asked for its removal. */
void spy_expects_unwanted(struct sim *sim, const char *call, const char *uid);

/* The machine that has it open made this file larger. */
void disk_grows(struct sim *sim, const char *path, int64_t size_bytes);
