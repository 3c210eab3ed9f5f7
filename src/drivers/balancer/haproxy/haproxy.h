/* drivers/balancer/haproxy/haproxy.h - the driver's own state, shared by its files.
 *
 * One HAProxy process per balancer, in the network namespace of its members, under a user id of its
 * own and without any capability: it opens no port and sees no other network. Its sockets are made
 * by the driver and inherited; the driver keeps a copy of each.
 *
 *          ensure, no proxy                    the admin socket answers
 *   ABSENT -----------------> coming ------------------------------> serving
 *                              ^  |                                   |   |
 *          other configuration |  | it ends before: refused           |   | it dies: at once again
 *                   (serving) -+  +-> FAILED, or the one before stays |   +-> coming
 *                                                                     |
 *                                  another one serves: soft stop -> retired, ends by itself
 *
 * Everything about members, certificates and statistics goes over the admin socket of the serving
 * one. RUN/UID holds, for the generation N of the process:
 *   haproxy-N.cfg, admin-N       configuration and admin socket
 *   proxy-N.json                 which descriptor listens where; written before the process starts
 *   X.pem, log                   certificate of listener X; socket for samples of requests
 *   hold.lua                     the script that holds requests
 * A daemon that follows finds the process by asking admin-N for its pid: somebody answers exactly
 * as long as the process that inherited the socket lives. */
#pragma once
#include "base/map.h"
#include "base/spawn.h"
#include "drivers/balancer/haproxy/config_text.h"
#include "drivers/balancer/haproxy/holding.h"
#include "drivers/balancer/haproxy/latency.h"
#include "drivers/balancer/haproxy/members.h"
#include "drivers/balancer/haproxy/runtime.h"
#include "drivers/balancer/haproxy/stats_csv.h"

struct haproxy_driver {
    struct balancer_driver driver; /* first */
    struct loop *loop;
    char *run_dir;
    uid_t uid_base;
    void (*changed)(void *arg, const char *uid);
    void *arg;
    struct map *balancers; /* of struct balancer */
    struct loop_source *poll;
    struct late_answer *late; /* calls that are answered when the loop turns */
    unsigned threads, connections_max;
};
static inline struct haproxy_driver *haproxy_of(struct balancer_driver *driver)
{
    return (struct haproxy_driver *)driver;
}

struct held_socket {
    struct ip_addr addr;
    uint16_t port;
    bool is_inside;
    int fd;
};

enum { COOKIE_KEY_SIZE = 33, RECORD_PATH_SIZE = 32 };

/* A process. */
struct proxy {
    struct balancer *balancer;
    unsigned generation;
    pid_t pid;
    int pidfd;
    struct loop_source *end;
    int words_fd; /* its standard error; -1: found again */
    struct loop_source *words;
    struct buf said; /* the last of it */
    char *structure; /* its configuration without members */
    int64_t started_ms;
    struct proxy *next; /* of the retired */
};

struct balancer {
    struct haproxy_driver *driver;
    char *uid, *folder;
    uid_t number; /* user id of its processes */
    char cookie_key[COOKIE_KEY_SIZE];
    struct balancer_config *config; /* NULL: found again, and not told yet */
    int netns_fd;                   /* -1: the host's */
    struct done done;               /* of the last ensure() */
    bool is_awaited;                /* 'done' is to be called */
    bool is_compared;               /* process and certificates are those of the config */
    unsigned tries;                 /* rounds of commands since the last ensure() */
    struct err refused;             /* why the config is not in force */

    struct held_socket sockets[BALANCER_LISTENERS_MAX * 2];
    size_t socket_count;
    char problems[BALANCER_LISTENERS_MAX][160]; /* of the config's listeners, "": open */
    bool is_taken[BALANCER_LISTENERS_MAX];

    unsigned generation; /* of the newest process */
    struct proxy *serving, *coming, *retired;
    struct loop_source *again; /* a start after a pause */
    struct loop_source *soon;  /* a step after ensure() has returned */
    unsigned failures;         /* starts that failed, or ends soon after one, in a row */

