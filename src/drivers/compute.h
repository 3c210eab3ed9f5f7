/* drivers/compute.h - the contract of what runs machines (QEMU; a fake for simulations).
 *
 * How a machine lives:
 *  1. start() writes down what is needed to find the process again, then launches it.
 *  2. The driver watches the process and its monitor and calls 'changed' whenever
 *     observe() would answer differently. Callers re-read; events carry no data.
 *  3. After a daemon restart open() finds every process again before it returns
 *     its first observation; a machine is never launched twice for one uid.
 *  4. release() removes every trace of a machine whose process has ended, but for its logs:
 *     they can be read until logs_remove(), or until the next start() begins new ones.
 * The driver knows nothing of the store. All functions belong to the loop thread and
 * return at once; 'done' comes later. Machines are named by uid (the object's UUID). */
#pragma once
#include "base/done.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/netaddr.h"
#include "base/worker.h"
#include <stdint.h>

enum { MACHINE_MEMORY_STEP = 4 * 1024 * 1024 }; /* bytes; resize() rounds up to it */
enum { MACHINE_DISKS_MAX = 24, MACHINE_NICS_MAX = 8, DISK_CHAIN_MAX = 16, DEVICE_NAME_SIZE = 64 };

/* A disk as a chain of files, the writable one first, its backing files after it. */
struct disk_file {
    char *path;
    char *format; /* "qcow2" or "raw" */
};
struct disk_source {
    struct disk_file files[DISK_CHAIN_MAX];
    unsigned file_count;
    bool read_only;
};
struct machine_disk {
    char name[DEVICE_NAME_SIZE]; /* stable within the machine: "root", "data" */
    struct disk_source source;
    bool is_cdrom;
    int boot_index;              /* from 1; 0: not booted from */
};
struct machine_nic {
    char name[DEVICE_NAME_SIZE];
    struct mac_addr mac;
    unsigned mtu;                /* 0: 1500 */
    int boot_index;
};
struct machine_config {
    char *uid;
    char *name;            /* "default/web", for the process title and the log only */
    unsigned cpus;
    int64_t memory_bytes;
    /* What resize() can give it while it runs; 0 or less than the above: no more than it starts with. */
    unsigned cpus_max;
    int64_t memory_bytes_max;
    bool uefi;
    /* File of the UEFI variables (what an installer adds to the boot order), made from the
     * firmware's template when absent; the caller keeps and removes it. NULL: the machine's own,
     * which goes with release(). */
    char *firmware_vars;
    enum machine_accelerator { ACCELERATOR_AUTO, ACCELERATOR_KVM, ACCELERATOR_TCG } accelerator;
    char *kernel, *initrd, *command_line; /* direct kernel boot when 'kernel' is not NULL */
    struct machine_disk disks[MACHINE_DISKS_MAX];
    unsigned disk_count;
    struct machine_nic nics[MACHINE_NICS_MAX];
    unsigned nic_count;
    bool vnc;
    bool guest_agent;
    bool start_paused;
    /* A frozen machine (freeze()) to go on from instead of booting: as many processors, as much
     * memory, the same disks and NICs in the same order as it had. Its links are down until
     * nic_link(). NULL: boots. */
    char *frozen;
    char *machine_type;    /* "pc-q35-7.2"; NULL: the driver chooses and reports it */
    /* Upper limits for the machine's cgroup. */
    unsigned cpu_limit_milli;      /* thousandths of a processor; 0: cpus and one for QEMU */
};
/* The larger of what it starts with and what it can be given. */
unsigned machine_cpus_most(const struct machine_config *config);
int64_t machine_memory_most(const struct machine_config *config);
void machine_config_free(struct machine_config *config); /* deep; NULL is fine */
DEFINE_AUTO(struct machine_config, machine_config_free)
struct machine_config *machine_config_copy(const struct machine_config *config); /* deep */
/* 'ret_copy' is freed with disk_source_done() of storage.h. */
void disk_source_copy(struct disk_source *ret_copy, const struct disk_source *source);

enum machine_state {
    MACHINE_ABSENT,     /* no process and no trace */
    MACHINE_LAUNCHING,  /* process up, monitor not ready; also found again by open() and not heard of yet */
    MACHINE_RUNNING,
    MACHINE_PAUSED,     /* by request */
    MACHINE_IO_PAUSED,  /* stopped on a write error; resumes by itself when there is space */
    MACHINE_CRASHED,    /* the guest panicked or was stopped by an internal error; process still up */
    MACHINE_ENDED,      /* process gone, traces left: release() it */
};

enum machine_end {
    MACHINE_END_NONE,
    MACHINE_END_GUEST_SHUTDOWN, /* the guest powered itself off, or obeyed the power button */
    MACHINE_END_HOST_STOP,      /* kill() or a host signal ended it as asked */
    MACHINE_END_GUEST_PANIC,    /* it ended after a panic, and not by kill() */
    MACHINE_END_PROCESS_DIED,   /* QEMU crashed or was killed from outside */
    MACHINE_END_START_FAILED,   /* the process never came up; 'message' says why */
    MACHINE_END_GUEST_RESET,    /* a fork was reset, by its guest or by reset(): it boots when it is started anew */
};

