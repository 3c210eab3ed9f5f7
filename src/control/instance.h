/* control/instance.h - what the files of the Instance controller share.
 *
 *   instance.c            the ladder: one rung per condition, climbed from below
 *   instance_addresses.c  MAC and IP addresses: chosen once, kept for life
 *   instance_disks.c      the root volume, and the claim on every volume
 *   instance_seed.c       what cloud-init reads
 *   instance_ports.c      ports of the network cards
 *   instance_run.c        from the stored objects to a started machine
 *   instance_down.c       stopping, giving back, deleting
 *   instance_end.c        machines that ended by themselves
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
const json_t *address_of(const struct scene *scene, const char *nic); /* item of status.networks */

/* --- volumes --- */
char *root_volume_name(const struct scene *scene);
/* Gives up the claims on all volumes (or on those the spec no longer names); true when done. */
bool volumes_unclaim(struct scene *scene, bool all);
bool root_volume_dispose(struct scene *scene); /* as rootDisk.deletePolicy says; true when done */

/* --- ports --- */
bool port_is_there(const struct scene *scene, const char *network_uid, const char *nic);
bool ports_remove(struct scene *scene); /* true when none is left */

/* --- down --- */
/* Has the machine stopped, gracefully within stopTimeout, then by force; true when it is absent. */
bool machine_halt(struct scene *scene, struct verdict *ret_verdict);
void machine_release(struct scene *scene);
/* Halts, gives everything back; true when nothing is left. */
bool instance_take_down(struct scene *scene, struct verdict *ret_verdict);
struct verdict instance_finalize(struct work *work, bool *ret_gone);
bool host_is_shutting_down(struct control *control);

/* --- ends --- */
void end_record(struct scene *scene, enum machine_end end, const char *message);
/* The machine ended though it should run: decides once, stores it, releases. */
struct verdict instance_ended(struct scene *scene);
int64_t instance_start_due_ms(const struct scene *scene); /* until the back-off ends; <= 0: now */

/* --- run --- */
void launch_forget(struct scene *scene);
void disks_attach(struct scene *scene); /* those that the spec has and the running machine has not */

/* --- usage --- */
int64_t usage_show(struct scene *scene); /* milliseconds to the next look */
