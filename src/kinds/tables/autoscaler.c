/* kinds/tables/autoscaler.c - Autoscaler: what keeps an InstanceGroup at the right size. */
#include "kinds/tables/scaling.h"
#include "kinds/names.h"
#include "base/json.h"
#include "base/quantity.h"
#include "base/str.h"

static const struct field scale_target_fields[] = {
    { .name = "apiVersion",
      .type = FIELD_TEXT,
      .fallback = "\"virga.dev/v1\"",
      .doc = "API version of the target: virga.dev/v1." },
    { .name = "kind",
      ENUM("InstanceGroup"),
      .fallback = "\"InstanceGroup\"",
      .doc = "Kind of the target." },
    TARGET_GROUP_NAME,
    { 0 },
};

static const struct field scrape_fields[] = {
    { .name = "port", .type = FIELD_PORT, .flags = FIELD_REQUIRED, .doc = "TCP port of each member." },
    { .name = "path",
      .type = FIELD_PATH,
      .max = 255,
      .fallback = "\"/metrics\"",
      .doc = "What is asked for, by HTTP." },
    { 0 },
};

#define METRIC_FIELDS                                                                              \
    { .name = "type",                                                                              \
      .type = FIELD_ENUM,                                                                          \
      .flags = FIELD_REQUIRED,                                                                     \
      .values = TEXTS("CPU", "Memory", "Network", "Requests", "Queue", "Latency", "Custom"),       \
      .doc = "CPU and Memory: per cent of what a member has. Network: bytes per second of a "      \
             "member, in and out. Requests: requests per second that a member gets from its "      \
             "balancer. Queue: requests that wait at the balancer. Latency: 95th percentile at "   \
             "the balancer. Custom: what the application pushes or exposes." },                    \
    { .name = "metric",                                                                            \
      .type = FIELD_TEXT,                                                                          \
      .max = 63,                                                                                   \
      .doc = "Name of the metric, of type Custom." },                                              \
    { .name = "scrape",                                                                            \
      .type = FIELD_OBJECT,                                                                        \
      .fields = scrape_fields,                                                                     \
      .doc = "Where each member exposes it as Prometheus text; asked every 2 s from inside its "   \
             "network. Series of the name are summed, of a counter the rate counts." }

static const struct field metric_fields[] = {
    { .name = "name", .type = FIELD_NAME, .flags = FIELD_REQUIRED, .doc = "Name of this target." },
    METRIC_FIELDS,
    { .name = "averageUtilization",
      PER_CENT,
      .doc = "Target in per cent, averaged over the members; of CPU and Memory." },
    { .name = "averageValue",
      TARGET_VALUE,
      .doc = "Target per member; of Network, Requests, Queue and Custom." },
    { .name = "value", TARGET_VALUE, .doc = "Target of the whole group; of Queue and Custom." },
    { .name = "latency",
      .type = FIELD_DURATION,
      .min = 1,
      .max = HOUR_MS,
      .doc = "Target; of Latency." },
    { 0 },
};

static const struct field step_fields[] = {
    { .name = "name", .type = FIELD_NAME, .flags = FIELD_REQUIRED, .doc = "Name of this step." },
    METRIC_FIELDS,
    { .name = "above",
      TARGET_VALUE,
      .doc = "Acts above this: per cent, per member, milliseconds; Queue: of the whole group." },
    { .name = "below", TARGET_VALUE, .doc = "Acts below this, instead of 'above'." },
    { .name = "add",
      .type = FIELD_INT,
      .min = -1000,
      .max = 1000,
      .doc = "Members to add; negative takes away." },
    { .name = "addPercent",
      .type = FIELD_INT,
      .min = -100,
      .max = 1000,
      .doc = "Per cent of the ready members to add, instead of 'add'." },
    { 0 },
};

static const struct field schedule_fields[] = {
    { .name = "name", .type = FIELD_NAME, .flags = FIELD_REQUIRED, .doc = "Name of this schedule." },
    { .name = "schedule",
      .type = FIELD_TEXT,
      .flags = FIELD_REQUIRED,
      .max = 255,
      .doc = "When it begins, as cron writes it: minute hour day-of-month month day-of-week." },
    { .name = "timeZone",
      .type = FIELD_TEXT,
      .max = 64,
      .fallback = "\"UTC\"",
      .doc = "Name in the tz database, as Europe/Berlin." },
    { .name = "duration",
      .type = FIELD_DURATION,
      .flags = FIELD_REQUIRED,
      .min = SECOND_MS,
      .max = 7 * DAY_MS,
      .doc = "How long it lasts." },
    { .name = "minReplicas", .type = FIELD_INT, .max = 1000, .doc = "Least members meanwhile." },
    { .name = "maxReplicas",
      .type = FIELD_INT,
      .min = 1,
      .max = 1000,
      .doc = "Most members meanwhile." },
    { 0 },
};

