/* api/front.c - TLS in front of libmicrohttpd.
 *
 * The links' descriptors are in an epoll of their own, which is one source of the loop: sd-event
 * serves one source per wait, and waits on everything that is ready again each time, which costs
 * twice as much per request as all of TLS. */
#include "api/front.h"
#include "api/deadlines.h"
#include "api/listen.h"
#include "api/tls.h"
#include "base/chain.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    RECORD_SIZE = 16 * 1024, /* the most a TLS record holds */
    EVENTS_PER_TURN = 128,
    RECORDS_PER_TURN = 16, /* per direction, before others get theirs */
    ACCEPTS_PER_TURN = 64,
    ACCEPT_PAUSE_MS = 100, /* without descriptors or above the limit */
};

struct link {
    struct front *front;
    struct link *next, **link;
    int fd;        /* TCP */
    int inner;     /* our end of the pair; -1 before the handshake is done */
    char name[12]; /* the other end's number, as key in front->by_fd */
    gnutls_session_t session;
    uint32_t fd_events, inner_events; /* asked of the epoll now */
    struct deadline deadline;         /* of the handshake */
    struct buf inward;                /* decrypted, but not taken by libmicrohttpd yet */
    bool is_flushing;                 /* a record waits in GnuTLS for room in the socket */
    bool has_more;                    /* a turn ended before everything was read */
    bool is_dead;                     /* to be freed when nothing can refer to it any more */
    bool client_done;                 /* no more will come from the client */
    struct front_client client;
};

struct front {
    struct front_setup setup;
    int fd;
    int epoll_fd;
    struct loop_source *io, *epoll_io, *pause, *soon;
    struct deadlines deadlines;
    struct link *links; /* the dead among them */
    bool has_dead, has_more;
    unsigned link_count;
    struct map *by_fd; /* number of libmicrohttpd's descriptor -> link */
};

/* --- what the epoll watches; its data is the link, with this bit set for its inner end --- */

static const uintptr_t INNER_BIT = 1;

/* A descriptor nothing is wanted of is taken out: an epoll would tell of its hang-up for ever. */
static void watch_fd(struct link *link, int fd, uintptr_t bit, uint32_t *asked, uint32_t wanted)
{
    struct epoll_event event = { .events = wanted, .data.u64 = (uintptr_t)link | bit };
    int operation = !wanted ? EPOLL_CTL_DEL : *asked ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (*asked == wanted)
        return;
    if (epoll_ctl(link->front->epoll_fd, operation, fd, &event) < 0)
        abort(); /* kernel memory, as in loop.h */
    *asked = wanted;
}

static void watch_client(struct link *link, uint32_t wanted)
{
    watch_fd(link, link->fd, 0, &link->fd_events, wanted);
}

static void watch_inner(struct link *link, uint32_t wanted)
{
    watch_fd(link, link->inner, INNER_BIT, &link->inner_events, wanted);
}

/* --- life of a link --- */

static struct link *link_new(struct front *front, int take_fd)
{
    struct link *link = mem_new(struct link);

    *link = (struct link){ .front = front, .fd = take_fd, .inner = -1 };
    chain_add(&front->links, link);
    front->link_count++;
    link->client.peer = listen_peer(take_fd);
    link->session = tls_session_new(front->setup.certificates, take_fd);
    return link;
}

static void unlink_link(struct link *link)
{
    struct front *front = link->front;

    chain_remove(link);
    front->link_count--;
    if (map_get(front->by_fd, link->name) == link)
        map_remove(front->by_fd, link->name);
}

static void link_free(struct link *link)
{
    unlink_link(link);
    deadline_set(&link->front->deadlines, &link->deadline, DEADLINE_NONE);
    gnutls_deinit(link->session);
    close(link->fd);
    if (link->inner >= 0)
        close(link->inner);
    buf_done(&link->inward);
    user_unref(link->client.user);
    free((char *)link->client.peer);
    free((char *)link->client.problem);
    free(link);
}

static bool would_block(void) { return errno == EAGAIN || errno == EINTR; }

/* --- pumping; each returns false when the link is beyond use --- */

static bool write_inward(struct link *link)
{
    while (link->inward.size) {
        ssize_t sent =
            send(link->inner, link->inward.bytes, link->inward.size, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0)
            return would_block();
        buf_drop_front(&link->inward, (size_t)sent);
    }
    buf_done(&link->inward);
    return true;
}

