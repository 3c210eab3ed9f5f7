/* elastic/policy.c - reading spec, field by field. What the kind's table checks is not checked again. */
#include "elastic/policy.h"
#include "base/mem.h"
#include "base/quantity.h"
#include <string.h>

enum { TENTH_MILLI = 100, HPA_PERIOD_MS = 15 * 1000, HPA_PODS = 4, WHOLE_PERCENT = 100 };

static double quantity_of(const json_t *value)
{
    int64_t milli = 0;
    struct err err;

    if (json_is_integer(value))
        return (double)json_integer_value(value);
    if (json_is_string(value))
        (void)quantity_parse_milli(json_string_value(value), &milli, &err); /* validated: cannot fail */
    return (double)milli / 1000;
}

static int64_t duration_of(const json_t *object, const char *name)
{
    int64_t ms = 0;
    struct err err;

    (void)duration_parse(json_text_at(object, name, "0"), &ms, &err); /* validated: cannot fail */
    return ms;
}

static void copy_name(char to[AUTOSCALE_NAME_SIZE], const json_t *item)
{
    (void)snprintf(to, AUTOSCALE_NAME_SIZE, "%s", json_text_at(item, "name", ""));
}

static int slot_of(const json_t *item, const char *list, size_t index, struct metric_names *names,
                   enum metric_type *ret_type, struct err *err)
{
    const char *custom = json_text_at(item, "metric", NULL);
    int slot;

    *ret_type = metric_type_find(json_text_at(item, "type", ""));
    slot = *ret_type == METRIC_TYPE_COUNT ? -1 : metric_slot(names, *ret_type, custom, /*add=*/true);
    if (slot < 0)
        return err_set(err, ERR_INVALID, "spec.%s[%zu].metric: \"%s\" is one custom metric too many: must be at most %d",
                       list, index, custom ? custom : "", CUSTOM_METRICS_MAX);
    return slot;
}

static int read_target(const json_t *item, size_t index, struct metric_names *names,
                       struct autoscale_target *ret_target, struct err *err)
{
    static const struct {
        const char *field;
        enum target_kind kind;
    } fields[] = { { "averageUtilization", TARGET_AVERAGE }, { "averageValue", TARGET_AVERAGE },
                   { "value", TARGET_VALUE } };
    const json_t *latency = json_object_get(item, "latency");

    memset(ret_target, 0, sizeof *ret_target);
    copy_name(ret_target->name, item);
    ret_target->slot = slot_of(item, "metrics", index, names, &ret_target->type, err);
    if (ret_target->slot < 0)
        return -1;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const json_t *value = json_object_get(item, fields[i].field);

        if (!value)
            continue;
        ret_target->kind = fields[i].kind;
        ret_target->target = quantity_of(value);
    }
    if (latency) {
        ret_target->kind = TARGET_VALUE;
        ret_target->target = (double)duration_of(item, "latency");
    }
    return 0;
}

static int read_step(const json_t *item, size_t index, struct metric_names *names,
                     struct autoscale_step *ret_step, struct err *err)
{
    memset(ret_step, 0, sizeof *ret_step);
    copy_name(ret_step->name, item);
    ret_step->slot = slot_of(item, "steps", index, names, &ret_step->type, err);
    if (ret_step->slot < 0)
        return -1;
    ret_step->is_above = json_object_get(item, "above") != NULL;
    ret_step->threshold = quantity_of(json_object_get(item, ret_step->is_above ? "above" : "below"));
    ret_step->add = (int)json_int_at(item, "add", 0);
    ret_step->add_percent = (int)json_int_at(item, "addPercent", 0);
    return 0;
}

