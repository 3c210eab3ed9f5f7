/* tests/sim/spy_storage.c - judges what is asked of disks and images. */
#include "spy.h"
#include "base/mem.h"
#include "drivers/storage/fake/disks.h"
#include <stdlib.h>

struct spy {
    struct storage_driver driver;
    struct sim *sim;
    struct storage_driver *inner;
};

static struct sim *sim_of(struct storage_driver *driver) { return ((struct spy *)driver)->sim; }
static struct storage_driver *inner_of(struct storage_driver *driver)
{
    return ((struct spy *)driver)->inner;
}

/* --- pools --- */

static void pool_ensure(struct storage_driver *driver, const struct storage_pool *pool,
                        struct done done)
{
    inner_of(driver)->ops->pool_ensure(inner_of(driver), pool,
                                       spy_answer(sim_of(driver), done, false, "ensure pool %s",
                                                  pool->path));
}

static void pool_read(struct storage_driver *driver, const struct storage_pool *pool,
                      pool_usage_fn *fn, void *arg)
{
    inner_of(driver)->ops->pool_read(inner_of(driver), pool, fn, arg);
}

static char **pool_list(struct storage_driver *driver, const struct storage_pool *pool)
{
    return inner_of(driver)->ops->pool_list(inner_of(driver), pool);
}

/* --- volumes --- */

static void volume_create(struct storage_driver *driver, const struct volume_request *request,
                          struct done done)
{
    struct sim *sim = sim_of(driver);
    struct thing *thing = spy_expects_wanted(sim, "volume_create", request->uid);

    inner_of(driver)->ops->volume_create(inner_of(driver), request,
                                         spy_answer(sim, done, false, "create %s", thing->key));
}

static void volume_read(struct storage_driver *driver, const struct storage_pool *pool,
                        const char *uid, volume_info_fn *fn, void *arg)
{
    spy_tell(sim_of(driver), "read volume %s", uid);
    inner_of(driver)->ops->volume_read(inner_of(driver), pool, uid, fn, arg);
}

static void volume_grow(struct storage_driver *driver, const struct storage_pool *pool,
                        const char *uid, int64_t size_bytes, struct done done)
{
    struct sim *sim = sim_of(driver);
    struct thing *thing = spy_expects_wanted(sim, "volume_grow", uid);

    inner_of(driver)->ops->volume_grow(inner_of(driver), pool, uid, size_bytes,
                                       spy_answer(sim, done, false, "grow %s to %lld", thing->key,
                                                  (long long)size_bytes));
}

static void volume_remove(struct storage_driver *driver, const struct storage_pool *pool,
                          const char *uid, struct done done)
{
    struct sim *sim = sim_of(driver);

    const struct thing *thing = thing_here(sim, uid);

    /* What is left of a snapshot that was not taken to its end is made anew. */
    if (!thing || thing->kind != &kind_snapshot || !str_equal(thing_text(thing, "status.phase"), "Taking"))
        spy_expects_unwanted(sim, "volume_remove", uid);
    inner_of(driver)->ops->volume_remove(inner_of(driver), pool, uid,
                                         spy_answer(sim, done, false, "remove volume %s", uid));
}

static int volume_source(struct storage_driver *driver, const struct storage_pool *pool,
                         const char *uid, struct disk_source *ret_source, struct err *err)
{
    return inner_of(driver)->ops->volume_source(inner_of(driver), pool, uid, ret_source, err);
}

/* --- images --- */

static void image_import(struct storage_driver *driver, const struct image_request *request,
                         image_progress_fn *progress, image_info_fn *fn, void *arg)
{
    struct thing *thing = spy_expects_wanted(sim_of(driver), "image_import", request->uid);

    spy_tell(sim_of(driver), "import %s", thing->key);
    inner_of(driver)->ops->image_import(inner_of(driver), request, progress, fn, arg);
}

static void image_cancel(struct storage_driver *driver, const char *uid)
{
    spy_expects_unwanted(sim_of(driver), "image_cancel", uid);
    inner_of(driver)->ops->image_cancel(inner_of(driver), uid);
}

