/* control/balancer_show.c - status of a LoadBalancer. */
#include "control/balancer.h"
#include "control/results.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdio.h>
#include <string.h>

struct totals {
    json_int_t members, healthy, open, listeners;
    json_int_t asleep; /* backends that hold requests for a group without a member */
    double request_rate;
    bool port_taken;
    char message[512]; /* the first thing that is wrong */
};

__attribute__((format(printf, 2, 3))) static void complain(struct totals *totals,
                                                           const char *format, ...)
{
    va_list args;

    if (totals->message[0])
        return;
    va_start(args, format);
    (void)vsnprintf(totals->message, sizeof totals->message, format, args);
    va_end(args);
}

static json_t *rate(double per_second) /* in tenths */
{
    return json_real((double)(int64_t)(per_second * 10 + 0.5) / 10);
}

static json_t *milliseconds(int64_t ms)
{
    char text[DURATION_TEXT_SIZE];

    duration_format(ms, text, sizeof text);
    return json_string(text);
}

static json_t *place(const struct ip_addr *addr, uint16_t port)
{
    char text[IP_TEXT_SIZE];

    ip_format(addr, text);
    return json_printf(addr->family == 6 ? "[%s]:%u" : "%s:%u", text, port);
}

/* --- listeners --- */

static const struct balancer_listener_status *listener_status(const struct balancer_scene *scene,
                                                              const char *name)
{
    for (size_t i = 0; i < scene->status->listener_count; i++)
        if (str_equal(scene->status->listeners[i].name, name))
            return &scene->status->listeners[i];
    return NULL;
}

static json_t *show_listener(const struct balancer_scene *scene,
                             const struct balancer_listener *listener, struct totals *totals)
{
    const struct balancer_listener_status *status = listener_status(scene, listener->name);
    bool is_open = status && status->is_open;
    const char *certificate = json_string_value(json_object_get(scene->certificate_problems, listener->name));
    json_t *shown = json_pack("{s:s,s:b,s:o}", "name", listener->name, "open", (int)is_open,
                              "address", place(&listener->addr, listener->port));

    totals->open += is_open;
    if (certificate) {
        if (!is_open)
            json_object_set_new(shown, "message", json_string(certificate));
        complain(totals, "listener %s: %s", listener->name, certificate);
    } else if (status && status->problem[0]) {
        totals->port_taken |= status->is_port_taken;
        json_object_set_new(shown, "message", json_string(status->problem));
        complain(totals, "listener %s: %s", listener->name, status->problem);
    }
    if (status && scene->status->read_wall_ms) {
        json_object_set_new(shown, "connections", json_integer(status->connections));
        json_object_set_new(shown, "requestRate", rate(status->request_rate));
        json_object_set_new(shown, "requests", json_integer((json_int_t)status->requests));
    }
    return shown;
}

static void show_listeners(struct balancer_scene *scene, struct totals *totals)
{
    json_t *listeners = json_array(), *addresses = json_array();

    for (size_t i = 0; i < scene->config->listener_count; i++) {
        json_t *shown = show_listener(scene, &scene->config->listeners[i], totals);
        json_array_append_new(listeners, shown);
        if (json_bool_at(shown, "open", false))
            json_array_append(addresses, json_object_get(shown, "address"));
    }
    totals->listeners = (json_int_t)json_array_size(json_at(scene->object, "spec.listeners"));
    json_set_at(scene->object, "status.listeners", listeners);
    json_set_at(scene->object, "status.addresses", addresses);
}

/* --- backends --- */

static const struct balancer_member *wanted_member(const struct balancer_backend *backend,
                                                   const char *id)
{
    for (size_t i = 0; i < backend->member_count; i++)
        if (str_equal(backend->members[i].id, id))
            return &backend->members[i];
    return NULL;
}

/* "web-1.1a2b3c4d" is instance web-1; an address stays as it is. */
static json_t *member_name(const struct balancer_scene *scene, size_t backend, const char *id)
{
    const char *dot = strrchr(id, '.');
    const json_t *spec = json_array_get(json_at(scene->object, "spec.backends"), backend);

    if (!dot || json_at(spec, "members.addresses"))
        return json_string(id);
    return json_stringn(id, (size_t)(dot - id));
}

static json_t *show_member(const struct balancer_scene *scene, size_t index,
                           const struct balancer_member_status *member)
{
    static const char *const states[] = { "Joining", "Up", "Down", "Draining", "Leaving" };
    const struct balancer_member *wanted =
        wanted_member(&scene->config->backends[index], member->id);
    json_t *shown =
        json_pack("{s:o,s:s,s:i,s:i,s:o,s:o,s:o}", "name", member_name(scene, index, member->id),
                  "state", states[member->state], "connections", (int)member->connections, "queue",
                  (int)member->queue, "requestRate", rate(member->request_rate), "errorRate",
                  rate(member->error_rate), "responseTime", milliseconds(member->response_ms));

    if (wanted)
        json_object_set_new(shown, "address", place(&wanted->addr, wanted->port));
    if (member->check[0])
        json_object_set_new(shown, "check",
                            json_string_plain(member->check));
    return shown;
}

static void show_latency(json_t *shown, const struct balancer_backend_status *status)
{
    if (status->p50_ms < 0)
        return;
    json_object_set_new(shown, "latency",
                        json_pack("{s:o,s:o,s:o,s:o}", "p50", milliseconds(status->p50_ms), "p90",
                                  milliseconds(status->p90_ms), "p95", milliseconds(status->p95_ms),
                                  "p99", milliseconds(status->p99_ms)));
}

