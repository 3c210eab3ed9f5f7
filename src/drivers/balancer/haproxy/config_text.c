/* drivers/balancer/haproxy/config_text.c - HAProxy's configuration as text.
 * Words come from balancer_config_check(): none needs quoting. */
#include "drivers/balancer/haproxy/config_text.h"
#include "drivers/balancer/haproxy/holding.h"
#include <stdio.h>
#include <string.h>

enum {
    HARD_STOP_S = 600,          /* how long a proxy that was replaced may finish connections */
    REQUEST_TIMEOUT_MS = 15000, /* headers must have come; against clients that dawdle */
    SAMPLED_ABOVE = 500,        /* requests per second; up to there each is measured */
    SAMPLED_ONE_IN = 64,
    FIRST_CHECK_MS = 200, /* between checks of one that is down: it joins soon */
};

void endpoint_format(const struct ip_addr *addr, uint16_t port, char to[ENDPOINT_TEXT_SIZE])
{
    char text[IP_TEXT_SIZE];

    ip_format(addr, text);
    (void)snprintf(to, ENDPOINT_TEXT_SIZE, addr->family == 6 ? "[%s]:%u" : "%s:%u", text, port);
}

/* --- the whole process --- */

static void add_global(const struct balancer_config *config, const struct config_facts *facts,
                       struct buf *to)
{
    unsigned wanted = 0;

    for (size_t i = 0; i < config->listener_count; i++)
        wanted += config->listeners[i].connections_max;
    buf_printf(to,
               "# %s\n"
               "global\n"
               "  stats socket fd@%d level admin\n"
               "  log %s len 256 format raw local0 info\n"
               "  nbthread %u\n"
               "  maxconn %u\n"
               "  hard-stop-after %ds\n"
               "  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets\n"
               "  ssl-default-bind-ciphers ECDHE+AESGCM:ECDHE+CHACHA20\n"
               "  quiet\n",
               config->name, ADMIN_FD, facts->log_socket, facts->threads,
               wanted < facts->connections_max ? wanted : facts->connections_max, HARD_STOP_S);
    if (holding_is_wanted(config))
        buf_printf(to, "  lua-load-per-thread %s/" HOLDING_SCRIPT_NAME "\n", facts->folder);
    buf_add_text(to,
               "\n"
               "defaults\n"
               "  log global\n"
               "  retries 3\n"
               "  option redispatch\n"
               "  option dontlognull\n"
               "  option idle-close-on-response\n");
    /* Bytes of a connection are counted as they pass, and not at its end: they keep a group awake. */
    if (holding_is_wanted(config))
        buf_add_text(to, "  option contstats\n");
}

/* --- listeners --- */

static void add_hosts(const struct balancer_route *route, size_t index, struct buf *to)
{
    for (char **host = route->hosts; host && *host; host++) {
        bool is_wild = str_starts(*host, "*.");
        buf_printf(to, "  acl h%zu req.hdr(host),host_only,lower -m %s -i %s\n", index,
                   is_wild ? "end" : "str", is_wild ? *host + 1 : *host);
    }
}

/* Whole segments: /api is /api and /api/x but not /apix. */
static void add_paths(const struct balancer_route *route, size_t index, struct buf *to)
{
    for (char **path = route->paths; path && *path; path++) {
        bool ends_in_slash = str_ends(*path, "/");
        buf_printf(to, "  acl p%zu path -m beg %s%s\n", index, *path, ends_in_slash ? "" : "/");
        if (!ends_in_slash)
            buf_printf(to, "  acl p%zu path -m str %s\n", index, *path);
    }
}

static void add_route(const struct balancer_route *route, size_t index, struct buf *to)
{
    bool by_host = route->hosts && route->hosts[0], by_path = route->paths && route->paths[0];

    add_hosts(route, index, to);
    add_paths(route, index, to);
    buf_printf(to, "  use_backend " BACKEND_PREFIX "%s", route->backend);
    if (by_host || by_path)
        buf_add_text(to, " if");
    if (by_host)
        buf_printf(to, " h%zu", index);
    if (by_path)
        buf_printf(to, " p%zu", index);
    buf_add_char(to, '\n');
}

