/* base/file_copy.c - a file once more. */
#include "base/files.h"
#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <unistd.h>

enum { CHUNK = 8 * 1024 * 1024 };

static int copy_part(int from, int to, off_t start, off_t end, struct err *err)
{
    if (lseek(to, start, SEEK_SET) < 0)
        return err_errno(err, "seek");
    while (start < end) {
        ssize_t copied = sendfile(to, from, &start, end - start < CHUNK ? (size_t)(end - start) : CHUNK);

        if (copied < 0 && errno == EINTR)
            continue;
        if (copied < 0)
            return err_errno(err, "copy");
        if (copied == 0)
            return err_set(err, ERR_IO, "the file became shorter while it was copied");
    }
    return 0;
}

int file_copy(int from, int to, struct err *err)
{
    struct stat status;
    off_t data = 0, hole;

    if (ioctl(to, FICLONE, from) == 0)
        return 0;
    if (fstat(from, &status) < 0 || ftruncate(to, status.st_size) < 0)
        return err_errno(err, "copy");
    while ((data = lseek(from, data, SEEK_DATA)) >= 0) {
        hole = lseek(from, data, SEEK_HOLE);
        if (hole < 0)
            return err_errno(err, "read");
        if (copy_part(from, to, data, hole, err) < 0)
            return -1;
        data = hole;
    }
    return errno == ENXIO ? 0 : err_errno(err, "read"); /* no data behind: the end */
}
