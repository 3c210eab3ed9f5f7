/* control/balancer.h - what the files of the LoadBalancer controller share.
 *
 *   balancer.c              from what is stored to what the driver is told, and when
 *   balancer_config.c       listeners and backends of the config
 *   balancer_members.c      members: a projection of Instances, and how they leave
 *   balancer_certificate.c  certificate and key from a Secret
 *   balancer_show.c         status
 *   balancer_holds.c        which instances a balancer still has, so that they are drained first
 *   balancer_load.c         figures for whoever decides about sizes */
#pragma once
#include "control/control.h"

/* One balancer as it is found at the beginning of a call. */
struct balancer_scene {
    struct work *work;
    json_t *object;  /* work->object */
    json_t *network; /* owned; NULL: it is not there */
    const struct balancer_status *status;
    struct balancer_config *config; /* owned */
    json_t *certificate_problems;   /* listener to text, owned */
    int64_t again_ms;               /* a drain ends by then; -1: nothing to wait for */
    size_t instance_count;          /* looked at */
};

/* --- balancer_config.c --- */
/* Fills scene->config and certificate_problems. The network is there. */
void balancer_config_make(struct balancer_scene *scene);
/* A number that is another one when the config is. */
uint64_t balancer_config_sum(const struct balancer_config *config);

/* --- balancer_members.c --- */
/* Adds the members of the backend that 'spec' describes: those that shall serve, and those that
 * leave and are not done yet. */
void balancer_members_add(struct balancer_scene *scene, const json_t *spec,
                          struct balancer_backend *backend);

/* --- balancer_certificate.c --- */
/* PEM of chain and key of a Secret, for the caller to free with certificate_free(). NULL: 'err'. */
char *certificate_of_secret(const json_t *secret, struct err *err);
void certificate_free(char *pem); /* wipes it */

/* --- balancer_show.c --- */
void balancer_show(struct balancer_scene *scene, const struct err *failure);

/* --- balancer_holds.c --- */
/* The balancer in work has these instances (uids as keys); those it had before are let go. */
struct map;
void balancer_hold(struct work *work, const struct map *instance_uids);
int balancer_holds_start(struct control *control, struct err *err);
