/* tests/sim/sim.h - the whole control plane in a simulated world, each run told by one seed.
 *
 *   restore.c      an older copy of the store is put back: nobody's machine may die of it
 *   wishes.c       what users ask for, at random but valid, written as the API writes it (desk.c)
 *   misfortune.c   what happens to guests, disks, networks and the host
 *   daemon.c       the daemon, which dies between any two events and comes back
 *   spy_*.c        between controllers and fake drivers: every call is told, judged and, at times,
 *                  its answer lost
 *   watchdog.c     what must hold at every step
 *   settled.c      what must hold once wishes and misfortune have stopped: the world is as wished
 *   run.c          one seed from beginning to end
 *   main.c         many seeds; a seed that fails says how to see it again
 *
 * Everything random comes from the seed, so a run can be told again line by line (--trace). */
#pragma once
#include "api/internal.h"
#include "base/map.h"
#include "base/random.h"
#include "base/str.h"
#include "control/control.h"
#include "drivers/compute/fake/fake.h"
#include "drivers/network/fake/fake.h"
#include "drivers/storage/fake/fake.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

#define HOST_NAME "node1"

/* How wild a run is; drawn first. "One in 0" is never. */
struct plan {
    unsigned wish_count;
    int64_t wish_gap_ms;          /* between two wishes, at most */
    unsigned crash_one_in;        /* steps */
    unsigned crash_count_max;
    unsigned lost_one_in;         /* answers of calls that did their work */
    unsigned fail_permille;       /* calls of the compute driver */
    unsigned start_fail_permille; /* processes that die before they answer */
    unsigned fail_one_in;         /* calls of the network and storage drivers */
    int64_t delay_ms;             /* of driver calls, at most */
    int64_t misfortune_gap_ms;    /* between two events in the world; 0: none */
    int64_t boot_ms;              /* of guests; a very long one never has an agent */
    bool restores;                /* an older backup of the store is put back once */
    bool is_emptied;              /* in the end everything is deleted, and nothing may be left */
};

/* One object of the store, as last committed; kept after it has gone. */
struct thing {
    const struct kind *kind;
    char *key, *uid;
    json_t *object;            /* its last state */
    int64_t revision;
    int64_t acknowledged;      /* revision of the last write that a user was told of */
    unsigned writes;           /* of users, on their way */
    bool deletion_wished;
    bool spares_dependents;    /* deleted with the propagation policy Orphan */
    bool is_gone;
};

struct counts {
    unsigned long steps, calls, crashes, reboots, restores, accepted, refused, cut, misfortunes, lost, runs;
};

struct sim {
    uint64_t seed;
    bool traces;
    struct random_seeded random; /* of plan, wishes, misfortune and crashes */
    struct random_seeded names;  /* of uids */
    struct plan plan;
    struct counts *counts;
    char task[64];               /* what goes on, for the trace */

    struct loop *loop;
    int64_t start_ms;
    struct store *store;
    struct compute_fake_world *machines;
    struct network_fake *networks;
    struct storage_fake *disks;

    /* the daemon */
    struct compute *compute;
    struct network_driver *network;
    struct storage_driver *storage;
    struct control *control;
    struct api api; /* without a listener: only what writes need */
    bool is_up;

    /* users and bad luck */
    struct loop_source *wish_timer, *misfortune_timer;
    unsigned wishes_made, crashes;
    json_t *backup; /* of the store, or NULL */
    bool is_restored;
    bool is_calm; /* neither wishes nor misfortune any more */
    struct ask *asks; /* on their way */

    /* what is known of the store */
    struct record **fresh; /* committed and not yet looked at */
    size_t fresh_count, fresh_capacity;
    struct map *by_key;    /* to struct thing, those that are there; borrowed from by_uid */
    struct map *by_uid;    /* to struct thing, owned: all that ever were */
};

/* --- main.c --- */
/* Tells what happened at this moment. */
void sim_trace(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Ends the program: what must hold does not. */
_Noreturn void sim_fail(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* --- run.c --- */
void sim_run(struct sim *sim);
uint64_t sim_draw(struct sim *sim, uint64_t limit);          /* 0 to limit - 1 */
bool sim_chance(struct sim *sim, unsigned one_in);           /* one_in 0: never */

/* --- daemon.c --- */
void daemon_opens(struct sim *sim);
void daemon_crashes(struct sim *sim);
void daemon_maybe_crashes(struct sim *sim);

/* --- restore.c --- */
void store_is_copied(struct sim *sim);
void store_is_put_back(struct sim *sim); /* while no daemon runs */
void strangers_shall_go(struct sim *sim); /* a user asks for it */
char *strangers_remain(struct sim *sim);  /* those still there, or NULL; owned */

/* --- desk.c: a user's requests, as the API carries them out --- */
void desk_open(struct sim *sim);
void desk_close(struct sim *sim);
void ask_create(struct sim *sim, const struct kind *kind, const char *namespace_name,
                json_t *take_object);
void ask_patch(struct sim *sim, const struct kind *kind, const char *namespace_name,
               const char *name, json_t *take_patch);
void ask_delete(struct sim *sim, const struct kind *kind, const char *namespace_name,
                const char *name);

/* --- wishes.c, misfortune.c --- */
void wishes_begin(struct sim *sim);
void misfortune_begin(struct sim *sim);
void misfortune_ends(struct sim *sim); /* and what it broke is mended, where users would mend it */

/* --- spies --- */
struct compute *spy_compute_new(struct sim *sim, const struct compute_setup *setup);
struct network_driver *spy_network_new(struct sim *sim, const struct network_setup *setup);
struct storage_driver *spy_storage_new(struct sim *sim, const struct storage_setup *setup);

/* --- watchdog.c --- */
void watchdog_begin(struct sim *sim); /* on a new or restored store */
void watchdog_end(struct sim *sim);
void watchdog_forgets(struct sim *sim); /* the store goes, and what was known of it */
void watchdog_look(struct sim *sim);  /* after each step */
void watchdog_crashed(struct sim *sim);
/* Has a user asked that this, which no object knows, be removed? */
bool stranger_may_go(struct sim *sim, const char *uid);
/* The object with this uid when it is there; else NULL. */
struct thing *thing_here(struct sim *sim, const char *uid);
struct thing *thing_named(struct sim *sim, const struct kind *kind, const char *namespace_name,
                          const char *name);
const char *thing_text(const struct thing *thing, const char *path); /* NULL: absent */
bool thing_is_deleting(const struct thing *thing);
/* Does the machine of 'uid' have a process that has this NIC or disk? */
bool machine_has_nic(struct sim *sim, const char *uid, const char *nic);

/* --- settled.c --- */
/* What is not as it shall be, or NULL. Owned. */
char *settled_problem(struct sim *sim);
char *settled_strangers(struct sim *sim); /* after a restore: what is unknown is told */
char *settled_remains(struct sim *sim); /* after everything was deleted */
