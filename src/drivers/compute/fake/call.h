/* drivers/compute/fake/call.h - one call of the contract on its way through the fake.
 *
 * Each call waits a seeded delay, takes effect, and reports on a later turn of the loop,
 * so that a simulation can close the driver before, between and after. */
#pragma once
#include "drivers/compute/fake/world.h"

struct fake_call;
typedef int fake_effect(struct fake_call *call, struct fake_machine *machine, struct err *err);

struct fake_call {
    struct fake_call *next, **link;
    struct fake_driver *driver;
    struct loop_source *timer;
    char *uid;
    fake_effect *effect;
    void (*answer)(struct fake_call *call, const struct err *err);
    struct err err; /* of the effect; ERR_NONE: it succeeded */

    struct done done;
    compute_fd_fn *fd_fn;
    compute_json_fn *json_fn;
    compute_bytes_fn *bytes_fn;
    void *arg;

    struct machine_disk disk;
    struct machine_nic nic;
    int64_t size_bytes;
    unsigned cpus;
    char device[DEVICE_NAME_SIZE];
    char *command;
    json_t *arguments, *result;
    int result_fd;
};

static inline struct fake_driver *fake_driver_of(struct compute *compute)
{
    return (struct fake_driver *)compute;
}

/* Begins a call whose 'effect' follows after the delay; the caller fills in the rest. */
struct fake_call *fake_call_new(struct compute *compute, const char *uid, fake_effect *effect);
void fake_call_done(struct compute *compute, const char *uid, struct done done,
                    fake_effect *effect);
void fake_call_fd(struct compute *compute, const char *uid, compute_fd_fn *fn, void *arg,
                  fake_effect *effect);
/* The next thing that happens to the call; replaces what was to happen. */
void fake_call_step(struct fake_call *call, int64_t delay_ms, loop_fn *fn);
void fake_call_answer(struct fake_call *call); /* on the next turn, by call->err */
bool fake_call_fails(
    struct fake_call *call); /* as the options and VIRGA_FAULT want; fills call->err */
void fake_calls_cancel(struct fake_driver *driver);

/* The usual refusals of a call that needs the process and its monitor. */
int fake_needs_monitor(const struct fake_machine *machine, struct err *err);

/* The contract's calls, by file. */
void fake_start(struct compute *compute, const struct machine_config *config, const int *nic_fds,
                struct done done);
void fake_kill(struct compute *compute, const char *uid, struct done done);
void fake_release(struct compute *compute, const char *uid, struct done done);
void fake_logs_remove(struct compute *compute, const char *uid, struct done done);
char **fake_logs_list(struct compute *compute);
void fake_press_power(struct compute *compute, const char *uid, struct done done);
void fake_reset(struct compute *compute, const char *uid, struct done done);
void fake_pause(struct compute *compute, const char *uid, struct done done);
void fake_resume(struct compute *compute, const char *uid, struct done done);

void fake_resize(struct compute *compute, const char *uid, unsigned cpus, int64_t memory_bytes,
                 struct done done);

void fake_disk_attach(struct compute *compute, const char *uid, const struct machine_disk *disk,
                      struct done done);
void fake_disk_detach(struct compute *compute, const char *uid, const char *disk_name,
                      struct done done);
void fake_disk_resize(struct compute *compute, const char *uid, const char *disk_name,
                      int64_t size_bytes, struct done done);
void fake_nic_attach(struct compute *compute, const char *uid, const struct machine_nic *nic,
                     int take_fd, struct done done);
void fake_nic_detach(struct compute *compute, const char *uid, const char *nic_name,
                     struct done done);
void fake_cdrom_change(struct compute *compute, const char *uid, const char *disk_name,
                       const struct disk_source *source, struct done done);

void fake_console_call(struct compute *compute, const char *uid, compute_fd_fn *fn, void *arg);
void fake_vnc_call(struct compute *compute, const char *uid, compute_fd_fn *fn, void *arg);
void fake_log_call(struct compute *compute, const char *uid, bool qemu_log, compute_fd_fn *fn,
                   void *arg);
void fake_screenshot(struct compute *compute, const char *uid, compute_bytes_fn *fn, void *arg);
void fake_agent(struct compute *compute, const char *uid, const char *command,
                const json_t *arguments, int64_t timeout_ms, compute_json_fn *fn, void *arg);
void fake_identify(struct compute *compute, const char *uid, const void *bytes, size_t size, struct done done);
void fake_nic_link(struct compute *compute, const char *uid, const char *nic_name, bool is_up,
                   struct done done);
void fake_freeze(struct compute *compute, const char *uid, const char *name, struct done done);
void fake_frozen_remove(struct compute *compute, const char *name, struct done done);
char **fake_frozen_list(struct compute *compute);
void fake_sample(struct compute *compute, struct done done);
