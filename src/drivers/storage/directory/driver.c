/* drivers/storage/directory/driver.c - the table of the directory driver, its opening and end. */
#include "base/files.h"
#include "base/mem.h"
#include "base/random.h"
#include "drivers/storage/directory/directory.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RETRY_MS = 500 };

/* The program that unpacks foreign archives lies beside the daemon, installed or just built. */
static char *find_import_program(void)
{
    static const char *const places[] = { "virga-import", "../libexec/virga/virga-import",
                                          "../lib/virga/virga-import",
                                          "../drivers/storage/virga-import" };
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self);

    while (length > 0 && self[length - 1] != '/')
        length--;
    for (size_t i = 0; length > 0 && i < sizeof places / sizeof places[0]; i++) {
        auto_free char *path = str_printf("%.*s%s", (int)length, self, places[i]);
        if (access(path, X_OK) == 0)
            return take_pointer(path);
    }
    return str_dup("virga-import"); /* by PATH; its absence is told when it is needed */
}

static int check_setup(const struct storage_setup *setup, struct err *err)
{
    if (geteuid() != 0)
        return err_set(err, ERR_FORBIDDEN, "only root can hand foreign images to another user");
    if (setup->convert_uid == 0)
        return err_set(err, ERR_INVALID, "the user for foreign images must not be root");
    if (setup->image_dir[0] != '/')
        return err_set(err, ERR_INVALID, "%s: not an absolute path", setup->image_dir);
    return 0;
}

static int make_folders(const struct place *place, struct err *err)
{
    static const char *const names[] = { "", "/.work", "/.staging", "/.seeds" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        auto_free char *path = str_printf("%s%s", place->image_dir, names[i]);

        if (dir_make(path, 0700, err) < 0)
            return -1;
        if (chmod(path, 0700) < 0)
            return err_errno(err, "set mode of %s", path);
    }
    return place_sweep(place, place->image_dir, err);
}

static void close_directory(struct storage_driver *driver)
{
    struct directory *directory = directory_of(driver);

    if (!driver)
        return;
    ops_end(directory);
    free(directory->place.image_dir);
    free(directory->place.import_program);
    free(directory);
}

static struct storage_driver *open_directory(const struct storage_setup *setup, struct err *err)
{
    struct directory *directory;

    if (check_setup(setup, err) < 0)
        return NULL;
    directory = mem_new(struct directory);
    directory->base.ops = &storage_directory;
    directory->loop = setup->loop;
    directory->place.image_dir = str_dup(setup->image_dir);
    directory->place.convert_uid = setup->convert_uid;
    directory->place.retry_ms = RETRY_MS;
    directory->place.import_program =
        setup->import_program ? str_dup(setup->import_program) : find_import_program();
    random_suffix(directory->place.session, SESSION_SIZE - 1);
    directory->quick = worker_pool_new(setup->loop, QUICK_THREADS);
    directory->slow = worker_pool_new(setup->loop, SLOW_THREADS);
    if (make_folders(&directory->place, err) < 0) {
        close_directory(&directory->base);
        return NULL;
    }
    return &directory->base;
}

const struct storage_ops storage_directory = {
    .name = "directory",
    .open = open_directory,
    .close = close_directory,
    .pool_ensure = pool_ensure,
    .pool_read = pool_read,
    .pool_list = pool_list,
    .volume_create = volume_create,
    .volume_read = volume_read,
    .volume_grow = volume_grow,
    .volume_remove = volume_remove,
    .volume_source = volume_source,
    .volume_vars = volume_vars,
    .image_import = image_import,
    .image_cancel = image_cancel,
    .image_upload = image_upload,
    .image_read = image_read_info,
    .image_boot = image_boot,
    .image_remove = image_remove,
    .image_list = image_list,
    .seed_write = seed_write,
    .seed_source = seed_source,
    .seed_remove = seed_remove,
};
