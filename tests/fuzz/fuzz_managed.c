/* tests/fuzz/fuzz_managed.c - managedFields that a client wrote, an object and what is applied. */
#include "fuzz.h"
#include "fuzz_parts.h"
#include "api/managed.h"
#include "api/schema.h"
#include "base/str.h"
#include "kinds/tables/tables.h"

static const struct field_writer writer = { "fuzz", "virga.dev/v1", NULL, 1000 };

static void apply(const struct field *schema, const json_t *live, const json_t *config, bool force)
{
    auto_causes struct causes conflicts = { 0 };
    auto_json json_t *object = NULL;
    auto_free char *message = NULL;

    if (managed_apply(schema, live, config, force, &writer, &object, &conflicts, &message) == 0)
        assert(object && managed_are_valid(json_at(object, "metadata.managedFields")));
    else
        assert(!force && conflicts.count && message);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    auto_json json_t *entries = next_part(&bytes, &size);
    auto_json json_t *live = next_part(&bytes, &size);
    auto_json json_t *config = next_part(&bytes, &size);
    bool valid = managed_are_valid(entries);
    struct field *schema;

    if (!valid || !json_is_object(live) || !json_is_object(config))
        return 0;
    schema = schema_new(&kind_instance);
    auto_json json_t *updated = managed_after_update(schema, entries, live, config, &writer);
    assert(managed_are_valid(updated));
    if (json_is_object(json_object_get(live, "metadata")) || !json_object_get(live, "metadata")) {
        json_set_at(live, "metadata.managedFields", json_incref(entries));
        apply(schema, live, config, /*force=*/false);
        apply(schema, live, config, /*force=*/true);
    }
    schema_free(schema);
    return 0;
}
