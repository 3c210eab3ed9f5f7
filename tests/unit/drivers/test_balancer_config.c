#include "check.h"
#include "golden.h"
#include "drivers/balancer/haproxy/config_text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct ip_addr ip(const char *text)
{
    struct ip_addr addr;
    struct err err;

    CHECK_OK(ip_parse(text, &addr, &err), &err);
    return addr;
}

static struct balancer_member members[] = {
    { .id = "web-1.aa", .port = 8080 },
    { .id = "web-2.bb", .port = 8080, .is_draining = true },
    { .id = "web-3.cc", .port = 8080 },
};
static char host_a[] = "shop.example.org", host_b[] = "*.shop.example.org", path_a[] = "/api",
            path_b[] = "/static/";
static char *hosts[] = { host_a, host_b, NULL }, *paths[] = { path_a, path_b, NULL };
static char cookie[] = "VIRGA", check_path[] = "/health?deep=1", check_host[] = "web.internal";
static struct balancer_route routes[] = {
    { .hosts = hosts, .paths = paths, .backend = "api" },
    { .paths = paths, .backend = "api" },
};

static struct balancer_backend backend(const char *name)
{
    struct balancer_backend backend = { .is_http = true,
                                        .connect_timeout_ms = 2000,
                                        .queue_timeout_ms = 10000,
                                        .idle_timeout_ms = 60000,
                                        .health = { .type = BALANCER_CHECK_TCP,
                                                    .interval_ms = 2000,
                                                    .timeout_ms = 1500,
                                                    .rise = 1,
                                                    .fall = 2 } };

    (void)snprintf(backend.name, sizeof backend.name, "%s", name);
    return backend;
}

static struct balancer_listener listener(const char *name, enum balancer_protocol protocol,
                                         uint16_t port)
{
    struct balancer_listener listener = { .protocol = protocol,
                                          .port = port,
                                          .addr = ip("127.0.0.1"),
                                          .connections_max = 2000,
                                          .idle_timeout_ms = 60000,
                                          .backend = "web" };

    (void)snprintf(listener.name, sizeof listener.name, "%s", name);
    return listener;
}

static const struct config_facts facts = { .threads = 2,
                                           .connections_max = 5000,
                                           .cookie_key = "c00c1e",
                                           .log_socket = "/run/x/log",
                                           .folder = "/run/x" };
static char uid[] = "u-1", name[] = "default/web", pem[] = "secret";

static bool all(void *arg, const struct balancer_backend *of, const struct balancer_member *member)
{
    return !str_equal(member->id, "web-3.cc");
}

static char *text_of(const struct balancer_config *config, config_starts_up_fn *starts_up)
{
    struct config_open open;
    auto_buf struct buf text = { 0 };

    memset(&open, 1, sizeof open);
    config_text(config, &open, &facts, starts_up, NULL, &text);
    return buf_take(&text);
}

static struct balancer_config http_config(struct balancer_listener listeners[2],
                                          struct balancer_backend backends[2])
{
    members[0].addr = members[1].addr = ip("10.0.0.2");
    members[2].addr = ip("fd00::2");
    listeners[0] = listener("http", BALANCER_HTTP, 80);
    listeners[0].routes = routes;
    listeners[0].route_count = 2;
    listeners[1] = listener("https", BALANCER_HTTPS, 443);
    listeners[1].certificate = pem;
    listeners[1].accepts_proxy_header = true;
    backends[0] = backend("web");
    backends[0].members = members;
    backends[0].member_count = 3;
    backends[0].cookie = cookie;
    backends[0].health = (struct balancer_health){
        BALANCER_CHECK_HTTP, check_path, check_host, 9000, 500, 400, 2, 3
    };
    backends[0].member_connections_max = 100;
    backends[0].member_queue_max = 50;
    backends[0].slow_start_ms = 5000;
    backends[0].proxy_header = BALANCER_PROXY_V2;
    backends[1] = backend("api");
    backends[1].algorithm = BALANCER_SOURCE;
    return (struct balancer_config){ uid, name, listeners, 2, backends, 2 };
}

TEST(http_with_routes_tls_cookie_and_every_limit)
{
    struct balancer_listener listeners[2];
    struct balancer_backend backends[2];
    struct balancer_config config = http_config(listeners, backends);
    auto_free char *text = text_of(&config, all);
    struct err err;

    CHECK_OK(balancer_config_check(&config, &err), &err);
    golden_check("haproxy/http.cfg", text);
}

