/* api/server.c - the server's start and end. */
#include "api/collector.h"
#include "api/connection.h"
#include "api/documents.h"
#include "api/front.h"
#include "api/index.h"
#include "api/internal.h"
#include "api/listen.h"
#include "api/request.h"
#include "api/tls.h"
#include "api/tunnel.h"
#include "api/watch.h"
#include "api/write.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static int start_listener(struct api *api, const struct api_options *options, struct err *err)
{
    int fd = -1;

    if (options->unix_socket) {
        fd = listen_unix(options->unix_socket, err);
        if (fd < 0)
            return -1;
        api->unix_path = str_dup(options->unix_socket);
    }
    return listener_start(&api->listener, api, fd, err);
}

static void link_added(void *arg) { listener_kick(arg); }

static int start_front(struct api *api, const struct api_options *options, struct err *err)
{
    int fd = listen_tcp(options->listen, &api->port, err);
    struct front_setup setup = { .loop = api->loop,
                                 .mhd = api->listener.mhd,
                                 .added = link_added,
                                 .arg = &api->listener,
                                 .link_count_max = listener_connection_limit() };

    if (fd < 0)
        return -1;
    api->certificates = tls_open(api->loop, options, err);
    if (!api->certificates) {
        close(fd);
        return -1;
    }
    setup.certificates = api->certificates;
    api->front = front_new(&setup, fd);
    return 0;
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
    api->writes_by_key = map_new(NULL);
    deadlines_init(&api->deadlines, api->loop, connection_expired);
    store_set_index(api->store, index_hook());
    api->documents = documents_new(api);
    api->collector = collector_new(api);
    if (start_listener(api, options, err) < 0 ||
        (options->listen && start_front(api, options, err) < 0)) {
        api_free(api);
        return NULL;
    }
    return api;
}

/* Answers what waits for the store or a hook: libmicrohttpd can't stop with suspended connections.
 */
static void cut_requests(struct api *api)
{
    struct err err, unknown;

    err_set(&err, ERR_UNAVAILABLE, "the server is stopping");
    err_set(&unknown, ERR_TIMEOUT, "the server is stopping: whether this was carried out is not known");
    for (struct request *request = api->requests, *next; request; request = next) {
        next = request->next;
        if (request->watch)
            watch_stop(request->watch);
        if (request->stage == STAGE_RUNNING || (request->cut && !request->response)) {
            if (request->cut)
                request->cut(request);
            request->cut = NULL;
            if (request->stage != STAGE_SENT && !request->response)
                reply_error(request, request->method == METHOD_GET ? &err : &unknown);
        }
    }
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
    if (api->listener.mhd)
        listener_run(&api->listener);
    listener_stop(&api->listener);
    front_free(api->front);
    watches_done(api);
    deadlines_done(&api->deadlines);
    if (api->unix_path)
        unlink(api->unix_path);
    free(api->unix_path);
    tls_close(api->certificates);
    documents_free(api->documents);
    resources_done(&api->resources);
    map_free(api->writes_by_key);
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
