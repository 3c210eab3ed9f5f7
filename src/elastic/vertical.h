/* elastic/vertical.h - how large one member of a group should be: a pure function.
 *
 *   bounds, what the member has and uses, memory, clock  -->  what it should have, memory
 *
 * The sibling of autoscale.h, which says how many members there should be: a member grows before
 * members are added, and shrinks only when there are as few as may be. It follows the same targets.
 * What is not known changes nothing. Nothing here reads a clock, allocates or fails. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { VERTICAL_MEMORY_STEP = 64 * 1024 * 1024 }; /* bytes */

/* One of processors and memory. */
struct vertical_bounds {
    bool is_used;     /* else it is left alone */
    int64_t min, max; /* processors, or bytes; 0 < min <= max */
    double target;    /* per cent of what the member has; above 0 */
};

struct vertical_policy {
    struct vertical_bounds cpus, memory;
    double tolerance_out, tolerance_in; /* 0.1: a tenth off the target changes nothing */
    int64_t in_window_ms;               /* less must have been enough for so long */
};

struct vertical_amount {
    int64_t has;   /* wanted of it now, and in effect unless the member is_following */
    int64_t least; /* what it can be lowered to, and raised to, without a restart */
    int64_t most;
    double used;  /* on average over the last seconds; below 0: unknown */
};
struct vertical_member {
    struct vertical_amount cpus, memory;
    bool is_following; /* the last change is not in effect yet */
    bool is_held;      /* the last change did not come: it is left alone until the wait after that is over */
};

/* What is remembered from one decision to the next. All zero at first. */
struct vertical_memory {
    struct vertical_low {
        int64_t since_ms; /* less has been enough since; 0: it is not */
        int64_t peak;     /* the most that was wanted since */
    } cpus, memory;
};

struct vertical_decision {
    int64_t cpus, memory;                  /* what it should have */
    bool cpus_can_grow, memory_can_grow;   /* beyond what it has now */
};

/* 'may_shrink': the group has as few members as it may. 'memory' is read and brought up to date. */
void vertical_decide(const struct vertical_policy *policy, const struct vertical_member *member,
                     bool may_shrink, int64_t now_ms, struct vertical_memory *memory,
                     struct vertical_decision *ret_decision);
