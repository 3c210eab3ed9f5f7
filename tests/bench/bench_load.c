/* tests/bench/bench_load.c - asks an HTTPS server again and again over connections that stay open.
 *
 *   bench_load PORT TLS-DIR CONNECTIONS COUNT METHOD PATH [BODY-FILE]
 *
 * COUNT requests over all connections, one at a time on each; or COUNT as "5s" for a time. Prints
 * one line of "name=value": requests, seconds, rate, p50_us, p99_us, bytes (of the last body), cpu_s
 * (its own processor time) and refused (answers that are no 2xx). */
#include "tls.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <time.h>

enum {
    HEAD_SIZE_MAX = 8192,
    CHUNK_SIZE = 64 * 1024,
    LATENCIES_MAX = 1 << 22,
    EVENTS_MAX = 256,
    WAIT_MS = 60 * 1000
};

struct link {
    int fd;
    gnutls_session_t session;
    char head[HEAD_SIZE_MAX + 1];
    size_t head_size;
    bool in_body, is_chunked;
    size_t body_left;  /* with Content-Length */
    size_t body_size;
    char tail[6];      /* the last 5 bytes of a chunked body */
    double asked_s;
};

struct load {
    char *request;
    size_t request_size;
    struct link *links;
    unsigned link_count;
    unsigned long asked, answered, refused, count_max; /* 0: until 'end_s' */
    double end_s;
    size_t body_size;
    float *latencies_us;
};

static void ask(struct load *load, struct link *link)
{
    link->head_size = 0;
    link->body_size = 0;
    link->in_body = false;
    link->asked_s = bench_now_s();
    load->asked++;
    bench_send(link->session, link->fd, load->request, load->request_size);
}

static bool wants_more(const struct load *load)
{
    return load->count_max ? load->asked < load->count_max : bench_now_s() < load->end_s;
}

static void complete(struct load *load, struct link *link)
{
    if (load->answered < LATENCIES_MAX)
        load->latencies_us[load->answered] = (float)((bench_now_s() - link->asked_s) * 1e6);
    load->answered++;
    load->refused += link->head[9] != '2';
    load->body_size = link->body_size;
    if (wants_more(load))
        ask(load, link);
}

/* The value of a header in the head, or NULL. */
static const char *header(const char *head, const char *name)
{
    const char *at = strcasestr(head, name);

    return at ? at + strlen(name) : NULL;
}

static void begin_body(struct link *link)
{
    const char *length = header(link->head, "\r\ncontent-length:");

    link->in_body = true;
    link->is_chunked = !length;
    link->body_left = length ? strtoul(length, NULL, 10) : 0;
    memset(link->tail, 0, sizeof link->tail);
}

/* Keeps the last five bytes: a chunked body ends with an empty chunk. */
static bool chunks_end(struct link *link, const char *bytes, size_t size)
{
    if (size >= 5) {
        memcpy(link->tail, bytes + size - 5, 5);
    } else {
        memmove(link->tail, link->tail + size, 5 - size);
        memcpy(link->tail + 5 - size, bytes, size);
    }
    return memcmp(link->tail, "0\r\n\r\n", 5) == 0;
}

static bool take_body(struct link *link, const char *bytes, size_t size)
{
    link->body_size += size;
    if (link->is_chunked)
        return chunks_end(link, bytes, size);
    if (size > link->body_left)
        bench_fail("answer", "longer than its Content-Length");
    link->body_left -= size;
    return link->body_left == 0;
}

/* True when the answer is complete. */
static bool take(struct link *link, const char *bytes, size_t size)
{
    size_t old_size = link->head_size, kept;
    const char *end;

    if (link->in_body)
        return take_body(link, bytes, size);
    kept = size < HEAD_SIZE_MAX - old_size ? size : HEAD_SIZE_MAX - old_size;
    memcpy(link->head + old_size, bytes, kept);
    link->head_size += kept;
    link->head[link->head_size] = 0;
    end = strstr(link->head, "\r\n\r\n");
    if (!end && link->head_size == HEAD_SIZE_MAX)
        bench_fail("answer", "its head is too long");
    if (!end)
        return false;
    size_t used = (size_t)(end + 4 - link->head) - old_size;
    begin_body(link);
    return take_body(link, bytes + used, size - used);
}