static void complain_of_members(const struct balancer_scene *scene, size_t index, struct totals *totals)
{
    const struct balancer_backend *backend = &scene->config->backends[index];
    const char *group = json_text_at(json_array_get(json_at(scene->object, "spec.backends"), index),
                                     "members.instanceGroup", NULL);
    auto_json json_t *found =
        group ? work_find(scene->work, &kind_instance_group, object_namespace(scene->object), group) : NULL;

    if (group && !found)
        complain(totals, "backend %s: there is no InstanceGroup \"%s\"", backend->name, group);
    else
        complain(totals, "backend %s has no %s", backend->name,
                 backend->member_count ? "healthy member" : "member");
}

static json_t *show_backend(const struct balancer_scene *scene, size_t index, struct totals *totals)
{
    const struct balancer_backend *backend = &scene->config->backends[index];
    const struct balancer_backend_status *status =
        balancer_status_backend(scene->status, backend->name);
    json_t *shown = json_pack("{s:s}", "name", backend->name), *members = json_array();
    json_int_t healthy = 0;

    for (size_t i = 0; status && i < status->member_count; i++) {
        healthy += status->members[i].state == BALANCER_MEMBER_UP;
        json_array_append_new(members, show_member(scene, index, &status->members[i]));
    }
    if (backend->held_max && !backend->member_count && !healthy)
        totals->asleep++;
    else if (!healthy)
        complain_of_members(scene, index, totals);
    totals->members += (json_int_t)json_array_size(members);
    totals->healthy += healthy;
    json_object_set_new(shown, "members", json_integer((json_int_t)json_array_size(members)));
    json_object_set_new(shown, "healthy", json_integer(healthy));
    json_object_set_new(shown, "memberStatus", members);
    if (!status)
        return shown;
    totals->request_rate += status->request_rate;
    json_object_set_new(shown, "queue", json_integer(status->queue));
    json_object_set_new(shown, "requestRate", rate(status->request_rate));
    json_object_set_new(shown, "errorRate", rate(status->error_rate));
    json_object_set_new(shown, "requests", json_integer((json_int_t)status->requests));
    json_object_set_new(shown, "errors", json_integer((json_int_t)status->errors));
    show_latency(shown, status);
    return shown;
}

static void show_backends(struct balancer_scene *scene, struct totals *totals)
{
    json_t *backends = json_array();

    for (size_t i = 0; i < scene->config->backend_count; i++)
        json_array_append_new(backends, show_backend(scene, i, totals));
    json_set_at(scene->object, "status.backends", backends);
    json_set_at(scene->object, "status.members", json_integer(totals->members));
    json_set_at(scene->object, "status.healthy", json_integer(totals->healthy));
    json_set_at(scene->object, "status.requestRate", rate(totals->request_rate));
}

/* --- the whole --- */

static void show_restarts(struct balancer_scene *scene)
{
    const int64_t *before = work_result(scene->work, "restarts");
    int64_t restarts = scene->status->restarts;
    int64_t shown = view_int(&kind_load_balancer, scene->object, "status.restartCount");

    if (before && restarts > *before) {
        shown += restarts - *before;
        work_event(scene->work, "Warning", "ProxyRestarted",
                   "the proxy ended and was started again: %s", scene->status->last_end);
    }
    work_result_keep(scene->work, "restarts", restarts);
    json_set_at(scene->object, "status.restartCount", json_integer(shown));
}

static void show_time(struct balancer_scene *scene)
{
    char text[TIME_TEXT_SIZE];

    if (!scene->status->read_wall_ms)
        return;
    time_format(scene->status->read_wall_ms, text, sizeof text);
    json_set_at(scene->object, "status.readTime", json_string(text));
}

static void show_conditions(struct balancer_scene *scene, const struct totals *totals,
                            const struct err *failure)
{
    struct work *work = scene->work;
    bool runs = scene->status->state == BALANCER_RUNNING;
    bool all_open = totals->open == totals->listeners;
    bool certificates_fit = json_object_size(scene->certificate_problems) == 0;

    work_condition(work, "ProxyRunning", runs,
                   runs      ? "Running"
                   : failure ? "Failed"
                             : "Starting",
                   "%s",
                   runs      ? ""
                   : failure ? failure->text
                             : "being started");
    work_condition(work, "ListenersOpen", all_open,
                   all_open             ? "Open"
                   : totals->port_taken ? "PortInUse"
                                        : "NotOpen",
                   "%lld of %lld are open", (long long)totals->open, (long long)totals->listeners);
    work_condition(work, "CertificatesValid", certificates_fit,
                   certificates_fit ? "Valid" : "NotUsable", "%s",
                   certificates_fit ? "" : totals->message);
    if (!totals->healthy && totals->asleep)
        work_condition(work, "MembersHealthy", true, "Asleep", "the first request wakes the group");
    else
        work_condition(work, "MembersHealthy", totals->healthy > 0,
                       totals->healthy ? "Healthy" : "NoneHealthy", "%lld of %lld members get traffic",
                       (long long)totals->healthy, (long long)totals->members);
}

void balancer_show(struct balancer_scene *scene, const struct err *failure)
{
    struct totals totals = { 0 };
    bool is_ready;

    show_listeners(scene, &totals);
    show_backends(scene, &totals);
    show_restarts(scene);
    show_time(scene);
    show_conditions(scene, &totals, failure);
    is_ready = scene->status->state == BALANCER_RUNNING && !failure && !totals.message[0];
    work_condition(scene->work, "Ready", is_ready, is_ready ? "Serving" : "NotServing", "%s",
                   failure ? failure->text : totals.message);
    if (scene->status->state != BALANCER_RUNNING)
        work_phase(scene->work, failure ? "Failed" : "Pending",
                   failure ? failure->text : "the proxy is being started");
    else
        work_phase(scene->work, is_ready ? "Ready" : "Degraded",
                   is_ready  ? NULL
                   : failure ? failure->text
                             : totals.message);
}
