/* control/instance.h - what the files of the Instance controller share.
 *
 *   instance.c            the ladder: one rung per condition, climbed from below
 *   instance_addresses.c  MAC and IP addresses: chosen once, kept for life
 *   instance_disks.c      the root volume, and the claim on every volume
 *   instance_seed.c       what cloud-init reads
 *   instance_ports.c      ports of the network cards
 *   instance_config.c     from the stored objects to what the compute driver is told
 *   instance_run.c        the machine's start
 *   instance_machine.c    what it was started with; what waits for its next start
 *   instance_plug.c       disks and discs that come and go while it runs
 *   instance_plug_cards.c and network cards
 *   instance_power.c      pause, reset and restart
 *   instance_down.c       stopping, giving back, deleting
 *   instance_end.c        machines that ended by themselves
 *   instance_fork.c       beginning as a Snapshot: from its memory, or by booting
 *   instance_identity.c   what makes a fork somebody else
 *   instance_usage.c      what a running one uses */
#pragma once
#include "control/control.h"

/* One instance as it is found at the beginning of a call. Rungs judge this and nothing else. */
struct scene {
    struct work *work;
    json_t *object;          /* work->object */
    const char *uid, *name, *namespace_name;
    struct machine_status machine;
    json_t *volumes;         /* the Volumes that the spec names, by name; absent ones are not in it */
    json_t *networks;        /* and the Networks */
    struct err no_room;      /* of the host for what the spec wants; code 0: there is */
    struct buf restart;      /* fields that wait for the next start */
    struct buf plugging;     /* devices on their way in or out */
    const char *reason;      /* why a rung does not hold, set by its climb() */
    char message[512];
};

