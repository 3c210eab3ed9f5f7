/* drivers/network/netns/task.c - a call from its start to its answer. */
#include "drivers/network/netns/driver.h"

#include "base/mem.h"
#include "base/str.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void host_release(struct host *host)
{
    if (--host->references > 0)
        return;
    close(host->netns_fd);
    pthread_mutex_destroy(&host->lock);
    free(host->state_dir);
    free(host->run_dir);
    free(host);
}

void segment_release(struct segment *segment)
{
    if (--segment->references == 0)
        segment_free(segment);
}

static void join_net(struct task *task, const char *uid)
{
    struct netns_driver *driver = task->driver;

    task->net = net_make(driver, uid);
    task->net->task_count++;
    task->host = driver->host;
    task->host->references++;
    task->segment = task->net->segment;
    task->segment->references++;
}

struct task *task_new(struct netns_driver *driver, const char *uid, const char *id)
{
    struct task *task = mem_new(struct task);
    struct task **at = &driver->tasks;

    task->driver = driver;
    task->fd = -1;
    while (*at)
        at = &(*at)->next;
    *at = task;
    /* A failed check fills 'refused', which is the answer then. */
    if (network_uid_check(uid, &task->refused) < 0 || (id && port_id_check(id, &task->refused) < 0))
        return task;
    (void)snprintf(task->id, sizeof task->id, "%s", id ? id : "");
    join_net(task, uid);
    return task;
}

static void task_free(struct task *task)
{
    loop_source_free(task->source);
    loop_source_free(task->timer);
    if (task->fd >= 0)
        close(task->fd);
    if (task->segment)
        segment_release(task->segment);
    if (task->host)
        host_release(task->host);
    network_config_free(task->config);
    network_names_free(task->ports);
    free(task->seen.dnsmasq_config);
    free(task);
}

static void submit(struct task *task);

/* Those that were held back, up to the next one that needs the server for itself. */
static void release_held(struct net *net)
{
    for (struct task *task = net->driver->tasks; task && !net->settling; task = task->next)
        if (task->net == net && task->is_held)
            submit(task);
}

/* A network that is gone is forgotten with its last call. */
static void leave_net(struct task *task)
{
    struct net *net = task->net;

    if (!net)
        return;
    task->net = NULL;
    net->task_count--;
    if (net->settling == task)
        net->settling = NULL;
    if (!net->driver->is_closing) {
        server_retry_later(&net->server);
        release_held(net);
    }
    if (net->task_count == 0 && !net->exists)
        (void)map_remove(net->driver->nets, net->uid);
}

static void call_back(struct task *task, const struct err *err)
{
    if (task->fd_fn)
        task->fd_fn(task->arg, err, err ? -1 : task->fd);
    else if (task->counters_fn)
        task->counters_fn(task->arg, err, err ? NULL : &task->counters);
    else
        done_call(task->done, err);
}

static void unlink_task(struct task *task)
{
    struct task **at = &task->driver->tasks;

    while (*at != task)
        at = &(*at)->next;
    *at = task->next;
    task->next = NULL;
}

void task_answer(struct task *task, const struct err *err)
{
    struct err copy;

    if (err)
        copy = *err; /* it may belong to the network, which may be forgotten now */
    unlink_task(task);
    leave_net(task);
    call_back(task, err ? &copy : NULL);
    if (!err && task->fd_fn)
        task->fd = -1; /* the caller's now */
    task_free(task);
}

/* --- its work --- */

static int work(void *arg, struct err *err)
{
    struct task *task = arg;

    return task->work(task, err);
}

static void finish(void *arg, const struct err *err)
{
    struct task *task = arg;

    task->is_in_job = false;
    if (task->driver)
        task->end(task, err);
    else
        task_free(task);
}

static void submit(struct task *task)
{
    auto_free char *lane = str_printf("network/%s", task->net->uid);

    if (task->settles_server)
        task->net->settling = task;
    task->is_held = false;
    task->is_in_job = true;
    task->server = task->net->server.process;
    worker_run(task->driver->workers,
               (struct worker_job){ .work = work, .finish = finish, .arg = task, .lane = lane });
}

static void on_refused(void *arg)
{
    struct task *task = arg;

    task_answer(task, &task->refused);
}

void task_start(struct task *task)
{
    if (task->refused.code != ERR_NONE)
        task->source = loop_defer(task->driver->loop, on_refused, task);
    else if (task->touches_server && task->net->settling)
        task->is_held = true;
    else
        submit(task);
}

void tasks_cancel(struct netns_driver *driver)
{
    static const struct err cancelled = { .code = ERR_CANCELLED, .text = "the driver was closed" };
    struct task *task;

    while ((task = driver->tasks)) {
        unlink_task(task);
        leave_net(task);
        task->driver = NULL;
        call_back(task, &cancelled);
        if (!task->is_in_job)
            task_free(task);
    }
}