/* What can't be passed on at once is kept, and nothing more is read until it is. */
static bool pass_inward(struct link *link, const char *bytes, size_t size)
{
    ssize_t sent = send(link->inner, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent < 0 && !would_block())
        return false;
    sent = sent < 0 ? 0 : sent;
    buf_add(&link->inward, bytes + sent, size - (size_t)sent);
    return true;
}

/* The client says it is done, or its end is cut: libmicrohttpd learns it the same way. */
static void end_inward(struct link *link)
{
    link->client_done = true;
    shutdown(link->inner, SHUT_WR);
}

static bool pump_inward(struct link *link)
{
    char bytes[RECORD_SIZE];

    if (!write_inward(link))
        return false;
    for (int i = 0; !link->inward.size && !link->client_done; i++) {
        ssize_t size;

        if (i == RECORDS_PER_TURN) {
            link->has_more = true;
            return true;
        }
        size = gnutls_record_recv(link->session, bytes, sizeof bytes);
        if (size == GNUTLS_E_AGAIN)
            return true;
        if (size > 0 && !pass_inward(link, bytes, (size_t)size))
            return false;
        if (size == 0 || size == GNUTLS_E_PREMATURE_TERMINATION)
            end_inward(link);
        /* Renegotiation is refused like any other trouble; TLS 1.3 has none. */
        else if (size < 0 && (gnutls_error_is_fatal((int)size) || size == GNUTLS_E_REHANDSHAKE))
            return false;
    }
    return true;
}

/* Sends what GnuTLS still holds of an earlier record. */
static bool flush(struct link *link)
{
    ssize_t sent = gnutls_record_send(link->session, NULL, 0);

    link->is_flushing = sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED;
    return sent >= 0 || link->is_flushing;
}

static bool pump_outward(struct link *link)
{
    char bytes[RECORD_SIZE];

    if (link->is_flushing && !flush(link))
        return false;
    for (int i = 0; !link->is_flushing; i++) {
        ssize_t size, sent;

        if (i == RECORDS_PER_TURN) {
            link->has_more = true;
            return true;
        }
        size = recv(link->inner, bytes, sizeof bytes, MSG_DONTWAIT);
        if (size < 0)
            return would_block();
        if (size == 0) { /* libmicrohttpd is done with the connection */
            (void)gnutls_bye(link->session, GNUTLS_SHUT_WR); /* politely, if there is room */
            return false;
        }
        sent = gnutls_record_send(link->session, bytes, (size_t)size);
        link->is_flushing = sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED;
        if (sent < 0 && !link->is_flushing)
            return false;
    }
    return true;
}

/* --- turning the wheel --- */

/* Events already fetched may still name the link: it is freed when they are served. */
static void give_up(struct link *link) { link->is_dead = link->front->has_dead = true; }

static void arm(struct link *link)
{
    uint32_t fd_events = 0, inner_events = 0;

    if (!link->inward.size && !link->client_done)
        fd_events |= EPOLLIN;
    if (link->is_flushing)
        fd_events |= EPOLLOUT;
    else
        inner_events |= EPOLLIN;
    if (link->inward.size)
        inner_events |= EPOLLOUT;
    watch_client(link, fd_events);
    watch_inner(link, inner_events);
    link->front->has_more |= link->has_more;
}

static void turn(struct link *link)
{
    link->has_more = false;
    if (pump_inward(link) && pump_outward(link))
        arm(link);
    else
        give_up(link);
}

/* --- the handshake --- */

static void identify(struct link *link)
{
    struct err err;

    link->client.user = tls_client(link->session, link->client.peer, &err);
    if (!link->client.user && err.code != ERR_NOT_FOUND)
        link->client.problem = str_dup(err.text);
}

