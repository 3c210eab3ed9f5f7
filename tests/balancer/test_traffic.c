/* Traffic through the real driver: what must never interrupt a request, and what routes, cookies,
 * queues and certificates do to it. */
#include "../contract/balancer/rig.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/str.h"
#include "pair.h"
#include "web.h"
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FRONT = 9080, ROUND_ANSWERS = 500 };

static const char *const one = "11111111-1111-4111-8111-111111111111";
static struct rig rig;

static const struct balancer_status *observe(void)
{
    return rig.balancer->ops->observe(rig.balancer, one);
}

static unsigned count(enum balancer_member_state state)
{
    const struct balancer_backend_status *backend = balancer_status_backend(observe(), "web");
    unsigned found = 0;

    for (size_t i = 0; backend && i < backend->member_count; i++)
        found += backend->members[i].state == state;
    return found;
}

static unsigned wanted_up;
static bool so_many_up(const struct balancer_status *status)
{
    return count(BALANCER_MEMBER_UP) == wanted_up;
}
static bool drained_are_idle(const struct balancer_status *status)
{
    const struct balancer_backend_status *backend = balancer_status_backend(status, "web");

    for (size_t i = 0; i < backend->member_count; i++)
        if (backend->members[i].state == BALANCER_MEMBER_DRAINING &&
            backend->members[i].connections)
            return false;
    return count(BALANCER_MEMBER_DRAINING) > 0;
}

static void wait_up(unsigned members)
{
    wanted_up = members;
    rig_reach(&rig, one, so_many_up, "all members are up");
}

static struct balancer_config *begin(unsigned members)
{
    struct balancer_config *config = rig_config(one, members);

    rig_open(&rig);
    rig_ensure_ok(&rig, config);
    wait_up(members);
    return config;
}

static void end(struct balancer_config *config)
{
    balancer_config_free(config);
    rig_remove_ok(&rig, one);
    rig_close(&rig);
}

/* Lets the loop turn until so many more answers have come. */
struct patience {
    const struct web_running *load;
    uint64_t wanted;
};
static struct patience patience;
static bool has_answers(const struct balancer_status *status)
{
    return web_load_answers(patience.load) >= patience.wanted;
}

static void let_pass(const struct web_running *load, uint64_t answers)
{
    patience = (struct patience){ load, web_load_answers(load) + answers };
    rig_reach(&rig, one, has_answers, "the load goes on");
}

static void check_none_failed(struct web_running *load, uint64_t least)
{
    struct web_result result = web_load_stop(load);

    if (result.failures)
        check_fail(CHECK_HERE, "%llu of %llu requests failed, the first %s",
                   (unsigned long long)result.failures,
                   (unsigned long long)(result.answers + result.failures), result.first_failure);
    CHECK(result.answers >= least);
    printf("%llu requests, %.0f per second\n", (unsigned long long)result.answers,
           (double)result.answers / result.seconds);
}

/* --- what never interrupts a request --- */

/* From 'from' members to 'to', those that leave drained first. */
static void change_members(unsigned from, unsigned to)
{
    auto_clean(balancer_config_free_auto) struct balancer_config *config =
        rig_config(one, from > to ? from : to);

    if (from > to) {
        for (unsigned i = to; i < from; i++)
            config->backends[0].members[i].is_draining = true;
        rig_ensure_ok(&rig, config);
        rig_reach(&rig, one, drained_are_idle, "those that leave are idle");
        config->backends[0].member_count = to;
    }
    rig_ensure_ok(&rig, config);
    wait_up(to);
}

