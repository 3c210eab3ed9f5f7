/* tests/fuzz/fuzz_parts.h - an input as JSON texts, separated by line breaks of their own: the
 * canonical text has none. */
#pragma once
#include "base/json.h"
#include <stdint.h>
#include <string.h>

/* The next value of '*bytes'; NULL when it is no JSON. Owned. */
static inline json_t *next_part(const uint8_t **bytes, size_t *size)
{
    const uint8_t *end = *size ? memchr(*bytes, '\n', *size) : NULL;
    size_t length = end ? (size_t)(end - *bytes) : *size;
    struct err err;
    json_t *value = json_parse((const char *)*bytes, length, &err);

    *bytes += length + (end != NULL);
    *size -= length + (end != NULL);
    return value;
}
