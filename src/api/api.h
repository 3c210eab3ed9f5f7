/* api/api.h - the server: Kubernetes-style HTTP over TLS and a local unix socket.
 *
 * Generic over kinds: nothing here names one. It includes base, kinds and store only;
 * whatever acts on the world reaches it through the hooks below, which the daemon binds. */
#pragma once
#include "base/done.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/worker.h"
#include "kinds/kind.h"
#include "store/store.h"

struct api;

/* Who asks. Texts live as long as the call. */
struct api_user {
    const char *name;             /* certificate CN, token's user, "root" on the unix socket */
    const char *const *groups;    /* NULL-terminated */
    const char *peer;             /* "127.0.0.1:41234", "unix:uid=0" */
};

/* Rules that need other objects (does the image exist, is the address free): called after
 * kinds/ has accepted the object, before the store is asked. Answers at once from the store's
 * in-memory state; adds causes. 'old' is NULL on creation; 'object' is NULL on deletion, where a
 * cause forbids it (409 when all reasons are "InUse", else 422). May add defaults to 'object'. */
typedef void api_admit_fn(void *arg, const struct kind *kind, json_t *object, const json_t *old,
                          struct causes *causes);

/* Adds what of 'object' is absent and other objects say, before the defaults of its kind. It is not
 * validated yet: anything may be anything. */
typedef void api_fill_fn(void *arg, const struct kind *kind, json_t *object);

/* May 'user' do 'verb' on the resource? The default (NULL) lets group system:masters do all and
 * everyone authenticated read discovery and ask about themselves. 'why' may be set (static). */
typedef bool api_authorize_fn(void *arg, const struct api_user *user, const char *verb,
                              const char *group, const char *resource, const char *subresource,
                              const char *namespace_name, const char *name, const char **ret_why);

/* A bearer token to a user: fills name and groups (owned JSON {"name":..,"groups":[..]}) or NULL. */
typedef json_t *api_token_fn(void *arg, const char *token);

/* --- streams and actions on one object: /instances/web/console ... --- */
struct api_call;   /* one such request */

const struct api_user *api_call_user(const struct api_call *call);
const char *api_call_method(const struct api_call *call);          /* "GET" */
const json_t *api_call_object(const struct api_call *call);        /* the object, as stored */
const char *api_call_option(const struct api_call *call, const char *name); /* query, or NULL */
/* The JSON body of a POST; NULL when there is none. */
const json_t *api_call_body(const struct api_call *call);

/* Exactly one of these answers a call, now or later. Each consumes the call. */
/* A WebSocket whose binary frames carry the bytes of 'take_fd' (socket or pipe) both ways, until
 * either side closes; an empty message of the client is its end of file. On a request that is no upgrade the bytes are streamed as chunked
 * application/octet-stream (one way). */
void api_call_stream(struct api_call *call, int take_fd);
/* The bytes of a file or pipe to its end, as 'content_type'; with 'follow' it goes on as a
 * regular file grows, until the client leaves. */
void api_call_file(struct api_call *call, int take_fd, const char *content_type, bool follow);
void api_call_bytes(struct api_call *call, const char *content_type, const void *bytes, size_t size);
void api_call_json(struct api_call *call, int http_status, json_t *take_value);
void api_call_error(struct api_call *call, const struct err *err);
/* The request body is written to 'take_fd' as it arrives (PUT); 'end' is then called with NULL, or
 * with the reason the upload broke off, and answers the call. */
typedef void api_upload_fn(void *arg, struct api_call *call, const struct err *err, int64_t bytes);
void api_call_upload(struct api_call *call, int take_fd, api_upload_fn *end, void *arg);

typedef void api_connect_fn(void *arg, struct api_call *call);
/* Binds kind/connect.name from the kind's table. A declared but unbound one answers 501. */
void api_bind(struct api *api, const struct kind *kind, const char *connect, api_connect_fn *fn,
              void *arg);

/* Computed read-only resources (metrics.k8s.io, nodes): items made anew at every GET. */
typedef json_t *api_computed_fn(void *arg, const char *namespace_name); /* an array of objects, owned */
void api_bind_computed(struct api *api, const struct kind *kind, api_computed_fn *fn, void *arg);

struct api_options {
    struct loop *loop;
    struct worker_pool *workers;
    struct store *store;
    const char *unix_socket;        /* path; peers with uid 0 or the daemon's uid need no credentials */
    const char *listen;             /* "127.0.0.1:8443", "[::]:8443"; NULL: unix socket only */
    const char *tls_dir;            /* CA, server key and certificate; made at first start */
    const char *const *server_names;/* further names and addresses for the certificate; NULL-terminated */
    const char *host_name;
    api_fill_fn *fill;              /* may be NULL */
    api_admit_fn *admit;            /* may be NULL */
    /* The finalizer that new objects of 'kind' get, or NULL; may be NULL itself. It is the server's,
     * not the writer's: nobody manages it. Spares its controller the first write of each object. */
    const char *(*finalizer)(void *arg, const struct kind *kind);
    api_authorize_fn *authorize;    /* may be NULL */
    api_token_fn *token;            /* may be NULL */
    /* Every write and every refused request, as one JSON object, for the audit log; may be NULL. */
    void (*audit)(void *arg, const json_t *entry);
    void *hook_arg;
};

/* Listens on return. ERR_CONFLICT when a socket is taken. */
struct api *api_new(const struct api_options *options, struct err *err);
void api_free(struct api *api); /* running requests are cut */
DEFINE_AUTO(struct api, api_free)
unsigned api_port(const struct api *api); /* the TCP port listened on, 0: none */

/* Issues a client certificate for CN='user', O=groups, valid for 'ttl_s' seconds: PEM texts,
 * owned. ERR_BAD_REQUEST names what is too long or out of range. */
int api_issue_client(const char *tls_dir, const char *user, const char *const *groups, int64_t ttl_s,
                     char **ret_certificate, char **ret_key, char **ret_ca, struct err *err);
