/* tests/support/web.h - HTTP servers and their clients, for tests of what stands between them.
 *
 * A server is one thread with keep-alive, which answers every request with its name. A load is some
 * threads that ask as fast as they are answered and count what went wrong: an answer that is not
 * 200, a connection refused, broken, or ended where the answer before did not announce it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct web_server;
/* On 127.0.0.1, port 0: any free one. NULL when the port is taken. */
struct web_server *web_server_new(const char *name, uint16_t port);
void web_server_free(struct web_server *server); /* connections break; NULL is fine */
uint16_t web_server_port(const struct web_server *server);
uint64_t web_server_requests(const struct web_server *server);
/* From now on each answer takes so long. */
void web_server_slow(struct web_server *server, unsigned answer_ms);
/* So many of the next requests are answered by closing the connection. */
void web_server_hang_up(struct web_server *server, unsigned requests);
/* Health of "/health": 200 or 503. */
void web_server_set_healthy(struct web_server *server, bool is_healthy);
/* Connections that are open now. */
unsigned web_server_connections(const struct web_server *server);

struct web_load {
    uint16_t port;
    unsigned clients;
    bool keep_alive; /* else one connection for each request */
    const char *path;
};
struct web_running;
struct web_running *web_load_start(const struct web_load *load);
uint64_t web_load_answers(const struct web_running *running); /* so far */
/* Waits until so many answers have come since now; false after half a minute. */
bool web_load_wait(const struct web_running *running, uint64_t answers);
struct web_result {
    uint64_t answers, failures;
    char first_failure[160];
    double seconds;
};
struct web_result web_load_stop(struct web_running *running);

/* One request on a connection of its own. Returns the status, or -1; the body, cut, is in 'body'.
 */
struct web_request {
    uint16_t port;
    const char *path, *host, *header; /* header: NULL or "Name: value\r\n" */
};
int web_get(const struct web_request *request, char *body, unsigned size);
/* The same with all headers before the body. */
int web_get_whole(const struct web_request *request, char *text, unsigned size);
