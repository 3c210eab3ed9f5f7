/* drivers/compute/qemu/migrating.h - what freezing and thawing share of QEMU's migration.
 * Source: qapi/migration.json of QEMU. */
#pragma once
#include "drivers/compute/qemu/machine.h"

/* Arguments of migrate-set-capabilities: shared memory stays where it is. */
json_t *migrating_capabilities(bool on);
/* Capabilities as they were; the answer is not waited for. */
void migrating_reset(struct qemu_machine *machine);

/* Waits for the end of the migration under way, in or out. 'err' NULL: it was completed. */
typedef void migrating_fn(void *arg, const struct err *err);
struct migrating {
    struct qemu_machine *machine;
    migrating_fn *fn;
    void *arg;
    unsigned asked;
};
void migrating_wait(struct migrating *migrating, struct qemu_machine *machine, migrating_fn *fn, void *arg);

/* thaw.c: a machine that waits for its frozen state loads it and goes on; 'fn' once, with its
 * run state read anew. The machine must not end before. */
void qemu_thaw(struct qemu_machine *machine, monitor_fn *fn);

/* links.c: all links; the answers are not waited for. */
void qemu_links_set(struct qemu_machine *machine, bool is_up);