static int read_schedule(const json_t *item, size_t index, struct autoscale_schedule *ret_schedule,
                         struct err *err)
{
    memset(ret_schedule, 0, sizeof *ret_schedule);
    copy_name(ret_schedule->name, item);
    ret_schedule->calendar =
        calendar_new(json_text_at(item, "schedule", ""), json_text_at(item, "timeZone", NULL), err);
    if (!ret_schedule->calendar)
        return err_wrap(err, "spec.schedules[%zu].%s", index,
                        strncmp(err->text, "unknown time zone", 17) == 0 ? "timeZone" : "schedule");
    ret_schedule->duration_ms = duration_of(item, "duration");
    ret_schedule->min = (int)json_int_at(item, "minReplicas", -1);
    ret_schedule->max = (int)json_int_at(item, "maxReplicas", -1);
    return 0;
}

static int read_lists(struct policy *policy, const json_t *spec, struct metric_names *names, struct err *err)
{
    struct autoscale_policy *rules = &policy->rules;
    const json_t *metrics = json_object_get(spec, "metrics"), *steps = json_object_get(spec, "steps");
    const json_t *schedules = json_object_get(spec, "schedules");

    for (size_t i = 0; i < json_array_size(metrics) && i < AUTOSCALE_TARGETS_MAX; i++, rules->target_count++)
        if (read_target(json_array_get(metrics, i), i, names, &rules->targets[i], err) < 0)
            return -1;
    for (size_t i = 0; i < json_array_size(steps) && i < AUTOSCALE_STEPS_MAX; i++, rules->step_count++)
        if (read_step(json_array_get(steps, i), i, names, &rules->steps[i], err) < 0)
            return -1;
    for (size_t i = 0; i < json_array_size(schedules) && i < AUTOSCALE_SCHEDULES_MAX;
         i++, rules->schedule_count++)
        if (read_schedule(json_array_get(schedules, i), i, &rules->schedules[i], err) < 0)
            return -1;
    return 0;
}

/* Absent policies are HorizontalPodAutoscaler's: out by 4 or to twice the number in 15 s, in at once. */
static void default_rates(struct autoscale_behaviour *behaviour, bool out)
{
    behaviour->rates[behaviour->rate_count++] = (struct autoscale_rate){ true, WHOLE_PERCENT, HPA_PERIOD_MS };
    if (out)
        behaviour->rates[behaviour->rate_count++] = (struct autoscale_rate){ false, HPA_PODS, HPA_PERIOD_MS };
}

static void read_behaviour(const json_t *from, bool out, struct autoscale_behaviour *ret_behaviour)
{
    const json_t *policies = json_object_get(from, "policies");
    const json_t *tolerance = json_object_get(from, "tolerance");
    const char *select = json_text_at(from, "selectPolicy", "Max");

    ret_behaviour->stabilisation_ms = json_int_at(from, "stabilizationWindowSeconds", out ? 0 : 300) * 1000;
    ret_behaviour->select = str_equal(select, "Disabled") ? RATE_DISABLED
                            : str_equal(select, "Min")    ? RATE_MIN
                                                          : RATE_MAX;
    ret_behaviour->tolerance = tolerance ? quantity_of(tolerance) : (double)TENTH_MILLI / 1000;
    for (size_t i = 0; i < json_array_size(policies) && i < AUTOSCALE_RATES_MAX; i++) {
        const json_t *item = json_array_get(policies, i);

        ret_behaviour->rates[ret_behaviour->rate_count++] = (struct autoscale_rate){
            str_equal(json_text_at(item, "type", ""), "Percent"), (int)json_int_at(item, "value", 1),
            json_int_at(item, "periodSeconds", 1) * 1000
        };
    }
    if (ret_behaviour->rate_count == 0)
        default_rates(ret_behaviour, out);
}

static void read_prediction(struct policy *policy, const json_t *spec)
{
    const json_t *from = json_object_get(spec, "prediction");
    const char *metric = json_text_at(from, "metric", NULL);

    for (unsigned i = 0; metric && i < policy->rules.target_count; i++) {
        if (!str_equal(policy->rules.targets[i].name, metric))
            continue;
        policy->prediction = (struct policy_prediction){
            .is_wanted = true, .target = (int)i, .season_ms = duration_of(from, "season"),
            .horizon_ms = duration_of(from, "horizon"), .max_error = (double)json_int_at(from, "maxError", 20)
        };
    }
}