static void read_answer(struct load *load, struct link *link)
{
    static char bytes[CHUNK_SIZE];

    for (;;) {
        ssize_t size = gnutls_record_recv(link->session, bytes, sizeof bytes);

        if (size == GNUTLS_E_AGAIN || size == GNUTLS_E_INTERRUPTED)
            return;
        if (size <= 0)
            bench_fail("answer", size ? gnutls_strerror((int)size) : "the server closed");
        if (take(link, bytes, (size_t)size)) {
            complete(load, link);
            return;
        }
        if (!gnutls_record_check_pending(link->session) && size < 16384)
            return;
    }
}

static void run(struct load *load)
{
    struct epoll_event events[EVENTS_MAX];
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    for (unsigned i = 0; i < load->link_count; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &load->links[i] };

        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, load->links[i].fd, &event) < 0)
            bench_fail("epoll", NULL);
        if (wants_more(load))
            ask(load, &load->links[i]);
    }
    while (load->answered < load->asked) {
        int count = epoll_wait(epoll_fd, events, EVENTS_MAX, WAIT_MS);

        if (count <= 0)
            bench_fail("answer", "none came for a minute");
        for (int i = 0; i < count; i++)
            read_answer(load, events[i].data.ptr);
    }
}

/* --- the beginning and the end --- */

static void make_request(struct load *load, const char *method, const char *path,
                         const char *body_path)
{
    auto_buf struct buf body = { 0 };
    struct err err;

    if (body_path && file_read(body_path, 1 << 20, &body, &err) < 0)
        bench_fail("body", err.text);
    load->request = str_printf("%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                               "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                               method, path, body.size, body.size ? body.bytes : "");
    load->request_size = strlen(load->request);
}

static void connect_all(struct load *load, unsigned port, const char *tls_dir)
{
    gnutls_certificate_credentials_t credentials = bench_client_credentials(tls_dir);

    load->links = mem_array(load->link_count, sizeof load->links[0]);
    memset(load->links, 0, load->link_count * sizeof load->links[0]);
    for (unsigned i = 0; i < load->link_count; i++)
        load->links[i].session = bench_connect(port, credentials, &load->links[i].fd);
}

static void set_amount(struct load *load, const char *text)
{
    unsigned long amount = strtoul(text, NULL, 10);

    if (str_ends(text, "s"))
        load->end_s = bench_now_s() + (double)amount;
    else
        load->count_max = amount;
}

static int compare(const void *a, const void *b)
{
    float left = *(const float *)a, right = *(const float *)b;

    return (left > right) - (left < right);
}

static void report(struct load *load, double took_s)
{
    unsigned long count = load->answered < LATENCIES_MAX ? load->answered : LATENCIES_MAX;
    struct timespec cpu;

    if (count == 0)
        bench_fail("answer", "none");
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    qsort(load->latencies_us, count, sizeof(float), compare);
    printf("requests=%lu seconds=%.3f rate=%.0f p50_us=%.0f p99_us=%.0f min_us=%.0f bytes=%zu "
           "cpu_s=%.2f refused=%lu\n",
           load->answered, took_s, (double)load->answered / took_s,
           (double)load->latencies_us[count / 2], (double)load->latencies_us[count * 99 / 100],
           (double)load->latencies_us[0], load->body_size,
           (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9, load->refused);
}

int main(int argc, char **argv)
{
    struct load load = { 0 };
    double begin_s;

    if (argc < 7 || argc > 8) {
        fprintf(stderr, "usage: bench_load PORT TLS-DIR CONNECTIONS COUNT METHOD PATH [BODY-FILE]\n");
        return 2;
    }
    bench_raise_limit();
    load.link_count = (unsigned)strtoul(argv[3], NULL, 10);
    load.latencies_us = mem_array(LATENCIES_MAX, sizeof(float));
    make_request(&load, argv[5], argv[6], argv[7]);
    connect_all(&load, (unsigned)strtoul(argv[1], NULL, 10), argv[2]);
    set_amount(&load, argv[4]);
    begin_s = bench_now_s();
    run(&load);
    report(&load, bench_now_s() - begin_s);
    return load.refused > 0;
}
