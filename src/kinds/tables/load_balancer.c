/* kinds/tables/load_balancer.c - LoadBalancer: listeners, and the backends they pass traffic to. */
#include "kinds/tables/shapes.h"
#include "kinds/names.h"
#include "base/netaddr.h"
#include "base/str.h"
#include <stdio.h>
#include <string.h>

/* --- listeners --- */

static const struct field tls_fields[] = {
    { .name = "secret",
      .type = FIELD_SUBDOMAIN,
      .flags = FIELD_REQUIRED,
      .doc = "Secret of the same namespace with tls.crt (the chain) and tls.key. It may be "
             "replaced at any time; no connection is lost." },
    { 0 },
};
static const struct field route_fields[] = {
    { .name = "hosts",
      .type = FIELD_LIST,
      .flags = FIELD_LIST_SET,
      .item = TEXT_ITEM(253),
      .max = 16,
      .doc = "Host names, *.example.org too; absent: any." },
    { .name = "paths",
      .type = FIELD_LIST,
      .flags = FIELD_LIST_SET,
      .item = TEXT_ITEM(1024),
      .max = 16,
      .doc = "Beginnings of paths, in whole segments: /api is /api and /api/x; absent: any." },
    { .name = "backend",
      .type = FIELD_NAME,
      .flags = FIELD_REQUIRED,
      .doc = "Backend that gets what matches." },
    { 0 },
};
static const struct field listener_fields[] = {
    { .name = "name", .type = FIELD_NAME, .flags = FIELD_REQUIRED, .doc = "Name." },
    { .name = "protocol",
      ENUM("TCP", "HTTP", "HTTPS"),
      .fallback = "\"HTTP\"",
      .doc = "What is spoken; HTTPS ends TLS here. HTTP and HTTPS take HTTP/1.1, HTTP/2 and "
             "WebSocket." },
    { .name = "address",
      .type = FIELD_IP,
      .doc = "Address of the host to listen on; absent: all of IPv4. With 'network' the "
             "network's gateway, which is also what absent means there." },
    { .name = "network",
      .type = FIELD_SUBDOMAIN,
      .doc = "Listen inside this Network instead of on the host: the one of spec.network." },
    { .name = "port", .type = FIELD_PORT, .flags = FIELD_REQUIRED, .doc = "TCP port." },
    { .name = "tls", OBJECT(tls_fields), .doc = "Certificate, of HTTPS." },
    { .name = "backend",
      .type = FIELD_NAME,
      .doc = "Backend that gets what no route matches; absent: the first backend." },
    { .name = "routes",
      .type = FIELD_LIST,
      .item = OBJECT_ITEM(route_fields),
      .max = 64,
      .doc = "Routes by host and path, of HTTP and HTTPS; the first that matches is taken." },
    { .name = "acceptProxyProtocol",
      .type = FIELD_BOOL,
      .fallback = "false",
      .doc = "Connections begin with a PROXY protocol header, and only those that do are taken." },
    { .name = "maxConnections",
      .type = FIELD_INT,
      .min = 1,
      .max = 100000,
      .fallback = "2000",
      .doc = "Connections at once; more wait to be accepted." },
    { .name = "idleTimeout",
      .type = FIELD_DURATION,
      .min = 100,
      .max = DAY_MS,
      .fallback = "\"1m\"",
      .doc = "A connection on which nothing moves for so long is closed." },
    { 0 },
};

/* --- backends --- */

