#include "web.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 64, REQUEST_MAX = 8192, ANSWER_MAX = 16384, CLIENTS_MAX = 64, WAIT_MS = 30 * 1000 };

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void pause_ms(unsigned ms)
{
    struct timespec pause = { ms / 1000, (long)(ms % 1000) * 1000000 };

    nanosleep(&pause, NULL);
}

/* --- the server --- */

struct visitor {
    int fd;
    size_t size;
    char request[REQUEST_MAX];
    struct visitor *next;
};
struct web_server {
    char name[64];
    uint16_t port;
    int listener, epoll, stop;
    pthread_t thread;
    _Atomic uint64_t requests;
    _Atomic unsigned slow_ms, connections, hang_ups;
    _Atomic bool is_sick;
    struct visitor *visitors;
};

static void answer(struct web_server *server, struct visitor *visitor)
{
    bool is_check = strncmp(visitor->request, "GET /health", 11) == 0;
    bool closes = strcasestr(visitor->request, "\r\nConnection: close") != NULL;
    char text[512];
    int length = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s",
                          is_check && server->is_sick ? "503 Sick" : "200 OK", strlen(server->name),
                          closes ? "Connection: close\r\n" : "", server->name);

    if (!is_check)
        server->requests++;
    if (!is_check && server->hang_ups) {
        server->hang_ups--;
        shutdown(visitor->fd, SHUT_RDWR);
        return;
    }
    if (!is_check && server->slow_ms)
        pause_ms(server->slow_ms);
    if (send(visitor->fd, text, (size_t)length, MSG_NOSIGNAL) < 0)
        return; /* the client sees it */
    if (closes)
        shutdown(visitor->fd, SHUT_WR);
}

static void leave(struct web_server *server, struct visitor *visitor)
{
    struct visitor **link = &server->visitors;

    while (*link != visitor)
        link = &(*link)->next;
    *link = visitor->next;
    /* A child that is just being started may hold a copy, by which it would stay in the set. */
    epoll_ctl(server->epoll, EPOLL_CTL_DEL, visitor->fd, NULL);
    close(visitor->fd);
    free(visitor);
    server->connections--;
}

/* Requests have no body. */
static void hear(struct web_server *server, struct visitor *visitor)
{
    ssize_t got =
        read(visitor->fd, visitor->request + visitor->size, REQUEST_MAX - 1 - visitor->size);
    char *end;

    if (got <= 0) {
        leave(server, visitor);
        return;
    }
    visitor->size += (size_t)got;
    visitor->request[visitor->size] = '\0';
    while ((end = strstr(visitor->request, "\r\n\r\n"))) {
        size_t used = (size_t)(end + 4 - visitor->request);
        answer(server, visitor);
        memmove(visitor->request, visitor->request + used, visitor->size - used + 1);
        visitor->size -= used;
    }
}

static void welcome(struct web_server *server)
{
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC), on = 1;
    struct visitor *visitor;

    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    visitor = calloc(1, sizeof *visitor);
    visitor->fd = fd;
    visitor->next = server->visitors;
    server->visitors = visitor;
    server->connections++;
    epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd,
              &(struct epoll_event){ EPOLLIN, { .ptr = visitor } });
}

static void *serve(void *arg)
{
    struct web_server *server = arg;
    struct epoll_event events[EVENTS];

    for (;;) {
        int count = epoll_wait(server->epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == &server->stop)
                return NULL;
            if (events[i].data.ptr == server)
                welcome(server);
            else
                hear(server, events[i].data.ptr);
        }
    }
}

