/* control/internal.h - the framework's own state, shared by its files and by nobody else. */
#pragma once
#include "base/map.h"
#include "control/control.h"

/* One object that a controller looks after. */
struct entry {
    struct control *control;
    const struct controller *controller;
    char *key;
    char *uid;                    /* of the object last seen, "" before */
    bool is_queued;               /* waits in the queue */
    bool is_writing;              /* its write-back is on the way to disk: wait for it */
    bool is_stale;                /* something happened while writing */
    bool gone;                    /* the object is gone; the entry goes when no operation runs */
    uint64_t life;                /* number of the object; another one of that name has another */
    unsigned write_failures;
    struct loop_source *timer;    /* armed for the next look */
    int64_t due_ms;               /* loop time it is armed for, -1: not armed */
    struct map *ops;              /* name to struct op; NULL until the first */
    unsigned running_ops;
    uint64_t ops_begun;           /* so far */
    char **depends_on;            /* keys registered by work_find() */
    size_t depends_on_count;
    struct entry *next;           /* in the queue */
};

struct control {
    struct control_setup setup;
    char *host_name, *state_dir;
    struct map *entries;          /* key to struct entry, owned */
    uint64_t lives;               /* of entries, so far */
    struct map *keys_by_uid;      /* uid to key text */
    struct map *dependents;       /* key looked at to a set (struct map) of keys looking */
    struct entry *queue_first, *queue_last;
    struct loop_source *runner;   /* deferred call that takes the next of the queue */
    struct store_watch *watch;
    struct recorder *recorder;
    struct map *extensions;       /* what controllers keep: name to struct extension */
    struct pending *pending_first; /* writes on their way, to be cut off when the control goes */
    struct ticket *ticket_first;   /* operations on their way, likewise */
    struct carrier_link *carrier_first; /* and those that bring values */
    struct map *results;           /* results.c: "key#name" to a value */
    struct decoded *decoded;
};

/* --- decoded.c --- */
enum { DECODED_MAX = 256 }; /* objects that are kept, of some ten KiB each */
struct decoded *decoded_new(void);
void decoded_free(struct decoded *decoded); /* NULL is fine */
/* The object of a record, counted, and not the caller's to change: others have the same. */
json_t *decoded_get(struct decoded *decoded, const struct record *record);

/* --- queue.c --- */
struct entry *entry_get(struct control *control, const char *key);  /* NULL when not known */
struct entry *entry_ensure(struct control *control, const struct controller *controller,
                           const char *key);
void entry_queue(struct entry *entry);
void entry_queue_after(struct entry *entry, int64_t delay_ms); /* keeps an earlier date */
void entry_drop(struct entry *entry);      /* the object is gone */
void entry_free(void *entry);
void queue_stop(struct control *control);

/* --- reconcile.c --- */
void reconcile_entry(struct entry *entry);

/* --- dependencies.c --- */
void dependencies_clear(struct entry *entry);
void dependencies_add(struct entry *entry, const char *key);
void dependencies_wake(struct control *control, const char *key);

/* --- ops.c --- */
void ops_cut_off(struct control *control);
/* Forgets all operations; those that run end unheard. */
void ops_forget(struct entry *entry);

/* --- results.c --- */
void carriers_cut_off(struct control *control);
void results_forget(struct control *control, const char *key);

/* --- watch.c --- */
int watch_start(struct control *control, struct err *err);
const struct controller *controller_of_kind(const struct kind *kind);
const struct controller *controller_of_key(const char *key);
extern const struct controller *const all_controllers[]; /* NULL-terminated */

/* --- events.c --- */
struct recorder *recorder_new(struct control *control);
void recorder_free(struct recorder *recorder);
void recorder_record(struct recorder *recorder, const struct kind *kind, const json_t *object,
                     const char *type, const char *reason, const char *message);

/* --- write.c --- */
/* 'control' is NULL once the control has gone: what is left then is to free 'arg'. */
typedef void pending_fn(struct control *control, void *arg, const struct err *err);
/* A put or remove whose answer always comes, even after the control has gone. */
void write_put(struct control *control, const char *key, const json_t *object, int64_t expected,
               pending_fn *fn, void *arg);
void write_remove(struct control *control, const char *key, const json_t *object, int64_t expected,
                  pending_fn *fn, void *arg);
void write_cut_off(struct control *control);
char *key_of(const struct kind *kind, const char *namespace_name, const char *name);

/* --- defaults.c --- */
#define SYSTEM_NAMESPACE "virga-system"
void defaults_make(struct control *control);

/* What a controller keeps beside the store, by name; freed with the control. */
void *control_extension(struct control *control, const char *name); /* NULL: not set */
void control_set_extension(struct control *control, const char *name, void *state,
                           void (*free_state)(void *state));
