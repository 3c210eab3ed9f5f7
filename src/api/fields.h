/* api/fields.h - sets of field paths as FieldsV1 trees, for managedFields and server-side apply.
 *
 * A tree is {"f:spec":{"f:replicas":{}}}: keys are "f:NAME", "k:{JSON key}" for an item of a
 * list-map, "v:JSON" for an item of a set. A node without children is in the set; a node with
 * children is when it has the member ".". The root itself is never in the set. Pure. */
#pragma once
#include "base/json.h"
#include "kinds/kind.h"

/* All fields that 'value' sets. Owned. */
json_t *fields_of(const struct field *schema, const json_t *value);

/* What a write did: '*ret_changed' are the fields of 'now' that are new or different,
 * '*ret_removed' those of 'before' that are gone. Both owned. 'before' may be NULL. */
void fields_compare(const struct field *schema, const json_t *before, const json_t *now,
                    json_t **ret_changed, json_t **ret_removed);

/* Set algebra; owned results, never NULL. */
json_t *fields_union(const json_t *a, const json_t *b);
json_t *fields_difference(const json_t *a, const json_t *b);
json_t *fields_intersection(const json_t *a, const json_t *b);
bool fields_empty(const json_t *set);

/* Takes out what is never tracked: apiVersion, kind, and the metadata that belongs to the server.
 */
void fields_strip(json_t *set);

/* Calls 'fn' with the text of each path in the set: .spec.disks[name="root"].size */
typedef void fields_path_fn(void *arg, const char *path);
void fields_each(const json_t *set, fields_path_fn *fn, void *arg);

/* Removes from 'value' the fields of 'set', deepest first: what an applier no longer wants. An
 * item or container that 'kept' still reaches into stays, with what it then holds; containers
 * emptied by it go too. */
void fields_prune(const struct field *schema, json_t *value, const json_t *set, const json_t *kept);

/* Whether 'tree' has the form of FieldsV1 (clients may write managedFields). */
bool fields_are_valid(const json_t *tree);