static int listen_on(uint16_t *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(*port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

struct web_server *web_server_new(const char *name, uint16_t port)
{
    int listener = listen_on(&port);
    struct web_server *server = listener < 0 ? NULL : calloc(1, sizeof *server);

    if (!server)
        return NULL;
    (void)snprintf(server->name, sizeof server->name, "%s", name);
    server->port = port;
    server->listener = listener;
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    server->stop = eventfd(0, EFD_CLOEXEC);
    epoll_ctl(server->epoll, EPOLL_CTL_ADD, listener,
              &(struct epoll_event){ EPOLLIN, { .ptr = server } });
    epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->stop,
              &(struct epoll_event){ EPOLLIN, { .ptr = &server->stop } });
    if (pthread_create(&server->thread, NULL, serve, server) != 0)
        abort();
    return server;
}

void web_server_free(struct web_server *server)
{
    if (!server)
        return;
    if (eventfd_write(server->stop, 1) < 0)
        abort();
    pthread_join(server->thread, NULL);
    while (server->visitors)
        leave(server, server->visitors);
    close(server->listener);
    close(server->epoll);
    close(server->stop);
    free(server);
}

uint16_t web_server_port(const struct web_server *server) { return server->port; }
uint64_t web_server_requests(const struct web_server *server) { return server->requests; }
void web_server_slow(struct web_server *server, unsigned answer_ms) { server->slow_ms = answer_ms; }
void web_server_hang_up(struct web_server *server, unsigned requests) { server->hang_ups = requests; }

void web_server_set_healthy(struct web_server *server, bool is_healthy)
{
    server->is_sick = !is_healthy;
}
unsigned web_server_connections(const struct web_server *server) { return server->connections; }

/* --- the client --- */

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval patience = { .tv_sec = 20 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

struct reply {
    char text[ANSWER_MAX];
    size_t size;
    int status;
    bool closes;
    const char *body;
};

/* Reads one answer with a Content-Length. False: it did not come whole. */
static bool read_reply(int fd, struct reply *reply)
{
    size_t wanted = 0;

    reply->size = 0;
    reply->body = NULL;
    reply->text[0] = '\0';
    while (!reply->body || reply->size < wanted) {
        ssize_t got = read(fd, reply->text + reply->size, ANSWER_MAX - 1 - reply->size);
        if (got <= 0)
            return false;
        reply->size += (size_t)got;
        reply->text[reply->size] = '\0';
        char *end = reply->body ? NULL : strstr(reply->text, "\r\n\r\n");
        if (!end)
            continue;
        const char *length = strcasestr(reply->text, "\r\ncontent-length:");
        const char *connection = strcasestr(reply->text, "\r\nconnection: close");
        reply->body = end + 4;
        reply->closes = connection && connection < end;
        wanted = (size_t)(end + 4 - reply->text) +
                 (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
        if (sscanf(reply->text, "HTTP/1.1 %d", &reply->status) != 1 &&
            sscanf(reply->text, "HTTP/1.0 %d", &reply->status) != 1)
            return false;
        if (!length) /* HAProxy's own answers end with the connection */
            reply->closes = true;
    }
    return true;
}

static int ask(const struct web_request *request, struct reply *reply)
{
    int fd = connect_to(request->port), length;
    char text[1024];

    if (fd < 0)
        return -1;
    length =
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n",
                 request->path ? request->path : "/", request->host ? request->host : "test",
                 request->header ? request->header : "");
    bool is_whole = send(fd, text, (size_t)length, MSG_NOSIGNAL) == length && read_reply(fd, reply);
    close(fd);
    return is_whole ? reply->status : -1;
}

int web_get(const struct web_request *request, char *body, unsigned size)
{
    struct reply reply;
    int status = ask(request, &reply);

    (void)snprintf(body, size, "%.*s", (int)size - 1, status < 0 ? "" : reply.body);
    return status;
}

int web_get_whole(const struct web_request *request, char *text, unsigned size)
{
    struct reply reply;
    int status = ask(request, &reply);

    (void)snprintf(text, size, "%.*s", (int)size - 1, status < 0 ? "" : reply.text);
    return status;
}

/* --- load --- */

struct web_running {
    struct web_load load;
    pthread_t threads[CLIENTS_MAX];
    _Atomic bool is_stopping;
    _Atomic uint64_t answers, failures;
    pthread_mutex_t mutex;
    char first_failure[160];
    double began_s;
};

static void fail(struct web_running *running, const char *what)
{
    pthread_mutex_lock(&running->mutex);
    if (running->failures++ == 0)
        (void)snprintf(running->first_failure, sizeof running->first_failure,
                       "after %llu answers: %s", (unsigned long long)running->answers, what);
    pthread_mutex_unlock(&running->mutex);
}

/* One request; returns the connection to go on with, or -1. */
static int request_once(struct web_running *running, int fd, struct reply *reply, const char *text)
{
    char what[128];

    if (fd < 0)
        fd = connect_to(running->load.port);
    if (fd < 0) {
        fail(running, strerror(errno));
        return -1;
    }
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 || !read_reply(fd, reply)) {
        (void)snprintf(what, sizeof what, "no whole answer: %s (%.60s)", strerror(errno),
                       reply->text);
        fail(running, what);
    } else if (reply->status != 200) {
        (void)snprintf(what, sizeof what, "%.100s", reply->text);
        fail(running, what);
    } else {
        running->answers++;
        if (running->load.keep_alive && !reply->closes)
            return fd;
    }
    close(fd);
    return -1;
}

static void *make_load(void *arg)
{
    struct web_running *running = arg;
    struct reply *reply = calloc(1, sizeof *reply);
    char text[256];
    int fd = -1;

    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: test\r\n%s\r\n",
                   running->load.path ? running->load.path : "/",
                   running->load.keep_alive ? "" : "Connection: close\r\n");
    while (!running->is_stopping)
        fd = request_once(running, fd, reply, text);
    if (fd >= 0)
        close(fd);
    free(reply);
    return NULL;
}

struct web_running *web_load_start(const struct web_load *load)
{
    struct web_running *running = calloc(1, sizeof *running);

    running->load = *load;
    running->began_s = now_s();
    pthread_mutex_init(&running->mutex, NULL);
    if (load->clients > CLIENTS_MAX)
        abort();
    for (unsigned i = 0; i < load->clients; i++)
        if (pthread_create(&running->threads[i], NULL, make_load, running) != 0)
            abort();
    return running;
}

uint64_t web_load_answers(const struct web_running *running) { return running->answers; }

bool web_load_wait(const struct web_running *running, uint64_t answers)
{
    uint64_t wanted = running->answers + answers;

    for (unsigned ms = 0; ms < WAIT_MS && running->answers < wanted; ms++)
        pause_ms(1);
    return running->answers >= wanted;
}

struct web_result web_load_stop(struct web_running *running)
{
    struct web_result result = { 0 };

    running->is_stopping = true;
    for (unsigned i = 0; i < running->load.clients; i++)
        pthread_join(running->threads[i], NULL);
    result = (struct web_result){ .answers = running->answers,
                                  .failures = running->failures,
                                  .seconds = now_s() - running->began_s };
    memcpy(result.first_failure, running->first_failure, sizeof result.first_failure);
    free(running);
    return result;
}
