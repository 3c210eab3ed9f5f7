/* control/balancer_config.c - from a stored LoadBalancer to what the driver is told. */
#include "control/balancer.h"
#include "control/balancers.h"
#include "control/autoscalers.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include "control/network_refs.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELD_MAX = 1000 };

static int64_t duration_at(const json_t *object, const char *path)
{
    const char *text = json_text_at(object, path, NULL);
    int64_t ms = 0;
    struct err err;

    return text && duration_parse(text, &ms, &err) == 0 ? ms : 0;
}

static void copy_name(char to[BALANCER_NAME_SIZE], const char *text)
{
    (void)snprintf(to, BALANCER_NAME_SIZE, "%s", text);
}

static int one_of(const char *text, const char *const *texts)
{
    for (int i = 0; texts[i]; i++)
        if (str_equal(text, texts[i]))
            return i;
    return 0;
}

static char **texts_of(const json_t *list)
{
    size_t count = json_array_size(list);
    char **texts = count ? mem_zero((count + 1) * sizeof texts[0]) : NULL;

    for (size_t i = 0; i < count; i++)
        texts[i] = str_dup(json_string_value(json_array_get(list, i)));
    return texts;
}

/* --- listeners --- */

static struct ip_addr address_of(struct balancer_scene *scene, const json_t *spec)
{
    const char *text = json_text_at(spec, "address", NULL);
    struct ip_addr addr = { 4, { 0 } };
    struct err err;

    if (text) {
        (void)ip_parse(text, &addr, &err); /* validated */
    } else if (json_object_get(spec, "network")) {
        auto_clean(network_config_free_auto) struct network_config *network =
            network_config_of(scene->network);
        addr = network->ipv4_gateway.family ? network->ipv4_gateway : network->ipv6_gateway;
    }
    return addr;
}

static void add_routes(const json_t *spec, struct balancer_listener *listener)
{
    const json_t *routes = json_object_get(spec, "routes");

    listener->route_count = json_array_size(routes);
    listener->routes = mem_zero((listener->route_count + 1) * sizeof *listener->routes);
    for (size_t i = 0; i < listener->route_count; i++) {
        const json_t *route = json_array_get(routes, i);
        listener->routes[i].hosts = texts_of(json_object_get(route, "hosts"));
        listener->routes[i].paths = texts_of(json_object_get(route, "paths"));
        copy_name(listener->routes[i].backend, json_text_at(route, "backend", ""));
    }
}

/* One that is not usable does not take the place of the one in force. */
static void add_certificate(struct balancer_scene *scene, const json_t *spec,
                            struct balancer_listener *listener)
{
    const char *name = json_text_at(spec, "tls.secret", "");
    auto_json json_t *secret =
        work_find(scene->work, &kind_secret, object_namespace(scene->object), name);
    struct err err;

    if (!secret)
        (void)err_set(&err, ERR_NOT_FOUND, "is not there");
    listener->certificate = secret ? certificate_of_secret(secret, &err) : NULL;
    if (listener->certificate)
        return;
    json_object_set_new(scene->certificate_problems, listener->name,
                        json_printf("secret \"%s\" %s", name, err.text));
    listener->certificate = str_dup("");
}

static void read_listener(struct balancer_scene *scene, const json_t *spec,
                          struct balancer_listener *listener)
{
    const char *first = json_text_at(json_at(scene->object, "spec.backends[0]"), "name", "");

    *listener = (struct balancer_listener){
        .protocol = (enum balancer_protocol)one_of(json_text_at(spec, "protocol", "HTTP"),
                                                   TEXTS("TCP", "HTTP", "HTTPS")),
        .addr = address_of(scene, spec),
        .is_inside = json_object_get(spec, "network") != NULL,
        .port = (uint16_t)json_int_at(spec, "port", 0),
        .accepts_proxy_header = json_bool_at(spec, "acceptProxyProtocol", false),
        .connections_max = (unsigned)json_int_at(spec, "maxConnections", 2000),
        .idle_timeout_ms = duration_at(spec, "idleTimeout"),
    };
    copy_name(listener->name, json_text_at(spec, "name", ""));
    copy_name(listener->backend, json_text_at(spec, "backend", first));
    if (listener->protocol == BALANCER_HTTPS)
        add_certificate(scene, spec, listener);
    add_routes(spec, listener);
}

