/* control/group.h - what the files of the InstanceGroup controller share.
 *
 *   group.c            one look at the group: members judged, a plan made, its steps begun
 *   group_book.c       what is remembered of groups and members between two looks
 *   group_members.c    members as they are found
 *   group_probe.c      readiness and liveness
 *   group_join.c       from ready to serving: the hook, and the condition Serving
 *   group_leave.c      draining, the hook, deletion
 *   group_make.c       new members from the template
 *   group_revisions.c  templates that were, and are
 *   group_seed.c       with start Fork: the machine that members go on from, until it is frozen
 *   group_seed_parts.c and its Instance and Snapshots
 *   group_circuit.c    the breaker against members that fail as they start
 *
 * What to do is decided by group_plan() of elastic/group_plan.h. */
#pragma once
#include "control/conditions.h"
#include "control/control.h"
#include "elastic/group_plan.h"

#define LABEL_REVISION "virga.dev/revision"
#define LABEL_SEED "virga.dev/seed" /* in place of LABEL_GROUP: a seed is no member */
#define ANNOTATION_RESUMED "virga.dev/resumed" /* when a warm one became a member */
#define ANNOTATION_JOINED "virga.dev/joined"   /* status.startedAt of the boot that it serves, or served, in */
#define ANNOTATION_PROTECTED "virga.dev/protected"
#define ANNOTATION_LEAVING "virga.dev/leaving" /* beside ANNOTATION_DRAIN, which people set too: the group drains it to let it go */

/* Of one member, in memory: what is lost with the daemon is found again by looking. */
enum { SLOW_START_MS = 5000 }; /* sooner it would be many words about little */

struct member_book {
    struct group_book *group;
    char *name;
    int64_t probed_ms, live_probed_ms; /* wall clock; 0: never */
    int64_t begun_ms;                  /* since when it is seen running; 0: it does not */
    bool is_warm;                      /* it is to be, or was to be when it was last seen */
    bool is_probing, is_live_probing;
    unsigned good, bad, live_bad;      /* in a row */
    char *not_ready, *not_alive;       /* what the last probe found; NULL: nothing bad */
    bool is_ready;                     /* by the probes */
    int64_t settles_ms;                /* since when a warm one is ready and itself, by the loop's clock; 0: not */
    bool has_failed;                   /* the join hook failed, or it is not alive */
    char *why_failed;                  /* NULL: its machine or the time tells */
    bool is_counted;                   /* its failed start is in the circuit */
    char *boot;                        /* status.startedAt of what was probed; NULL: nothing was */
    char *hooked_boot;                 /* the one whose join hook was begun; NULL: none was */
    struct probe *probes;              /* under way */
};
struct group_book {
    struct control *control;
    char *uid, *namespace_name, *name;
    struct map *members; /* name: struct member_book */
    struct member_book *seed; /* NULL: none is looked at */
    char *not_made;           /* what kept the last member from being made; NULL: nothing did */
    int64_t not_made_ms;      /* when */
};

struct group_scene {
    struct work *work;
    json_t *object;
    const char *uid, *name, *namespace_name;
    struct group_book *book;
    struct group_wish wish;
    json_t **instances;           /* by member, to look at; NULL: asked for and not in the store yet */
    struct group_member *members; /* names are those of the book */
    struct member_book **books;
    size_t count;
    int revision;                 /* of spec.template; wish.revision is older while its seed is made */
    const json_t *template;       /* of wish.revision */
    bool forks;                   /* spec.start is Fork */
    const char *snapshot;         /* new members go on from it; NULL: they boot */
    char *seed_says;              /* why the seed takes so long; NULL: it does not, or nobody knows */
    const char *seed_waits;       /* why none is made or replaced until the seed is decided; NULL: may be */
    int64_t again_ms;             /* when to look again though nothing changes; -1: no need */
};
void group_scene_begin(struct group_scene *scene, struct work *work);
void group_scene_done(struct group_scene *scene);
#define auto_group_scene __attribute__((cleanup(group_scene_done)))
void group_again(struct group_scene *scene, int64_t ms); /* the earliest counts */
int64_t group_now_ms(const struct group_scene *scene);

/* --- book --- */
int group_books_start(struct control *control, struct err *err);
struct group_book *group_book_of(struct control *control, const json_t *group); /* made when absent */
struct member_book *group_book_add(struct group_book *book, const char *name);
void member_book_fails(struct member_book *book, const char *why); /* for good */
void group_book_drop(struct group_book *book, const char *name);
struct member_book *group_book_seed(struct group_book *book, const char *name); /* any other is forgotten */
void group_book_forget_seed(struct group_book *book);
void group_books_forget(struct control *control, const char *uid);

