/* drivers/compute/qemu/size.h - processors and memory of a machine, and how they change while it
 * runs.
 *
 *   more processors   device_add; the agent switches them on where the guest did not
 *   fewer             the agent switches them off. QEMU keeps them: under TCG it does not survive
 *                     to be given one again that it has given up (seen with 7.2)
 *   more memory       virtio-mem, up to what the machine was started ready for
 *   less              virtio-mem gives back; below what it was started with, the balloon
 *
 * Where the guest does not follow, its processor time is limited all the same by the cgroup. */
#pragma once
#include "base/json.h"
#include "drivers/compute.h"

struct qemu_machine;

struct qemu_size {
    unsigned plugged;      /* processors that QEMU has */
    unsigned online;       /* those that the guest uses, as its agent told; 0: not known */
    int64_t balloon_bytes; /* what the balloon leaves of the memory it was started with */
    int64_t grown_bytes;   /* what the guest has taken beyond it */
    /* Asked for; the limits of its cgroup follow. */
    unsigned wanted_cpus;
    int64_t wanted_bytes;
    /* Limits as they were set last; 0: as launched. */
    unsigned limit_cpus;
    int64_t limit_bytes;
    bool is_untold;        /* the guest's agent has to be told what there is, when it answers */
};

void qemu_size_init(struct qemu_machine *machine); /* as it is about to be launched */
/* What it has, for status. */
unsigned qemu_size_cpus(const struct qemu_machine *machine);
int64_t qemu_size_memory(const struct qemu_machine *machine);
/* Whether it is as it was launched. ERR_CONFLICT says how it differs. */
int qemu_size_check_original(const struct qemu_machine *machine, struct err *err);

/* Asks the monitor for all of it, once it answers. */
void qemu_size_start(struct qemu_machine *machine);
void qemu_size_read_cpus(struct qemu_machine *machine, const json_t *slots);
void qemu_size_read_memory(struct qemu_machine *machine, const json_t *devices);
void qemu_size_read_balloon(struct qemu_machine *machine, const json_t *result);
/* Shows what has changed, and has the limits follow. */
void qemu_size_changed(struct qemu_machine *machine);

/* events.c, agent.c */
void qemu_on_balloon_change(struct qemu_machine *machine, const json_t *data);
void qemu_on_memory_size_change(struct qemu_machine *machine, const json_t *data);
void qemu_size_on_reset(struct qemu_machine *machine);
void qemu_size_on_agent(struct qemu_machine *machine);

/* --- size_guest.c: what a guest is told through its agent --- */

struct qemu_driver;
typedef void guest_told_fn(void *arg, const struct err *err);
/* Has the kernel of a guest use memory that it will be given, and what it was given already. 'fn'
 * without an error also where the kernel is another's: nobody knows better. */
void qemu_guest_take_memory(struct qemu_driver *driver, const char *uid, guest_told_fn *fn, void *arg);
/* Has the guest use exactly 'count' of its 'plugged' processors; '*ret_online', which must live until
 * 'fn', is how many it uses then. ERR_UNAVAILABLE: no agent. ERR_TIMEOUT: it does not see them all. */
void qemu_guest_use_cpus(struct qemu_driver *driver, const char *uid, unsigned count, unsigned plugged,
                         unsigned *ret_online, guest_told_fn *fn, void *arg);

/* The driver is being closed. */
void qemu_guest_tellings_stop(struct qemu_driver *driver);

/* size_change.c */
void qemu_resize(struct compute *compute, const char *uid, unsigned cpus, int64_t memory_bytes,
                 struct done done);
