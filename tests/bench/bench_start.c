/* tests/bench/bench_start.c - from a request to its effect in the status, over the unix socket.
 *
 *   bench_start SOCKET run BODY-FILE NAME...     creates Instances, all at once, each with its
 *                                                name for "NAME" in the body, and for "NUMBER" its
 *                                                place: 01, 02, ...
 *   bench_start SOCKET pause NAME ROUNDS         pauses and resumes a running one
 *
 * A watch is open beforehand. "run" prints "asked SECONDS", the wall clock before the first request,
 * and for each instance "NAME accepted MS running MS" from its request to the answer and to the
 * event that shows it running. "pause" prints "pause MS resume MS accepted MS MS" a round, from the
 * requests to the events that show the phase, and to the answers. Everything is in namespace
 * default. */
#include "base/files.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BODY_SIZE_MAX = 64 * 1024, NAMES_MAX = 64, WAIT_MS = 60 * 1000, PIECE_SIZE = 64 * 1024 };

#define INSTANCES "/apis/virga.dev/v1/namespaces/default/instances"

struct stream {
    int fd;
    struct buf text; /* what has come and is not looked at yet */
};

struct started {
    const char *name;
    int fd;
    double asked_ms, accepted_ms, running_ms; /* 0: not yet */
};

_Noreturn static void fail(const char *what, const char *why)
{
    fprintf(stderr, "bench_start: %s: %s\n", what, why ? why : strerror(errno));
    exit(1);
}

static double now_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static double monotonic_ms(void) { return now_ms(CLOCK_MONOTONIC); }

static int dial(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof address.sun_path)
        fail(path, "is too long");
    strcpy(address.sun_path, path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail(path, NULL);
    return fd;
}

static void send_request(int fd, const char *head, const char *type, const char *body)
{
    auto_free char *text = str_printf("%s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\n"
                                      "Content-Length: %zu\r\n\r\n%s",
                                      head, type, strlen(body), body);
    struct err err;

    if (write_all(fd, text, strlen(text), &err) < 0)
        fail("request", err.text);
}

/* Reads an answer whole, whose body has a Content-Length. */
static void read_answer(int fd)
{
    auto_buf struct buf text = { 0 };
    char piece[4096];
    const char *body = NULL, *length;

    do {
        ssize_t size = read(fd, piece, sizeof piece);

        if (size <= 0)
            fail("answer", size ? NULL : "the server closed");
        buf_add(&text, piece, (size_t)size);
        body = strstr(text.bytes, "\r\n\r\n");
        length = strcasestr(text.bytes, "\r\nContent-Length:");
    } while (!body || !length ||
             text.size - (size_t)(body + 4 - text.bytes) < strtoul(length + 17, NULL, 10));
    if (text.bytes[9] != '2')
        fail("refused", text.bytes);
}

/* --- the watch --- */

static struct stream watch_open(const char *socket_path)
{
    struct stream stream = { .fd = dial(socket_path) };
    char piece[4096];

    send_request(stream.fd, "GET " INSTANCES "?watch=1", "application/json", "");
    /* Its head comes at once, whatever events follow. */
    if (read(stream.fd, piece, sizeof piece) < 12 || strncmp(piece, "HTTP/1.1 200", 12) != 0)
        fail("watch", "refused");
    return stream;
}

static void stream_fill(struct stream *stream)
{
    char piece[PIECE_SIZE];
    ssize_t size = read(stream->fd, piece, sizeof piece);

    if (size <= 0)
        fail("watch", size ? NULL : "the server closed");
    buf_add(&stream->text, piece, (size_t)size);
}

/* The next event that is whole, owned; NULL when none is. The sizes of chunks stand on lines of
 * their own, which no event is. */
static json_t *next_event(struct stream *stream)
{
    for (;;) {
        char *end = stream->text.size ? memchr(stream->text.bytes, '\n', stream->text.size) : NULL;
        size_t size = end ? (size_t)(end - stream->text.bytes) : 0;
        json_t *event = NULL;
        struct err err;

        if (!end)
            return NULL;
        if (stream->text.bytes[0] == '{')
            event = json_parse(stream->text.bytes, size, &err);
        buf_drop_front(&stream->text, size + 1);
        if (event)
            return event;
    }
}

static bool shows(const json_t *event, const char *name, const char *phase)
{
    return str_equal(json_text_at(event, "object.metadata.name", ""), name) &&
           str_equal(json_text_at(event, "object.status.phase", ""), phase);
}

/* --- run --- */

static char *replace_all(const char *text, const char *what, const char *with)
{
    struct buf out = { 0 };
    const char *found;

    for (; (found = strstr(text, what)); text = found + strlen(what)) {
        buf_add(&out, text, (size_t)(found - text));
        buf_add_text(&out, with);
    }
    buf_add_text(&out, text);
    return buf_take(&out);
}

