/* store/store.h - versioned objects: get, list, compare-and-swap, delete, watch.
 *
 * The contract that SQLite, memory and later etcd meet. One counter, the
 * revision, rises with every write; each record carries the revision of its
 * last write; a watch resumes from a revision. Values are opaque bytes, but for
 * one thing: the object text must show its own revision (metadata.resourceVersion),
 * which is known only when it is written. So a value has a gap, an offset at
 * which the store inserts the decimal revision, and everything read back has the
 * gap filled. LIST and WATCH therefore hand out stored bytes and parse nothing.
 *
 * All functions belong to the loop thread and answer from an in-memory copy of
 * the latest committed state; only commits leave the thread. Events reach
 * watchers after the commit is durable, in revision order. */
#pragma once
#include "base/auto.h"
#include "base/done.h"
#include "base/loop.h"
#include <stddef.h>
#include <stdint.h>

struct store;

/* One version of one object; immutable and counted. */
struct record {
    const char *key;        /* "/virga.dev/instances/default/web", see object_key() */
    int64_t revision;       /* of the write that made this version */
    int64_t created;        /* revision of the object's creation */
    const char *bytes;      /* canonical JSON text with the gap filled, NUL-terminated */
    size_t size;
    void *extra;            /* owned by the index hook (store_set_index), may be NULL */
};
struct record *record_ref(struct record *record);
void record_unref(struct record *record); /* NULL is fine */
DEFINE_AUTO(struct record, record_unref)

enum { STORE_GAP_NONE = -1 };

struct store_value {
    const char *bytes; /* borrowed during the call */
    size_t size;
    ptrdiff_t gap;     /* offset where the decimal revision is inserted; STORE_GAP_NONE: nowhere */
};

enum {
    STORE_ANY_REVISION = -1, /* whatever is there, or nothing */
    STORE_MUST_NOT_EXIST = 0
};

/* Bounds. Writes that wait are those submitted and not durable yet. */
enum {
    STORE_KEY_LENGTH_MAX = 1024,
    STORE_VALUE_SIZE_MAX = 8 * 1024 * 1024,
    STORE_WAITING_COUNT_MAX = 16384,
    STORE_WAITING_SIZE_MAX = 32 * 1024 * 1024,
};

/* Called once, later from the loop, when the write is durable ('record' is the new
 * version, borrowed; for a deletion its last state with the revision of the deletion)
 * or failed: ERR_CONFLICT (exists at another revision), ERR_ALREADY_EXISTS,
 * ERR_NOT_FOUND, ERR_TOO_LARGE, ERR_TOO_MANY (writes wait), ERR_NO_SPACE, ERR_IO,
 * ERR_CANCELLED (the store is closing). Nothing is changed then. When a
 * commit fails, all writes that are not durable yet fail with it. Calls come in
 * the order of submission. May be NULL. */
typedef void store_done_fn(void *arg, const struct err *err, const struct record *record);

enum store_event_type { STORE_ADDED, STORE_MODIFIED, STORE_DELETED };
struct store_event {
    enum store_event_type type;
    struct record *record;   /* the new state; if deleted the last, at that revision */
    struct record *previous; /* the state before; NULL for STORE_ADDED */
};
typedef void store_watch_fn(void *arg, const struct store_event *event);
struct store_watch;