struct machine_usage {
    int64_t wall_ms;              /* when it was read; 0: never */
    uint64_t cpu_ns;              /* processor time used since launch */
    int64_t memory_bytes;         /* resident, of the whole process */
    int64_t guest_memory_bytes;   /* used as the guest sees it (balloon); 0: unknown */
    uint64_t disk_read_bytes, disk_write_bytes, disk_read_ops, disk_write_ops;
};

struct machine_status {
    enum machine_state state;
    enum machine_end end;        /* of MACHINE_ENDED */
    char message[256];           /* why, for people; QEMU's last words for START_FAILED */
    pid_t pid;                   /* 0 when no process */
    int64_t launched_wall_ms;
    bool is_tcg;
    bool agent_connected;        /* the guest agent answered lately */
    bool shutdown_requested;     /* power button pressed and not yet obeyed */
    bool is_fork;                /* went on from a frozen machine, and has not been started anew since */
    char machine_type[32];
    /* What the guest has now; 0: no process. Processors that it does not use do not count, where its
     * agent tells; memory that it was offered and has not taken does not either. */
    unsigned cpus;
    int64_t memory_bytes;
    struct machine_usage usage;
    unsigned disk_count, nic_count;
    char disks[MACHINE_DISKS_MAX][DEVICE_NAME_SIZE]; /* present now, hot-plugged ones included */
    char nics[MACHINE_NICS_MAX][DEVICE_NAME_SIZE];
};

struct compute_setup {
    struct loop *loop;
    struct worker_pool *workers;
    const char *state_dir; /* persistent, 0700 root: one folder per machine */
    const char *run_dir;   /* sockets; emptied by a reboot of the host */
    /* A tmpfs for the memory of frozen machines; NULL: run_dir. Where it has no room they lie in
     * state_dir. */
    const char *memory_dir;
    uid_t uid_base;        /* first of the 65536 user ids that machines may be given */
    void (*changed)(void *arg, const char *uid);
    void *arg;
};

/* What the host can do, found once at open(). */
struct compute_facts {
    bool kvm_usable;
    char kvm_reason[128];      /* why not, for people */
    char version[64];          /* "QEMU 7.2.22" */
    char default_machine_type[32];
    bool has_uefi;
    char cgroup[128];          /* "v1: cpu, memory" / "v2" / why limits are not available */
};

typedef void compute_fd_fn(void *arg, const struct err *err, int take_fd);
typedef void compute_json_fn(void *arg, const struct err *err, const json_t *result);
typedef void compute_bytes_fn(void *arg, const struct err *err, const void *bytes, size_t size);

struct compute {
    const struct compute_ops *ops;
};

struct compute_ops {
    const char *name;
    /* Finds running machines again; may block for short file reads. NULL and 'err' on failure. */
    struct compute *(*open)(const struct compute_setup *setup, struct err *err);
    /* Machines run on. Calls that are still under way end with ERR_CANCELLED before this
     * returns; what they began is found as it is by the next open(). */
    void (*close)(struct compute *compute);
    const struct compute_facts *(*facts)(struct compute *compute);

    /* Pure reads of the driver's knowledge. */
    void (*observe)(struct compute *compute, const char *uid, struct machine_status *ret_status);
    /* Uids of all machines that left a trace; a NULL-terminated array and its texts, for the
     * caller to free with compute_uids_free(). */
    char **(*list)(struct compute *compute);

    /* Launches a machine that is MACHINE_ABSENT; it is MACHINE_LAUNCHING when this returns.
     * 'nic_fds' (consumed, also on failure) are the opened taps in the order of config->nics.
     * done: the monitor answers and the guest runs (or stands paused); on error the machine is
     * MACHINE_ENDED with the reason, but for ERR_ALREADY_EXISTS: it was not absent. */
    void (*start)(struct compute *compute, const struct machine_config *config, const int *nic_fds,
                  struct done done);
    /* From here to agent(): ERR_NOT_FOUND when the machine is absent, ERR_CONFLICT when it is in
     * no state for it. What is so already succeeds: kill() of an ended or absent machine,
     * pause() of a paused one, detaching what is not there.
     * Power button (ACPI). done: pressed, not obeyed. */
    void (*press_power)(struct compute *compute, const char *uid, struct done done);
    void (*kill)(struct compute *compute, const char *uid, struct done done); /* done: process gone */
    void (*reset)(struct compute *compute, const char *uid, struct done done); /* a crashed one runs again */
    void (*pause)(struct compute *compute, const char *uid, struct done done);
    void (*resume)(struct compute *compute, const char *uid, struct done done);
    /* Forgets an ended machine: folder, sockets, cgroup. Idempotent. ERR_CONFLICT: it runs. */
    void (*release)(struct compute *compute, const char *uid, struct done done);
    /* Removes the logs of a machine that is absent. Idempotent. ERR_CONFLICT: it is not. */
    void (*logs_remove)(struct compute *compute, const char *uid, struct done done);
    /* Uids of all machines that left logs, present or absent; as list(). Reads a folder. */
    char **(*logs_list)(struct compute *compute);

