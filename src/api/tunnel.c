/* api/tunnel.c - WebSockets on wslay.
 *
 *     client <--- socket (of libmicrohttpd) ---> wslay ---> inbound ---> fd
 *                                                      <--- frames <---  fd, or watch
 *
 * Each direction has a bounded backlog: when it is full the other end is not read any more.
 * An empty binary message of the client half-closes the stream. */
#include "api/tunnel.h"
#include "api/handshake.h"
#include "api/internal.h"
#include "api/watch.h"
#include "base/chain.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wslay/wslay.h>

struct tunnel {
    struct api *api;
    struct tunnel *next, **link;
    struct MHD_UpgradeResponseHandle *upgrade; /* NULL until the answer is sent */
    int socket;
    struct loop_source *socket_io;
    wslay_event_context_ptr frames;
    struct buf early; /* bytes that came along with the request's head */

    int fd; /* -1: a watch, or ended */
    struct loop_source *fd_io;
    struct buf inbound;       /* from the client, not yet written to 'fd' */
    struct watch *watch;      /* or NULL */
    struct loop_source *soon; /* look again from the loop */
    bool is_choked;           /* receiving stopped for want of room in 'inbound' */
    bool takes_payload;       /* the frame being received carries data */
    bool input_ended;         /* an empty binary message: the client writes no more */
    bool is_ending;           /* a close frame is queued; nothing more is sent */
};

static void pump(struct tunnel *tunnel);

/* --- life --- */

static struct tunnel *tunnel_new(struct request *request)
{
    struct tunnel *tunnel = mem_new(struct tunnel);

    *tunnel = (struct tunnel){ .api = request->api, .socket = -1, .fd = -1 };
    chain_add(&tunnel->api->tunnels, tunnel);
    return tunnel;
}

static void close_fd(struct tunnel *tunnel)
{
    loop_source_free(tunnel->fd_io);
    tunnel->fd_io = NULL;
    if (tunnel->fd >= 0)
        close(tunnel->fd);
    tunnel->fd = -1;
}

static void tunnel_free(struct tunnel *tunnel)
{
    chain_remove(tunnel);
    close_fd(tunnel);
    loop_source_free(tunnel->socket_io);
    loop_source_free(tunnel->soon);
    if (tunnel->watch)
        watch_free(tunnel->watch);
    if (tunnel->frames)
        wslay_event_context_free(tunnel->frames);
    buf_done(&tunnel->inbound);
    buf_done(&tunnel->early);
    if (tunnel->upgrade) {
        MHD_upgrade_action(tunnel->upgrade, MHD_UPGRADE_ACTION_CLOSE);
        listener_kick(&tunnel->api->listener);
    }
    free(tunnel);
}

void tunnel_gone(struct tunnel *tunnel) { tunnel_free(tunnel); }

void tunnels_close(struct api *api)
{
    while (api->tunnels)
        tunnel_free(api->tunnels);
}

/* --- wslay's callbacks --- */

