/* control/autoscaler_tick.c - once a second: sample all groups that are scaled, decide, carry out.
 *
 *   timer -> driver reads the machines -> per Autoscaler: sample -> decide -> group's spec.replicas */
#include "control/autoscaler.h"
#include "control/internal.h"
#include "base/mem.h"
#include "base/str.h"
#include "elastic/decision.h"
#include "elastic/hpa.h"
#include "elastic/record.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 1000 };

struct scalers {
    struct control *control;
    struct map *by_key;          /* "PLURAL/NAMESPACE/NAME": struct scaler */
    struct loop_source *timer;
    struct reading *reading;     /* under way */
};
/* The driver may answer when the control is gone. */
struct reading {
    struct scalers *scalers;
};

static void scaler_free(void *value)
{
    struct scaler *scaler = value;

    scrapes_cut_off(scaler);
    scaler_forget_prediction(scaler);
    policy_free(scaler->policy);
    free(scaler->samples);
    map_free(scaler->uses);
    map_free(scaler->growing);
    map_free(scaler->custom);
    json_decref(scaler->decisions);
    free(scaler->shown);
    free(scaler->namespace_name);
    free(scaler->name);
    free(scaler->uid);
    free(scaler->created);
    free(scaler->target);
    free(scaler->rival);
    free(scaler->scrape_trouble);
    logbook_free(scaler->logbook);
    free(scaler);
}

static void scalers_free(void *state)
{
    struct scalers *scalers = state;

    if (scalers->reading)
        scalers->reading->scalers = NULL;
    loop_source_free(scalers->timer);
    map_free(scalers->by_key);
    free(scalers);
}

static void on_timer(void *arg);

static struct scalers *scalers_of(struct control *control)
{
    struct scalers *scalers = control_extension(control, "autoscalers");

    if (!scalers) {
        scalers = mem_new(struct scalers);
        scalers->control = control;
        scalers->by_key = map_new(scaler_free);
        control_set_extension(control, "autoscalers", scalers, scalers_free);
    }
    return scalers;
}

/* A host without Autoscalers is not woken every second. */
static void tick_on(struct scalers *scalers)
{
    if (map_count(scalers->by_key) == 0)
        return;
    if (scalers->timer)
        loop_timer_again(scalers->timer, TICK_MS);
    else
        scalers->timer = loop_timer(scalers->control->setup.loop, TICK_MS, on_timer, scalers);
}

static char *key_of_scaler(const struct kind *kind, const json_t *autoscaler)
{
    return str_printf("%s/%s/%s", kind->plural, object_namespace(autoscaler), object_name(autoscaler));
}

struct scaler *scaler_ensure(struct control *control, const struct kind *kind, const json_t *autoscaler)
{
    struct scalers *scalers = scalers_of(control);
    auto_free char *key = key_of_scaler(kind, autoscaler);
    struct scaler *scaler = map_get(scalers->by_key, key);
    json_t *told = json_at(autoscaler, "status.decisions");

    if (scaler && str_equal(scaler->uid, object_uid(autoscaler)))
        return scaler;
    scaler = mem_new(struct scaler);
    scaler->control = control;
    scaler->kind = kind;
    scaler->namespace_name = str_dup(object_namespace(autoscaler));
    scaler->name = str_dup(object_name(autoscaler));
    scaler->uid = str_dup(object_uid(autoscaler));
    scaler->created = str_dup(json_text_at(autoscaler, "metadata.creationTimestamp", ""));
    scaler->logbook = logbook_new(control->setup.workers, control->setup.state_dir, scaler->uid);
    scaler->uses = map_new(free);
    scaler->custom = map_new(free);
    scaler->decisions = told ? json_deep_copy(told) : json_array();
    map_set(scalers->by_key, key, scaler);
    tick_on(scalers);
    return scaler;
}

