/* drivers/network/netns/dial.c - a TCP connection from inside a network: the socket is made
 * there by a job, and connects on the loop. */
#include "drivers/network/netns/driver.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* A guest that boots is no host yet (EHOSTUNREACH), then refuses: both are worth trying again. */
static void fail(struct task *task, int problem)
{
    char text[IP_TEXT_SIZE];
    struct err err;

    ip_format(&task->to, text);
    errno = problem;
    (void)err_errno(&err, "connect to %s port %u", text, task->to_port);
    err.code = problem == ETIMEDOUT ? ERR_TIMEOUT : ERR_UNAVAILABLE;
    task_answer(task, &err);
}

static void on_connected(void *arg, int fd, unsigned events)
{
    struct task *task = arg;
    int problem = 0;
    socklen_t size = sizeof problem;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) < 0)
        problem = errno;
    /* The source goes before its descriptor does. */
    loop_source_free(take_pointer(task->source));
    if (problem)
        fail(task, problem);
    else
        task_answer(task, NULL);
}

static void on_late(void *arg) { fail(arg, ETIMEDOUT); }

static int begin_to_connect(const struct task *task)
{
    struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(task->to_port) };
    struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(task->to_port) };

    if (task->to.family == 4) {
        memcpy(&to4.sin_addr, task->to.octet, sizeof to4.sin_addr);
        return connect(task->fd, (struct sockaddr *)&to4, sizeof to4);
    }
    memcpy(&to6.sin6_addr, task->to.octet, sizeof to6.sin6_addr);
    return connect(task->fd, (struct sockaddr *)&to6, sizeof to6);
}

static int dial_work(struct task *task, struct err *err)
{
    return dial_job(task->segment, task->to.family, &task->fd, err);
}

static void dial_end(struct task *task, const struct err *err)
{
    struct loop *loop = task->driver->loop;
    int64_t left_ms = task->deadline_ms - loop_now_ms(loop);

    if (err) {
        task_answer(task, err);
        return;
    }
    if (begin_to_connect(task) == 0) {
        task_answer(task, NULL);
        return;
    }
    if (errno != EINPROGRESS) {
        fail(task, errno);
        return;
    }
    task->source = loop_io(loop, task->fd, LOOP_WRITE, on_connected, task);
    task->timer = loop_timer(loop, left_ms > 0 ? left_ms : 0, on_late, task);
}

void netns_dial(struct network_driver *driver, const char *network_uid, const struct ip_addr *to,
                uint16_t port, int64_t timeout_ms, network_fd_fn *fn, void *arg)
{
    struct netns_driver *netns = netns_of(driver);
    struct task *task = task_new(netns, network_uid, NULL);

    task->work = dial_work;
    task->end = dial_end;
    task->to = *to;
    task->to_port = port;
    task->deadline_ms = loop_now_ms(netns->loop) + timeout_ms;
    task->fd_fn = fn;
    task->arg = arg;
    task_start(task);
}
