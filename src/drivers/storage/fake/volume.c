/* drivers/storage/fake/volume.c - imagined pools and volumes. */
#include "base/mem.h"
#include "drivers/storage/fake/disks.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRESH_VOLUME_BYTES = 200 * 1024 };

static int ensure_pool(struct fake_op *op, struct err *err)
{
    if (op->pool[0] != '/')
        return err_set(err, ERR_INVALID, "%s: the path of a pool begins with '/'", op->pool);
    return 0;
}

void fake_pool_ensure(struct storage_driver *driver, const struct storage_pool *pool,
                      struct done done)
{
    struct fake_op *op = fake_op_new(driver, "storage.fake.pool_ensure", pool->path, NULL);

    op->effect = ensure_pool;
    op->done = done;
    fake_op_start(op);
}

static int read_pool(struct fake_op *op, struct err *err)
{
    const struct storage_fake *disks = op->driver->disks;
    int64_t used = fake_used_bytes(disks, op->pool);

    (void)err;
    op->usage = (struct pool_usage){
        .capacity_bytes = disks->settings.capacity_bytes,
        .available_bytes = disks->settings.capacity_bytes - disks->settings.foreign_bytes - used,
        .used_bytes = used,
    };
    return 0;
}

static void report_usage(struct fake_op *op, const struct err *err)
{
    op->usage_fn(op->arg, err, err ? NULL : &op->usage);
}

void fake_pool_read(struct storage_driver *driver, const struct storage_pool *pool,
                    pool_usage_fn *fn, void *arg)
{
    struct fake_op *op = fake_op_new(driver, "storage.fake.pool_read", pool->path, NULL);

    op->effect = read_pool;
    op->report = report_usage;
    op->usage_fn = fn;
    op->arg = arg;
    fake_op_start(op);
}

char **fake_pool_list(struct storage_driver *driver, const struct storage_pool *pool)
{
    const struct map *volumes = fake_of(driver)->disks->volumes;
    char **uids = mem_array(map_count(volumes) + 1, sizeof *uids);
    size_t count = 0;
    const char *key;
    void *value;

    for (size_t at = 0; map_next(volumes, &at, &key, &value);) {
        const struct fake_volume *volume = value;
        if (str_equal(volume->pool, pool->path))
            uids[count++] = str_dup(volume->uid);
    }
    return uids;
}

static unsigned depth_of(const struct storage_fake *disks, const char *pool, const struct fake_volume *volume)
{
    unsigned count = volume->image_uid[0] ? 1 : 0;

    for (; volume; volume = volume->parent_uid[0] ? fake_volume_get(disks, pool, volume->parent_uid) : NULL)
        count++;
    return count;
}

/* It begins as another volume. */
static int take_after(struct fake_op *op, struct fake_volume *volume, struct err *err)
{
    const struct storage_fake *disks = op->driver->disks;
    const char *uid = op->volume_uid ? op->volume_uid : op->parent_uid ? op->parent_uid : op->twin_uid;
    const struct fake_volume *from = fake_volume_get(disks, op->pool, uid);

    if (!from)
        return err_set(err, ERR_NOT_FOUND, "volume %s does not exist", uid);
    if (op->parent_uid && depth_of(disks, op->pool, from) >= DISK_CHAIN_MAX)
        return err_set(err, ERR_TOO_LARGE, "volume %s stands on too many others", uid);
    volume->least_bytes = from->size_bytes;
    if (!op->parent_uid)
        volume->allocated_bytes = from->allocated_bytes;
    if (op->volume_uid)
        return 0;
    memcpy(volume->image_uid, from->image_uid, sizeof volume->image_uid);
    snprintf(volume->parent_uid, sizeof volume->parent_uid, "%s", op->parent_uid ? uid : from->parent_uid);
    return 0;
}

