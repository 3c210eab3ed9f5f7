/* tests/parsed.h - JSON that a test writes as text. */
#pragma once
#include "check.h"
#include "base/json.h"
#include <string.h>

/* The caller frees it; a text that is none fails the test. */
__attribute__((unused)) static json_t *parse(const char *text)
{
    struct err err;
    json_t *value = json_parse(text, strlen(text), &err);

    if (!value)
        check_fail(CHECK_HERE, "%s: %s", text, err.text);
    return value;
}