static void change_under_load(bool keep_alive)
{
    static const unsigned sizes[] = { 2, 5, 9, 3, 1, 8, 2 };
    struct balancer_config *config = begin(sizes[0]);
    pid_t pid = observe()->pid;
    struct web_running *load =
        web_load_start(&(struct web_load){ .port = FRONT, .clients = 8, .keep_alive = keep_alive });

    for (unsigned i = 1; i < sizeof sizes / sizeof sizes[0]; i++) {
        change_members(sizes[i - 1], sizes[i]);
        let_pass(load, ROUND_ANSWERS);
    }
    CHECK_EQ(observe()->pid, pid);
    check_none_failed(load, 6 * ROUND_ANSWERS);
    end(config);
}

TEST(no_request_fails_while_members_join_drain_and_leave_with_keep_alive)
{
    change_under_load(true);
}
TEST(no_request_fails_while_members_join_drain_and_leave_with_a_connection_each)
{
    change_under_load(false);
}

static void reload_under_load(bool keep_alive)
{
    struct balancer_config *config = begin(3);
    pid_t pid = observe()->pid;
    struct web_running *load =
        web_load_start(&(struct web_load){ .port = FRONT, .clients = 8, .keep_alive = keep_alive });

    for (unsigned i = 0; i < 10; i++) {
        config->listeners[0].idle_timeout_ms = 10000 + 1000 * (i + 1);
        rig_ensure_ok(&rig, config);
        CHECK(observe()->pid != pid);
        pid = observe()->pid;
        let_pass(load, ROUND_ANSWERS);
    }
    CHECK_EQ(observe()->restarts, 0);
    check_none_failed(load, 10 * ROUND_ANSWERS);
    end(config);
}

TEST(no_request_fails_while_listeners_change_with_keep_alive) { reload_under_load(true); }
TEST(no_request_fails_while_listeners_change_with_a_connection_each) { reload_under_load(false); }

static bool has_retired(const struct balancer_status *status) { return status->has_retired; }
static bool has_none_retired(const struct balancer_status *status) { return !status->has_retired; }

TEST(a_process_that_was_replaced_is_told_of_until_it_has_finished)
{
    struct balancer_config *config = begin(1);

    web_server_slow(rig_web_server(&rig, 1), 300);
    struct web_running *load = web_load_start(&(struct web_load){ .port = FRONT, .clients = 3 });
    let_pass(load, 3);
    CHECK(!observe()->has_retired);
    config->listeners[0].idle_timeout_ms += 1000;
    rig_ensure_ok(&rig, config);
    rig_reach(&rig, one, has_retired, "the one before goes on");
    rig_reach(&rig, one, has_none_retired, "it has ended");
    check_none_failed(load, 3);
    end(config);
}

/* Another process, and another again with the next change of members. */
static void change_listener(unsigned members)
{
    auto_clean(balancer_config_free_auto) struct balancer_config *config = rig_config(one, members);

    config->listeners[0].idle_timeout_ms += 1000;
    rig_ensure_ok(&rig, config);
}

TEST(a_hundred_thousand_requests_pass_members_listeners_and_restarts_of_the_daemon)
{
    struct balancer_config *config = begin(3);
    struct web_running *load =
        web_load_start(&(struct web_load){ .port = FRONT, .clients = 8, .keep_alive = true });
    unsigned members = 3;

    for (unsigned i = 0; web_load_answers(load) < 100000; i++) {
        unsigned next = 1 + (members + 3) % 9;
        if (i % 3 == 1)
            rig_reopen(&rig);
        if (i % 3 == 2)
            change_listener(members);
        change_members(members, members);
        change_members(members, next);
        members = next;
        let_pass(load, 10 * ROUND_ANSWERS);
    }
    check_none_failed(load, 100000);
    end(config);
}

static bool has_restarted(const struct balancer_status *status)
{
    return status->restarts == 1 && status->state == BALANCER_RUNNING;
}

