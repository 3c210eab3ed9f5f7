/* client/websocket.h - a WebSocket of the API, whose binary messages carry a stream's bytes.
 *
 *     CONNECTED --"Upgrade"--> OPEN --close frame or lost--> ENDED
 *                   \--other status--> error of client_send()
 *
 * An empty binary message of ours says that our side writes no more; the stream's other end then
 * sees its end of file, while what it still sends comes through. */
#pragma once
#include "client/client.h"

enum {
    WEBSOCKET_MESSAGE_MAX = 64 * 1024,  /* of ours; theirs come in pieces of any size */
    WEBSOCKET_BACKLOG_MAX = 256 * 1024, /* per direction, before the sender is not read any more */
};

struct websocket;

/* On a connection of its own, so that the client stays free for requests.
 * ERR_UNAVAILABLE also when what answers speaks no WebSocket. */
int websocket_open(struct client *client, const char *path, struct websocket **ret_websocket,
                   struct err *err);
void websocket_free(struct websocket *websocket);
DEFINE_AUTO(struct websocket, websocket_free)

/* Looks at what was read before it is sent, and may change it and its size. False ends the relay. */
typedef bool websocket_filter_fn(void *arg, char *bytes, size_t *size);

struct websocket_relay {
    int in_fd;                   /* what is read from it is sent */
    int out_fd;                  /* what comes is written there; may be in_fd when that is a socket */
    enum websocket_input_end {
        INPUT_END_IS_TOLD,       /* the stream's other end sees its end of file */
        INPUT_END_ENDS,          /* all is over */
        INPUT_END_IS_IGNORED,    /* what comes still comes */
    } input_end;                 /* what the end of 'in_fd' means */
    websocket_filter_fn *filter; /* or NULL */
    void *filter_arg;
};
/* Carries bytes both ways until the other side closes, the filter says so, or 'out_fd' takes no
 * more. Blocks. Fails when the connection broke. */
int websocket_relay(struct websocket *websocket, const struct websocket_relay *relay,
                    struct err *err);
