/* drivers/network/netns/driver.h - the loop's side of the driver: networks as it knows them, and
 * calls under way. Calls work in jobs of one lane per network; what they found is put together
 * here, on the loop thread. */
#pragma once
#include "base/map.h"
#include "base/spawn.h"
#include "drivers/network/netns/segment.h"

/* --- dnsmasq of one network (server.c) --- */

enum server_state {
    SERVER_OFF,      /* not wanted, or not known yet */
    SERVER_STARTING, /* it daemonizes when it is ready, or says why not */
    SERVER_UP,
    SERVER_WAITING, /* it failed or died; a timer starts it again */
};
struct server {
    struct net *net;
    enum server_state state;
    bool is_unwanted;              /* OFF is as it should be */
    char *config_path;             /* to run with; NULL: unknown */
    struct spawn_run *run;         /* STARTING */
    struct server_process process; /* UP */
    int pidfd;
    struct loop_source *end;
    int64_t up_since_ms;
    struct loop_source *timer; /* WAITING */
    unsigned failures;         /* in a row: it waits longer each time */
    struct err problem;        /* of the last start or end */
};

void server_init(struct server *server, struct net *net);
void server_done(struct server *server); /* the process runs on */
/* It shall run with 'take_config_path' (NULL: not at all), and 'found' does already, if any.
 * STARTING afterwards: net_server_settled() comes later. */
void server_want(struct server *server, char *take_config_path, const struct server_process *found);
/* Somebody looked and found it, or not; for one not known yet. */
void server_found(struct server *server, const struct server_process *found);
/* It was ended on purpose. */
void server_forget(struct server *server);
/* Arms the timer of a WAITING one, unless a call is about to decide about it. */
void server_retry_later(struct server *server);

/* --- networks (net.c) --- */

struct net {
    struct netns_driver *driver;
    struct segment *segment;
    const char *uid; /* the segment's */
    bool exists;     /* something of it is there */
    bool is_up;
    struct err problem; /* why it is not */
    char note[256];
    struct map *ports; /* ids as keys */
    struct server server;
    struct network_status reported;
    unsigned task_count;   /* calls that are not answered yet */
    struct task *settling; /* the one of them that may end or start the server */
};

struct net *net_find(struct netns_driver *driver, const char *uid); /* NULL when unknown */
struct net *net_make(struct netns_driver *driver, const char *uid); /* finds or adds it */
void net_free(void *net);
void net_set_ports(struct net *net, char *const *ids);
void net_observe(const struct net *net, struct network_status *ret_status); /* NULL: not there */
/* Tells the caller of the driver when net_observe() answers differently than it did last. */
void net_report(struct net *net);
/* The server was starting and is not any more: the call that waits for it is answered. */
void net_server_settled(struct net *net);
/* The server failed and has waited. */
void net_restart_server(struct net *net);

/* --- calls (task.c) --- */

/* A call under way. Those that settle the server have the network's server for themselves until
 * they are answered: calls that touch it are held back meanwhile. */
struct task {
    struct netns_driver *driver; /* NULL: it was closed, nobody waits any more */
    struct net *net;             /* NULL: refused */
    struct host *host;
    struct segment *segment;
    struct task *next; /* of the driver's, oldest first */

    int (*work)(struct task *task, struct err *err); /* in a worker */
    void (*end)(struct task *task,
                const struct err *err); /* on the loop; answers sooner or later */
    bool touches_server;
    bool settles_server;
    bool is_held;
    bool is_in_job;
    bool awaits_server;         /* its work is done; answered when the server has started */
    struct loop_source *source; /* of a refused one, or of a connection being made */
    struct loop_source *timer;

    /* what is asked */
    struct network_config *config;
    struct port_config port;
    char id[PORT_ID_SIZE];
    struct ip_addr to;
    uint16_t to_port;
    int64_t deadline_ms;
    struct server_process server; /* the one known to run */
    struct err refused;           /* ERR_NONE, or the answer */
    /* what was found */
    struct segment_seen seen;
    char **ports;
    int fd;
    struct port_counters counters;

    struct done done;
    network_fd_fn *fd_fn;
    port_counters_fn *counters_fn;
    void *arg;
};

/* A call on the network 'uid', which is checked, as is 'id' unless NULL. */
struct task *task_new(struct netns_driver *driver, const char *uid, const char *id);
void task_start(struct task *task);
/* Calls back and forgets the call. 'err' NULL: success. */
void task_answer(struct task *task, const struct err *err);
/* Answers all calls with ERR_CANCELLED; their jobs end without us. */
void tasks_cancel(struct netns_driver *driver);

struct netns_driver {
    struct network_driver driver; /* first */
    struct loop *loop;
    struct worker_pool *workers;
    struct host *host;
    void (*changed)(void *arg, const char *network_uid);
    void *arg;
    struct map *nets; /* of struct net */
    struct task *tasks;
    bool is_closing;
};
static inline struct netns_driver *netns_of(struct network_driver *driver)
{
    return (struct netns_driver *)driver;
}

void host_release(struct host *host);
void segment_release(struct segment *segment);

/* --- network_ops, by file --- */

void netns_network_ensure(struct network_driver *driver, const struct network_config *config,
                          struct done done);
void netns_network_remove(struct network_driver *driver, const char *uid, struct done done);
void netns_network_refresh(struct network_driver *driver, const char *uid, struct done done);
void netns_port_ensure(struct network_driver *driver, const struct port_config *port,
                       struct done done);
void netns_port_open(struct network_driver *driver, const char *network_uid, const char *id,
                     network_fd_fn *fn, void *arg);
void netns_port_remove(struct network_driver *driver, const char *network_uid, const char *id,
                       struct done done);
void netns_port_read(struct network_driver *driver, const char *network_uid, const char *id,
                     port_counters_fn *fn, void *arg);
void netns_namespace_open(struct network_driver *driver, const char *network_uid, network_fd_fn *fn,
                          void *arg);
void netns_dial(struct network_driver *driver, const char *network_uid, const struct ip_addr *to,
                uint16_t port, int64_t timeout_ms, network_fd_fn *fn, void *arg);
