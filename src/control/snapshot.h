/* control/snapshot.h - what the files of the Snapshot controller share.
 *
 *   snapshot.c        whether it can be taken, what there is of it, its end
 *   snapshot_take.c   the moment itself: the instance stands still, is copied, and goes on
 *   snapshot_users.c  who stands on it
 *
 * phase Pending -> Taking (stored before the instance is touched) -> Ready or Failed. A daemon that
 * dies in between is followed by one that finds Taking without having begun it: it undoes what there
 * is and takes it anew. */
#pragma once
#include "control/control.h"

/* One snapshot as it is found at the beginning of a call. */
struct shot {
    struct work *work;
    json_t *object;             /* work->object */
    const char *uid, *name, *namespace_name;
    json_t *instance;           /* NULL: gone, or another of that name */
    struct machine_status machine;
};
void shot_begin(struct shot *shot, struct work *work);
void shot_done(struct shot *shot);
#define auto_shot __attribute__((cleanup(shot_done)))
const char *shot_text(const struct shot *shot, const char *path);
bool shot_has_memory(const struct shot *shot); /* spec.memory */

/* What the machine of 'instance' is, or would be when it starts: "cpus", "memory", ... Owned. */
json_t *snapshot_machine(const json_t *instance);

/* --- taking --- */
/* This daemon took the decision itself, so that nothing of an earlier one is to be undone. */
void taking_decided(struct shot *shot);
/* Takes the next step; '*ret_done' when all is copied and the instance goes on. A failure, after the
 * instance goes on, is -1 and 'err'. */
int taking_step(struct shot *shot, bool *ret_done, struct err *err);
/* Has the instance go on and removes what was copied; true when that is done. */
bool taking_undo(struct shot *shot);
/* The latter alone. */
bool taking_remove(struct shot *shot);
int64_t taking_pause_ms(struct shot *shot); /* once done */

/* --- users --- */
/* The first object found that stands on the snapshot, as "volume \"web-root\""; NULL: none. Owned. */
char *snapshot_user(struct work *work);
