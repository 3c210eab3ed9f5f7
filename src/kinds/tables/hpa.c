/* kinds/tables/hpa.c - HorizontalPodAutoscaler, as Kubernetes has it, of InstanceGroups:
 * autoscaling/v2 is what is stored; autoscaling/v1, which kubectl autoscale writes up to 1.32, is
 * another face of it. */
#include "kinds/tables/scaling.h"
#include "base/json.h"
#include "base/str.h"

/* --- autoscaling/v2 --- */

static const struct field target_ref_fields[] = {
    { .name = "apiVersion", .type = FIELD_TEXT, .doc = "API version of the target: virga.dev/v1." },
    { .name = "kind",
      .type = FIELD_TEXT,
      .flags = FIELD_REQUIRED,
      .doc = "Kind of the target: InstanceGroup." },
    TARGET_GROUP_NAME,
    { 0 },
};

static const struct field metric_target_fields[] = {
    { .name = "type",
      ENUM("Utilization", "Value", "AverageValue"),
      .flags = FIELD_REQUIRED,
      .doc = "Which of the other fields is the target." },
    { .name = "averageUtilization",
      PER_CENT,
      .doc = "Per cent of what a member has, averaged over the members; of cpu and memory." },
    { .name = "averageValue", TARGET_VALUE, .doc = "Target per member." },
    { .name = "value", TARGET_VALUE, .doc = "Target of the whole group." },
    { 0 },
};
#define METRIC_TARGET                                                                              \
    { .name = "target",                                                                            \
      OBJECT(metric_target_fields),                                                                \
      .flags = FIELD_REQUIRED,                                                                     \
      .doc = "What it should be." }

static const struct field metric_identifier_fields[] = {
    { .name = "name",
      .type = FIELD_TEXT,
      .flags = FIELD_REQUIRED,
      .max = 63,
      .doc = "Name of the metric, as the application pushes it." },
    { 0 },
};
static const struct field resource_fields[] = {
    { .name = "name", ENUM("cpu", "memory"), .flags = FIELD_REQUIRED, .doc = "Of the two, which." },
    METRIC_TARGET,
    { 0 },
};
static const struct field custom_fields[] = {
    { .name = "metric",
      OBJECT(metric_identifier_fields),
      .flags = FIELD_REQUIRED,
      .doc = "Which metric." },
    METRIC_TARGET,
    { 0 },
};

static const struct field metric_fields[] = {
    { .name = "type",
      ENUM("Resource", "Pods", "External"),
      .flags = FIELD_REQUIRED,
      .doc = "Resource: cpu and memory of the members. Pods and External: metrics that the "
             "application pushes." },
    { .name = "resource", OBJECT(resource_fields), .doc = "Of type Resource." },
    { .name = "pods", OBJECT(custom_fields), .doc = "Of type Pods: by member." },
    { .name = "external", OBJECT(custom_fields), .doc = "Of type External: of the whole group." },
    { 0 },
};

static const struct field rate_fields[] = {
    { .name = "type",
      ENUM("Pods", "Percent"),
      .flags = FIELD_REQUIRED,
      .doc = "Pods: a number of members. Percent: of the members when the period began." },
    RATE_FIELDS,
    { 0 },
};
static const struct field rules_fields[] = {
    { STABILIZATION_WINDOW,
      .doc = "Past wishes of so many seconds count; absent: 0 for scaleUp, 300 for scaleDown." },
    { SELECT_POLICY,
      .doc = "Which of the policies counts, absent: Max; Disabled never scales in this direction." },
    { RATES(rate_fields),
      .doc = "Rates; absent: up by 4 or to twice the number in 15 s, down to the least at once." },
    TOLERANCE,
    { 0 },
};
static const struct field behavior_fields[] = {
    { .name = "scaleUp", OBJECT(rules_fields), .doc = "Scaling out." },
    { .name = "scaleDown", OBJECT(rules_fields), .doc = "Scaling in." },
    { 0 },
};

