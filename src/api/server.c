/* api/server.c - libmicrohttpd on our loop: listeners, connections, and the life of a request.
 *
 * libmicrohttpd runs in external-epoll mode: its epoll descriptor is one source of our loop.
 * What it wants after a round (more rounds at once, or a time-out) is asked for each time. */
#include "api/auth.h"
#include "api/collector.h"
#include "api/connect.h"
#include "api/dispatch.h"
#include "api/documents.h"
#include "api/index.h"
#include "api/internal.h"
#include "api/listen.h"
#include "api/request.h"
#include "api/tls.h"
#include "api/tunnel.h"
#include "api/upload.h"
#include "api/watch.h"
#include "api/write.h"
#include "base/mem.h"
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BODY_DROPPED_MAX = 1024 * 1024 };

/* --- rounds of libmicrohttpd --- */

static void arm_timer(struct listener *listener)
{
    int64_t now_ms = loop_now_ms(listener->api->loop), due_ms;
    MHD_UNSIGNED_LONG_LONG wait_ms;

    if (MHD_get_timeout(listener->mhd, &wait_ms) == MHD_NO)
        return;
    due_ms = now_ms + (int64_t)wait_ms;
    if (listener->timer_due_ms >= 0 && listener->timer_due_ms <= due_ms)
        return;
    listener->timer_due_ms = due_ms;
    loop_timer_again(listener->timer, (int64_t)wait_ms);
}

static bool wants_another_round(struct listener *listener)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;

    if (listener->resumed) {
        listener->resumed = false;
        return true;
    }
    return MHD_get_timeout(listener->mhd, &wait_ms) == MHD_YES && wait_ms == 0;
}

static void run_listener(struct listener *listener)
{
    for (int round = 0; round < RUN_ROUNDS_MAX; round++) {
        MHD_run(listener->mhd);
        if (!wants_another_round(listener))
            break;
    }
    arm_timer(listener);
}

static void listener_ready(void *arg, int fd, unsigned events) { run_listener(arg); }

static void listener_timer_fired(void *arg)
{
    struct listener *listener = arg;

    listener->timer_due_ms = -1;
    run_listener(listener);
}

void listener_kick(struct listener *listener)
{
    int64_t now_ms = loop_now_ms(listener->api->loop);

    listener->resumed = true;
    if (listener->timer_due_ms >= 0 && listener->timer_due_ms <= now_ms)
        return;
    listener->timer_due_ms = now_ms;
    loop_timer_again(listener->timer, 0);
}

void connection_resume(struct connection *connection)
{
    MHD_resume_connection(connection->mhd);
    listener_kick(connection->listener);
}

/* --- the life of a request --- */

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
    if (headers->has_nul)
        return err_set(err, ERR_BAD_REQUEST, "a header holds a NUL character");
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
    if (check_framing(&request->headers, err) < 0 || read_body_size(request, err) < 0 ||
        url_parse(request->target, &request->url, err) < 0)
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

    if (has_body && request->body_size > 0 && request->body_size <= BODY_DROPPED_MAX &&
        !request->headers.expect) {
        request->body_dropped = true;
        request->stage = STAGE_BODY;
        return MHD_YES;
    }
    if (has_body)
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