void scaler_forget(struct control *control, const struct kind *kind, const json_t *autoscaler)
{
    auto_free char *key = key_of_scaler(kind, autoscaler);

    (void)map_remove(scalers_of(control)->by_key, key); /* gone already when it never ticked */
}

struct scaler_search {
    struct control *control;
    const struct kind *kind; /* of those looked at */
    const char *group;
    struct scaler *found;
};

static void look_at_target(void *arg, const json_t *autoscaler)
{
    struct scaler_search *search = arg;

    if (!search->found && !object_is_deleting(autoscaler) &&
        str_equal(json_text_at(autoscaler, "spec.scaleTargetRef.name", NULL), search->group))
        search->found = scaler_ensure(search->control, search->kind, autoscaler);
}

struct scaler *scaler_of_group(struct control *control, const char *namespace_name, const char *group)
{
    static const struct kind *const kinds[] = { &kind_autoscaler, &kind_hpa };
    struct scaler_search search = { .control = control, .group = group };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        search.kind = kinds[i];
        control_each_mentioning(control, kinds[i], namespace_name, group, look_at_target, &search);
    }
    if (search.found)
        scaler_read(search.found);
    return search.found;
}

void control_write_logbook(struct control *control, const char *uid)
{
    void *found;

    for (size_t at = 0; map_next(scalers_of(control)->by_key, &at, NULL, &found);) {
        struct scaler *scaler = found;

        if (str_equal(scaler->uid, uid))
            logbook_write(scaler->logbook, control_wall_ms(control), /*now=*/true);
    }
}

/* --- one second of one group --- */

static void keep_sample(struct scaler *scaler, const struct sample *sample)
{
    auto_free char *line = record_line(sample, &scaler->names);

    logbook_add(scaler->logbook, LOGBOOK_SAMPLES, line);
    scaler_keep_minute(scaler, sample);
    if (!scaler->samples)
        scaler->samples = mem_array(SCALER_SAMPLES_MAX, sizeof *scaler->samples);
    if (scaler->sample_count == SCALER_SAMPLES_MAX) {
        /* A quarter at a time: cheap, and the longest window is always there. */
        scaler->sample_count -= SCALER_SAMPLES_MAX / 4;
        memmove(scaler->samples, scaler->samples + SCALER_SAMPLES_MAX / 4,
                scaler->sample_count * sizeof *scaler->samples);
    }
    scaler->samples[scaler->sample_count++] = *sample;
}

/* In the words of an Autoscaler; owned. */
static json_t *spec_of(const struct scaler *scaler, const json_t *object)
{
    json_t *spec = json_object_get(object, "spec");

    return scaler->kind == &kind_hpa ? hpa_as_autoscaler(spec) : json_incref(spec);
}

/* What was measured of a metric that another policy asked for is not this one's. */
static void forget_renamed(struct scaler *scaler, const struct metric_names *before)
{
    for (int i = 0; i < CUSTOM_METRICS_MAX; i++) {
        int slot = METRIC_CUSTOM + i;

        if (str_equal(before->custom[i], scaler->names.custom[i]))
            continue;
        for (size_t k = 0; k < scaler->sample_count; k++)
            scaler->samples[k].values[slot] = (struct metric_value){ 0 };
        scaler->minute.mean.values[slot] = (struct metric_value){ 0 };
        scaler->minute.known[slot] = 0;
    }
}

static bool read_policy(struct scaler *scaler, const json_t *object, const json_t *group)
{
    int64_t generation = json_int_at(object, "metadata.generation", 1);
    int least = (int)view_int(&kind_instance_group, group, "spec.minReplicas");
    int min = scaler_may_sleep(scaler, object, group) || least > 0 ? least : 1;
    int max = (int)view_int(&kind_instance_group, group, "spec.maxReplicas");

    if (scaler->policy && scaler->policy_generation == generation && scaler->policy_min == min &&
        scaler->policy_max == max)
        return true;
    auto_json json_t *spec = spec_of(scaler, object);
    const struct metric_names before = scaler->names;
    policy_free(scaler->policy);
    err_clear(&scaler->err);
    scaler->names = (struct metric_names){ 0 };
    scaler->policy = policy_new(spec, min, max, &scaler->names, &scaler->err);
    scaler->policy_generation = generation;
    scaler->policy_min = min;
    scaler->policy_max = max;
    scaler->is_dirty = true;
    scaler->is_outdated = true;
    forget_renamed(scaler, &before);
    scaler_predict_anew(scaler);
    return scaler->policy != NULL;
}

