/* tests/bench/bench_watches.c - many idle watches over TLS, then a burst of events to all of them.
 *
 *   bench_watches PORT TLS-DIR COUNT PATH
 *
 * Prints "open" when all streams are there; for each line "wait N" on standard input waits until
 * every stream has brought N further events and prints "got MILLISECONDS"; ends with its input. */
#include "tls.h"
#include "base/mem.h"
#include "base/str.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_SIZE = 16 * 1024, WAIT_MS = 30 * 1000 };

struct stream {
    int fd;
    gnutls_session_t session;
    unsigned events; /* lines seen */
    char last;       /* byte before */
};

static void open_stream(struct stream *stream, unsigned port, const char *path,
                        gnutls_certificate_credentials_t credentials)
{
    auto_free char *request = str_printf("GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
    struct pollfd poller;
    char answer[4096];
    ssize_t size;

    stream->session = bench_connect(port, credentials, &stream->fd);
    bench_send(stream->session, stream->fd, request, strlen(request));
    poller = (struct pollfd){ .fd = stream->fd, .events = POLLIN };
    while ((size = gnutls_record_recv(stream->session, answer, sizeof answer)) == GNUTLS_E_AGAIN)
        (void)poll(&poller, 1, WAIT_MS);
    if (size < 12 || strncmp(answer, "HTTP/1.1 200", 12) != 0)
        bench_fail("watch", "refused");
}

/* An event ends with "}" and a newline; chunks are framed by other lines. */
static void read_events(struct stream *stream)
{
    char bytes[PIECE_SIZE];
    ssize_t size;

    while ((size = gnutls_record_recv(stream->session, bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < size; i++) {
            stream->events += bytes[i] == '\n' && stream->last == '}';
            stream->last = bytes[i];
        }
    }
    if (size != GNUTLS_E_AGAIN)
        bench_fail("watch", size ? gnutls_strerror((int)size) : "the server closed");
}

static bool all_have(const struct stream *streams, size_t count, unsigned wanted)
{
    for (size_t i = 0; i < count; i++)
        if (streams[i].events < wanted)
            return false;
    return true;
}

static void wait_for(struct stream *streams, struct pollfd *pollers, size_t count, unsigned wanted)
{
    double begin_s = bench_now_s();

    while (!all_have(streams, count, wanted)) {
        if (poll(pollers, count, WAIT_MS) <= 0)
            bench_fail("watch", "no events");
        for (size_t i = 0; i < count; i++)
            if (pollers[i].revents)
                read_events(&streams[i]);
    }
    printf("got %.0f\n", (bench_now_s() - begin_s) * 1e3);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    gnutls_certificate_credentials_t credentials;
    char line[64];
    unsigned wanted = 0;

    if (argc != 5) {
        fprintf(stderr, "usage: bench_watches PORT TLS-DIR COUNT PATH\n");
        return 2;
    }
    bench_raise_limit();
    credentials = bench_client_credentials(argv[2]);
    size_t count = strtoul(argv[3], NULL, 10);
    struct stream *streams = mem_array(count, sizeof *streams);
    struct pollfd *pollers = mem_array(count, sizeof *pollers);
    memset(streams, 0, count * sizeof *streams);
    for (size_t i = 0; i < count; i++) {
        open_stream(&streams[i], (unsigned)strtoul(argv[1], NULL, 10), argv[4], credentials);
        pollers[i] = (struct pollfd){ .fd = streams[i].fd, .events = POLLIN };
    }
    printf("open\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        if (strncmp(line, "wait ", 5) == 0)
            wait_for(streams, pollers, count, wanted += (unsigned)strtoul(line + 5, NULL, 10));
    return 0;
}