static enum MHD_Result handle(void *arg, struct MHD_Connection *mhd, const char *url,
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

/* The first that is seen of a request: the target as it was sent, before any decoding. */
static void *see_target(void *arg, const char *target, struct MHD_Connection *mhd)
{
    struct listener *listener = arg;

    return request_new(listener->api, mhd, target);
}

static void request_completed(void *arg, struct MHD_Connection *mhd, void **state,
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

/* --- connections --- */

struct connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

static void start_tls_session(struct connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    listen_keep_alive(connection->fd);
    if (info && info->tls_session)
        tls_session_started(connection->api->certificates, info->tls_session);
}

static struct connection *connection_new(struct listener *listener, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection *connection = mem_new(struct connection);

    *connection = (struct connection){
        .api = listener->api, .listener = listener, .mhd = mhd, .fd = info->connect_fd
    };
    connection->peer = listen_peer(connection->fd);
    if (listener->is_tls)
        start_tls_session(connection);
    deadline_set(&listener->api->deadlines, &connection->deadline, DEADLINE_HEAD);
    return connection;
}

static void connection_free(struct connection *connection)
{
    deadline_set(&connection->api->deadlines, &connection->deadline, DEADLINE_NONE);
    user_unref(connection->user);
    user_unref(connection->token_user);
    free(connection->token);
    free(connection->identity_problem);
    free(connection->peer);
    free(connection);
}

static void connection_changed(void *arg, struct MHD_Connection *mhd, void **state,
                               enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *state = connection_new(arg, mhd);
    } else if (*state) {
        connection_free(*state);
        *state = NULL;
    }
}

void connection_cut(struct connection *connection) { shutdown(connection->fd, SHUT_RDWR); }

void connection_refuse(struct connection *connection, const struct err *err)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    auto_failure struct failure failure = { 0 };

    failure_from(&failure, err);
    auto_json json_t *status = failure_status(&failure);
    auto_free char *body = json_text(status);
    auto_free char *text =
        str_printf("HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: "
                   "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                   failure_http_status(&failure), err_reason(err->code), strlen(body), body);
    /* The client may be gone or deaf: then there is nobody to tell. */
    if (connection->listener->is_tls && info && info->tls_session)
        (void)gnutls_record_send(info->tls_session, text, strlen(text));
    else if (!connection->listener->is_tls)
        (void)!send(connection->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(connection->fd, SHUT_RD);
    shutdown(connection->fd, SHUT_WR);
}

static void deadline_expired(struct deadline *deadline)
{
    struct connection *connection =
        (struct connection *)((char *)deadline - offsetof(struct connection, deadline));
    enum deadline_type type = connection->api->deadlines.expired_type;
    struct err err;

    if (type != DEADLINE_BODY) {
        connection_cut(connection);
        return;
    }
    err_set(&err, ERR_REQUEST_TIMEOUT, "the body of the request did not come within %d s",
            DEADLINE_BODY_MS / 1000);
    connection_refuse(connection, &err);
}

/* --- start and stop --- */

static unsigned connection_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= 2 * DESCRIPTORS_KEPT)
        return DESCRIPTORS_KEPT;
    return limit.rlim_cur - DESCRIPTORS_KEPT < CONNECTIONS_MAX
               ? (unsigned)(limit.rlim_cur - DESCRIPTORS_KEPT)
               : CONNECTIONS_MAX;
}

static struct MHD_Daemon *start_daemon(struct listener *listener, int fd, bool is_tls)
{
    unsigned flags = MHD_USE_EPOLL | MHD_USE_SUSPEND_RESUME | MHD_ALLOW_UPGRADE;
    struct MHD_OptionItem tls_options[TLS_OPTIONS_MAX] = { { MHD_OPTION_END, 0, NULL } };

    if (is_tls) {
        flags |= MHD_USE_TLS;
        tls_daemon_options(listener->api->certificates, tls_options);
    }
    return MHD_start_daemon(
        flags, 0, NULL, NULL, handle, listener, MHD_OPTION_LISTEN_SOCKET, (MHD_socket)fd,
        MHD_OPTION_NOTIFY_CONNECTION, connection_changed, listener, MHD_OPTION_NOTIFY_COMPLETED,
        request_completed, listener, MHD_OPTION_URI_LOG_CALLBACK, see_target, listener,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_SIZE,
        MHD_OPTION_CONNECTION_LIMIT, connection_limit(), MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)(DEADLINE_IDLE_MS / 1000), MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY, tls_options, MHD_OPTION_END);
}

