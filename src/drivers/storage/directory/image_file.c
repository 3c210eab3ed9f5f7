/* drivers/storage/directory/image_file.c - reads for the format checks. */
#include "drivers/storage/directory/image_file.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_file(void *arg, int64_t offset, void *to, size_t count, struct err *err)
{
    const int *fd = arg;
    char *at = to;

    while (count > 0) {
        ssize_t got = pread(*fd, at, count, offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, "read");
        if (got == 0)
            return err_set(err, ERR_IO, "the file became shorter while it was read");
        at += got;
        offset += got;
        count -= (size_t)got;
    }
    return 0;
}

int image_file_bytes(const int *fd, struct image_bytes *ret_bytes, struct err *err)
{
    struct stat found;

    if (fstat(*fd, &found) < 0)
        return err_errno(err, "stat");
    if (!S_ISREG(found.st_mode))
        return err_set(err, ERR_INVALID, "not a file");
    *ret_bytes =
        (struct image_bytes){ .size = found.st_size, .read = read_file, .arg = (void *)fd };
    return 0;
}
