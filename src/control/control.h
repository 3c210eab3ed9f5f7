/* control/control.h - what every controller stands on: watches, work queue, operations, events.
 *
 * A controller compares what is wanted (spec) with what is (the driver's observation) and takes
 * the next step. It is called for one object at a time and returns at once:
 *
 *   store event, driver change, timer, end of an operation
 *        |  key into the work queue (once, however many reasons)
 *        v
 *   reconcile(work)  reads work->object, looks at others with work_find(), asks the driver's
 *        |           observe(), starts operations, edits status and finalizers in place
 *        v
 *   the framework writes the object back when it differs (compare-and-swap; a conflict comes
 *   back as another reconcile) and calls again after verdict.again_ms
 *
 * What a controller decides (an address, a host, a claim on a volume) must be stored before it is
 * acted on: it edits the object, returns, and acts when it sees its own decision in the stored
 * object at the next call. Then a crash at any point loses nothing and repeats nothing. */
#pragma once
#include "base/done.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/worker.h"
#include "drivers/balancer.h"
#include "drivers/compute.h"
#include "drivers/network.h"
#include "drivers/storage.h"
#include "kinds/kind.h"
#include "store/store.h"

struct control;

struct control_setup {
    struct loop *loop;
    struct worker_pool *workers; /* NULL: no history of Autoscalers is kept */
    struct store *store;
    const char *host_name;       /* of the Host object that is this machine */
    const char *state_dir;       /* default pool: STATE/pools/default; STATE/autoscalers */
    struct compute *compute;
    struct network_driver *network;
    struct storage_driver *storage;
    struct balancer_driver *balancer; /* NULL: load balancers wait */
    int64_t host_cpus;           /* 0: as found */
    int64_t host_memory_bytes;   /* 0: as found */
    int64_t usage_interval_ms;   /* how often status.usage is refreshed; 0: 10 s */
};

/* Makes the default objects (namespace default, pool default, network default, the Host),
 * starts all controllers, and notes for the Host what drivers have and no object knows. */
struct control *control_new(const struct control_setup *setup, struct err *err);
void control_free(struct control *control); /* machines and networks run on */
DEFINE_AUTO(struct control, control_free)

/* For the daemon: pass what drivers report ('changed' hooks). */
void control_machine_changed(struct control *control, const char *uid);
void control_network_changed(struct control *control, const char *network_uid);
void control_balancer_changed(struct control *control, const char *uid);
/* All bytes of an uploaded image have come. The image controller goes on with the import; after a
 * crash the client finds by GET .../content what is there and sends the rest. */
void control_image_uploaded(struct control *control, const char *image_name);
/* Stops all instances of this host in order and calls 'done' when none runs. Their powerState
 * stays, so that they start again with the next virgad. */
void control_shutdown_host(struct control *control, struct done done);

/* What the kind's controller holds new objects by; NULL: it has none. For api_options.finalizer. */
const char *control_finalizer(const struct kind *kind);

/* A value of a custom metric, as an application pushes it: of one member, or ('member' NULL) of the
 * whole group. It counts for 30 s. */
struct pushed_metric {
    const char *name, *member;
    double value;
};
/* All of them or none. ERR_CONFLICT: no Autoscaler scales the group; ERR_INVALID: it knows no such
 * metric, or a value is no amount; ERR_TOO_MANY: more values than are held. */
int control_push_metrics(struct control *control, const char *namespace_name, const char *group,
                         const struct pushed_metric *pushed, size_t count, struct err *err);

/* Has what was not yet written of the history of an Autoscaler written (control/autoscaler_logbook.h). */
void control_write_logbook(struct control *control, const char *uid);

/* What an object takes from others where it says nothing itself; for api_options.fill. Pure reads of
 * the store. */
void control_fill(void *control, const struct kind *kind, json_t *object);
/* The admission rules that need other objects; for api_options.admit. Pure reads of the store. */
void control_admit(void *control, const struct kind *kind, json_t *object, const json_t *old,
                   struct causes *causes);

/* --- for controllers --- */

struct work {
    struct control *control;
    const struct controller *controller;
    const char *key;     /* store key of the object */
    json_t *object;      /* an own copy; edit status and metadata.finalizers, .ownerReferences only */
};

/* When to be called again though nothing changed; VERDICT_SETTLED waits for a change. */
struct verdict {
    int64_t again_ms;
};
#define VERDICT_SETTLED ((struct verdict){ -1 })
#define VERDICT_AGAIN(ms) ((struct verdict){ (ms) })

