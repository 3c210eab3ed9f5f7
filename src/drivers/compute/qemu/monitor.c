/* drivers/compute/qemu/monitor.c - the QMP state machine on a socket and a clock. */
#include "drivers/compute/qemu/monitor.h"
#include "base/chain.h"
#include "base/mem.h"
#include "drivers/compute/qemu/qmp.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_SIZE = 16 * 1024,
    READS_PER_TURN_MAX = 4,
    REST_MS = 10, /* after a turn that read that much: a QEMU that talks without end waits */
};

/* Bytes on their way out; the descriptor rides on the first of them. */
struct segment {
    struct segment *next;
    char *bytes;
    size_t size, sent;
    int fd;
};

struct call {
    struct call *next, **link;
    struct monitor *monitor;
    uint64_t id;
    monitor_fn *fn;
    void *arg;
    struct loop_source *timer;
    struct err err; /* of a call that was never sent */
};

struct monitor {
    struct loop *loop;
    const struct monitor_hooks *hooks;
    void *arg;
    int fd;
    struct qmp qmp;
    struct loop_source *io, *handshake;
    struct loop_source *rest; /* not NULL: what QEMU says waits */
    struct segment *first, **last;
    struct call *calls;
    bool is_lost, is_closing;
    unsigned callbacks; /* we are inside of; the last one frees a closing monitor */
};

/* --- calls --- */

static void call_end(struct call *call, const struct err *err, const json_t *result)
{
    chain_remove(call);
    loop_source_free(call->timer);
    if (call->fn)
        call->fn(call->arg, err, result);
    free(call);
}

/* Those of now: what an answered caller asks next is not among them. */
static void end_all(struct monitor *monitor, const struct err *why)
{
    struct call *calls = monitor->calls;

    monitor->calls = NULL;
    if (calls)
        calls->link = &calls;
    while (calls)
        call_end(calls, why, NULL);
}

static struct call *call_new(struct monitor *monitor, monitor_fn *fn, void *arg)
{
    struct call *call = mem_new(struct call);

    *call = (struct call){ .monitor = monitor, .fn = fn, .arg = arg };
    chain_add(&monitor->calls, call);
    return call;
}

static struct call *find_call(struct monitor *monitor, uint64_t id)
{
    struct call *call = monitor->calls;

    while (call && call->id != id)
        call = call->next;
    return call;
}

/* --- ends --- */

static void segments_free(struct monitor *monitor)
{
    while (monitor->first) {
        struct segment *segment = monitor->first;

        monitor->first = segment->next;
        if (segment->fd >= 0)
            close(segment->fd);
        free(segment->bytes);
        free(segment);
    }
    monitor->last = &monitor->first;
}

static void hang_up(struct monitor *monitor)
{
    loop_source_free(monitor->io);
    loop_source_free(monitor->handshake);
    loop_source_free(monitor->rest);
    monitor->io = monitor->handshake = monitor->rest = NULL;
    if (monitor->fd >= 0)
        close(monitor->fd);
    monitor->fd = -1;
    segments_free(monitor);
}

static void destroy(struct monitor *monitor)
{
    qmp_done(&monitor->qmp);
    free(monitor);
}

void monitor_close(struct monitor *monitor, const struct err *why)
{
    if (!monitor || monitor->is_closing)
        return;
    monitor->is_closing = true;
    hang_up(monitor);
    monitor->callbacks++;
    while (monitor->calls)
        end_all(monitor, why);
    if (--monitor->callbacks == 0)
        destroy(monitor);
}

void monitor_free(struct monitor *monitor)
{
    struct err err;

    (void)err_set(&err, ERR_CANCELLED, "the monitor was closed");
    monitor_close(monitor, &err);
}

/* Callbacks run between these two; false when the monitor is no more. */
static void enter(struct monitor *monitor) { monitor->callbacks++; }

static bool leave(struct monitor *monitor)
{
    if (--monitor->callbacks > 0 || !monitor->is_closing)
        return !monitor->is_closing;
    destroy(monitor);
    return false;
}

