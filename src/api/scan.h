/* api/scan.h - looking into canonical JSON text without parsing it.
 *
 * Stored objects are texts that we wrote, so these trust the syntax; they never read
 * beyond the end, and say "absent" on what they do not understand. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct scan {
    const char *at; /* NULL: absent */
    size_t size;
};

struct scan scan_text(const char *text, size_t size);
/* The value of member 'name' of an object; absent when it is none or has no such member. */
struct scan scan_member(struct scan object, const char *name);
/* The value at a dotted path ("metadata.labels"), names without dots in them. */
struct scan scan_path(struct scan object, const char *path);

/* Walks the members of an object or the items of a list: start with '*at' NULL; false at the
 * end. 'ret_name' is the raw text between the quotes; absent for a list. */
bool scan_next(struct scan container, const char **at, struct scan *ret_name,
               struct scan *ret_value);

bool scan_is_string(struct scan value);
/* Whether a string value without escapes, or a number or word, has exactly this text. */
bool scan_equals(struct scan value, const char *text);
/* Unescapes a string value (numbers and words as they are) into owned text; NULL when absent. */
char *scan_copy(struct scan value);
