/* drivers/storage/directory/directory.h - inside the driver: one operation per call, and the
 * rows of its table by aspect.
 *
 * Operations run in threads of the driver's own, because close() has to wait for them: short
 * ones in 'quick', those that wait for long child processes in 'slow', so that downloads never
 * hold up the start of a machine. Operations with the same key run one after another. */
#pragma once
#include "base/map.h"
#include "base/worker.h"
#include "drivers/storage.h"
#include "drivers/storage/directory/child.h"
#include "drivers/storage/directory/place.h"

enum { QUICK_THREADS = 4, SLOW_THREADS = 4 };

struct directory {
    struct storage_driver base;
    struct loop *loop;
    struct place place;
    struct worker_pool *quick, *slow;
    struct op *ops; /* under way and waiting, oldest first */
    bool closing;
};
static inline struct directory *directory_of(struct storage_driver *driver)
{
    return (struct directory *)driver;
}

/* What a running import says of itself; written by its thread, read by the loop. */
struct op_progress {
    _Atomic(const char *) step; /* static text; NULL: not begun */
    _Atomic(int64_t) bytes, total;
};

struct op {
    struct directory *driver; /* for the loop's side only */
    struct place *place;
    struct op *next;
    const char *name; /* fault point passed before its work */
    char *key;        /* NULL: waits for no other */
    bool is_slow, is_running;
    atomic_bool forget; /* an import that is to remove what it staged when it ends */
    struct cancel cancel;

    /* Its arguments: copies. */
    char *pool, *uid, *image_uid, *volume_uid, *parent_uid, *twin_uid;
    char *url, *checksum;
    char *meta_data, *user_data, *network_config;
    int64_t size;

    int (*work)(struct op *op, struct err *err); /* in a thread */
    void (*report)(struct op *op, const struct err *err);
    union {
        pool_usage_fn *usage_fn;
        volume_info_fn *volume_fn;
        image_info_fn *image_fn;
    };
    struct done done;
    void *arg;
    union {
        struct pool_usage usage;
        struct volume_info volume;
        struct image_info image;
    };

    image_progress_fn *progress_fn;
    struct op_progress progress;
    struct loop_source *progress_timer;
};

/* A new operation, reporting to 'done' unless told otherwise. Texts are copied; NULL stays. */
struct op *op_new(struct storage_driver *driver, const char *name, const char *pool,
                  const char *uid);
void op_start(struct op *take_op);
void op_report_image(struct op *op, const struct err *err);
/* Ends all operations with ERR_CANCELLED, waiting for their threads. */
void ops_end(struct directory *driver);

/* For the threads: says what an import does now. */
void op_step(struct op *op, const char *step, int64_t total);

void pool_ensure(struct storage_driver *driver, const struct storage_pool *pool, struct done done);
void pool_read(struct storage_driver *driver, const struct storage_pool *pool, pool_usage_fn *fn,
               void *arg);
char **pool_list(struct storage_driver *driver, const struct storage_pool *pool);
void volume_create(struct storage_driver *driver, const struct volume_request *request,
                   struct done done);
void volume_read(struct storage_driver *driver, const struct storage_pool *pool, const char *uid,
                 volume_info_fn *fn, void *arg);
void volume_grow(struct storage_driver *driver, const struct storage_pool *pool, const char *uid,
                 int64_t size_bytes, struct done done);
void volume_remove(struct storage_driver *driver, const struct storage_pool *pool, const char *uid,
                   struct done done);
char *volume_vars(struct storage_driver *driver, const struct storage_pool *pool, const char *uid);
int volume_source(struct storage_driver *driver, const struct storage_pool *pool, const char *uid,
                  struct disk_source *ret_source, struct err *err);
void image_import(struct storage_driver *driver, const struct image_request *request,
                  image_progress_fn *progress, image_info_fn *fn, void *arg);
void image_cancel(struct storage_driver *driver, const char *uid);
int image_upload(struct storage_driver *driver, const char *uid, int *ret_fd, int64_t *ret_offset,
                 struct err *err);
void image_read_info(struct storage_driver *driver, const char *uid, image_info_fn *fn, void *arg);
int image_boot(struct storage_driver *driver, const char *uid, struct image_boot *ret_boot,
               struct err *err);
void image_remove(struct storage_driver *driver, const char *uid, struct done done);
char **image_list(struct storage_driver *driver);
void seed_write(struct storage_driver *driver, const char *instance_uid, const char *meta_data,
                const char *user_data, const char *network_config, struct done done);
int seed_source(struct storage_driver *driver, const char *instance_uid,
                struct disk_source *ret_source, struct err *err);
void seed_remove(struct storage_driver *driver, const char *instance_uid, struct done done);
