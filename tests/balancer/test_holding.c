/* Requests that come while there is no member: held in the proxy, told at once, answered when one
 * comes; through the real driver and HAProxy. */
#include "../contract/balancer/rig.h"
#include "base/mem.h"
#include "base/str.h"
#include "pair.h"
#include "web.h"
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HTTP = 9080, TCP = 9081, CLIENTS_MAX = 16 };

static const char *const one = "11111111-1111-4111-8111-111111111111";
static struct rig rig;

/* --- a balancer with a backend for HTTP and one for TCP --- */

static struct balancer_config *config_of(unsigned members, unsigned held_max, int64_t patience_ms)
{
    struct balancer_config *config = rig_config(one, members);

    config->backends[0].held_max = held_max;
    config->backends[0].queue_timeout_ms = patience_ms;
    auto_clean(balancer_config_free_auto) struct balancer_config *other = balancer_config_copy(config);
    config->backends = mem_resize(config->backends, 2 * sizeof *config->backends);
    config->backends[config->backend_count++] = other->backends[0];
    config->listeners = mem_resize(config->listeners, 2 * sizeof *config->listeners);
    config->listeners[config->listener_count++] = other->listeners[0];
    other->backend_count = other->listener_count = 0; /* moved */
    (void)snprintf(config->backends[1].name, sizeof config->backends[1].name, "raw");
    config->backends[1].is_http = false;
    (void)snprintf(config->listeners[1].name, sizeof config->listeners[1].name, "tcp");
    (void)snprintf(config->listeners[1].backend, sizeof config->listeners[1].backend, "raw");
    config->listeners[1].protocol = BALANCER_TCP;
    config->listeners[1].port = TCP;
    return config;
}

static void ensure(unsigned members, unsigned held_max, int64_t patience_ms)
{
    auto_clean(balancer_config_free_auto) struct balancer_config *config = config_of(members, held_max, patience_ms);

    rig_ensure_ok(&rig, config);
}

static void end(void)
{
    rig_remove_ok(&rig, one);
    rig_close(&rig);
}

static unsigned held(const struct balancer_status *status, const char *name)
{
    const struct balancer_backend_status *backend = balancer_status_backend(status, name);

    return backend ? backend->held : 0;
}

/* --- clients that wait in threads of their own --- */

static struct clients {
    pthread_t threads[CLIENTS_MAX];
    uint16_t ports[CLIENTS_MAX];
    int answers[CLIENTS_MAX];
    unsigned count;
    atomic_uint done;
} clients;

static void *ask(void *arg)
{
    size_t number = (size_t)(uintptr_t)arg;
    char body[64];

    clients.answers[number] =
        web_get(&(struct web_request){ .port = clients.ports[number], .path = "/" }, body, sizeof body);
    atomic_fetch_add(&clients.done, 1);
    return NULL;
}

static void add_clients(unsigned count, uint16_t port)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned number = clients.count++;
        clients.ports[number] = port;
        CHECK_EQ(pthread_create(&clients.threads[number], NULL, ask, (void *)(uintptr_t)number), 0);
    }
}

static bool all_are_answered(const struct balancer_status *status) { return clients.done == clients.count; }
static bool one_is_answered(const struct balancer_status *status) { return clients.done >= 1; }

static unsigned end_clients(int wanted)
{
    unsigned found = 0;

    rig_reach(&rig, one, all_are_answered, "all clients have an answer");
    for (unsigned i = 0; i < clients.count; i++) {
        pthread_join(clients.threads[i], NULL);
        found += clients.answers[i] == wanted;
    }
    memset(&clients, 0, sizeof clients);
    return found;
}

static bool five_and_three(const struct balancer_status *status)
{
    return held(status, "web") == 5 && held(status, "raw") == 3;
}
static bool some_in_both(const struct balancer_status *status) { return held(status, "web") && held(status, "raw"); }
static bool some_in_web(const struct balancer_status *status) { return held(status, "web") > 0; }
static bool none_in_both(const struct balancer_status *status)
{
    return !held(status, "web") && !held(status, "raw");
}

TEST(requests_and_connections_wait_for_the_first_member_and_are_answered)
{
    rig_open(&rig);
    ensure(0, 100, 20000);
    unsigned changes = rig.changes;
    add_clients(5, HTTP);
    add_clients(3, TCP);
    rig_reach(&rig, one, five_and_three, "eight are held");
    CHECK(rig.changes > changes);
    CHECK_EQ(balancer_status_backend(rig.balancer->ops->observe(rig.balancer, one), "web")->queue, 5);
    CHECK_EQ(clients.done, 0);
    ensure(1, 100, 20000);
    CHECK_EQ(end_clients(200), 8);
    rig_reach(&rig, one, none_in_both, "none is held any more");
    CHECK_EQ(balancer_status_backend(rig.balancer->ops->observe(rig.balancer, one), "web")->member_count, 1);
    end();
}

/* --- HTTP/2, and inside TLS --- */

#define CURL "curl -skm 60 -w '%{http_version} %{http_code} ' -o /dev/null "