static ssize_t would_block(wslay_event_context_ptr frames, ssize_t result)
{
    if (result < 0 && (errno == EAGAIN || errno == EINTR))
        wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK);
    else
        wslay_event_set_error(frames, WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t receive(wslay_event_context_ptr frames, uint8_t *to, size_t room, int flags,
                       void *arg)
{
    struct tunnel *tunnel = arg;
    ssize_t size;

    if (tunnel->early.size) {
        size = (ssize_t)(tunnel->early.size < room ? tunnel->early.size : room);
        memcpy(to, tunnel->early.bytes, (size_t)size);
        buf_drop_front(&tunnel->early, (size_t)size);
        return size;
    }
    if (tunnel->inbound.size >= TUNNEL_BACKLOG_MAX) {
        tunnel->is_choked = true;
        wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size = recv(tunnel->socket, to, room, MSG_DONTWAIT);
    return size > 0 ? size : would_block(frames, size);
}

static ssize_t transmit(wslay_event_context_ptr frames, const uint8_t *bytes, size_t size,
                        int flags, void *arg)
{
    struct tunnel *tunnel = arg;
    ssize_t sent = send(tunnel->socket, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);

    return sent >= 0 ? sent : would_block(frames, sent);
}

static bool is_data(uint8_t opcode)
{
    return opcode == WSLAY_TEXT_FRAME || opcode == WSLAY_BINARY_FRAME ||
           opcode == WSLAY_CONTINUATION_FRAME;
}

static void frame_started(wslay_event_context_ptr frames,
                          const struct wslay_event_on_frame_recv_start_arg *start, void *arg)
{
    struct tunnel *tunnel = arg;

    tunnel->takes_payload = is_data(start->opcode);
    if (start->opcode == WSLAY_BINARY_FRAME && start->fin && start->payload_length == 0)
        tunnel->input_ended = true;
}

static void payload_came(wslay_event_context_ptr frames,
                         const struct wslay_event_on_frame_recv_chunk_arg *chunk, void *arg)
{
    struct tunnel *tunnel = arg;

    if (tunnel->takes_payload && tunnel->fd >= 0)
        buf_add(&tunnel->inbound, chunk->data, chunk->data_length);
}

static wslay_event_context_ptr frames_new(struct tunnel *tunnel)
{
    static const struct wslay_event_callbacks callbacks = { .recv_callback = receive,
                                                            .send_callback = transmit,
                                                            .on_frame_recv_start_callback =
                                                                frame_started,
                                                            .on_frame_recv_chunk_callback =
                                                                payload_came };
    wslay_event_context_ptr frames;

    if (wslay_event_context_server_init(&frames, &callbacks, tunnel) != 0)
        abort();                                    /* out of memory */
    wslay_event_config_set_no_buffering(frames, 1); /* payload comes through in pieces */
    return frames;
}

/* --- from the client --- */

static void write_inbound(struct tunnel *tunnel)
{
    while (tunnel->inbound.size && tunnel->fd >= 0) {
        ssize_t written = write(tunnel->fd, tunnel->inbound.bytes, tunnel->inbound.size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno == EAGAIN)
            return;
        if (written < 0) {
            close_fd(tunnel);
            return;
        }
        buf_drop_front(&tunnel->inbound, (size_t)written);
    }
    /* The other end sees the end of file once, and may still answer. Pipes do without. */
    if (tunnel->input_ended && tunnel->fd >= 0)
        (void)shutdown(tunnel->fd, SHUT_WR);
    tunnel->input_ended = false;
}

/* --- to the client --- */

static void queue_frame(struct tunnel *tunnel, uint8_t opcode, const char *bytes, size_t size)
{
    struct wslay_event_msg message = { opcode, (const uint8_t *)bytes, size };

    wslay_event_queue_msg(tunnel->frames, &message);
}

static void begin_end(struct tunnel *tunnel)
{
    if (tunnel->is_ending)
        return;
    tunnel->is_ending = true;
    wslay_event_queue_close(tunnel->frames, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0);
}

static bool has_room(const struct tunnel *tunnel)
{
    return !tunnel->is_ending &&
           wslay_event_get_queued_msg_length(tunnel->frames) < TUNNEL_BACKLOG_MAX;
}

/* Reads 'fd' into frames until it has nothing more now, or the backlog is full. */
static void read_fd(struct tunnel *tunnel)
{
    char bytes[TUNNEL_FRAME_MAX];

    while (tunnel->fd >= 0 && has_room(tunnel)) {
        ssize_t size = read(tunnel->fd, bytes, sizeof bytes);

        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            return;
        if (size <= 0) {
            close_fd(tunnel);
            return;
        }
        queue_frame(tunnel, WSLAY_BINARY_FRAME, bytes, (size_t)size);
    }
}

/* One text frame per event; they come a line each. */
static void queue_events(struct tunnel *tunnel, const struct buf *lines)
{
    for (size_t at = 0; at < lines->size;) {
        const char *end = memchr(lines->bytes + at, '\n', lines->size - at);
        size_t size = end ? (size_t)(end - (lines->bytes + at)) : lines->size - at;

        queue_frame(tunnel, WSLAY_TEXT_FRAME, lines->bytes + at, size);
        at += size + 1;
    }
}

static void read_watch(struct tunnel *tunnel)
{
    auto_buf struct buf lines = { 0 };

    while (tunnel->watch && has_room(tunnel)) {
        buf_clear(&lines);
        if (!watch_read(tunnel->watch, &lines)) {
            watch_free(take_pointer(tunnel->watch));
            return;
        }
        if (!lines.size)
            return;
        queue_events(tunnel, &lines);
    }
}

/* --- turning the wheel --- */

static void pump_later(void *arg)
{
    struct tunnel *tunnel = arg;

    loop_source_free(take_pointer(tunnel->soon));
    pump(tunnel);
}

static void pump_soon(struct tunnel *tunnel)
{
    if (!tunnel->soon)
        tunnel->soon = loop_defer(tunnel->api->loop, pump_later, tunnel);
}

static void arm(struct tunnel *tunnel)
{
    bool takes_more = tunnel->inbound.size < TUNNEL_BACKLOG_MAX;
    unsigned socket_events = 0, fd_events = 0;

    if (wslay_event_want_read(tunnel->frames) && takes_more)
        socket_events |= LOOP_READ;
    if (wslay_event_want_write(tunnel->frames))
        socket_events |= LOOP_WRITE;
    loop_io_events(tunnel->socket_io, socket_events);
    /* What wslay holds back no descriptor will tell of. */
    if (tunnel->is_choked && takes_more)
        pump_soon(tunnel);
    if (!tunnel->fd_io)
        return;
    if (has_room(tunnel))
        fd_events |= LOOP_READ;
    if (tunnel->inbound.size)
        fd_events |= LOOP_WRITE;
    loop_io_events(tunnel->fd_io, fd_events);
}

static bool send_frames(struct tunnel *tunnel)
{
    return !wslay_event_want_write(tunnel->frames) || wslay_event_send(tunnel->frames) == 0;
}

/* False when the connection is beyond help. */
static bool exchange_frames(struct tunnel *tunnel)
{
    tunnel->is_choked = false;
    if (wslay_event_want_read(tunnel->frames) && wslay_event_recv(tunnel->frames) != 0)
        return false;
    write_inbound(tunnel);
    if (tunnel->watch)
        read_watch(tunnel);
    else
        read_fd(tunnel);
    if (!send_frames(tunnel))
        return false;
    /* A close frame overtakes what is queued, and nothing is sent after it. */
    if (tunnel->fd >= 0 || tunnel->watch || wslay_event_get_queued_msg_count(tunnel->frames))
        return true;
    begin_end(tunnel);
    return send_frames(tunnel);
}

static void pump(struct tunnel *tunnel)
{
    bool goes_on = exchange_frames(tunnel);

    if (!goes_on ||
        (!wslay_event_want_read(tunnel->frames) && !wslay_event_want_write(tunnel->frames)))
        tunnel_free(tunnel);
    else
        arm(tunnel);
}

static void io_ready(void *arg, int fd, unsigned events) { pump(arg); }

static void watch_ready(void *arg)
{
    struct tunnel *tunnel = arg;

    if (tunnel->upgrade)
        pump_soon(tunnel);
}

/* --- the upgrade --- */

static void upgraded(void *arg, struct MHD_Connection *mhd, void *state, const char *early,
                     size_t early_size, MHD_socket socket,
                     struct MHD_UpgradeResponseHandle *upgrade)
{
    struct tunnel *tunnel = arg;
    struct request *request = state;
    struct loop *loop = tunnel->api->loop;

    request->tunnel = NULL;
    tunnel->upgrade = upgrade;
    tunnel->socket = socket;
    tunnel->frames = frames_new(tunnel);
    buf_add(&tunnel->early, early, early_size);
    tunnel->socket_io = loop_io(loop, socket, LOOP_READ | LOOP_WRITE, io_ready, tunnel);
    if (tunnel->fd >= 0)
        tunnel->fd_io = loop_io(loop, tunnel->fd, LOOP_READ, io_ready, tunnel);
}

bool tunnel_is_asked_for(const struct request *request)
{
    return request->method == METHOD_GET && request->headers.upgrade &&
           strcasecmp(request->headers.upgrade, "websocket") == 0;
}

/* Sends the handshake; the tunnel lives from there on. */
static void upgrade(struct request *request, struct tunnel *tunnel)
{
    struct MHD_Response *response = MHD_create_response_for_upgrade(upgraded, tunnel);
    auto_free char *accept = handshake_accept(request->headers.websocket_key);
    auto_free char *protocol = handshake_protocol(request->headers.websocket_protocol);

    MHD_add_response_header(response, "Upgrade", "websocket");
    MHD_add_response_header(response, "Sec-WebSocket-Accept", accept);
    if (protocol)
        MHD_add_response_header(response, "Sec-WebSocket-Protocol", protocol);
    request->tunnel = tunnel;
    request->connection->is_upgraded = true;
    reply_response(request, 101, response);
}

void tunnel_stream(struct request *request, int take_fd)
{
    struct tunnel *tunnel;
    struct err err;

    if (handshake_check(&request->headers, &err) < 0) {
        close(take_fd);
        reply_error(request, &err);
        return;
    }
    tunnel = tunnel_new(request);
    tunnel->fd = take_fd;
    fcntl(take_fd, F_SETFL, fcntl(take_fd, F_GETFL) | O_NONBLOCK);
    upgrade(request, tunnel);
}

void tunnel_watch(struct request *request, struct watch *take_watch)
{
    struct tunnel *tunnel;
    struct err err;

    if (handshake_check(&request->headers, &err) < 0) {
        watch_free(take_watch);
        reply_error(request, &err);
        return;
    }
    tunnel = tunnel_new(request);
    tunnel->watch = take_watch;
    watch_on_ready(take_watch, watch_ready, tunnel);
    upgrade(request, tunnel);
}
