/* control/autoscaler.c - Autoscaler and HorizontalPodAutoscaler: the objects and what they show. */
#include "control/autoscaler.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdlib.h>

static void show_metrics(struct work *work, const struct autoscale_decision *decision)
{
    json_t *metrics = json_array();

    for (unsigned i = 0; i < decision->proposal_count; i++) {
        const struct autoscale_proposal *proposal = &decision->proposals[i];
        json_t *item;

        if (proposal->source != FROM_TARGET)
            continue;
        item = json_pack("{s:s,s:f}", "name", proposal->name, "target", proposal->target);
        if (proposal->is_known) {
            json_object_set_new(item, "value", json_real(proposal->value));
            json_object_set_new(item, "wanted", json_integer(proposal->wanted));
        }
        json_array_append_new(metrics, item);
    }
    json_set_at(work->object, "status.currentMetrics", metrics);
}

/* Others may be known and scale the group meanwhile; but it does not shrink. */
static void show_unknown(struct work *work, const struct autoscale_decision *decision)
{
    char unknown[AUTOSCALE_TEXT_SIZE];

    autoscale_unknown(decision, unknown, sizeof unknown);
    if (unknown[0])
        work_condition(work, "MetricsKnown", false, "NoMetrics", "nothing is known of %s", unknown);
    else if (decision->ready > 0)
        work_condition(work, "MetricsKnown", true, "ValidMetrics", "%s", "");
}

/* Bounds of the two that have no size in common: the group's count. True when it was told. */
static bool show_bounds_apart(struct work *work, const struct scaler *scaler)
{
    int64_t min = json_int_at(work->object, "spec.minReplicas", 0);
    int64_t max = json_int_at(work->object, "spec.maxReplicas", INT64_MAX);

    if (min > scaler->policy_max)
        work_condition(work, "ScalingLimited", true, "TooManyReplicas",
                       "spec.minReplicas (%lld) counts as %d: the group %s has spec.maxReplicas %d", (long long)min,
                       scaler->policy_max, scaler->target, scaler->policy_max);
    else if (max < scaler->policy_min)
        work_condition(work, "ScalingLimited", true, "TooFewReplicas",
                       "spec.maxReplicas (%lld) counts as %d: the group %s has spec.minReplicas %d", (long long)max,
                       scaler->policy_min, scaler->target, scaler->policy_min);
    return min > scaler->policy_max || max < scaler->policy_min;
}

static void show_conditions(struct work *work, const struct scaler *scaler)
{
    const struct autoscale_decision *decision = &scaler->decision;
    bool is_blind = decision->reason == AUTOSCALE_NO_METRICS;
    char message[AUTOSCALE_TEXT_SIZE];

    autoscale_words(decision, message, sizeof message);
    work_condition(work, "AbleToScale", decision->reason != AUTOSCALE_CIRCUIT_OPEN, autoscale_reason_name(decision->reason),
                   "%s", message);
    work_condition(work, "ScalingActive", !is_blind, is_blind ? "NoMetrics" : "ValidMetrics", "%s",
                   is_blind ? message : "");
    show_unknown(work, decision);
    scrapes_show(work, scaler);
    scaler_show_prediction(work, scaler);
    if (!show_bounds_apart(work, scaler))
        work_condition(work, "ScalingLimited", decision->is_limited,
                       decision->is_limited ? "Limited" : "DesiredWithinRange", "%s",
                       decision->is_limited ? message : "");
    scaler_show_sleep(work, scaler);
    if (scaler->kind == &kind_autoscaler)
        work_phase(work, is_blind ? "Waiting" : scaler->policy->only_observes ? "Observing" : "Active", message);
}