    /* Gives a machine that runs so many processors and so much memory. done: the guest was asked and
     * its processors are so; memory follows as the guest takes it and gives it back, in steps of
     * MACHINE_MEMORY_STEP, and status.memory_bytes with it. What is so already succeeds.
     * ERR_UNSUPPORTED: only a start can do it; nothing was changed. ERR_UNAVAILABLE: the guest does
     * not answer (yet), and processors are taken only by its agent. ERR_EXHAUSTED: it uses the
     * memory that it should give back, and gave what it could spare. */
    void (*resize)(struct compute *compute, const char *uid, unsigned cpus, int64_t memory_bytes,
                   struct done done);

    void (*disk_attach)(struct compute *compute, const char *uid, const struct machine_disk *disk,
                        struct done done);
    void (*disk_detach)(struct compute *compute, const char *uid, const char *disk_name,
                        struct done done); /* done: the guest let go and the file is closed,
                                            * also what an attach that was cut off left */
    void (*disk_resize)(struct compute *compute, const char *uid, const char *disk_name,
                        int64_t size_bytes, struct done done); /* grows file and guest at once */
    void (*nic_attach)(struct compute *compute, const char *uid, const struct machine_nic *nic,
                       int take_fd, struct done done);
    void (*nic_detach)(struct compute *compute, const char *uid, const char *nic_name,
                       struct done done);
    /* NULL source: empty the tray. */
    void (*cdrom_change)(struct compute *compute, const char *uid, const char *disk_name,
                         const struct disk_source *source, struct done done);

    /* A connected stream to the serial console or VNC server. Several consoles may be open; each
     * begins with what was said last (up to 16 KiB), and all may type. ERR_CONFLICT from
     * vnc_open() and screenshot(): the machine was started without a display. */
    void (*console_open)(struct compute *compute, const char *uid, compute_fd_fn *fn, void *arg);
    void (*vnc_open)(struct compute *compute, const char *uid, compute_fd_fn *fn, void *arg);
    /* Read end of a log file of the last run, also of an absent machine: the serial log or QEMU's
     * own. ERR_NOT_FOUND: it has not been started since its logs were removed. */
    void (*log_open)(struct compute *compute, const char *uid, bool qemu_log, compute_fd_fn *fn,
                     void *arg);
    void (*screenshot)(struct compute *compute, const char *uid, compute_bytes_fn *fn, void *arg); /* PNG */

    /* One guest agent command ("guest-exec" ...); result is the agent's "return". ERR_UNAVAILABLE and
     * ERR_EXHAUSTED: it was not asked. ERR_TIMEOUT and ERR_IO: it was, and may have been carried out.
     * 'timeout_ms' is how long the guest may be silent; an answer that keeps coming may take twelve times
     * as long. */
    void (*agent)(struct compute *compute, const char *uid, const char *command,
                  const json_t *arguments, int64_t timeout_ms, compute_json_fn *fn, void *arg);

    /* Tells the program that waits for it in the guest of a fork who that is (guest/identity.h). done:
     * it is so. ERR_TIMEOUT: nobody answers; ERR_INTERNAL: it could not, in its own words. May be
     * told again. */
    void (*identify)(struct compute *compute, const char *uid, const void *bytes, size_t size,
                     struct done done);

    /* Link of a network card, as if its cable were pulled or plugged. */
    void (*nic_link)(struct compute *compute, const char *uid, const char *nic_name, bool is_up,
                     struct done done);

    /* Writes memory and device state of a machine that runs or is paused down under 'name' (a
     * UUID), for others to go on from. done: it is MACHINE_PAUSED with all its links down, and its
     * disks are flushed and may be copied; resume() and nic_link() let it go on. On error it is as
     * it was. ERR_CONFLICT: it is a fork itself, or has another size than it was started with.
     * ERR_UNSUPPORTED: a daemon started it that gave machines other devices. ERR_ALREADY_EXISTS: the name
     * is taken. It is gone after a reboot of the host, and when a daemon opens that gives machines other
     * devices. */
    void (*freeze)(struct compute *compute, const char *uid, const char *name, struct done done);
    /* Machines that went on from it are not touched. Idempotent. */
    void (*frozen_remove)(struct compute *compute, const char *name, struct done done);
    /* Names of whole ones; NULL-terminated, freed with compute_uids_free(). Short file reads. */
    char **(*frozen_list)(struct compute *compute);

    /* Refreshes status.usage of all running machines; 'changed' is not called for it. */
    void (*sample)(struct compute *compute, struct done done);
};
void compute_uids_free(char **uids); /* NULL is fine */
DEFINE_AUTO(char *, compute_uids_free)

extern const struct compute_ops compute_qemu;

/* One call to the monitor of a running machine, for tests and diagnosis of compute_qemu only. */
void compute_qemu_monitor(struct compute *compute, const char *uid, const char *command,
                          const json_t *arguments, compute_json_fn *fn, void *arg);
