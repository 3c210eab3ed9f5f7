/* drivers/storage/fake/image.c - imagined imports, images and seeds. */
#include "base/mem.h"
#include "drivers/storage/fake/disks.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FETCH_STEP_COUNT = 4 };

void storage_fake_sha256(const char *url, char to[65])
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a: any fixed function of the text does */

    for (const char *c = url ? url : "upload"; *c; c++)
        hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    for (int i = 0; i < 4; i++)
        snprintf(to + 16 * i, 17, "%016" PRIx64, hash);
}

static bool url_says(const struct fake_op *op, const char *word)
{
    return op->url && strstr(op->url, word);
}

static int64_t upload_size(const struct fake_op *op)
{
    const struct fake_staged *staged = map_get(op->driver->disks->staged, op->uid);
    struct stat found;

    return staged && staged->upload_fd >= 0 && fstat(staged->upload_fd, &found) == 0 ? found.st_size
                                                                                     : 0;
}

static bool upload_says(const struct fake_op *op, const char *word)
{
    const struct fake_staged *staged = map_get(op->driver->disks->staged, op->uid);
    char begin[16] = "";

    return !op->url && staged && staged->upload_fd >= 0 &&
           pread(staged->upload_fd, begin, sizeof begin - 1, 0) > 0 && str_starts(begin, word);
}

/* What is wrong with the bytes that came; none of it is mended by trying again. */
static int check_bytes(struct fake_op *op, struct err *err)
{
    char sha256[65];

    storage_fake_sha256(op->url, sha256);
    if (url_says(op, "missing"))
        return err_set(err, ERR_INVALID, "%s: the server answered 404", op->url);
    if (url_says(op, "corrupt") || upload_says(op, "corrupt"))
        return err_set(err, ERR_INVALID, "not a disk image");
    if (!op->url && upload_size(op) == 0)
        return err_set(err, ERR_INVALID, "nothing was uploaded");
    if (op->sha256 && !str_equal(op->sha256, sha256))
        return err_set(err, ERR_INVALID, "checksum is %s, expected %s", sha256, op->sha256);
    if (op->size > 0 && op->driver->disks->settings.image_bytes > op->size)
        return err_set(err, ERR_TOO_LARGE, "the image is larger than %" PRId64 " bytes", op->size);
    return 0;
}

static void describe_image(const struct fake_op *op, struct image_info *info)
{
    bool is_cdrom = url_says(op, ".iso"), is_bundle = url_says(op, "bundle");

    *info = (struct image_info){
        .virtual_bytes = op->driver->disks->settings.image_bytes,
        .allocated_bytes = op->driver->disks->settings.image_bytes / 4,
        .is_cdrom = is_cdrom,
        .has_kernel = is_bundle,
        .guest_agent = is_bundle,
    };
    storage_fake_sha256(op->url, info->sha256);
    snprintf(info->format, sizeof info->format, "%s",
             is_cdrom    ? "iso"
             : is_bundle ? "bundle"
                         : "qcow2");
    if (is_bundle)
        snprintf(info->default_user, sizeof info->default_user, "virga");
}

static int finish_import(struct fake_op *op, struct err *err)
{
    struct storage_fake *disks = op->driver->disks;
    const struct fake_image *there = map_get(disks->images, op->uid);
    struct fake_image *image;

    if (there) {
        op->image = there->info;
        return 0;
    }
    if (check_bytes(op, err) < 0) {
        map_remove(disks->staged, op->uid);
        return -1;
    }
    image = mem_new(struct fake_image);
    describe_image(op, &image->info);
    op->image = image->info;
    map_set(disks->images, op->uid, image);
    map_remove(disks->staged, op->uid);
    return 0;
}

static void report_image(struct fake_op *op, const struct err *err)
{
    op->image_fn(op->arg, err, err ? NULL : &op->image);
}

