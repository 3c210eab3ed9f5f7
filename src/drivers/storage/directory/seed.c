/* drivers/storage/directory/seed.c - cloud-init seeds: NoCloud on ISO 9660, label cidata. */
#include "base/auto.h"
#include "base/fault.h"
#include "base/mem.h"
#include "drivers/storage/directory/directory.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEED_MODE = 0600, SEED_TEXT_MAX = 16 << 20 };

static int archive_failed(struct archive *archive, struct err *err)
{
    const char *why = archive_error_string(archive);

    if (archive_errno(archive) == ENOSPC)
        return err_set(err, ERR_NO_SPACE, "%s", strerror(ENOSPC));
    return err_set(err, ERR_IO, "%s", why ? why : "the archive could not be written");
}

/* Of no time: when a seed was written is nobody's business. */
static int add_file(struct archive *archive, const char *name, const char *text, struct err *err)
{
    size_t size = text ? strlen(text) : 0;
    struct archive_entry *entry;
    int result;

    if (!text)
        return 0;
    if (size > SEED_TEXT_MAX)
        return err_set(err, ERR_TOO_LARGE, "%s is larger than %d bytes", name, SEED_TEXT_MAX);
    entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0444);
    archive_entry_set_size(entry, (la_int64_t)size);
    archive_entry_set_mtime(entry, 0, 0);
    result = archive_write_header(archive, entry);
    archive_entry_free(entry);
    if (result != ARCHIVE_OK || archive_write_data(archive, text, size) != (la_ssize_t)size)
        return archive_failed(archive, err);
    return 0;
}

static int fill(const struct op *op, struct archive *archive, int fd, struct err *err)
{
    if (archive_write_set_format_iso9660(archive) != ARCHIVE_OK ||
        archive_write_set_options(archive, "volume-id=cidata,joliet,rockridge,pad=0,zisofs=0") !=
            ARCHIVE_OK ||
        archive_write_open_fd(archive, fd) != ARCHIVE_OK)
        return archive_failed(archive, err);
    if (add_file(archive, "meta-data", op->meta_data ? op->meta_data : "", err) < 0 ||
        add_file(archive, "user-data", op->user_data ? op->user_data : "", err) < 0 ||
        add_file(archive, "network-config", op->network_config, err) < 0)
        return -1;
    return archive_write_close(archive) == ARCHIVE_OK ? 0 : archive_failed(archive, err);
}

static int write_image(const struct op *op, int fd, struct err *err)
{
    struct archive *archive = archive_write_new();
    int result;

    if (!archive)
        return err_set(err, ERR_INTERNAL, "out of memory");
    result = fill(op, archive, fd, err);
    archive_write_free(archive);
    if (result == 0 && fsync(fd) < 0)
        return err_errno(err, "sync");
    return result;
}

static int sync_folder(const char *image_dir, struct err *err)
{
    auto_free char *path = str_printf("%s/.seeds", image_dir);
    auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 || fsync(fd) < 0 ? err_errno(err, "sync %s", path) : 0;
}

static int put_in_place(const struct op *op, const char *work, struct err *err)
{
    auto_free char *path = place_seed(op->place, op->uid);
    auto_close int fd = open(work, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, SEED_MODE);

    if (fd < 0)
        return err_errno(err, "create %s", work);
    if (write_image(op, fd, err) < 0)
        return -1;
    fault_point("storage.seed_before_rename");
    if (rename(work, path) < 0)
        return err_errno(err, "rename to %s", path);
    return sync_folder(op->place->image_dir, err);
}

static int write_seed(struct op *op, struct err *err)
{
    auto_free char *work = NULL;

    if (place_check_uid(op->uid, err) < 0)
        return -1;
    work = place_work_path(op->place, op->place->image_dir, op->uid);
    if (put_in_place(op, work, err) == 0)
        return 0;
    (void)unlink(work); /* else swept at the next opening */
    return err_wrap(err, "seed");
}

static struct op *seed_op(struct storage_driver *driver, const char *name, const char *uid)
{
    struct op *op = op_new(driver, name, NULL, uid);

    op->key = str_printf("seed %s", uid);
    return op;
}

void seed_write(struct storage_driver *driver, const char *instance_uid, const char *meta_data,
                const char *user_data, const char *network_config, struct done done)
{
    struct op *op = seed_op(driver, "storage.seed_write", instance_uid);

    op->meta_data = str_dup(meta_data);
    op->user_data = str_dup(user_data);
    op->network_config = str_dup(network_config);
    op->work = write_seed;
    op->done = done;
    op_start(op);
}

int seed_source(struct storage_driver *driver, const char *instance_uid,
                struct disk_source *ret_source, struct err *err)
{
    auto_free char *path = NULL;

    if (place_check_uid(instance_uid, err) < 0)
        return -1;
    path = place_seed(&directory_of(driver)->place, instance_uid);
    if (access(path, R_OK) < 0)
        return errno == ENOENT
                   ? err_set(err, ERR_NOT_FOUND, "instance %s has no seed", instance_uid)
                   : err_errno(err, "%s", path);
    *ret_source = (struct disk_source){ .file_count = 1, .read_only = true };
    ret_source->files[0] =
        (struct disk_file){ .path = take_pointer(path), .format = str_dup("raw") };
    return 0;
}

static int remove_seed(struct op *op, struct err *err)
{
    auto_free char *path = NULL;

    if (place_check_uid(op->uid, err) < 0)
        return -1;
    path = place_seed(op->place, op->uid);
    if (unlink(path) < 0)
        return errno == ENOENT ? 0 : err_errno(err, "remove %s", path);
    return sync_folder(op->place->image_dir, err);
}

void seed_remove(struct storage_driver *driver, const char *instance_uid, struct done done)
{
    struct op *op = seed_op(driver, "storage.seed_remove", instance_uid);

    op->work = remove_seed;
    op->done = done;
    op_start(op);
}
