/* api/selection.h - which records of a kind a list, watch or deletion is about. */
#pragma once
#include "api/request.h"
#include "api/selectors.h"

struct selection {
    struct selector labels, fields;
    char *prefix;          /* owned; of the keys */
    const char *only_name; /* a single name is asked for, or NULL */
};

/* From the request's path and its labelSelector and fieldSelector. Done with selection_done() in
 * any case. */
int selection_parse(const struct request *request, struct selection *ret_selection,
                    struct failure *failure);
void selection_done(struct selection *selection);
void selection_done_auto(struct selection *selection);
#define auto_selection __attribute__((cleanup(selection_done_auto)))

bool selection_is_plain(const struct selection *selection); /* no selector at all */
bool selection_matches(const struct selection *selection, const struct record *record);
/* The same for an object that is no record (computed items). */
bool selection_matches_object(const struct selection *selection, const json_t *object);

/* At most 'limit' (0: all) matching records behind key 'after' (NULL: from the start), in key
 * order; freed with record_list_free(). '*ret_more': there are further ones; '*ret_remaining'
 * counts them, or is -1 when that would mean looking at all. */
struct record **selection_collect(const struct selection *selection, struct store *store,
                                  const char *after, size_t limit, size_t *ret_count,
                                  bool *ret_more, int64_t *ret_remaining);

/* The narrowest prefix of keys that the selection can match: with a single name in a single scope
 * the store looks at hardly anything else. Owned. */
char *selection_watch_prefix(const struct selection *selection);