TEST(clients_wait_while_a_proxy_that_died_comes_back)
{
    struct balancer_config *config = begin(2);
    char body[64];

    CHECK_EQ(kill(observe()->pid, SIGSTOP), 0); /* it dies before the request can be seen */
    struct web_running *load = web_load_start(&(struct web_load){ .port = FRONT, .clients = 1 });
    CHECK_EQ(kill(observe()->pid, SIGKILL), 0);
    rig_reach(&rig, one, has_restarted, "it was restarted");
    let_pass(load, 10);
    (void)web_load_stop(load); /* what the dead one had accepted is lost with it */
    CHECK_EQ(web_get(&(struct web_request){ .port = FRONT }, body, sizeof body), 200);
    CHECK_CONTAINS(observe()->last_end, "signal 9");
    end(config);
}

static bool has_counted_twelve(const struct balancer_status *status)
{
    const struct balancer_backend_status *backend = balancer_status_backend(status, "web");

    return backend && backend->requests >= 12;
}

TEST(what_a_member_hangs_up_on_is_asked_of_another)
{
    struct balancer_config *config = begin(2);
    char body[64];

    web_server_hang_up(rig_web_server(&rig, 1), 5);
    for (unsigned i = 0; i < 12; i++)
        CHECK_EQ(web_get(&(struct web_request){ .port = FRONT }, body, sizeof body), 200);
    rig_reach(&rig, one, has_counted_twelve, "the requests are counted");
    CHECK_EQ(balancer_status_backend(observe(), "web")->errors, 0);
    end(config);
}

TEST(no_more_wait_than_may)
{
    struct balancer_config *config = begin(1);

    config->backends[0].member_connections_max = 1;
    config->backends[0].member_queue_max = 2;
    rig_ensure_ok(&rig, config);
    wait_up(1);
    web_server_slow(rig_web_server(&rig, 1), 20);
    struct web_running *few =
        web_load_start(&(struct web_load){ .port = FRONT, .clients = 2, .keep_alive = true });
    let_pass(few, 20);
    check_none_failed(few, 20);
    struct web_running *many =
        web_load_start(&(struct web_load){ .port = FRONT, .clients = 8, .keep_alive = true });
    let_pass(many, 20);
    struct web_result result = web_load_stop(many);
    CHECK(result.failures > 0);
    CHECK_CONTAINS(result.first_failure, "503");
    end(config);
}

/* --- routes, cookies, headers --- */

static struct balancer_config *with_backend(struct balancer_config *config, const char *name,
                                            unsigned member)
{
    struct balancer_backend *added;

    config->backends = mem_resize(config->backends, 2 * sizeof *config->backends);
    auto_clean(balancer_config_free_auto) struct balancer_config *other =
        balancer_config_copy(config);
    added = &config->backends[config->backend_count++];
    *added = other->backends[0];
    other->backend_count = 0;
    (void)snprintf(added->name, sizeof added->name, "%s", name);
    added->member_count = 1;
    added->members[0].port = rig_member_port(member);
    (void)snprintf(added->members[0].id, sizeof added->members[0].id, "member-%u", member);
    return config;
}

static char **texts(const char *text)
{
    char **list = mem_zero(2 * sizeof list[0]);

    list[0] = str_dup(text);
    return list;
}

static bool api_is_up(const struct balancer_status *status)
{
    const struct balancer_backend_status *backend = balancer_status_backend(status, "api");

    return backend && backend->member_count == 1 &&
           backend->members[0].state == BALANCER_MEMBER_UP && count(BALANCER_MEMBER_UP) == 1;
}