static void add_http(const struct balancer_listener *listener, struct buf *to)
{
    buf_printf(to,
               "  timeout http-request %dms\n"
               "  option forwardfor\n"
               "  http-request set-header X-Forwarded-Proto %s\n"
               "  log-format \"%%b %%Ta %%ST\"\n"
               "  http-request set-log-level silent if { fe_req_rate gt %d } !{ rand(%d) eq 0 }\n",
               REQUEST_TIMEOUT_MS, listener->protocol == BALANCER_HTTPS ? "https" : "http",
               SAMPLED_ABOVE, SAMPLED_ONE_IN);
    for (size_t i = 0; i < listener->route_count; i++)
        add_route(&listener->routes[i], i, to);
}

static void add_listener(const struct balancer_listener *listener, size_t index,
                         const struct config_facts *facts, struct buf *to)
{
    bool is_http = listener->protocol != BALANCER_TCP;
    char endpoint[ENDPOINT_TEXT_SIZE];

    /* The place is no more than a remark, but by it another one is another configuration. */
    endpoint_format(&listener->addr, listener->port, endpoint);
    buf_printf(to, "\nfrontend " LISTENER_PREFIX "%s\n  # %s %s\n  mode %s\n  bind fd@%zu",
               listener->name, listener->is_inside ? "inside" : "host", endpoint,
               is_http ? "http" : "tcp", FIRST_LISTENER_FD + index);
    if (listener->accepts_proxy_header)
        buf_add_text(to, " accept-proxy");
    if (listener->protocol == BALANCER_HTTPS)
        buf_printf(to, " ssl crt %s/%s.pem alpn h2,http/1.1", facts->folder,
                   listener->name);
    buf_printf(to, "\n  maxconn %u\n  timeout client %lldms\n", listener->connections_max,
               (long long)listener->idle_timeout_ms);
    if (is_http)
        add_http(listener, to);
    else
        buf_add_text(to, "  no log\n");
    buf_printf(to, "  default_backend " BACKEND_PREFIX "%s\n", listener->backend);
}

/* --- backends --- */

static void add_algorithm(const struct balancer_backend *backend, struct buf *to)
{
    static const char *const texts[] = {
        [BALANCER_LEAST_CONNECTIONS] = "  balance leastconn\n",
        [BALANCER_ROUND_ROBIN] = "  balance roundrobin\n",
        /* consistent: only such a table takes servers at run time, and few clients move */
        [BALANCER_SOURCE] = "  balance source\n  hash-type consistent\n",
    };

    buf_add_text(to, texts[backend->algorithm]);
}

static void add_check(const struct balancer_health *health, struct buf *to)
{
    buf_printf(to, "  timeout check %lldms\n", (long long)health->timeout_ms);
    if (health->type != BALANCER_CHECK_HTTP)
        return;
    buf_printf(to,
               "  option httpchk\n  http-check send meth GET uri %s ver HTTP/1.1 hdr Host %s\n"
               "  http-check expect status 200-399\n",
               health->path, health->host ? health->host : "localhost");
}

static void add_server_check(const struct balancer_health *health, struct buf *to)
{
    long long joining_ms =
        health->interval_ms < FIRST_CHECK_MS ? health->interval_ms : FIRST_CHECK_MS;

    if (health->type == BALANCER_CHECK_NONE)
        return;
    buf_printf(to, " check inter %lldms fastinter %lldms downinter %lldms rise %u fall %u",
               (long long)health->interval_ms, joining_ms, joining_ms, health->rise, health->fall);
    if (health->type == BALANCER_CHECK_AGENT)
        buf_printf(to, " agent-check agent-port %u agent-inter %lldms", health->port,
                   (long long)health->interval_ms);
    else if (health->port)
        buf_printf(to, " port %u", health->port);
}

void config_server(const struct balancer_backend *backend, const struct balancer_member *member,
                   struct buf *to)
{
    static const char *const headers[] = { "", " send-proxy", " send-proxy-v2" };
    char endpoint[ENDPOINT_TEXT_SIZE];