    struct runtime_call *call; /* one at a time */
    struct buf commands;       /* lines still to be sent */
    char *installing;          /* listener whose certificate is being replaced */

    struct seen_server *seen;
    size_t seen_count;
    struct map *tallies;   /* "proxy/server" to struct tally */
    struct map *latencies; /* backend to struct latency */
    struct map *held;      /* backend to struct holding_count */
    int log_fd;
    struct loop_source *log;
    struct balancer_status status;
    uint64_t told;         /* what 'changed' was last called about */
    bool is_removed;       /* it goes when its processes have ended */
    struct done *removers; /* who waits for that */
    size_t remover_count;
};

/* --- driver.c --- */
/* Calls 'done' when the loop turns, since it may not come from inside a call. */
void answer_later(struct haproxy_driver *driver, struct done done, const struct err *err);
/* One that is removed: forgets it once no process of it is left. */
void balancer_forget(struct balancer *balancer);

/* --- balancer.c: bringing one to what it shall be --- */
struct balancer *balancer_new(struct haproxy_driver *driver, const char *uid, uid_t number);
void balancer_free(void *balancer); /* processes run on */
/* Looks what is to be done next and begins it, unless something is under way. */
void balancer_step(struct balancer *balancer);
void balancer_answer(struct balancer *balancer, const struct err *err); /* the ensure() waiting */
void balancer_poll(struct balancer *balancer);                          /* once a second */

/* What the configuration needs to know beside the config; borrows from the balancer. */
void balancer_facts(struct balancer *balancer, struct config_facts *ret_facts);

/* --- proxy.c: processes --- */
int proxy_start(struct balancer *balancer, const char *structure, struct err *err);
/* Takes one found again; its copies of sockets are the balancer's already. */
int proxy_adopt(struct balancer *balancer, unsigned generation, pid_t pid, char *take_structure,
                struct err *err);
void proxy_free(struct proxy *proxy); /* the process runs on */
void proxy_kill(struct proxy *proxy);
/* Kills every process of the balancer's user id: those nobody remembers, too. */
void proxy_kill_all(const struct balancer *balancer);

/* --- sockets.c: the listening ones of a balancer --- */
/* Opens what the config wants and is not open yet; keeps the rest. */
void sockets_open(struct balancer *balancer);
void sockets_close_unwanted(struct balancer *balancer);
void sockets_close(struct balancer *balancer);
int sockets_find(const struct balancer *balancer,
                 const struct balancer_listener *listener); /* -1 */
void sockets_add(struct balancer *balancer,
                 const struct held_socket *socket); /* takes the descriptor */
void sockets_openness(const struct balancer *balancer, struct config_open *ret_open);

/* --- traces.c: files of a balancer --- */
char *haproxy_trace_path(const struct balancer *balancer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Appears whole, readable by the balancer's processes alone. */
int haproxy_trace_write_private(const struct balancer *balancer, const char *name, const char *text,
                                struct err *err);
int haproxy_trace_write_record(const struct balancer *balancer, unsigned generation,
                               struct err *err);
/* Finds what serves again. ERR_NOT_FOUND: nothing does. */
int haproxy_trace_find(struct balancer *balancer, struct err *err);
/* The user id of the balancer whose folder this is; false: it is none. */
bool haproxy_trace_number(const char *folder, uid_t *ret_number);
void haproxy_trace_remove_generation(const struct balancer *balancer, unsigned generation);
/* The whole content, or NULL. */
char *haproxy_trace_read(const struct balancer *balancer, const char *name);

/* --- figures.c: from statistics to status --- */
void figures_take(struct balancer *balancer, const char *answer, size_t size);
void figures_set_state(struct balancer *balancer);
/* Sets the state and says 'changed' when more than figures did. */
void figures_report(struct balancer *balancer);
int figures_listen(struct balancer *balancer, struct err *err); /* for samples of requests */
void figures_done(struct balancer *balancer);