#define BOUNDS_FIELDS                                                                              \
    SCALE_TARGET(target_ref_fields),                                                               \
    { .name = "minReplicas",                                                                       \
      .type = FIELD_INT,                                                                           \
      .min = 1,                                                                                    \
      .max = 1000,                                                                                 \
      .fallback = "1",                                                                             \
      .doc = "Least members. The group's own bounds hold in any case." },                          \
    { .name = "maxReplicas",                                                                       \
      .type = FIELD_INT,                                                                           \
      .flags = FIELD_REQUIRED,                                                                     \
      .min = 1,                                                                                    \
      .max = 1000,                                                                                 \
      .doc = "Most members. The group's own bounds hold in any case." }

static const struct field spec_fields[] = {
    BOUNDS_FIELDS,
    { .name = "metrics",
      .type = FIELD_LIST,
      .item = OBJECT_ITEM(metric_fields),
      .max = 8,
      .fallback = "[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":"
                  "\"Utilization\","
                  "\"averageUtilization\":80}}}]",
      .doc = "Targets that are tracked; the one that wants most members wins. Absent: 80 % CPU." },
    { .name = "behavior", OBJECT(behavior_fields), .doc = "How fast it follows." },
    { 0 },
};

static const struct field metric_value_fields[] = {
    { .name = "averageUtilization", .type = FIELD_INT, .doc = "Per cent of what a member has." },
    { .name = "averageValue", .type = FIELD_QUANTITY, .doc = "Per member." },
    { .name = "value", .type = FIELD_QUANTITY, .doc = "Of the whole group." },
    { 0 },
};
#define METRIC_CURRENT { .name = "current", OBJECT(metric_value_fields), .doc = "What was seen." }
static const struct field resource_status_fields[] = {
    { .name = "name", .type = FIELD_TEXT, .doc = "As in spec.metrics." },
    METRIC_CURRENT,
    { 0 },
};
static const struct field custom_status_fields[] = {
    { .name = "metric", OBJECT(metric_identifier_fields), .doc = "Which metric." },
    METRIC_CURRENT,
    { 0 },
};
static const struct field metric_status_fields[] = {
    { .name = "type", .type = FIELD_TEXT, .doc = "As in spec.metrics." },
    { .name = "resource", OBJECT(resource_status_fields), .doc = "Of type Resource." },
    { .name = "pods", OBJECT(custom_status_fields), .doc = "Of type Pods." },
    { .name = "external", OBJECT(custom_status_fields), .doc = "Of type External." },
    { 0 },
};

static const struct field status_fields[] = {
    STATUS_COMMON,
    LAST_SCALE_TIME,
    CURRENT_AND_DESIRED,
    { .name = "currentMetrics",
      .type = FIELD_LIST,
      .item = OBJECT_ITEM(metric_status_fields),
      .doc = "Metrics at the last decision that said something new." },
    { 0 },
};

static const struct field fields[] = {
    SPEC(spec_fields, "What to scale, by what, and how fast."),
    STATUS(status_fields, "What was decided."),
    { 0 },
};

static const struct column columns[] = {
    COLUMN_NAME,
    { "Reference", "string", "spec.scaleTargetRef.name", 0, "InstanceGroup that is scaled" },
    { "Target%", "string", "spec.metrics[*].resource.target.averageUtilization", 0,
      "Targets of cpu and memory" },
    { "Current%", "string", "status.currentMetrics[*].resource.current.averageUtilization", 0,
      "What was seen" },
    { "MinPods", "integer", "spec.minReplicas", 0, "Least members" },
    { "MaxPods", "integer", "spec.maxReplicas", 0, "Most members" },
    { "Replicas", "integer", "status.currentReplicas", 0, "Members in any state" },
    COLUMN_AGE,
    { 0 },
};

/* Which block a metric of a type has, and which targets it may have. */
static const struct metric_rule {
    const char *type, *block, *targets[3], *fields[3];
} metric_rules[] = {
    { "Resource", "resource", { "Utilization" }, { "averageUtilization" } },
    { "Pods", "pods", { "AverageValue" }, { "averageValue" } },
    { "External", "external", { "Value", "AverageValue" }, { "value", "averageValue" } },
};
enum { METRIC_RULES = sizeof metric_rules / sizeof metric_rules[0] };

static void check_target(const json_t *target, const struct metric_rule *rule, const char *path,
                         struct causes *causes)
{
    const char *type = json_text_at(target, "type", "");

