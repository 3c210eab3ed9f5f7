/* base/json.h - our face of jansson: strict parsing, canonical writing, paths.
 *
 * Objects are json_t from jansson; this header adds what the project agrees on.
 * A path is "spec.disks[0].size"; names with a dot in them (label keys) need
 * jansson's own getters. */
#pragma once
#include "auto.h"
#include "err.h"
#include "str.h"
#include <jansson.h>
#include <stdint.h>

enum { JSON_DEPTH_MAX = 64, JSON_BODY_SIZE_MAX = 3 * 1024 * 1024 };

void json_decref_auto_(json_t **value);
#define auto_json __attribute__((cleanup(json_decref_auto_)))

/* Parses exactly one value. Duplicate keys, NUL characters, trailing bytes,
 * numbers beyond int64 and depth above JSON_DEPTH_MAX are refused with
 * ERR_BAD_REQUEST, naming line and column. Reals whose 15 digits nobody could read back
 * are beyond the range too. NULL on error; the caller owns the rest. */
json_t *json_parse(const char *text, size_t size, struct err *err);

/* Canonical text of any value but one that contains itself: compact, keys in insertion order, reals
 * with 15 digits. The caller frees it. */
char *json_text(const json_t *value);
void json_write(const json_t *value, struct buf *to); /* the same into a buffer */

/* Borrowed value at 'path' below 'object', or NULL when any step is missing. */
json_t *json_at(const json_t *object, const char *path);

/* Typed reads with a fallback for "absent or of another type". Text is borrowed. */
const char *json_text_at(const json_t *object, const char *path, const char *fallback);
int64_t json_int_at(const json_t *object, const char *path, int64_t fallback);
bool json_bool_at(const json_t *object, const char *path, bool fallback);

/* Sets 'path', making the objects on the way (no list steps); what is no object there is
 * replaced by one. Consumes 'take_value'; NULL (jansson refused to make it) and a name that
 * is no UTF-8 set nothing. */
void json_set_at(json_t *object, const char *path, json_t *take_value);
bool json_remove_at(json_t *object, const char *path); /* false when absent */

/* A string of any bytes: what is no UTF-8, and NUL, becomes U+FFFD. Never NULL. */
json_t *json_string_repaired(const char *bytes, size_t size);
/* The same for people's terminals: control characters are blanks, and none are at the end. */
json_t *json_string_plain(const char *text);
json_t *json_printf(const char *format, ...) __attribute__((format(printf, 1, 2))); /* the same */
