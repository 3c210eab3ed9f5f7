/* tests/contract/compute/rig.h - what the contract suite of the compute drivers stands on:
 * a driver, a loop, and ways to wait. One rig_*.c per driver fills in the first part. */
#pragma once
#include "base/json.h"
#include "contract/rig_call.h"
#include "drivers/compute.h"

struct rig {
    struct loop *loop;
    struct compute *compute;
    struct compute_setup setup;
    bool guest_obeys; /* the guest has a system that answers ACPI */
    bool failed_to_wait;
    void *own; /* the driver's part */
};

/* --- by driver --- */

void rig_open(struct rig *rig);
void rig_close(struct rig *rig);
void rig_reopen(struct rig *rig); /* the daemon dies and comes back */
/* A small machine that starts; the caller frees it. */
struct machine_config *rig_config(struct rig *rig, const char *uid);
void rig_break_start(struct rig *rig, struct machine_config *config); /* it will not come up */
void rig_end_process(struct rig *rig, const char *uid);               /* from outside */
/* A blank disk of some MiB below the rig's folder, "disks/NAME". */
void rig_blank_disk(struct rig *rig, const char *name, struct machine_disk *ret_disk);

/* --- waiting: bounded by the loop's clock --- */

struct wait {
    struct rig *rig;
    bool called;
    struct err err; /* ERR_NONE: success */
    int fd;
    json_t *result;
    size_t size;
};
struct done wait_done(struct rig *rig, struct wait *wait);
void wait_fd(void *wait, const struct err *err, int take_fd);
void wait_json(void *wait, const struct err *err, const json_t *result);
void wait_bytes(void *wait, const struct err *err, const void *bytes, size_t size);
void rig_wait(struct rig *rig, struct wait *wait);
void rig_changed(void *rig, const char *uid);
/* Runs the loop until the machine is in 'state'; false after half a minute. */
bool rig_reaches(struct rig *rig, const char *uid, enum machine_state state);
bool rig_leaves(struct rig *rig, const char *uid, enum machine_state state); /* the same */
bool rig_reaches_size(struct rig *rig, const char *uid, unsigned cpus, int64_t bytes); /* the same */
enum machine_state rig_state(struct rig *rig, const char *uid);

#define RIG_DRIVER(rig) ((rig)->compute)
#define RIG_OK_NO_UID(rig, name)                                                                   \
    do {                                                                                           \
        struct wait wait_ = { 0 };                                                                 \
        (rig)->compute->ops->name((rig)->compute, wait_done(rig, &wait_));                         \
        rig_wait(rig, &wait_);                                                                     \
        CHECK_STR(wait_.err.text, "");                                                             \
    } while (0)
