/* drivers/compute/qemu/trace.h - what is written down about a machine, so that a daemon
 * killed at any instant is followed by one that finds every process, once.
 *
 *   STATE/UID/lock          locked by the process itself: it inherits the open description, so
 *                           the lock is held from before the vfork until its very end, also
 *                           while nobody has written down its pid yet
 *   STATE/UID/record.json   the intent, before anything is started
 *   STATE/UID/end.json      how it ended; before that, how it is about to end
 *   STATE/UID/vars.fd
 *   STATE/logs/UID/serial.log, qemu.log   of the last run; stay when all else goes
 *   RUN/UID/process.json    pid and start time
 *   RUN/UID/started         the guest has run
 *   RUN/UID/monitor, serial, agent      sockets
 *
 * Nothing is synced to disk: when the host goes down the processes go with it. Blocking,
 * for worker jobs and open(). */
#pragma once
#include "drivers/compute.h"

struct trace {
    struct machine_config *config;
    uid_t number;     /* user id the process runs as */
    char boot_id[40]; /* of the host's boot it was launched in */
    int64_t launched_wall_ms;
    bool kvm;
    unsigned devices; /* DEVICES of the daemon that launched it; 1: not written down */
    char machine_type[32];
};
void trace_done(struct trace *trace);

struct trace_process {
    pid_t pid;
    uint64_t start_ticks;
};

struct trace_end {
    enum machine_end end;
    char message[256];
};

/* STATE/UID, RUN/UID and STATE/logs/UID; the caller frees them. */
struct trace_paths {
    char *state, *run, *logs;
};
void trace_paths_init(struct trace_paths *paths, const char *state_dir, const char *run_dir,
                      const char *uid);
void trace_paths_done(struct trace_paths *paths);

/* Makes STATE/UID and RUN/UID and takes the lock. '*ret_fd' is the lock: closing the last copy of it
 * frees it. ERR_CONFLICT: somebody holds it, so a process lives. */
int trace_lock(const struct trace_paths *paths, int *ret_fd, struct err *err);
/* Whether somebody holds the lock. */
bool trace_is_locked(const struct trace_paths *paths);

int trace_write(const struct trace_paths *paths, const struct trace *trace, struct err *err);
int trace_read(const struct trace_paths *paths, struct trace *ret_trace, struct err *err);
int trace_write_process(const struct trace_paths *paths, const struct trace_process *process,
                        struct err *err);
int trace_read_process(const struct trace_paths *paths, struct trace_process *ret_process,
                       struct err *err);
int trace_write_end(const struct trace_paths *paths, const struct trace_end *end, struct err *err);
int trace_read_end(const struct trace_paths *paths, struct trace_end *ret_end, struct err *err);
void trace_forget_end(const struct trace_paths *paths);
int trace_write_started(const struct trace_paths *paths, struct err *err);
bool trace_was_started(const struct trace_paths *paths);
/* Removes all but the logs, the record first: what is left without one is rubbish. */
int trace_remove(const struct trace_paths *paths, struct err *err);

/* Makes STATE/logs/UID anew, empty. */
int trace_begin_logs(const struct trace_paths *paths, struct err *err);
int trace_remove_logs(const struct trace_paths *paths, struct err *err);
/* The folder of all logs; the caller frees it. */
char *trace_logs_dir(const char *state_dir);

/* Finds the live process of user 'number' that was called with "-uuid UID". ERR_NOT_FOUND. */
int trace_find_process(const char *uid, uid_t number, struct trace_process *ret_process,
                       struct err *err);
/* This boot of the host. */
int trace_boot_id(char to[40], struct err *err);