static void lose(struct monitor *monitor, const struct err *err)
{
    struct err ended;

    if (monitor->is_lost || monitor->is_closing)
        return;
    monitor->is_lost = true;
    hang_up(monitor);
    (void)err_set(&ended, ERR_UNAVAILABLE, "%s", err->text);
    end_all(monitor, &ended);
    if (!monitor->is_closing)
        monitor->hooks->lost(monitor->arg, err);
}

static void lose_by_errno(struct monitor *monitor, const char *what)
{
    struct err err;

    (void)err_errno(&err, "%s the monitor", what);
    err.code = ERR_UNAVAILABLE;
    lose(monitor, &err);
}

static void on_handshake_late(void *arg)
{
    struct monitor *monitor = arg;
    struct err err;

    (void)err_set(&err, ERR_TIMEOUT, "the monitor did not greet within %d s",
                  MONITOR_HANDSHAKE_MS / 1000);
    enter(monitor);
    lose(monitor, &err);
    (void)leave(monitor); /* nothing follows */
}

/* --- out --- */

static void wait_for_qemu(struct monitor *monitor)
{
    if (monitor->io)
        loop_io_events(monitor->io,
                       (monitor->rest ? 0 : LOOP_READ) | (monitor->first ? LOOP_WRITE : 0));
}

static ssize_t send_segment(int fd, const struct segment *segment)
{
    struct iovec part = { segment->bytes + segment->sent, segment->size - segment->sent };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { 0 };

    if (segment->fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                                           .cmsg_type = SCM_RIGHTS,
                                           .cmsg_len = CMSG_LEN(sizeof(int)) };
        memcpy(CMSG_DATA(&control.header), &segment->fd, sizeof(int));
    }
    return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void drop_first(struct monitor *monitor)
{
    struct segment *segment = monitor->first;

    monitor->first = segment->next;
    if (!monitor->first)
        monitor->last = &monitor->first;
    free(segment->bytes);
    free(segment);
}

/* As much as goes now; false, with errno, when QEMU is gone. */
static bool send_some(struct monitor *monitor)
{
    while (monitor->first && monitor->fd >= 0) {
        struct segment *segment = monitor->first;
        ssize_t sent = send_segment(monitor->fd, segment);

        if (sent < 0)
            return errno == EAGAIN || errno == EINTR;
        if (segment->fd >= 0)
            close(segment->fd);
        segment->fd = -1;
        segment->sent += (size_t)sent;
        if (segment->sent == segment->size)
            drop_first(monitor);
    }
    return true;
}

static void flush(struct monitor *monitor)
{
    if (send_some(monitor))
        wait_for_qemu(monitor);
    else
        lose_by_errno(monitor, "write to");
}

static void queue_output(struct monitor *monitor, int take_fd)
{
    struct segment *segment = mem_new(struct segment);

    segment->fd = take_fd;
    segment->size = monitor->qmp.out.size;
    segment->bytes = buf_take(&monitor->qmp.out);
    *monitor->last = segment;
    monitor->last = &segment->next;
    (void)send_some(monitor); /* who asks is not called back from here: the loop finds a failure again */
    wait_for_qemu(monitor);
}

/* --- in --- */

static void got_reply(struct monitor *monitor, const struct qmp_message *message)
{
    struct call *call = find_call(monitor, message->id);

    if (call) /* else it came after its time limit */
        call_end(call, message->err.code ? &message->err : NULL, message->result);
}

static void got_ready(struct monitor *monitor)
{
    loop_source_free(monitor->handshake);
    monitor->handshake = NULL;
    monitor->hooks->ready(monitor->arg, monitor->qmp.version);
}

static void got_message(struct monitor *monitor, const struct qmp_message *message)
{
    switch (message->kind) {
    case QMP_NOTHING:
        break;
    case QMP_IS_READY:
        got_ready(monitor);
        break;
    case QMP_REPLY:
        got_reply(monitor, message);
        break;
    case QMP_EVENT:
        monitor->hooks->event(monitor->arg, message->event, message->data);
        break;
    case QMP_FAILED:
        lose(monitor, &message->err);
        break;
    }
}

