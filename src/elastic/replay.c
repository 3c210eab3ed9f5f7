/* elastic/replay.c - one decision per recorded sample. */
#include "elastic/replay.h"
#include "base/mem.h"
#include <string.h>

enum { STARTS_MAX = 64, BUSY_PERCENT = 95, GAP_MS = 60 * 1000, SAMPLE_MS = 1000, WINDOW_SAMPLES_MAX = 600 };

/* The group as it would have been. */
struct replayed {
    const struct policy *policy;
    int64_t start_ms;
    int desired;
    int ready;
    struct {
        int64_t due_ms;
        int count;
    } starts[STARTS_MAX];
    unsigned start_count;
    int64_t traffic_ms; /* when traffic was last seen; -1: nothing known of it */
    struct trend *trend; /* NULL: nothing is predicted */
    struct autoscale_memory memory;
    struct sample recent[WINDOW_SAMPLES_MAX]; /* ring would do; windows are short */
    size_t recent_count;
};

static void ready_up(struct replayed *replayed, int64_t now_ms)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < replayed->start_count; i++) {
        if (replayed->starts[i].due_ms <= now_ms)
            replayed->ready += replayed->starts[i].count;
        else
            replayed->starts[kept++] = replayed->starts[i];
    }
    replayed->start_count = kept;
}

static int starting(const struct replayed *replayed)
{
    int sum = 0;

    for (unsigned i = 0; i < replayed->start_count; i++)
        sum += replayed->starts[i].count;
    return sum;
}

/* While as many are wanted as there were, what was recorded is what there would have been. */
static void follow_record(struct replayed *replayed, const struct sample *recorded)
{
    int missing = replayed->desired - (int)recorded->ready;

    if (recorded->ready + recorded->starting + recorded->failed != (unsigned)replayed->desired ||
        replayed->ready == (int)recorded->ready)
        return;
    replayed->ready = (int)recorded->ready;
    replayed->start_count = missing > 0 ? 1 : 0;
    replayed->starts[0].count = missing;
    replayed->starts[0].due_ms = recorded->wall_ms + replayed->start_ms;
}

static void change_size(struct replayed *replayed, int desired, int64_t now_ms)
{
    int more = desired - replayed->desired;

    /* What is still starting goes first, as in a real group. */
    while (more < 0 && replayed->start_count > 0) {
        int *last = &replayed->starts[replayed->start_count - 1].count;
        int take = *last < -more ? *last : -more;

        *last -= take;
        more += take;
        if (*last == 0)
            replayed->start_count--;
    }
    if (more > 0 && replayed->start_count < STARTS_MAX && replayed->start_ms > 0) {
        replayed->starts[replayed->start_count].due_ms = now_ms + replayed->start_ms;
        replayed->starts[replayed->start_count++].count = more;
    } else {
        replayed->ready += more;
    }
    replayed->desired = desired;
}

/* The recorded sample as the other number of members would have seen it. */
static struct sample as_seen(const struct replayed *replayed, const struct sample *recorded)
{
    struct sample seen = *recorded;

    if (replayed->ready == (int)recorded->ready)
        return seen;
    for (int i = 0; i < METRIC_SLOTS; i++) {
        struct metric_value *value = &seen.values[i];

        if (!value->is_known)
            continue;
        /* How latency would have been with other members nobody knows: in proportion, at most. */
        if (i == METRIC_LATENCY && replayed->ready > 0 && recorded->ready > 0)
            value->sum *= (double)recorded->ready / replayed->ready;
        value->reporting = (unsigned)replayed->ready;
        value->is_whole = true; /* they share it */
    }
    seen.ready = (unsigned)replayed->ready;
    return seen;
}

static void remember_sample(struct replayed *replayed, const struct sample *sample)
{
    if (replayed->recent_count == WINDOW_SAMPLES_MAX) {
        replayed->recent_count /= 2;
        memmove(replayed->recent, replayed->recent + WINDOW_SAMPLES_MAX - replayed->recent_count,
                replayed->recent_count * sizeof replayed->recent[0]);
    }
    replayed->recent[replayed->recent_count++] = *sample;
}

static void note_traffic(struct replayed *replayed, const struct sample *recorded)
{
    const struct metric_value *requests = &recorded->values[METRIC_REQUESTS];

    if (requests->is_known && (requests->sum > 0 || replayed->traffic_ms < 0))
        replayed->traffic_ms = recorded->wall_ms;
}

