/* drivers/storage/directory/import_program.c - virga-import: opens foreign archives, so that
 * the daemon does not. Runs without privileges and ends after one file. */
#include "drivers/storage/directory/import_program.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/storage/directory/bundle.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    IN_FD = 3,
    OUT_FD = 4,
    MANIFEST_FD = 4,
    DISK_FD = 5,
    KERNEL_FD = 6,
    INITRD_FD = 7,
    READ_SIZE = 256 * 1024,
    HOLE_SIZE = 4096,
    MEMBERS_MAX = 64,
};

static const int64_t KERNEL_MAX = INT64_C(256) << 20;
static const int64_t INITRD_MAX = INT64_C(1) << 30;

struct limits {
    int64_t logical;
    int64_t written_left;
};

static const char zeros[HOLE_SIZE];

/* --- writing with holes --- */

static int write_at(int fd, const char *bytes, size_t size, int64_t offset, struct limits *limits,
                    struct err *err)
{
    limits->written_left -= (int64_t)size;
    if (limits->written_left < 0)
        return err_set(err, ERR_NO_SPACE, "unpacks to more than the bytes that are free");
    while (size > 0) {
        ssize_t written = pwrite(fd, bytes, size, offset);

        if (written < 0 && errno != EINTR)
            return err_errno(err, "write");
        if (written > 0) {
            bytes += written;
            offset += written;
            size -= (size_t)written;
        }
    }
    return 0;
}

static int write_sparse(int fd, const char *bytes, size_t size, int64_t offset,
                        struct limits *limits, struct err *err)
{
    while (size > 0) {
        size_t to_border = HOLE_SIZE - (size_t)(offset % HOLE_SIZE);
        size_t part = size < to_border ? size : to_border;

        if (memcmp(bytes, zeros, part) != 0 && write_at(fd, bytes, part, offset, limits, err) < 0)
            return -1;
        bytes += part;
        offset += (int64_t)part;
        size -= part;
    }
    return 0;
}

static int read_error(struct archive *archive, struct err *err)
{
    const char *why = archive_error_string(archive);

    return err_set(err, ERR_INVALID, "%s", why ? why : "damaged");
}

/* The data of the current member into 'fd', at most 'size_max' bytes with its holes. */
static int copy_data(struct archive *archive, int fd, int64_t size_max, struct limits *limits,
                     struct err *err)
{
    int64_t end = 0;

    for (;;) {
        const void *bytes;
        size_t size;
        la_int64_t offset;
        int result = archive_read_data_block(archive, &bytes, &size, &offset);

        if (result == ARCHIVE_EOF)
            break;
        if (result != ARCHIVE_OK)
            return read_error(archive, err);
        if (offset < end || offset > size_max || (int64_t)size > size_max - offset)
            return err_set(err, ERR_TOO_LARGE, "unpacks to more than the %" PRId64 " bytes allowed",
                           size_max);
        if (write_sparse(fd, bytes, size, offset, limits, err) < 0)
            return -1;
        end = offset + (int64_t)size;
    }
    return ftruncate(fd, end) < 0 ? err_errno(err, "write") : 0;
}

/* --- decompress --- */

static const struct filter {
    const char *name;
    int code;
    int (*support)(struct archive *archive);
} filters[] = {
    { "gzip", ARCHIVE_FILTER_GZIP, archive_read_support_filter_gzip },
    { "xz", ARCHIVE_FILTER_XZ, archive_read_support_filter_xz },
    { "zstd", ARCHIVE_FILTER_ZSTD, archive_read_support_filter_zstd },
};

static const struct filter *find_filter(const char *name)
{
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        if (strcmp(filters[i].name, name) == 0)
            return &filters[i];
    return NULL;
}

static int open_compressed(struct archive *archive, const struct filter *filter, struct err *err)
{
    struct archive_entry *entry;
    int result;

    if (filter->support(archive) != ARCHIVE_OK ||
        archive_read_support_format_raw(archive) != ARCHIVE_OK ||
        archive_read_support_format_empty(archive) != ARCHIVE_OK)
        return err_set(err, ERR_UNSUPPORTED, "libarchive can't read %s", filter->name);
    if (archive_read_open_fd(archive, IN_FD, READ_SIZE) != ARCHIVE_OK)
        return read_error(archive, err);
    result = archive_read_next_header(archive, &entry);
    if (result == ARCHIVE_EOF)
        return err_set(err, ERR_INVALID, "the file in it is empty");
    if (result != ARCHIVE_OK)
        return read_error(archive, err);
    if (archive_filter_count(archive) > 2) /* this one and the plain file below it */
        return err_set(err, ERR_INVALID, "is compressed twice");
    if (archive_filter_code(archive, 0) != filter->code)
        return err_set(err, ERR_INVALID, "not compressed with %s", filter->name);
    return 0;
}

static int decompress(const char *name, struct limits *limits, struct err *err)
{
    const struct filter *filter = find_filter(name);
    struct archive *archive = archive_read_new();
    int result;

    if (!archive || !filter)
        return err_set(err, ERR_UNSUPPORTED, "%s is not known", name);
    result = open_compressed(archive, filter, err);
    if (result == 0)
        result = copy_data(archive, OUT_FD, limits->logical, limits, err);
    archive_read_free(archive);
    return result < 0 ? err_wrap(err, "%s", name) : 0;
}

/* --- unbundle --- */

struct member {
    const char *name; /* NULL: not wanted */
    int fd;
    int64_t size_max;
    bool is_there;
};

