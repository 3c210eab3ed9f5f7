/* tests/fuzz/fuzz_patch.c - a target and a patch, which is tried as each type of patch there is. */
#include "fuzz.h"
#include "fuzz_parts.h"
#include "api/patch.h"
#include "api/schema.h"
#include "kinds/tables/tables.h"

static void check_same(const json_t *a, const json_t *b) { assert(json_equal((json_t *)a, (json_t *)b)); }

static void try_json_patch(const json_t *target, const json_t *patch)
{
    struct err err = { 0 };
    auto_json json_t *result = patch_json(target, patch, &err);

    assert(result || (err.code && err.text[0]));
}

static void try_strategic(const json_t *target, const json_t *patch)
{
    struct field *schema = schema_new(&kind_instance);
    struct err err = { 0 };
    auto_json json_t *result = patch_strategic(schema, target, patch, &err);

    assert(result || (err.code && err.text[0]));
    schema_free(schema);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    auto_json json_t *target = next_part(&bytes, &size);
    auto_json json_t *patch = next_part(&bytes, &size);

    if (!json_is_object(target) || !patch)
        return 0;
    auto_json json_t *before = json_deep_copy(target);
    auto_json json_t *merged = patch_merge(target, patch);
    try_json_patch(target, patch);
    if (json_is_object(patch)) {
        auto_json json_t *again = patch_merge(merged, patch);
        check_same(merged, again); /* a merge patch can be applied twice */
        try_strategic(target, patch);
    }
    check_same(target, before); /* no patch touches what it is applied to */
    return 0;
}
