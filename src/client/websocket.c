/* client/websocket.c - libcurl makes the connection (socket or TLS), wslay the frames. */
#include "client/websocket.h"
#include "base/mem.h"
#include "client/internal.h"
#include "client/upgrade.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wslay/wslay.h>

enum { HANDSHAKE_MS = 30 * 1000, REFUSAL_MAX = 1024 * 1024, WRITE_SIZE = 4096 /* PIPE_BUF */ };

struct websocket {
    CURL *curl;
    int fd;
    wslay_event_context_ptr frames;
    struct buf early;   /* came along with the handshake */
    struct buf inbound; /* from the other side, not yet written */
    bool takes_payload; /* the frame being received carries data */
    bool is_choked;     /* receiving stopped for want of room in 'inbound' */
    bool is_lost;
};

/* --- bytes --- */

/* As recv(): 0 at the end, -1 with EAGAIN when there is nothing now. */
static ssize_t receive_bytes(struct websocket *websocket, void *to, size_t room)
{
    size_t size = 0;
    CURLcode code;

    if (websocket->early.size) {
        size = websocket->early.size < room ? websocket->early.size : room;
        memcpy(to, websocket->early.bytes, size);
        buf_drop_front(&websocket->early, size);
        return (ssize_t)size;
    }
    code = curl_easy_recv(websocket->curl, to, room, &size);
    if (code == CURLE_AGAIN) {
        errno = EAGAIN;
        return -1;
    }
    return code == CURLE_OK ? (ssize_t)size : 0;
}

static ssize_t send_bytes(struct websocket *websocket, const void *bytes, size_t size)
{
    size_t sent = 0;
    CURLcode code = curl_easy_send(websocket->curl, bytes, size, &sent);

    errno = code == CURLE_AGAIN ? EAGAIN : EPIPE;
    return code == CURLE_OK ? (ssize_t)sent : -1;
}

static ssize_t give_up(struct websocket *websocket, wslay_event_context_ptr frames, bool would_block)
{
    websocket->is_lost |= !would_block;
    wslay_event_set_error(frames, would_block ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t receive(wslay_event_context_ptr frames, uint8_t *to, size_t room, int flags, void *arg)
{
    struct websocket *websocket = arg;
    ssize_t size;

    websocket->is_choked = websocket->inbound.size >= WEBSOCKET_BACKLOG_MAX;
    if (websocket->is_choked)
        return give_up(websocket, frames, true);
    size = receive_bytes(websocket, to, room);
    return size > 0 ? size : give_up(websocket, frames, size < 0);
}

static ssize_t transmit(wslay_event_context_ptr frames, const uint8_t *bytes, size_t size, int flags,
                        void *arg)
{
    struct websocket *websocket = arg;
    ssize_t sent = send_bytes(websocket, bytes, size);

    return sent >= 0 ? sent : give_up(websocket, frames, errno == EAGAIN);
}

static int make_mask(wslay_event_context_ptr frames, uint8_t *to, size_t size, void *arg)
{
    /* Masks keep proxies from misreading our bytes; they are no secret. */
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)(random() >> 7);
    return 0;
}

static void frame_started(wslay_event_context_ptr frames,
                          const struct wslay_event_on_frame_recv_start_arg *start, void *arg)
{
    ((struct websocket *)arg)->takes_payload = !wslay_is_ctrl_frame(start->opcode);
}

static void payload_came(wslay_event_context_ptr frames,
                         const struct wslay_event_on_frame_recv_chunk_arg *chunk, void *arg)
{
    struct websocket *websocket = arg;

    if (websocket->takes_payload)
        buf_add(&websocket->inbound, chunk->data, chunk->data_length);
}

static void frames_open(struct websocket *websocket)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = receive,
        .send_callback = transmit,
        .genmask_callback = make_mask,
        .on_frame_recv_start_callback = frame_started,
        .on_frame_recv_chunk_callback = payload_came,
    };

    if (wslay_event_context_client_init(&websocket->frames, &callbacks, websocket) != 0)
        abort();                                               /* out of memory */
    wslay_event_config_set_no_buffering(websocket->frames, 1); /* payload comes through in pieces */
}

/* --- opening --- */

