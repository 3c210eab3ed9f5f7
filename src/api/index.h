/* api/index.h - what the API keeps beside each stored record: labels and selectable fields,
 * read once when the record appears, so that lists and watches with selectors parse nothing. */
#pragma once
#include "kinds/kind.h"
#include "store/store.h"

/* The store hook: install it with store_set_index() before the store is used. */
struct store_index index_hook(void);

/* The kind of a record, from its key; NULL when the tables have none such (any more). */
const struct kind *index_kind(const char *key);
/* The parts of a key. The name is borrowed from it; the namespace is owned by the index and ""
 * for cluster-scoped objects. */
const char *index_name(const struct record *record);
const char *index_namespace(const struct record *record);

/* For selector_matches(); 'object' is a struct record. */
const char *index_label(const void *object, const char *key); /* NULL when absent */
const char *index_field(const void *object, const char *key); /* "" when absent */

/* Also kept: whether the object has owners (garbage collection looks at few objects then). */
bool index_has_owners(const struct record *record);