/* Gives libmicrohttpd its end of a pair; false when it does not want it. */
static bool hand_over(struct link *link)
{
    const struct front_setup *setup = &link->front->setup;
    struct sockaddr_storage address = { 0 };
    socklen_t size = sizeof address;
    int pair[2];

    if (getpeername(link->fd, (struct sockaddr *)&address, &size) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return false;
    link->inner = pair[0];
    snprintf(link->name, sizeof link->name, "%d", pair[1]);
    map_set(link->front->by_fd, link->name, link);
    if (MHD_add_connection(setup->mhd, pair[1], (struct sockaddr *)&address, size) != MHD_YES)
        return false; /* which has closed its end */
    setup->added(setup->arg);
    return true;
}

static void shake_hands(struct link *link)
{
    int code;

    do
        code = gnutls_handshake(link->session);
    while (code < 0 && code != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(code));
    if (code == GNUTLS_E_AGAIN) {
        watch_client(link, gnutls_record_get_direction(link->session) ? EPOLLOUT : EPOLLIN);
        return;
    }
    if (code < 0)
        (void)gnutls_alert_send_appropriate(link->session, code); /* the client may be gone */
    deadline_set(&link->front->deadlines, &link->deadline, DEADLINE_NONE);
    if (code == 0)
        identify(link);
    if (code < 0 || !hand_over(link))
        give_up(link);
    else
        turn(link);
}

/* --- serving the epoll --- */

static void serve(struct link *link)
{
    if (link->is_dead)
        return;
    if (link->inner < 0)
        shake_hands(link);
    else
        turn(link);
}

static void bury_dead(struct front *front)
{
    if (!front->has_dead)
        return;
    front->has_dead = false;
    for (struct link *link = front->links, *next; link; link = next) {
        next = link->next;
        if (link->is_dead)
            link_free(link);
    }
}

static void go_on(void *arg);

/* What GnuTLS has read ahead no descriptor tells of. */
static void serve_rest_soon(struct front *front)
{
    if (front->has_more && !front->soon)
        front->soon = loop_defer(front->setup.loop, go_on, front);
    front->has_more = false;
}

static void go_on(void *arg)
{
    struct front *front = arg;

    loop_source_free(take_pointer(front->soon));
    for (struct link *link = front->links; link; link = link->next)
        if (link->has_more)
            serve(link);
    bury_dead(front);
    serve_rest_soon(front);
}

static void links_ready(void *arg, int fd, unsigned happened)
{
    struct front *front = arg;
    struct epoll_event events[EVENTS_PER_TURN];
    int count = epoll_wait(fd, events, EVENTS_PER_TURN, 0);

    for (int i = 0; i < count; i++)
        serve((struct link *)(uintptr_t)(events[i].data.u64 & ~(uint64_t)INNER_BIT));
    bury_dead(front);
    serve_rest_soon(front);
}

static void handshake_expired(struct deadline *deadline)
{
    link_free((struct link *)((char *)deadline - offsetof(struct link, deadline)));
}

/* --- accepting --- */

static void accept_again(void *arg)
{
    struct front *front = arg;

    loop_source_free(take_pointer(front->pause));
    loop_io_events(front->io, LOOP_READ);
}

static void pause_accepting(struct front *front)
{
    loop_io_events(front->io, 0);
    if (!front->pause)
        front->pause = loop_timer(front->setup.loop, ACCEPT_PAUSE_MS, accept_again, front);
}

static void start_link(struct front *front, int take_fd)
{
    struct link *link = link_new(front, take_fd);

    listen_keep_alive(take_fd);
    listen_no_delay(take_fd);
    watch_client(link, EPOLLIN);
    deadline_set(&front->deadlines, &link->deadline, DEADLINE_HEAD);
}

static void clients_wait(void *arg, int listen_fd, unsigned events)
{
    struct front *front = arg;

    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd;

        if (front->link_count >= front->setup.link_count_max) {
            pause_accepting(front);
            return;
        }
        fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
            log_warning("API: no more connections can be accepted now");
            pause_accepting(front);
        }
        if (fd < 0)
            return;
        start_link(front, fd);
    }
}

/* --- the front --- */

struct front *front_new(const struct front_setup *setup, int take_fd)
{
    struct front *front = mem_new(struct front);

    front->setup = *setup;
    front->fd = take_fd;
    front->by_fd = map_new(NULL);
    front->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (front->epoll_fd < 0)
        abort(); /* descriptors, as in loop.h */
    front->epoll_io = loop_io(setup->loop, front->epoll_fd, LOOP_READ, links_ready, front);
    deadlines_init(&front->deadlines, setup->loop, handshake_expired);
    front->io = loop_io(setup->loop, take_fd, LOOP_READ, clients_wait, front);
    return front;
}

void front_free(struct front *front)
{
    if (!front)
        return;
    while (front->links)
        link_free(front->links);
    loop_source_free(front->io);
    loop_source_free(front->epoll_io);
    loop_source_free(front->pause);
    loop_source_free(front->soon);
    close(front->epoll_fd);
    deadlines_done(&front->deadlines);
    map_free(front->by_fd);
    close(front->fd);
    free(front);
}

const struct front_client *front_client(const struct front *front, int fd)
{
    char name[12];
    const struct link *link;

    snprintf(name, sizeof name, "%d", fd);
    link = map_get(front->by_fd, name);
    return link ? &link->client : NULL;
}
