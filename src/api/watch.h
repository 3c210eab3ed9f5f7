/* api/watch.h - changes of a collection as a stream of events.
 *
 * A watch pulls: the connection is suspended while there is nothing to send, and events wait in a
 * short queue of references to stored records. When a client is so slow that the queue is full,
 * nothing more is queued; once it has caught up the watch resumes from the last revision it saw,
 * as a new watch would. So a stuck client costs a bounded amount, and loses nothing. */
#pragma once
#include "api/request.h"

enum {
    WATCH_QUEUE_MAX = 256,
    WATCH_BOOKMARK_MS = 60 * 1000,
    WATCH_SETTLE_MS = 1000,                /* a revision this old has been told to every watch */
    WATCH_TIMEOUT_MIN_MS = 30 * 60 * 1000, /* without timeoutSeconds: 30 to 60 minutes */
};

/* Answers a GET with ?watch: 200 and the stream, or a WebSocket with one event per frame. */
void watch_run(struct request *request);

/* For server.c: the request is over; all watches end; the last is gone. */
void watch_gone(struct watch *watch);
void watch_stop(struct watch *watch);
void watches_done(struct api *api);

/* For tunnel.c: the next events as text, "" when there are none now; false at the end. */
bool watch_read(struct watch *watch, struct buf *to);
/* Called whenever watch_read() has something again; for WebSockets. */
void watch_on_ready(struct watch *watch, void (*fn)(void *arg), void *arg);
void watch_free(struct watch *watch);
