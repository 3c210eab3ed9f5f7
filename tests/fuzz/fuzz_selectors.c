/* tests/fuzz/fuzz_selectors.c - the same text as a label selector and as a field selector. */
#include "fuzz.h"
#include "api/selectors.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include <string.h>

/* Every other key has a value, out of the key itself. */
static const char *value_of(const void *object, const char *key)
{
    return strlen(key) % 2 ? key : NULL;
}

static void use(const struct selector *selector)
{
    assert(selector->count <= SELECTOR_COUNT_MAX);
    (void)selector_matches(selector, NULL, value_of);
    for (size_t i = 0; i < selector->count; i++) {
        assert(selector->items[i].key);
        (void)selector_only_value(selector, selector->items[i].key);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    auto_free char *text = str_dup_part((const char *)bytes, size);
    struct selector labels, fields;
    struct err err = { 0 };

    if (selector_parse_labels(text, &labels, &err) == 0)
        use(&labels);
    else
        assert(err.code == ERR_BAD_REQUEST && err.text[0]);
    selector_done(&labels);
    if (selector_parse_fields(text, &kind_event, &fields, &err) == 0)
        use(&fields);
    else
        assert(err.code == ERR_BAD_REQUEST && err.text[0]);
    selector_done(&fields);
    return 0;
}