    endpoint_format(&member->addr, member->port, endpoint);
    buf_add_text(to, endpoint);
    add_server_check(&backend->health, to);
    if (backend->member_connections_max)
        buf_printf(to, " maxconn %u", backend->member_connections_max);
    if (backend->member_queue_max)
        buf_printf(to, " maxqueue %u", backend->member_queue_max);
    if (backend->slow_start_ms)
        buf_printf(to, " slowstart %lldms", (long long)backend->slow_start_ms);
    /* The defaults, but servers added at run time would have 0: a connection for each request. */
    buf_add_text(to, " pool-purge-delay 5s pool-max-conn -1");
    buf_add_text(to, headers[backend->proxy_header]);
    if (backend->proxy_header && backend->health.type == BALANCER_CHECK_HTTP)
        buf_add_text(to, " check-send-proxy");
}

/* "maxqueue" of a server bounds those who wait for this very one, by a cookie. All others wait at the
 * backend, which knows no bound of its own. */
static void add_queue_limit(const struct balancer_backend *backend, struct buf *to)
{
    const char *rule = backend->is_http ? "http-request" : "tcp-request content";

    if (!backend->member_connections_max || !backend->member_queue_max)
        return;
    buf_printf(to,
               "  %s set-var(txn.places) nbsrv,mul(%u)\n"
               "  %s %s if { queue gt 0 } { queue,sub(txn.places) ge 0 }\n",
               rule, backend->member_queue_max, rule,
               backend->is_http ? "deny deny_status 503" : "reject");
}

static void add_backend(const struct balancer_backend *backend, const struct config_facts *facts,
                        struct buf *to)
{
    buf_printf(to, "\nbackend " BACKEND_PREFIX "%s\n  mode %s\n", backend->name,
               backend->is_http ? "http" : "tcp");
    add_algorithm(backend, to);
    buf_printf(to,
               "  timeout connect %lldms\n  timeout server %lldms\n  timeout tunnel %lldms\n"
               "  timeout queue %lldms\n",
               (long long)backend->connect_timeout_ms, (long long)backend->idle_timeout_ms,
               (long long)backend->idle_timeout_ms, (long long)backend->queue_timeout_ms);
    /* A member that hangs up before it has said anything has most likely not begun: what may be asked
     * twice (RFC 9110, 9.2.2) is sent to another. */
    if (backend->is_http)
        buf_add_text(to, "  option redispatch 1\n"
                         "  retry-on conn-failure empty-response\n"
                         "  http-request disable-l7-retry unless METH_GET\n");
    if (backend->cookie)
        buf_printf(to,
                   "  cookie %s insert indirect nocache httponly dynamic\n"
                   "  dynamic-cookie-key %s\n",
                   backend->cookie, facts->cookie_key);
    add_check(&backend->health, to);
    holding_rules(backend, facts->threads, to);
    add_queue_limit(backend, to);
    /* Compared as well: each member was made with it. */
    struct balancer_member nobody = { .addr = { .family = 4 }, .port = 1 };
    buf_add_text(to, "  # server ");
    config_server(backend, &nobody, to);
    buf_add_char(to, '\n');
}

static void add_members(const struct balancer_backend *backend, config_starts_up_fn *starts_up,
                        void *arg, struct buf *to)
{
    for (size_t i = 0; i < backend->member_count; i++) {
        const struct balancer_member *member = &backend->members[i];
        if (!starts_up(arg, backend, member))
            continue;
        buf_printf(to, "  server %s ", member->id);
        config_server(backend, member, to);
        if (member->is_draining)
            buf_add_text(to, backend->cookie ? " disabled" : " weight 0");
        buf_add_char(to, '\n');
    }
}

void config_text(const struct balancer_config *config, const struct config_open *open,
                 const struct config_facts *facts, config_starts_up_fn *starts_up, void *arg,
                 struct buf *to)
{
    add_global(config, facts, to);
    for (size_t i = 0; i < config->listener_count; i++)
        if (open->is_open[i])
            add_listener(&config->listeners[i], i, facts, to);
    for (size_t i = 0; i < config->backend_count; i++) {
        add_backend(&config->backends[i], facts, to);
        if (starts_up)
            add_members(&config->backends[i], starts_up, arg, to);
    }
}

void config_text_without_members(const char *text, struct buf *to)
{
    for (const char *line = text; line && *line;) {
        const char *end = strchr(line, '\n');
        size_t size = end ? (size_t)(end - line) + 1 : strlen(line);

        if (!str_starts(line, "  server "))
            buf_add(to, line, size);
        line += size;
    }
}
