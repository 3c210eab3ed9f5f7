/* tests/fuzz/fuzz_netaddr.c - addresses, prefixes and MACs: what is accepted comes back the
 * same after it was written. */
#include "fuzz.h"
#include "base/netaddr.h"
#include "base/str.h"
#include <stdlib.h>

static void try_addr(const char *text)
{
    struct ip_addr addr, again;
    char written[IP_TEXT_SIZE];
    struct err err = { 0 };

    if (ip_parse(text, &addr, &err) < 0) {
        assert(err.code == ERR_INVALID);
        return;
    }
    ip_format(&addr, written);
    assert(ip_parse(written, &again, &err) == 0 && ip_equal(&addr, &again));
}

static void try_prefix(const char *text)
{
    struct ip_prefix prefix, interface;
    struct ip_addr first, last;
    char written[IP_PREFIX_TEXT_SIZE];
    struct err err = { 0 };

    if (ip_interface_parse(text, &interface, &err) < 0) {
        assert(err.code == ERR_INVALID && ip_prefix_parse(text, &prefix, &err) < 0);
        return;
    }
    assert(ip_prefix_contains(&interface, &interface.addr));
    if (ip_prefix_parse(text, &prefix, &err) < 0)
        return;
    assert(ip_prefix_nth(&prefix, 0, &first) && ip_equal(&first, &prefix.addr));
    assert(ip_prefix_last(&prefix, &last) && ip_prefix_contains(&prefix, &last));
    assert(ip_compare(&first, &last) <= 0 && ip_prefix_overlaps(&prefix, &interface));
    ip_prefix_format(&prefix, written);
    assert(ip_prefix_parse(written, &interface, &err) == 0 &&
           ip_equal(&prefix.addr, &interface.addr) && prefix.length == interface.length);
}

static void try_mac(const char *text)
{
    struct mac_addr mac, again;
    char written[MAC_TEXT_SIZE];
    struct err err = { 0 };

    if (mac_parse(text, &mac, &err) < 0) {
        assert(err.code == ERR_INVALID);
        return;
    }
    mac_format(&mac, written);
    assert(mac_parse(written, &again, &err) == 0 && mac_equal(&mac, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    auto_free char *text = str_dup_part((const char *)bytes, size);

    try_addr(text);
    try_prefix(text);
    try_mac(text);
    return 0;
}