TEST(hosts_and_paths_choose_the_backend)
{
    static const struct row {
        const char *host, *path, *answer;
    } rows[] = {
        { "shop.example.org", "/api", "member-7" },
        { "shop.example.org", "/api/x?y=1", "member-7" },
        { "shop.example.org:80", "/api/x", "member-7" },
        { "shop.example.org", "/apix", "member-1" },
        { "SHOP.example.org", "/api", "member-7" },
        { "other.example.org", "/api", "member-1" },
        { "a.wild.org", "/", "member-7" },
        { "wild.org", "/", "member-1" },
        { "a.b.wild.org", "/z", "member-7" },
        { "shop.example.org", "/", "member-1" },
    };
    struct balancer_config *config = with_backend(rig_config(one, 1), "api", 7);
    struct balancer_listener *listener = &config->listeners[0];

    listener->routes = mem_zero(2 * sizeof *listener->routes);
    listener->route_count = 2;
    listener->routes[0] =
        (struct balancer_route){ texts("shop.example.org"), texts("/api"), "api" };
    listener->routes[1] = (struct balancer_route){ texts("*.wild.org"), NULL, "api" };
    rig_open(&rig);
    rig_ensure_ok(&rig, config);
    rig_reach(&rig, one, api_is_up, "both are up");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char body[64];
        CHECK_EQ(web_get(&(struct web_request){ FRONT, rows[i].path, rows[i].host, NULL }, body,
                         sizeof body),
                 200);
        if (!str_equal(body, rows[i].answer))
            check_fail(CHECK_HERE, "%s%s went to %s", rows[i].host, rows[i].path, body);
    }
    end(config);
}

TEST(a_cookie_keeps_a_client_at_its_member_also_over_another_process)
{
    struct balancer_config *config = rig_config(one, 3);
    char whole[2048], cookie[128] = "Cookie: ", first[64], again[64];

    config->backends[0].cookie = str_dup("VIRGA");
    rig_open(&rig);
    rig_ensure_ok(&rig, config);
    wait_up(3);
    CHECK_EQ(web_get_whole(&(struct web_request){ .port = FRONT }, whole, sizeof whole), 200);
    const char *set = strcasestr(whole, "set-cookie: VIRGA=");
    CHECK(set != NULL);
    (void)snprintf(cookie + 8, sizeof cookie - 8, "%.*s\r\n", (int)strcspn(set + 12, ";"),
                   set + 12);
    CHECK_EQ(web_get(&(struct web_request){ FRONT, "/", NULL, cookie }, first, sizeof first), 200);
    for (unsigned i = 0; i < 12; i++) {
        if (i == 6) {
            config->listeners[0].idle_timeout_ms += 1000;
            rig_ensure_ok(&rig, config);
        }
        CHECK_EQ(web_get(&(struct web_request){ FRONT, "/", NULL, cookie }, again, sizeof again),
                 200);
        CHECK_STR(again, first);
    }
    end(config);
}

static bool nobody_drains_with_requests(const struct balancer_status *status)
{
    const struct balancer_backend_status *backend = balancer_status_backend(status, "web");

    for (size_t i = 0; backend && i < backend->member_count; i++)
        if (backend->members[i].state == BALANCER_MEMBER_DRAINING)
            return backend->members[i].connections == 0;
    return false;
}

TEST(a_cookie_keeps_nobody_at_a_member_that_leaves)
{
    struct balancer_config *config = rig_config(one, 2);
    char whole[2048], cookie[128] = "Cookie: ", first[64], again[64];

    config->backends[0].cookie = str_dup("VIRGA");
    rig_open(&rig);
    rig_ensure_ok(&rig, config);
    wait_up(2);
    CHECK_EQ(web_get_whole(&(struct web_request){ .port = FRONT }, whole, sizeof whole), 200);
    const char *set = strcasestr(whole, "set-cookie: VIRGA=");
    CHECK(set != NULL);
    (void)snprintf(cookie + 8, sizeof cookie - 8, "%.*s\r\n", (int)strcspn(set + 12, ";"), set + 12);
    CHECK_EQ(web_get(&(struct web_request){ FRONT, "/", NULL, cookie }, first, sizeof first), 200);
    struct balancer_member *leaving = &config->backends[0].members[str_equal(first, "member-2")];
    leaving->is_draining = true;
    rig_ensure_ok(&rig, config);
    rig_reach(&rig, one, nobody_drains_with_requests, "one drains");
    CHECK_EQ(web_get(&(struct web_request){ FRONT, "/", NULL, cookie }, again, sizeof again), 200);
    CHECK(!str_equal(again, first));
    config->listeners[0].idle_timeout_ms += 1000; /* another process */
    rig_ensure_ok(&rig, config);
    CHECK_EQ(web_get(&(struct web_request){ FRONT, "/", NULL, cookie }, again, sizeof again), 200);
    CHECK(!str_equal(again, first));
    leaving->is_draining = false;
    rig_ensure_ok(&rig, config);
    wait_up(2);
    CHECK_EQ(web_get(&(struct web_request){ FRONT, "/", NULL, cookie }, again, sizeof again), 200);
    CHECK_STR(again, first);
    end(config);
}

