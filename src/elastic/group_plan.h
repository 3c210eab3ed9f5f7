/* elastic/group_plan.h - what an InstanceGroup does next, as a pure function of what is wanted and of
 * its members as they are found.
 *
 * Never broken: members in any state do not exceed 'max'; no member that serves is taken away by
 * choice (too many, outdated) when fewer than 'min' would be left; protected members are not taken
 * away at all. The plan is small steps: it is made anew after each of them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GROUP_MEMBERS_MAX = 1000, GROUP_STEPS_MAX = 32 };

enum member_state {
    MEMBER_STARTING, /* made, and not ready yet */
    MEMBER_READY,    /* takes traffic, or may */
    MEMBER_UNREADY,  /* was ready and is not now */
    MEMBER_FAILED,   /* did not start in time, died, or is not alive by its probe */
    MEMBER_LEAVING,  /* on its way out: being drained, stopped or deleted */
    MEMBER_WARM,     /* paused, or becoming ready for that; resuming makes it a member that starts */
};

struct group_member {
    const char *name; /* borrowed */
    enum member_state state;
    int revision;
    int ordinal;            /* with stable names; else -1 */
    bool is_protected;
    bool is_loaded;         /* a warm one that can be resumed at once */
    int64_t created_ms;     /* wall clock */
    int64_t ready_since_ms; /* -1: is not ready */
    double load;            /* for LeastBusy: any measure, larger is busier */
};

enum group_victim { VICTIM_NEWEST, VICTIM_OLDEST, VICTIM_LEAST_BUSY };

struct group_wish {
    int replicas, min, max; /* min <= replicas <= max */
    int warm;               /* forks to keep loaded; 0 when none can be made now */
    int revision;           /* of the template */
    bool is_rolling;        /* replace members of older revisions (not OnDelete, not paused) */
    int surge, unavailable;
    int64_t min_ready_ms;
    enum group_victim victim;
    bool stable_names;
    bool heals;
    bool may_create;        /* circuit closed and back-off over */
    bool one_only;          /* circuit half open: a single trial */
    bool is_going;          /* the group is being deleted: all members leave */
};

enum leave_reason { LEAVE_TOO_MANY, LEAVE_OUTDATED, LEAVE_FAILED, LEAVE_GROUP_GOES };

struct group_plan {
    unsigned create;                        /* members to make */
    int ordinals[GROUP_STEPS_MAX];          /* of each, with stable names */
    unsigned create_warm;
    size_t resume[GROUP_STEPS_MAX];         /* indexes of warm members to resume */
    unsigned resume_count;
    struct group_leave {
        size_t member; /* index */
        enum leave_reason reason;
    } leave[GROUP_STEPS_MAX];
    unsigned leave_count;
    int64_t again_ms;     /* look again after so long though nothing changed; -1: no need */
    bool is_updating;     /* members of older revisions are still to be replaced */
    const char *blocked;  /* why it can't go on, for people; NULL: it can. Static. */
};

/* Wants at most GROUP_MEMBERS_MAX members. */
void group_plan(const struct group_wish *wish, const struct group_member *members, size_t count,
                int64_t now_ms, struct group_plan *ret_plan);
