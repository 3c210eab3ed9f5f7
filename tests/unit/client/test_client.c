#include "client/client.h"
#include "scratch.h"
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { CONNECTIONS_MAX = 8 };

/* A server that answers what asks, and hangs up without a word on what changes something. */
static struct server {
    char *folder, *path;
    int fd;
    unsigned gets, posts;
    const char *const *watches; /* the answers to GETs, one by one, "" cuts the connection; NULL: {} */
    char asked[512];            /* the paths of those, in lines */
    pthread_t thread;
} server;

/* False: this connection is over. */
static bool answer_watch(int fd, const char *request)
{
    size_t length = strlen(server.asked);
    const char *events = *server.watches++;
    auto_free char *answer = str_printf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(events), events);

    snprintf(server.asked + length, sizeof server.asked - length, "%.*s\n", (int)strcspn(request + 4, " "), request + 4);
    return *events && send(fd, answer, strlen(answer), MSG_NOSIGNAL) == (ssize_t)strlen(answer);
}

/* False: this connection is over. */
static bool answer_next(int fd)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    char bytes[4096];
    ssize_t size = recv(fd, bytes, sizeof bytes - 1, 0);

    if (size <= 0)
        return false;
    bytes[size] = '\0';
    if (str_starts(bytes, "POST ")) {
        server.posts++;
        return false;
    }
    server.gets++;
    if (server.watches)
        return answer_watch(fd, bytes);
    return send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) == sizeof answer - 1;
}

/* Until nobody can connect any more. */
static void *serve(void *arg)
{
    struct pollfd fds[CONNECTIONS_MAX + 1] = { { .fd = server.fd, .events = POLLIN } };
    nfds_t count = 1;

    while (poll(fds, count, -1) > 0) {
        for (nfds_t i = count - 1; i > 0; i--)
            if (fds[i].revents && !answer_next(fds[i].fd)) {
                close(fds[i].fd);
                fds[i] = fds[--count];
            }
        if (!fds[0].revents)
            continue;
        int fd = accept(server.fd, NULL, NULL);
        if (fd < 0)
            break;
        CHECK(count <= CONNECTIONS_MAX);
        fds[count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
    }
    return NULL;
}

static struct client *begin(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct client *client;
    struct err err;

    server = (struct server){ .folder = scratch_new() };
    server.path = str_printf("%s/socket", server.folder);
    strcpy(address.sun_path, server.path);
    server.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(server.fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_EQ(listen(server.fd, 8), 0);
    CHECK_EQ(pthread_create(&server.thread, NULL, serve, NULL), 0);
    CHECK_OK(client_open(&(struct client_settings){ .socket = server.path }, &client, &err), &err);
    return client;
}

static void end(struct client *client)
{
    client_free(client);
    shutdown(server.fd, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.fd);
    free(server.path);
    scratch_remove(server.folder);
}

static void get(struct client *client)
{
    auto_json json_t *answer = NULL;
    struct err err;

    CHECK_OK(client_get(client, "/version", &answer, &err), &err);
}

TEST(what_may_have_been_carried_out_is_not_sent_again)
{
    struct client *client = begin();
    auto_json json_t *body = json_object();
    struct err err;

    get(client);
    get(client);
    CHECK_EQ(server.gets, 2);
    CHECK(client_send(client, &(struct client_request){ .method = "POST", .path = "/exec", .body = body }, NULL, &err) < 0);
    CHECK_EQ(server.posts, 1);
    end(client);
}

static bool keep_name(void *arg, const char *type, const json_t *object)
{
    char *names = arg;

    strcat(names, json_text_at(object, "metadata.name", "?"));
    return !strchr(names, 'z');
}

static void count_lost(void *arg) { strcat(arg, "-"); }

#define EVENT(type, name, version)                                                                                     \
    "{\"type\":\"" type "\",\"object\":{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" version "\"}}}\n"
#define GONE "{\"type\":\"ERROR\",\"object\":{\"code\":410,\"message\":\"too old\"}}\n"

static void follow(const char *const *watches, int result, const char *names, const char *asked)
{
    struct client *client = begin();
    char seen[64] = "";
    struct client_follow request = { .watch = { .path = "/w?watch=1", .event = keep_name, .arg = seen },
                                     .lost_ms = 60 * 1000, .lost = count_lost };
    struct err err;

    server.watches = watches;
    CHECK_EQ(client_follow(client, &request, &err), result);
    CHECK_STR(seen, names);
    CHECK_STR(server.asked, asked);
    end(client);
}

TEST(a_watch_that_the_server_ends_is_begun_again_behind_what_was_heard)
{
    follow((const char *const[]){ EVENT("ADDED", "a", "7") EVENT("ADDED", "b", "5"), "\n", EVENT("BOOKMARK", "x", "9"),
                                  EVENT("MODIFIED", "z", "11") },
           0, "abz",
           "/w?watch=1\n/w?watch=1&resourceVersion=7\n/w?watch=1&resourceVersion=7\n/w?watch=1&resourceVersion=9\n");
}

TEST(where_the_server_has_forgotten_that_version_all_is_asked_for_anew)
{
    follow((const char *const[]){ EVENT("ADDED", "a", "7"), GONE, EVENT("ADDED", "a", "7") EVENT("ADDED", "z", "8") }, 0,
           "aaz", "/w?watch=1\n/w?watch=1&resourceVersion=7\n/w?watch=1\n");
}

TEST(a_server_that_went_away_is_waited_for)
{
    follow((const char *const[]){ EVENT("ADDED", "a", "7"), "", "", EVENT("ADDED", "z", "8") }, 0, "a-z",
           "/w?watch=1\n/w?watch=1&resourceVersion=7\n/w?watch=1&resourceVersion=7\n/w?watch=1&resourceVersion=7\n");
}

TEST(a_server_that_never_answered_is_not)
{
    follow((const char *const[]){ "" }, -1, "", "/w?watch=1\n");
}