static const struct field selector_fields[] = {
    { .name = "matchLabels",
      .type = FIELD_MAP,
      .flags = FIELD_REQUIRED,
      .item = TEXT_ITEM(63),
      .min = 1,
      .max = 32,
      .doc = "Labels that a member has, all of them." },
    { 0 },
};
static const struct field members_fields[] = {
    { .name = "instanceGroup", .type = FIELD_SUBDOMAIN, .doc = "Instances of this InstanceGroup." },
    { .name = "selector", OBJECT(selector_fields), .doc = "Instances with these labels." },
    { .name = "instances",
      .type = FIELD_LIST,
      .flags = FIELD_LIST_SET,
      .item = ITEM_OF(FIELD_SUBDOMAIN),
      .max = 256,
      .doc = "Instances by name." },
    { .name = "addresses",
      .type = FIELD_LIST,
      .flags = FIELD_LIST_SET,
      .item = ITEM_OF(FIELD_IP),
      .max = 256,
      .doc = "Addresses, as reached from within the network." },
    { 0 },
};
static const struct field sticky_cookie_fields[] = {
    { .name = "name",
      .type = FIELD_TEXT,
      .max = 64,
      .fallback = "\"VIRGA\"",
      .doc = "Name of the cookie." },
    { 0 },
};
static const struct field health_fields[] = {
    { .name = "type",
      ENUM("TCP", "HTTP", "Agent", "None"),
      .fallback = "\"TCP\"",
      .doc = "TCP: the port takes connections. HTTP: GET answers 2xx or 3xx. Agent: a program on "
             "the member says \"up\", \"down\", \"drain\" or a weight on a port of its own." },
    PROBE_PATH,
    { .name = "host", .type = FIELD_SUBDOMAIN, .doc = "Host name that HTTP asks for." },
    { .name = "port", .type = FIELD_PORT, .doc = "Port checked; absent: the members' port." },
    { .name = "interval",
      .type = FIELD_DURATION,
      .min = 100,
      .max = HOUR_MS,
      .fallback = "\"2s\"",
      .doc = "Time between two checks." },
    PROBE_TIMEOUT("\"2s\""),
    { .name = "rise",
      .type = FIELD_INT,
      .min = 1,
      .max = 100,
      .fallback = "1",
      .doc = "Good checks in a row until a member gets traffic." },
    { .name = "fall",
      .type = FIELD_INT,
      .min = 1,
      .max = 100,
      .fallback = "2",
      .doc = "Failed checks in a row until a member gets none." },
    { 0 },
};
static const struct field queue_fields[] = {
    { .name = "maxLength",
      .type = FIELD_INT,
      .min = 1,
      .max = 100000,
      .doc = "Requests that may wait per member; more are answered 503 (TCP: closed) at once. "
             "Absent: any number." },
    { .name = "timeout",
      .type = FIELD_DURATION,
      .min = 10,
      .max = HOUR_MS,
      .fallback = "\"10s\"",
      .doc = "How long a request waits before it is answered 503." },
    { 0 },
};
static const struct field backend_fields[] = {
    { .name = "name", .type = FIELD_NAME, .flags = FIELD_REQUIRED, .doc = "Name." },
    { .name = "members",
      OBJECT(members_fields),
      .flags = FIELD_REQUIRED,
      .doc = "Who serves: exactly one of the four." },
    { .name = "port",
      .type = FIELD_PORT,
      .flags = FIELD_REQUIRED,
      .doc = "TCP port of the members." },
    { .name = "balancing",
      ENUM("LeastConnections", "RoundRobin", "Source"),
      .fallback = "\"LeastConnections\"",
      .doc = "Which member is next: the one with the fewest connections, each in turn, or always "
             "the same for a client's address." },
    { .name = "stickyCookie",
      OBJECT(sticky_cookie_fields),
      .doc = "A cookie keeps a client at its member, with HTTP." },
    { .name = "healthCheck",
      OBJECT(health_fields),
      .fallback = "{}",
      .doc = "How members are found healthy." },
    { .name = "maxConnectionsPerMember",
      .type = FIELD_INT,
      .min = 1,
      .max = 100000,
      .doc = "Connections at once to one member; more wait in the queue. Absent: any number." },
    { .name = "queue", OBJECT(queue_fields), .fallback = "{}", .doc = "What waits for a member." },
    { .name = "proxyProtocol",
      ENUM("None", "V1", "V2"),
      .fallback = "\"None\"",
      .doc = "PROXY protocol header sent to members, which tells the client's address." },
    { .name = "connectTimeout",
      .type = FIELD_DURATION,
      .min = 10,
      .max = 10 * MINUTE_MS,
      .fallback = "\"2s\"",
      .doc = "How long connecting to a member may take before another is tried." },
    { .name = "slowStart",
      .type = FIELD_DURATION,
      .max = HOUR_MS,
      .doc = "A member's share grows from little to full over this time." },
    { .name = "drainTimeout",
      .type = FIELD_DURATION,
      .max = DAY_MS,
      .fallback = "\"30s\"",
      .doc = "How long a leaving member may finish what it has begun." },
    { 0 },
};

