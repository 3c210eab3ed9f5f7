/* tests/support/fake_qemu.h - the other end of a monitor: greets, refuses what the recorded
 * schema of a real QEMU does not allow, and answers as told. */
#pragma once
#include "base/loop.h"
#include "qmp_schema.h"

struct fake_qemu;

/* '*ret_fd' is the end for the monitor under test. Greets at once. */
struct fake_qemu *fake_qemu_new(struct loop *loop, int *ret_fd);
void fake_qemu_free(struct fake_qemu *qemu); /* hangs up */
DEFINE_AUTO(struct fake_qemu, fake_qemu_free)

/* From now on 'command' is answered with this JSON text ("{}" when not told otherwise); or
 * with an error of 'class'; or not at all. */
void fake_qemu_answer(struct fake_qemu *qemu, const char *command, const char *result);
void fake_qemu_refuse(struct fake_qemu *qemu, const char *command, const char *class_name,
                      const char *text);
void fake_qemu_ignore(struct fake_qemu *qemu, const char *command);

/* 'data' is JSON text or NULL. The schema must know the event. */
void fake_qemu_event(struct fake_qemu *qemu, const char *event, const char *data);
void fake_qemu_write(struct fake_qemu *qemu, const char *bytes); /* as they are */

/* What came, one "command {arguments}" per line, descriptors as " +fd"; borrowed. */
const char *fake_qemu_seen(const struct fake_qemu *qemu);
void fake_qemu_forget(struct fake_qemu *qemu);
/* What was refused by the schema, "" when nothing was; borrowed. */
const char *fake_qemu_complaints(const struct fake_qemu *qemu);
/* The descriptor that came last; stays the fake's. -1: none. */
int fake_qemu_last_fd(const struct fake_qemu *qemu);
