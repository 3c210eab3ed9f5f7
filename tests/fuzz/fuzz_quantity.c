/* tests/fuzz/fuzz_quantity.c - quantities, durations and times: what is accepted comes back
 * the same after it was written. */
#include "fuzz.h"
#include "base/quantity.h"
#include "base/str.h"
#include <stdlib.h>

static void try_quantity(const char *text)
{
    int64_t value, milli, again;
    char written[QUANTITY_TEXT_SIZE];
    struct err err = { 0 };

    if (quantity_parse(text, &value, &err) < 0) {
        assert(err.code == ERR_INVALID);
    } else {
        quantity_format_bytes(value, written, sizeof written);
        assert(quantity_parse(written, &again, &err) == 0 && again == value);
        quantity_format_human(value, written, sizeof written);
        assert(quantity_parse(written, &again, &err) == 0 || value >= INT64_MAX / 1000 * 999);
    }
    if (quantity_parse_milli(text, &milli, &err) < 0)
        return;
    quantity_format_milli(milli, written, sizeof written);
    assert(quantity_parse_milli(written, &again, &err) == 0 && again == milli);
}

static void try_duration(const char *text)
{
    int64_t ms, again;
    char written[DURATION_TEXT_SIZE];
    struct err err = { 0 };

    if (duration_parse(text, &ms, &err) < 0) {
        assert(err.code == ERR_INVALID);
        return;
    }
    assert(ms >= 0);
    duration_format_age(ms, written, sizeof written);
    duration_format(ms, written, sizeof written);
    assert(duration_parse(written, &again, &err) == 0 && again == ms);
}

static void try_time(const char *text)
{
    int64_t ms, again;
    char written[TIME_MICRO_TEXT_SIZE];
    struct err err = { 0 };

    if (time_parse(text, &ms, &err) < 0) {
        assert(err.code == ERR_INVALID);
        return;
    }
    time_format_micro(ms, written, sizeof written);
    assert(time_parse(written, &again, &err) == 0);
    assert(again == ms || ms < -62167219200000 ||
           ms > 253402300799999); /* an offset past year 0 or 9999 */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    auto_free char *text = str_dup_part((const char *)bytes, size);

    try_quantity(text);
    try_duration(text);
    try_time(text);
    return 0;
}