static void handle_messages(struct monitor *monitor)
{
    struct qmp_message message;

    while (!monitor->is_closing && qmp_next(&monitor->qmp, &message) != QMP_NOTHING) {
        got_message(monitor, &message);
        qmp_message_done(&message);
    }
    if (!monitor->is_closing && !monitor->is_lost && monitor->qmp.out.size)
        queue_output(monitor, -1); /* the negotiation's own command */
}

static void on_rested(void *arg)
{
    struct monitor *monitor = arg;

    loop_source_free(monitor->rest);
    monitor->rest = NULL;
    wait_for_qemu(monitor);
}

static void read_some(struct monitor *monitor)
{
    char bytes[READ_SIZE];

    for (int i = 0; i < READS_PER_TURN_MAX && monitor->fd >= 0; i++) {
        ssize_t size = recv(monitor->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        struct err err;

        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (size < 0) {
            lose_by_errno(monitor, "read from");
            return;
        }
        if (size == 0) {
            (void)err_set(&err, ERR_UNAVAILABLE, "the monitor hung up");
            lose(monitor, &err);
            return;
        }
        qmp_feed(&monitor->qmp, bytes, (size_t)size);
        handle_messages(monitor);
    }
    if (monitor->fd < 0)
        return;
    monitor->rest = loop_timer(monitor->loop, REST_MS, on_rested, monitor);
    wait_for_qemu(monitor);
}

static void on_io(void *arg, int fd, unsigned events)
{
    struct monitor *monitor = arg;

    enter(monitor);
    if (events & LOOP_WRITE)
        flush(monitor);
    if ((events & LOOP_READ) && monitor->fd >= 0)
        read_some(monitor);
    (void)leave(monitor); /* nothing follows */
}

/* --- its owner's side --- */

struct monitor *monitor_new(struct loop *loop, int take_fd, const struct monitor_hooks *hooks,
                            void *arg)
{
    struct monitor *monitor = mem_new(struct monitor);

    monitor->loop = loop;
    monitor->hooks = hooks;
    monitor->arg = arg;
    monitor->fd = take_fd;
    monitor->last = &monitor->first;
    qmp_init(&monitor->qmp);
    monitor->io = loop_io(loop, take_fd, LOOP_READ, on_io, monitor);
    monitor->handshake = loop_timer(loop, MONITOR_HANDSHAKE_MS, on_handshake_late, monitor);
    return monitor;
}

static void on_call_refused(void *arg)
{
    struct call *call = arg;
    struct monitor *monitor = call->monitor;
    struct err err = call->err;

    enter(monitor);
    call_end(call, &err, NULL);
    (void)leave(monitor); /* nothing follows */
}

static void on_call_late(void *arg)
{
    struct call *call = arg;
    struct monitor *monitor = call->monitor;
    struct err err;

    (void)err_set(&err, ERR_TIMEOUT, "the monitor did not answer in time");
    enter(monitor);
    call_end(call, &err, NULL);
    (void)leave(monitor); /* nothing follows */
}

void monitor_call(struct monitor *monitor, const char *command, json_t *take_arguments, int take_fd,
                  int64_t timeout_ms, monitor_fn *fn, void *arg)
{
    struct call *call = call_new(monitor, fn, arg);
    auto_json json_t *arguments = take_arguments;
    int result = monitor->fd >= 0
                     ? qmp_command(&monitor->qmp, command, arguments, &call->id, &call->err)
                     : err_set(&call->err, ERR_UNAVAILABLE, "the monitor is gone");

    if (result == 0) {
        call->timer = loop_timer(monitor->loop, timeout_ms, on_call_late, call);
        queue_output(monitor, take_fd);
        return;
    }
    (void)err_wrap(&call->err, "%s", command);
    if (take_fd >= 0)
        close(take_fd);
    call->timer = loop_timer(monitor->loop, 0, on_call_refused, call);
}
