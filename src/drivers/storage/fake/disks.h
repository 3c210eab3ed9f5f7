/* drivers/storage/fake/disks.h - the imagined disks and the delayed work on them. */
#pragma once
#include "base/map.h"
#include "base/str.h"
#include "drivers/storage/fake/fake.h"

struct fake_volume {
    char *pool;
    char *uid;
    int64_t size_bytes;
    int64_t allocated_bytes;
    int64_t least_bytes; /* size of the volume it began as */
    char image_uid[40], parent_uid[40];
};
struct fake_image {
    struct image_info info;
};
struct fake_staged { /* what an unfinished import or upload left */
    int64_t fetched_bytes;
    int upload_fd; /* a memfd; -1: no upload */
};

struct storage_fake {
    struct storage_fake_settings settings;
    struct map *volumes; /* "pool path/uid": struct fake_volume */
    struct map *images;  /* uid: struct fake_image */
    struct map *staged;  /* uid: struct fake_staged */
    struct map *seeds;   /* instance uid: its texts */
    storage_fake_in_use_fn *in_use;
    void *in_use_arg;
    char *violation;
    unsigned open_count;
};

void fake_violation(struct storage_fake *disks, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool fake_is_in_use(const struct storage_fake *disks, const char *path);
/* ERR_NO_SPACE when 'bytes' more do not fit beside what 'folder' holds. */
int fake_take_space(const struct storage_fake *disks, const char *folder, int64_t bytes,
                    struct err *err);
int64_t fake_used_bytes(const struct storage_fake *disks, const char *pool);
struct fake_volume *fake_volume_get(const struct storage_fake *disks, const char *pool,
                                    const char *uid);
struct fake_staged *fake_staged_make(struct storage_fake *disks, const char *uid);

struct fake_driver {
    struct storage_driver base;
    struct loop *loop;
    struct storage_fake *disks;
    char *image_dir;
    bool owns_disks;
    struct fake_op *ops; /* under way, oldest first */
};
static inline struct fake_driver *fake_of(struct storage_driver *driver)
{
    return (struct fake_driver *)driver;
}

/* One call under way: its arguments, and what it will report. */
struct fake_op {
    struct fake_driver *driver;
    struct fake_op *next;
    struct loop_source *timer;
    const char *name; /* fault name */
    char *key;        /* calls with one key end in the order they came; NULL: in any */
    int64_t due_ms;
    bool cancelled;

    char *pool, *uid, *image_uid, *volume_uid, *parent_uid, *twin_uid, *url, *sha256, *seed;
    int64_t size;

    /* Changes the disks, or reads them into the results below. */
    int (*effect)(struct fake_op *op, struct err *err);
    void (*report)(struct fake_op *op, const struct err *err);
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
    image_progress_fn *progress;
    unsigned steps_left; /* of an import, before its effect */
    int64_t step_ms;
};

/* A new operation, not yet under way. Texts are copied; NULL stays NULL. */
struct fake_op *fake_op_new(struct storage_driver *driver, const char *name, const char *pool,
                            const char *uid);
void fake_op_start(struct fake_op *take_op);
void fake_op_report_done(struct fake_op *op, const struct err *err);
/* Ends the operation with ERR_CANCELLED, soon. */
void fake_op_cancel(struct fake_op *op);
/* Ends all operations as a crash would: some have done their work, all report ERR_CANCELLED. */
void fake_ops_crash(struct fake_driver *driver);

/* The rows of storage_fake, by aspect. */
void fake_pool_ensure(struct storage_driver *driver, const struct storage_pool *pool,
                      struct done done);
void fake_pool_read(struct storage_driver *driver, const struct storage_pool *pool,
                    pool_usage_fn *fn, void *arg);
char **fake_pool_list(struct storage_driver *driver, const struct storage_pool *pool);
void fake_volume_create(struct storage_driver *driver, const struct volume_request *request,
                        struct done done);
void fake_volume_read(struct storage_driver *driver, const struct storage_pool *pool,
                      const char *uid, volume_info_fn *fn, void *arg);
void fake_volume_grow(struct storage_driver *driver, const struct storage_pool *pool,
                      const char *uid, int64_t size_bytes, struct done done);
void fake_volume_remove(struct storage_driver *driver, const struct storage_pool *pool,
                        const char *uid, struct done done);
char *fake_volume_vars(struct storage_driver *driver, const struct storage_pool *pool, const char *uid);
int fake_volume_source(struct storage_driver *driver, const struct storage_pool *pool,
                       const char *uid, struct disk_source *ret_source, struct err *err);
void fake_image_import(struct storage_driver *driver, const struct image_request *request,
                       image_progress_fn *progress, image_info_fn *fn, void *arg);
void fake_image_cancel(struct storage_driver *driver, const char *uid);
int fake_image_upload(struct storage_driver *driver, const char *uid, int *ret_fd,
                      int64_t *ret_offset, struct err *err);
void fake_image_read(struct storage_driver *driver, const char *uid, image_info_fn *fn, void *arg);
int fake_image_boot(struct storage_driver *driver, const char *uid, struct image_boot *ret_boot,
                    struct err *err);
void fake_image_remove(struct storage_driver *driver, const char *uid, struct done done);
char **fake_image_list(struct storage_driver *driver);
void fake_seed_write(struct storage_driver *driver, const char *instance_uid, const char *meta_data,
                     const char *user_data, const char *network_config, struct done done);
int fake_seed_source(struct storage_driver *driver, const char *instance_uid,
                     struct disk_source *ret_source, struct err *err);
void fake_seed_remove(struct storage_driver *driver, const char *instance_uid, struct done done);
