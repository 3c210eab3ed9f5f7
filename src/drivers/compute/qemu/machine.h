/* drivers/compute/qemu/machine.h - the inside of the driver: what it knows of each machine.
 *
 *   start()                                     open()
 *      |                                          |
 *      v         launched                         v   found by its record or its lock
 *   STARTING ----------------> CONNECTING <---- SEEKING
 *      |                        ^     |             |
 *      |          monitor lost  |     v  it answers |
 *      |                        +--- UP             |
 *      | failed                       | process ended
 *      +----------> ENDING <----------+-------------+
 *                     |  the end is written down, the groups are removed
 *                     v
 *                   ENDED ---- release() ----> (gone)
 *
 * status.state is made from the phase and QEMU's run state in one function,
 * qemu_machine_refresh(). */
#pragma once
#include "base/map.h"
#include "drivers/compute/changes.h"
#include "drivers/compute/qemu/call.h"
#include "drivers/compute/qemu/cgroup.h"
#include "drivers/compute/qemu/command_line.h"
#include "drivers/compute/qemu/devices.h"
#include "drivers/compute/qemu/host.h"
#include "drivers/compute/qemu/job.h"
#include "drivers/compute/qemu/monitor.h"
#include "drivers/compute/qemu/size.h"
#include "drivers/compute/qemu/trace.h"

enum { MACHINE_NUMBERS = 65536 };
enum { QEMU_CPU_MILLI = 1000 }; /* of processor time for QEMU's own threads */

struct qemu_driver {
    struct compute compute; /* first: what callers see */
    struct compute_setup setup;
    char *state_dir, *run_dir, *memory_dir;
    struct qemu_host host;
    struct cgroups cgroups;
    struct compute_facts facts;
    char boot_id[40];
    struct changes changes;
    struct qemu_jobs *jobs;
    struct map *machines;                 /* uid: struct qemu_machine */
    struct qemu_call *calls;              /* under way */
    struct guest_telling *tellings;       /* under way; size_guest.c */
    uint8_t numbers[MACHINE_NUMBERS / 8]; /* user ids in use, one bit each, from uid_base */
    size_t log_turn;                      /* whose log is looked after next */
    int64_t fork_began_ms;                /* the last one */
    bool is_closing;
};

enum qemu_phase {
    PHASE_STARTING,
    PHASE_SEEKING,
    PHASE_CONNECTING,
    PHASE_UP,
    PHASE_ENDING,
    PHASE_ENDED,
};

/* A call that waits for the process to be gone. */
struct qemu_waiter {
    struct qemu_waiter *next;
    struct qemu_call *call;
};

struct qemu_machine {
    struct qemu_driver *driver;
    char *uid;
    struct machine_config *config; /* as launched */
    uid_t number;
    bool kvm;
    unsigned devices; /* DEVICES of the daemon that launched it */
    struct trace_paths paths;

    enum qemu_phase phase;
    enum machine_state run_state; /* as the monitor tells it; of PHASE_UP */
    struct machine_status status; /* what observe() answers */

    int pidfd;
    struct loop_source *child;
    struct monitor *monitor;
    struct loop_source *retry; /* seeks the process, or connects again */
    int64_t retry_delay_ms;
    unsigned questions; /* still unanswered before PHASE_UP */

    struct qemu_call *start_call; /* NULL: answered */
    struct err start_err;         /* why it failed, when more is known than how it ended */
    struct loop_source *start_timer;
    bool kill_wanted; /* as soon as there is something to kill */
    bool is_releasing;
    struct trace_end end;        /* known before it has happened; MACHINE_END_NONE: not */
    struct qemu_waiter *waiters; /* for PHASE_ENDED */
    struct loop_source *kill_timer;

    bool is_adopted; /* another daemon may have left half a hot-plug */
    unsigned port_count;
    struct device_id ports[PORTS_MAX]; /* name "": empty */
    struct device_id cdroms[CDROMS_MAX];
    char cdrom_letters[CDROMS_MAX]; /* of the medium's nodes; 0: empty tray */
    struct qemu_plug *plugs;        /* hot-plug at work */
    struct qemu_size size;
    bool is_resizing;               /* one at a time */
    struct qemu_io_error *io_error;
    struct qemu_serial *serial;
    struct qemu_agent *agent;
    struct qemu_identity *identity;
};

/* --- machines.c --- */

struct qemu_machine *qemu_machine_find(struct qemu_driver *driver, const char *uid);
/* Takes over 'take_config'; the machine is in the driver's map, in PHASE_STARTING. */
struct qemu_machine *qemu_machine_new(struct qemu_driver *driver,
                                      struct machine_config *take_config);
void qemu_machine_free(void *machine); /* for the map; ends the calls it holds */
void qemu_machine_set_phase(struct qemu_machine *machine, enum qemu_phase phase);
/* Makes status from what is known, and reports a change. */
void qemu_machine_refresh(struct qemu_machine *machine);
/* Fills the device tables of a new machine as the command line will place them. */
void qemu_machine_place_devices(struct qemu_machine *machine);
/* The machine when its monitor can be talked to; else NULL and why. */
struct qemu_machine *qemu_machine_up(struct qemu_driver *driver, const char *uid, struct err *err);
void qemu_machine_message(struct qemu_machine *machine, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Lowest free user id, or ERR_EXHAUSTED. */
int qemu_number_take(struct qemu_driver *driver, uid_t *ret_number, struct err *err);
void qemu_number_claim(struct qemu_driver *driver, uid_t number);
void qemu_number_free(struct qemu_driver *driver, uid_t number);

/* --- by aspect --- */

void qemu_adopt_all(struct qemu_driver *driver);                         /* adopt.c */
void qemu_launch(struct qemu_machine *machine, const int *take_nic_fds); /* launch.c */
/* The process is there: watches it and connects to its monitor. */
void qemu_watch(struct qemu_machine *machine, pid_t pid, int take_pidfd); /* watch.c */
void qemu_connect(struct qemu_machine *machine);
void qemu_hang_up(struct qemu_machine *machine);
/* Nothing more comes: writes the end down and enters PHASE_ENDED. */
void qemu_finish(struct qemu_machine *machine); /* finish.c */
/* Notes how it is about to end; what was noted first stays. */
void qemu_expect_end(struct qemu_machine *machine, enum machine_end end, const char *message);
void qemu_wait_for_end(struct qemu_machine *machine, struct qemu_call *call);
/* Writes the expected end down, then calls qemu_end_process(). */
void qemu_note_end(struct qemu_machine *machine);
void qemu_end_process(struct qemu_machine *machine); /* life.c */
void qemu_begin_kill(struct qemu_machine *machine);
void qemu_kill_now(struct qemu_machine *machine);
void qemu_guest_shut_down(struct qemu_machine *machine);
void qemu_fork_was_reset(struct qemu_machine *machine);

/* The contract's calls, by file. */
void qemu_start(struct compute *compute, const struct machine_config *config, const int *nic_fds,
                struct done done);
void qemu_release(struct compute *compute, const char *uid, struct done done);
void qemu_press_power(struct compute *compute, const char *uid, struct done done);
void qemu_kill(struct compute *compute, const char *uid, struct done done);
void qemu_reset(struct compute *compute, const char *uid, struct done done);
void qemu_pause(struct compute *compute, const char *uid, struct done done);
void qemu_resume(struct compute *compute, const char *uid, struct done done);

static inline struct qemu_driver *qemu_driver_of(struct compute *compute)
{
    return (struct qemu_driver *)compute;
}