/* What a new volume begins with: its image, its source, or nothing. */
static int fill_volume(struct fake_op *op, struct fake_volume *volume, struct err *err)
{
    const struct storage_fake *disks = op->driver->disks;
    int64_t least = 0;

    volume->allocated_bytes = FRESH_VOLUME_BYTES;
    if (op->image_uid) {
        const struct fake_image *image = map_get(disks->images, op->image_uid);
        if (!image)
            return err_set(err, ERR_NOT_FOUND, "image %s does not exist", op->image_uid);
        if (image->info.is_cdrom)
            return err_set(err, ERR_INVALID, "image %s is a CD-ROM", op->image_uid);
        least = image->info.virtual_bytes;
        snprintf(volume->image_uid, sizeof volume->image_uid, "%s", op->image_uid);
    } else if (op->volume_uid || op->parent_uid || op->twin_uid) {
        if (take_after(op, volume, err) < 0)
            return -1;
        least = volume->least_bytes;
    }
    if (volume->size_bytes == 0)
        volume->size_bytes = least;
    if (volume->size_bytes <= 0)
        return err_set(err, ERR_INVALID, "a volume needs a size");
    if (volume->size_bytes < least)
        return err_set(err, ERR_INVALID, "%" PRId64 " bytes are less than the %" PRId64 " copied",
                       volume->size_bytes, least);
    return fake_take_space(disks, op->pool, volume->allocated_bytes, err);
}

static int create_volume(struct fake_op *op, struct err *err)
{
    struct storage_fake *disks = op->driver->disks;
    const struct fake_volume *there = fake_volume_get(disks, op->pool, op->uid);
    struct fake_volume filled = { .size_bytes = op->size };
    struct fake_volume *volume;
    auto_free char *key = NULL;

    if (there && (op->size == 0 || there->size_bytes == op->size) &&
        (!op->parent_uid || str_equal(there->parent_uid, op->parent_uid)))
        return 0;
    if (there)
        return err_set(err, ERR_ALREADY_EXISTS, "volume %s exists with another size or parent", op->uid);
    if (fill_volume(op, &filled, err) < 0)
        return -1;
    volume = mem_copy(&filled, sizeof filled);
    volume->pool = str_dup(op->pool);
    volume->uid = str_dup(op->uid);
    key = str_printf("%s/%s", op->pool, op->uid);
    map_set(disks->volumes, key, volume);
    return 0;
}

void fake_volume_create(struct storage_driver *driver, const struct volume_request *request,
                        struct done done)
{
    struct fake_op *op =
        fake_op_new(driver, "storage.fake.volume_create", request->pool.path, request->uid);

    op->key = str_printf("%s/%s", request->pool.path, request->uid);
    op->size = (request->size_bytes + 511) / 512 * 512;
    op->image_uid = str_dup(request->image_uid);
    op->volume_uid = str_dup(request->volume_uid);
    op->parent_uid = str_dup(request->parent_uid);
    op->twin_uid = str_dup(request->twin_uid);
    op->effect = create_volume;
    op->done = done;
    fake_op_start(op);
}

static int read_volume(struct fake_op *op, struct err *err)
{
    const struct fake_volume *volume = fake_volume_get(op->driver->disks, op->pool, op->uid);

    (void)err;
    if (!volume)
        return 0;
    op->volume = (struct volume_info){
        .exists = true,
        .size_bytes = volume->size_bytes,
        .allocated_bytes = volume->allocated_bytes,
    };
    snprintf(op->volume.image_uid, sizeof op->volume.image_uid, "%s", volume->image_uid);
    snprintf(op->volume.parent_uid, sizeof op->volume.parent_uid, "%s", volume->parent_uid);
    return 0;
}

static void report_volume(struct fake_op *op, const struct err *err)
{
    op->volume_fn(op->arg, err, err ? NULL : &op->volume);
}

void fake_volume_read(struct storage_driver *driver, const struct storage_pool *pool,
                      const char *uid, volume_info_fn *fn, void *arg)
{
    struct fake_op *op = fake_op_new(driver, "storage.fake.volume_read", pool->path, uid);

    op->effect = read_volume;
    op->report = report_volume;
    op->volume_fn = fn;
    op->arg = arg;
    fake_op_start(op);
}

/* A machine's open file must not be touched behind its back. */
static void check_unused(const struct fake_op *op, const char *verb)
{
    auto_free char *path = str_printf("%s/%s/disk.qcow2", op->pool, op->uid);

    if (fake_is_in_use(op->driver->disks, path))
        fake_violation(op->driver->disks, "%s was %s while a machine had it open", path, verb);
}

