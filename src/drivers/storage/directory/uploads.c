/* drivers/storage/directory/uploads.c - bytes that come through the API, kept until imported. */
#include "base/auto.h"
#include "base/files.h"
#include "drivers/storage/directory/directory.h"
#include "drivers/storage/directory/image_import.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_importing(const struct directory *driver, const char *uid)
{
    for (const struct op *op = driver->ops; op; op = op->next)
        if (op->work == image_import_work && str_equal(op->uid, uid))
            return true;
    return false;
}

int image_upload(struct storage_driver *driver, const char *uid, int *ret_fd, int64_t *ret_offset,
                 struct err *err)
{
    struct directory *directory = directory_of(driver);
    auto_free char *folder = NULL, *path = NULL;
    struct stat found;

    if (place_check_uid(uid, err) < 0)
        return -1;
    if (is_importing(directory, uid))
        return err_set(err, ERR_CONFLICT, "image %s is being imported already", uid);
    folder = place_staging(&directory->place, uid, NULL);
    path = place_staging(&directory->place, uid, "upload");
    if (dir_make(folder, 0700, err) < 0)
        return -1;
    auto_close int fd =
        open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, STAGED_MODE);
    if (fd < 0 || fstat(fd, &found) < 0)
        return err_errno(err, "open %s", path);
    *ret_offset = found.st_size;
    *ret_fd = fd;
    fd = -1;
    return 0;
}