static int image_upload(struct storage_driver *driver, const char *uid, int *ret_fd,
                        int64_t *ret_offset, struct err *err)
{
    return inner_of(driver)->ops->image_upload(inner_of(driver), uid, ret_fd, ret_offset, err);
}

static void image_read(struct storage_driver *driver, const char *uid, image_info_fn *fn, void *arg)
{
    inner_of(driver)->ops->image_read(inner_of(driver), uid, fn, arg);
}

static int image_boot(struct storage_driver *driver, const char *uid, struct image_boot *ret_boot,
                      struct err *err)
{
    return inner_of(driver)->ops->image_boot(inner_of(driver), uid, ret_boot, err);
}

static void image_remove(struct storage_driver *driver, const char *uid, struct done done)
{
    struct sim *sim = sim_of(driver);

    spy_expects_unwanted(sim, "image_remove", uid);
    inner_of(driver)->ops->image_remove(inner_of(driver), uid,
                                        spy_answer(sim, done, false, "remove image %s", uid));
}

static char **image_list(struct storage_driver *driver)
{
    return inner_of(driver)->ops->image_list(inner_of(driver));
}

/* --- seeds --- */

static void seed_write(struct storage_driver *driver, const char *instance_uid,
                       const char *meta_data, const char *user_data, const char *network_config,
                       struct done done)
{
    struct sim *sim = sim_of(driver);
    struct thing *thing = spy_expects_wanted(sim, "seed_write", instance_uid);

    inner_of(driver)->ops->seed_write(inner_of(driver), instance_uid, meta_data, user_data,
                                      network_config,
                                      spy_answer(sim, done, false, "write seed of %s", thing->key));
}

static int seed_source(struct storage_driver *driver, const char *instance_uid,
                       struct disk_source *ret_source, struct err *err)
{
    return inner_of(driver)->ops->seed_source(inner_of(driver), instance_uid, ret_source, err);
}

static void seed_remove(struct storage_driver *driver, const char *instance_uid, struct done done)
{
    struct sim *sim = sim_of(driver);

    spy_expects_unwanted(sim, "seed_remove", instance_uid);
    inner_of(driver)->ops->seed_remove(inner_of(driver), instance_uid,
                                       spy_answer(sim, done, false, "remove seed of %s", instance_uid));
}

static void close_spy(struct storage_driver *driver)
{
    inner_of(driver)->ops->close(inner_of(driver));
    free(driver);
}

static const struct storage_ops spy_ops = {
    .name = "spy",
    .close = close_spy,
    .pool_ensure = pool_ensure,
    .pool_read = pool_read,
    .pool_list = pool_list,
    .volume_create = volume_create,
    .volume_read = volume_read,
    .volume_grow = volume_grow,
    .volume_remove = volume_remove,
    .volume_source = volume_source,
    .image_import = image_import,
    .image_cancel = image_cancel,
    .image_upload = image_upload,
    .image_read = image_read,
    .image_boot = image_boot,
    .image_remove = image_remove,
    .image_list = image_list,
    .seed_write = seed_write,
    .seed_source = seed_source,
    .seed_remove = seed_remove,
};

struct storage_driver *spy_storage_new(struct sim *sim, const struct storage_setup *setup)
{
    struct spy *spy = mem_new(struct spy);

    *spy = (struct spy){ { &spy_ops }, sim, storage_fake_open(sim->disks, setup) };
    return &spy->driver;
}

void disk_grows(struct sim *sim, const char *path, int64_t size_bytes)
{
    const char *key;
    void *each;

    for (size_t at = 0; map_next(sim->disks->volumes, &at, &key, &each);) {
        struct fake_volume *volume = each;
        auto_free char *file = str_printf("%s/disk.qcow2", key);
        if (str_equal(file, path) && volume->size_bytes < size_bytes)
            volume->size_bytes = size_bytes;
    }
}