static int connect_to(struct websocket *websocket, struct client *client, const char *path,
                      struct err *err)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    CURLcode code;

    client_aim(client, websocket->curl, path);
    curl_easy_setopt(websocket->curl, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(websocket->curl, CURLOPT_SSL_ENABLE_ALPN, 0L); /* HTTP/2 has no upgrade */
    code = curl_easy_perform(websocket->curl);
    if (code != CURLE_OK)
        return client_unreached(client, websocket->curl, code, err);
    if (curl_easy_getinfo(websocket->curl, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
        fd == CURL_SOCKET_BAD)
        return err_set(err, ERR_UNAVAILABLE, "the connection was lost");
    websocket->fd = fd;
    return 0;
}

/* Waits for the socket and reads what there is to 'to'. */
static int read_some(struct websocket *websocket, struct buf *to, struct err *err)
{
    char part[4096];
    ssize_t size = receive_bytes(websocket, part, sizeof part);
    struct pollfd wait = { .fd = websocket->fd, .events = POLLIN };
    int ready;

    if (size > 0) {
        buf_add(to, part, (size_t)size);
        return 0;
    }
    if (size == 0)
        return err_set(err, ERR_UNAVAILABLE, "the server closed the connection");
    ready = poll(&wait, 1, HANDSHAKE_MS);
    return ready == 0 ? err_set(err, ERR_TIMEOUT, "the server does not answer") : 0;
}

static int send_all(struct websocket *websocket, const char *text, struct err *err)
{
    size_t left = strlen(text);

    while (left) {
        ssize_t sent = send_bytes(websocket, text, left);
        struct pollfd wait = { .fd = websocket->fd, .events = POLLOUT };

        if (sent < 0 && errno != EAGAIN)
            return err_set(err, ERR_UNAVAILABLE, "the server closed the connection");
        if (sent < 0 && poll(&wait, 1, HANDSHAKE_MS) == 0)
            return err_set(err, ERR_TIMEOUT, "the server takes no request");
        if (sent > 0) {
            text += sent;
            left -= (size_t)sent;
        }
    }
    return 0;
}

/* Reads the body of a refusal and makes it the error. */
static int refused(struct websocket *websocket, struct client *client, struct buf *body,
                   const struct upgrade_answer *answer, struct err *err)
{
    struct err unread;

    client->last_status = answer->status;
    body->size_max = REFUSAL_MAX;
    while (answer->content_length > (long)body->size && !body->overflowed)
        if (read_some(websocket, body, &unread) < 0)
            break;
    return client_refused(client, body->bytes, body->size, err);
}

static int shake_hands(struct websocket *websocket, struct client *client, const char *path,
                       struct err *err)
{
    const char *host = client->server ? strstr(client->server, "://") : NULL;
    char key[UPGRADE_KEY_LENGTH + 1];
    struct upgrade_answer answer;
    int result = 0;

    if (client_path_check(path, err) < 0)
        return -1;
    upgrade_key(key);
    auto_free char *request =
        upgrade_request(host ? host + 3 : "localhost", path, key, client->token);
    if (send_all(websocket, request, err) < 0)
        return -1;
    auto_buf struct buf head = { 0 };
    while (result == 0) {
        if (read_some(websocket, &head, err) < 0)
            return -1;
        result = head.size ? upgrade_parse(head.bytes, head.size, key, &answer, err) : 0;
    }
    if (result < 0)
        return -1;
    buf_drop_front(&head, answer.head_size);
    if (answer.status != 101)
        return refused(websocket, client, &head, &answer, err);
    buf_add(&websocket->early, head.bytes, head.size);
    return 0;
}

int websocket_open(struct client *client, const char *path, struct websocket **ret_websocket,
                   struct err *err)
{
    auto_clean(websocket_free_auto) struct websocket *websocket = mem_new(struct websocket);

    websocket->curl = curl_easy_init();
    if (!websocket->curl)
        return err_set(err, ERR_INTERNAL, "libcurl does not start");
    if (connect_to(websocket, client, path, err) < 0 ||
        shake_hands(websocket, client, path, err) < 0)
        return -1;
    frames_open(websocket);
    *ret_websocket = take_pointer(websocket);
    return 0;
}

void websocket_free(struct websocket *websocket)
{
    if (!websocket)
        return;
    if (websocket->frames)
        wslay_event_context_free(websocket->frames);
    curl_easy_cleanup(websocket->curl);
    buf_done(&websocket->early);
    buf_done(&websocket->inbound);
    free(websocket);
}

/* --- relaying --- */

struct carrying {
    struct websocket *websocket;
    const struct websocket_relay *relay;
    bool input_ended, is_over;
};

static void queue(struct websocket *websocket, const char *bytes, size_t size)
{
    struct wslay_event_msg message = { WSLAY_BINARY_FRAME, (const uint8_t *)bytes, size };

    wslay_event_queue_msg(websocket->frames, &message);
}

static void end(struct carrying *carrying)
{
    carrying->is_over = true;
    wslay_event_queue_close(carrying->websocket->frames, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0);
    /* What cannot be sent at once is of no use any more. */
    (void)wslay_event_send(carrying->websocket->frames);
}

static void read_input(struct carrying *carrying)
{
    const struct websocket_relay *relay = carrying->relay;
    char bytes[WEBSOCKET_MESSAGE_MAX];
    ssize_t count = read(relay->in_fd, bytes, sizeof bytes);
    size_t size = count > 0 ? (size_t)count : 0;
    bool goes_on = true;

    if (count < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (size && relay->filter)
        goes_on = relay->filter(relay->filter_arg, bytes, &size);
    if (size)
        queue(carrying->websocket, bytes, size);
    if (count <= 0) {
        carrying->input_ended = true;
        if (relay->input_end == INPUT_END_IS_TOLD)
            queue(carrying->websocket, NULL, 0);
    }
    if (!goes_on || (count <= 0 && relay->input_end == INPUT_END_ENDS))
        end(carrying);
}

/* A part that the descriptor takes without blocking: it may be shared with others, so that its
 * flags are not ours to change. */
static void write_output(struct carrying *carrying)
{
    struct buf *inbound = &carrying->websocket->inbound;
    size_t size = inbound->size < WRITE_SIZE ? inbound->size : WRITE_SIZE;
    ssize_t count = write(carrying->relay->out_fd, inbound->bytes, size);

    if (count < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (count < 0)
        end(carrying);
    else
        buf_drop_front(inbound, (size_t)count);
}

static bool has_room(const struct websocket *websocket)
{
    return wslay_event_get_queued_msg_length(websocket->frames) < WEBSOCKET_BACKLOG_MAX;
}

/* False when nothing will come and nothing is left to be written. */
static bool has_more(const struct carrying *carrying)
{
    const struct websocket *websocket = carrying->websocket;

    return !carrying->is_over &&
           (websocket->inbound.size ||
            (!websocket->is_lost && !wslay_event_get_close_received(websocket->frames)));
}

static int exchange(struct carrying *carrying, struct err *err)
{
    struct websocket *websocket = carrying->websocket;

    if (websocket->is_lost)
        return 0;
    if (wslay_event_recv(websocket->frames) != 0 || wslay_event_send(websocket->frames) != 0) {
        websocket->is_lost = true;
        if (!wslay_event_get_close_received(websocket->frames) && !websocket->inbound.size)
            return err_set(err, ERR_UNAVAILABLE, "the connection to the server was lost");
    }
    return 0;
}

static void wait_for_work(const struct carrying *carrying, struct pollfd fds[3])
{
    struct websocket *websocket = carrying->websocket;
    bool takes_more = websocket->inbound.size < WEBSOCKET_BACKLOG_MAX && !websocket->is_lost;
    bool reads = !carrying->input_ended && has_room(websocket) && !websocket->is_lost;
    short socket_events = (short)((takes_more ? POLLIN : 0) |
                                  (wslay_event_want_write(websocket->frames) ? POLLOUT : 0));

    if (websocket->is_lost)
        socket_events = 0;
    fds[0] = (struct pollfd){ socket_events ? websocket->fd : -1, socket_events, 0 };
    fds[1] = (struct pollfd){ reads ? carrying->relay->in_fd : -1, POLLIN, 0 };
    fds[2] = (struct pollfd){ websocket->inbound.size ? carrying->relay->out_fd : -1, POLLOUT, 0 };
    /* What TLS or wslay holds back no descriptor tells of. */
    poll(fds, 3, websocket->is_choked && takes_more ? 0 : -1);
}

int websocket_relay(struct websocket *websocket, const struct websocket_relay *relay,
                    struct err *err)
{
    struct carrying carrying = { websocket, relay, false, false };
    struct pollfd fds[3] = { 0 };

    for (;;) {
        if (exchange(&carrying, err) < 0)
            return -1;
        if (!has_more(&carrying))
            return 0;
        wait_for_work(&carrying, fds);
        if (fds[1].revents)
            read_input(&carrying);
        if (fds[2].revents && !carrying.is_over)
            write_output(&carrying);
    }
}
