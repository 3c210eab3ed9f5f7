/* api/upload.c - a request body written to a descriptor as it comes. */
#include "api/upload.h"
#include "api/connection.h"
#include "api/internal.h"
#include "base/files.h"
#include "base/mem.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { REST_DROPPED_MAX = 256 * 1024, PIPE_PATIENCE_MS = 60 * 1000 };

struct upload {
    struct api_call *call;
    struct request *request; /* NULL: over */
    struct worker_pool *workers;
    int fd;
    api_upload_fn *end;
    void *arg;
    struct buf collected; /* the next part */
    struct buf writing;   /* the part in the worker's hands */
    bool is_writing;
    bool is_last; /* that part ends the body: it is synced */
    bool has_all; /* the body is complete, or the client is gone */
    bool has_failed;
    struct err err;
    int64_t written;
};

/* --- in the worker --- */

/* Waits until a pipe or socket has room; files always have. */
static int wait_for_room(int fd, struct err *err)
{
    struct pollfd poller = { .fd = fd, .events = POLLOUT };
    int result = poll(&poller, 1, PIPE_PATIENCE_MS);

    if (result == 0)
        return err_set(err, ERR_TIMEOUT, "nothing was taken for %d s", PIPE_PATIENCE_MS / 1000);
    return result < 0 && errno != EINTR ? err_errno(err, "poll") : 0;
}

static int write_part(void *arg, struct err *err)
{
    struct upload *upload = arg;
    const struct buf *part = &upload->writing;

    for (size_t at = 0; at < part->size;) {
        ssize_t written = write(upload->fd, part->bytes + at, part->size - at);

        if (written >= 0)
            at += (size_t)written;
        else if (errno == EAGAIN && wait_for_room(upload->fd, err) < 0)
            return -1;
        else if (errno != EAGAIN && errno != EINTR)
            return err_errno(err, "write upload");
    }
    /* What is confirmed to the client must survive a power cut; pipes know no sync. */
    if (upload->is_last && fdatasync(upload->fd) < 0 && errno != EINVAL && errno != ENOTSUP)
        return err_errno(err, "sync upload");
    return 0;
}

/* --- on the loop --- */

static void upload_free(struct upload *upload)
{
    buf_done(&upload->collected);
    buf_done(&upload->writing);
    if (upload->fd >= 0)
        close(upload->fd);
    free(upload);
}

/* Tells the end; the call is answered by who gets it. */
static void finish(struct upload *upload)
{
    struct api_call *call = upload->call;

    if (upload->request) {
        upload->request->upload = NULL;
        upload->request->upload_done = true;
    }
    close(upload->fd);
    upload->fd = -1;
    upload->end(upload->arg, call, upload->has_failed ? &upload->err : NULL, upload->written);
    upload_free(upload);
}

static void part_written(void *arg, const struct err *err);

static void write_next(struct upload *upload)
{
    struct worker_job job = { .work = write_part, .finish = part_written, .arg = upload };
    struct buf empty = upload->writing;

    upload->writing = upload->collected;
    upload->collected = empty;
    buf_clear(&upload->collected);
    upload->is_writing = true;
    upload->is_last = upload->has_all;
    worker_run(upload->workers, job);
}

static void resume(struct upload *upload)
{
    struct request *request = upload->request;

    if (!request || !request->suspended || upload->has_all)
        return;
    request->suspended = false;
    connection_resume(request->connection);
}

static void part_written(void *arg, const struct err *err)
{
    struct upload *upload = arg;

    upload->is_writing = false;
    if (err && !upload->has_failed) {
        upload->has_failed = true;
        upload->err = *err;
    } else if (!err) {
        upload->written += (int64_t)upload->writing.size;
    }
    buf_clear(&upload->writing);
    if (upload->has_failed)
        finish(upload);
    else if (upload->is_last)
        finish(upload);
    else if (upload->collected.size || upload->has_all)
        write_next(upload), resume(upload);
    else
        resume(upload);
}

void upload_start(struct api_call *call, int take_fd, api_upload_fn *end, void *arg)
{
    struct request *request = call->request;
    struct upload *upload = mem_new(struct upload);

    *upload =
        (struct upload){ .call = call, .request = request, .fd = take_fd, .end = end, .arg = arg };
    if (!request) {
        upload->has_failed = true;
        err_set(&upload->err, ERR_CANCELLED, "the client is gone");
        finish(upload);
        return;
    }
    upload->workers = request->api->workers;
    request->upload = upload;
    if (request->stage == STAGE_RUNNING) /* the body was empty, and is over already */
        upload_ended(request);
    resume(upload);
}

static void suspend(struct request *request)
{
    request->suspended = true;
    MHD_suspend_connection(request->mhd);
}

enum MHD_Result upload_take(struct request *request, const char *bytes, size_t *size)
{
    struct upload *upload = request->upload;

    deadline_set(&request->api->deadlines, &request->connection->deadline, DEADLINE_BODY);
    if (request->response || request->upload_done) { /* refused already: the rest is of no use */
        *size = 0;
        return MHD_YES;
    }
    if (!upload || upload->collected.size >= UPLOAD_PART_MAX) {
        deadline_set(&request->api->deadlines, &request->connection->deadline, DEADLINE_NONE);
        suspend(request);
        return MHD_YES;
    }
    buf_add(&upload->collected, bytes, *size);
    request->body_received += (int64_t)*size;
    *size = 0;
    if (!upload->is_writing)
        write_next(upload);
    return MHD_YES;
}

void upload_ended(struct request *request)
{
    struct upload *upload = request->upload;

    if (!upload || upload->has_all)
        return;
    upload->has_all = true;
    /* Also with nothing left to write: the worker syncs. */
    if (!upload->is_writing)
        write_next(upload);
}

void upload_gone(struct request *request)
{
    struct upload *upload = request->upload;

    if (!upload)
        return;
    upload->request = NULL;
    upload->has_all = true;
    upload->has_failed = true;
    err_set(&upload->err, ERR_CANCELLED, "the upload broke off after %lld bytes",
            (long long)request->body_received);
    if (request->cut) /* the call lives on without its request */
        request->cut(request);
    if (!upload->is_writing)
        finish(upload);
}

bool upload_refuse(struct request *request, const struct err *err)
{
    int64_t rest = request->body_size < 0 ? INT64_MAX : request->body_size - request->body_received;

    if (request->stage != STAGE_BODY || request->method != METHOD_PUT || rest <= REST_DROPPED_MAX)
        return false;
    request->upload_done = true;
    connection_refuse(request->connection, err);
    if (request->suspended) {
        request->suspended = false;
        connection_resume(request->connection);
    }
    return true;
}
