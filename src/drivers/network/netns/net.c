/* drivers/network/netns/net.c - networks as the loop knows them. */
#include "drivers/network/netns/dnsmasq_job.h"
#include "drivers/network/netns/driver.h"

#include "base/mem.h"
#include "base/str.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct net *net_find(struct netns_driver *driver, const char *uid)
{
    return map_get(driver->nets, uid);
}

struct net *net_make(struct netns_driver *driver, const char *uid)
{
    struct net *net = net_find(driver, uid);

    if (net)
        return net;
    net = mem_new(struct net);
    net->driver = driver;
    net->segment = segment_new(driver->host, uid);
    net->segment->references = 1;
    net->uid = net->segment->uid;
    net->ports = map_new(NULL);
    (void)err_set(&net->problem, ERR_UNAVAILABLE, "not checked yet");
    server_init(&net->server, net);
    net_observe(net, &net->reported);
    map_set(driver->nets, uid, net);
    return net;
}

void net_free(void *value)
{
    struct net *net = value;

    server_done(&net->server);
    map_free(net->ports);
    segment_release(net->segment);
    free(net);
}

void net_set_ports(struct net *net, char *const *ids)
{
    map_free(net->ports);
    net->ports = map_new(NULL);
    for (; ids && *ids; ids++)
        map_set(net->ports, *ids, net);
}

static const char *message_of(const struct net *net, const struct network_status *status)
{
    if (!net->exists)
        return "the network is not there";
    if (!status->is_up)
        return net->problem.text;
    if (!status->dhcp_running)
        return net->server.problem.code == ERR_NONE ? "dnsmasq is starting"
                                                    : net->server.problem.text;
    return net->note;
}

void net_observe(const struct net *net, struct network_status *ret_status)
{
    *ret_status = (struct network_status){ 0 };
    if (net) {
        const struct server *server = &net->server;

        ret_status->is_up = net->exists && net->is_up;
        ret_status->dhcp_running =
            ret_status->is_up && (server->state == SERVER_UP || server->is_unwanted);
    }
    (void)snprintf(ret_status->message, sizeof ret_status->message, "%.255s",
                   net ? message_of(net, ret_status) : "the network is not there");
}

void net_report(struct net *net)
{
    struct network_status now;

    net_observe(net, &now);
    if (now.is_up == net->reported.is_up && now.dhcp_running == net->reported.dhcp_running &&
        strcmp(now.message, net->reported.message) == 0)
        return;
    net->reported = now;
    if (net->driver->changed)
        net->driver->changed(net->driver->arg, net->uid);
}

void net_server_settled(struct net *net)
{
    struct task *task = net->settling;

    net_report(net);
    if (task && task->awaits_server)
        task_answer(task, net->server.state == SERVER_WAITING ? &net->server.problem : NULL);
}

static int find_work(struct task *task, struct err *err)
{
    return dnsmasq_find(task->segment, task->seen.dnsmasq_config, &task->server, &task->seen.server,
                        err);
}

static void find_end(struct task *task, const struct err *err)
{
    struct net *net = task->net;

    if (err) {
        net->server.problem = *err;
        net->server.failures++;
    } else {
        server_want(&net->server, take_pointer(task->seen.dnsmasq_config), &task->seen.server);
    }
    task->awaits_server = net->server.state == SERVER_STARTING;
    if (!task->awaits_server)
        net_report(net);
    if (!task->awaits_server)
        task_answer(task, err);
}

void net_restart_server(struct net *net)
{
    struct task *task;

    if (net->settling || net->driver->is_closing)
        return;
    task = task_new(net->driver, net->uid, NULL);
    task->work = find_work;
    task->end = find_end;
    task->touches_server = task->settles_server = true;
    task->seen.dnsmasq_config = str_dup(net->server.config_path);
    task_start(task);
}
