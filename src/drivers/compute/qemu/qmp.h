/* drivers/compute/qemu/qmp.h - the QEMU Monitor Protocol as a state machine without I/O.
 *
 *                  greeting            reply to qmp_capabilities
 *     QMP_GREETING -------> QMP_NEGOTIATING -------> QMP_READY
 *           \____________________|______________________/
 *                      anything unexpected: QMP_BROKEN
 *
 * Bytes of the peer go in with qmp_feed(), messages come out of qmp_next(); commands go in
 * with qmp_command(), bytes for the peer gather in 'out'. The peer is a process that runs a
 * hostile guest: whatever it sends is bounded and checked.
 * Source: docs/interop/qmp-spec.rst of QEMU. */
#pragma once
#include "base/json.h"
#include "base/str.h"
#include <stdint.h>

enum {
    QMP_LINE_SIZE_MAX = 4 * 1024 * 1024, /* query-qmp-schema of QEMU 10 is 240 KB */
    QMP_PENDING_MAX = 256,               /* commands without a reply */
};

enum qmp_state { QMP_GREETING, QMP_NEGOTIATING, QMP_READY, QMP_BROKEN };

enum qmp_kind {
    QMP_NOTHING, /* feed more bytes */
    QMP_IS_READY,
    QMP_REPLY,
    QMP_EVENT,
    QMP_FAILED, /* the conversation is over; 'err' says why. Told once. */
};

struct qmp_message {
    enum qmp_kind kind;
    uint64_t id;    /* of QMP_REPLY */
    struct err err; /* of QMP_FAILED, and of a QMP_REPLY that is an error */
    json_t *result; /* of a QMP_REPLY without error; owned by the message */
    char event[64];
    json_t *data; /* of QMP_EVENT, may be NULL; owned by the message */
};
void qmp_message_done(struct qmp_message *message);

struct qmp {
    enum qmp_state state;
    char version[64]; /* "7.2.22", from the greeting */
    struct buf out;   /* for the peer; the caller takes from the front */
    struct buf in;
    size_t taken;   /* of 'in': lines read already */
    size_t scanned; /* of 'in': no line end between 'taken' and this */
    uint64_t next_id;
    unsigned pending_count;
    uint64_t pending[QMP_PENDING_MAX];
    struct err err;
    bool failure_told;
};

void qmp_init(struct qmp *qmp);
void qmp_done(struct qmp *qmp);

/* Appends a command to 'out'. 'arguments' (borrowed) may be NULL. '*ret_id' names the reply.
 * ERR_UNAVAILABLE before QMP_READY, ERR_EXHAUSTED with QMP_PENDING_MAX replies due. */
int qmp_command(struct qmp *qmp, const char *command, const json_t *arguments, uint64_t *ret_id,
                struct err *err);

void qmp_feed(struct qmp *qmp, const void *bytes, size_t size);
/* The next message of the peer; the caller calls qmp_message_done(). */
enum qmp_kind qmp_next(struct qmp *qmp, struct qmp_message *ret_message);
