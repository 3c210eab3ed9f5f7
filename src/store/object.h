/* store/object.h - objects as JSON on top of records: keys, the revision gap, encoding.
 * Shared by the API and the controllers, so that both write exactly the same bytes. */
#pragma once
#include "base/json.h"
#include "store/store.h"

/* "/GROUP/PLURAL/NAMESPACE/NAME"; core group is "core", cluster-scoped has an empty namespace:
 * "/virga.dev/hosts//node1". 'name' NULL gives the prefix of a namespace, 'namespace_name' NULL
 * too the prefix of all namespaces. Owned. */
char *object_key(const char *group, const char *plural, const char *namespace_name, const char *name);

/* Canonical bytes with metadata.resourceVersion as the gap: the text is
 * ..."resourceVersion":"<gap>"... with an empty string for the store to fill. The object itself is
 * not changed. 'ret_value->bytes' points into 'ret_text', which the caller owns. */
void object_encode(const json_t *object, struct buf *ret_text, struct store_value *ret_value);

/* Parses a record. Never fails on what object_encode() wrote; aborts otherwise. Owned. */
json_t *object_decode(const struct record *record);

int64_t object_revision(const json_t *object);                /* metadata.resourceVersion, 0: none */
const char *object_uid(const json_t *object);                 /* borrowed, "" when none */
const char *object_name(const json_t *object);
const char *object_namespace(const json_t *object);           /* "" when cluster-scoped */
bool object_is_deleting(const json_t *object);                /* has a deletionTimestamp */
/* metadata.generation: one more than that of 'old', what is stored, where something else is wanted now: anything
 * but metadata and status differs, or its deletion begins. */
void object_count_change(json_t *object, const json_t *old);
bool object_has_finalizer(const json_t *object, const char *finalizer);

/* What is looked for among metadata.ownerReferences; NULL is any. Borrowed. */
struct owner {
    const char *kind, *name, *uid;
};
bool object_has_owner(const json_t *object, struct owner wanted); /* one reference says all of it */
