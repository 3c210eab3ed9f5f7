/* drivers/storage/directory/image_import.c - an import from its source to its place.
 *
 *   staged file --checksum--> detected --decompress--> --take a bundle apart--> disk
 *   disk --check, convert--> disk.qcow2 --image.json--> folder renamed into place
 *
 * What was staged survives an interruption and failures that may pass (no space, no network);
 * everything after it is made anew below .work. */
#include "drivers/storage/directory/image_import.h"
#include "base/auto.h"
#include "base/fault.h"
#include "base/files.h"
#include "drivers/storage/directory/image_file.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The largest volume there can be: a disk of exabytes costs time, not space, to convert. */
static const int64_t VIRTUAL_MAX = INT64_C(64) << 40;

struct import {
    struct op *op;
    char *work; /* folder below .work */
    int fd;     /* the bytes as far as they are unwrapped */
    struct image_found found;
    struct image_meta meta;
};

int image_budget(const struct op *op, int64_t *ret_bytes, struct err *err)
{
    if (place_free_bytes(op->place->image_dir, ret_bytes, err) < 0)
        return -1;
    if (*ret_bytes == 0)
        return err_set(err, ERR_NO_SPACE, "no space is left for images in %s",
                       op->place->image_dir);
    return 0;
}

/* --- the source --- */

static int open_upload(const struct op *op, int *ret_fd, struct err *err)
{
    auto_free char *path = place_staging(op->place, op->uid, "upload");

    *ret_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (*ret_fd < 0 && errno == ENOENT)
        return err_set(err, ERR_INVALID, "nothing was uploaded");
    return *ret_fd < 0 ? err_errno(err, "open %s", path) : 0;
}

static int open_source(struct import *import, struct err *err)
{
    struct op *op = import->op;
    int result = op->url ? image_fetch(op, &import->fd, err) : open_upload(op, &import->fd, err);

    fault_point("storage.staged");
    return result < 0 ? -1 : place_check_no_writer(import->fd, err);
}

/* --- unwrapping --- */

static int detect(struct import *import, struct err *err)
{
    struct image_bytes bytes;

    if (image_file_bytes(&import->fd, &bytes, err) < 0)
        return -1;
    return image_detect(&bytes, &import->found, err);
}

static void use_fd(struct import *import, int take_fd)
{
    close(import->fd);
    import->fd = take_fd;
}

static int decompress(struct import *import, struct err *err)
{
    int fd;

    if (!image_format_is_compressed(import->found.format))
        return 0;
    if (image_decompress(import->op, import->fd, import->found.format, import->work, &fd, err) < 0)
        return -1;
    use_fd(import, fd);
    fault_point("storage.decompressed");
    if (detect(import, err) < 0)
        return -1;
    if (image_format_is_compressed(import->found.format))
        return err_set(err, ERR_INVALID, "is compressed twice");
    return 0;
}

static int unbundle(struct import *import, struct err *err)
{
    int fd;

    snprintf(import->meta.info.format, sizeof import->meta.info.format, "%s",
             image_format_name(import->found.format));
    if (import->found.format != IMAGE_BUNDLE)
        return 0;
    if (image_unbundle(import->op, import->fd, import->work, &import->meta, &fd, err) < 0)
        return -1;
    use_fd(import, fd);
    fault_point("storage.unbundled");
    if (detect(import, err) < 0)
        return err_wrap(err, "the disk of the bundle");
    if (import->found.format == IMAGE_ISO || import->found.format == IMAGE_BUNDLE ||
        image_format_is_compressed(import->found.format))
        return err_set(err, ERR_INVALID, "the disk of the bundle is of format %s",
                       image_format_name(import->found.format));
    return 0;
}

static int check_size(const struct import *import, struct err *err)
{
    int64_t size = import->found.virtual_bytes, max = import->op->size;

    if (max <= 0 || max > VIRTUAL_MAX)
        max = VIRTUAL_MAX;
    if (size > max)
        return err_set(err, ERR_TOO_LARGE, "the disk has %" PRId64 " bytes, allowed are %" PRId64,
                       size, max);
    return 0;
}

/* --- the image --- */

/* A CD-ROM stays what it is. The staged file goes on being there until all is in place, so that
 * a second try finds it: a second name where the file system allows, not a copy. */