/* --- certificates --- */

TEST(a_certificate_is_replaced_without_another_process_or_a_lost_connection)
{
    struct balancer_config *config = rig_config(one, 1);
    auto_free char *first = pair_make("first.example.org"),
                   *second = pair_make("second.example.org");
    char name[128];

    config->listeners[0].protocol = BALANCER_HTTPS;
    config->listeners[0].certificate = str_dup(first);
    rig_open(&rig);
    rig_ensure_ok(&rig, config);
    wait_up(1);
    pid_t pid = observe()->pid;
    struct pair_client *client = pair_connect(FRONT);
    CHECK_STR(pair_name(client, name, sizeof name), "first.example.org");
    CHECK_EQ(pair_get(client), 200);

    free(config->listeners[0].certificate);
    config->listeners[0].certificate = str_dup(second);
    rig_ensure_ok(&rig, config);
    CHECK_EQ(observe()->pid, pid);
    CHECK_EQ(pair_get(client), 200);
    struct pair_client *next = pair_connect(FRONT);
    CHECK_STR(pair_name(next, name, sizeof name), "second.example.org");
    pair_close(client);
    pair_close(next);

    kill(pid, SIGKILL); /* the one that comes back has the second as well */
    rig_reach(&rig, one, has_restarted, "it was restarted");
    next = pair_connect(FRONT);
    CHECK_STR(pair_name(next, name, sizeof name), "second.example.org");
    pair_close(next);

    free(config->listeners[0].certificate);
    config->listeners[0].certificate = str_dup(""); /* as it is */
    rig_ensure_ok(&rig, config);
    end(config);
}

TEST(a_certificate_in_force_stays_so_over_a_restart_of_the_daemon_and_another_process)
{
    struct balancer_config *config = rig_config(one, 1);
    char name[128];

    config->listeners[0].protocol = BALANCER_HTTPS;
    config->listeners[0].certificate = pair_make("first.example.org");
    rig_open(&rig);
    rig_ensure_ok(&rig, config);
    wait_up(1);
    rig_reopen(&rig);
    free(config->listeners[0].certificate);
    config->listeners[0].certificate = str_dup(""); /* the Secret has become unusable */
    config->listeners[0].idle_timeout_ms += 1000;
    rig_ensure_ok(&rig, config);
    wait_up(1);
    CHECK(observe()->listeners[0].is_open);
    struct pair_client *client = pair_connect(FRONT);
    CHECK_STR(pair_name(client, name, sizeof name), "first.example.org");
    CHECK_EQ(pair_get(client), 200);
    pair_close(client);
    end(config);
}

TEST(a_listener_that_never_had_a_certificate_keeps_no_other_from_serving)
{
    struct balancer_config *config = rig_config(one, 1);
    struct balancer_listener *listeners = mem_zero(2 * sizeof *listeners);
    char body[64];

    listeners[0] = config->listeners[0];
    listeners[1] = (struct balancer_listener){ .protocol = BALANCER_HTTPS, .addr = listeners[0].addr,
                                               .port = FRONT + 1, .certificate = str_dup(""),
                                               .connections_max = 10, .idle_timeout_ms = 1000 };
    (void)snprintf(listeners[1].name, sizeof listeners[1].name, "bare");
    (void)snprintf(listeners[1].backend, sizeof listeners[1].backend, "%s", listeners[0].backend);
    free(config->listeners);
    config->listeners = listeners;
    config->listener_count = 2;
    rig_open(&rig);
    rig_ensure_ok(&rig, config);
    wait_up(1);
    CHECK_EQ(web_get(&(struct web_request){ .port = FRONT }, body, sizeof body), 200);
    CHECK(!observe()->listeners[1].is_open);
    CHECK_STR(observe()->listeners[1].problem, "it has no certificate");
    end(config);
}