static struct by_curl {
    const char *command, *wanted;
    pthread_t thread;
    char said[256];
} by_curl[] = {
    { CURL "--http1.1 https://127.0.0.1:9080/", "1.1 200 ", 0, "" },
    { CURL "--http2 https://127.0.0.1:9080/", "2 200 ", 0, "" },
    { CURL "--http2-prior-knowledge http://127.0.0.1:9081/", "2 200 ", 0, "" },
    /* Two streams of one connection. */
    { CURL "-o /dev/null --http2 -Z https://127.0.0.1:9080/a https://127.0.0.1:9080/b 2> /dev/null", "2 200 2 200 ", 0, "" },
};
enum { BY_CURL = sizeof by_curl / sizeof by_curl[0], BY_CURL_REQUESTS = 5 };

static void *ask_by_curl(void *arg)
{
    struct by_curl *curl = arg;
    FILE *said = popen(curl->command, "r");

    curl->said[fread(curl->said, 1, sizeof curl->said - 1, said)] = '\0';
    CHECK(pclose(said) >= 0);
    atomic_fetch_add(&clients.done, 1);
    return NULL;
}

static bool five_in_web(const struct balancer_status *status) { return held(status, "web") == BY_CURL_REQUESTS; }
static bool curl_is_answered(const struct balancer_status *status) { return clients.done == BY_CURL; }

static void ensure_tls(unsigned members, const char *certificate)
{
    auto_clean(balancer_config_free_auto) struct balancer_config *config = config_of(members, 100, 20000);

    config->listeners[0].protocol = BALANCER_HTTPS;
    config->listeners[0].certificate = str_dup(certificate);
    config->listeners[1].protocol = BALANCER_HTTP;
    (void)snprintf(config->listeners[1].backend, sizeof config->listeners[1].backend, "web");
    rig_ensure_ok(&rig, config);
}

TEST(requests_of_http_2_and_inside_tls_wait_too)
{
    auto_free char *certificate = pair_make("first.example.org");

    rig_open(&rig);
    ensure_tls(0, certificate);
    for (unsigned i = 0; i < BY_CURL; i++)
        CHECK_EQ(pthread_create(&by_curl[i].thread, NULL, ask_by_curl, &by_curl[i]), 0);
    rig_reach(&rig, one, five_in_web, "five are held");
    CHECK_EQ(clients.done, 0);
    ensure_tls(1, certificate);
    rig_reach(&rig, one, curl_is_answered, "all have an answer");
    for (unsigned i = 0; i < BY_CURL; i++) {
        pthread_join(by_curl[i].thread, NULL);
        CHECK_STR(by_curl[i].said, by_curl[i].wanted);
    }
    clients.done = 0;
    end();
}

TEST(who_waits_too_long_is_refused_and_with_too_many_the_next_one_at_once)
{
    unsigned refused;

    rig_open(&rig);
    ensure(0, 1, 300);
    add_clients(1, HTTP);
    CHECK_EQ(end_clients(503), 1);
    add_clients(1, TCP);
    CHECK_EQ(end_clients(-1), 1);
    ensure(0, 1, 20000);
    add_clients(1, HTTP);
    rig_reach(&rig, one, some_in_web, "one is held");
    while (!one_is_answered(NULL) && clients.count < CLIENTS_MAX)
        add_clients(1, HTTP); /* one for each thread of the proxy is held */
    rig_reach(&rig, one, one_is_answered, "one is refused");
    ensure(1, 1, 20000);
    refused = clients.count - end_clients(200);
    CHECK(refused >= 1 && refused < CLIENTS_MAX);
    end();
}

TEST(clients_wait_on_while_the_daemon_is_gone)
{
    rig_open(&rig);
    ensure(0, 100, 20000);
    add_clients(2, HTTP);
    add_clients(2, TCP);
    rig_reach(&rig, one, some_in_both, "some are held");
    rig_reopen(&rig);
    rig_reach(&rig, one, some_in_both, "the next daemon hears of them");
    ensure(1, 100, 20000);
    CHECK_EQ(end_clients(200), 4);
    end();
}

TEST(without_leave_to_hold_they_are_refused_at_once)
{
    rig_open(&rig);
    ensure(0, 0, 20000);
    add_clients(1, HTTP);
    CHECK_EQ(end_clients(503), 1);
    end();
}

/* --- clients of our own thread --- */

static int connect_to(uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    CHECK_EQ(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

TEST(clients_that_went_away_are_forgotten)
{
    static const struct linger at_once = { .l_onoff = 1 };
    static const char question[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    rig_open(&rig);
    ensure(0, 100, 3000);
    int http = connect_to(HTTP), tcp = connect_to(TCP);
    CHECK_EQ(write(http, question, strlen(question)), strlen(question));
    rig_reach(&rig, one, some_in_both, "both are held");
    (void)setsockopt(http, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    (void)setsockopt(tcp, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(http);
    close(tcp);
    rig_reach(&rig, one, none_in_both, "none is held any more");
    end();
}

static uint64_t bytes_before;
static bool bytes_came(const struct balancer_status *status)
{
    const struct balancer_backend_status *backend = balancer_status_backend(status, "raw");

    return backend && backend->bytes > bytes_before;
}

TEST(bytes_of_a_connection_are_counted_while_it_is_open)
{
    static const char question[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    char answer[1024];

    rig_open(&rig);
    ensure(1, 100, 20000);
    int fd = connect_to(TCP);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(write(fd, question, strlen(question)), strlen(question));
        CHECK(read(fd, answer, sizeof answer) > 0);
        rig_reach(&rig, one, bytes_came, "its bytes are counted");
        bytes_before =
            balancer_status_backend(rig.balancer->ops->observe(rig.balancer, one), "raw")->bytes;
    }
    close(fd);
    end();
}
