/* tests/fuzz/fuzz_bundle.c - the manifest of a foreign bundle. */
#include "fuzz.h"
#include "drivers/storage/directory/bundle.h"
#include <string.h>

static void check_name(const char *name) { assert(!strchr(name, '/') && name[0] != '.'); }

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct bundle bundle;
    struct err err = { 0 };

    if (bundle_parse(size > 0 ? (const char *)bytes : "", size, &bundle, &err) < 0) {
        assert(err.code == ERR_INVALID && err.text[0]);
        return 0;
    }
    assert(bundle.disk[0]);
    check_name(bundle.disk);
    check_name(bundle.kernel);
    check_name(bundle.initrd);
    for (const char *c = bundle.command_line; *c; c++)
        assert(*c >= ' ' && *c <= '~');
    return 0;
}