TEST(http_2_is_spoken_with_tls_and_without)
{
    static const char *const rows[][2] = { { "--http2", "https://127.0.0.1:9080/" },
                                           { "--http2-prior-knowledge",
                                             "http://127.0.0.1:9080/" } };

    for (unsigned i = 0; i < 2; i++) {
        struct balancer_config *config = rig_config(one, 1);
        const char *const argv[] = {
            "curl",     "-sk", rows[i][0], "-o", "/dev/null", "-w", "%{http_version} %{http_code}",
            rows[i][1], NULL
        };
        struct spawn spawn = { .argv = argv };
        auto_buf struct buf said = { 0 };
        struct err err;

        if (i == 0) {
            config->listeners[0].protocol = BALANCER_HTTPS;
            config->listeners[0].certificate = pair_make("first.example.org");
        }
        rig_open(&rig);
        rig_ensure_ok(&rig, config);
        wait_up(1);
        CHECK_OK(spawn_wait(&spawn, &said, &err), &err);
        CHECK_STR(said.bytes, "2 200");
        end(config);
    }
}

TEST(keys_are_in_no_file_that_others_can_read_and_in_no_argument)
{
    struct balancer_config *config = rig_config(one, 1);
    auto_free char *pem = pair_make("first.example.org");
    auto_buf struct buf arguments = { 0 };
    char path[256];
    struct stat status;
    struct err err;

    config->listeners[0].protocol = BALANCER_HTTPS;
    config->listeners[0].certificate = str_dup(pem);
    rig_open(&rig);
    rig_ensure_ok(&rig, config);
    (void)snprintf(path, sizeof path, "%s/%s/http.pem", rig.setup.run_dir, one);
    CHECK_EQ(stat(path, &status), 0);
    CHECK_EQ(status.st_mode & 0777, 0400);
    (void)snprintf(path, sizeof path, "%s/%s", rig.setup.run_dir, one);
    CHECK_EQ(stat(path, &status), 0);
    CHECK_EQ(status.st_mode & 0007, 0);
    (void)snprintf(path, sizeof path, "/proc/%d/cmdline", (int)observe()->pid);
    CHECK_OK(file_read(path, 4096, &arguments, &err), &err);
    CHECK(memmem(arguments.bytes, arguments.size, "KEY", 3) == NULL);
    (void)snprintf(path, sizeof path, "/proc/%d", (int)observe()->pid);
    CHECK_EQ(stat(path, &status), 0);
    CHECK(status.st_uid >= rig.setup.uid_base);
    end(config);
}

/* --- members in another network namespace --- */

struct inside {
    int netns_fd;
    struct web_server *server;
};

static void *go_inside(void *arg)
{
    struct inside *inside = arg;
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };

    if (unshare(CLONE_NEWNET) < 0)
        abort();
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        abort();
    close(fd);
    inside->netns_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    inside->server = web_server_new("inside", rig_member_port(1));
    return NULL;
}