/* The target of a metric, and nothing where there is none: then it is left alone. */
static struct vertical_bounds vertical_bounds_of(const struct autoscale_policy *rules, enum metric_type type,
                                                 int64_t min, int64_t max)
{
    struct vertical_bounds bounds = { .min = min > 0 ? min : 1, .max = max };

    for (unsigned i = 0; i < rules->target_count && max > 0; i++) {
        if (rules->targets[i].type != type || (bounds.is_used && rules->targets[i].target >= bounds.target))
            continue;
        bounds.is_used = true;
        bounds.target = rules->targets[i].target;
    }
    return bounds;
}

static int64_t bytes_of(const json_t *value)
{
    int64_t bytes = 0;
    struct err err;

    if (json_is_integer(value))
        return json_integer_value(value);
    return json_is_string(value) && quantity_parse(json_string_value(value), &bytes, &err) == 0 ? bytes : 0;
}

static void read_vertical(struct policy *policy, const json_t *spec)
{
    const struct autoscale_policy *rules = &policy->rules;
    const json_t *from = json_object_get(spec, "vertical");

    policy->vertical = (struct vertical_policy){
        .cpus = vertical_bounds_of(rules, METRIC_CPU, json_int_at(from, "minCPUs", 1), json_int_at(from, "maxCPUs", 0)),
        .memory = vertical_bounds_of(rules, METRIC_MEMORY, bytes_of(json_object_get(from, "minMemory")),
                                     bytes_of(json_object_get(from, "maxMemory"))),
        .tolerance_out = rules->out.tolerance,
        .tolerance_in = rules->in.tolerance,
        .in_window_ms = rules->in.stabilisation_ms,
    };
}

static void read_bounds(struct autoscale_policy *rules, const json_t *spec, int group_min, int group_max)
{
    int64_t min = json_int_at(spec, "minReplicas", group_min), max = json_int_at(spec, "maxReplicas", group_max);

    rules->max = (int)(max < group_max ? max : group_max);
    rules->min = (int)(min > group_min ? min : group_min);
    if (rules->min == 0 && !json_object_get(spec, "idleTimeout"))
        rules->min = 1; /* nothing would take the last one, or wake the first */
    if (rules->max < group_min)
        rules->max = group_min;
    if (rules->min > rules->max)
        rules->min = rules->max;
}

struct policy *policy_new(const json_t *spec, int group_min, int group_max, struct metric_names *names,
                          struct err *err)
{
    auto_clean(policy_free_auto) struct policy *policy = mem_zero(sizeof *policy);

    read_bounds(&policy->rules, spec, group_min, group_max);
    policy->rules.window_ms = duration_of(spec, "window");
    policy->rules.idle_ms = duration_of(spec, "idleTimeout");
    policy->only_observes = str_equal(json_text_at(spec, "mode", ""), "Observe");
    if (read_lists(policy, spec, names, err) < 0)
        return NULL;
    read_behaviour(json_at(spec, "behavior.scaleUp"), /*out=*/true, &policy->rules.out);
    read_behaviour(json_at(spec, "behavior.scaleDown"), /*out=*/false, &policy->rules.in);
    read_prediction(policy, spec);
    read_vertical(policy, spec);
    return take_pointer(policy);
}

void policy_forecast(const struct policy *policy, struct trend *trend, struct autoscale_forecast *ret_forecast)
{
    struct prediction prediction = trend_predict(trend);

    *ret_forecast = (struct autoscale_forecast){
        .is_used = prediction.is_known && prediction.error <= policy->prediction.max_error,
        .target = policy->prediction.target,
        .sum = prediction.value,
        .error = prediction.error,
        .horizon_ms = policy->prediction.horizon_ms,
    };
}

void policy_free(struct policy *policy)
{
    if (!policy)
        return;
    for (unsigned i = 0; i < AUTOSCALE_SCHEDULES_MAX; i++)
        calendar_free(policy->rules.schedules[i].calendar);
    free(policy);
}
