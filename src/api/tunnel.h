/* api/tunnel.h - WebSockets: a descriptor's bytes both ways, or a watch one event per frame. */
#pragma once
#include "api/request.h"

struct tunnel;
struct watch;

enum {
    /* libmicrohttpd 0.9.75 loses its way with messages of a megabyte over TLS; small ones pass. */
    TUNNEL_FRAME_MAX = 16 * 1024,
    TUNNEL_BACKLOG_MAX = 256 * 1024, /* per direction, before the sender is not read any more */
};

/* Whether the request asks for an upgrade to a WebSocket. */
bool tunnel_is_asked_for(const struct request *request);

/* Each answers the request with the upgrade, or refuses a malformed or foreign handshake. */
void tunnel_stream(struct request *request, int take_fd);
void tunnel_watch(struct request *request, struct watch *take_watch);

/* For server.c: the request ended before its upgrade; the server stops. */
void tunnel_gone(struct tunnel *tunnel);
void tunnels_close(struct api *api);
