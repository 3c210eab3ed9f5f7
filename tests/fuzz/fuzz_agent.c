/* The agent's channel: whatever a guest writes there. The first byte says how the rest is cut,
 * the second when we ask. */
#include "drivers/compute/qemu/agent_protocol.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct agent_protocol protocol;
    auto_buf struct buf out = { 0 };
    unsigned turn = 0;

    agent_protocol_init(&protocol);
    for (size_t at = 2; at < size; turn++) {
        size_t left = size - at, cut = 1 + bytes[0];
        size_t chunk = left < cut ? left : cut;
        struct agent_message message;

        if (protocol.state == AGENT_DEAF || (bytes[1] & 1 && turn % 7 == 6))
            agent_protocol_sync(&protocol, bytes[1] >> 1, &out);
        else if (protocol.state == AGENT_READY)
            agent_protocol_command(&protocol, "guest-ping", NULL, &out);
        agent_protocol_feed(&protocol, bytes + at, chunk);
        if (agent_protocol_next(&protocol, &message) == AGENT_REPLY)
            assert(message.result || message.err.code);
        agent_message_done(&message);
        at += chunk;
    }
    assert(protocol.in.size <= AGENT_REPLY_SIZE_MAX);
    agent_protocol_done(&protocol);
    return 0;
}
