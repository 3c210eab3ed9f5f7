/* drivers/network/netns/calls.c - the calls of the contract: each a job, and what its end means. */
#include "drivers/network/netns/driver.h"

#include <stdio.h>
#include <stdlib.h>

/* --- networks --- */

static int ensure_work(struct task *task, struct err *err)
{
    return segment_ensure(task->host, task->segment, task->config, &task->server, &task->seen, err);
}

/* Something may be there also after a failure. */
static void ensure_end(struct task *task, const struct err *err)
{
    struct net *net = task->net;
    struct server *server = &net->server;

    net->exists = true;
    net->is_up = !err;
    if (err) {
        net->problem = *err;
        net_report(net);
        task_answer(task, err);
        return;
    }
    (void)snprintf(net->note, sizeof net->note, "%s", task->seen.note);
    server_want(server, take_pointer(task->seen.dnsmasq_config), &task->seen.server);
    task->awaits_server = server->state == SERVER_STARTING;
    if (task->awaits_server)
        return;
    net_report(net);
    task_answer(task, server->state == SERVER_WAITING ? &server->problem : NULL);
}

void netns_network_ensure(struct network_driver *driver, const struct network_config *config,
                          struct done done)
{
    struct task *task = task_new(netns_of(driver), config->uid, NULL);

    task->work = ensure_work;
    task->end = ensure_end;
    task->touches_server = task->settles_server = true;
    task->config = network_config_copy(config);
    task->done = done;
    (void)network_config_check(config, &task->refused);
    task_start(task);
}

static int remove_work(struct task *task, struct err *err)
{
    return segment_remove(task->host, task->segment, err);
}

static void remove_end(struct task *task, const struct err *err)
{
    struct net *net = task->net;

    net->is_up = false;
    if (err) {
        net->problem = *err;
    } else {
        net->exists = false;
        net_set_ports(net, NULL);
        server_forget(&net->server);
    }
    net_report(net);
    task_answer(task, err);
}

void netns_network_remove(struct network_driver *driver, const char *uid, struct done done)
{
    struct task *task = task_new(netns_of(driver), uid, NULL);

    task->work = remove_work;
    task->end = remove_end;
    task->touches_server = task->settles_server = true;
    task->done = done;
    task_start(task);
}

/* That something is wrong with the network is not a failure of looking at it. */
static int refresh_work(struct task *task, struct err *err)
{
    (void)segment_check(task->host, task->segment, &task->seen, &task->ports, &task->refused);
    return 0;
}

static void refresh_end(struct task *task, const struct err *err)
{
    struct net *net = task->net;
    bool is_there = task->ports != NULL;

    if (!err) {
        net->exists |= is_there;
        net->is_up = task->refused.code == ERR_NONE;
        net->problem = task->refused;
        net_set_ports(net, task->ports);
        server_found(&net->server, &task->seen.server);
        net_report(net);
    }
    task_answer(task, err);
}

void netns_network_refresh(struct network_driver *driver, const char *uid, struct done done)
{
    struct task *task = task_new(netns_of(driver), uid, NULL);

    task->work = refresh_work;
    task->end = refresh_end;
    task->done = done;
    task_start(task);
}

/* --- ports --- */

static int port_ensure_work(struct task *task, struct err *err)
{
    return port_ensure_job(task->segment, &task->port, &task->server, err);
}

static void port_ensure_end(struct task *task, const struct err *err)
{
    struct net *net = task->net;

    if (!err || err->code != ERR_NOT_FOUND)
        map_set(net->ports, task->id, net);
    task_answer(task, err);
}

void netns_port_ensure(struct network_driver *driver, const struct port_config *port,
                       struct done done)
{
    struct task *task = task_new(netns_of(driver), port->network_uid, port->id);

    task->work = port_ensure_work;
    task->end = port_ensure_end;
    task->touches_server = true;
    task->port = *port;
    task->done = done;
    (void)port_config_check(port, &task->refused);
    task_start(task);
}

static int port_remove_work(struct task *task, struct err *err)
{
    return port_remove_job(task->segment, task->id, &task->server, err);
}

static void port_remove_end(struct task *task, const struct err *err)
{
    struct net *net = task->net;

    if (!err)
        (void)map_remove(net->ports, task->id);
    task_answer(task, err);
}

void netns_port_remove(struct network_driver *driver, const char *network_uid, const char *id,
                       struct done done)
{
    struct task *task = task_new(netns_of(driver), network_uid, id);

    task->work = port_remove_work;
    task->end = port_remove_end;
    task->touches_server = true;
    task->done = done;
    task_start(task);
}

static int port_open_work(struct task *task, struct err *err)
{
    return port_open_job(task->segment, task->id, &task->fd, err);
}

void netns_port_open(struct network_driver *driver, const char *network_uid, const char *id,
                     network_fd_fn *fn, void *arg)
{
    struct task *task = task_new(netns_of(driver), network_uid, id);

    task->work = port_open_work;
    task->end = task_answer;
    task->fd_fn = fn;
    task->arg = arg;
    task_start(task);
}

static int namespace_open_work(struct task *task, struct err *err)
{
    return segment_open(task->segment, &task->fd, err);
}

void netns_namespace_open(struct network_driver *driver, const char *network_uid, network_fd_fn *fn,
                          void *arg)
{
    struct task *task = task_new(netns_of(driver), network_uid, NULL);

    task->work = namespace_open_work;
    task->end = task_answer;
    task->fd_fn = fn;
    task->arg = arg;
    task_start(task);
}

static int port_read_work(struct task *task, struct err *err)
{
    return port_read_job(task->segment, task->id, &task->counters, err);
}

void netns_port_read(struct network_driver *driver, const char *network_uid, const char *id,
                     port_counters_fn *fn, void *arg)
{
    struct task *task = task_new(netns_of(driver), network_uid, id);

    task->work = port_read_work;
    task->end = task_answer;
    task->counters_fn = fn;
    task->arg = arg;
    task_start(task);
}