struct store_ops {
    const char *name;
    /* Finishes queued commits first and makes their calls. All watches must be gone. Not from
     * inside a call of the store. */
    void (*free)(struct store *store);
    struct record *(*get)(struct store *store, const char *key); /* a reference, or NULL */
    /* Records whose key starts with 'prefix' and is greater than 'after' (NULL: from the
     * start), in key order, at most 'limit' (0: all). References in an array the caller frees
     * with record_list_free(). '*ret_remaining' (may be NULL) counts those beyond the limit. */
    struct record **(*list)(struct store *store, const char *prefix, const char *after,
                            size_t limit, size_t *ret_count, size_t *ret_remaining);
    int64_t (*revision)(struct store *store); /* of the last committed write; 1 in a new store */
    int64_t (*compacted)(struct store *store);  /* a watch can resume from this revision on */
    void (*put)(struct store *store, const char *key, struct store_value value, int64_t expected,
                store_done_fn *fn, void *arg);
    /* 'last' is what watchers get as the object's last state (its gap filled with the
     * deletion's revision). */
    void (*remove)(struct store *store, const char *key, struct store_value last, int64_t expected,
                   store_done_fn *fn, void *arg);
    /* Events with revision > 'from' for keys that start with 'prefix', each once, in order,
     * first call later from the loop, and after the call that acknowledges the write. When it
     * comes, get() and list() may already show later states. from -1: from now. ERR_COMPACTED when
     * 'from' is too old; ERR_TIMEOUT when it lies in the future. */
    struct store_watch *(*watch)(struct store *store, const char *prefix, int64_t from,
                                 store_watch_fn *fn, void *arg, struct err *err);
    void (*watch_free)(struct store_watch *watch);
    /* Forgets events up to 'revision', each as soon as every watch has got it. */
    void (*compact)(struct store *store, int64_t revision);
    /* ERR_NO_SPACE, ERR_IO while the last commit failed; 0 when healthy. The store goes on
     * answering reads, and tries by itself whether it can write again. */
    int (*health)(struct store *store, struct err *err);
    /* Why the last try to copy the database failed; 0: it did not. '*ret_wall_ms' is in either case
     * when the last complete copy was made; 0: there is none. */
    int (*backup)(struct store *store, int64_t *ret_wall_ms, struct err *err);
};
struct store {
    const struct store_ops *ops;
};

/* The record hook: 'make' is called once per new record on the loop thread before anyone sees
 * it (the API keeps parsed labels there); 'free_extra' when the record goes. Set before use. */
struct store_index {
    void *(*make)(void *arg, const struct record *record);
    void (*free_extra)(void *extra);
    void *arg;
};
void store_set_index(struct store *store, struct store_index index);

void record_list_free(struct record **records, size_t count);

/* How much history is kept for resuming watches: events that are younger than
 * 'history_ms', but at most 'history_count_max' of them, and at most
 * 'history_size_max' bytes of object states that are no longer current. */
enum {
    STORE_HISTORY_MS = 5 * 60 * 1000, /* as etcd in Kubernetes */
    STORE_HISTORY_COUNT = 100000,
    STORE_HISTORY_SIZE = 16 * 1024 * 1024,
};

enum { STORE_BACKUP_INTERVAL_MS = 24 * 3600 * 1000 }; /* what virgad asks for */

/* Opens or creates the database in 'directory'. Takes an exclusive lock:
 * ERR_CONFLICT when another daemon has it. Blocks while it loads. */
struct store_sqlite_options {
    const char *directory;
    int64_t history_ms;       /* 0: STORE_HISTORY_MS */
    size_t history_count_max; /* 0: STORE_HISTORY_COUNT */
    size_t history_size_max;  /* 0: STORE_HISTORY_SIZE */
    /* How often "virga.db" is copied to "virga.db.backup" beside it, while writes go on; 0: never.
     * A copy that fails leaves the old one and is tried again after an hour. */
    int64_t backup_interval_ms;
};
struct store *store_sqlite_open(struct loop *loop, const struct store_sqlite_options *options,
                                struct err *err);
/* For tests: the same contract without a disk. Events do not grow too old here. The fault
 * point "store.commit" makes a commit fail. */
struct store *store_memory_new(struct loop *loop);
/* For simulations, a store in memory only: as if the process had died here and been started again.
 * Of the writes that are not durable the first 'kept_count' have become so, and the others are
 * lost. The calls of both are made at once, with ERR_CANCELLED, so that they can free what they
 * hold; what was known of them died. */
void store_memory_crash(struct store *store, size_t kept_count);

static inline void store_free(struct store *store) { store->ops->free(store); }
DEFINE_AUTO(struct store, store_free)