    for (size_t i = 0; i < 3 && rule->targets[i]; i++) {
        auto_free char *field = str_printf("%s.%s", path, rule->fields[i]);

        if (!str_equal(rule->targets[i], type))
            continue;
        if (!json_object_get(target, rule->fields[i]))
            causes_add(causes, "FieldValueRequired", field, "Required value: the target of type %s",
                       type);
        else if (is_zero_target(json_object_get(target, rule->fields[i])))
            causes_invalid(causes, field, json_object_get(target, rule->fields[i]),
                           "must be above 0");
        return;
    }
    auto_free char *field = str_printf("%s.type", path);
    causes_add(causes, "FieldValueNotSupported", field,
               "Unsupported value: \"%s\": with metrics of type %s it is %s%s%s", type, rule->type,
               rule->targets[0], rule->targets[1] ? " or " : "",
               rule->targets[1] ? rule->targets[1] : "");
}

static void check_metric(const json_t *metric, const char *path, struct causes *causes)
{
    const char *type = json_text_at(metric, "type", "");

    for (size_t i = 0; i < METRIC_RULES; i++) {
        const struct metric_rule *rule = &metric_rules[i];
        const json_t *block = json_object_get(metric, rule->block);
        auto_free char *field = str_printf("%s.%s", path, rule->block);
        bool is_wanted = str_equal(rule->type, type);

        if (is_wanted && !block)
            causes_add(causes, "FieldValueRequired", field, "Required value: of type %s", type);
        else if (!is_wanted && block)
            causes_add(causes, "FieldValueForbidden", field, "Forbidden: the metric is of type %s",
                       type);
        else if (is_wanted) {
            auto_free char *target = str_printf("%s.target", field);
            check_target(json_object_get(block, "target"), rule, target, causes);
        }
    }
}

static void check(const json_t *object, const json_t *old, struct causes *causes)
{
    const json_t *spec = json_object_get(object, "spec"),
                 *metrics = json_object_get(spec, "metrics");
    const char *version = json_text_at(spec, "scaleTargetRef.apiVersion", NULL);

    check_scale_bounds(spec, causes);
    if (version && !str_equal(version, VIRGA_API_VERSION))
        causes_invalid(causes, "spec.scaleTargetRef.apiVersion",
                       json_at(spec, "scaleTargetRef.apiVersion"), "must be " VIRGA_API_VERSION);
    if (!str_equal(json_text_at(spec, "scaleTargetRef.kind", ""), "InstanceGroup"))
        causes_invalid(causes, "spec.scaleTargetRef.kind", json_at(spec, "scaleTargetRef.kind"),
                       "must be InstanceGroup");
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        auto_free char *path = str_printf("spec.metrics[%zu]", i);
        check_metric(json_array_get(metrics, i), path, causes);
    }
}

static const struct connect connects[] = {
    { "decisions", "GET", false, "Decisions with their inputs as JSON lines, as an Autoscaler's.",
      decision_history_options },
    { "samples", "GET", false, "What was measured each second as JSON lines, as an Autoscaler's.",
      decision_history_options },
    { 0 },
};

#define HPA_NAMES                                                                                  \
    .group = "autoscaling", .name = "HorizontalPodAutoscaler",                                     \
    .plural = "horizontalpodautoscalers", .singular = "horizontalpodautoscaler",                   \
    .short_names = TEXTS("hpa")

const struct kind kind_hpa = {
    HPA_NAMES,
    .version = "v2",
    .categories = TEXTS("all"),
    .flags = KIND_NAMESPACED | KIND_HAS_STATUS,
    .doc = "Keeps an InstanceGroup at the size its load asks for, in Kubernetes' words.",
    .fields = fields,
    .columns = columns,
    .connects = connects,
    .check = check,
};

/* --- autoscaling/v1 --- */