static void ask_all(struct started *started, unsigned count, const char *body)
{
    printf("asked %.6f\n", now_ms(CLOCK_REALTIME) / 1e3);
    fflush(stdout);
    for (unsigned i = 0; i < count; i++) {
        auto_free char *number = str_printf("%02u", i + 1);
        auto_free char *named = replace_all(body, "NAME", started[i].name);
        auto_free char *text = replace_all(named, "NUMBER", number);

        started[i].asked_ms = monotonic_ms();
        send_request(started[i].fd, "POST " INSTANCES, "application/json", text);
    }
}

static void look_at_events(struct stream *watch, struct started *started, unsigned count)
{
    json_t *event;

    stream_fill(watch);
    while ((event = next_event(watch))) {
        for (unsigned i = 0; i < count; i++)
            if (!started[i].running_ms && shows(event, started[i].name, "Running"))
                started[i].running_ms = monotonic_ms();
        json_decref(event);
    }
}

static bool all_run(const struct started *started, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!started[i].running_ms || !started[i].accepted_ms)
            return false;
    return true;
}

static void await_all(struct stream *watch, struct started *started, unsigned count)
{
    struct pollfd pollers[NAMES_MAX + 1];

    while (!all_run(started, count)) {
        for (unsigned i = 0; i < count; i++)
            pollers[i] = (struct pollfd){ .fd = started[i].accepted_ms ? -1 : started[i].fd,
                                          .events = POLLIN };
        pollers[count] = (struct pollfd){ .fd = watch->fd, .events = POLLIN };
        if (poll(pollers, count + 1, WAIT_MS) <= 0)
            fail("start", "nothing happened for a minute");
        for (unsigned i = 0; i < count; i++) {
            if (!pollers[i].revents)
                continue;
            read_answer(started[i].fd);
            started[i].accepted_ms = monotonic_ms();
        }
        if (pollers[count].revents)
            look_at_events(watch, started, count);
    }
}

static void run(const char *socket_path, const char *body_path, char **names, unsigned count)
{
    static struct started started[NAMES_MAX];
    struct stream watch = watch_open(socket_path);
    auto_buf struct buf body = { 0 };
    struct err err;

    if (file_read(body_path, BODY_SIZE_MAX, &body, &err) < 0)
        fail("body", err.text);
    for (unsigned i = 0; i < count; i++)
        started[i] = (struct started){ .name = names[i], .fd = dial(socket_path) };
    ask_all(started, count, body.bytes);
    await_all(&watch, started, count);
    for (unsigned i = 0; i < count; i++)
        printf("%s accepted %.2f running %.2f\n", started[i].name,
               started[i].accepted_ms - started[i].asked_ms,
               started[i].running_ms - started[i].asked_ms);
    buf_done(&watch.text);
}

/* --- pause --- */

struct changed {
    double accepted_ms, shown_ms; /* since the request; 0: not yet */
};

static void look_for_phase(struct stream *watch, const char *name, const char *phase, double asked_ms,
                           struct changed *changed)
{
    json_t *event;

    stream_fill(watch);
    while ((event = next_event(watch))) {
        if (!changed->shown_ms && shows(event, name, phase))
            changed->shown_ms = monotonic_ms() - asked_ms;
        json_decref(event);
    }
}

static struct changed change(struct stream *watch, int fd, const char *name, const char *phase)
{
    auto_free char *head = str_printf("PATCH " INSTANCES "/%s", name);
    auto_free char *body = str_printf("{\"spec\":{\"powerState\":\"%s\"}}", phase);
    struct changed changed = { 0 };
    double asked_ms = monotonic_ms();

    send_request(fd, head, "application/merge-patch+json", body);
    while (!changed.accepted_ms || !changed.shown_ms) {
        struct pollfd pollers[] = { { .fd = changed.accepted_ms ? -1 : fd, .events = POLLIN },
                                    { .fd = watch->fd, .events = POLLIN } };

        if (poll(pollers, 2, WAIT_MS) <= 0)
            fail(phase, "nothing happened for a minute");
        if (pollers[0].revents) {
            changed.accepted_ms = monotonic_ms() - asked_ms;
            read_answer(fd);
        }
        if (pollers[1].revents)
            look_for_phase(watch, name, phase, asked_ms, &changed);
    }
    return changed;
}

static void pause_and_resume(const char *socket_path, const char *name, unsigned rounds)
{
    struct stream watch = watch_open(socket_path);
    int fd = dial(socket_path);

    for (unsigned i = 0; i < rounds; i++) {
        struct changed paused = change(&watch, fd, name, "Paused");
        struct changed resumed = change(&watch, fd, name, "Running");

        printf("pause %.2f resume %.2f accepted %.2f %.2f\n", paused.shown_ms, resumed.shown_ms,
               paused.accepted_ms, resumed.accepted_ms);
    }
    buf_done(&watch.text);
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc >= 5 && argc - 4 <= NAMES_MAX && str_equal(argv[2], "run"))
        run(argv[1], argv[3], argv + 4, (unsigned)argc - 4);
    else if (argc == 5 && str_equal(argv[2], "pause"))
        pause_and_resume(argv[1], argv[3], (unsigned)strtoul(argv[4], NULL, 10));
    else {
        fprintf(stderr, "usage: bench_start SOCKET run BODY-FILE NAME... | pause NAME ROUNDS\n");
        return 2;
    }
    return 0;
}
