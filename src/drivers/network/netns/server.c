/* drivers/network/netns/server.c - keeping dnsmasq running.
 *
 *            want, none found            it has daemonized
 *      OFF --------------------> STARTING -----------------> UP
 *       ^                         |    ^                      |
 *       | not wanted any more     |    | timer                | it died
 *       |                         v    |                      |
 *      (all)                     WAITING <--------------------'
 *
 * dnsmasq detaches itself when it is ready: it outlives us, and whether we have started it or
 * found it again it is watched the same way, by its pidfd. */
#include "drivers/network/netns/driver.h"

#include "base/fault.h"
#include "base/files.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    START_TIMEOUT_MS = 10 * 1000,
    RETRY_MIN_MS = 100,
    RETRY_MAX_MS = 30 * 1000,
    STEADY_MS = 60 * 1000, /* so long up: the failures before are forgotten */
    PID_FILE_MAX = 64,
};

void server_init(struct server *server, struct net *net)
{
    *server = (struct server){ .net = net, .pidfd = -1 };
}

/* Stops watching, starting and waiting. */
static void let_go(struct server *server)
{
    spawn_run_cancel(take_pointer(server->run));
    loop_source_free(take_pointer(server->end));
    loop_source_free(take_pointer(server->timer));
    if (server->pidfd >= 0)
        close(server->pidfd);
    server->pidfd = -1;
    server->process = (struct server_process){ 0 };
}

void server_done(struct server *server)
{
    let_go(server);
    free(server->config_path);
}

void server_forget(struct server *server)
{
    let_go(server);
    free(take_pointer(server->config_path));
    server->state = SERVER_OFF;
    server->is_unwanted = false;
    server->failures = 0;
    err_clear(&server->problem);
}

/* --- failing and waiting --- */

static void on_waited(void *arg)
{
    struct server *server = arg;

    loop_source_free(take_pointer(server->timer));
    net_restart_server(server->net);
}

void server_retry_later(struct server *server)
{
    int64_t delay = RETRY_MIN_MS;

    if (server->state != SERVER_WAITING || server->timer || !server->config_path ||
        server->net->settling)
        return;
    for (unsigned i = 1; i < server->failures && delay < RETRY_MAX_MS; i++)
        delay *= 2;
    server->timer = loop_timer(server->net->driver->loop,
                               delay < RETRY_MAX_MS ? delay : RETRY_MAX_MS, on_waited, server);
}

static void fail(struct server *server)
{
    let_go(server);
    server->state = SERVER_WAITING;
    server->failures++;
    server_retry_later(server);
}

static void on_end(void *arg, pid_t pid, struct loop_exit how)
{
    struct server *server = arg;

    if (loop_now_ms(server->net->driver->loop) - server->up_since_ms >= STEADY_MS)
        server->failures = 0;
    (void)err_set(&server->problem, ERR_UNAVAILABLE, "dnsmasq, process %d, died", (int)pid);
    fail(server);
    net_report(server->net);
}

/* --- being up --- */

static int adopt(struct server *server, const struct server_process *found, struct err *err)
{
    int pidfd;

    if (process_open(found->pid, found->start_ticks, &pidfd, err) < 0)
        return -1;
    let_go(server);
    server->process = *found;
    server->pidfd = pidfd;
    server->end = loop_child(server->net->driver->loop, found->pid, pidfd, on_end, server);
    server->up_since_ms = loop_now_ms(server->net->driver->loop);
    server->state = SERVER_UP;
    err_clear(&server->problem);
    return 0;
}

/* --- starting --- */

static int read_pid(const struct segment *segment, struct server_process *ret_process,
                    struct err *err)
{
    auto_free char *path = str_printf("%s/dnsmasq.pid", segment->run_dir);
    auto_buf struct buf text = { 0 };

    if (file_read(path, PID_FILE_MAX, &text, err) < 0)
        return -1;
    ret_process->pid = text.size ? (pid_t)strtol(text.bytes, NULL, 10) : 0;
    return process_start_time(ret_process->pid, &ret_process->start_ticks, err);
}

static void on_started(void *arg, const struct err *err, const char *output, size_t size)
{
    struct server *server = arg;
    struct server_process process;

    server->run = NULL;
    if (err)
        server->problem = *err;
    if (err || read_pid(server->net->segment, &process, &server->problem) < 0 ||
        adopt(server, &process, &server->problem) < 0)
        fail(server);
    fault_point("network.server.up");
    net_server_settled(server->net);
}

static int start(struct server *server, struct err *err)
{
    struct net *net = server->net;
    auto_free char *config = str_printf("--conf-file=%s", server->config_path);
    const char *const argv[] = { "dnsmasq", config, NULL };
    auto_close int netns_fd = -1;
    struct spawn spawn = { .argv = argv };

    if (fault_fails("network.server.start", err) || segment_open(net->segment, &netns_fd, err) < 0)
        return -1;
    spawn.netns_fd = netns_fd;
    server->run = spawn_run(net->driver->loop, &spawn, START_TIMEOUT_MS, /*output_size_max=*/0,
                            on_started, server, err);
    fault_point("network.server.start");
    return server->run ? 0 : -1;
}

void server_want(struct server *server, char *take_config_path, const struct server_process *found)
{
    if (!take_config_path) {
        server_forget(server);
        server->is_unwanted = true;
        return;
    }
    free(server->config_path);
    server->config_path = take_config_path;
    server->is_unwanted = false;
    if (server->state == SERVER_UP && found->pid == server->process.pid)
        return;
    if (found->pid && adopt(server, found, &server->problem) == 0)
        return;
    let_go(server);
    server->state = SERVER_STARTING;
    if (start(server, &server->problem) < 0)
        fail(server);
}

void server_found(struct server *server, const struct server_process *found)
{
    struct err unused;

    if (server->state == SERVER_OFF && !server->is_unwanted && found->pid)
        (void)adopt(server, found, &unused); /* it has just ended */
}
