/* drivers/compute/qemu/frozen.h - folders of frozen machines.
 *
 *   MEMORY/NAME or STATE/frozen/NAME     whole; NAME.new is being made
 *     memory       the guest's memory, with holes; forks map it copy-on-write
 *     state        device state, as QEMU migrates it
 *     frozen.json  what a fork must be like
 *
 * Forks open 'memory' for writing, as QEMU wants it, though they never write (nor punch holes, see
 * launch.c): the file is open to all, in folders that only root may enter. Blocking, for worker jobs
 * and open(). */
#pragma once
#include "drivers/compute/qemu/trace.h"

/* What a machine is beside its configuration. */
struct frozen_make {
    char machine_type[32];
    char boot_id[40];
    unsigned devices; /* DEVICES of the daemon that launched it */
};

struct frozen_dirs {
    char *memory_dir; /* tmpfs */
    char *disk_dir;   /* where that has no room */
};
/* A memory_dir that is not ours alone is not used. */
void frozen_dirs_init(struct frozen_dirs *dirs, const struct compute_setup *setup);
void frozen_dirs_done(struct frozen_dirs *dirs);

/* Removes what was not finished, and what nothing can go on from: of an earlier boot of the host, or with
 * other devices. */
void frozen_sweep(const struct frozen_dirs *dirs, const char *boot_id);

/* Makes NAME.new where 'memory_bytes' fit, with an empty 'state' open for writing. ERR_ALREADY_EXISTS;
 * ERR_NO_SPACE: neither place has room. '*ret_path' is the caller's. */
int frozen_begin(const struct frozen_dirs *dirs, const char *name, int64_t memory_bytes, char **ret_path,
                 int *ret_state_fd, struct err *err);
/* Makes 'path' in 'dir', which goes with the last frozen machine, and then perhaps just now: it is
 * made anew, and for root alone. */
int frozen_make_folder(const char *dir, const char *path, struct err *err);
/* Copies the memory behind 'memory_fd', writes what forks must be like, and gives it its name. */
int frozen_finish(const char *path, int memory_fd, const struct machine_config *config,
                  const struct frozen_make *make, struct err *err);
/* Removes a path of frozen_begin() that came to nothing. */
void frozen_abandon(const char *path);

/* Folder of a whole one; ERR_NOT_FOUND. The caller frees it. */
char *frozen_path(const struct frozen_dirs *dirs, const char *name, struct err *err);
/* Whether 'config' can go on from it, and as what. ERR_INVALID says how they differ. */
int frozen_check(const char *path, const struct machine_config *config, struct frozen_make *ret_make,
                 struct err *err);
int frozen_delete(const struct frozen_dirs *dirs, const char *name, struct err *err);
char **frozen_names(const struct frozen_dirs *dirs);