TEST(tcp_with_an_agent)
{
    struct balancer_listener listeners[1] = { listener("tcp", BALANCER_TCP, 5432) };
    struct balancer_backend backends[1] = { backend("web") };
    struct balancer_config config = { uid, name, listeners, 1, backends, 1 };
    backends[0].is_http = false;
    backends[0].algorithm = BALANCER_ROUND_ROBIN;
    backends[0].health.type = BALANCER_CHECK_AGENT;
    backends[0].health.port = 7777;
    backends[0].proxy_header = BALANCER_PROXY_V1;
    members[0].addr = members[1].addr = ip("10.0.0.2");
    members[2].addr = ip("fd00::2");
    backends[0].members = members;
    backends[0].member_count = 3;
    auto_free char *text = text_of(&config, all);
    struct err err;

    CHECK_OK(balancer_config_check(&config, &err), &err);
    golden_check("haproxy/tcp.cfg", text);
}

TEST(members_do_not_make_another_structure)
{
    struct balancer_listener listeners[2];
    struct balancer_backend backends[2];
    struct balancer_config config = http_config(listeners, backends);
    auto_free char *with = text_of(&config, all), *without = text_of(&config, NULL);
    auto_buf struct buf stripped = { 0 };

    CHECK(!str_equal(with, without));
    config_text_without_members(with, &stripped);
    CHECK_STR(stripped.bytes, without);
}

TEST(a_copy_has_everything_and_shares_nothing)
{
    struct balancer_listener listeners[2];
    struct balancer_backend backends[2];
    struct balancer_config config = http_config(listeners, backends);
    auto_clean(balancer_config_free_auto) struct balancer_config *copy =
        balancer_config_copy(&config);
    auto_free char *text = text_of(&config, all), *text_of_copy = text_of(copy, all);

    CHECK_STR(text_of_copy, text);
    CHECK_STR(copy->listeners[1].certificate, "secret");
    CHECK(copy->listeners[1].certificate != pem);
    CHECK(copy->backends[0].members != members);
}

TEST(texts_that_would_write_lines_of_their_own_are_refused)
{
    char evil[] = "/x\n  daemon";
    struct balancer_listener listeners[2];
    struct balancer_backend backends[2];
    struct balancer_config config = http_config(listeners, backends);
    struct err err;

    backends[0].health.path = evil;
    CHECK_FAILS(balancer_config_check(&config, &err), &err, ERR_INVALID);
    backends[0].health.path = check_path;
    backends[0].cookie = evil;
    CHECK_FAILS(balancer_config_check(&config, &err), &err, ERR_INVALID);
    backends[0].cookie = cookie;
    (void)snprintf(listeners[0].backend, sizeof listeners[0].backend, "nobody");
    CHECK_FAILS(balancer_config_check(&config, &err), &err, ERR_INVALID);
    CHECK_STR(err.text, "listener \"http\": there is no backend \"nobody\"");
    (void)snprintf(listeners[0].backend, sizeof listeners[0].backend, "web");
    (void)snprintf(members[0].id, sizeof members[0].id, "a b");
    CHECK_FAILS(balancer_config_check(&config, &err), &err, ERR_INVALID);
    (void)snprintf(members[0].id, sizeof members[0].id, "web-1.aa");
    backends[1].is_http = false;
    CHECK_FAILS(balancer_config_check(&config, &err), &err, ERR_INVALID);
}

TEST(backends_that_hold_load_the_script_and_count_bytes_as_they_pass)
{
    struct balancer_listener listeners[2] = { listener("http", BALANCER_HTTP, 80), listener("tcp", BALANCER_TCP, 22) };
    struct balancer_backend backends[2] = { backend("web"), backend("ssh") };
    struct balancer_config config = { uid, name, listeners, 2, backends, 2 };

    (void)snprintf(listeners[1].backend, sizeof listeners[1].backend, "ssh");
    backends[0].held_max = 100;
    backends[1].held_max = 1000;
    backends[1].is_http = false;
    auto_free char *text = text_of(&config, NULL);
    golden_check("haproxy/holding.cfg", text);
}