static void add_listeners(struct balancer_scene *scene)
{
    const json_t *specs = json_at(scene->object, "spec.listeners");
    struct balancer_config *config = scene->config;

    config->listeners = mem_zero((json_array_size(specs) + 1) * sizeof *config->listeners);
    for (size_t i = 0; i < json_array_size(specs); i++)
        read_listener(scene, json_array_get(specs, i), &config->listeners[config->listener_count++]);
}

/* --- backends --- */

/* From the listeners that use it. */
static void take_from_listeners(const struct balancer_config *config,
                                struct balancer_backend *backend)
{
    backend->is_http = true;
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct balancer_listener *listener = &config->listeners[i];
        bool uses = str_equal(listener->backend, backend->name);
        for (size_t j = 0; j < listener->route_count; j++)
            uses |= str_equal(listener->routes[j].backend, backend->name);
        if (!uses)
            continue;
        backend->is_http &= listener->protocol != BALANCER_TCP;
        if (listener->idle_timeout_ms > backend->idle_timeout_ms)
            backend->idle_timeout_ms = listener->idle_timeout_ms;
    }
    if (!backend->idle_timeout_ms)
        backend->idle_timeout_ms = 60000;
}

static struct balancer_health health_of(const json_t *spec)
{
    enum balancer_check type = (enum balancer_check)one_of(json_text_at(spec, "type", "TCP"),
                                                           TEXTS("None", "TCP", "HTTP", "Agent"));

    return (struct balancer_health){ .type = type,
                                     .path = str_dup(json_text_at(spec, "path", "/")),
                                     .host = str_dup(json_text_at(spec, "host", NULL)),
                                     .port = (uint16_t)json_int_at(spec, "port", 0),
                                     .interval_ms = duration_at(spec, "interval"),
                                     .timeout_ms = duration_at(spec, "timeout"),
                                     .rise = (unsigned)json_int_at(spec, "rise", 1),
                                     .fall = (unsigned)json_int_at(spec, "fall", 2) };
}

/* --- groups that may have no member: the first request is held and wakes them --- */

struct sleeper {
    const char *group;
    bool may_sleep;
};

static void look_at_autoscaler(void *arg, const json_t *autoscaler)
{
    struct sleeper *sleeper = arg;

    sleeper->may_sleep |= autoscaler_may_sleep(autoscaler) &&
                          str_equal(json_text_at(autoscaler, "spec.scaleTargetRef.name", NULL),
                                    sleeper->group);
}

/* Of one that is gone, or goes, nobody would wake a member. */
static bool may_sleep(struct balancer_scene *scene, const char *group)
{
    struct sleeper sleeper = { .group = group };
    auto_json json_t *object =
        group ? work_find(scene->work, &kind_instance_group, object_namespace(scene->object), group) : NULL;

    if (object && !object_is_deleting(object))
        work_each(scene->work, &kind_autoscaler, object_namespace(scene->object),
                  look_at_autoscaler, &sleeper);
    return sleeper.may_sleep;
}

static void read_backend(struct balancer_scene *scene, const json_t *spec,
                         struct balancer_backend *backend)
{
    *backend = (struct balancer_backend){
        .algorithm =
            (enum balancer_algorithm)one_of(json_text_at(spec, "balancing", NULL),
                                            TEXTS("LeastConnections", "RoundRobin", "Source")),
        .cookie = str_dup(json_text_at(spec, "stickyCookie.name", NULL)),
        .health = health_of(json_object_get(spec, "healthCheck")),
        .member_connections_max = (unsigned)json_int_at(spec, "maxConnectionsPerMember", 0),
        .member_queue_max = (unsigned)json_int_at(spec, "queue.maxLength", 0),
        .queue_timeout_ms = duration_at(spec, "queue.timeout"),
        .connect_timeout_ms = duration_at(spec, "connectTimeout"),
        .slow_start_ms = duration_at(spec, "slowStart"),
        .proxy_header = (enum balancer_proxy_header)one_of(
            json_text_at(spec, "proxyProtocol", NULL), TEXTS("None", "V1", "V2")),
    };
    copy_name(backend->name, json_text_at(spec, "name", ""));
    take_from_listeners(scene->config, backend);
    if (may_sleep(scene, json_text_at(spec, "members.instanceGroup", NULL)))
        backend->held_max = backend->member_queue_max && backend->member_queue_max < HELD_MAX
                                ? backend->member_queue_max
                                : HELD_MAX;
    balancer_members_add(scene, spec, backend);
}

