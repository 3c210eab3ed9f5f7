/* kinds/tables/facade.c - computed kinds that let stock clients see hosts and instances:
 * kubectl top node, kubectl top pod, and the empty lists some tools insist on. */
#include "kinds/tables/shapes.h"

static const struct column name_columns[] = {
    COLUMN_NAME,
    COLUMN_AGE,
    { 0 },
};

static const struct field any_fields[] = {
    { .name = "spec", .type = FIELD_ANY, .doc = "Always empty." },
    { .name = "status", .type = FIELD_ANY, .doc = "State." },
    { 0 },
};

const struct kind kind_service = {
    CORE_KIND("Service", "services", "service"),
    .short_names = TEXTS("svc"),
    .flags = KIND_NAMESPACED | KIND_READ_ONLY,
    .doc = "Always an empty list: clients ask for it.",
    .fields = any_fields,
    .columns = name_columns,
};

const struct kind kind_node = {
    CORE_KIND("Node", "nodes", "node"),
    .short_names = TEXTS("no"),
    .flags = KIND_READ_ONLY,
    .doc = "A Host as Kubernetes tools know it.",
    .fields = any_fields,
    .columns = name_columns,
};

static const struct field node_metrics_fields[] = {
    { .name = "timestamp", .type = FIELD_TIME, .doc = "When it was read." },
    { .name = "window", .type = FIELD_TEXT, .doc = "Interval of the reading." },
    { .name = "usage", .type = FIELD_ANY, .doc = "Processors and memory in use." },
    { 0 },
};
const struct kind kind_node_metrics = {
    .group = "metrics.k8s.io",
    .version = "v1beta1",
    .name = "NodeMetrics",
    .plural = "nodes",
    .singular = "nodemetrics",
    .flags = KIND_READ_ONLY,
    .doc = "Usage of a Host.",
    .fields = node_metrics_fields,
    .columns = name_columns,
};

static const struct field pod_metrics_fields[] = {
    { .name = "timestamp", .type = FIELD_TIME, .doc = "When it was read." },
    { .name = "window", .type = FIELD_TEXT, .doc = "Interval of the reading." },
    { .name = "containers", .type = FIELD_ANY, .doc = "One: the machine." },
    { 0 },
};
const struct kind kind_pod_metrics = {
    .group = "metrics.k8s.io",
    .version = "v1beta1",
    .name = "PodMetrics",
    .plural = "pods",
    .singular = "podmetrics",
    .flags = KIND_NAMESPACED | KIND_READ_ONLY,
    .doc = "Usage of an Instance.",
    .fields = pod_metrics_fields,
    .columns = name_columns,
};

const struct kind kind_crd = {
    .group = "apiextensions.k8s.io",
    .version = "v1",
    .name = "CustomResourceDefinition",
    .plural = "customresourcedefinitions",
    .singular = "customresourcedefinition",
    .short_names = TEXTS("crd"),
    .flags = KIND_READ_ONLY,
    .doc = "Always an empty list: Terraform asks for it.",
    .fields = any_fields,
    .columns = name_columns,
};