static void show_decision(struct work *work, const struct scaler *scaler)
{
    const struct sample *sample = &scaler->samples[scaler->sample_count - 1];
    char time[TIME_TEXT_SIZE];

    json_set_at(work->object, "status.desiredReplicas", json_integer(scaler->decision.desired));
    json_set_at(work->object, "status.currentReplicas", json_integer(sample->members));
    if (scaler->changed_ms) {
        time_format(scaler->changed_ms, time, sizeof time);
        json_set_at(work->object, "status.lastScaleTime", json_string(time));
    }
    if (scaler->kind == &kind_autoscaler) {
        json_set_at(work->object, "status.decisions", json_deep_copy(scaler->decisions));
        show_metrics(work, &scaler->decision);
    } else {
        scaler_show_hpa(work, scaler);
    }
    show_conditions(work, scaler);
}

static void show_waiting(struct work *work, const char *reason, const char *message)
{
    if (work->controller->kind == &kind_autoscaler)
        work_phase(work, "Pending", message);
    work_condition(work, "ScalingActive", false, reason, "%s", message);
}

static void show_rival(struct work *work, const struct scaler *scaler)
{
    auto_free char *message = str_printf("the %s scales the group %s already", scaler->rival, scaler->target);

    show_waiting(work, "TargetTaken", message);
}

static void announce(struct work *work, const struct scaler *scaler)
{
    const struct autoscale_decision *decision = &scaler->decision;
    char message[AUTOSCALE_TEXT_SIZE];

    if (decision->desired == decision->from)
        return;
    autoscale_words(decision, message, sizeof message);
    work_event(work, "Normal", autoscale_reason_name(decision->reason), "%s", message);
}

/* Told only when it failed once: what is in order needs no words. */
static void show_history(struct work *work, const struct scaler *scaler)
{
    const struct err *err = logbook_error(scaler->logbook);

    if (err->code || condition_get(work->object, "HistoryKept"))
        work_condition(work, "HistoryKept", !err->code, err->code ? "CannotWrite" : "Written", "%s", err->text);
}

static struct verdict reconcile(struct work *work)
{
    struct scaler *scaler = scaler_ensure(work->control, work->controller->kind, work->object);

    if (scaler->has_looked && !scaler->group_found)
        show_waiting(work, "TargetNotFound", "there is no such InstanceGroup");
    else if (scaler->rival)
        show_rival(work, scaler);
    else if (scaler->err.code)
        show_waiting(work, "InvalidPolicy", scaler->err.text);
    else if (scaler->has_decision && !scaler->is_outdated && scaler->is_dirty) {
        show_decision(work, scaler);
        announce(work, scaler);
    }
    show_history(work, scaler);
    scaler->is_dirty = false;
    return VERDICT_SETTLED;
}

/* --- its end: the history goes with it --- */

struct removal {
    char *state_dir, *uid;
    struct done done;
};

static int remove_job(void *arg, struct err *err)
{
    const struct removal *removal = arg;

    return logbook_remove(removal->state_dir, removal->uid, err);
}

static void removed(void *arg, const struct err *err)
{
    struct removal *removal = arg;

    removal->done.fn(removal->done.arg, err);
    free(removal->state_dir);
    free(removal->uid);
    free(removal);
}

static void begin_removal(struct work *work, const struct control_setup *setup)
{
    struct removal *removal = mem_new(struct removal);
    auto_free char *lane = logbook_lane(object_uid(work->object));

    *removal = (struct removal){ str_dup(setup->state_dir), str_dup(object_uid(work->object)),
                                 work_op_done(work, "forget") };
    worker_run(setup->workers, (struct worker_job){ remove_job, removed, removal, lane });
}

static struct verdict finalize(struct work *work, bool *ret_gone)
{
    const struct control_setup *setup = control_setup(work->control);

    scaler_forget(work->control, work->controller->kind, work->object);
    *ret_gone = !setup->workers || work_op_succeeded(work, "forget");
    if (!*ret_gone && work_op_begin(work, "forget"))
        begin_removal(work, setup);
    return VERDICT_SETTLED;
}

const struct controller controller_autoscaler = {
    .kind = &kind_autoscaler,
    .finalizer = "virga.dev/autoscaler",
    .reconcile = reconcile,
    .finalize = finalize,
};

const struct controller controller_hpa = {
    .kind = &kind_hpa,
    .finalizer = "virga.dev/autoscaler",
    .reconcile = reconcile,
    .finalize = finalize,
};
