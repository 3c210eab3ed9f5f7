/* daemon/assemble.h - the only place that knows every part. */
#pragma once
#include "api/api.h"
#include "control/control.h"
#include "daemon/config.h"

struct daemon {
    struct config config;
    struct loop *loop;
    struct worker_pool *workers;
    struct store *store;
    struct compute *compute;
    struct network_driver *network;
    struct storage_driver *storage;
    struct balancer_driver *balancer;
    struct control *control;
    struct api *api;
    struct audit *audit;
    int lock_fd;
};

/* Opens everything in order. On failure what was opened is closed by daemon_close(). */
int daemon_open(struct daemon *daemon, struct err *err);
void daemon_close(struct daemon *daemon); /* machines run on */

/* Only what touches machines and networks, without store, controllers and API. */
int daemon_open_drivers(struct daemon *daemon, struct err *err);
/* Calls under way report ERR_CANCELLED before it returns. For daemon_close(), which may follow. */
void daemon_close_drivers(struct daemon *daemon);

/* --- bindings, one file each: what connects API calls to drivers --- */
void bind_consoles(struct daemon *daemon);  /* console, vnc, screenshot, log */
void bind_agent(struct daemon *daemon);     /* exec, files */
void bind_ports(struct daemon *daemon);     /* portforward */
void bind_images(struct daemon *daemon);    /* content */
void bind_metrics(struct daemon *daemon);   /* nodes, metrics.k8s.io, empty lists */
void bind_host(struct daemon *daemon);      /* shutdown */
void bind_credentials(struct daemon *daemon);
void bind_audit(struct daemon *daemon);
void bind_autoscalers(struct daemon *daemon); /* decisions, samples, pushed metrics */
