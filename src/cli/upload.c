/* cli/upload.c - an image's bytes to its content subresource; goes on where it broke off. */
#include "cli/common.h"
#include "cli/progress.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RETRIES_MAX = 5, RETRY_MS = 1000, SHOW_MS = 100 };

struct uploading {
    struct session *session;
    const char *path; /* of the content */
    int fd;
    int64_t size;   /* -1: unknown; then it cannot go on */
    int64_t offset; /* the server has what is before it */
    int64_t begin_ms, shown_ms;
};

static void show(void *arg, int64_t sent)
{
    struct uploading *uploading = arg;
    int64_t now = monotonic_ms(), done = uploading->offset + sent;

    if (!uploading->session->err_is_terminal ||
        (now - uploading->shown_ms < SHOW_MS && done != uploading->size))
        return;
    uploading->shown_ms = now;
    auto_free char *bar = progress_bar(done, uploading->size, now - uploading->begin_ms);
    auto_free char *line = str_printf("uploading %s", bar);
    progress_show(uploading->session, line);
}

static void add_number(char **path, const char *name, int64_t value)
{
    auto_free char *text = str_printf("%lld", (long long)value);

    client_path_option(path, name, text);
}

/* Sends what is left. */
static int send_rest(struct uploading *uploading, struct err *err)
{
    auto_free char *path = str_dup(uploading->path);
    bool is_known = uploading->size >= 0;

    add_number(&path, "offset", uploading->offset);
    if (is_known)
        add_number(&path, "size", uploading->size);
    return client_send(uploading->session->client,
                       &(struct client_request){
                           .method = "PUT",
                           .path = path,
                           .content_type = "application/octet-stream",
                           .body_from_fd = true,
                           .body_fd = uploading->fd,
                           .body_size = is_known ? uploading->size - uploading->offset : -1,
                           .progress = show,
                           .progress_arg = uploading },
                       NULL, err);
}

/* Asks how much is there, and goes to that place of the file. */
static int find_place(struct uploading *uploading, struct err *err)
{
    auto_json json_t *answer = NULL;
    int64_t have;

    if (client_get(uploading->session->client, uploading->path, &answer, err) < 0)
        return -1;
    have = json_int_at(answer, "bytes", 0);
    if (have > uploading->size)
        return err_set(err, ERR_CONFLICT, "the server has %lld bytes already, the file only %lld",
                       (long long)have, (long long)uploading->size);
    if (lseek(uploading->fd, have, SEEK_SET) < 0)
        return err_errno(err, "go to byte %lld", (long long)have);
    uploading->offset = have;
    return 0;
}

/* Whether the connection broke, rather than the server refused; which it does again for as long as it has
 * not noticed that the connection before broke. */
static bool is_interrupted(const struct uploading *uploading, bool is_retry, const struct err *err)
{
    if (uploading->size < 0)
        return false;
    if (client_last_status(uploading->session->client) != 0)
        return is_retry && err->code == ERR_CONFLICT;
    return err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT;
}

int upload_image(struct session *session, const char *name, int fd, int64_t size, bool resumes,
                 struct err *err)
{
    auto_free char *path = object_path(session, kind_find_name("images"), name, "content");
    struct uploading uploading = { .session = session, .path = path, .fd = fd, .size = size,
                                   .begin_ms = monotonic_ms() };
    int result, retries = 0;

    if (!session_client(session, err) || (resumes && find_place(&uploading, err) < 0))
        return -1;
    result = send_rest(&uploading, err);
    while (result < 0 && is_interrupted(&uploading, retries > 0, err) && retries++ < RETRIES_MAX) {
        progress_show(session, "the upload was interrupted and goes on");
        poll(NULL, 0, RETRY_MS);
        result = find_place(&uploading, err);
        if (result == 0)
            result = send_rest(&uploading, err);
    }
    progress_clear(session);
    return result;
}
