/* api/request.h - one HTTP request: what was asked, who asks, and its one answer.
 *
 *   NEW --head read--> BODY --all of it--> RUNNING --reply--> ANSWERED --sent--> freed
 *                        \--refused: body is read and dropped--/
 *
 * While RUNNING without an answer the connection is suspended, and the client's leaving is not
 * seen; whoever holds the request answers it exactly once, with one of the reply functions. */
#pragma once
#include "api/accept.h"
#include "api/failure.h"
#include "api/resource.h"
#include "api/router.h"
#include "api/user.h"
#include "base/str.h"
#include <microhttpd.h>

struct api;
struct connection;
struct tunnel;
struct upload;
struct watch;

enum http_method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OTHER
};

enum request_stage { STAGE_NEW, STAGE_BODY, STAGE_RUNNING, STAGE_ANSWERED, STAGE_SENT };

/* Borrowed from libmicrohttpd for as long as the request lives; NULL when absent. */
struct request_headers {
    const char *accept, *authorization, *content_type, *content_length, *expect, *host,
        *if_none_match, *origin, *transfer_encoding, *upgrade, *user_agent;
    const char *websocket_key, *websocket_protocol, *websocket_version;
    const char *impersonate_user;
    unsigned host_count, content_length_count;
    bool is_malformed;          /* a name is no token, or a control character in a value */
    json_t *impersonate_groups; /* owned list, or NULL */
    bool impersonates_more;     /* -Uid or -Extra-*: not supported */
};

struct request {
    struct api *api;
    struct connection *connection;
    struct MHD_Connection *mhd;
    struct request *next, **link; /* of all requests of the server */
    enum request_stage stage;
    bool suspended;
    enum http_method method;
    const char *method_text;
    char *target; /* raw, owned */
    struct url url;
    struct route route;
    struct resource *resource; /* of ROUTE_OBJECT, else NULL */
    struct request_headers headers;
    struct user *user; /* NULL: nobody */
    char *impersonator; /* owned; who acts as 'user', or NULL */
    const char *verb;  /* "get", "list", ...; static; NULL for no resource */
    bool is_dry_run;
    bool must_close;   /* the connection is of no use after the answer */
    int64_t body_size; /* announced; -1: unknown */
    struct buf body;
    struct upload *upload;         /* the body goes there instead */
    bool upload_done;              /* that ended before the body did */
    int64_t body_received;         /* by the upload */
    bool body_dropped;             /* already refused: what still comes is thrown away */
    struct buf warnings;           /* texts, each NUL-terminated */
    struct MHD_Response *response; /* owned until it is queued */
    unsigned http_status;
    struct watch *watch;   /* when the answer is a watch */
    struct tunnel *tunnel; /* when it is an upgrade that has not begun yet */
    char *object_name;     /* owned; of a created object, for the audit */
    bool audited;
    void *held; /* of whoever runs the request (an api_call); see request_cut */
    void (*cut)(struct request *request); /* the server stops: let go of 'held' */
};

/* --- for verbs --- */

/* The body as JSON (protobuf of the known kinds included); '*ret_body' is NULL when it is empty.
 * 'media' NULL checks the Content-Type for what a write may have. */
int request_json(struct request *request, json_t **ret_body, struct failure *failure);
/* Whether the media type (without parameters) of the Content-Type is 'type'. */
bool request_has_type(const struct request *request, const char *type);
const char *request_option(const struct request *request, const char *name);
/* Adds a "Warning: 299" header to the answer. At most 32 of 1 KiB each. */
void request_warn(struct request *request, const char *text);

/* --- answering: each once, now or later --- */

void reply_json(struct request *request, unsigned http_status, json_t *take_value);
void reply_text(struct request *request, unsigned http_status, const char *content_type,
                char *take_text, size_t size);
/* The stored bytes as they are. Takes its own reference. */
void reply_record(struct request *request, unsigned http_status, const struct record *record);
void reply_failure(struct request *request, const struct failure *failure);
void reply_error(struct request *request, const struct err *err);
/* Any response; consumed. */
void reply_response(struct request *request, unsigned http_status,
                    struct MHD_Response *take_response);
/* A JSON document with an ETag, answered 304 when the client has it. 'content_type' NULL: JSON. */
struct document {
    const char *content_type;
    const char *bytes; /* must outlive the server's last request */
    size_t size;
    char etag[48];
};
void reply_document(struct request *request, const struct document *document);

/* --- life, for server.c --- */

struct request *request_new(struct api *api, struct MHD_Connection *mhd, const char *target);
void request_free(struct request *request);
void request_read_headers(struct request *request);
/* Queues the answer; MHD_NO cuts the connection. */
enum MHD_Result request_send(struct request *request);
