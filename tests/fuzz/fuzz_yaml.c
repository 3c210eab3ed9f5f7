/* tests/fuzz/fuzz_yaml.c - a manifest. What is read is written as YAML and read again to the same. */
#include "fuzz.h"
#include "cli/manifest.h"
#include <string.h>

/* Reals lose digits in writing and are left out of the comparison. */
static bool has_real(const json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;

    if (json_is_real(value))
        return true;
    json_array_foreach(value, i, item)
        if (has_real(item))
            return true;
    json_object_foreach((json_t *)value, key, item)
        if (has_real(item))
            return true;
    return false;
}

static void check_round_trip(const json_t *document)
{
    auto_buf struct buf text = { 0 };
    struct err err;

    yaml_write(document, &text);
    auto_json json_t *again = yaml_parse(text.bytes, text.size, &err);
    assert(again);
    assert(json_array_size(again) == 1);
    assert(has_real(document) || json_equal(json_array_get(again, 0), document));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct err err = { 0 };
    auto_json json_t *documents = yaml_parse((const char *)bytes, size, &err);

    assert(documents || (err.code == ERR_BAD_REQUEST && err.text[0]));
    for (size_t i = 0; i < json_array_size(documents); i++)
        check_round_trip(json_array_get(documents, i));
    return 0;
}