static int next_member(struct archive *archive, const char **ret_name, struct err *err)
{
    struct archive_entry *entry;
    int result = archive_read_next_header(archive, &entry);

    *ret_name = NULL;
    if (result == ARCHIVE_EOF)
        return 0;
    if (result != ARCHIVE_OK)
        return read_error(archive, err);
    *ret_name = archive_entry_pathname(entry);
    if (!*ret_name || strchr(*ret_name, '/'))
        return err_set(err, ERR_INVALID, "member \"%.100s\": names have no folders",
                       *ret_name ? *ret_name : "?");
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) ||
        archive_entry_symlink(entry))
        return err_set(err, ERR_INVALID, "member \"%.100s\" is no plain file", *ret_name);
    return 0;
}

static int read_manifest(struct archive *archive, struct limits *limits, struct bundle *ret_bundle,
                         struct err *err)
{
    auto_free char *text = mem_alloc(BUNDLE_MANIFEST_MAX);
    const char *name;
    ssize_t size;

    if (next_member(archive, &name, err) < 0)
        return -1;
    if (!name || strcmp(name, "image.json") != 0)
        return err_set(err, ERR_INVALID, "the first member is not image.json");
    if (copy_data(archive, MANIFEST_FD, BUNDLE_MANIFEST_MAX, limits, err) < 0)
        return err_wrap(err, "image.json");
    size = pread(MANIFEST_FD, text, BUNDLE_MANIFEST_MAX, 0);
    if (size < 0)
        return err_errno(err, "image.json");
    return bundle_parse(text, (size_t)size, ret_bundle, err);
}

static struct member *find_member(struct member *members, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (members[i].name[0] && strcmp(members[i].name, name) == 0)
            return &members[i];
    return NULL;
}

static int take_member(struct archive *archive, struct member *member, struct limits *limits,
                       struct err *err)
{
    if (member->is_there)
        return err_set(err, ERR_INVALID, "member \"%s\" is there twice", member->name);
    member->is_there = true;
    if (copy_data(archive, member->fd, member->size_max, limits, err) < 0)
        return err_wrap(err, "%s", member->name);
    return 0;
}

static int take_members(struct archive *archive, struct member *members, size_t count,
                        struct limits *limits, struct err *err)
{
    for (int seen = 0; seen < MEMBERS_MAX; seen++) {
        const char *name;
        struct member *member;

        if (next_member(archive, &name, err) < 0)
            return -1;
        if (!name)
            return 0;
        member = find_member(members, count, name);
        if (member && take_member(archive, member, limits, err) < 0)
            return -1;
    }
    return err_set(err, ERR_INVALID, "more than %d members", MEMBERS_MAX);
}

static int take_all(struct archive *archive, struct limits *limits, struct err *err)
{
    struct bundle bundle;
    struct member members[] = { { bundle.disk, DISK_FD, limits->logical },
                                { bundle.kernel, KERNEL_FD, KERNEL_MAX },
                                { bundle.initrd, INITRD_FD, INITRD_MAX } };
    size_t count = sizeof members / sizeof members[0];

    if (read_manifest(archive, limits, &bundle, err) < 0 ||
        take_members(archive, members, count, limits, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (members[i].name[0] && !members[i].is_there)
            return err_set(err, ERR_INVALID, "member \"%s\" is missing", members[i].name);
    return 0;
}

static int unbundle(struct limits *limits, struct err *err)
{
    struct archive *archive = archive_read_new();
    int result;

    if (!archive || archive_read_support_format_tar(archive) != ARCHIVE_OK)
        return err_set(err, ERR_UNSUPPORTED, "libarchive can't read tar archives");
    if (archive_read_open_fd(archive, IN_FD, READ_SIZE) != ARCHIVE_OK)
        result = read_error(archive, err);
    else
        result = take_all(archive, limits, err);
    archive_read_free(archive);
    return result;
}

/* --- the program --- */

static bool read_limit(const char *text, int64_t *ret_limit)
{
    char *end;

    errno = 0;
    *ret_limit = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' && end != text && *ret_limit > 0;
}

/* Here and not by the daemon: sanitizers reserve address space by the terabyte, and then the
 * build sets the limit to 0. */
static void limit_memory(void)
{
    const struct rlimit limit = { IMPORT_MEMORY_MAX, IMPORT_MEMORY_MAX };

    if (limit.rlim_cur > 0)
        (void)setrlimit(RLIMIT_AS, &limit); /* lower than it was: can't fail */
}

static int exit_status(const struct err *err)
{
    if (err->code == ERR_TOO_LARGE)
        return IMPORT_EXIT_TOO_LARGE;
    if (err->code == ERR_NO_SPACE)
        return IMPORT_EXIT_NO_SPACE;
    return IMPORT_EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct limits limits;
    struct err err = { 0 };
    int result;

    limit_memory();
    if (argc < 4 || !read_limit(argv[argc - 2], &limits.logical) ||
        !read_limit(argv[argc - 1], &limits.written_left)) {
        fprintf(stderr, "virga-import is run by virgad only\n");
        return 2;
    }
    if (argc == 5 && strcmp(argv[1], "decompress") == 0)
        result = decompress(argv[2], &limits, &err);
    else if (argc == 4 && strcmp(argv[1], "unbundle") == 0)
        result = unbundle(&limits, &err);
    else
        result = err_set(&err, ERR_INVALID, "%s is not known", argv[1]);
    if (result == 0)
        return 0;
    fprintf(stderr, "%s\n", err.text);
    return exit_status(&err);
}