static struct fake_op *running_import(struct storage_driver *driver, const char *uid)
{
    for (struct fake_op *op = fake_of(driver)->ops; op; op = op->next)
        if (op->effect == finish_import && str_equal(op->uid, uid))
            return op;
    return NULL;
}

static int refuse_second(struct fake_op *op, struct err *err)
{
    return err_set(err, ERR_CONFLICT, "image %s is being imported already", op->uid);
}

void fake_image_import(struct storage_driver *driver, const struct image_request *request,
                       image_progress_fn *progress, image_info_fn *fn, void *arg)
{
    struct fake_op *op = fake_op_new(driver, "storage.fake.image_import", NULL, request->uid);
    bool is_there = map_has(fake_of(driver)->disks->images, request->uid);
    bool is_second = running_import(driver, request->uid) != NULL;

    op->key = str_dup(request->uid);
    op->url = str_dup(request->url);
    op->sha256 = str_dup(request->sha256);
    op->size = request->size_max;
    op->progress = progress;
    op->effect = is_second ? refuse_second : finish_import;
    op->report = report_image;
    op->image_fn = fn;
    op->arg = arg;
    op->steps_left = is_second || is_there || !request->url ? 0 : FETCH_STEP_COUNT;
    fake_op_start(op);
}

/* What was staged goes after the import has ended, or it would be made anew. */
static int drop_staged(struct fake_op *op, struct err *err)
{
    (void)err;
    map_remove(op->driver->disks->staged, op->uid);
    return 0;
}

void fake_image_cancel(struct storage_driver *driver, const char *uid)
{
    struct fake_op *import = running_import(driver, uid);

    if (import)
        fake_op_cancel(import);
    map_remove(fake_of(driver)->disks->staged, uid);
}

static int upload_make(struct fake_staged *staged, struct err *err)
{
    if (staged->upload_fd < 0)
        staged->upload_fd = memfd_create("upload", MFD_CLOEXEC);
    if (staged->upload_fd < 0 || fcntl(staged->upload_fd, F_SETFL, O_APPEND) < 0)
        return err_errno(err, "upload");
    return 0;
}

int fake_image_upload(struct storage_driver *driver, const char *uid, int *ret_fd,
                      int64_t *ret_offset, struct err *err)
{
    struct fake_staged *staged = fake_staged_make(fake_of(driver)->disks, uid);
    off_t size;
    int fd;

    if (upload_make(staged, err) < 0)
        return -1;
    fd = fcntl(staged->upload_fd, F_DUPFD_CLOEXEC, 3);
    size = lseek(staged->upload_fd, 0, SEEK_END);
    if (fd < 0 || size < 0)
        return err_errno(err, "upload");
    *ret_fd = fd;
    *ret_offset = size;
    return 0;
}

static int read_image(struct fake_op *op, struct err *err)
{
    const struct fake_image *image = map_get(op->driver->disks->images, op->uid);

    if (!image)
        return err_set(err, ERR_NOT_FOUND, "image %s does not exist", op->uid);
    op->image = image->info;
    return 0;
}

void fake_image_read(struct storage_driver *driver, const char *uid, image_info_fn *fn, void *arg)
{
    struct fake_op *op = fake_op_new(driver, "storage.fake.image_read", NULL, uid);

    op->effect = read_image;
    op->report = report_image;
    op->image_fn = fn;
    op->arg = arg;
    fake_op_start(op);
}

static struct disk_source one_file(char *take_path, const char *format)
{
    struct disk_source source = { .file_count = 1, .read_only = true };

    source.files[0] = (struct disk_file){ .path = take_path, .format = str_dup(format) };
    return source;
}

int fake_image_boot(struct storage_driver *driver, const char *uid, struct image_boot *ret_boot,
                    struct err *err)
{
    const struct fake_driver *fake = fake_of(driver);
    const struct fake_image *image = map_get(fake->disks->images, uid);
    struct image_boot boot = { 0 };

