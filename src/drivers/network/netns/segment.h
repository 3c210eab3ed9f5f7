/* drivers/network/netns/segment.h - what the worker jobs of this driver stand on: the host they
 * share, and one network as its own jobs see it. A network's jobs run one after another in a
 * lane, so they own its segment; the loop thread touches neither while a job runs. */
#pragma once
#include "drivers/network.h"
#include "drivers/network/netns/guard.h"
#include "drivers/network/netns/names.h"
#include "drivers/network/netns/namespaces.h"
#include "drivers/network/netns/netlink.h"
#include <pthread.h>
#include <sys/types.h>

/* Written once by open(), but for what stands under the lock. */
struct host {
    char *state_dir, *run_dir;
    char prefix[HOST_PREFIX_SIZE];
    int netns_fd; /* where the daemon was started: the way outside */
    const char *dnsmasq_user;
    pthread_mutex_t lock;      /* held by who works in the host's namespace */
    unsigned rules_generation; /* grows when the host's table was found gone; from 1 */
    unsigned references;       /* counted by the loop thread */
};

struct segment {
    char uid[NETWORK_UID_SIZE];
    char *run_dir;    /* of this network: run_dir/UID */
    char *state_dir;  /* state_dir/UID */
    char *netns_path; /* run_dir/UID/netns */
    struct guard guard;
    unsigned uplink_slot;             /* whose rules this process has applied, */
    unsigned uplink_rules_generation; /* and when; 0: never */
    bool has_uplink;                  /* as last ensured by this process */
    unsigned references;              /* counted by the loop thread */
};

struct segment *segment_new(const struct host *host, const char *uid);
void segment_free(struct segment *segment);
/* ERR_NOT_FOUND: the network has no namespace. */
int segment_open(const struct segment *segment, int *ret_fd, struct err *err);

/* Calls 'fn' with the thread in a namespace and a netlink of it; its result is returned. */
typedef int visit_fn(void *arg, struct netlink *netlink, struct err *err);
int segment_visit(const struct segment *segment, visit_fn *fn, void *arg, struct err *err);
int host_visit(struct host *host, visit_fn *fn, void *arg, struct err *err); /* with host->lock */

/* A process found in a network's namespace; pid 0: none. */
struct server_process {
    pid_t pid;
    uint64_t start_ticks;
};

/* What a look at a network found. */
struct segment_seen {
    char *dnsmasq_config;         /* path of the configuration to run with; NULL: none */
    struct server_process server; /* runs with it already */
    char note[256];               /* what people should know though all is in place, or "" */
};

/* --- jobs of network_ops, in worker threads --- */

/* Brings the network to 'config' but for the start of dnsmasq. 'known' is the server that the
 * caller watches (pid 0: none). ret_seen->dnsmasq_config is the caller's to free. */
int segment_ensure(struct host *host, struct segment *segment, const struct network_config *config,
                   const struct server_process *known, struct segment_seen *ret_seen,
                   struct err *err);
int segment_remove(struct host *host, struct segment *segment, struct err *err);
/* Fails with the reason when something of the network is not in place. 'ret_seen' says which
 * server runs. 'ret_ports' (ids, NULL-terminated) is NULL when there is no namespace. */
int segment_check(struct host *host, struct segment *segment, struct segment_seen *ret_seen,
                  char ***ret_ports, struct err *err);
/* Port ids in the namespace; removes taps that were left without their id. NULL and 'err' when
 * there is no namespace. */
char **segment_ports(struct segment *segment, struct err *err);

/* When these two have ended, 'server' (pid 0: none runs) answers guests accordingly. */
int port_ensure_job(struct segment *segment, const struct port_config *port,
                    const struct server_process *server, struct err *err);
int port_remove_job(struct segment *segment, const char *id, const struct server_process *server,
                    struct err *err);
int port_open_job(struct segment *segment, const char *id, int *ret_fd, struct err *err);
int port_read_job(struct segment *segment, const char *id, struct port_counters *ret_counters,
                  struct err *err);
/* A TCP socket born in the namespace, not connected yet. */
int dial_job(struct segment *segment, uint8_t family, int *ret_fd, struct err *err);

/* --- uplink.c --- */

/* With the thread in the namespace; 'inside' is its netlink. */
int uplink_ensure(struct host *host, struct segment *segment, struct netlink *inside,
                  const struct network_config *config, char note[256], struct err *err);
int uplink_remove(struct host *host, struct segment *segment, struct err *err);
/* ERR_NOT_FOUND: the host's end or its rules are gone. */
int uplink_check(struct host *host, const struct segment *segment, struct err *err);
