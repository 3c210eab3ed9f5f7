/* tests/unit/api/api_text.h - JSON written as C text with single quotes, for readable tests. */
#pragma once
#include "check.h"
#include "base/json.h"
#include <string.h>

/* Owned. */
static inline json_t *json_of(const char *single_quoted)
{
    auto_free char *text = str_dup(single_quoted);
    struct err err;
    json_t *value;

    for (char *c = text; *c; c++)
        if (*c == '\'')
            *c = '"';
    value = json_parse(text, strlen(text), &err);
    if (!value)
        check_fail(CHECK_HERE, "bad JSON in the test: %s: %s", err.text, text);
    return value;
}

static inline void check_json(struct check_place place, const json_t *actual, const char *expected)
{
    auto_json json_t *wanted = json_of(expected);
    auto_free char *text = actual ? json_text(actual) : str_dup("(none)");

    if (!actual || !json_equal(actual, wanted))
        check_fail(place, "got %s, wanted %s", text, expected);
}
#define CHECK_JSON(actual, expected) check_json(CHECK_HERE, (actual), (expected))
