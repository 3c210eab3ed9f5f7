/* api/listener.c - libmicrohttpd on our loop.
 *
 * It runs in external-epoll mode: its epoll descriptor is one source of our loop. What it wants
 * after a round (more rounds at once, or a time-out) is asked for each time. */
#include "api/connection.h"
#include "api/exchange.h"
#include "api/internal.h"
#include <sys/resource.h>
#include <unistd.h>

enum { DESCRIPTORS_PER_CONNECTION = 3 }; /* behind TLS: socket and pair */

static void arm_timer(struct listener *listener)
{
    int64_t now_ms = loop_now_ms(listener->api->loop), due_ms;
    MHD_UNSIGNED_LONG_LONG wait_ms;

    if (MHD_get_timeout(listener->mhd, &wait_ms) == MHD_NO)
        return;
    due_ms = now_ms + (int64_t)wait_ms;
    if (listener->timer_due_ms >= 0 && listener->timer_due_ms <= due_ms)
        return;
    listener->timer_due_ms = due_ms;
    loop_timer_again(listener->timer, (int64_t)wait_ms);
}

static bool wants_another_round(struct listener *listener)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;

    if (listener->resumed) {
        listener->resumed = false;
        return true;
    }
    return MHD_get_timeout(listener->mhd, &wait_ms) == MHD_YES && wait_ms == 0;
}

void listener_run(struct listener *listener)
{
    for (int round = 0; round < RUN_ROUNDS_MAX; round++) {
        MHD_run(listener->mhd);
        if (!wants_another_round(listener))
            break;
    }
    arm_timer(listener);
}

static void listener_ready(void *arg, int fd, unsigned events) { listener_run(arg); }

static void listener_timer_fired(void *arg)
{
    struct listener *listener = arg;

    listener->timer_due_ms = -1;
    listener_run(listener);
}

void listener_kick(struct listener *listener)
{
    int64_t now_ms = loop_now_ms(listener->api->loop);

    listener->resumed = true;
    if (listener->timer_due_ms >= 0 && listener->timer_due_ms <= now_ms)
        return;
    listener->timer_due_ms = now_ms;
    loop_timer_again(listener->timer, 0);
}

unsigned listener_connection_limit(void)
{
    struct rlimit limit;
    rlim_t count;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= 2 * DESCRIPTORS_KEPT)
        return DESCRIPTORS_KEPT / DESCRIPTORS_PER_CONNECTION;
    count = (limit.rlim_cur - DESCRIPTORS_KEPT) / DESCRIPTORS_PER_CONNECTION;
    return count < CONNECTIONS_MAX ? (unsigned)count : CONNECTIONS_MAX;
}

static struct MHD_Daemon *start_daemon(struct listener *listener, int fd)
{
    unsigned flags = MHD_USE_EPOLL | MHD_USE_SUSPEND_RESUME | MHD_ALLOW_UPGRADE;

    if (fd < 0)
        flags |= MHD_USE_NO_LISTEN_SOCKET;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, exchange_handle, listener, MHD_OPTION_NOTIFY_CONNECTION,
        connection_changed, listener, MHD_OPTION_NOTIFY_COMPLETED, exchange_completed, listener,
        MHD_OPTION_URI_LOG_CALLBACK, exchange_see_target, listener,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_SIZE,
        MHD_OPTION_CONNECTION_LIMIT, listener_connection_limit(), MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)(DEADLINE_IDLE_MS / 1000), MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        /* The last one, so that it can be left out. */
        fd < 0 ? MHD_OPTION_END : MHD_OPTION_LISTEN_SOCKET, (MHD_socket)fd, MHD_OPTION_END);
}

int listener_start(struct listener *listener, struct api *api, int take_fd, struct err *err)
{
    const union MHD_DaemonInfo *info;

    *listener = (struct listener){ .api = api, .timer_due_ms = -1 };
    listener->mhd = start_daemon(listener, take_fd);
    if (!listener->mhd) {
        if (take_fd >= 0)
            close(take_fd);
        return err_set(err, ERR_IO, "libmicrohttpd does not start");
    }
    info = MHD_get_daemon_info(listener->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    listener->io = loop_io(api->loop, info->epoll_fd, LOOP_READ, listener_ready, listener);
    listener->timer = loop_timer(api->loop, 0, listener_timer_fired, listener);
    return 0;
}

void listener_stop(struct listener *listener)
{
    loop_source_free(listener->io);
    loop_source_free(listener->timer);
    if (listener->mhd)
        MHD_stop_daemon(listener->mhd);
    *listener = (struct listener){ .api = listener->api };
}