static void add_change(struct replay_result *result, const struct autoscale_decision *decision)
{
    struct replay_change *change;

    result->changes = mem_resize(result->changes, (result->change_count + 1) * sizeof *result->changes);
    change = &result->changes[result->change_count++];
    *change = (struct replay_change){ decision->wall_ms, decision->from, decision->desired, decision->reason, "" };
    autoscale_words(decision, change->message, sizeof change->message);
}

/* The load is what it was, however many members shared it. */
static void forecast(struct replayed *replayed, const struct sample *recorded, struct autoscale_forecast *ret_forecast)
{
    const struct policy *policy = replayed->policy;
    const struct metric_value *value = &recorded->values[policy->rules.targets[policy->prediction.target].slot];

    if (!replayed->trend)
        return;
    if (value->is_known)
        trend_add(replayed->trend, recorded->wall_ms, recorded->wall_ms + SAMPLE_MS, value->sum);
    policy_forecast(policy, replayed->trend, ret_forecast);
}

static void replay_sample(struct replayed *replayed, const struct sample *recorded,
                          struct replay_result *result)
{
    struct autoscale_decision decision;
    struct autoscale_group group = { 0 };
    struct autoscale_forecast forecasted = { 0 };
    struct sample seen;
    const struct metric_value *requests = &recorded->values[METRIC_REQUESTS];

    ready_up(replayed, recorded->wall_ms);
    follow_record(replayed, recorded);
    note_traffic(replayed, recorded);
    seen = as_seen(replayed, recorded);
    remember_sample(replayed, &seen);
    group.desired = replayed->desired;
    group.ready = (unsigned)replayed->ready;
    group.starting = (unsigned)starting(replayed);
    group.members = group.ready + group.starting;
    group.idle_ms = replayed->traffic_ms < 0 ? -1 : recorded->wall_ms - replayed->traffic_ms;
    group.wake = requests->is_known && requests->sum > 0;
    forecast(replayed, recorded, &forecasted);
    autoscale_decide(&replayed->policy->rules, replayed->recent, replayed->recent_count, &group, &forecasted,
                     recorded->wall_ms, &replayed->memory, &decision);
    if (decision.desired != replayed->desired) {
        add_change(result, &decision);
        change_size(replayed, decision.desired, recorded->wall_ms);
    }
}

static bool is_saturated(const struct sample *sample)
{
    const struct metric_value *cpu = &sample->values[METRIC_CPU];

    return cpu->is_known && cpu->reporting > 0 && cpu->sum / cpu->reporting >= BUSY_PERCENT;
}

void replay(const struct policy *policy, const struct sample *samples, size_t count, int desired,
            int64_t start_ms, struct replay_result *ret_result)
{
    struct replayed *replayed = mem_zero(sizeof *replayed);

    memset(ret_result, 0, sizeof *ret_result);
    replayed->policy = policy;
    replayed->start_ms = start_ms;
    replayed->desired = replayed->ready = ret_result->peak = ret_result->lowest = desired;
    replayed->traffic_ms = -1;
    if (count > 0)
        autoscale_begin(&replayed->memory, desired, samples[0].wall_ms);
    if (policy->prediction.is_wanted)
        replayed->trend = trend_new(policy->prediction.season_ms, policy->prediction.horizon_ms);
    for (size_t i = 0; i < count; i++) {
        double seconds = i > 0 && samples[i].wall_ms - samples[i - 1].wall_ms < GAP_MS
                             ? (double)(samples[i].wall_ms - samples[i - 1].wall_ms) / 1000
                             : 1;

        replay_sample(replayed, &samples[i], ret_result);
        ret_result->member_seconds += replayed->desired * seconds;
        ret_result->recorded_member_seconds += samples[i].members * seconds;
        ret_result->saturated += is_saturated(&samples[i]);
        if (replayed->desired > ret_result->peak)
            ret_result->peak = replayed->desired;
        if (replayed->desired < ret_result->lowest)
            ret_result->lowest = replayed->desired;
    }
    if (count > 0) {
        ret_result->from_ms = samples[0].wall_ms;
        ret_result->to_ms = samples[count - 1].wall_ms;
    }
    trend_free(replayed->trend);
    free(replayed);
}

void replay_result_done(struct replay_result *result)
{
    free(result->changes);
    memset(result, 0, sizeof *result);
}