/* Consumes 'take_fd'. */
static int start_listener(struct api *api, int take_fd, bool is_tls, struct err *err)
{
    struct listener *listener = &api->listeners[api->listener_count];
    const union MHD_DaemonInfo *info;

    *listener = (struct listener){ .api = api, .is_tls = is_tls, .timer_due_ms = -1 };
    listener->mhd = start_daemon(listener, take_fd, is_tls);
    if (!listener->mhd) {
        close(take_fd);
        return err_set(err, ERR_IO, "libmicrohttpd does not start");
    }
    info = MHD_get_daemon_info(listener->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    listener->io = loop_io(api->loop, info->epoll_fd, LOOP_READ, listener_ready, listener);
    listener->timer = loop_timer(api->loop, 0, listener_timer_fired, listener);
    api->listener_count++;
    return 0;
}

static int start_unix(struct api *api, const char *path, struct err *err)
{
    int fd = listen_unix(path, err);

    if (fd < 0)
        return -1;
    api->unix_path = str_dup(path);
    return start_listener(api, fd, /*is_tls=*/false, err);
}

static int start_tls(struct api *api, const struct api_options *options, struct err *err)
{
    int fd = listen_tcp(options->listen, &api->port, err);

    if (fd < 0)
        return -1;
    api->certificates = tls_open(api->loop, options, err);
    if (!api->certificates) {
        close(fd);
        return -1;
    }
    return start_listener(api, fd, /*is_tls=*/true, err);
}

struct api *api_new(const struct api_options *options, struct err *err)
{
    struct api *api = mem_new(struct api);

    signal(SIGPIPE, SIG_IGN); /* GnuTLS writes without MSG_NOSIGNAL */
    api->options = *options;
    api->loop = options->loop;
    api->workers = options->workers;
    api->store = options->store;
    resources_init(&api->resources);
    deadlines_init(&api->deadlines, api->loop, deadline_expired);
    store_set_index(api->store, index_hook());
    api->documents = documents_new(api);
    api->collector = collector_new(api);
    if ((options->unix_socket && start_unix(api, options->unix_socket, err) < 0) ||
        (options->listen && start_tls(api, options, err) < 0)) {
        api_free(api);
        return NULL;
    }
    return api;
}

/* Answers what waits for the store or a hook: libmicrohttpd can't stop with suspended connections.
 */
static void cut_requests(struct api *api)
{
    struct err err;

    err_set(&err, ERR_UNAVAILABLE, "the server is stopping");
    for (struct request *request = api->requests, *next; request; request = next) {
        next = request->next;
        if (request->watch)
            watch_stop(request->watch);
        if (request->stage == STAGE_RUNNING || (request->cut && !request->response)) {
            if (request->cut)
                request->cut(request);
            request->cut = NULL;
            if (request->stage != STAGE_SENT && !request->response)
                reply_error(request, &err);
        }
    }
}

static void stop_listener(struct listener *listener)
{
    loop_source_free(listener->io);
    loop_source_free(listener->timer);
    if (listener->mhd)
        MHD_stop_daemon(listener->mhd);
}

void api_free(struct api *api)
{
    if (!api)
        return;
    api->stopping = true;
    collector_free(api->collector);
    writes_orphan(api);
    tunnels_close(api);
    cut_requests(api);
    for (unsigned i = 0; i < api->listener_count; i++)
        run_listener(&api->listeners[i]);
    for (unsigned i = 0; i < api->listener_count; i++)
        stop_listener(&api->listeners[i]);
    watches_done(api);
    deadlines_done(&api->deadlines);
    if (api->unix_path)
        unlink(api->unix_path);
    free(api->unix_path);
    tls_close(api->certificates);
    documents_free(api->documents);
    resources_done(&api->resources);
    free(api);
}

unsigned api_port(const struct api *api) { return api->port; }

void api_bind(struct api *api, const struct kind *kind, const char *connect, api_connect_fn *fn,
              void *arg)
{
    struct resource *resource = resource_of(&api->resources, kind);
    const struct connect *declared = kind_find_connect(kind, connect);

    assert(declared);
    *resource_binding(resource, declared) = (struct binding){ fn, arg };
}

void api_bind_computed(struct api *api, const struct kind *kind, api_computed_fn *fn, void *arg)
{
    struct resource *resource = resource_of(&api->resources, kind);

    assert(resource_is_computed(resource));
    resource->computed = fn;
    resource->computed_arg = arg;
}
