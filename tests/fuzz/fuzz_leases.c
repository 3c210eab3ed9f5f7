/* Lease files: written by dnsmasq, with bytes in them that guests chose. */
#include "drivers/network/netns/leases.h"
#include "fuzz.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct mac_addr mac = { { 2, 0, 0, 0, 0, 1 } };
    auto_free char *text = str_dup_part((const char *)bytes, size);
    struct lease_reader reader = { .at = text };
    struct lease lease;

    while (lease_next(&reader, &lease)) {
        auto_buf struct buf packet = { 0 }, kept = { 0 };

        assert(lease.addr.family == 4 || lease.addr.family == 6);
        assert(lease.duid_size <= DUID_SIZE_MAX && reader.server_duid_size <= DUID_SIZE_MAX);
        if (lease.addr.family == 4)
            lease_release4(&lease, &lease.addr, &packet);
        else
            lease_release6(&lease, reader.server_duid, reader.server_duid_size, &packet);
        assert(packet.size > 0);
        leases_without(text, &mac, &lease.addr, &lease.addr, /*is_new=*/true, &kept);
        assert(kept.size <= size + 1);
    }
    return 0;
}