static const struct field spec_fields[] = {
    { .name = "network",
      .type = FIELD_SUBDOMAIN,
      .flags = FIELD_IMMUTABLE,
      .fallback = "\"default\"",
      .doc = "Network the members are in." },
    { .name = "listeners",
      NAMED_LIST(listener_fields),
      .flags = FIELD_REQUIRED,
      .min = 1,
      .max = 32,
      .doc = "Where clients connect." },
    { .name = "backends",
      NAMED_LIST(backend_fields),
      .flags = FIELD_REQUIRED,
      .min = 1,
      .max = 32,
      .doc = "Who serves." },
    { 0 },
};

/* --- status --- */

static const struct field listener_status_fields[] = {
    { .name = "name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .doc = "Listener." },
    { .name = "open", .type = FIELD_BOOL, .doc = "Clients can connect." },
    { .name = "message", .type = FIELD_TEXT, .doc = "Why not." },
    { .name = "address", .type = FIELD_TEXT, .doc = "Address and port." },
    { .name = "connections", .type = FIELD_INT, .doc = "Connections now." },
    { .name = "requestRate",
      .type = FIELD_NUMBER,
      .doc = "Requests (TCP: connections) per second." },
    { .name = "requests", .type = FIELD_INT, .doc = "Requests (TCP: connections) so far." },
    { 0 },
};
static const struct field latency_fields[] = {
    { .name = "p50", .type = FIELD_DURATION, .doc = "Half of the requests were faster." },
    { .name = "p90", .type = FIELD_DURATION, .doc = "Nine in ten were faster." },
    { .name = "p95", .type = FIELD_DURATION, .doc = "All but one in twenty were faster." },
    { .name = "p99", .type = FIELD_DURATION, .doc = "All but one in a hundred were faster." },
    { 0 },
};
static const struct field member_status_fields[] = {
    { .name = "name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .doc = "Instance or address." },
    { .name = "address", .type = FIELD_TEXT, .doc = "Address and port." },
    { .name = "state",
      ENUM("Joining", "Up", "Down", "Draining", "Leaving"),
      .doc = "Joining: not found healthy yet. Draining: gets nothing new." },
    { .name = "check", .type = FIELD_TEXT, .doc = "What the last health check found." },
    { .name = "connections",
      .type = FIELD_INT,
      .doc = "Requests (TCP: connections) being served." },
    { .name = "queue", .type = FIELD_INT, .doc = "Requests waiting for this member." },
    { .name = "requestRate", .type = FIELD_NUMBER, .doc = "Requests per second." },
    { .name = "errorRate", .type = FIELD_NUMBER, .doc = "Failed requests per second." },
    { .name = "responseTime", .type = FIELD_DURATION, .doc = "Mean of the last 1024 requests." },
    { 0 },
};
static const struct field backend_status_fields[] = {
    { .name = "name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .doc = "Backend." },
    { .name = "members", .type = FIELD_INT, .doc = "Members in any state." },
    { .name = "healthy", .type = FIELD_INT, .doc = "Members that get traffic." },
    { .name = "queue", .type = FIELD_INT, .doc = "Requests waiting for a member." },
    { .name = "requestRate", .type = FIELD_NUMBER, .doc = "Requests per second." },
    { .name = "errorRate", .type = FIELD_NUMBER, .doc = "Failed requests (5xx) per second." },
    { .name = "requests", .type = FIELD_INT, .doc = "Requests so far." },
    { .name = "errors", .type = FIELD_INT, .doc = "Failed requests so far." },
    { .name = "latency",
      OBJECT(latency_fields),
      .doc = "Time from request to the end of the answer, over the last ten seconds; HTTP." },
    { .name = "memberStatus",
      .type = FIELD_LIST,
      .item = OBJECT_ITEM(member_status_fields),
      .doc = "Members, each with health and load." },
    { 0 },
};
static const struct field status_fields[] = {
    STATUS_COMMON,
    PHASE("Ready: every listener is open and every backend has a healthy member.",
          "Pending", "Ready", "Degraded", "Failed", "Terminating"),
    { .name = "message", .type = FIELD_TEXT, .doc = "What is wrong." },
    { .name = "addresses",
      .type = FIELD_LIST,
      .item = ITEM_OF(FIELD_TEXT),
      .doc = "Addresses and ports that clients can connect to." },
    { .name = "healthy", .type = FIELD_INT, .doc = "Members that get traffic." },
    { .name = "members", .type = FIELD_INT, .doc = "Members in any state." },
    { .name = "requestRate", .type = FIELD_NUMBER, .doc = "Requests per second." },
    { .name = "restartCount", .type = FIELD_INT, .doc = "Crashes of the proxy that were mended." },
    { .name = "readTime", .type = FIELD_TIME, .doc = "When the figures were read." },
    { .name = "listeners", NAMED_LIST(listener_status_fields), .doc = "Listeners." },
    { .name = "backends", NAMED_LIST(backend_status_fields), .doc = "Backends." },
    { 0 },
};

static const struct field fields[] = {
    SPEC(spec_fields, "What should be."),
    STATUS(status_fields, "What is."),
    { 0 },
};

static const struct column columns[] = {
    COLUMN_NAME,
    { "Phase", "string", "status.phase", 0, "Whether it serves" },
    { "Addresses", "string", "status.addresses", 0, "Where clients connect" },
    { "Healthy", "integer", "status.healthy", 0, "Members that get traffic" },
    { "Members", "integer", "status.members", 0, "Members in any state" },
    { "Requests/s", "number", "status.requestRate", 0, "Requests per second" },
    COLUMN_AGE,
    { "Network", "string", "spec.network", 1, "Network of the members" },
    { "Restarts", "integer", "status.restartCount", 1, "Crashes mended" },
    { "Message", "string", "status.message", 1, "What is wrong" },
    { 0 },
};

/* --- rules that span fields --- */

struct place {
    const json_t *spec;
    struct causes *causes;
    char path[96]; /* "spec.listeners[0]" */
};

static const json_t *backend_named(const json_t *spec, const char *name)
{
    const json_t *backends = json_object_get(spec, "backends");
    size_t i;
    json_t *backend;

    json_array_foreach (backends, i, backend)
        if (!name || str_equal(json_text_at(backend, "name", NULL), name))
            return backend;
    return NULL;
}

static void check_backend_exists(const struct place *place, const json_t *holder, const char *path)
{
    const char *name = json_text_at(holder, "backend", NULL);
    auto_free char *field = str_printf("%s.backend", path);

    if (name && !backend_named(place->spec, name))
        causes_add(place->causes, "FieldValueNotFound", field,
                   "Not found: there is no backend \"%s\" in spec.backends", name);
}

/* What is written into the proxy's configuration: no blanks, quotes, or anything it expands. */
static bool is_plain(const char *text, const char *allowed)
{
    for (const char *c = text; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
              strchr(allowed, *c)))
            return false;
    return text[0] != '\0';
}

static bool is_host_pattern(const char *text)
{
    return is_plain(str_starts(text, "*.") ? text + 2 : text, "-.");
}

static bool is_path(const char *text)
{
    return text[0] == '/' && is_plain(text, "/-._~!&()*+,;=:@");
}

static void check_texts(const struct place *place, const json_t *list, const char *path,
                        bool (*is_right)(const char *text), const char *wanted)
{
    size_t i;
    json_t *item;

    json_array_foreach (list, i, item) {
        auto_free char *field = str_printf("%s[%zu]", path, i);
        if (json_is_string(item) && !is_right(json_string_value(item)))
            causes_invalid(place->causes, field, item, "must be %s", wanted);
    }
}

static void check_route(const struct place *place, const json_t *route, size_t index)
{
    auto_free char *path = str_printf("%s.routes[%zu]", place->path, index);
    auto_free char *hosts = str_printf("%s.hosts", path);
    auto_free char *paths = str_printf("%s.paths", path);

    check_texts(place, json_object_get(route, "hosts"), hosts, is_host_pattern,
                "a host name, or one after \"*.\"");
    check_texts(place, json_object_get(route, "paths"), paths, is_path,
                "a path of letters, digits and /-._~!&()*+,;=:@ that begins with /");
    check_backend_exists(place, route, path);
}

static void forbid(const struct place *place, const json_t *holder, const char *name,
                   const char *why)
{
    const json_t *value = json_object_get(holder, name);
    auto_free char *field = str_printf("%s.%s", place->path, name);

    if (value && (!json_is_array(value) || json_array_size(value)))
        causes_add(place->causes, "FieldValueForbidden", field, "Forbidden: %s", why);
}

/* Inside a network nobody reaches its namespace's own loopback. */
static void check_address_inside(const struct place *place, const json_t *listener)
{
    static const struct ip_addr loopback6 = { 6, { [15] = 1 } };
    const json_t *address = json_object_get(listener, "address");
    auto_free char *field = str_printf("%s.address", place->path);
    struct ip_addr addr;
    struct err err;

    if (!json_object_get(listener, "network") || !json_is_string(address) ||
        ip_parse(json_string_value(address), &addr, &err) < 0)
        return;
    if ((addr.family == 4 && addr.octet[0] == 127) || ip_equal(&addr, &loopback6))
        causes_invalid(place->causes, field, address,
                       "must be the gateway of the network, as when it is left out: nobody reaches loopback there");
}

static void check_listener(const struct place *place, const json_t *listener)
{
    const char *protocol = json_text_at(listener, "protocol", "HTTP");
    const char *network = json_text_at(listener, "network", NULL);
    const json_t *routes = json_object_get(listener, "routes");
    auto_free char *tls = str_printf("%s.tls", place->path);
    auto_free char *network_field = str_printf("%s.network", place->path);
    size_t i;
    json_t *route;

    if (!str_equal(protocol, "HTTPS"))
        forbid(place, listener, "tls", "only a listener with protocol HTTPS ends TLS");
    else if (!json_object_get(listener, "tls"))
        causes_add(place->causes, "FieldValueRequired", tls,
                   "Required value: protocol HTTPS needs a certificate");
    if (str_equal(protocol, "TCP"))
        forbid(place, listener, "routes", "only HTTP and HTTPS are routed by host and path");
    json_array_foreach (routes, i, route)
        check_route(place, route, i);
    check_backend_exists(place, listener, place->path);
    check_address_inside(place, listener);
    if (network && !str_equal(network, json_text_at(place->spec, "network", "default")))
        causes_add(
            place->causes, "FieldValueInvalid", network_field,
            "Invalid value: \"%s\": must be the network of the members, spec.network (\"%s\")",
            network, json_text_at(place->spec, "network", "default"));
}

static bool is_unspecified(const struct ip_addr *addr)
{
    return ip_equal(addr, &(struct ip_addr){ addr->family, { 0 } });
}

/* On the host an address that is absent is 0.0.0.0; inside a network each is the gateway's. */
bool listeners_collide(const json_t *a, const json_t *b)
{
    const char *network = json_text_at(a, "network", NULL);
    struct ip_addr a_addr, b_addr;
    struct err err;

    if (json_int_at(a, "port", 0) != json_int_at(b, "port", -1) ||
        !str_equal(network, json_text_at(b, "network", NULL)) ||
        ip_parse(json_text_at(a, "address", "0.0.0.0"), &a_addr, &err) < 0 ||
        ip_parse(json_text_at(b, "address", "0.0.0.0"), &b_addr, &err) < 0 || a_addr.family != b_addr.family)
        return false;
    return network || ip_equal(&a_addr, &b_addr) || is_unspecified(&a_addr) || is_unspecified(&b_addr);
}

static void check_ports(const json_t *spec, struct causes *causes)
{
    const json_t *listeners = json_object_get(spec, "listeners");

    for (size_t i = 0; i < json_array_size(listeners); i++)
        for (size_t j = 0; j < i; j++) {
            const json_t *mine = json_array_get(listeners, i),
                         *other = json_array_get(listeners, j);
            auto_free char *field = str_printf("spec.listeners[%zu].port", i);
            if (!listeners_collide(mine, other))
                continue;
            causes_add(causes, "FieldValueDuplicate", field,
                       "Duplicate value: %lld is the port of listener \"%s\" too",
                       (long long)json_int_at(mine, "port", 0), json_text_at(other, "name", ""));
            break;
        }
}

/* Which protocols the listeners speak that pass traffic to a backend. */
static void find_use(const json_t *spec, const char *backend, bool *ret_http, bool *ret_tcp)
{
    const json_t *listeners = json_object_get(spec, "listeners");
    const char *first = json_text_at(backend_named(spec, NULL), "name", "");
    size_t i, j;
    json_t *listener, *route;

    json_array_foreach (listeners, i, listener) {
        bool uses = str_equal(json_text_at(listener, "backend", first), backend);
        json_array_foreach (json_object_get(listener, "routes"), j, route)
            uses |= str_equal(json_text_at(route, "backend", NULL), backend);
        if (uses)
            *(str_equal(json_text_at(listener, "protocol", "HTTP"), "TCP") ? ret_tcp : ret_http) =
                true;
    }
}

static void check_cookie(const struct place *place, const json_t *backend, bool is_tcp)
{
    const json_t *name = json_at(backend, "stickyCookie.name");
    auto_free char *cookie_field = str_printf("%s.stickyCookie", place->path);
    auto_free char *name_field = str_printf("%s.name", cookie_field);

    if (name && is_tcp)
        causes_add(place->causes, "FieldValueForbidden", cookie_field,
                   "Forbidden: a TCP listener passes traffic to this backend; cookies are of HTTP");
    if (json_is_string(name) && !is_plain(json_string_value(name), "-_."))
        causes_invalid(place->causes, name_field, name, "must be letters, digits, '-', '_' and '.'");
}

static void check_backend(const struct place *place, const json_t *backend)
{
    const json_t *members = json_object_get(backend, "members");
    const json_t *path = json_at(backend, "healthCheck.path");
    auto_free char *members_field = str_printf("%s.members", place->path);
    auto_free char *port_field = str_printf("%s.healthCheck.port", place->path);
    auto_free char *path_field = str_printf("%s.healthCheck.path", place->path);
    bool http = false, tcp = false;

    if (str_equal(json_text_at(backend, "healthCheck.type", NULL), "Agent") &&
        !json_at(backend, "healthCheck.port"))
        causes_add(place->causes, "FieldValueRequired", port_field,
                   "Required value: the agent listens on a port of its own");
    if (json_is_object(members) && json_object_size(members) != 1)
        causes_add(place->causes, "FieldValueInvalid", members_field,
                   "Invalid value: must have exactly one of instanceGroup, selector, instances "
                   "and addresses");
    find_use(place->spec, json_text_at(backend, "name", ""), &http, &tcp);
    if (http && tcp)
        causes_add(place->causes, "FieldValueInvalid", place->path,
                   "Invalid value: a TCP and an HTTP listener can't share a backend; make two");
    check_cookie(place, backend, tcp);
    if (json_is_string(path) && !text_is_path_and_query(json_string_value(path)))
        causes_invalid(place->causes, path_field, path,
                       "must be a path and query that begins with /");
}

static void check(const json_t *object, const json_t *old, struct causes *causes)
{
    const json_t *spec = json_object_get(object, "spec");
    struct place place = { spec, causes, "" };
    size_t i;
    json_t *item;

    json_array_foreach (json_object_get(spec, "listeners"), i, item) {
        (void)snprintf(place.path, sizeof place.path, "spec.listeners[%zu]", i);
        check_listener(&place, item);
    }
    json_array_foreach (json_object_get(spec, "backends"), i, item) {
        (void)snprintf(place.path, sizeof place.path, "spec.backends[%zu]", i);
        check_backend(&place, item);
    }
    check_ports(spec, causes);
}

const struct kind kind_load_balancer = {
    VIRGA_KIND("LoadBalancer", "loadbalancers", "loadbalancer"),
    .short_names = TEXTS("lb"),
    .categories = TEXTS("all", "virga"),
    .flags = KIND_NAMESPACED | KIND_HAS_STATUS,
    .doc = "Spreads connections and requests over instances.",
    .fields = fields,
    .columns = columns,
    .selectable = TEXTS("status.phase"),
    .check = check,
};
