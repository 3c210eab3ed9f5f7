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
 *   group_circuit.c    the breaker against members that fail as they start
 *
 * What to do is decided by group_plan() of elastic/group_plan.h. */
#pragma once
#include "control/control.h"
#include "elastic/group_plan.h"

#define LABEL_REVISION "virga.dev/revision"
#define ANNOTATION_PROTECTED "virga.dev/protected"

/* Of one member, in memory: what is lost with the daemon is found again by looking. */
struct member_book {
    struct group_book *group;
    char *name;
    int64_t probed_ms, live_probed_ms; /* wall clock; 0: never */
    bool is_probing, is_live_probing;
    unsigned good, bad, live_bad;      /* in a row */
    bool is_ready;                     /* by the probes */
    bool has_failed;                   /* the join hook failed, or it is not alive */
    const char *why_failed;            /* static */
    bool is_counted;                   /* its failed start is in the circuit */
    struct probe *probes;              /* under way */
};
struct group_book {
    struct control *control;
    char *uid, *namespace_name, *name;
    struct map *members; /* name: struct member_book */
};

struct group_scene {
    struct work *work;
    json_t *object;
    const char *uid, *name, *namespace_name;
    struct group_book *book;
    struct group_wish wish;
    json_t **instances;           /* by member; NULL: asked for and not in the store yet */
    struct group_member *members; /* names are those of the book */
    struct member_book **books;
    size_t count;
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
void group_book_drop(struct group_book *book, const char *name);
void group_books_forget(struct control *control, const char *uid);

/* --- members --- */
void group_members_find(struct group_scene *scene);
bool member_has_served(const json_t *instance);

/* --- probes --- */
/* Begins what is due and judges by what came back. */
void group_probe_member(struct group_scene *scene, size_t member);
void probes_cut_off(struct member_book *book);

/* --- join and leave --- */
void group_join_member(struct group_scene *scene, size_t member);
void group_leave_member(struct group_scene *scene, size_t member, enum leave_reason reason);
void group_leaving_go_on(struct group_scene *scene); /* those that were drained for their hook */

/* Runs a hook in the guest: op 'op' ends with it. */
void group_hook_run(struct group_scene *scene, size_t member, const char *hook, const char *op);

/* --- making --- */
void group_make_member(struct group_scene *scene, int ordinal);
void group_remember_identities(struct group_scene *scene);

/* --- revisions: false when the status was edited first and has to be stored --- */
bool group_revision_current(struct group_scene *scene);

/* --- circuit --- */
void group_circuit_judge(struct group_scene *scene); /* sets wish.may_create and .one_only */
void group_circuit_count(struct group_scene *scene);
