/* control/autoscaler_predict.c - what load will be, from what it was: read from the logbook when a
 * policy asks for it, and gone on with every second. */
#include "control/autoscaler.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include "elastic/record.h"
#include <stdlib.h>
#include <string.h>

enum {
    MINUTE_MS = 60 * 1000,
    SECOND_MS = 1000,
    FINE_SEASON_MS = 4 * 3600 * 1000,
    POINTS_MAX = 200 * 1000,
    SEASONS = 5
};

/* --- means of each minute, for the logbook --- */

void scaler_keep_minute(struct scaler *scaler, const struct sample *sample)
{
    struct scaler_minute *minute = &scaler->minute;
    int64_t number = sample->wall_ms / MINUTE_MS;

    if (minute->number != number && minute->samples > 0) {
        auto_free char *line = NULL;

        for (int i = 0; i < METRIC_SLOTS; i++)
            if (minute->known[i])
                minute->mean.values[i].sum /= minute->known[i];
        minute->mean.wall_ms = minute->number * MINUTE_MS;
        line = record_line(&minute->mean, &scaler->names);
        logbook_add(scaler->logbook, LOGBOOK_MINUTES, line);
        *minute = (struct scaler_minute){ 0 };
    }
    minute->number = number;
    minute->samples++;
    for (int i = 0; i < METRIC_SLOTS; i++) {
        double sum = minute->mean.values[i].sum;

        if (!sample->values[i].is_known)
            continue;
        minute->mean.values[i] = sample->values[i];
        minute->mean.values[i].sum += sum;
        minute->known[i]++;
    }
    minute->mean.members = sample->members;
    minute->mean.ready = sample->ready;
    minute->mean.starting = sample->starting;
    minute->mean.failed = sample->failed;
    minute->mean.leaving = sample->leaving;
}

/* --- reading what was kept --- */

struct point {
    int64_t wall_ms;
    double value;
};
struct recollection {
    struct scaler *scaler; /* NULL: nobody waits any more */
    char *state_dir, *uid;
    struct metric_names names;
    enum logbook_part part;
    int slot;
    int64_t since_ms;
    struct point *points;
    size_t count, capacity;
};

static void recollection_free(struct recollection *recollection)
{
    free(recollection->state_dir);
    free(recollection->uid);
    free(recollection->points);
    free(recollection);
}

static bool recall_line(void *arg, const char *line, size_t size)
{
    struct recollection *recollection = arg;
    struct sample sample;
    struct err err;

    if (record_read(line, size, &recollection->names, &sample, &err) < 0 ||
        !sample.values[recollection->slot].is_known)
        return true;
    if (recollection->count == recollection->capacity) {
        recollection->capacity = 2 * recollection->capacity + 1024;
        recollection->points =
            mem_resize(recollection->points, recollection->capacity * sizeof *recollection->points);
    }
    recollection->points[recollection->count++] =
        (struct point){ sample.wall_ms, sample.values[recollection->slot].sum };
    return recollection->count < POINTS_MAX;
}

static int recollect(void *arg, struct err *err)
{
    struct recollection *recollection = arg;

    return logbook_read(recollection->state_dir, recollection->uid, recollection->part,
                        recollection->since_ms, recall_line, recollection, err);
}

static void learn(struct scaler *scaler, const struct sample *sample)
{
    const struct metric_value *value =
        &sample->values[scaler->policy->rules.targets[scaler->policy->prediction.target].slot];

    if (value->is_known)
        trend_add(scaler->trend, sample->wall_ms, sample->wall_ms + SECOND_MS, value->sum);
}

/* What can't be read is not known: then it is learnt anew. */
static void recollected(void *arg, const struct err *err)
{
    struct recollection *recollection = arg;
    struct scaler *scaler = recollection->scaler;
    int64_t span_ms = recollection->part == LOGBOOK_MINUTES ? MINUTE_MS : SECOND_MS, last_ms = 0;

    if (scaler) {
        scaler->recollection = NULL;
        for (size_t i = 0; i < recollection->count; i++) {
            last_ms = recollection->points[i].wall_ms + span_ms;
            trend_add(scaler->trend, last_ms - span_ms, last_ms, recollection->points[i].value);
        }
        /* And what came meanwhile. */
        for (size_t i = 0; i < scaler->sample_count; i++)
            if (scaler->samples[i].wall_ms >= last_ms)
                learn(scaler, &scaler->samples[i]);
    }
    recollection_free(recollection);
}

