/* api/exchange.c - the life of a request: head, body, answer. */
#include "api/exchange.h"
#include "api/auth.h"
#include "api/connection.h"
#include "api/dispatch.h"
#include "api/internal.h"
#include "api/request.h"
#include "api/tunnel.h"
#include "api/upload.h"
#include "api/watch.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A refused body is read to its end when it is not much more than what would have been taken. */
enum { BODY_DROPPED_MAX = 16 * 1024 * 1024 };

static enum http_method method_of(const char *text)
{
    static const char *const names[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" };

    for (int i = 0; i < METHOD_OTHER; i++)
        if (strcmp(names[i], text) == 0)
            return (enum http_method)i;
    return METHOD_OTHER;
}

/* Two readings of where the body ends would let one client speak in another's name behind a
 * proxy: whatever is ambiguous is refused. */
static int check_framing(const struct request_headers *headers, struct err *err)
{
    if (headers->content_length && headers->transfer_encoding)
        return err_set(err, ERR_BAD_REQUEST, "both Content-Length and Transfer-Encoding are given");
    if (headers->content_length_count > 1)
        return err_set(err, ERR_BAD_REQUEST, "more than one Content-Length is given");
    if (headers->transfer_encoding && strcasecmp(headers->transfer_encoding, "chunked") != 0)
        return err_set(err, ERR_BAD_REQUEST, "the only Transfer-Encoding understood is chunked");
    if (headers->host_count != 1)
        return err_set(err, ERR_BAD_REQUEST, "exactly one Host header is required");
    if (headers->is_malformed)
        return err_set(err, ERR_BAD_REQUEST,
                       "malformed header: a name is no token, or a value holds "
                       "a control character");
    return 0;
}

static int read_body_size(struct request *request, struct err *err)
{
    const struct request_headers *headers = &request->headers;
    char *end;

    request->body_size = headers->transfer_encoding ? -1 : 0;
    if (!headers->content_length)
        return 0;
    request->body_size = strtoll(headers->content_length, &end, 10);
    if (*end || headers->content_length[0] < '0' || headers->content_length[0] > '9')
        return err_set(err, ERR_BAD_REQUEST, "malformed Content-Length");
    return 0;
}

static int read_head(struct request *request, struct err *err)
{
    request_read_headers(request);
    request->must_close = true; /* until it is clear where the request ends */
    if (check_framing(&request->headers, err) < 0 || read_body_size(request, err) < 0)
        return -1;
    request->must_close = false;
    if (url_parse(request->target, &request->url, err) < 0)
        return -1;
    request->route = route_find(&request->url);
    if (request->route.kind)
        request->resource = resource_of(&request->api->resources, request->route.kind);
    return 0;
}

/* Refuses what can be refused before the body comes. */
static int check_head(struct request *request, struct failure *failure)
{
    struct err err;

    if (read_head(request, &err) < 0)
        return failure_from(failure, &err);
    if (auth_identify(request, failure) < 0 || dispatch_prepare(request, failure) < 0)
        return -1;
    if (request->body_size > JSON_BODY_SIZE_MAX && !dispatch_takes_upload(request))
        return failure_set(failure, ERR_TOO_LARGE,
                           "the body of the request may have at most %d bytes", JSON_BODY_SIZE_MAX);
    return 0;
}

/* The answer to a request whose body is still to come: a small body is read and dropped, so that
 * the client sees the answer; a big or endless one is not waited for. */
static enum MHD_Result refuse_early(struct request *request)
{
    bool has_body = request->body_size != 0;

    if (!request->must_close && request->body_size > 0 && request->body_size <= BODY_DROPPED_MAX &&
        !request->headers.expect) {
        request->body_dropped = true;
        request->stage = STAGE_BODY;
        return MHD_YES;
    }
    if (has_body || request->must_close)
        MHD_add_response_header(request->response, "Connection", "close");
    return request_send(request);
}

static enum MHD_Result begin_request(struct request *request, const char *method)
{
    auto_failure struct failure failure = { 0 };
    struct connection *connection = request->connection;

    request->method_text = method;
    request->method = method_of(method);
    if (check_head(request, &failure) < 0)
        reply_failure(request, &failure);
    else if (dispatch_takes_upload(request))
        dispatch_run(request);
    deadline_set(&request->api->deadlines, &connection->deadline,
                 request->body_size != 0 ? DEADLINE_BODY : DEADLINE_NONE);
    if (request->response)
        return refuse_early(request);
    request->stage = STAGE_BODY;
    return MHD_YES;
}

static enum MHD_Result take_body(struct request *request, const char *bytes, size_t *size)
{
    struct err err;

    if (request->body_dropped) {
        *size = 0;
        return MHD_YES;
    }
    if (dispatch_takes_upload(request))
        return upload_take(request, bytes, size);
    buf_add(&request->body, bytes, *size);
    *size = 0;
    if (!request->body.overflowed)
        return MHD_YES;
    err_set(&err, ERR_TOO_LARGE, "the body of the request may have at most %d bytes",
            JSON_BODY_SIZE_MAX);
    connection_refuse(request->connection, &err);
    return MHD_NO;
}

/* Runs the request once, and sends the answer when there is one, or waits for it. */
static enum MHD_Result run_request(struct request *request)
{
    if (request->stage == STAGE_BODY) {
        deadline_set(&request->api->deadlines, &request->connection->deadline, DEADLINE_NONE);
        request->stage = STAGE_RUNNING;
        if (request->response)
            request->stage = STAGE_ANSWERED;
        else if (dispatch_takes_upload(request))
            upload_ended(request);
        else
            dispatch_run(request);
    }
    if (request->stage == STAGE_ANSWERED)
        return request_send(request);
    request->suspended = true;
    MHD_suspend_connection(request->mhd);
    return MHD_YES;
}

enum MHD_Result exchange_handle(void *arg, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *bytes,
                                size_t *size, void **state)
{
    struct request *request = *state;

    if (!request)
        return MHD_NO;
    if (request->stage == STAGE_NEW)
        return begin_request(request, method);
    if (*size)
        return take_body(request, bytes, size);
    return run_request(request);
}

void *exchange_see_target(void *arg, const char *target, struct MHD_Connection *mhd)
{
    struct listener *listener = arg;

    return request_new(listener->api, mhd, target);
}

void exchange_completed(void *arg, struct MHD_Connection *mhd, void **state,
                        enum MHD_RequestTerminationCode how)
{
    struct request *request = *state;

    if (!request)
        return;
    *state = NULL;
    if (request->connection && !request->connection->is_upgraded)
        deadline_set(&request->api->deadlines, &request->connection->deadline, DEADLINE_IDLE);
    if (request->watch)
        watch_gone(request->watch);
    if (request->tunnel)
        tunnel_gone(request->tunnel);
    upload_gone(request);
    if (request->cut)
        request->cut(request);
    request_free(request);
}