static const struct field prediction_fields[] = {
    { .name = "metric",
      .type = FIELD_NAME,
      .flags = FIELD_REQUIRED,
      .doc = "Name of the item in spec.metrics that is predicted; one with a target per member." },
    { .name = "season",
      .type = FIELD_DURATION,
      .min = 2 * MINUTE_MS,
      .max = 7 * DAY_MS,
      .fallback = "\"24h\"",
      .doc = "After what time load repeats." },
    { .name = "horizon",
      .type = FIELD_DURATION,
      .min = SECOND_MS,
      .max = DAY_MS,
      .fallback = "\"5m\"",
      .doc = "How far ahead it looks: at least what a member needs to start. Of a long season at least a "
             "2016th is looked ahead." },
    { .name = "maxError",
      PER_CENT,
      .fallback = "20",
      .doc = "Per cent of the mean that it may have been wrong by over the recent past, a quarter of a season, "
             "to be acted on." },
    { 0 },
};

static const struct field rate_fields[] = {
    { .name = "type",
      ENUM("Pods", "Members", "Percent"),
      .flags = FIELD_REQUIRED,
      .doc = "Pods and Members: a number. Percent: of the members when the period began." },
    RATE_FIELDS,
    { 0 },
};
#define BEHAVIOR_FIELDS(window_)                                                                   \
    { STABILIZATION_WINDOW,                                                                        \
      .fallback = window_,                                                                         \
      .doc = "Past wishes of so many seconds count: the lowest when scaling out, the highest "     \
             "when scaling in." },                                                                 \
    { SELECT_POLICY,                                                                               \
      .fallback = "\"Max\"",                                                                       \
      .doc = "Which of the policies counts; Disabled never scales in this direction." },           \
    { RATES(rate_fields), .doc = "Rates; absent: as HorizontalPodAutoscaler has them." },          \
    TOLERANCE

static const struct field scale_up_fields[] = { BEHAVIOR_FIELDS("0"), { 0 } };
static const struct field scale_down_fields[] = { BEHAVIOR_FIELDS("300"), { 0 } };
static const struct field behavior_fields[] = {
    { .name = "scaleUp", OBJECT(scale_up_fields), .fallback = "{}", .doc = "Scaling out." },
    { .name = "scaleDown", OBJECT(scale_down_fields), .fallback = "{}", .doc = "Scaling in." },
    { 0 },
};

static const struct field vertical_fields[] = {
    { .name = "minCPUs", CPU_COUNT, .fallback = "1", .doc = "Least processors of a member." },
    { .name = "maxCPUs",
      CPU_COUNT,
      .doc = "Most processors of a member, and no more than its own maxCPUs; absent: they stay as they are." },
    { .name = "minMemory",
      MEMORY_SIZE,
      .fallback = "\"64Mi\"",
      .doc = "Least memory of a member." },
    { .name = "maxMemory",
      MEMORY_SIZE,
      .doc = "Most memory of a member, and no more than its own maxMemory; absent: it stays as it is." },
    { 0 },
};

static const struct field spec_fields[] = {
    SCALE_TARGET(scale_target_fields),
    { .name = "mode",
      ENUM("Active", "Observe"),
      .fallback = "\"Active\"",
      .doc = "Observe decides and tells, and changes nothing." },
    { .name = "minReplicas",
      .type = FIELD_INT,
      .max = 1000,
      .doc = "Least members; absent: the group's." },
    { .name = "maxReplicas",
      .type = FIELD_INT,
      .min = 1,
      .max = 1000,
      .doc = "Most members; absent: the group's. The group's bounds hold in any case." },
    { .name = "window",
      .type = FIELD_DURATION,
      .min = SECOND_MS,
      .max = 10 * MINUTE_MS,
      .fallback = "\"2s\"",
      .doc = "Samples are taken each second and averaged over so long." },
    { .name = "idleTimeout",
      .type = FIELD_DURATION,
      .min = 5 * SECOND_MS,
      .max = 7 * DAY_MS,
      .doc = "So long without traffic at the balancer takes the last member away, with minReplicas "
             "0; the next connection brings one back and waits for it. Absent: the last one stays." },
    { .name = "metrics",
      NAMED_LIST(metric_fields),
      .max = 8,
      .doc = "Targets that are tracked; the one that wants most members wins." },
    { .name = "steps",
      NAMED_LIST(step_fields),
      .max = 16,
      .doc = "Steps that are taken beyond a threshold." },
    { .name = "schedules",
      NAMED_LIST(schedule_fields),
      .max = 16,
      .doc = "Bounds that hold at certain times." },
    { .name = "vertical",
      OBJECT(vertical_fields),
      .doc = "Gives members more processors and memory while they run, by the targets of CPU and Memory, before "
             "it adds members; takes it back when there are as few members as may be." },
    { .name = "prediction",
      OBJECT(prediction_fields),
      .doc = "Scaling out ahead of load that repeats; it only ever adds." },
    { .name = "behavior",
      OBJECT(behavior_fields),
      .fallback = "{}",
      .doc = "How fast it follows, as in HorizontalPodAutoscaler v2." },
    { 0 },
};

