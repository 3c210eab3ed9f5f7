/* drivers/balancer.h - the contract of what spreads traffic over members (HAProxy; a fake).
 *
 * How a balancer lives:
 *  1. ensure() brings it to what its config says, from any state: it starts the proxy, adds,
 *     drains and removes members and replaces certificates while it runs, and hands over to a
 *     proxy with another configuration without losing a connection. Idempotent, and cheap when
 *     nothing differs.
 *  2. The driver keeps the proxy running: one that dies is started again within a second with its
 *     listening sockets, which stay open meanwhile, so that clients wait and are not refused.
 *  3. 'changed' is called whenever observe() would answer differently in more than its figures;
 *     these are read anew every second without a call. That a backend begins or ends to hold
 *     requests is told at once.
 *  4. Proxies outlive the daemon. open() finds them again; their balancers serve on until the
 *     next ensure() says what they shall be.
 *  5. remove() ends the proxy and forgets the balancer.
 * The members of a config are a projection: the driver keeps no list of its own but reads from
 * the proxy whom it has, and adds and removes what differs.
 * The driver knows nothing of the store and of other drivers. All functions belong to the loop
 * thread and return at once. Balancers are named by uid (the object's UUID). */
#pragma once
#include "base/done.h"
#include "base/loop.h"
#include "base/netaddr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    BALANCER_NAME_SIZE = 80,
    BALANCER_LISTENERS_MAX = 32,
    BALANCER_BACKENDS_MAX = 32,
    BALANCER_MEMBERS_MAX = 1024,    /* of one backend */
    BALANCER_CERTIFICATE_SIZE_MAX = 256 * 1024,
};

struct balancer_member {
    char id[BALANCER_NAME_SIZE]; /* unique in its backend: letters, digits and "-._:" */
    struct ip_addr addr;
    uint16_t port;
    bool is_proven;   /* found ready by somebody else: gets traffic at once, and not only after
                       * its first good health check */
    bool is_draining; /* gets nothing new; what it has begun it may finish */
};

enum balancer_algorithm { BALANCER_LEAST_CONNECTIONS, BALANCER_ROUND_ROBIN, BALANCER_SOURCE };
enum balancer_check { BALANCER_CHECK_NONE, BALANCER_CHECK_TCP, BALANCER_CHECK_HTTP, BALANCER_CHECK_AGENT };
enum balancer_proxy_header { BALANCER_PROXY_NONE, BALANCER_PROXY_V1, BALANCER_PROXY_V2 };

struct balancer_health {
    enum balancer_check type;
    char *path, *host;  /* HTTP; host NULL: none */
    uint16_t port;      /* 0: the members' own; the agent needs one */
    int64_t interval_ms, timeout_ms;
    unsigned rise, fall;
};
struct balancer_backend {
    char name[BALANCER_NAME_SIZE];
    bool is_http;
    enum balancer_algorithm algorithm;
    char *cookie;                 /* its name; NULL: clients are not kept at a member */
    struct balancer_health health;
    unsigned member_connections_max; /* 0: any number */
    unsigned member_queue_max;       /* 0: any number */
    unsigned held_max;               /* while no member gets traffic about so many requests (TCP:
                                      * connections) wait for one, queue_timeout_ms at most; more
                                      * are refused. 0: all are */
    int64_t queue_timeout_ms, connect_timeout_ms, slow_start_ms, idle_timeout_ms;
    enum balancer_proxy_header proxy_header;
    struct balancer_member *members;
    size_t member_count;
};

struct balancer_route {
    char **hosts, **paths; /* NULL-terminated; NULL: any */
    char backend[BALANCER_NAME_SIZE];
};
enum balancer_protocol { BALANCER_TCP, BALANCER_HTTP, BALANCER_HTTPS };
struct balancer_listener {
    char name[BALANCER_NAME_SIZE];
    enum balancer_protocol protocol;
    struct ip_addr addr;   /* of the host or, with is_inside, of the network */
    bool is_inside;        /* listens in the members' network */
    uint16_t port;
    char *certificate;     /* PEM: chain and key; a secret. NULL: none; "": the one in force,
                            * also after a restart of the daemon; without one the listener stays closed */
    char backend[BALANCER_NAME_SIZE];
    struct balancer_route *routes;
    size_t route_count;
    bool accepts_proxy_header;
    unsigned connections_max;
    int64_t idle_timeout_ms;
};

struct balancer_config {
    char *uid;
    char *name; /* "default/web", for messages only */
    struct balancer_listener *listeners;
    size_t listener_count;
    struct balancer_backend *backends;
    size_t backend_count;
};
void balancer_config_free(struct balancer_config *config); /* deep, wipes keys; NULL is fine */
struct balancer_config *balancer_config_copy(const struct balancer_config *config);
DEFINE_AUTO(struct balancer_config, balancer_config_free)
/* What every driver refuses with ERR_INVALID before it touches anything: names, hosts and paths
 * with other characters than expected, backends that are not there, too much of anything. */
