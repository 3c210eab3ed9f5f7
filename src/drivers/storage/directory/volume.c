/* drivers/storage/directory/volume.c - the calls for volumes: reading, growing, removing, and the
 * chain of files. Which image a volume stands on is kept beside it, never read from the disk
 * itself, whose every byte a guest's process may have written. */
#include "base/auto.h"
#include "base/fault.h"
#include "base/mem.h"
#include "drivers/storage/directory/directory.h"
#include "drivers/storage/directory/image_file.h"
#include "drivers/storage/directory/image_formats.h"
#include "drivers/storage/directory/qemu_img.h"
#include "drivers/storage/directory/volume.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GROW_CPU_SECONDS_MAX = 60 };

static struct op *volume_op(struct storage_driver *driver, const char *name, const char *pool,
                            const char *uid)
{
    struct op *op = op_new(driver, name, pool, uid);

    op->key = place_volume(pool, uid, NULL);
    return op;
}

/* --- create: volume_create.c does the work --- */

void volume_create(struct storage_driver *driver, const struct volume_request *request,
                   struct done done)
{
    struct op *op = volume_op(driver, "storage.volume_create", request->pool.path, request->uid);

    op->size = request->size_bytes;
    op->image_uid = str_dup(request->image_uid);
    op->volume_uid = str_dup(request->volume_uid);
    op->parent_uid = str_dup(request->parent_uid);
    op->twin_uid = str_dup(request->twin_uid);
    op->is_slow = request->volume_uid != NULL;
    op->work = volume_create_work;
    op->done = done;
    op_start(op);
}

/* --- read --- */

static int read_info(struct op *op, struct err *err)
{
    struct volume_facts facts;

    if (volume_facts_read(op->pool, op->uid, &facts, err) < 0)
        return err->code == ERR_NOT_FOUND ? 0 : -1;
    op->volume = (struct volume_info){
        .exists = true,
        .size_bytes = facts.size_bytes,
        .allocated_bytes = facts.allocated_bytes,
    };
    snprintf(op->volume.image_uid, sizeof op->volume.image_uid, "%s", facts.image_uid);
    snprintf(op->volume.parent_uid, sizeof op->volume.parent_uid, "%s", facts.parent_uid);
    return 0;
}

static void report_volume(struct op *op, const struct err *err)
{
    op->volume_fn(op->arg, err, err ? NULL : &op->volume);
}

void volume_read(struct storage_driver *driver, const struct storage_pool *pool, const char *uid,
                 volume_info_fn *fn, void *arg)
{
    struct op *op = op_new(driver, "storage.volume_read", pool->path, uid);

    op->work = read_info;
    op->report = report_volume;
    op->volume_fn = fn;
    op->arg = arg;
    op_start(op);
}

/* --- grow --- */

static int resize(const struct op *op, int fd, struct err *err)
{
    auto_free char *file = qemu_img_file("qcow2", 3);
    auto_free char *size = str_printf("%" PRId64, op->size);
    const char *const argv[] = { "qemu-img", "resize", "-q", file, size, NULL };
    const struct foreign_run run = { .place = op->place,
                                     .argv = argv,
                                     .fds = &fd,
                                     .fd_count = 1,
                                     .cpu_seconds_max = GROW_CPU_SECONDS_MAX,
                                     .cancel = &op->cancel };

    return foreign_run_well(&run, ERR_IO, err);
}

static int resize_as_other(const struct op *op, int fd, struct err *err)
{
    struct err unseen;
    int result;

    if (foreign_give(op->place, fd, err) < 0)
        return -1;
    fault_point("storage.in_grow");
    result = resize(op, fd, err);
    if (foreign_take_back(fd, VOLUME_MODE, result < 0 ? &unseen : err) < 0)
        result = -1;
    if (result == 0 && fsync(fd) < 0)
        result = err_errno(err, "sync");
    return result;
}

static int grow(struct op *op, struct err *err)
{
    auto_free char *path = place_volume(op->pool, op->uid, "disk.qcow2");
    struct volume_facts facts;

    if (volume_facts_read(op->pool, op->uid, &facts, err) < 0)
        return -1;
    if (op->size < facts.size_bytes)
        return err_set(err, ERR_INVALID,
                       "volume %s has %" PRId64 " bytes and can't shrink to %" PRId64, op->uid,
                       facts.size_bytes, op->size);
    if (op->size == facts.size_bytes)
        return 0;
    auto_close int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_errno(err, "open %s", path);
    if (resize_as_other(op, fd, err) < 0)
        return err_wrap(err, "grow volume %s", op->uid);
    return 0;
}

void volume_grow(struct storage_driver *driver, const struct storage_pool *pool, const char *uid,
                 int64_t size_bytes, struct done done)
{
    struct op *op = volume_op(driver, "storage.volume_grow", pool->path, uid);

    op->size = volume_round_size(size_bytes);
    op->work = grow;
    op->done = done;
    op_start(op);
}

/* --- remove --- */

static int remove_volume(struct op *op, struct err *err)
{
    if (place_check_uid(op->uid, err) < 0)
        return -1;
    return place_remove(op->place, op->pool, op->uid, err);
}

/* A copy that is still being made is not waited for. */
static void cancel_copies(struct directory *driver, const char *key)
{
    for (struct op *op = driver->ops; op; op = op->next)
        if (op->is_slow && str_equal(op->key, key))
            cancel_set(&op->cancel);
}

void volume_remove(struct storage_driver *driver, const struct storage_pool *pool, const char *uid,
                   struct done done)
{
    struct op *op = volume_op(driver, "storage.volume_remove", pool->path, uid);

    cancel_copies(op->driver, op->key);
    op->work = remove_volume;
    op->done = done;
    op_start(op);
}

/* --- the chain of files --- */

int volume_source(struct storage_driver *driver, const struct storage_pool *pool, const char *uid,
                  struct disk_source *ret_source, struct err *err)
{
    const struct place *place = &directory_of(driver)->place;
    struct disk_source source = { 0 };
    auto_volume_chain struct volume_chain chain = { 0 };

    if (volume_chain_read(place, pool->path, uid, &chain, err) < 0)
        return -1;
    for (; source.file_count < chain.count; source.file_count++)
        source.files[source.file_count] =
            (struct disk_file){ take_pointer(chain.paths[source.file_count]), str_dup("qcow2") };
    *ret_source = source;
    return 0;
}

char *volume_vars(struct storage_driver *driver, const struct storage_pool *pool, const char *uid)
{
    return place_volume(pool->path, uid, "vars.fd");
}
