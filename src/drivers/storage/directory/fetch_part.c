/* drivers/storage/directory/fetch_part.c - a download's bytes and what is known of them.
 *
 * staging/part holds the bytes, staging/headers what the server said, staging/part.json which URL
 * they are from and the server's name for that version of the file. */
#include "drivers/storage/directory/fetch_part.h"
#include "base/auto.h"
#include "base/files.h"
#include "base/json.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SETTLE_TRIES = 100, /* a daemon killed just now takes its curl along, a moment later */
    STATE_SIZE_MAX = 16 * 1024,
};

int64_t fetch_part_size(const struct fetch *fetch)
{
    struct stat found;

    return fstat(fetch->part_fd, &found) == 0 ? found.st_size : 0;
}

void fetch_part_headers(const struct fetch *fetch, struct fetch_headers *ret_headers)
{
    auto_free char *text = malloc(FETCH_HEADERS_MAX);
    ssize_t size = text ? pread(fetch->headers_fd, text, FETCH_HEADERS_MAX, 0) : 0;

    fetch_headers_parse(text, size > 0 ? (size_t)size : 0, ret_headers);
}

static int truncate_fd(int fd, struct err *err)
{
    return ftruncate(fd, 0) < 0 ? err_errno(err, "truncate the download") : 0;
}

static int save_state(const struct fetch *fetch, struct err *err)
{
    auto_free char *path = place_staging(fetch->op->place, fetch->op->uid, "part.json");
    auto_json json_t *state = json_object();
    auto_free char *text = NULL;

    json_set_at(state, "url", json_string(fetch->op->url));
    json_set_at(state, "validator", json_string(fetch->validator));
    text = json_text(state);
    return file_write_atomic(path, text, strlen(text), 0600, err);
}

/* False when the part is from another URL, or nothing is known of it. */
static bool load_state(struct fetch *fetch)
{
    auto_free char *path = place_staging(fetch->op->place, fetch->op->uid, "part.json");
    auto_buf struct buf text = { 0 };
    auto_json json_t *state = NULL;
    struct err unseen;

    if (file_read(path, STATE_SIZE_MAX, &text, &unseen) < 0)
        return false;
    state = json_parse(text.bytes ? text.bytes : "", text.size, &unseen);
    if (!state || !str_equal(json_text_at(state, "url", NULL), fetch->op->url))
        return false;
    snprintf(fetch->validator, sizeof fetch->validator, "%s", json_text_at(state, "validator", ""));
    return true;
}

/* The last response may have come just before a crash: what it said is newer than the state. */
static int take_validator(struct fetch *fetch, struct err *err)
{
    struct fetch_headers headers;

    fetch_part_headers(fetch, &headers);
    if ((headers.status != 200 && headers.status != 206) || !headers.validator[0] ||
        str_equal(headers.validator, fetch->validator))
        return 0;
    snprintf(fetch->validator, sizeof fetch->validator, "%s", headers.validator);
    return save_state(fetch, err);
}

int fetch_part_settle(struct fetch *fetch, struct err *err)
{
    return take_validator(fetch, err) < 0 ? -1 : truncate_fd(fetch->headers_fd, err);
}

int fetch_part_drop(struct fetch *fetch, struct err *err)
{
    fetch->validator[0] = '\0';
    if (truncate_fd(fetch->part_fd, err) < 0 || truncate_fd(fetch->headers_fd, err) < 0)
        return -1;
    return save_state(fetch, err);
}

static int wait_for_last_writer(const struct fetch *fetch, const char *path, struct err *err)
{
    for (int i = 0; i < SETTLE_TRIES; i++) {
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

        if (fd < 0)
            return errno == ENOENT ? 0 : err_errno(err, "open %s", path);
        if (place_check_no_writer(fd, err) == 0)
            return 0;
        if (cancel_wait(&fetch->op->cancel, fetch->op->place->retry_ms, err) < 0)
            return -1;
    }
    return err_set(err, ERR_UNAVAILABLE, "%s: another process still writes to it", path);
}

static int open_for_child(const struct fetch *fetch, const char *name, int *ret_fd, struct err *err)
{
    auto_free char *path = place_staging(fetch->op->place, fetch->op->uid, name);

    if (wait_for_last_writer(fetch, path, err) < 0)
        return -1;
    *ret_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*ret_fd < 0)
        return err_errno(err, "open %s", path);
    return fchown(*ret_fd, fetch->op->place->convert_uid, 0) < 0 || fchmod(*ret_fd, 0600) < 0
               ? err_errno(err, "hand %s to its user", path)
               : 0;
}

int fetch_part_open(struct fetch *fetch, struct err *err)
{
    if (open_for_child(fetch, "part", &fetch->part_fd, err) < 0 ||
        open_for_child(fetch, "headers", &fetch->headers_fd, err) < 0)
        return -1;
    return load_state(fetch) ? take_validator(fetch, err) : fetch_part_drop(fetch, err);
}

/* From here on nobody writes to it any more. */
int fetch_part_take(const struct fetch *fetch, int *ret_fd, struct err *err)
{
    auto_free char *path = place_staging(fetch->op->place, fetch->op->uid, "part");
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return err_errno(err, "open %s", path);
    if (fchown(fd, 0, 0) < 0 || fchmod(fd, STAGED_MODE) < 0)
        return err_errno(err, "take %s back", path);
    *ret_fd = fd;
    fd = -1;
    return 0;
}

void fetch_part_close(struct fetch *fetch)
{
    if (fetch->part_fd >= 0)
        close(fetch->part_fd);
    if (fetch->headers_fd >= 0)
        close(fetch->headers_fd);
}
