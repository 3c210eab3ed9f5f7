/* drivers/storage/directory/image.c - the calls for images, on the loop's side. */
#include "base/fault.h"
#include "base/files.h"
#include "base/mem.h"
#include "drivers/storage/directory/directory.h"
#include "drivers/storage/directory/image_import.h"
#include "drivers/storage/directory/image_meta.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct op *image_op(struct storage_driver *driver, const char *name, const char *uid)
{
    struct op *op = op_new(driver, name, NULL, uid);

    op->key = str_printf("image %s", uid);
    return op;
}

static struct op *find_import(struct directory *driver, const char *uid)
{
    for (struct op *op = driver->ops; op; op = op->next)
        if (op->work == image_import_work && str_equal(op->uid, uid))
            return op;
    return NULL;
}

static int refuse_second(struct op *op, struct err *err)
{
    return err_set(err, ERR_CONFLICT, "image %s is being imported already", op->uid);
}

void image_import(struct storage_driver *driver, const struct image_request *request,
                  image_progress_fn *progress, image_info_fn *fn, void *arg)
{
    struct op *op = image_op(driver, "storage.image_import", request->uid);

    op->url = str_dup(request->url);
    op->checksum = str_dup(request->sha256);
    op->size = request->size_max;
    op->progress_fn = progress;
    op->image_fn = fn;
    op->arg = arg;
    op->report = op_report_image;
    op->is_slow = true;
    op->work = image_import_work;
    if (find_import(op->driver, request->uid)) {
        free(take_pointer(op->key)); /* answered at once, not after the running one */
        op->is_slow = false;
        op->work = refuse_second;
    }
    op_start(op);
}

static int remove_folder(struct op *op, struct err *err) { return dir_remove(op->pool, err); }

/* What was staged goes at once out of sight and then, in a thread, from the disk. */
static void forget_staged(struct storage_driver *driver, const char *uid)
{
    struct directory *directory = directory_of(driver);
    auto_free char *staged = place_staging(&directory->place, uid, NULL);
    auto_free char *gone = place_work_path(&directory->place, directory->place.image_dir, uid);
    struct op *op;

    if (rename(staged, gone) < 0)
        return; /* nothing is staged */
    op = image_op(driver, "storage.forget_staged", uid);
    op->pool = take_pointer(gone);
    op->work = remove_folder;
    op_start(op);
}

void image_cancel(struct storage_driver *driver, const char *uid)
{
    struct op *import = find_import(directory_of(driver), uid);
    struct err err;

    if (place_check_uid(uid, &err) < 0)
        return; /* nothing has such a name */
    if (!import) {
        forget_staged(driver, uid);
        return;
    }
    atomic_store(&import->forget, true); /* the thread is at the files: it removes them */
    cancel_set(&import->cancel);
}

static int read_work(struct op *op, struct err *err)
{
    struct image_meta meta;

    if (image_meta_read(op->place, op->uid, &meta, err) < 0)
        return -1;
    op->image = meta.info;
    return 0;
}

void image_read_info(struct storage_driver *driver, const char *uid, image_info_fn *fn, void *arg)
{
    struct op *op = op_new(driver, "storage.image_read", NULL, uid);

    op->work = read_work;
    op->report = op_report_image;
    op->image_fn = fn;
    op->arg = arg;
    op_start(op);
}

int image_boot(struct storage_driver *driver, const char *uid, struct image_boot *ret_boot,
               struct err *err)
{
    const struct place *place = &directory_of(driver)->place;
    struct image_boot boot = { .source = { .file_count = 1, .read_only = true } };
    struct image_meta meta;

    if (image_meta_read(place, uid, &meta, err) < 0)
        return -1;
    boot.source.files[0] = (struct disk_file){
        .path = place_image(place, uid, image_meta_disk(&meta)),
        .format = str_dup(meta.info.is_cdrom ? "raw" : "qcow2"),
    };
    if (meta.info.has_kernel) {
        boot.kernel = place_image(place, uid, "kernel");
        boot.initrd = meta.has_initrd ? place_image(place, uid, "initrd") : NULL;
        boot.command_line = str_dup(meta.command_line);
    }
    *ret_boot = boot;
    return 0;
}

static int remove_work(struct op *op, struct err *err)
{
    auto_free char *staged = place_staging(op->place, op->uid, NULL);

    if (place_check_uid(op->uid, err) < 0 ||
        place_remove(op->place, op->place->image_dir, op->uid, err) < 0)
        return -1;
    fault_point("storage.image_removed");
    return dir_remove(staged, err);
}

void image_remove(struct storage_driver *driver, const char *uid, struct done done)
{
    struct op *op = image_op(driver, "storage.image_remove", uid);

    image_cancel(driver, uid);
    op->work = remove_work;
    op->done = done;
    op_start(op);
}

static void drop_doubles(char **uids)
{
    size_t kept = 0;

    for (char **uid = uids; *uid; uid++) {
        bool is_double = false;

        for (size_t i = 0; i < kept && !is_double; i++)
            is_double = str_equal(uids[i], *uid);
        if (is_double)
            free(*uid);
        else
            uids[kept++] = *uid;
    }
    uids[kept] = NULL;
}

char **image_list(struct storage_driver *driver)
{
    const char *image_dir = directory_of(driver)->place.image_dir;
    auto_free char *staging = str_printf("%s/.staging", image_dir);
    char **uids = NULL;

    place_list(image_dir, &uids);
    place_list(staging, &uids);
    drop_doubles(uids);
    return uids;
}