static int keep_iso(const struct import *import, struct err *err)
{
    auto_free char *from = str_printf("/proc/self/fd/%d", import->fd);
    auto_free char *to = str_printf("%s/disk.iso", import->work);

    if (linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) < 0)
        return err_errno(err, "link %s", to);
    return chmod(to, IMAGE_MODE) < 0 ? err_errno(err, "set mode of %s", to) : 0;
}

static int make_disk(struct import *import, struct err *err)
{
    import->meta.info.is_cdrom = import->found.format == IMAGE_ISO;
    import->meta.info.virtual_bytes = import->found.virtual_bytes;
    if (import->meta.info.is_cdrom)
        return keep_iso(import, err);
    return image_convert(import->op, import->fd, &import->found, import->work, err);
}

static int64_t allocated_bytes(const char *folder, const char *file)
{
    auto_free char *path = str_printf("%s/%s", folder, file);
    struct stat found;

    return stat(path, &found) == 0 ? (int64_t)found.st_blocks * 512 : 0;
}

static int drop_intermediates(const struct import *import, struct err *err)
{
    static const char *const names[] = { "unpacked", "member" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        auto_free char *path = str_printf("%s/%s", import->work, names[i]);
        if (unlink(path) < 0 && errno != ENOENT)
            return err_errno(err, "remove %s", path);
    }
    return 0;
}

static int commit(struct import *import, struct err *err)
{
    struct image_meta *meta = &import->meta;
    const char *files[6] = { "image.json", image_meta_disk(meta) };
    size_t count = 2;

    if (meta->info.has_kernel)
        files[count++] = "kernel";
    if (meta->has_initrd)
        files[count++] = "initrd";
    meta->info.allocated_bytes = 0;
    for (size_t i = 1; i < count; i++)
        meta->info.allocated_bytes += allocated_bytes(import->work, files[i]);
    fault_point("storage.before_image_meta");
    if (drop_intermediates(import, err) < 0 || image_meta_write(import->work, meta, err) < 0)
        return -1;
    return place_commit(import->op->place->image_dir, import->op->uid, import->work, files, err);
}

static int run_steps(struct import *import, struct err *err)
{
    if (open_source(import, err) < 0 ||
        image_checksum(import->op, import->fd, import->meta.info.sha256, err) < 0)
        return -1;
    fault_point("storage.checked");
    if (detect(import, err) < 0 || decompress(import, err) < 0 || unbundle(import, err) < 0 ||
        check_size(import, err) < 0 || make_disk(import, err) < 0)
        return -1;
    fault_point("storage.converted");
    return cancel_check(&import->op->cancel, err) < 0 ? -1 : commit(import, err);
}

/* --- around them --- */

static int make_staging(const struct op *op, struct err *err)
{
    auto_free char *staging = place_staging(op->place, op->uid, NULL);

    return dir_make(staging, 0700, err);
}

static int import_new(struct op *op, struct err *err)
{
    struct import import = { .op = op, .fd = -1 };
    struct err unseen;
    int result;

    if (make_staging(op, err) < 0)
        return -1;
    import.work = place_work_make(op->place, op->place->image_dir, op->uid, err);
    if (!import.work)
        return -1;
    fault_point("storage.import_work");
    result = run_steps(&import, err);
    if (result == 0)
        op->image = import.meta.info;
    else
        (void)dir_remove(import.work, &unseen); /* else swept at the next opening */
    if (import.fd >= 0)
        close(import.fd);
    free(import.work);
    return result;
}

/* Whether another try with the same bytes could end otherwise. */
static bool is_final(const struct op *op, enum err_code code)
{
    return code == ERR_INVALID || code == ERR_TOO_LARGE ||
           (code == ERR_CANCELLED && atomic_load(&op->forget));
}

static void forget_staged(const struct op *op)
{
    auto_free char *staging = place_staging(op->place, op->uid, NULL);
    struct err unseen;

    (void)dir_remove(staging, &unseen); /* image_list() goes on to name it */
}

static int import_once(struct op *op, struct err *err)
{
    struct image_meta there;

    if (cancel_check(&op->cancel, err) < 0 || place_check_uid(op->uid, err) < 0)
        return -1;
    if (image_meta_read(op->place, op->uid, &there, err) < 0)
        return err->code == ERR_NOT_FOUND ? import_new(op, err) : -1;
    op->image = there.info;
    return 0;
}

int image_import_work(struct op *op, struct err *err)
{
    int result = import_once(op, err);

    fault_point("storage.imported");
    if (result == 0 || is_final(op, err->code))
        forget_staged(op);
    return result;
}
