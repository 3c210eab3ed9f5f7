/* daemon/bind_metrics.c - hosts and instances as nodes and pods, for kubectl top and friends. */
#include "daemon/assemble.h"
#include "kinds/tables/tables.h"
#include "base/quantity.h"
#include "base/str.h"
#include "store/object.h"

struct gathering {
    struct daemon *daemon;
    json_t *items;
};

static json_t *gather(struct daemon *daemon, const struct kind *kind, const char *namespace_name,
                      void (*fn)(void *arg, const json_t *object))
{
    struct gathering gathering = { daemon, json_array() };

    control_each(daemon->control, kind, namespace_name, fn, &gathering);
    return gathering.items;
}

static json_t *metadata_of(const json_t *object)
{
    json_t *metadata = json_pack("{s:s,s:s,s:s}", "name", object_name(object), "uid", object_uid(object),
                                 "creationTimestamp",
                                 json_text_at(object, "metadata.creationTimestamp", ""));

    if (object_namespace(object)[0])
        json_object_set_new(metadata, "namespace", json_string(object_namespace(object)));
    if (json_at(object, "metadata.labels"))
        json_object_set(metadata, "labels", json_at(object, "metadata.labels"));
    return metadata;
}

static json_t *cpus_text(double cpus)
{
    char text[32];

    quantity_format_milli((int64_t)(cpus * 1000), text, sizeof text);
    return json_string(text);
}

static json_t *resources(const json_t *host, const char *path)
{
    auto_free char *cpus = str_printf("status.%s.cpus", path);
    auto_free char *memory = str_printf("status.%s.memory", path);

    return json_pack("{s:o,s:s}", "cpu", cpus_text(json_number_value(json_at(host, cpus))), "memory",
                     json_text_at(host, memory, "0"));
}

static json_t *now_text(struct daemon *daemon)
{
    char now[32];

    time_format(loop_wall_ms(daemon->loop), now, sizeof now);
    return json_string(now);
}

static void add_node(void *arg, const json_t *host)
{
    struct gathering *gathering = arg;
    bool ready = str_equal(json_text_at(host, "status.phase", ""), "Ready");
    const char *os = "linux", *version = json_text_at(host, "status.version", "");

    json_array_append_new(
        gathering->items,
        json_pack("{s:s,s:s,s:o,s:{},s:{s:o,s:o,s:[{s:s,s:s}],s:{s:s,s:s,s:s}}}", "apiVersion", "v1", "kind",
                  "Node", "metadata", metadata_of(host), "spec", "status", "capacity",
                  resources(host, "capacity"), "allocatable", resources(host, "capacity"), "conditions",
                  "type", "Ready", "status", ready ? "True" : "False", "nodeInfo", "kubeletVersion",
                  version, "operatingSystem", os, "kernelVersion",
                  json_text_at(host, "status.kernelVersion", "")));
}

static json_t *nodes(void *arg, const char *namespace_name)
{
    return gather(arg, &kind_host, NULL, add_node);
}

static void add_node_metrics(void *arg, const json_t *host)
{
    struct gathering *gathering = arg;

    json_array_append_new(gathering->items,
                          json_pack("{s:s,s:s,s:o,s:o,s:s,s:o}", "apiVersion", "metrics.k8s.io/v1beta1",
                                    "kind", "NodeMetrics", "metadata", metadata_of(host), "timestamp",
                                    now_text(gathering->daemon), "window", "10s", "usage",
                                    resources(host, "used")));
}

static json_t *node_metrics(void *arg, const char *namespace_name)
{
    return gather(arg, &kind_host, NULL, add_node_metrics);
}

static void add_pod_metrics(void *arg, const json_t *instance)
{
    struct gathering *gathering = arg;
    const json_t *usage = json_at(instance, "status.usage");

    if (!usage)
        return;
    json_array_append_new(
        gathering->items,
        json_pack("{s:s,s:s,s:o,s:s,s:s,s:[{s:s,s:{s:s,s:s}}]}", "apiVersion", "metrics.k8s.io/v1beta1",
                  "kind", "PodMetrics", "metadata", metadata_of(instance), "timestamp",
                  json_text_at(usage, "time", ""), "window", "10s", "containers", "name", "vm", "usage",
                  "cpu", json_text_at(usage, "cpu", "0"), "memory", json_text_at(usage, "memory", "0")));
}

static json_t *pod_metrics(void *arg, const char *namespace_name)
{
    return gather(arg, &kind_instance, namespace_name, add_pod_metrics);
}

static json_t *nothing(void *arg, const char *namespace_name) { return json_array(); }

void bind_metrics(struct daemon *daemon)
{
    api_bind_computed(daemon->api, &kind_node, nodes, daemon);
    api_bind_computed(daemon->api, &kind_node_metrics, node_metrics, daemon);
    api_bind_computed(daemon->api, &kind_pod_metrics, pod_metrics, daemon);
    api_bind_computed(daemon->api, &kind_service, nothing, daemon);
    api_bind_computed(daemon->api, &kind_crd, nothing, daemon);
}