static const struct field decision_fields[] = {
    { .name = "time", .type = FIELD_TIME, .doc = "When." },
    { .name = "from", .type = FIELD_INT, .doc = "Members before." },
    { .name = "desired", .type = FIELD_INT, .doc = "Members after." },
    { .name = "reason", .type = FIELD_TEXT, .doc = "One CamelCase word for programs." },
    { .name = "message", .type = FIELD_TEXT, .doc = "A sentence for people." },
    { 0 },
};

static const struct field current_metric_fields[] = {
    { .name = "name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .doc = "Name of the item in spec.metrics." },
    { .name = "value", .type = FIELD_NUMBER, .doc = "What was seen; absent: nothing is known." },
    { .name = "target", .type = FIELD_NUMBER, .doc = "What it should be." },
    { .name = "wanted", .type = FIELD_INT, .doc = "Members it wants." },
    { 0 },
};

static const struct field status_fields[] = {
    STATUS_COMMON,
    PHASE("Pending: there is no such group. Waiting: nothing is known of a metric.",
          "Pending", "Active", "Observing", "Waiting"),
    CURRENT_AND_DESIRED,
    LAST_SCALE_TIME,
    { .name = "currentMetrics",
      NAMED_LIST(current_metric_fields),
      .doc = "Metrics at the last decision that changed something." },
    { .name = "decisions",
      .type = FIELD_LIST,
      .item = OBJECT_ITEM(decision_fields),
      .max = 10,
      .doc = "The last decisions that said something else than the one before, newest last; the subresource "
             "'decisions' has them all, with their inputs." },
    { .name = "message", .type = FIELD_TEXT, .doc = "The last decision as a sentence." },
    { 0 },
};

static const struct field fields[] = {
    SPEC(spec_fields, "What to scale, by what, and how fast."),
    STATUS(status_fields, "What it decided."),
    { 0 },
};

static const struct column columns[] = {
    COLUMN_NAME,
    { "Target", "string", "spec.scaleTargetRef.name", 0, "InstanceGroup that is scaled" },
    { "Min", "integer", "spec.minReplicas", 0, "Least members" },
    { "Max", "integer", "spec.maxReplicas", 0, "Most members" },
    { "Current", "integer", "status.currentReplicas", 0, "Members in any state" },
    { "Desired", "integer", "status.desiredReplicas", 0, "Members last decided for" },
    COLUMN_AGE,
    { "Mode", "string", "spec.mode", 1, "Active, or Observe" },
    { "Message", "string", "status.message", 1, "The last decision" },
    { 0 },
};

/* Which field holds the target of a type; two for some. */
static const struct target_rule {
    const char *type, *fields[2];
} target_rules[] = {
    { "CPU", { "averageUtilization", NULL } },  { "Memory", { "averageUtilization", NULL } },
    { "Network", { "averageValue", NULL } },    { "Requests", { "averageValue", NULL } },
    { "Queue", { "averageValue", "value" } },   { "Latency", { "latency", NULL } },
    { "Custom", { "averageValue", "value" } },
};

static const struct target_rule *rule_of(const char *type)
{
    for (size_t i = 0; i < sizeof target_rules / sizeof target_rules[0]; i++)
        if (str_equal(target_rules[i].type, type))
            return &target_rules[i];
    return &target_rules[0];
}

static void check_custom_name(const json_t *item, const char *path, struct causes *causes)
{
    bool custom = str_equal(json_text_at(item, "type", ""), "Custom");
    const json_t *asked = json_at(item, "scrape.path");
    auto_free char *field = str_printf("%s.metric", path), *asked_field = str_printf("%s.scrape.path", path);

    if (custom && str_is_empty(json_text_at(item, "metric", NULL)))
        causes_add(causes, "FieldValueRequired", field, "Required value: the name of the custom metric");
    if (!custom && json_object_get(item, "metric"))
        causes_add(causes, "FieldValueForbidden", field, "Forbidden: only type Custom has a name");
    if (json_is_string(asked) && !text_is_path_and_query(json_string_value(asked)))
        causes_invalid(causes, asked_field, asked, "must be a path and query that begins with /");
    if (!custom && json_object_get(item, "scrape")) {
        auto_free char *scrape = str_printf("%s.scrape", path);
        causes_add(causes, "FieldValueForbidden", scrape, "Forbidden: only type Custom is asked for");
    }
}

static int64_t number_of(const json_t *value)
{
    int64_t number = 0;
    struct err err;

    if (json_is_string(value))
        (void)quantity_parse(json_string_value(value), &number, &err); /* what is none was refused */
    return json_is_integer(value) ? json_integer_value(value) : number;
}

static bool is_less(const json_t *a, const json_t *b) { return b && number_of(a) < number_of(b); }

static void check_metric(const json_t *metric, const char *path, struct causes *causes)
{
    static const char *const all[] = { "averageUtilization", "averageValue", "value", "latency" };
    const char *type = json_text_at(metric, "type", "");
    const struct target_rule *rule = rule_of(type);
    unsigned found = 0;

    check_custom_name(metric, path, causes);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const json_t *value = json_object_get(metric, all[i]);
        auto_free char *field = str_printf("%s.%s", path, all[i]);

        if (!value)
            continue;
        found++;
        if (!str_equal(all[i], rule->fields[0]) && !str_equal(all[i], rule->fields[1]))
            causes_add(causes, "FieldValueForbidden", field, "Forbidden: the target of type %s is %s", type,
                       rule->fields[0]);
        else if (found > 1)
            causes_add(causes, "FieldValueForbidden", field, "Forbidden: one target only");
        else if (is_zero_target(value))
            causes_invalid(causes, field, value, "must be above 0");
    }
    if (found == 0) {
        auto_free char *field = str_printf("%s.%s", path, rule->fields[0]);
        causes_add(causes, "FieldValueRequired", field, "Required value: the target of type %s", type);
    }
}

