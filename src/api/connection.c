/* api/connection.c - one connection of a client. */
#include "api/connection.h"
#include "api/failure.h"
#include "api/front.h"
#include "api/internal.h"
#include "api/listen.h"
#include "base/mem.h"
#include "base/str.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

static void identify_peer(struct connection *connection)
{
    static const char *const masters[] = { USER_MASTERS, NULL };
    struct ucred peer;
    socklen_t size = sizeof peer;

    connection->peer = listen_peer(connection->fd);
    if (getsockopt(connection->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return;
    if (peer.uid == 0 || peer.uid == geteuid())
        connection->user = user_new("root", masters, connection->peer);
}

static void identify_client(struct connection *connection, const struct front_client *client)
{
    connection->peer = str_dup(client->peer);
    connection->identity_problem = str_dup(client->problem);
    if (client->user)
        connection->user = user_ref(client->user);
}

static struct connection *connection_new(struct listener *listener, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    const struct front *front = listener->api->front;
    const struct front_client *client = front ? front_client(front, info->connect_fd) : NULL;
    struct connection *connection = mem_new(struct connection);

    *connection = (struct connection){ .api = listener->api, .mhd = mhd, .fd = info->connect_fd };
    if (client)
        identify_client(connection, client);
    else
        identify_peer(connection);
    deadline_set(&listener->api->deadlines, &connection->deadline, DEADLINE_HEAD);
    return connection;
}

static void connection_free(struct connection *connection)
{
    deadline_set(&connection->api->deadlines, &connection->deadline, DEADLINE_NONE);
    user_unref(connection->user);
    user_unref(connection->token_user);
    free(connection->token);
    free(connection->identity_problem);
    free(connection->peer);
    free(connection);
}

void connection_changed(void *arg, struct MHD_Connection *mhd, void **state,
                        enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *state = connection_new(arg, mhd);
    } else if (*state) {
        connection_free(*state);
        *state = NULL;
    }
}

void connection_cut(struct connection *connection) { shutdown(connection->fd, SHUT_RDWR); }

void connection_refuse(struct connection *connection, const struct err *err)
{
    auto_failure struct failure failure = { 0 };

    failure_from(&failure, err);
    auto_json json_t *status = failure_status(&failure);
    auto_free char *body = json_text(status);
    auto_free char *text =
        str_printf("HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: "
                   "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                   failure_http_status(&failure), err_reason(err->code), strlen(body), body);
    /* The client may be gone or deaf: then there is nobody to tell. */
    (void)!send(connection->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
    connection_cut(connection);
}

void connection_expired(struct deadline *deadline)
{
    struct connection *connection =
        (struct connection *)((char *)deadline - offsetof(struct connection, deadline));
    enum deadline_type type = connection->api->deadlines.expired_type;
    struct err err;

    if (type != DEADLINE_BODY) {
        connection_cut(connection);
        return;
    }
    err_set(&err, ERR_REQUEST_TIMEOUT, "the body of the request did not come within %d s",
            DEADLINE_BODY_MS / 1000);
    connection_refuse(connection, &err);
}

void connection_resume(struct connection *connection)
{
    MHD_resume_connection(connection->mhd);
    listener_kick(&connection->api->listener);
}