static void on_written(void *arg, const struct err *err) {} /* after a conflict: decided anew in a second */

static void set_size(struct scaler *scaler, const json_t *group, int desired)
{
    json_t *copy = json_deep_copy(group);

    json_set_at(copy, "spec.replicas", json_integer(desired));
    control_update(scaler->control, &kind_instance_group, copy, (struct done){ on_written, NULL });
}

/* With their inputs decisions are on disk; status tells the last ones in short. */
static void tell_in_status(struct scaler *scaler, const json_t *decision)
{
    static const char *const names[] = { "time", "from", "desired", "reason", "message" };
    json_t *item = json_object();

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        json_object_set(item, names[i], json_object_get(decision, names[i]));
    json_array_append_new(scaler->decisions, item);
    while (json_array_size(scaler->decisions) > SCALER_DECISIONS_MAX)
        json_array_remove(scaler->decisions, 0);
    scaler->is_dirty = true;
}

/* What a decision says but for the figures, which differ every second; owned. */
static char *gist_of(const struct autoscale_decision *decision)
{
    char unknown[AUTOSCALE_TEXT_SIZE];

    autoscale_unknown(decision, unknown, sizeof unknown);
    return str_printf("%d %s %d %s", decision->desired, autoscale_reason_name(decision->reason), decision->ready > 0,
                      unknown);
}

/* Kept when it says something else than the one before. */
static bool tell(struct scaler *scaler, const struct autoscale_group *group)
{
    const struct autoscale_decision *decision = &scaler->decision;
    auto_free char *now = gist_of(decision);

    if (str_equal(now, scaler->shown) && decision->desired == decision->from)
        return false;
    free(scaler->shown);
    scaler->shown = take_pointer(now);
    auto_json json_t *told = decision_json(decision, group);
    auto_free char *line = json_text(told);
    logbook_add(scaler->logbook, LOGBOOK_DECISIONS, line);
    tell_in_status(scaler, told);
    return true;
}

static void decide(struct scaler *scaler, const json_t *group)
{
    struct autoscale_group now;
    struct autoscale_forecast forecast;
    struct sample sample;

    scaler_sample(scaler, group, &sample, &now);
    scaler_vertical_look(scaler, group, &now);
    keep_sample(scaler, &sample);
    scaler_forecast(scaler, &sample, &forecast);
    /* An observer goes on from what it would have done. */
    if (scaler->policy->only_observes && scaler->has_decision)
        now.desired = scaler->decision.desired;
    if (!scaler->has_decision)
        autoscale_begin(&scaler->memory, now.desired, sample.wall_ms);
    autoscale_decide(&scaler->policy->rules, scaler->samples, scaler->sample_count, &now, &forecast, sample.wall_ms,
                     &scaler->memory, &scaler->decision);
    scaler->has_decision = true;
    scaler->is_outdated = false;
    logbook_write(scaler->logbook, sample.wall_ms, tell(scaler, &now));
    scaler_vertical_act(scaler, group);
    if (scaler->decision.desired == now.desired || scaler->policy->only_observes)
        return;
    scaler->changed_ms = sample.wall_ms;
    set_size(scaler, group, scaler->decision.desired);
}

