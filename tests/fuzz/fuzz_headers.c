/* tests/fuzz/fuzz_headers.c - one text as each of the headers that are taken apart. */
#include "fuzz.h"
#include "api/accept.h"
#include "api/base64url.h"
#include "api/handshake.h"
#include "api/scan.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

static void try_base64(const char *text, size_t length)
{
    size_t size = 0, again_size = 0;
    auto_free char *bytes = base64url_decode(text, length, &size);

    if (!bytes)
        return;
    auto_free char *encoded = base64url_encode(bytes, size);
    auto_free char *again = base64url_decode(encoded, strlen(encoded), &again_size);
    assert(again && again_size == size && memcmp(again, bytes, size) == 0);
}

static void try_handshake(const char *text)
{
    const struct request_headers headers = { .websocket_version = "13",
                                             .websocket_key = text,
                                             .host = "a:1",
                                             .origin = text };
    struct err err = { 0 };
    auto_free char *accept = handshake_accept(text);
    auto_free char *protocol = handshake_protocol(text);

    assert(accept[0] && (!protocol || !strpbrk(protocol, ", \t")));
    if (handshake_check(&headers, &err) < 0)
        assert(err.text[0]);
}

/* What reads stored objects must stay inside whatever it is given. */
static void walk(struct scan value, unsigned depth)
{
    struct scan name, item;
    auto_free char *copy = scan_copy(value);

    assert(!value.at || copy);
    (void)scan_equals(value, "x");
    if (depth == 0)
        return;
    for (const char *at = NULL; scan_next(value, &at, &name, &item);)
        walk(item, depth - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    auto_free char *text = str_dup_part((const char *)bytes, size);

    (void)accept_choose(text, ACCEPT_JSON | ACCEPT_TABLE | ACCEPT_PARTIAL | ACCEPT_DISCOVERY);
    try_base64((const char *)bytes, size);
    try_handshake(text);
    walk(scan_text((const char *)bytes, size), 3);
    walk(scan_path(scan_text((const char *)bytes, size), "metadata.labels"), 3);
    return 0;
}
