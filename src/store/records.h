/* store/records.h - records by key, in key order: a balanced tree that can count.
 * Zeroed is empty. Finding, adding, removing and counting a range take O(log n). */
#pragma once
#include "store/store.h"
#include <stdbool.h>

struct records_node;
struct records {
    struct records_node *root;
};

void records_done(struct records *records); /* drops all; can be used again */
size_t records_count(const struct records *records);

struct record *records_get(const struct records *records, const char *key); /* borrowed or NULL */

/* Adds 'take_record' under its key. The record it replaces is the caller's, or NULL. */
struct record *records_put(struct records *records, struct record *take_record);

/* The record is the caller's; NULL when there is none. */
struct record *records_remove(struct records *records, const char *key);

/* The positions, from 0 in key order, of the records whose key starts with 'prefix' and is
 * greater than 'after' (NULL: from the start): '*ret_first' and one behind the last. */
void records_range(const struct records *records, const char *prefix, const char *after,
                   size_t *ret_first, size_t *ret_end);

/* References to the 'count' records from position 'first' on into 'to'. */
void records_copy(const struct records *records, size_t first, size_t count, struct record **to);

/* Calls 'fn' for each record in key order; 'fn' does not change the tree. */
void records_each(const struct records *records, void (*fn)(void *arg, struct record *record),
                  void *arg);

/* For tests: every count is right and no side outweighs the other. */
bool records_are_balanced(const struct records *records);