static int grow_volume(struct fake_op *op, struct err *err)
{
    struct fake_volume *volume = fake_volume_get(op->driver->disks, op->pool, op->uid);

    if (!volume)
        return err_set(err, ERR_NOT_FOUND, "volume %s does not exist", op->uid);
    if (op->size < volume->size_bytes)
        return err_set(err, ERR_INVALID, "volume %s can't shrink", op->uid);
    if (op->size > volume->size_bytes)
        check_unused(op, "grown");
    volume->size_bytes = op->size;
    return 0;
}

void fake_volume_grow(struct storage_driver *driver, const struct storage_pool *pool,
                      const char *uid, int64_t size_bytes, struct done done)
{
    struct fake_op *op = fake_op_new(driver, "storage.fake.volume_grow", pool->path, uid);

    op->key = str_printf("%s/%s", pool->path, uid);
    op->size = (size_bytes + 511) / 512 * 512;
    op->effect = grow_volume;
    op->done = done;
    fake_op_start(op);
}

void storage_fake_grown(struct storage_fake *disks, const char *path, int64_t size_bytes)
{
    void *value;

    for (size_t at = 0; map_next(disks->volumes, &at, NULL, &value);) {
        struct fake_volume *volume = value;
        auto_free char *file = str_printf("%s/%s/disk.qcow2", volume->pool, volume->uid);

        if (str_equal(file, path))
            volume->size_bytes = size_bytes;
    }
}

static void check_childless(const struct fake_op *op)
{
    void *value;

    for (size_t at = 0; map_next(op->driver->disks->volumes, &at, NULL, &value);) {
        const struct fake_volume *volume = value;

        if (str_equal(volume->pool, op->pool) && str_equal(volume->parent_uid, op->uid))
            fake_violation(op->driver->disks, "%s was removed below %s", op->uid, volume->uid);
    }
}

static int remove_volume(struct fake_op *op, struct err *err)
{
    auto_free char *key = str_printf("%s/%s", op->pool, op->uid);

    (void)err;
    if (map_has(op->driver->disks->volumes, key)) {
        check_unused(op, "removed");
        check_childless(op);
    }
    map_remove(op->driver->disks->volumes, key);
    return 0;
}

void fake_volume_remove(struct storage_driver *driver, const struct storage_pool *pool,
                        const char *uid, struct done done)
{
    struct fake_op *op = fake_op_new(driver, "storage.fake.volume_remove", pool->path, uid);

    op->key = str_printf("%s/%s", pool->path, uid);
    op->effect = remove_volume;
    op->done = done;
    fake_op_start(op);
}

static void add_file(struct disk_source *source, char *take_path)
{
    source->files[source->file_count++] =
        (struct disk_file){ .path = take_path, .format = str_dup("qcow2") };
}

int fake_volume_source(struct storage_driver *driver, const struct storage_pool *pool,
                       const char *uid, struct disk_source *ret_source, struct err *err)
{
    const struct fake_driver *fake = fake_of(driver);
    const struct fake_volume *volume = fake_volume_get(fake->disks, pool->path, uid);
    struct disk_source source = { 0 };

    if (!volume)
        return err_set(err, ERR_NOT_FOUND, "volume %s does not exist", uid);
    for (const struct fake_volume *below = volume; below && source.file_count + (volume->image_uid[0] != 0) < DISK_CHAIN_MAX;
         below = below->parent_uid[0] ? fake_volume_get(fake->disks, pool->path, below->parent_uid) : NULL)
        add_file(&source, str_printf("%s/%s/disk.qcow2", pool->path, below->uid));
    if (volume->image_uid[0])
        add_file(&source, str_printf("%s/%s/disk.qcow2", fake->image_dir, volume->image_uid));
    *ret_source = source;
    return 0;
}

char *fake_volume_vars(struct storage_driver *driver, const struct storage_pool *pool, const char *uid)
{
    return str_printf("%s/%s/vars.fd", pool->path, uid);
}
