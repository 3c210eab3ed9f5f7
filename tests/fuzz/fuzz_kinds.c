/* tests/fuzz/fuzz_kinds.c - an object and what it was before, through all that a kind's table does. */
#include "fuzz.h"
#include "fuzz_parts.h"
#include "kinds/kind.h"
#include <stdlib.h>

static void try_kind(const struct kind *kind, const json_t *given, const json_t *old)
{
    auto_json json_t *object = json_deep_copy(given);
    auto_causes struct causes unknown = { 0 }, again = { 0 }, causes = { 0 };

    kind_unknown_fields(kind, object, /*prune=*/true, &unknown);
    kind_unknown_fields(kind, object, /*prune=*/true, &again);
    assert(again.count == 0);
    kind_default(kind, object);
    auto_json json_t *once = json_deep_copy(object);
    kind_default(kind, object);
    assert(json_equal(object, once));
    kind_validate(kind, object, old, &causes);
    for (size_t i = 0; i < causes.count; i++)
        assert(causes.items[i].field && causes.items[i].message[0]);
    auto_json json_t *row = kind_row(kind, object, 1000);
    assert(json_is_array(row));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    auto_json json_t *object = next_part(&bytes, &size);
    auto_json json_t *old = next_part(&bytes, &size);

    if (!json_is_object(object))
        return 0;
    for (const struct kind *const *kind = all_kinds; *kind; kind++) {
        try_kind(*kind, object, NULL);
        if (json_is_object(old))
            try_kind(*kind, object, old);
    }
    return 0;
}
