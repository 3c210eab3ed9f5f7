/* tests/fuzz/fuzz_fetch_headers.c - what a server says of a download. */
#include "fuzz.h"
#include "drivers/storage/directory/fetch_headers.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct fetch_headers headers;

    fetch_headers_parse((const char *)bytes, size, &headers);
    assert(headers.total_bytes >= -1);
    for (const char *c = headers.validator; *c; c++) /* it goes into a request */
        assert(*c >= ' ' && *c <= '~');
    return 0;
}
