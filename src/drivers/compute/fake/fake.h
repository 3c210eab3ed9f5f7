/* drivers/compute/fake/fake.h - machines that exist only as bookkeeping, for simulations.
 *
 * The world holds the machines: it outlives the driver, as real processes outlive the
 * daemon. compute_fake_open() is a daemon that starts, ops->close() one that dies: calls
 * under way stop where they are, and the next open() finds what they left: which machines
 * have a process at once, in which state they are (MACHINE_LAUNCHING until then) a delay
 * later. Delays and
 * failures come from the seed. The world itself ends the test (assert) when a caller
 * starts a second process for one uid, or one that writes a disk file another writes. */
#pragma once
#include "drivers/compute.h"

struct compute_fake_world;

struct compute_fake_options {
    uint64_t seed;
    int64_t delay_min_ms, delay_max_ms; /* of each step of a call; both 0: the next turn */
    unsigned fail_permille;             /* calls that fail with ERR_UNAVAILABLE, changing nothing */
    unsigned start_fail_permille;       /* starts whose process dies before it answers */
    int64_t guest_boot_ms;              /* from running to "agent connected" */
    int64_t guest_shutdown_ms;          /* from the power button to the end */
};

/* 'options' NULL: no delay, no failure, guests boot and shut down at once. */
struct compute_fake_world *compute_fake_world_new(struct loop *loop,
                                                  const struct compute_fake_options *options);
void compute_fake_world_free(struct compute_fake_world *world);
DEFINE_AUTO(struct compute_fake_world, compute_fake_world_free)

/* One driver at a time is open on a world. */
struct compute *compute_fake_open(struct compute_fake_world *world,
                                  const struct compute_setup *setup);

/* The same driver for an assembly that knows only ops: open() makes a world without
 * delays for itself, close() ends it. */
extern const struct compute_ops compute_fake;

/* --- what happens to the machines; nothing when the machine has no process --- */

void compute_fake_guest_powers_off(struct compute_fake_world *world, const char *uid);
void compute_fake_guest_panics(struct compute_fake_world *world, const char *uid);
void compute_fake_process_dies(struct compute_fake_world *world, const char *uid);
void compute_fake_host_reboots(struct compute_fake_world *world); /* close the driver before */
void compute_fake_lose_frozen(struct compute_fake_world *world); /* as a reboot does, too */
/* A write error for want of space pauses the machine; space lets it go on. */
void compute_fake_disk_full(struct compute_fake_world *world, const char *uid, bool is_full);
/* The guest does not obey the power button. May be set before the machine exists. */
void compute_fake_guest_ignores_power(struct compute_fake_world *world, const char *uid,
                                      bool ignores);
/* Processor time the guest uses from now on, and the memory, as sample() will read it. */
void compute_fake_set_load(struct compute_fake_world *world, const char *uid, unsigned cpu_milli,
                           int64_t memory_bytes);
/* The guest gives back no more memory than to this, which it uses; 0: all that is asked for. */
void compute_fake_guest_holds_memory(struct compute_fake_world *world, const char *uid, int64_t bytes);
/* Forks do not take the identity they are told from now on, for this reason; "": they do. */
void compute_fake_refuse_identity(struct compute_fake_world *world, const char *why);
/* From now on: replaces the failure rates of the options. */
void compute_fake_set_failures(struct compute_fake_world *world, unsigned fail_permille,
                               unsigned start_fail_permille);
/* How many devices more than it was started with a machine takes that is launched from now on;
 * 0: without limit. */
void compute_fake_set_spare_slots(struct compute_fake_world *world, unsigned count);

/* Told when a machine grows the file of one of its disks. */
typedef void compute_fake_resize_fn(void *arg, const char *path, int64_t size_bytes);
void compute_fake_watch_resize(struct compute_fake_world *world, compute_fake_resize_fn *fn,
                               void *arg);

/* Answers agent commands; a new reference, or NULL and 'err'. The built-in answers know
 * guest-ping, guest-exec and guest-exec-status ("fake\n", exit 0). */
typedef json_t *compute_fake_agent_fn(void *arg, const char *uid, const char *command,
                                      const json_t *arguments, struct err *err);
void compute_fake_set_agent(struct compute_fake_world *world, compute_fake_agent_fn *fn, void *arg);

/* --- what happened --- */

unsigned compute_fake_launches(const struct compute_fake_world *world, const char *uid); /* ever */
unsigned compute_fake_presses(const struct compute_fake_world *world, const char *uid);
unsigned compute_fake_resets(const struct compute_fake_world *world, const char *uid);
unsigned compute_fake_process_count(const struct compute_fake_world *world); /* running now */
unsigned compute_fake_trace_count(const struct compute_fake_world *world);   /* not yet released */
unsigned compute_fake_log_count(const struct compute_fake_world *world);     /* not yet removed */
bool compute_fake_has_process(const struct compute_fake_world *world, const char *uid);
bool compute_fake_links_up(const struct compute_fake_world *world, const char *uid); /* all of them */
unsigned compute_fake_frozen_count(const struct compute_fake_world *world);
/* As launched, hot-plugged devices included; borrowed; NULL when absent. */
const struct machine_config *compute_fake_config(const struct compute_fake_world *world,
                                                 const char *uid);
