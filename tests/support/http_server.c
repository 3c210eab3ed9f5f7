/* tests/support/http_server.c - a small HTTP server that misbehaves as told. */
#include "http_server.h"
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REQUESTS_MAX = 256, REQUEST_SIZE = 4096 };

struct http_server {
    int listener, stop_fd;
    uint16_t port;
    pthread_t thread;
    char url[256];

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t asked;
    struct http_behaviour behaviour;
    char requests[REQUESTS_MAX][REQUEST_SIZE];
    unsigned request_count;
    char value[512];
};

static bool send_all(int fd, const void *bytes, size_t size)
{
    for (const char *at = bytes; size > 0;) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* False when the server is to stop. */
static bool wait_for(const struct http_server *server, int fd)
{
    struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
                            { .fd = server->stop_fd, .events = POLLIN } };

    return poll(fds, 2, -1) > 0 && fds[1].revents == 0;
}

static bool read_request(struct http_server *server, int fd, char *to)
{
    size_t size = 0;

    while (size < REQUEST_SIZE - 1 && wait_for(server, fd)) {
        ssize_t got = recv(fd, to + size, REQUEST_SIZE - 1 - size, 0);
        if (got <= 0)
            return false;
        size += (size_t)got;
        to[size] = '\0';
        if (strstr(to, "\r\n\r\n"))
            return true;
    }
    return false;
}

static bool header(const char *request, const char *name, char *to, size_t size)
{
    size_t length = strlen(name);

    for (const char *line = strstr(request, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            const char *value = line + length + 1 + strspn(line + length + 1, " ");
            snprintf(to, size, "%.*s", (int)strcspn(value, "\r"), value);
            return true;
        }
    }
    to[0] = '\0';
    return false;
}

/* Keeps the request and takes the behaviour that holds for it. */
static struct http_behaviour note(struct http_server *server, const char *request)
{
    struct http_behaviour now;

    pthread_mutex_lock(&server->lock);
    now = server->behaviour;
    if (server->request_count < REQUESTS_MAX)
        memcpy(server->requests[server->request_count++], request, REQUEST_SIZE);
    if (server->behaviour.fail_count > 0)
        server->behaviour.fail_count--;
    else if (server->behaviour.cut_count > 0)
        server->behaviour.cut_count--;
    pthread_cond_broadcast(&server->asked);
    pthread_mutex_unlock(&server->lock);
    return now;
}

static size_t wanted_offset(const struct http_behaviour *now, const char *request)
{
    char range[128], if_range[256];

    if (now->without_ranges || !header(request, "Range", range, sizeof range))
        return 0;
    if (header(request, "If-Range", if_range, sizeof if_range) &&
        strcmp(if_range, now->etag            ? now->etag
                         : now->last_modified ? now->last_modified
                                              : "") != 0)
        return 0;
    return strtoul(range + strlen("bytes="), NULL, 10);
}

static void send_status(int fd, int status, const char *extra)
{
    char head[1024];

    snprintf(head, sizeof head,
             "HTTP/1.1 %d Told\r\nContent-Length: 4\r\nConnection: close\r\n%s\r\nnone", status,
             extra);
    send_all(fd, head, strlen(head));
}

static bool send_head(int fd, const struct http_behaviour *now, size_t offset)
{
    char head[1024];
    int at = snprintf(head, sizeof head, "HTTP/1.1 %d Told\r\nConnection: close\r\n",
                      offset > 0 ? 206 : 200);

    if (!now->without_length)
        at += snprintf(head + at, sizeof head - (size_t)at, "Content-Length: %zu\r\n",
                       now->size - offset);
    if (offset > 0)
        at += snprintf(head + at, sizeof head - (size_t)at, "Content-Range: bytes %zu-%zu/%zu\r\n",
                       offset, now->size - 1, now->size);
    if (now->etag)
        at += snprintf(head + at, sizeof head - (size_t)at, "ETag: %s\r\n", now->etag);
    if (now->last_modified)
        at += snprintf(head + at, sizeof head - (size_t)at, "Last-Modified: %s\r\n",
                       now->last_modified);
    at += snprintf(head + at, sizeof head - (size_t)at, "\r\n");
    return send_all(fd, head, (size_t)at);
}

static void send_body(struct http_server *server, int fd, const struct http_behaviour *now,
                      size_t offset)
{
    size_t size = now->size - offset;
    bool is_cut = (now->cut_count > 0 || now->hangs) && now->cut_after < size;

    send_all(fd, (const char *)now->body + offset, is_cut ? now->cut_after : size);
    if (is_cut && now->hangs)
        wait_for(server, fd);
}

static void answer(struct http_server *server, int fd, const char *request)
{
    struct http_behaviour now = note(server, request);
    char extra[512] = "";
    size_t offset;

    if (now.fail_count > 0) {
        if (now.fail_status)
            send_status(fd, now.fail_status, "");
        return;
    }
    if (now.location)
        snprintf(extra, sizeof extra, "Location: %s\r\n", now.location);
    if (now.status) {
        send_status(fd, now.status, extra);
        return;
    }
    offset = wanted_offset(&now, request);
    if (offset >= now.size && offset > 0) {
        snprintf(extra, sizeof extra, "Content-Range: bytes */%zu\r\n", now.size);
        send_status(fd, 416, extra);
    } else if (send_head(fd, &now, offset)) {
        send_body(server, fd, &now, offset);
    }
}

static void *serve(void *arg)
{
    struct http_server *server = arg;
    char request[REQUEST_SIZE] = "";

    while (wait_for(server, server->listener)) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        if (read_request(server, fd, request))
            answer(server, fd, request);
        close(fd);
    }
    return NULL;
}

struct http_server *http_server_new(const struct http_behaviour *behaviour)
{
    struct http_server *server = calloc(1, sizeof *server);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;

    assert(server);
    server->behaviour = *behaviour;
    server->stop_fd = eventfd(0, EFD_CLOEXEC);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->asked, NULL);
    if (bind(server->listener, (struct sockaddr *)&address, size) < 0 ||
        listen(server->listener, 16) < 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &size) < 0 ||
        pthread_create(&server->thread, NULL, serve, server) != 0)
        abort();
    server->port = ntohs(address.sin_port);
    return server;
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    eventfd_write(server->stop_fd, 1);
    pthread_join(server->thread, NULL);
    close(server->listener);
    close(server->stop_fd);
    pthread_cond_destroy(&server->asked);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

void http_server_behave(struct http_server *server, const struct http_behaviour *behaviour)
{
    pthread_mutex_lock(&server->lock);
    server->behaviour = *behaviour;
    pthread_mutex_unlock(&server->lock);
}

const char *http_server_url(struct http_server *server, const char *name)
{
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%u/%s", server->port, name);
    return server->url;
}

unsigned http_server_requests(struct http_server *server)
{
    unsigned count;

    pthread_mutex_lock(&server->lock);
    count = server->request_count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

const char *http_server_asked(struct http_server *server, unsigned index, const char *name)
{
    pthread_mutex_lock(&server->lock);
    server->value[0] = '\0';
    if (index < server->request_count)
        header(server->requests[index], name, server->value, sizeof server->value);
    pthread_mutex_unlock(&server->lock);
    return server->value;
}

bool http_server_wait(struct http_server *server, unsigned requests)
{
    struct timespec until;
    bool came;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    pthread_mutex_lock(&server->lock);
    while (server->request_count < requests &&
           pthread_cond_timedwait(&server->asked, &server->lock, &until) == 0)
        ;
    came = server->request_count >= requests;
    pthread_mutex_unlock(&server->lock);
    return came;
}
