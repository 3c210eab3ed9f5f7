/* cli/upload.c - an image's bytes to its content subresource. */
#include "cli/common.h"
#include <stdio.h>

struct uploading {
    const struct session *session;
    int64_t size;
    int64_t shown; /* in tenths of a percent, or MiB when the size is unknown */
};

static void show(void *arg, int64_t sent)
{
    enum { BAR = 30, MIB = 1024 * 1024 };
    struct uploading *uploading = arg;
    int64_t now = uploading->size > 0 ? sent * 1000 / uploading->size : sent / MIB;
    int filled = uploading->size > 0 ? (int)(sent * BAR / uploading->size) : 0;

    if (!uploading->session->err_is_terminal || now == uploading->shown)
        return;
    uploading->shown = now;
    if (uploading->size > 0)
        fprintf(stderr, "\r\033[Kuploading [%.*s%*s] %d%%", filled,
                "##############################", BAR - filled, "", (int)(now / 10));
    else
        fprintf(stderr, "\r\033[Kuploading %d MiB", (int)now);
}

int upload_image(struct session *session, const char *name, int fd, int64_t size, struct err *err)
{
    struct uploading uploading = { session, size, -1 };
    struct client *client = session_client(session, err);
    auto_free char *path = object_path(session, kind_find_name("images"), name, "content");
    int result;

    if (!client)
        return -1;
    client_path_option(&path, "offset", "0");
    if (size >= 0) {
        auto_free char *text = str_printf("%lld", (long long)size);
        client_path_option(&path, "size", text);
    }
    result = client_send(client,
                         &(struct client_request){ .method = "PUT",
                                                   .path = path,
                                                   .content_type = "application/octet-stream",
                                                   .body_from_fd = true,
                                                   .body_fd = fd,
                                                   .body_size = size,
                                                   .progress = show,
                                                   .progress_arg = &uploading },
                         NULL, err);
    if (session->err_is_terminal)
        fputs("\r\033[K", stderr);
    return result;
}
