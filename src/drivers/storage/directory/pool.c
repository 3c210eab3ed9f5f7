/* drivers/storage/directory/pool.c - folders that hold volumes. */
#include "base/files.h"
#include "base/mem.h"
#include "drivers/storage/directory/directory.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int check_path(const char *path, struct err *err)
{
    if (path[0] != '/' || strstr(path, "/../") || str_ends(path, "/.."))
        return err_set(err, ERR_INVALID, "%s: the path of a pool is absolute and without \"..\"",
                       path);
    return 0;
}

/* A path where no folder can be made is a wrong path; a full disk may have room later. */
static int make_pool(const char *path, struct err *err)
{
    auto_free char *work_root = str_printf("%s/.work", path);

    if (dir_make(path, 0700, err) == 0 && dir_make(work_root, 0700, err) == 0)
        return 0;
    if (err->code != ERR_NO_SPACE)
        err->code = ERR_INVALID;
    return -1;
}

static int ensure(struct op *op, struct err *err)
{
    if (check_path(op->pool, err) < 0 || make_pool(op->pool, err) < 0)
        return -1;
    return place_sweep(op->place, op->pool, err);
}

void pool_ensure(struct storage_driver *driver, const struct storage_pool *pool, struct done done)
{
    struct op *op = op_new(driver, "storage.pool_ensure", pool->path, NULL);

    op->work = ensure;
    op->done = done;
    op_start(op);
}

static int64_t allocated_bytes(const char *pool, const char *uid)
{
    auto_free char *path = place_volume(pool, uid, "disk.qcow2");
    struct stat found;

    return stat(path, &found) == 0 ? (int64_t)found.st_blocks * 512 : 0;
}

static int64_t used_bytes(const char *pool)
{
    auto_clean(compute_uids_free_auto) char **uids = NULL;
    int64_t used = 0;

    place_list(pool, &uids);
    for (char **uid = uids; *uid; uid++)
        used += allocated_bytes(pool, *uid);
    return used;
}

static int read_usage(struct op *op, struct err *err)
{
    struct statvfs found;

    if (statvfs(op->pool, &found) < 0)
        return err_errno(err, "%s", op->pool);
    op->usage = (struct pool_usage){
        .capacity_bytes = (int64_t)((uint64_t)found.f_blocks * found.f_frsize),
        .available_bytes = (int64_t)((uint64_t)found.f_bavail * found.f_frsize),
        .used_bytes = used_bytes(op->pool),
    };
    return 0;
}

static void report_usage(struct op *op, const struct err *err)
{
    op->usage_fn(op->arg, err, err ? NULL : &op->usage);
}

void pool_read(struct storage_driver *driver, const struct storage_pool *pool, pool_usage_fn *fn,
               void *arg)
{
    struct op *op = op_new(driver, "storage.pool_read", pool->path, NULL);

    op->work = read_usage;
    op->report = report_usage;
    op->usage_fn = fn;
    op->arg = arg;
    op_start(op);
}

char **pool_list(struct storage_driver *driver, const struct storage_pool *pool)
{
    char **uids = NULL;

    (void)driver;
    place_list(pool->path, &uids);
    return uids;
}