static void check_step(const json_t *step, const char *path, struct causes *causes)
{
    bool above = json_object_get(step, "above"), below = json_object_get(step, "below");
    int64_t add = json_int_at(step, "add", 0), percent = json_int_at(step, "addPercent", 0);

    check_custom_name(step, path, causes);
    if (above == below) {
        auto_free char *field = str_printf("%s.above", path);
        causes_add(causes, "FieldValueRequired", field, "Required value: either above or below");
    }
    if ((add == 0) == (percent == 0)) {
        auto_free char *field = str_printf("%s.add", path);
        causes_add(causes, "FieldValueRequired", field, "Required value: either add or addPercent, and not 0");
    }
}

static void check_schedule(const json_t *schedule, const char *path, struct causes *causes)
{
    int64_t min = json_int_at(schedule, "minReplicas", -1), max = json_int_at(schedule, "maxReplicas", -1);
    auto_free char *field = str_printf("%s.minReplicas", path);

    if (min < 0 && max < 0)
        causes_add(causes, "FieldValueRequired", field, "Required value: minReplicas, maxReplicas or both");
    if (min >= 0 && max >= 0 && min > max)
        causes_invalid(causes, field, json_object_get(schedule, "minReplicas"),
                       "must not be above maxReplicas (%lld)", (long long)max);
}

static bool has_metric(const json_t *spec, const char *type)
{
    const json_t *metrics = json_object_get(spec, "metrics");

    for (size_t i = 0; i < json_array_size(metrics); i++)
        if (str_equal(json_text_at(json_array_get(metrics, i), "type", ""), type))
            return true;
    return false;
}

static void check_vertical(const json_t *spec, struct causes *causes)
{
    static const struct {
        const char *min, *max, *type;
    } rows[] = { { "minCPUs", "maxCPUs", "CPU" }, { "minMemory", "maxMemory", "Memory" } };
    const json_t *vertical = json_object_get(spec, "vertical");

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const json_t *max = json_object_get(vertical, rows[i].max);
        auto_free char *field = str_printf("spec.vertical.%s", rows[i].max);

        if (max && !has_metric(spec, rows[i].type))
            causes_add(causes, "FieldValueForbidden", field, "Forbidden: needs a metric of type %s to follow",
                       rows[i].type);
        if (max && is_less(max, json_object_get(vertical, rows[i].min)))
            causes_invalid(causes, field, max, "must not be less than spec.vertical.%s", rows[i].min);
    }
}

