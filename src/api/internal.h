/* api/internal.h - the server as its parts see it. */
#pragma once
#include "api/api.h"
#include "api/deadlines.h"
#include "api/resource.h"
#include "api/user.h"
#include <microhttpd.h>

struct certificates;
struct collector;
struct documents;
struct front;
struct request;
struct tunnel;
struct watch;
struct write;

enum {
    /* What libmicrohttpd may use per connection: request line, headers, and the chunk in transit.
     * Bounds both the size of a head and the memory of an idle watch. */
    CONNECTION_MEMORY_SIZE = 16 * 1024,
    CONNECTIONS_MAX = 16 * 1024,
    DESCRIPTORS_KEPT = 256, /* for everything that is not a client */
    RUN_ROUNDS_MAX = 8,     /* of libmicrohttpd per turn of the loop, so that timers get theirs */
};

/* libmicrohttpd: one daemon, which takes connections of the unix socket by itself and those of TLS
 * from the front. */
struct listener {
    struct api *api;
    struct MHD_Daemon *mhd;
    struct loop_source *io;
    struct loop_source *timer; /* libmicrohttpd's next time-out, or its next round at once */
    int64_t timer_due_ms;      /* -1: not armed */
    bool is_tls;
    bool resumed; /* a connection was resumed: one more round */
};

/* Strangers can't fill the audit log: see api/audit.c. */
struct audit_bound {
    int64_t second;         /* of the loop's clock */
    unsigned count;         /* entries about strangers in it */
    uint64_t unmentioned;   /* since the last one that was made */
};

struct api {
    struct api_options options; /* texts borrowed during api_new() only */
    struct loop *loop;
    struct worker_pool *workers;
    struct store *store;
    struct resources resources;
    struct listener listener;
    struct front *front; /* NULL without TLS */
    unsigned port;
    char *unix_path;
    struct certificates *certificates; /* NULL without TLS */
    struct deadlines deadlines;
    struct request *requests; /* all there are */
    struct write *writes;     /* on their way to the store */
    struct map *writes_by_key;
    struct watch *watches;
    struct tunnel *tunnels; /* upgraded connections */
    struct loop_source *bookmark_timer;
    int64_t bookmark_revision; /* taken a moment ago; 0: to be taken */
    bool bookmarks_run;
    struct documents *documents; /* discovery and OpenAPI, made when first asked for */
    struct collector *collector;
    struct audit_bound audit_bound;
    bool stopping;
};

/* One TCP or unix connection; freed when it closes. */
struct connection {
    struct api *api;
    struct MHD_Connection *mhd;
    int fd; /* libmicrohttpd's; behind the front an end of a pair */
    struct deadline deadline;
    char *peer;             /* "127.0.0.1:41234", "unix:uid=0" */
    struct user *user;      /* by certificate or uid; NULL: none */
    bool is_upgraded;       /* to a WebSocket: no deadline holds any more */
    bool identified;        /* 'user' and 'identity_problem' are settled */
    char *identity_problem; /* why the client's certificate does not count, or NULL */
    char *token;            /* last bearer token seen, and whose it is, for TOKEN_CACHE_MS */
    struct user *token_user;
    int64_t token_ms;
};

/* Takes a listening socket, or -1 for none. */
int listener_start(struct listener *listener, struct api *api, int take_fd, struct err *err);
void listener_stop(struct listener *listener);
void listener_run(struct listener *listener);
/* Has libmicrohttpd look again soon. */
void listener_kick(struct listener *listener);
/* How many connections the limit of open files allows. */
unsigned listener_connection_limit(void);