void scaler_read(struct scaler *scaler)
{
    auto_json json_t *object = control_find(scaler->control, scaler->kind, scaler->namespace_name, scaler->name);
    auto_json json_t *group = control_find(scaler->control, &kind_instance_group, scaler->namespace_name,
                                           json_text_at(object, "spec.scaleTargetRef.name", ""));

    if (object && group)
        (void)read_policy(scaler, object, group); /* it says why not itself */
}

static void note_target(struct scaler *scaler, const json_t *object)
{
    const char *target = json_text_at(object, "spec.scaleTargetRef.name", "");

    if (str_equal(scaler->target, target))
        return;
    free(scaler->target);
    scaler->target = str_dup(target);
}

static bool was_before(const struct scaler *scaler, const struct scaler *other)
{
    int order = strcmp(scaler->created, other->created);

    return order < 0 || (order == 0 && strcmp(scaler->uid, other->uid) < 0);
}

/* Two of one group are refused; should they have been made at the same time, the older one scales. */
static void note_rival(struct scaler *scaler)
{
    auto_free char *rival = NULL;
    void *found;

    for (size_t at = 0; !rival && map_next(scalers_of(scaler->control)->by_key, &at, NULL, &found);) {
        const struct scaler *other = found;

        if (other != scaler && str_equal(other->target, scaler->target) &&
            str_equal(other->namespace_name, scaler->namespace_name) && was_before(other, scaler))
            rival = str_printf("%s %s", other->kind->singular, other->name);
    }
    if (str_equal(rival, scaler->rival))
        return;
    free(scaler->rival);
    scaler->rival = take_pointer(rival);
    scaler->is_dirty = true;
}

/* False: the Autoscaler is gone. */
static bool tick_one(struct scaler *scaler)
{
    auto_json json_t *object = control_find(scaler->control, scaler->kind, scaler->namespace_name, scaler->name);
    auto_json json_t *group = NULL;

    if (!object || object_is_deleting(object))
        return false;
    note_target(scaler, object);
    group = control_find(scaler->control, &kind_instance_group, scaler->namespace_name, scaler->target);
    if (!scaler->has_looked || scaler->group_found != (group && !object_is_deleting(group)))
        scaler->is_dirty = true;
    scaler->has_looked = true;
    scaler->group_found = group && !object_is_deleting(group);
    note_rival(scaler);
    if (scaler->group_found && !scaler->rival && read_policy(scaler, object, group)) {
        scaler_scrape(scaler, object, group);
        decide(scaler, group);
    }
    if (scaler->is_dirty)
        control_wake(scaler->control, scaler->kind, scaler->namespace_name, scaler->name);
    return true;
}

void scaler_decide_now(struct scaler *scaler)
{
    (void)tick_one(scaler); /* if its Autoscaler is gone, the next second tidies up */
}

static void tick_all(struct scalers *scalers)
{
    size_t count = map_count(scalers->by_key), known = 0;
    auto_free char **keys = mem_array(count + 1, sizeof *keys);
    const char *key;

    for (size_t at = 0; known < count && map_next(scalers->by_key, &at, &key, NULL);)
        keys[known++] = str_dup(key);
    for (size_t i = 0; i < known; i++) {
        if (!tick_one(map_get(scalers->by_key, keys[i])))
            (void)map_remove(scalers->by_key, keys[i]); /* it was there a moment ago */
        free(keys[i]);
    }
    tick_on(scalers);
}

static void on_read(void *arg, const struct err *err)
{
    struct reading *reading = arg;
    struct scalers *scalers = reading->scalers;

    free(reading);
    if (!scalers)
        return;
    scalers->reading = NULL;
    tick_all(scalers); /* a failed reading leaves old figures, which count as no progress */
}

static void on_timer(void *arg)
{
    struct scalers *scalers = arg;
    struct compute *compute = scalers->control->setup.compute;

    if (scalers->reading)
        return; /* its answer goes on */
    scalers->reading = mem_new(struct reading);
    scalers->reading->scalers = scalers;
    compute->ops->sample(compute, (struct done){ on_read, scalers->reading });
}