int balancer_config_check(const struct balancer_config *config, struct err *err);

/* --- what is --- */

enum balancer_member_state {
    BALANCER_MEMBER_JOINING,  /* not found healthy yet */
    BALANCER_MEMBER_UP,
    BALANCER_MEMBER_DOWN,
    BALANCER_MEMBER_DRAINING,
    BALANCER_MEMBER_LEAVING,  /* not wanted any more and not gone yet */
};
struct balancer_member_status {
    char id[BALANCER_NAME_SIZE];
    enum balancer_member_state state;
    char check[96];           /* the last health check, for people: "L4CON connection refused" */
    unsigned connections;     /* requests, or TCP connections, being served */
    unsigned queue;           /* waiting for this member */
    uint64_t requests, errors; /* since the proxy or the daemon was started */
    double request_rate, error_rate; /* per second, over the last one */
    int64_t response_ms;      /* mean of the last 1024 requests */
};
struct balancer_backend_status {
    char name[BALANCER_NAME_SIZE];
    unsigned queue;           /* waiting for any member; 'held' is counted */
    unsigned held;            /* waiting because no member gets traffic */
    uint64_t requests, errors;
    uint64_t bytes;           /* from and to clients; of a long connection every few seconds. Only
                               * where 'held_max' is set */
    double request_rate, error_rate;
    int64_t p50_ms, p90_ms, p95_ms, p99_ms; /* request to end of answer, over ten seconds; -1: unknown */
    struct balancer_member_status *members;
    size_t member_count;
};
struct balancer_listener_status {
    char name[BALANCER_NAME_SIZE];
    bool is_open;
    char problem[160];        /* why not: "port 80 of 127.0.0.1 is in use by another program" */
    bool is_port_taken;       /* that is why */
    unsigned connections;
    uint64_t requests;        /* TCP: connections */
    double request_rate;
};

enum balancer_state {
    BALANCER_ABSENT,
    BALANCER_STARTING,  /* no proxy serves yet */
    BALANCER_RUNNING,
    BALANCER_FAILED,    /* the proxy can't be started: 'message'; tried again by itself */
};
struct balancer_status {
    enum balancer_state state;
    char message[256];        /* of FAILED, or why the config of the last ensure() is not in force */
    pid_t pid;
    unsigned restarts;        /* crashes mended since the daemon began */
    char last_end[160];       /* how the proxy last ended by itself, "" never */
    bool has_retired;         /* one that was replaced still finishes connections, of whichever members */
    int64_t read_wall_ms;     /* when the figures were read; 0: never */
    struct balancer_listener_status *listeners;
    size_t listener_count;
    struct balancer_backend_status *backends;
    size_t backend_count;
};

struct balancer_setup {
    struct loop *loop;
    const char *run_dir;      /* of this driver alone; emptied by a reboot of the host */
    uid_t uid_base;           /* first of BALANCER_UIDS user ids that proxies may be given */
    void (*changed)(void *arg, const char *uid);
    void *arg;
};
enum { BALANCER_UIDS = 4096 };

struct balancer_driver {
    const struct balancer_ops *ops;
};

struct balancer_ops {
    const char *name;
    /* Finds running proxies again; may block for short file reads. NULL and 'err' on failure. */
    struct balancer_driver *(*open)(const struct balancer_setup *setup, struct err *err);
    /* Proxies run on. Calls under way end with ERR_CANCELLED before this returns. */
    void (*close)(struct balancer_driver *driver);

    /* 'take_netns_fd' (consumed, also on failure) is the network namespace that members and inside
     * listeners are in; -1: the host's. done: the proxy serves and has the members. Listeners whose
     * port is taken are left out and shown by observe(); the others serve. A later ensure() takes
     * the place of one under way, which ends with ERR_CANCELLED. ERR_INVALID: balancer_config_check(),
     * or the proxy refuses the configuration; the one in force stays. */
    void (*ensure)(struct balancer_driver *driver, const struct balancer_config *config,
                   int take_netns_fd, struct done done);
    /* Absent is fine. done: the process is gone, with its traces. */
    void (*remove)(struct balancer_driver *driver, const char *uid, struct done done);

    /* Borrowed until the loop turns. Never NULL. */
    const struct balancer_status *(*observe)(struct balancer_driver *driver, const char *uid);
    /* Uids of balancers that exist; NULL-terminated, freed with balancer_uids_free(). */
    char **(*list)(struct balancer_driver *driver);
};
void balancer_uids_free(char **uids);
/* Deep; for drivers. 'status' itself stays. */
void balancer_status_done(struct balancer_status *status);
/* NULL when there is none. */
struct balancer_backend_status *balancer_status_backend(const struct balancer_status *status,
                                                        const char *name);
struct balancer_member_status *balancer_status_member(const struct balancer_backend_status *backend,
                                                      const char *id);

extern const struct balancer_ops balancer_haproxy;
