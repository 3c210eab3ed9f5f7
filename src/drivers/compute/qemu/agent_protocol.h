/* drivers/compute/qemu/agent_protocol.h - the guest agent's protocol, without I/O.
 *
 * One command at a time, no ids, and a peer inside the guest that may say anything. What
 * keeps question and answer together is guest-sync-delimited: its reply begins with the byte
 * 0xFF, which no JSON contains, and repeats a number of ours; all before it is forgotten.
 * Source: docs/interop/qemu-ga-ref of QEMU. */
#pragma once
#include "base/json.h"
#include "base/str.h"
#include <stdint.h>

enum {
    AGENT_SYNC_SIZE_MAX = 64 * 1024,         /* said before the reply to a sync */
    AGENT_REPLY_SIZE_MAX = 24 * 1024 * 1024, /* 16 MiB of a program's output in base64 */
};

enum agent_kind {
    AGENT_NOTHING, /* feed more */
    AGENT_SYNCED,
    AGENT_REPLY,  /* 'err' or 'result' */
    AGENT_BROKEN, /* it must be synchronized anew; 'err' says why */
};
struct agent_message {
    enum agent_kind kind;
    struct err err;
    json_t *result; /* owned by the message */
};
void agent_message_done(struct agent_message *message);

struct agent_protocol {
    enum { AGENT_DEAF, AGENT_SYNCING, AGENT_READY, AGENT_ASKED } state;
    int64_t sync_id;
    bool saw_mark; /* the 0xFF of the reply */
    struct buf in;
};
void agent_protocol_init(struct agent_protocol *protocol);
void agent_protocol_done(struct agent_protocol *protocol);

/* Appends the bytes to send to 'to'. Afterwards only the answer counts. */
void agent_protocol_sync(struct agent_protocol *protocol, int64_t id, struct buf *to);
/* Only in AGENT_READY. */
void agent_protocol_command(struct agent_protocol *protocol, const char *command,
                            const json_t *arguments, struct buf *to);
/* Gives up what was asked: the next must be a sync. */
void agent_protocol_reset(struct agent_protocol *protocol);

void agent_protocol_feed(struct agent_protocol *protocol, const void *bytes, size_t size);
enum agent_kind agent_protocol_next(struct agent_protocol *protocol,
                                    struct agent_message *ret_message);
