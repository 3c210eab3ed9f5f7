/* base/quantity.h - Kubernetes quantities ("2Gi", "500m", "1e3"), durations ("30s",
 * "1h30m") and times (RFC 3339, UTC). */
#pragma once
#include "err.h"
#include <stdint.h>

/* '*ret_value' in whole units, rounded up; ERR_INVALID names what would be right.
 * Suffixes: n u m k M G T P E Ki Mi Gi Ti Pi Ei and decimal exponents, as in
 * k8s.io/apimachinery resource.Quantity. Out of int64 range is ERR_INVALID. */
int quantity_parse(const char *text, int64_t *ret_value, struct err *err);
int quantity_parse_milli(const char *text, int64_t *ret_milli, struct err *err); /* thousandths, rounded up */

/* The shortest exact binary-suffix text of a byte count: 1073741824 is "1Gi". At
 * least 24 bytes of room. */
void quantity_format_bytes(int64_t bytes, char *to, size_t size);
/* For people: "1.5Gi", "812Ki", three digits at most. */
void quantity_format_human(int64_t bytes, char *to, size_t size);
void quantity_format_milli(int64_t milli, char *to, size_t size); /* 1500 is "1500m", 2000 is "2" */

/* Go-style durations without sign: h, m, s, ms and their sums; also plain "0". */
int duration_parse(const char *text, int64_t *ret_ms, struct err *err);
void duration_format(int64_t ms, char *to, size_t size);       /* "1h30m", "500ms" */
void duration_format_age(int64_t ms, char *to, size_t size);   /* as kubectl's AGE: "5s", "3m20s", "2d4h" */

int time_parse(const char *text, int64_t *ret_wall_ms, struct err *err);
void time_format(int64_t wall_ms, char *to, size_t size);      /* "2026-11-21T02:13:36Z", 21 bytes */
void time_format_micro(int64_t wall_ms, char *to, size_t size);/* with ".000000" */