TEST(members_and_listeners_are_in_the_network_that_was_handed_over)
{
    struct inside inside = { 0 };
    pthread_t thread;
    struct wait wait;
    char body[64];

    CHECK_EQ(pthread_create(&thread, NULL, go_inside, &inside), 0);
    pthread_join(thread, NULL);
    rig_open(&rig);
    struct balancer_config *config = rig_config(one, 1);
    rig.balancer->ops->ensure(rig.balancer, config, dup(inside.netns_fd), wait_done(&rig, &wait));
    rig_wait(&rig, &wait);
    CHECK_STR(wait.err.text, "");
    wait_up(1);
    CHECK_EQ(web_get(&(struct web_request){ .port = FRONT }, body, sizeof body), 200);
    CHECK_STR(body, "inside"); /* and not the host's member-1 on the same port */

    config->listeners[0].is_inside = true;
    rig.balancer->ops->ensure(rig.balancer, config, dup(inside.netns_fd), wait_done(&rig, &wait));
    rig_wait(&rig, &wait);
    CHECK_STR(wait.err.text, "");
    CHECK(observe()->listeners[0].is_open);
    CHECK_EQ(web_get(&(struct web_request){ .port = FRONT }, body, sizeof body),
             -1); /* not on the host */
    end(config);
    web_server_free(inside.server);
    close(inside.netns_fd);
}

/* --- every setting --- */

TEST(haproxy_takes_every_setting_in_its_configuration_and_at_run_time)
{
    static const enum balancer_check checks[] = { BALANCER_CHECK_NONE, BALANCER_CHECK_TCP,
                                                  BALANCER_CHECK_HTTP, BALANCER_CHECK_AGENT };

    for (unsigned i = 0; i < 12; i++) {
        auto_clean(balancer_config_free_auto) struct balancer_config *config = rig_config(one, 1);
        struct balancer_backend *backend = &config->backends[0];
        backend->is_http = i % 2;
        config->listeners[0].protocol = i % 2 ? BALANCER_HTTP : BALANCER_TCP;
        config->listeners[0].accepts_proxy_header = i > 5;
        backend->algorithm = (enum balancer_algorithm)(i % 3);
        backend->proxy_header = (enum balancer_proxy_header)(i / 2 % 3);
        backend->health.type = checks[i % 4];
        backend->health.path = str_dup("/health?x=1&y=(2)");
        backend->health.host = str_dup("web.internal");
        backend->health.port = 7777;
        backend->cookie = i % 4 == 1 ? str_dup("C") : NULL;
        backend->member_connections_max = 10;
        backend->member_queue_max = 20;
        backend->slow_start_ms = 3000;
        backend->members[0].is_proven = true; /* written into the configuration */
        rig_open(&rig);
        rig_ensure_ok(&rig, config);
        backend->members[1] = backend->members[0]; /* added at run time */
        (void)snprintf(backend->members[1].id, sizeof backend->members[1].id, "fd00::2");
        backend->member_count = 2;
        rig_ensure_ok(&rig, config);
        CHECK_EQ(balancer_status_backend(observe(), "web")->member_count, 2);
        CHECK_EQ(count(BALANCER_MEMBER_LEAVING) + count(BALANCER_MEMBER_DRAINING), 0);
        rig_remove_ok(&rig, one);
        rig_close(&rig);
    }
}

/* --- figures --- */

static bool has_figures(const struct balancer_status *status)
{
    const struct balancer_backend_status *backend = balancer_status_backend(status, "web");

    return backend && backend->request_rate > 0 && backend->p50_ms >= 0 &&
           status->listeners[0].request_rate > 0 && backend->members[0].request_rate > 0;
}

TEST(figures_tell_rates_and_percentiles)
{
    struct balancer_config *config = begin(2);
    struct web_running *load =
        web_load_start(&(struct web_load){ .port = FRONT, .clients = 2, .keep_alive = true });

    rig_reach(&rig, one, has_figures, "there are figures");
    const struct balancer_backend_status *backend = balancer_status_backend(observe(), "web");
    CHECK(backend->p50_ms <= backend->p90_ms && backend->p90_ms <= backend->p99_ms);
    CHECK_EQ(backend->errors, 0);
    check_none_failed(load, 1);
    end(config);
}