static void begin_recollection(struct scaler *scaler)
{
    const struct control_setup *setup = control_setup(scaler->control);
    const struct policy_prediction *prediction = &scaler->policy->prediction;
    auto_free char *lane = logbook_lane(scaler->uid);
    struct recollection *recollection;

    if (!setup->workers)
        return;
    recollection = mem_new(struct recollection);
    *recollection = (struct recollection){
        .scaler = scaler,
        .state_dir = str_dup(setup->state_dir),
        .uid = str_dup(scaler->uid),
        .names = scaler->names,
        .part = prediction->season_ms <= FINE_SEASON_MS ? LOGBOOK_SAMPLES : LOGBOOK_MINUTES,
        .slot = scaler->policy->rules.targets[prediction->target].slot,
        .since_ms = control_wall_ms(scaler->control) - SEASONS * prediction->season_ms,
    };
    scaler->recollection = recollection;
    worker_run(setup->workers, (struct worker_job){ recollect, recollected, recollection, lane });
}

/* --- predicting --- */

void scaler_predict_anew(struct scaler *scaler)
{
    const struct policy_prediction *prediction =
        scaler->policy ? &scaler->policy->prediction : NULL;

    if (scaler->recollection)
        scaler->recollection->scaler = NULL;
    scaler->recollection = NULL;
    trend_free(scaler->trend);
    scaler->trend = NULL;
    scaler->trend_age = 0;
    if (!prediction || !prediction->is_wanted)
        return;
    scaler->trend = trend_new(prediction->season_ms, prediction->horizon_ms);
    begin_recollection(scaler);
}

void scaler_forecast(struct scaler *scaler, const struct sample *sample,
                     struct autoscale_forecast *ret_forecast)
{
    *ret_forecast = (struct autoscale_forecast){ 0 };
    if (!scaler->trend || scaler->recollection)
        return;
    learn(scaler, sample);
    policy_forecast(scaler->policy, scaler->trend, ret_forecast);
    if (trend_age(scaler->trend) != scaler->trend_age)
        scaler->is_dirty = true;
    scaler->trend_age = trend_age(scaler->trend);
}

void scaler_show_prediction(struct work *work, const struct scaler *scaler)
{
    const struct policy_prediction *wanted = &scaler->policy->prediction;
    struct prediction now = { 0 };
    char horizon[DURATION_TEXT_SIZE];

    if (!scaler->trend) {
        if (condition_get(work->object, "PredictionUsed"))
            work_condition(work, "PredictionUsed", false, "NotAskedFor", "%s", "");
        return;
    }
    duration_format(wanted->horizon_ms, horizon, sizeof horizon);
    now = scaler->recollection ? now : trend_predict(scaler->trend);
    if (!now.is_known)
        work_condition(work, "PredictionUsed", false, "Learning",
                       "less than two seasons of %s are recorded",
                       scaler->policy->rules.targets[wanted->target].name);
    else if (now.error > wanted->max_error)
        work_condition(
            work, "PredictionUsed", false, "Inaccurate",
            "over the recent past it was off by %.0f %%, more than %.0f %%: nothing is done by it",
            now.error, wanted->max_error);
    else
        work_condition(work, "PredictionUsed", true, "Accurate",
                       "in %s %s will be %.4g in all; over the recent past it was off by %.0f %%",
                       horizon, scaler->policy->rules.targets[wanted->target].name, now.value,
                       now.error);
}

void scaler_forget_prediction(struct scaler *scaler)
{
    if (scaler->recollection)
        scaler->recollection->scaler = NULL;
    trend_free(scaler->trend);
}
