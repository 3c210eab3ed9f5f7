/* The monitor of a QEMU that its guest may have taken over. The first byte says how the rest
 * is cut; a command is under way whenever one can be. */
#include "drivers/compute/qemu/devices.h"
#include "drivers/compute/qemu/qmp.h"
#include "fuzz.h"

static void take_messages(struct qmp *qmp)
{
    struct qmp_message message;
    struct device_id id;
    struct err err;
    uint64_t command;

    while (qmp_next(qmp, &message) != QMP_NOTHING) {
        assert(message.kind != QMP_REPLY || message.result || message.err.code);
        if (message.data)
            (void)device_id_parse(json_text_at(message.data, "device", ""), &id);
        if (qmp->state == QMP_READY && qmp->pending_count < 4)
            assert(qmp_command(qmp, "query-status", NULL, &command, &err) == 0);
        qmp_message_done(&message);
    }
    buf_clear(&qmp->out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct qmp qmp;

    qmp_init(&qmp);
    for (size_t at = 1; at < size;) {
        size_t left = size - at, cut = 1 + bytes[0];
        size_t chunk = left < cut ? left : cut;

        qmp_feed(&qmp, bytes + at, chunk);
        take_messages(&qmp);
        at += chunk;
    }
    assert(qmp.in.size <= QMP_LINE_SIZE_MAX && qmp.pending_count <= QMP_PENDING_MAX);
    qmp_done(&qmp);
    return 0;
}
