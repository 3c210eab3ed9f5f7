/* client/client.h - requests to the Virga API, one at a time, on libcurl. Blocking. */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "kinds/kind.h"
#include <stdint.h>

#define CLIENT_SOCKET_DEFAULT "/run/virga/api.sock"
#define CLIENT_TABLE "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

enum { CLIENT_ANSWER_MAX = 64 * 1024 * 1024 };

struct client;

/* Where the server is. Without 'server' it is the unix socket 'socket'. All are copied. */
struct client_settings {
    const char *socket;            /* path; NULL: CLIENT_SOCKET_DEFAULT */
    const char *server;            /* "https://host:port", or NULL */
    const char *ca, *cert, *key;   /* PEM files, or NULL */
    const char *token;             /* bearer token, or NULL */
};

/* A piece of an answer's body; false ends the request, which then has succeeded. */
typedef bool client_take_fn(void *arg, const char *bytes, size_t size);
/* How much of the body has been sent. */
typedef void client_progress_fn(void *arg, int64_t sent_bytes);
/* Called about once a second for as long as the request lasts; false ends it as 'take' does. */
typedef bool client_tick_fn(void *arg);

struct client_request {
    const char *method;           /* NULL: GET */
    const char *path;             /* with its query */
    const char *accept;           /* NULL: application/json */
    const char *content_type;     /* of the body; NULL: application/json */
    const json_t *body;           /* or NULL */
    bool body_from_fd;            /* the body is what can be read from 'body_fd' */
    int body_fd;
    int64_t body_size;            /* bytes to send from 'body_fd'; -1: until its end */
    client_take_fn *take;         /* gets the body of a good answer, or NULL: it is JSON */
    void *take_arg;
    client_progress_fn *progress; /* or NULL */
    void *progress_arg;
    client_tick_fn *tick;         /* or NULL */
    void *tick_arg;
    int64_t timeout_ms;           /* 0: none */
};

/* ERR_BAD_REQUEST: 'server' is no https:// address. */
int client_open(const struct client_settings *settings, struct client **ret_client, struct err *err);
void client_free(struct client *client);
DEFINE_AUTO(struct client, client_free)

/* Sends and waits for the answer. 'ret_answer' (may be NULL) is the JSON of a good answer, the
 * caller's. A Status of failure becomes an error of its code with its message.
 * ERR_UNAVAILABLE, ERR_FORBIDDEN: the server cannot be reached. ERR_TIMEOUT: 'timeout_ms'. */
int client_send(struct client *client, const struct client_request *request, json_t **ret_answer,
                struct err *err);
/* HTTP status of the last answer; 0: there was none. */
int client_last_status(const struct client *client);
/* The "details" of the last request's Status, borrowed until the next request; NULL when it has
 * none or succeeded. */
const json_t *client_last_details(const struct client *client);

/* GET of a path. */
int client_get(struct client *client, const char *path, json_t **ret_answer, struct err *err);

/* "/apis/virga.dev/v1/namespaces/NS/instances/NAME/SUB"; 'namespace_name' is left out for kinds
 * without one and when NULL (all namespaces), 'name' and 'sub' when NULL. Owned. */
char *client_path(const struct kind *kind, const char *namespace_name, const char *name,
                  const char *sub);
/* Whether each step of the path says something. Without a name an object's path is that of all of its kind,
 * and with ".." that of what they lie in: a request to delete one would delete them all. Every request is
 * checked. */
int client_path_check(const char *path, struct err *err);
/* Adds ?KEY=VALUE or &KEY=VALUE, the value percent-encoded, to an owned path. */
void client_path_option(char **path, const char *key, const char *value);

/* One event of a watch; the object is borrowed. False ends the watch. */
typedef bool client_event_fn(void *arg, const char *type, const json_t *object);

struct client_watch {
    const char *path;     /* with watch=1 in it */
    const char *accept;   /* NULL: application/json */
    int64_t timeout_ms;   /* 0: none */
    client_event_fn *event;
    client_tick_fn *tick; /* or NULL; false ends the watch */
    void *arg;            /* of both */
    int64_t *version;     /* or NULL: set to the highest resourceVersion that is heard of */
};
/* Follows a watch until its end, or until 'event' or 'tick' returns false, which '*ret_ended'
 * tells. An ERROR event becomes an error; ERR_COMPACTED: list and watch anew. */
int client_watch(struct client *client, const struct client_watch *watch, bool *ret_ended,
                 struct err *err);

/* Follows a watch for good: one that the server ends (each has its time-out) is begun again behind the last
 * version heard of; where the server has forgotten that one, with all that is there. Returns 0 when 'event'
 * or 'tick' returned false; -1 on an error, which a server that is gone is after 'lost_ms' only, if it has
 * answered once. Between two tries that bring nothing it waits 'pause_ms'. */
struct client_follow {
    struct client_watch watch;
    int64_t pause_ms, lost_ms;
    void (*lost)(void *arg); /* once each time that the server is gone; or NULL; 'arg' is that of the watch */
};
int client_follow(struct client *client, const struct client_follow *follow, struct err *err);