/* The item of spec.metrics with this name; borrowed, or NULL. */
static const json_t *metric_called(const json_t *spec, const char *name)
{
    const json_t *metrics = json_object_get(spec, "metrics");

    for (size_t i = 0; i < json_array_size(metrics); i++)
        if (str_equal(json_text_at(json_array_get(metrics, i), "name", ""), name))
            return json_array_get(metrics, i);
    return NULL;
}

static void check_prediction(const json_t *spec, struct causes *causes)
{
    const json_t *prediction = json_object_get(spec, "prediction"), *name = json_object_get(prediction, "metric");
    const json_t *metric = metric_called(spec, json_string_value(name));
    int64_t season_ms = 0, horizon_ms = 0;
    struct err err;

    if (!prediction)
        return;
    if (!metric)
        causes_invalid(causes, "spec.prediction.metric", name, "must be the name of an item of spec.metrics");
    else if (!json_object_get(metric, "averageUtilization") && !json_object_get(metric, "averageValue"))
        causes_invalid(causes, "spec.prediction.metric", name, "must have a target per member");
    if (duration_parse(json_text_at(prediction, "season", "24h"), &season_ms, &err) == 0 &&
        duration_parse(json_text_at(prediction, "horizon", "5m"), &horizon_ms, &err) == 0 && horizon_ms > season_ms / 2)
        causes_invalid(causes, "spec.prediction.horizon", json_object_get(prediction, "horizon"),
                       "must be at most half the season");
}

static void check_items(const json_t *spec, const char *list, struct causes *causes,
                        void (*fn)(const json_t *item, const char *path, struct causes *causes))
{
    const json_t *items = json_object_get(spec, list);

    for (size_t i = 0; i < json_array_size(items); i++) {
        auto_free char *path = str_printf("spec.%s[%zu]", list, i);
        fn(json_array_get(items, i), path, causes);
    }
}

static void check(const json_t *object, const json_t *old, struct causes *causes)
{
    const json_t *spec = json_object_get(object, "spec");

    check_scale_bounds(spec, causes);
    if (!str_equal(json_text_at(spec, "scaleTargetRef.apiVersion", ""), VIRGA_API_VERSION))
        causes_invalid(causes, "spec.scaleTargetRef.apiVersion", json_at(spec, "scaleTargetRef.apiVersion"),
                       "must be " VIRGA_API_VERSION);
    check_items(spec, "metrics", causes, check_metric);
    check_items(spec, "steps", causes, check_step);
    check_items(spec, "schedules", causes, check_schedule);
    check_prediction(spec, causes);
    check_vertical(spec, causes);
    if (!json_array_size(json_object_get(spec, "metrics")) && !json_array_size(json_object_get(spec, "steps")) &&
        !json_array_size(json_object_get(spec, "schedules")) && !json_object_get(spec, "idleTimeout"))
        causes_add(causes, "FieldValueRequired", "spec.metrics",
                   "Required value: metrics, steps, schedules or idleTimeout to scale by");
    if (json_int_at(spec, "minReplicas", 0) > 0 && json_object_get(spec, "idleTimeout"))
        causes_add(causes, "FieldValueForbidden", "spec.idleTimeout",
                   "Forbidden: with spec.minReplicas above 0 the last member always stays");
}

static const struct connect connects[] = {
    { "decisions", "GET", false,
      "Decisions with their inputs as JSON lines, oldest first: each that said something else than the one before.",
      decision_history_options },
    { "samples", "GET", false, "What was measured each second as JSON lines, oldest first: about the last day.",
      decision_history_options },
    { 0 },
};

const struct kind kind_autoscaler = {
    VIRGA_KIND("Autoscaler", "autoscalers", "autoscaler"),
    .short_names = TEXTS("as"),
    .categories = TEXTS("all", "virga"),
    .flags = KIND_NAMESPACED | KIND_HAS_STATUS | KIND_LABEL_NAME,
    .doc = "Keeps an InstanceGroup at the size its load asks for, and says why.",
    .fields = fields,
    .columns = columns,
    .connects = connects,
    .check = check,
};