    if (!image)
        return err_set(err, ERR_NOT_FOUND, "image %s does not exist", uid);
    if (image->info.is_cdrom)
        boot.source = one_file(str_printf("%s/%s/disk.iso", fake->image_dir, uid), "raw");
    else
        boot.source = one_file(str_printf("%s/%s/disk.qcow2", fake->image_dir, uid), "qcow2");
    if (image->info.has_kernel) {
        boot.kernel = str_printf("%s/%s/kernel", fake->image_dir, uid);
        boot.initrd = str_printf("%s/%s/initrd", fake->image_dir, uid);
        boot.command_line = str_dup("console=ttyS0");
    }
    *ret_boot = boot;
    return 0;
}

/* A volume that stands on the image would lose what it never copied. */
static void check_childless(const struct fake_op *op)
{
    const char *key;
    void *value;

    for (size_t at = 0; map_next(op->driver->disks->volumes, &at, &key, &value);) {
        const struct fake_volume *volume = value;
        if (str_equal(volume->image_uid, op->uid))
            fake_violation(op->driver->disks, "image %s was removed below volume %s", op->uid, key);
    }
}

static int remove_image(struct fake_op *op, struct err *err)
{
    struct storage_fake *disks = op->driver->disks;

    if (map_has(disks->images, op->uid))
        check_childless(op);
    map_remove(disks->images, op->uid);
    return drop_staged(op, err);
}

void fake_image_remove(struct storage_driver *driver, const char *uid, struct done done)
{
    struct fake_op *op = fake_op_new(driver, "storage.fake.image_remove", NULL, uid);

    fake_image_cancel(driver, uid);
    op->key = str_dup(uid);
    op->effect = remove_image;
    op->done = done;
    fake_op_start(op);
}

char **fake_image_list(struct storage_driver *driver)
{
    const struct storage_fake *disks = fake_of(driver)->disks;
    char **uids = mem_array(map_count(disks->images) + map_count(disks->staged) + 1, sizeof *uids);
    size_t count = 0;
    const char *key;
    void *value;

    for (size_t at = 0; map_next(disks->images, &at, &key, &value);)
        uids[count++] = str_dup(key);
    for (size_t at = 0; map_next(disks->staged, &at, &key, &value);)
        if (!map_has(disks->images, key))
            uids[count++] = str_dup(key);
    return uids;
}

static int write_seed(struct fake_op *op, struct err *err)
{
    (void)err;
    map_set(op->driver->disks->seeds, op->uid, str_dup(op->seed));
    return 0;
}

void fake_seed_write(struct storage_driver *driver, const char *instance_uid, const char *meta_data,
                     const char *user_data, const char *network_config, struct done done)
{
    struct fake_op *op = fake_op_new(driver, "storage.fake.seed_write", NULL, instance_uid);

    op->seed = str_printf("meta-data: %s\nuser-data: %s\nnetwork-config: %s\n", meta_data, user_data,
                          network_config ? network_config : "");
    op->key = str_printf("seed %s", instance_uid);
    op->effect = write_seed;
    op->done = done;
    fake_op_start(op);
}

int fake_seed_source(struct storage_driver *driver, const char *instance_uid,
                     struct disk_source *ret_source, struct err *err)
{
    const struct fake_driver *fake = fake_of(driver);

    if (!map_has(fake->disks->seeds, instance_uid))
        return err_set(err, ERR_NOT_FOUND, "instance %s has no seed", instance_uid);
    *ret_source = one_file(str_printf("%s/.seeds/%s.iso", fake->image_dir, instance_uid), "raw");
    return 0;
}

static int remove_seed(struct fake_op *op, struct err *err)
{
    (void)err;
    map_remove(op->driver->disks->seeds, op->uid);
    return 0;
}

void fake_seed_remove(struct storage_driver *driver, const char *instance_uid, struct done done)
{
    struct fake_op *op = fake_op_new(driver, "storage.fake.seed_remove", NULL, instance_uid);

    op->key = str_printf("seed %s", instance_uid);
    op->effect = remove_seed;
    op->done = done;
    fake_op_start(op);
}
