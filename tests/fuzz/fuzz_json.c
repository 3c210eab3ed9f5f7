/* tests/fuzz/fuzz_json.c - a path, a NUL and a JSON text; without a NUL all of it is JSON. */
#include "fuzz.h"
#include "base/json.h"
#include <stdlib.h>
#include <string.h>

/* What was read is written and read again to the same. */
static void check_round_trip(const json_t *value)
{
    struct err err;
    auto_free char *first = json_text(value);
    auto_json json_t *again = json_parse(first, strlen(first), &err);
    assert(again);
    auto_free char *second = json_text(again);
    assert(strcmp(first, second) == 0);
}

static unsigned step_count(const char *path)
{
    unsigned count = 1;

    for (; *path; path++)
        count += *path == '.';
    return count;
}

static void try_path(json_t *value, const char *path)
{
    const json_t *found = json_at(value, path);

    if (json_is_string(found))
        assert(json_text_at(value, path, NULL));
    json_int_at(value, path, 0);
    json_bool_at(value, path, false);
    if (!json_is_object(value) || !path[0] || strchr(path, '[') ||
        step_count(path) > JSON_DEPTH_MAX)
        return;
    if (json_remove_at(value, path))
        assert(!json_at(value, path));
    json_set_at(value, path, json_string_repaired(path, strlen(path)));
    check_round_trip(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *text = (const char *)bytes;
    const char *nul = size ? memchr(text, 0, size) : NULL;
    size_t path_length = nul ? (size_t)(nul - text) : 0;
    auto_free char *path = str_dup_part(text, path_length);
    struct err err = { 0 };

    if (nul) {
        text += path_length + 1;
        size -= path_length + 1;
    }
    auto_json json_t *value = json_parse(text, size, &err);
    assert(value || (err.code == ERR_BAD_REQUEST && err.text[0]));
    if (value) {
        check_round_trip(value);
        try_path(value, path);
    }
    auto_json json_t *repaired = json_string_repaired(text, size);
    assert(json_is_string(repaired));
    return 0;
}
