/* tests/support/http_server.h - a small HTTP server on loopback that misbehaves as told.
 *
 * One thread, one connection at a time. It serves one body under every path, with Range and
 * If-Range, and keeps what it was asked. Set its behaviour before the requests it is for. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_server;

struct http_behaviour {
    const void *body;
    size_t size;
    const char *etag;          /* with its quotes; NULL: none */
    const char *last_modified; /* NULL: none */
    int status;                /* 0: 200 or 206 */
    const char *location;      /* with a status of 3xx */
    size_t cut_after;          /* body bytes of each answer before the connection ends; 0: all */
    unsigned cut_count;        /* so many answers are cut */
    unsigned fail_count;       /* so many requests are answered with 'fail_status' first */
    int fail_status;           /* 0: the connection is closed without an answer */
    bool without_ranges;       /* always 200 and the whole */
    bool without_length;       /* ends with the connection */
    bool hangs;                /* sends 'cut_after' bytes, then nothing, until stopped or cut off */
};

struct http_server *http_server_new(const struct http_behaviour *behaviour);
void http_server_free(struct http_server *server);
void http_server_behave(struct http_server *server, const struct http_behaviour *behaviour);

/* "http://127.0.0.1:PORT/NAME", valid until the next call. */
const char *http_server_url(struct http_server *server, const char *name);

unsigned http_server_requests(struct http_server *server);
/* Value of a header of request 'index' (0: the first), "" when absent. Owned by the server. */
const char *http_server_asked(struct http_server *server, unsigned index, const char *header);
/* Waits until so many requests have come; false after ten seconds. */
bool http_server_wait(struct http_server *server, unsigned requests);
