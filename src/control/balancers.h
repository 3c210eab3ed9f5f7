/* control/balancers.h - what other controllers ask about load balancers.
 *
 * An instance that is to go is drained first. Whoever wants it gone
 *   - stops or deletes it: the Instance controller sets its condition Draining, waits until
 *     balancers_let_go(), and only then presses its power button; or
 *   - has something to do in between (a hook): sets the annotation virga.dev/drain to the time now,
 *     waits for balancers_let_go(), does it, and deletes the instance.
 * A balancer drains what carries either, or has a deletionTimestamp, or the condition Serving
 * False, for at most its backend's drainTimeout from that time on. */
#pragma once
#include "control/conditions.h"
#include "control/control.h"

#define ANNOTATION_DRAIN "virga.dev/drain"
#define LABEL_GROUP "virga.dev/group"
/* Of a member that is ready and paused until it is wanted: it is no balancer's. */
#define LABEL_WARM "virga.dev/warm"

/* No balancer has requests of this instance under way any more, or all had their time. Who is told
 * false is woken when that changes: the Instance itself, and its owner if it has one. */
bool balancers_let_go(struct control *control, const json_t *instance);

/* Figures of the last second, of all backends whose members are an InstanceGroup's. */
struct balancer_load {
    bool is_known;                   /* some balancer serves the group and has been read */
    int64_t read_wall_ms;            /* the oldest reading */
    double request_rate, error_rate; /* per second, in all */
    uint64_t requests;               /* so far; TCP: connections */
    unsigned connections;            /* requests being served */
    uint64_t bytes;                  /* so far, from and to clients; where requests can be held */
    unsigned queue;                  /* waiting for a member */
    int64_t latency_p95_ms;          /* the slowest backend's, over ten seconds; -1: unknown */
    unsigned members, healthy;
};
void balancer_load_of_group(struct control *control, const char *namespace_name, const char *group,
                            struct balancer_load *ret_load);
/* Does any backend of a LoadBalancer have this group's members? */
bool balancer_is_before_group(struct control *control, const char *namespace_name, const char *group);

/* The same of one instance at all balancers; its latency is the mean. */
void balancer_load_of_instance(struct control *control, const json_t *instance,
                               struct balancer_load *ret_load);
/* How a balancer's driver calls an instance among the members of a backend. */
void balancer_member_id(const json_t *instance, char to[BALANCER_NAME_SIZE]);
