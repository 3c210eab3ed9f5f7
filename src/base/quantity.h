/* base/quantity.h - Kubernetes quantities ("2Gi", "500m", "1e3"), durations ("30s",
 * "1h30m") and times (RFC 3339, UTC). Results stay untouched on error. */
#pragma once
#include "err.h"
#include <stdint.h>

/* Room for whatever the functions below write, the NUL included. */
enum {
    QUANTITY_TEXT_SIZE = 24,
    DURATION_TEXT_SIZE = 32,
    TIME_TEXT_SIZE = 21,
    TIME_MICRO_TEXT_SIZE = 28
};

/* '*ret_value' in whole units, rounded up (away from zero); ERR_INVALID names what would
 * be right. Suffixes: n u m k M G T P E Ki Mi Gi Ti Pi Ei and decimal exponents, as in
 * k8s.io/apimachinery resource.Quantity. ERR_INVALID also out of int64 range and for more
 * than 20 significant digits. Negative quantities are read: whether they make sense is
 * the caller's to say. */
int quantity_parse(const char *text, int64_t *ret_value, struct err *err);
/* The same in thousandths, rounded up. */
int quantity_parse_milli(const char *text, int64_t *ret_milli, struct err *err);

/* The shortest exact binary-suffix text of a byte count: 1073741824 is "1Gi". */
void quantity_format_bytes(int64_t bytes, char *to, size_t size);
/* For people: "1.5Gi", "812Ki", rounded to three digits at most. */
void quantity_format_human(int64_t bytes, char *to, size_t size);
/* 1500 is "1500m", 2000 is "2". */
void quantity_format_milli(int64_t milli, char *to, size_t size);

/* Go-style durations without sign: numbers with h, m, s, ms and their sums, fractions too
 * ("1.5h"; a part of a millisecond rounds up); also plain "0". */
int duration_parse(const char *text, int64_t *ret_ms, struct err *err);
/* "1h30m", "500ms", "1.250s"; what duration_parse() reads, but for the sign of a negative one. */
void duration_format(int64_t ms, char *to, size_t size);
/* As kubectl's AGE: "5s", "3m20s", "2d4h". */
void duration_format_age(int64_t ms, char *to, size_t size);

/* Milliseconds since 1970; what is finer is dropped. As strict as Go: upper-case T and Z, no
 * leap second. */
int time_parse(const char *text, int64_t *ret_wall_ms, struct err *err);
/* "2026-11-21T02:13:36Z"; a year beyond four digits becomes the nearest time within. */
void time_format(int64_t wall_ms, char *to, size_t size);
/* "2026-11-21T02:13:36.123000Z", Kubernetes' MicroTime. */
void time_format_micro(int64_t wall_ms, char *to, size_t size);
