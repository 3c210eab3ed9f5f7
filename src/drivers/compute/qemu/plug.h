/* drivers/compute/qemu/plug.h - one device on its way into a running machine, or out of it.
 *
 * A plug goes from step to step; each step is a command to the monitor, a worker job or the
 * wait for the guest. A step that cannot be made any more ends it with an error. */
#pragma once
#include "drivers/compute/qemu/parts.h"

enum { PLUG_GUEST_MS = 30 * 1000 }; /* for a guest to let go of a device */

struct qemu_plug;
typedef void plug_step(struct qemu_plug *plug, const struct err *err);

struct qemu_plug {
    struct qemu_plug *next, **link; /* of the machine's; 'link' NULL: the driver is closed */
    struct qemu_driver *driver;
    struct qemu_machine *machine; /* NULL with 'link' */
    struct qemu_call *call;       /* NULL: nobody waits any more */
    struct device_id id;
    unsigned asked;            /* answers of the monitor that are still to come */
    bool is_dead;              /* freed with the last of them */
    struct loop_source *timer; /* waits for the guest */
    bool guest_let_go;         /* being cleaned up after */
    bool in_job;               /* comes back by itself */

    struct node_base base; /* of a chain of files */
    struct disk_source source;
    struct machine_disk disk; /* without its source */
    struct machine_nic nic;
    int fds[DISK_CHAIN_MAX]; /* opened, until they are QEMU's */
    unsigned fdsets[DISK_CHAIN_MAX];
    unsigned outstanding;      /* commands sent together */
    struct err err;            /* the first thing that went wrong */
    plug_step *wiped, *opened; /* what follows a chain's work */
};

struct qemu_plug *plug_new(struct qemu_machine *machine, struct qemu_call *call,
                           const struct device_id *id);
/* Ends the call, if somebody still waits, and frees the plug. */
void plug_end(struct qemu_plug *plug, const struct err *err);
void plug_free(struct qemu_plug *plug); /* closes what it opened; its call has ended */
/* One command; 'fn' is called with an error at once when there is no monitor. */
void plug_ask(struct qemu_plug *plug, const char *command, json_t *take_arguments, int take_fd,
              monitor_fn *fn);

/* Opens plug->source and makes its block nodes, deepest first; on failure nothing is left. */
void chain_open(struct qemu_plug *plug, plug_step *then);
/* Deletes all nodes and fdsets of plug->base, also of a chain half made. */
void chain_wipe(struct qemu_plug *plug, plug_step *then);