static const struct field v1_spec_fields[] = {
    BOUNDS_FIELDS,
    { .name = "targetCPUUtilizationPercentage",
      PER_CENT,
      .doc = "Target in per cent, averaged over the members; absent: 80." },
    { 0 },
};
static const struct field v1_status_fields[] = {
    OBSERVED_GENERATION,
    LAST_SCALE_TIME,
    CURRENT_AND_DESIRED,
    { .name = "currentCPUUtilizationPercentage", .type = FIELD_INT, .doc = "What was seen." },
    { 0 },
};
static const struct field v1_fields[] = {
    SPEC(v1_spec_fields, "What to scale, and by how much CPU."),
    STATUS(v1_status_fields, "What was decided."),
    { 0 },
};

static bool is_cpu(const json_t *metric)
{
    return str_equal(json_text_at(metric, "resource.name", ""), "cpu");
}

/* The metric of the list that is about CPU; borrowed, or NULL. */
static json_t *cpu_of(const json_t *metrics)
{
    for (size_t i = 0; i < json_array_size(metrics); i++)
        if (is_cpu(json_array_get(metrics, i)))
            return json_array_get(metrics, i);
    return NULL;
}

static void move(json_t *to, const char *name, json_t *value)
{
    if (value)
        json_object_set(to, name, value);
}

static json_t *show_v1(const json_t *stored)
{
    static const char *const spec_names[] = { "scaleTargetRef", "minReplicas", "maxReplicas" };
    static const char *const status_names[] = { "observedGeneration", "lastScaleTime",
                                                "currentReplicas", "desiredReplicas" };
    const json_t *from = json_object_get(stored, "spec"), *was = json_object_get(stored, "status");
    json_t *spec = json_object(), *status = json_object();

    for (size_t i = 0; i < sizeof spec_names / sizeof spec_names[0]; i++)
        move(spec, spec_names[i], json_object_get(from, spec_names[i]));
    move(spec, "targetCPUUtilizationPercentage",
         json_at(cpu_of(json_object_get(from, "metrics")), "resource.target.averageUtilization"));
    for (size_t i = 0; i < sizeof status_names / sizeof status_names[0]; i++)
        move(status, status_names[i], json_object_get(was, status_names[i]));
    move(status, "currentCPUUtilizationPercentage",
         json_at(cpu_of(json_object_get(was, "currentMetrics")),
                 "resource.current.averageUtilization"));
    return json_pack("{s:s,s:s,s:O,s:o,s:o}", "apiVersion", "autoscaling/v1", "kind",
                     "HorizontalPodAutoscaler", "metadata", json_object_get(stored, "metadata"),
                     "spec", spec, "status", status);
}

/* What version 1 can't say stays as it is. */
static json_t *other_metrics(const json_t *old)
{
    const json_t *metrics = json_at(old, "spec.metrics");
    json_t *others = json_array();

    for (size_t i = 0; i < json_array_size(metrics); i++)
        if (!is_cpu(json_array_get(metrics, i)))
            json_array_append(others, json_array_get(metrics, i));
    return others;
}

static json_t *take_v1(const json_t *object, const json_t *old)
{
    json_t *taken = json_deep_copy(object), *spec = json_object_get(taken, "spec"),
           *metrics = other_metrics(old);
    json_t *percentage = json_object_get(spec, "targetCPUUtilizationPercentage");

    if (percentage)
        json_array_insert_new(metrics, 0,
                              json_pack("{s:s,s:{s:s,s:{s:s,s:O}}}", "type", "Resource", "resource",
                                        "name", "cpu", "target", "type", "Utilization",
                                        "averageUtilization", percentage));
    if (json_is_object(spec)) {
        json_object_del(spec, "targetCPUUtilizationPercentage");
        if (json_array_size(metrics) > 0)
            json_object_set(spec, "metrics", metrics);
        move(spec, "behavior", json_at(old, "spec.behavior"));
    }
    json_decref(metrics);
    json_object_set_new(taken, "apiVersion", json_string("autoscaling/v2"));
    json_object_del(taken, "status");
    return taken;
}

const struct kind kind_hpa_v1 = {
    HPA_NAMES,
    .version = "v1",
    .categories = TEXTS("all"),
    .flags = KIND_NAMESPACED,
    .doc = "HorizontalPodAutoscaler of autoscaling/v2 in the words of version 1.",
    .fields = v1_fields,
    .columns = columns, /* rows are made from what is stored */
    .stored_as = &kind_hpa,
    .show = show_v1,
    .take = take_v1,
};
