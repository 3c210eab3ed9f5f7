/* cli/telling.h - what a waiting command says of the object it waits for, and when. Pure.
 *
 * A terminal has one line, which follows everything. Elsewhere a line stays: there it is worth
 * one only when the phase changes, and when a reason has stood for TELLING_PATIENCE ticks. */
#pragma once
#include <stdbool.h>

enum { TELLING_PATIENCE = 3 };

struct telling {
    bool is_terminal;
    char *phase, *line; /* as heard last */
    char *brief;        /* the line without its detail */
    bool said;          /* 'line' was given to be printed */
    int ticks;          /* since 'line' was heard first */
};
void telling_done(struct telling *telling);

/* The object is in 'phase', which 'detail' (may be "") tells more of. The text to print now,
 * borrowed until the next call, or NULL. */
const char *telling_hear(struct telling *telling, const char *name, const char *phase,
                         const char *detail);
/* About a second has gone by. */
const char *telling_tick(struct telling *telling);
