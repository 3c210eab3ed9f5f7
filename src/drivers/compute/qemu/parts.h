/* drivers/compute/qemu/parts.h - the aspects of a machine whose monitor answers.
 *
 * qemu_parts_start() each time it comes up, qemu_parts_stop() when the process is gone; each
 * aspect keeps its own state behind a pointer in struct qemu_machine. */
#pragma once
#include "drivers/compute/qemu/machine.h"

void qemu_parts_start(struct qemu_machine *machine);
/* Ends the calls under way with 'why'. NULL-safe: parts that were never started. */
void qemu_parts_stop(struct qemu_machine *machine, const struct err *why);

/* events.c: the hook of the monitor; 'machine' is a struct qemu_machine. */
void qemu_on_event(void *machine, const char *name, const json_t *data);

/* run_state.c: what QEMU says the guest does. */
void qemu_read_run_state(struct qemu_machine *machine, const char *text);
void qemu_ask_run_state(struct qemu_machine *machine);

/* inventory.c: what is plugged in, after the daemon was away. */
void qemu_read_devices(struct qemu_machine *machine, const json_t *peripherals);
void qemu_read_blocks(struct qemu_machine *machine, const json_t *blocks);

/* io_error.c: write errors that stopped the guest. */
void qemu_on_block_io_error(struct qemu_machine *machine, const json_t *data);
void qemu_io_error_begin(struct qemu_machine *machine, const char *disk, bool no_space);
/* The guest runs again, for now. */
void qemu_io_error_resumed(struct qemu_machine *machine);
/* The guest stopped for another reason, or was resumed by hand. */
void qemu_io_error_forget(struct qemu_machine *machine);
/* Between a write error and the proof that writing works again. */
bool qemu_io_error_holds(const struct qemu_machine *machine);

/* hotplug.c */
void qemu_on_device_deleted(struct qemu_machine *machine, const json_t *data);
void qemu_on_unplug_refused(struct qemu_machine *machine, const json_t *data);
/* The monitor is gone: ends the calls under way with 'why'. */
void qemu_plugs_stop(struct qemu_machine *machine, const struct err *why);
void qemu_disk_attach(struct compute *compute, const char *uid, const struct machine_disk *disk,
                      struct done done);
void qemu_disk_detach(struct compute *compute, const char *uid, const char *disk_name,
                      struct done done);
void qemu_disk_resize(struct compute *compute, const char *uid, const char *disk_name,
                      int64_t size_bytes, struct done done);
void qemu_nic_attach(struct compute *compute, const char *uid, const struct machine_nic *nic,
                     int take_fd, struct done done);
void qemu_nic_detach(struct compute *compute, const char *uid, const char *nic_name,
                     struct done done);
void qemu_cdrom_change(struct compute *compute, const char *uid, const char *disk_name,
                       const struct disk_source *source, struct done done);

/* links.c, freeze.c */
void qemu_nic_link(struct compute *compute, const char *uid, const char *nic_name, bool is_up,
                   struct done done);
void qemu_freeze(struct compute *compute, const char *uid, const char *name, struct done done);
void qemu_frozen_remove(struct compute *compute, const char *name, struct done done);
char **qemu_frozen_list(struct compute *compute);

/* agent.c */
void qemu_read_chardevs(struct qemu_machine *machine, const json_t *chardevs);
void qemu_on_port_change(struct qemu_machine *machine, const json_t *data);
void qemu_agent_start(struct qemu_machine *machine);
/* The guest that it served is no more: its commands end now. */
void qemu_agent_guest_gone(struct qemu_machine *machine, const char *why);
void qemu_agent_stop(struct qemu_machine *machine, const struct err *why);
void qemu_agent(struct compute *compute, const char *uid, const char *command,
                const json_t *arguments, int64_t timeout_ms, compute_json_fn *fn, void *arg);

/* identity.c; started before the machine is up, so that a frozen state finds its port open. */
void qemu_identity_start(struct qemu_machine *machine);
void qemu_identity_stop(struct qemu_machine *machine, const struct err *why);
void qemu_identify(struct compute *compute, const char *uid, const void *bytes, size_t size, struct done done);

/* serial.c */
void qemu_serial_start(struct qemu_machine *machine);
void qemu_serial_stop(struct qemu_machine *machine);
void qemu_console_open(struct compute *compute, const char *uid, compute_fd_fn *fn, void *arg);

/* logs.c */
void qemu_log_open(struct compute *compute, const char *uid, bool qemu_log, compute_fd_fn *fn,
                   void *arg);
void qemu_logs_remove(struct compute *compute, const char *uid, struct done done);
char **qemu_logs_list(struct compute *compute);
/* Cuts the logs to their bound, in a job. */
void qemu_logs_trim(struct qemu_machine *machine);
/* The same for one machine after the other, one with each sample. */
void qemu_logs_look_after(struct qemu_driver *driver);
enum { SERIAL_LOG_SIZE_MAX = 8 * 1024 * 1024, QEMU_LOG_SIZE_MAX = 1024 * 1024 };
/* Keeps the last half of 'size_max' when the file is larger. Blocking. */
int qemu_log_cut(const char *path, off_t size_max, struct err *err);

/* screen.c */
void qemu_vnc_open(struct compute *compute, const char *uid, compute_fd_fn *fn, void *arg);
void qemu_screenshot(struct compute *compute, const char *uid, compute_bytes_fn *fn, void *arg);

/* usage.c */
void qemu_sample(struct compute *compute, struct done done);
