/* api/schema.h - how the values of a kind merge: which objects are granular, which lists are
 * sets or maps. Read off the field tables; shared by patches, field sets and apply. Pure. */
#pragma once
#include "kinds/kind.h"

/* The whole object of 'kind' as one FIELD_OBJECT: its fields, metadata, apiVersion and kind.
 * Owned, freed with schema_free(). */
struct field *schema_new(const struct kind *kind);
void schema_free(struct field *root);
DEFINE_AUTO(struct field, schema_free)

enum shape {
    SHAPE_LEAF,     /* scalar, or a list or object that is replaced whole */
    SHAPE_OBJECT,   /* named members, each on its own */
    SHAPE_MAP,      /* the same with free keys */
    SHAPE_LIST_MAP, /* items told apart by a key field */
    SHAPE_SET,      /* distinct scalars */
};

/* How 'value' of 'field' merges. 'field' NULL is a value the tables do not describe: its
 * objects are granular, its lists are replaced whole. A value that does not fit the field
 * (a text where a list belongs) is a leaf; validation refuses it later. */
enum shape schema_shape(const struct field *field, const json_t *value);
/* The field of member 'name', or of any item; NULL when there is no description. */
const struct field *schema_member(const struct field *field, const char *name);
const struct field *schema_item(const struct field *field);

/* The item of a list-map whose key member equals that of 'like', or NULL (borrowed). */
json_t *schema_find_item(const struct field *list, const json_t *items, const json_t *like);
/* Index of a set item equal to 'value', or -1. */
ptrdiff_t schema_find_value(const json_t *items, const json_t *value);