void balancer_config_make(struct balancer_scene *scene)
{
    const json_t *specs = json_at(scene->object, "spec.backends");
    struct balancer_config *config = scene->config = mem_new(struct balancer_config);

    config->uid = str_dup(object_uid(scene->object));
    config->name = str_printf("%s/%s", object_namespace(scene->object), object_name(scene->object));
    add_listeners(scene);
    config->backends = mem_zero((json_array_size(specs) + 1) * sizeof *config->backends);
    for (size_t i = 0; i < json_array_size(specs); i++)
        read_backend(scene, json_array_get(specs, i), &config->backends[config->backend_count++]);
}

/* --- comparing two --- */

static void mix(uint64_t *sum, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        *sum = (*sum ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3; /* FNV-1a */
}

static void mix_text(uint64_t *sum, const char *text)
{
    mix(sum, text ? text : "\1", text ? strlen(text) + 1 : 1);
}

/* Ends with NULL, or is NULL. */
static void mix_list(uint64_t *sum, const char *const *texts)
{
    for (; texts && *texts; texts++)
        mix_text(sum, *texts);
    mix_text(sum, NULL);
}

static void mix_numbers(uint64_t *sum, const int64_t *numbers, size_t count)
{
    mix(sum, numbers, count * sizeof numbers[0]);
}
#define MIX_NUMBERS(sum_, ...)                                                                     \
    mix_numbers((sum_), (const int64_t[]){ __VA_ARGS__ },                                          \
                sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))

static void mix_place(uint64_t *sum, const struct ip_addr *addr, uint16_t port)
{
    char text[IP_TEXT_SIZE];

    ip_format(addr, text);
    mix_text(sum, text);
    MIX_NUMBERS(sum, port);
}

static void mix_listener(uint64_t *sum, const struct balancer_listener *listener)
{
    mix_text(sum, listener->name);
    mix_text(sum, listener->certificate);
    mix_text(sum, listener->backend);
    mix_place(sum, &listener->addr, listener->port);
    MIX_NUMBERS(sum, listener->protocol, listener->is_inside, listener->accepts_proxy_header,
                listener->connections_max, listener->idle_timeout_ms, (int64_t)listener->route_count);
    for (size_t i = 0; i < listener->route_count; i++) {
        mix_list(sum, (const char *const *)listener->routes[i].hosts);
        mix_list(sum, (const char *const *)listener->routes[i].paths);
        mix_text(sum, listener->routes[i].backend);
    }
}

static void mix_backend(uint64_t *sum, const struct balancer_backend *backend)
{
    const struct balancer_health *health = &backend->health;

    mix_text(sum, backend->name);
    mix_text(sum, backend->cookie);
    mix_text(sum, health->path);
    mix_text(sum, health->host);
    MIX_NUMBERS(sum, health->type, health->port, health->interval_ms, health->timeout_ms, health->rise,
                health->fall);
    MIX_NUMBERS(sum, backend->is_http, backend->algorithm, backend->member_connections_max,
                backend->member_queue_max, backend->held_max, backend->queue_timeout_ms,
                backend->connect_timeout_ms, backend->slow_start_ms, backend->idle_timeout_ms,
                backend->proxy_header, (int64_t)backend->member_count);
    for (size_t i = 0; i < backend->member_count; i++) {
        const struct balancer_member *member = &backend->members[i];
        mix_text(sum, member->id);
        mix_place(sum, &member->addr, member->port);
        MIX_NUMBERS(sum, member->is_draining, member->is_proven);
    }
}

uint64_t balancer_config_sum(const struct balancer_config *config)
{
    uint64_t sum = 0xcbf29ce484222325;

    for (size_t i = 0; i < config->listener_count; i++)
        mix_listener(&sum, &config->listeners[i]);
    for (size_t i = 0; i < config->backend_count; i++)
        mix_backend(&sum, &config->backends[i]);
    return sum;
}