/* --- members --- */
void group_members_find(struct group_scene *scene);
bool member_has_served(const json_t *instance);
bool member_has_started(const json_t *instance); /* it has served, or is a warm one that does not run any more */
bool member_has_joined(const json_t *instance); /* it has served since its machine was last started */
char *member_failure(const struct group_scene *scene, size_t member); /* why one has failed; owned */
/* Why it does not serve, by its machine or its probe; borrowed, or NULL. */
const char *member_waits_for(const json_t *instance, const struct member_book *book);
bool member_has_ended(const json_t *instance); /* and does not start again by itself */
bool member_is_leaving(const json_t *instance); /* for good: deleted, or drained for its leave hook */
bool member_is_drained(const json_t *instance); /* by whoever */
bool member_is_unsettled(const json_t *instance); /* a fork that has no identity of its own yet */
bool group_owns(const struct group_scene *scene, const json_t *object);

/* --- probes --- */
/* Begins what is due and judges by what came back. */
void group_probe_member(struct group_scene *scene, size_t member);
void group_probe_seed(struct group_scene *scene, struct member_book *book, const json_t *instance);
void probes_cut_off(struct member_book *book);
/* Of status.networks the first with an address, by which a member is asked; borrowed, or NULL. */
const json_t *member_card(const json_t *instance);

/* --- join and leave --- */
void group_join_member(struct group_scene *scene, size_t member);
void group_leave_member(struct group_scene *scene, size_t member, enum leave_reason reason);
void group_leaving_go_on(struct group_scene *scene); /* those that were drained for their hook */

/* Runs a hook in the guest: op 'op' ends with it. */
void group_hook_run(struct group_scene *scene, size_t member, const char *hook, const char *op);

/* --- making --- */
void group_make_member(struct group_scene *scene, int ordinal);
void group_make_warm(struct group_scene *scene);
void group_resume_member(struct group_scene *scene, size_t member); /* a warm one */
/* Warm ones that are ready, and have been so for spec.settle, stand still from now on: they have given an
 * answer, so all that it takes has been read, and translated where machines are emulated. */
void group_pause_warm(struct group_scene *scene);
json_t *group_instance_of(struct group_scene *scene, const char *name); /* from scene->template; owned */
void group_remember_identities(struct group_scene *scene);

/* --- revisions: false when the status was edited first and has to be stored --- */
bool group_revision_current(struct group_scene *scene);
const json_t *group_revision_template(const struct group_scene *scene, int revision); /* NULL: forgotten */
/* The wished revision when that one has the same template: back to an earlier one, its members need no others. */
int group_revision_alike(const struct group_scene *scene, int revision);

/* --- seed --- */
/* Brings the seed on, and decides what members are made from. False when the status was edited first
 * and has to be stored. */
bool group_seed_step(struct group_scene *scene);
/* What the members say about it; false likewise. */
bool group_seed_judge(struct group_scene *scene);
void group_seed_show(struct group_scene *scene);
bool group_seed_removed(struct group_scene *scene); /* as the group goes; true when none is left */

/* --- its parts: named after it --- */
enum part { PART_COMING, PART_THERE, PART_LOST, PART_REFUSED };
/* Looks for it and has it made where it never was; '*ret_object' (owned) only when it is there.
 * PART_REFUSED comes with 'err'. */
enum part seed_instance(struct group_scene *scene, const char *name, json_t **ret_object, struct err *err);
enum part seed_snapshot(struct group_scene *scene, const char *name, json_t **ret_object, struct err *err);
/* True when it is gone or on its way. */
bool seed_instance_dismissed(struct group_scene *scene, const char *name);
bool snapshot_is_usable(const json_t *snapshot); /* NULL is not */
/* A snapshot that is there of a seed with this template; owned name, or NULL. */
char *seed_snapshot_of_template(struct group_scene *scene, const json_t *template);
/* Deletes those of the group that nothing needs, 'keep' (may be NULL) apart; true when none but it is left. */
bool seed_snapshots_sweep(struct group_scene *scene, const char *keep);

/* --- circuit --- */
void group_circuit_judge(struct group_scene *scene); /* sets wish.may_create and .one_only */
void group_circuit_count(struct group_scene *scene);
bool group_circuit_is_open(const struct group_scene *scene);
void group_circuit_forget(struct group_scene *scene);
/* The wait after so many failures in a row. */
int64_t group_backoff_ms(const struct group_scene *scene, int64_t failures);