void scene_begin(struct scene *scene, struct work *work);
void scene_done(struct scene *scene);
#define auto_scene __attribute__((cleanup(scene_done)))
/* Says what the rung waits for. 'reason' is static. */
void scene_waits(struct scene *scene, const char *reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same from a failed operation, or 'text' while it runs. */
void scene_waits_for_op(struct scene *scene, const char *op, const char *text);
bool scene_has_process(const struct scene *scene);
const char *scene_text(const struct scene *scene, const char *path); /* view_text of the instance */
const json_t *scene_list(const struct scene *scene, const char *path);

/* --- the rungs' two halves, by file --- */
bool addresses_hold(const struct scene *scene);
void addresses_climb(struct scene *scene);
bool volumes_hold(const struct scene *scene);
void volumes_climb(struct scene *scene);
bool seed_holds(const struct scene *scene);
void seed_climb(struct scene *scene);
bool ports_hold(const struct scene *scene);
void ports_climb(struct scene *scene);
bool machine_holds(const struct scene *scene);
void machine_climb(struct scene *scene);

/* --- addresses --- */
void addresses_adopt(struct control *control, const json_t *instance);
void addresses_forget(struct control *control, const char *instance_uid);
void addresses_settle(struct scene *scene); /* gives old ones back once new ones are stored */
void address_forget(struct scene *scene, const char *nic);
const json_t *address_of(const struct scene *scene, const char *nic); /* item of status.networks */
bool card_is_wanted(const struct scene *scene, const json_t *card);   /* such an item, by the spec */

/* --- volumes --- */
char *root_volume_name(const struct scene *scene);
bool volume_is_usable(const struct scene *scene, const char *name); /* claimed, and as it shall be */
/* Gives up the claims on all volumes (or on those the spec no longer names); true when done. */
bool volumes_unclaim(struct scene *scene, bool all);
/* Has the root volume belong to the instance as rootDisk.deletePolicy says now. */
void root_volume_tie(struct scene *scene);
bool root_volume_dispose(struct scene *scene); /* as rootDisk.deletePolicy says; true when done */

/* --- ports --- */
bool port_is_there(const struct scene *scene, const char *network_uid, const char *nic);
bool port_is_ready(const struct scene *scene, const json_t *card); /* item of status.networks */
bool port_remove(struct scene *scene, const json_t *card);         /* true when it is gone */
bool ports_remove(struct scene *scene);                            /* true when none is left */
/* Those that the status does not name: after an older store was put back. True when none is left. */
bool ports_remove_rest(struct scene *scene);

/* --- down --- */
/* Has the machine stopped, gracefully within stopTimeout, then by force; true when it is absent. */
bool machine_halt(struct scene *scene, struct verdict *ret_verdict);
void machine_release(struct scene *scene);
/* Halts, gives everything back; true when nothing is left. */
bool instance_take_down(struct scene *scene, struct verdict *ret_verdict);
struct verdict instance_finalize(struct work *work, bool *ret_gone);
bool host_is_shutting_down(struct control *control);

/* --- power --- */
/* Has it paused or going, as powerState says; true while that is under way. */
bool power_keep(struct scene *scene);
void reset_obey(struct scene *scene);
bool restart_obey(struct scene *scene); /* true while a restart is under way */
bool is_asked_anew(const struct scene *scene, const char *name); /* "resetAt": spec's is not status' */

/* --- ends --- */
void end_record(struct scene *scene, enum machine_end end, const char *message);
/* The machine ended though it should run: decides once, stores it, releases. */
struct verdict instance_ended(struct scene *scene);
int64_t instance_start_due_ms(const struct scene *scene); /* until the back-off ends; <= 0: now */

/* --- run --- */
void launch_forget(struct scene *scene);
/* For one that waits for something else first: taps that are open are opened anew when it gets to
 * them, as its network cards may be others by then. */
void launch_let_go(struct scene *scene);

/* --- fork: of an instance with spec.snapshot; of others they do nothing --- */
json_t *fork_snapshot(const struct scene *scene); /* owned; NULL: none */
void fork_decide(struct scene *scene);            /* with what is stored before a start */
bool fork_is_starting(const struct scene *scene); /* from memory, as decided */
/* Has the machine go on from the snapshot's memory if that is decided. */
bool fork_configure(const struct scene *scene, struct machine_config *config);
bool fork_has_failed(struct scene *scene);        /* the machine ended before it was a fork: the next start boots */
bool fork_is_unsettled(const struct scene *scene); /* it runs as its parent's double, with its links down */
bool fork_is_busy(const struct scene *scene);      /* so, or still making keys: not to be paused now */
int64_t fork_settle(struct scene *scene);         /* of a machine that runs; milliseconds to the next look, or -1 */
/* The next step to what others see of a fork: '*ret_done', its links are up. -1: it could not be given. */
int identity_give(struct scene *scene, bool *ret_done, struct err *err);
/* The rest, which takes longer; also of what booted. Milliseconds to the next look, or -1. */
int64_t identity_finish(struct scene *scene);
void identity_forget(struct scene *scene);

/* --- config --- */
struct machine_config *machine_config_of(struct scene *scene, struct err *err); /* owned; NULL on failure */
int config_add_disk(struct scene *scene, struct machine_config *config, const json_t *disk,
                    struct err *err); /* an item of spec.disks or status.disks */
int config_add_disc(struct scene *scene, struct machine_config *config, struct err *err);
void config_nic(const struct scene *scene, const json_t *card, struct machine_nic *ret_nic);

/* --- machine --- */
bool machine_is_recorded(const struct scene *scene); /* what is stored is what the spec wants */
void machine_record(struct scene *scene);
json_t *attached_disk(const struct scene *scene, const json_t *disk); /* item for status.disks; owned */
json_t *wanted_medium(const struct scene *scene);                     /* status.cdrom; owned or NULL */
void machine_account(struct scene *scene);
void machine_account_adopt(struct control *control, const json_t *instance);
void restart_needed_for(struct scene *scene, const char *field);
void restart_show(struct scene *scene); /* condition RestartRequired */
void restart_forget(struct scene *scene);

/* --- plug: of a machine that runs --- */
void devices_plug(struct scene *scene);
void cards_plug(struct scene *scene);
bool machine_has(const char (*names)[DEVICE_NAME_SIZE], unsigned count, const char *name);
/* Notes that 'device' is on its way: why the operation failed, or 'text'. */
void plug_waits(struct scene *scene, const char *device, const char *op, const char *text);
void plug_slot_freed(struct scene *scene);

/* --- size: of a machine that runs --- */
void size_follow(struct scene *scene); /* towards spec.cpus and spec.memory; condition Resized */
void size_show(struct scene *scene);   /* status.cpus and .memory */
void size_forget(struct scene *scene);
/* What the host counts of a machine with a process: what it has, as observed or stored. */
void size_counted(const struct scene *scene, int64_t *ret_cpus, int64_t *ret_bytes);

/* --- usage --- */
int64_t usage_show(struct scene *scene); /* milliseconds to the next look */
