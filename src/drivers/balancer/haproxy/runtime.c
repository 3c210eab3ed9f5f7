/* drivers/balancer/haproxy/runtime.c - HAProxy's admin socket. */
#include "drivers/balancer/haproxy/runtime.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BACKLOG = 64, READ_SIZE = 64 * 1024 };

/* --- sockets by way of their folder --- */

static int address_of(const char *folder, const char *name, int *ret_folder_fd,
                      struct sockaddr_un *ret_address, struct err *err)
{
    int length;

    *ret_folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*ret_folder_fd < 0)
        return err_errno(err, "open %s", folder);
    *ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    length = snprintf(ret_address->sun_path, sizeof ret_address->sun_path, "/proc/self/fd/%d/%s",
                      *ret_folder_fd, name);
    if (length < 0 || (size_t)length >= sizeof ret_address->sun_path)
        return err_set(err, ERR_INVALID, "the socket name %s is too long", name);
    return 0;
}

static int bind_new(const char *folder, const char *name, int type, uid_t owner, int *ret_fd,
                    struct err *err)
{
    auto_close int folder_fd = -1;
    auto_close int fd = -1;
    struct sockaddr_un address;

    if (address_of(folder, name, &folder_fd, &address, err) < 0)
        return -1;
    (void)unlinkat(folder_fd, name, 0); /* mostly absent */
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, "socket");
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return err_errno(err, "bind %s/%s", folder, name);
    if (fchmodat(folder_fd, name, 0600, 0) < 0 ||
        fchownat(folder_fd, name, owner, (gid_t)-1, 0) < 0)
        return err_errno(err, "give away %s/%s", folder, name);
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int runtime_listen(const char *folder, const char *name, int *ret_fd, struct err *err)
{
    int fd;

    if (bind_new(folder, name, SOCK_STREAM, geteuid(), &fd, err) < 0)
        return -1;
    if (listen(fd, BACKLOG) < 0) {
        close(fd);
        return err_errno(err, "listen on %s/%s", folder, name);
    }
    *ret_fd = fd;
    return 0;
}

int runtime_receive(const char *folder, const char *name, uid_t owner, int *ret_fd, struct err *err)
{
    return bind_new(folder, name, SOCK_DGRAM, owner, ret_fd, err);
}

/* A unix socket connects at once or not at all. */
static int connect_to(const char *folder, const char *name, int flags, int *ret_fd, struct err *err)
{
    auto_close int folder_fd = -1;
    auto_close int fd = -1;
    struct sockaddr_un address;

    if (address_of(folder, name, &folder_fd, &address, err) < 0)
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0)
        return err_errno(err, "socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return err_set(err, ERR_UNAVAILABLE, "connect to %s/%s: %s", folder, name, strerror(errno));
    *ret_fd = fd;
    fd = -1;
    return 0;
}

/* --- calls on the loop --- */

struct runtime_call {
    int fd;
    struct loop_source *io, *timer;
    char *line;
    size_t size, sent;
    struct buf answer;
    runtime_fn *fn;
    void *arg;
};

static void call_free(struct runtime_call *call)
{
    loop_source_free(call->io);
    loop_source_free(call->timer);
    close(call->fd);
    explicit_bzero(call->line, call->size); /* it may have brought a key */
    free(call->line);
    buf_done(&call->answer);
    free(call);
}

void runtime_cancel(struct runtime_call *call)
{
    if (call)
        call_free(call);
}

static void finish(struct runtime_call *call, const struct err *err)
{
    call->fn(call->arg, err, call->answer.bytes ? call->answer.bytes : "", call->answer.size);
    call_free(call);
}

static void fail(struct runtime_call *call, enum err_code code, const char *what)
{
    struct err err;

    (void)err_set(&err, code, "admin socket: %s", what);
    finish(call, &err);
}

static void on_late(void *arg) { fail(arg, ERR_TIMEOUT, "no answer in time"); }

static void take_answer(struct runtime_call *call)
{
    static char bytes[READ_SIZE]; /* of the loop thread */
    ssize_t got = read(call->fd, bytes, sizeof bytes);

    if (got > 0) {
        buf_add(&call->answer, bytes, (size_t)got);
        if (call->answer.overflowed)
            fail(call, ERR_TOO_LARGE, "the answer is too large");
    } else if (got == 0) {
        finish(call, NULL);
    } else if (errno != EAGAIN && errno != EINTR) {
        fail(call, ERR_UNAVAILABLE, strerror(errno));
    }
}

static void send_more(struct runtime_call *call)
{
    ssize_t sent = send(call->fd, call->line + call->sent, call->size - call->sent, MSG_NOSIGNAL);

    if (sent >= 0)
        call->sent += (size_t)sent;
    else if (errno != EAGAIN && errno != EINTR) {
        fail(call, ERR_UNAVAILABLE, strerror(errno));
        return;
    }
    if (call->sent == call->size)
        loop_io_events(call->io, LOOP_READ);
}

static void on_io(void *arg, int fd, unsigned events)
{
    struct runtime_call *call = arg;

    if (call->sent < call->size)
        send_more(call);
    else
        take_answer(call);
}

struct runtime_call *runtime_call(struct loop *loop, const char *folder, const char *name,
                                  const char *line, int64_t timeout_ms, runtime_fn *fn, void *arg,
                                  struct err *err)
{
    struct runtime_call *call;
    int fd;

    if (connect_to(folder, name, SOCK_NONBLOCK, &fd, err) < 0)
        return NULL;
    call = mem_new(struct runtime_call);
    *call = (struct runtime_call){ .fd = fd,
                                   .line = str_printf("%s\n", line),
                                   .fn = fn,
                                   .arg = arg,
                                   .answer = { .size_max = RUNTIME_ANSWER_MAX } };
    call->size = strlen(call->line);
    call->io = loop_io(loop, fd, LOOP_WRITE, on_io, call);
    call->timer = loop_timer(loop, timeout_ms, on_late, call);
    return call;
}

/* --- blocking --- */

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int runtime_ask(const char *folder, const char *name, const char *line, int64_t timeout_ms,
                struct buf *answer, struct err *err)
{
    auto_close int fd = -1;
    auto_free char *text = str_printf("%s\n", line);
    int64_t deadline_ms = now_ms() + timeout_ms;
    char bytes[4096];

    if (connect_to(folder, name, 0, &fd, err) < 0)
        return -1;
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
        return err_set(err, ERR_UNAVAILABLE, "admin socket: %s", strerror(errno));
    for (;;) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        int64_t left_ms = deadline_ms - now_ms();
        if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) == 0)
            return err_set(err, ERR_TIMEOUT, "admin socket: no answer in time");
        ssize_t got = read(fd, bytes, sizeof bytes);
        if (got == 0)
            return 0;
        if (got < 0)
            return err_set(err, ERR_UNAVAILABLE, "admin socket: %s", strerror(errno));
        buf_add(answer, bytes, (size_t)got);
    }
}