struct controller {
    const struct kind *kind;
    const char *finalizer; /* kept on every object of the kind until 'finalize' says it may go; or NULL */
    struct verdict (*reconcile)(struct work *work);
    /* Deletion was asked for: undo. '*ret_gone' true removes the finalizer. */
    struct verdict (*finalize)(struct work *work, bool *ret_gone);
    /* Once, before any reconcile: rebuild in-memory accounts from the stored objects. May be NULL. */
    int (*start)(struct control *control, struct err *err);
};
extern const struct controller controller_instance, controller_image, controller_pool,
    controller_volume, controller_snapshot, controller_network, controller_host,
    controller_balancer, controller_instance_group, controller_autoscaler, controller_hpa;

const struct control_setup *control_setup(const struct control *control);
int64_t control_wall_ms(const struct control *control);

/* The latest stored object, owned by the caller; NULL when there is none. work_find() also has this
 * work called again whenever that object changes, appears or goes. */
json_t *work_find(struct work *work, const struct kind *kind, const char *namespace_name,
                  const char *name);
/* The same to look at only: it is not to be changed, for others have the same. It costs next to nothing. */
json_t *work_look(struct work *work, const struct kind *kind, const char *namespace_name, const char *name);
json_t *control_find(struct control *control, const struct kind *kind, const char *namespace_name,
                     const char *name);
/* Is it there? Decodes it only when it may be going. */
bool control_has(struct control *control, const struct kind *kind, const char *namespace_name,
                 const char *name, bool *ret_is_deleting);
json_t *control_find_uid(struct control *control, const struct kind *kind, const char *uid);
/* Calls 'fn' for every object of a kind in a namespace (NULL: all), decoded, in key order.
 * work_each() also has this work called again whenever one of them changes, appears or goes. */
void work_each(struct work *work, const struct kind *kind, const char *namespace_name,
               void (*fn)(void *arg, const json_t *object), void *arg);
void control_each(struct control *control, const struct kind *kind, const char *namespace_name,
                  void (*fn)(void *arg, const json_t *object), void *arg);
/* The same, but only those in whose text 'mention' (a uid, a name) stands somewhere: the others are
 * not decoded, which is what takes the time among thousands. */
void control_each_mentioning(struct control *control, const struct kind *kind,
                             const char *namespace_name, const char *mention,
                             void (*fn)(void *arg, const json_t *object), void *arg);
/* Has an object looked at again soon. */
void control_wake(struct control *control, const struct kind *kind, const char *namespace_name,
                  const char *name);
void control_wake_key(struct control *control, const char *key);

/* Operations: one driver call in flight, by name, per object. A failed one is tried again with
 * backoff (1 s doubling to 60 s, with jitter), a running one is never started twice. Operations live
 * in memory only: after a crash the observation decides. */
enum op_state { OP_IDLE, OP_RUNNING, OP_FAILED };
enum op_state work_op(struct work *work, const char *op, struct err *ret_err); /* err of OP_FAILED */
/* True when the caller may start it now: not running, and not within the backoff of a failure (a
 * call is then arranged for its end). Marks it running; pass the result of work_op_done() on. */
bool work_op_begin(struct work *work, const char *op);
struct done work_op_done(struct work *work, const char *op);
void work_op_reset(struct work *work, const char *op); /* forget failures and success */
void work_op_drop(struct work *work, const char *op);  /* the same, and of one that runs its end, too */
/* Has it succeeded since this daemon began (or since the last work_op_reset)? An operation that must
 * be repeated when the spec changes carries the generation in its name: "ensure 3". */
bool work_op_succeeded(struct work *work, const char *op);

/* Writes of other objects than the one in work. Asynchronous; failures come back as 'done'. */
void control_create(struct control *control, const struct kind *kind, json_t *take_object,
                    struct done done);
/* Compare-and-swap on the revision inside 'take_object'. Counts metadata.generation as the API does. */
void control_update(struct control *control, const struct kind *kind, json_t *take_object,
                    struct done done);
/* As a DELETE request would: sets deletionTimestamp, or removes when there are no finalizers. */
void control_delete(struct control *control, const struct kind *kind, const char *namespace_name,
                    const char *name, struct done done);

/* A core/v1 Event about the object; the same reason again counts up. Rate-limited per object,
 * kept for an hour. 'type' is "Normal" or "Warning". */
void work_event(struct work *work, const char *type, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* status shortcuts on work->object */
void work_phase(struct work *work, const char *phase, const char *message); /* message NULL: none */
void work_condition(struct work *work, const char *type, bool holds, const char *reason,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));
