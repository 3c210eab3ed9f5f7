/* api/managed.h - metadata.managedFields: who wrote which field, and server-side apply on top.
 * Pure. */
#pragma once
#include "base/json.h"
#include "kinds/kind.h"

/* Who writes, through what, when. */
struct field_writer {
    const char *manager;
    const char *api_version;
    const char *subresource; /* NULL: the object itself */
    int64_t wall_ms;
};

/* "Update" entries are kept for at most so many managers; older ones become "ancient-changes". */
enum { MANAGED_UPDATERS_MAX = 10 };

/* The entries after an ordinary write that turned 'before' (NULL: created) into 'now', starting
 * from 'entries' (may be NULL): the writer owns what it changed, nobody what it removed. Owned;
 * entries whose set did not change keep their time. */
json_t *managed_after_update(const struct field *schema, const json_t *entries,
                             const json_t *before, const json_t *now,
                             const struct field_writer *writer);

/* Whether a client's managedFields are usable; "[{}]" and "[]" are and mean "forget all". */
bool managed_are_valid(const json_t *entries);

/* Applies 'config' on 'live' (NULL: creates). On success '*ret_object' (owned) is the merged
 * object with its new managedFields. Without 'force', fields of other managers that would
 * change are conflicts: one FieldManagerConflict cause each, '*ret_message' (owned) tells them,
 * and -1 is returned. */
int managed_apply(const struct field *schema, const json_t *live, const json_t *config, bool force,
                  const struct field_writer *writer, json_t **ret_object,
                  struct causes *ret_conflicts, char **ret_message);
