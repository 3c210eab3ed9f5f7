/* base/journal.c - lines in bounded segments. */
#include "base/journal.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *segment_path(const struct journal *journal, unsigned age)
{
    return age ? str_printf("%s.%u", journal->path, age) : str_dup(journal->path);
}

/* Each segment becomes one older; the oldest is written over. */
static int shift(const struct journal *journal, struct err *err)
{
    for (unsigned age = journal->segments_max - 1; age > 0; age--) {
        auto_free char *from = segment_path(journal, age - 1), *to = segment_path(journal, age);

        if (rename(from, to) < 0 && errno != ENOENT)
            return err_errno(err, "rename %s", from);
    }
    if (journal->segments_max == 1 && unlink(journal->path) < 0 && errno != ENOENT)
        return err_errno(err, "unlink %s", journal->path);
    return 0;
}

/* True when the file ends in the middle of a line. */
static bool is_torn(int fd, off_t size)
{
    char last = '\n';

    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

/* '*ret_fd' is open at the end of a segment with room for 'size' more bytes. */
static int open_segment(const struct journal *journal, size_t size, int *ret_fd, struct err *err)
{
    int fd = open(journal->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct stat found;

    if (fd < 0 || fstat(fd, &found) < 0) {
        int result = err_errno(err, "open %s", journal->path);

        if (fd >= 0)
            close(fd);
        return result;
    }
    *ret_fd = fd;
    if (found.st_size == 0 || (size_t)found.st_size + size + 1 <= journal->segment_bytes_max)
        return is_torn(fd, found.st_size) ? write_all(fd, "\n", 1, err) : 0;
    close(fd);
    *ret_fd = -1;
    return shift(journal, err) < 0 ? -1 : open_segment(journal, size, ret_fd, err);
}

int journal_append(const struct journal *journal, const char *lines, size_t size, struct err *err)
{
    int fd = -1, result;

    if (size == 0)
        return 0;
    result = open_segment(journal, size, &fd, err);
    if (result == 0)
        result = write_all(fd, lines, size, err);
    if (fd >= 0)
        close(fd);
    return result < 0 ? err_wrap(err, "%s", journal->path) : 0;
}

/* 1: go on; 0: enough; -1: failed. */
static int read_segment(const char *path, journal_line_fn *fn, void *arg, struct err *err)
{
    FILE *file = fopen(path, "re");
    auto_free char *line = mem_zero(JOURNAL_LINE_MAX + 2);
    int result = 1;
    bool is_rest = false;

    if (!file)
        return errno == ENOENT ? 1 : err_errno(err, "open %s", path);
    while (result == 1 && fgets(line, JOURNAL_LINE_MAX + 2, file)) {
        size_t size = strlen(line);
        bool is_whole = size > 0 && line[size - 1] == '\n';

        if (is_whole && !is_rest && !fn(arg, line, size - 1))
            result = 0;
        is_rest = !is_whole; /* of a line too long, or the torn last one */
    }
    if (ferror(file))
        result = err_set(err, ERR_IO, "read %s", path);
    fclose(file);
    return result;
}

int journal_read(const struct journal *journal, journal_line_fn *fn, void *arg, struct err *err)
{
    for (unsigned age = journal->segments_max; age-- > 0;) {
        auto_free char *path = segment_path(journal, age);
        int result = read_segment(path, fn, arg, err);

        if (result <= 0)
            return result;
    }
    return 0;
}
