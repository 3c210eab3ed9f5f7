/* api/stream.c - a descriptor's bytes as an answer. */
#include "api/stream.h"
#include "api/connection.h"
#include "api/internal.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STREAM_BLOCK_SIZE = 32 * 1024, INOTIFY_EVENTS_SIZE = 4096 };

struct stream {
    struct api *api;
    struct connection *connection;
    struct MHD_Connection *mhd;
    int fd;
    int inotify_fd;         /* -1: nothing to follow */
    struct loop_source *io; /* while waiting for bytes, or for the file to grow */
    struct loop_source *hangup;
    bool suspended;
    bool broken;
};

static void stream_free(void *arg)
{
    struct stream *stream = arg;

    loop_source_free(stream->io);
    loop_source_free(stream->hangup);
    if (stream->inotify_fd >= 0)
        close(stream->inotify_fd);
    close(stream->fd);
    free(stream);
}

static void wake(struct stream *stream)
{
    if (!stream->suspended)
        return;
    stream->suspended = false;
    loop_io_events(stream->io, 0);
    connection_resume(stream->connection);
}

static void ready(void *arg, int fd, unsigned events)
{
    struct stream *stream = arg;
    char drained[INOTIFY_EVENTS_SIZE];

    if (fd == stream->inotify_fd)
        while (read(fd, drained, sizeof drained) > 0)
            continue;
    wake(stream);
}

static void hung_up(void *arg, int fd, unsigned events)
{
    struct stream *stream = arg;

    loop_io_events(stream->hangup, 0);
    stream->broken = true;
    wake(stream);
}

static ssize_t wait_for_more(struct stream *stream)
{
    stream->suspended = true;
    MHD_suspend_connection(stream->mhd);
    loop_io_events(stream->io, LOOP_READ);
    return 0;
}

static ssize_t read_body(void *arg, uint64_t position, char *to, size_t room)
{
    struct stream *stream = arg;
    ssize_t size;

    if (stream->broken || stream->api->stopping)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    do
        size = read(stream->fd, to, room);
    while (size < 0 && errno == EINTR);
    if (size > 0)
        return size;
    if (size < 0 && errno != EAGAIN)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (size < 0 || stream->inotify_fd >= 0)
        return wait_for_more(stream);
    return MHD_CONTENT_READER_END_OF_STREAM;
}

static bool is_regular(int fd)
{
    struct stat stat;

    return fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode);
}

/* An inotify descriptor that tells when the file behind 'fd' grows; -1 when that can't be had, and
 * then the file is sent as it is. */
static int follow_file(int fd)
{
    auto_free char *path = str_printf("/proc/self/fd/%d", fd);
    int inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (inotify_fd >= 0 && inotify_add_watch(inotify_fd, path, IN_MODIFY) < 0) {
        close(inotify_fd);
        return -1;
    }
    return inotify_fd;
}

static void unblock(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void stream_reply(struct request *request, int take_fd, const char *content_type, bool follow)
{
    struct stream *stream = mem_new(struct stream);
    struct loop *loop = request->api->loop;
    struct MHD_Response *response;
    int waits_on;

    *stream =
        (struct stream){ .api = request->api,
                         .connection = request->connection,
                         .mhd = request->mhd,
                         .fd = take_fd,
                         .inotify_fd = follow && is_regular(take_fd) ? follow_file(take_fd) : -1 };
    unblock(take_fd);
    waits_on = stream->inotify_fd >= 0 ? stream->inotify_fd : stream->fd;
    stream->io = loop_io(loop, waits_on, 0, ready, stream);
    stream->hangup = loop_io(loop, request->connection->fd, LOOP_HANGUP, hung_up, stream);
    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_SIZE, read_body,
                                                 stream, stream_free);
    MHD_add_response_header(response, "Content-Type", content_type);
    reply_response(request, 200, response);
}
