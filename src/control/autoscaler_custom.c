/* control/autoscaler_custom.c - metrics that applications push or expose, of the whole group or by member. */
#include "control/autoscaler.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/balancers.h"
#include "kinds/tables/tables.h"
#include <string.h>

enum { FRESH_MS = 30 * 1000, VALUES_MAX = 4096 };

struct custom_value {
    double value;
    int64_t wall_ms; /* 0: it has none yet */
    double counter;  /* what 'value' is the rate of, when it was read last */
    int64_t counter_ms;
};

static bool is_fresh(const struct custom_value *value, int64_t wall_ms) { return wall_ms - value->wall_ms <= FRESH_MS; }

/* Members come and go: what they pushed long ago makes room. */
static bool make_room(struct scaler *scaler, size_t count, int64_t wall_ms)
{
    const char *id;
    void *found;

    if (map_count(scaler->custom) + count <= VALUES_MAX)
        return true;
    for (size_t at = 0; map_next(scaler->custom, &at, &id, &found);)
        if (!is_fresh(found, wall_ms))
            (void)map_remove(scaler->custom, id); /* it is there */
    return map_count(scaler->custom) + count <= VALUES_MAX;
}

static char *id_of(const char *metric, const char *member)
{
    return str_printf("%s\n%s", metric, member ? member : "");
}

static bool is_member(struct control *control, const char *namespace_name, const char *group, const char *name)
{
    auto_json json_t *instance = control_find(control, &kind_instance, namespace_name, name);

    return str_equal(json_string_value(json_object_get(json_at(instance, "metadata.labels"), LABEL_GROUP)), group);
}

static int check(struct scaler *scaler, const char *group, const struct pushed_metric *pushed, struct err *err)
{
    const char *member = pushed->member;

    if (!metric_is_amount(pushed->value))
        return err_set(err, ERR_INVALID, "%s: must be a number from 0 to %g", pushed->name, METRIC_AMOUNT_MAX);
    if (metric_slot(&scaler->names, METRIC_CUSTOM, pushed->name, /*add=*/false) < 0)
        return err_set(err, ERR_INVALID, "%s: the Autoscaler %s has no such custom metric", pushed->name, scaler->name);
    if (member && !is_member(scaler->control, scaler->namespace_name, group, member))
        return err_set(err, ERR_INVALID, "member: %s is no member of the group %s", member, group);
    return 0;
}

static size_t count_new(const struct scaler *scaler, const struct pushed_metric *pushed, size_t count)
{
    size_t fresh = 0;

    for (size_t i = 0; i < count; i++) {
        auto_free char *id = id_of(pushed[i].name, pushed[i].member);
        fresh += !map_has(scaler->custom, id);
    }
    return fresh;
}

int control_push_metrics(struct control *control, const char *namespace_name, const char *group,
                         const struct pushed_metric *pushed, size_t count, struct err *err)
{
    struct scaler *scaler = scaler_of_group(control, namespace_name, group);
    int64_t wall_ms = control_wall_ms(control);

    if (!scaler)
        return err_set(err, ERR_CONFLICT, "no Autoscaler scales the group %s", group);
    if (count > VALUES_MAX || !make_room(scaler, count_new(scaler, pushed, count), wall_ms))
        return err_set(err, ERR_TOO_MANY, "more than %d values are held", VALUES_MAX);
    for (size_t i = 0; i < count; i++)
        if (check(scaler, group, &pushed[i], err) < 0)
            return err_wrap(err, "metrics[%zu]", i);
    for (size_t i = 0; i < count; i++) {
        auto_free char *id = id_of(pushed[i].name, pushed[i].member);
        const struct custom_value value = { pushed[i].value, wall_ms };

        map_set(scaler->custom, id, mem_copy(&value, sizeof value));
    }
    return 0;
}

/* A counter that began anew counts from nothing: its next reading has a rate again. */
static struct custom_value rate_of(const struct custom_value *before, double counter, int64_t wall_ms)
{
    struct custom_value now = { .counter = counter, .counter_ms = wall_ms };

    if (before && before->counter_ms && wall_ms > before->counter_ms && counter >= before->counter) {
        now.value = (counter - before->counter) * 1000 / (double)(wall_ms - before->counter_ms);
        now.wall_ms = wall_ms;
    }
    return now;
}

void scaler_custom_exposed(struct scaler *scaler, const char *member, const char *metric,
                           const struct exposed *exposed)
{
    auto_free char *id = id_of(metric, member);
    int64_t wall_ms = control_wall_ms(scaler->control);
    struct custom_value value = { .value = exposed->sum, .wall_ms = wall_ms };

    if (!metric_is_amount(exposed->sum) || metric_slot(&scaler->names, METRIC_CUSTOM, metric, /*add=*/false) < 0)
        return;
    if (exposed->is_counter)
        value = rate_of(map_get(scaler->custom, id), exposed->sum, wall_ms);
    if (map_get(scaler->custom, id) || make_room(scaler, 1, wall_ms))
        map_set(scaler->custom, id, mem_copy(&value, sizeof value));
}

/* Of a member that went nothing counts any more. */
static bool counts(struct scaler *scaler, const struct custom_value *value, const char *member, int64_t wall_ms)
{
    bool is_going;

    return is_fresh(value, wall_ms) &&
           (!*member || control_has(scaler->control, &kind_instance, scaler->namespace_name, member, &is_going));
}

void scaler_custom_add(struct scaler *scaler, unsigned ready, struct sample *sample)
{
    const char *id;
    void *found;

    for (size_t at = 0; map_next(scaler->custom, &at, &id, &found);) {
        const struct custom_value *value = found;
        auto_free char *metric = str_dup_part(id, strcspn(id, "\n"));
        bool is_whole = id[strlen(metric) + 1] == '\0';
        int slot = metric_slot(&scaler->names, METRIC_CUSTOM, metric, /*add=*/false);
        struct metric_value *to = slot < 0 ? NULL : &sample->values[slot];

        if (!to || !counts(scaler, value, id + strlen(metric) + 1, sample->wall_ms))
            continue;
        to->is_known = true;
        to->is_whole |= is_whole;
        to->sum += value->value;
        to->reporting = to->is_whole ? ready : to->reporting + 1;
    }
}
