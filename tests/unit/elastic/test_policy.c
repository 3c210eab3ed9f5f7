/* tests/unit/elastic/test_policy.c - from spec to rules, records of load, and their replay. */
#include "base/json.h"
#include "parsed.h"
#include "elastic/policy.h"
#include "elastic/record.h"
#include "elastic/replay.h"
#include <string.h>

static struct policy *policy_of(const char *spec, int min, int max)
{
    auto_json json_t *object = parse(spec);
    struct metric_names names = { 0 };
    struct err err;
    struct policy *policy = policy_new(object, min, max, &names, &err);

    if (!policy)
        check_fail(CHECK_HERE, "%s", err.text);
    return policy;
}

TEST(each_part_of_the_spec_is_read)
{
    auto_clean(policy_free_auto) struct policy *policy = policy_of(
        "{\"mode\":\"Observe\",\"window\":\"3s\",\"idleTimeout\":\"1m\",\"minReplicas\":2,\"maxReplicas\":9,"
        "\"metrics\":[{\"name\":\"a\",\"type\":\"CPU\",\"averageUtilization\":60},"
        "{\"name\":\"b\",\"type\":\"Latency\",\"latency\":\"250ms\"},"
        "{\"name\":\"c\",\"type\":\"Custom\",\"metric\":\"jobs\",\"value\":\"1500m\"}],"
        "\"steps\":[{\"name\":\"s\",\"type\":\"Queue\",\"above\":\"5\",\"add\":2}],"
        "\"schedules\":[{\"name\":\"d\",\"schedule\":\"0 8 * * *\",\"timeZone\":\"Europe/Berlin\","
        "\"duration\":\"1h\",\"minReplicas\":4}],"
        "\"prediction\":{\"metric\":\"a\",\"season\":\"1h\",\"horizon\":\"30s\",\"maxError\":15},"
        "\"behavior\":{\"scaleUp\":{\"stabilizationWindowSeconds\":3,\"selectPolicy\":\"Min\",\"tolerance\":\"200m\","
        "\"policies\":[{\"type\":\"Pods\",\"value\":3,\"periodSeconds\":10}]},\"scaleDown\":{\"selectPolicy\":\"Disabled\"}}}",
        0, 6);
    const struct autoscale_policy *rules = &policy->rules;

    CHECK(policy->only_observes);
    CHECK_EQ(rules->min, 2);
    CHECK_EQ(rules->max, 6); /* the group's */
    CHECK_EQ(rules->window_ms, 3000);
    CHECK_EQ(rules->idle_ms, 60000);
    CHECK_EQ(rules->target_count, 3);
    CHECK_EQ(rules->targets[0].slot, METRIC_CPU);
    CHECK_EQ((int)rules->targets[0].target, 60);
    CHECK_EQ((int)rules->targets[1].target, 250);
    CHECK_EQ(rules->targets[1].kind, TARGET_VALUE);
    CHECK_EQ(rules->targets[2].slot, METRIC_CUSTOM);
    CHECK_EQ((int)(rules->targets[2].target * 10), 15);
    CHECK(rules->steps[0].is_above && rules->steps[0].add == 2 && (int)rules->steps[0].threshold == 5);
    CHECK_EQ(rules->schedules[0].min, 4);
    CHECK_EQ(rules->schedules[0].max, -1);
    CHECK(policy->prediction.is_wanted && policy->prediction.target == 0);
    CHECK_EQ(policy->prediction.season_ms, 3600 * 1000);
    CHECK_EQ(rules->out.stabilisation_ms, 3000);
    CHECK_EQ(rules->out.rates[0].value, 3);
    CHECK_EQ(rules->out.select, RATE_MIN);
    CHECK_EQ((int)(rules->out.tolerance * 100 + 0.5), 20);
    CHECK_EQ(rules->in.select, RATE_DISABLED);
    CHECK_EQ(rules->in.stabilisation_ms, 300 * 1000);
    CHECK_EQ(rules->in.rate_count, 1);
}

TEST(the_bounds_of_the_group_hold)
{
    auto_clean(policy_free_auto) struct policy *policy = policy_of("{\"minReplicas\":1,\"maxReplicas\":2}", 4, 6);

    CHECK_EQ(policy->rules.min, 4);
    CHECK_EQ(policy->rules.max, 4);
}

TEST(without_an_idle_time_the_last_member_stays)
{
    auto_clean(policy_free_auto) struct policy *policy = policy_of("{\"minReplicas\":0}", 0, 6);
    auto_clean(policy_free_auto) struct policy *sleeper = policy_of("{\"idleTimeout\":\"5s\"}", 0, 6);

    CHECK_EQ(policy->rules.min, 1);
    CHECK_EQ(sleeper->rules.min, 0);
}

TEST(what_only_the_clock_can_refuse_names_its_field)
{
    static const struct {
        const char *spec, *text;
    } rows[] = {
        { "{\"schedules\":[{\"name\":\"a\",\"schedule\":\"0 0 31 2 *\"}]}", "spec.schedules[0].schedule: \"0 0 31 2 *\" never fires" },
        { "{\"schedules\":[{\"name\":\"a\",\"schedule\":\"* * * * *\",\"timeZone\":\"Mars/Base\"}]}", "spec.schedules[0].timeZone: unknown time zone" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_json json_t *spec = parse(rows[i].spec);
        struct metric_names names = { 0 };
        struct err err;

        err_clear(&err);
        CHECK(!policy_new(spec, 0, 5, &names, &err));
        CHECK_EQ(err.code, ERR_INVALID);
        CHECK_CONTAINS(err.text, rows[i].text);
    }
}

TEST(a_recorded_sample_reads_back)
{
    struct metric_names names = { 0 }, other = { 0 };
    struct sample sample = { .wall_ms = 1000 * 1000, .members = 4, .ready = 2, .starting = 1, .failed = 1 }, back;
    auto_free char *line = NULL;
    struct err err;

    sample.values[METRIC_CPU] = (struct metric_value){ true, 131.5, 2 };
    sample.values[metric_slot(&names, METRIC_CUSTOM, "jobs", true)] = (struct metric_value){ true, 7, 1 };
    line = record_line(&sample, &names);
    CHECK_OK(record_read(line, strlen(line), &other, &back, &err), &err);
    CHECK_STR(other.custom[0], "jobs");
    CHECK_EQ(memcmp(&sample.wall_ms, &back.wall_ms, sizeof sample.wall_ms), 0);
    CHECK_EQ(back.ready, 2);
    CHECK_EQ((int)(back.values[METRIC_CPU].sum * 10), 1315);
    CHECK_EQ(back.values[METRIC_CUSTOM].reporting, 1);
}

TEST(a_custom_metric_may_be_called_as_a_built_in_one)
{
    struct metric_names names = { { "CPU", "Custom/CPU" } }, other = { 0 };
    struct sample sample = { .wall_ms = 1000, .members = 1, .ready = 1 }, back;
    struct err err;

    sample.values[METRIC_CPU] = (struct metric_value){ true, 50, 1 };
    sample.values[METRIC_CUSTOM] = (struct metric_value){ true, 7, 1 };
    sample.values[METRIC_CUSTOM + 1] = (struct metric_value){ true, 8, 1 };
    auto_free char *line = record_line(&sample, &names);
    CHECK_OK(record_read(line, strlen(line), &other, &back, &err), &err);
    CHECK_EQ((int)back.values[METRIC_CPU].sum, 50);
    CHECK_EQ((int)back.values[metric_slot(&other, METRIC_CUSTOM, "CPU", true)].sum, 7);
    CHECK_EQ((int)back.values[metric_slot(&other, METRIC_CUSTOM, "Custom/CPU", true)].sum, 8);
}

TEST(a_line_that_is_no_sample_is_refused_with_the_reason)
{
    static const struct {
        const char *line, *text;
    } rows[] = {
        { "{", "line 1" },
        { "[]", "time: missing" },
        { "{\"time\":\"yesterday\"}", "time" },
        { "{\"time\":\"2026-11-21T08:00:01Z\"}", "members: must be" },
        { "{\"time\":\"2026-11-21T08:00:01Z\",\"members\":1,\"ready\":-1}", "ready: must be" },
        { "{\"time\":\"2026-11-21T08:00:01Z\",\"members\":1,\"ready\":1,\"starting\":0,\"failed\":0,\"leaving\":0,"
          "\"metrics\":{\"CPU\":{\"sum\":\"x\"}}}", "metrics.CPU.sum: must be a number" },
        { "{\"time\":\"2026-11-21T08:00:01Z\",\"members\":1,\"ready\":1,\"starting\":0,\"failed\":0,\"leaving\":0,"
          "\"metrics\":{\"CPU\":{\"sum\":1e300,\"members\":1}}}", "metrics.CPU.sum: must be a number from 0 to 1e+24" },
        { "{\"time\":\"2026-11-21T08:00:01Z\",\"members\":1,\"ready\":1,\"starting\":0,\"failed\":0,\"leaving\":0,"
          "\"metrics\":{\"CPU\":{\"sum\":1}}}", "metrics.CPU: members: must be" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct metric_names names = { 0 };
        struct sample sample;
        struct err err;

        err_clear(&err);
        CHECK_EQ(record_read(rows[i].line, strlen(rows[i].line), &names, &sample, &err), -1);
        CHECK_CONTAINS(err.text, rows[i].text);
    }
}

enum { MINUTES = 3, SECONDS = MINUTES * 60 };

TEST(a_replay_shows_what_the_policy_would_have_done)
{
    auto_clean(policy_free_auto) struct policy *policy = policy_of(
        "{\"window\":\"2s\",\"metrics\":[{\"name\":\"r\",\"type\":\"Requests\",\"averageValue\":\"100\"}],"
        "\"behavior\":{\"scaleDown\":{\"stabilizationWindowSeconds\":20}}}", 1, 6);
    static struct sample samples[SECONDS];
    struct replay_result result;

    for (int i = 0; i < SECONDS; i++) {
        samples[i] = (struct sample){ .wall_ms = 1000LL * (1000 + i), .members = 3, .ready = 3 };
        samples[i].values[METRIC_REQUESTS] = (struct metric_value){ true, i >= 60 && i < 120 ? 450 : 50, 3 };
    }
    replay(policy, samples, SECONDS, 1, 500, &result);
    CHECK_EQ(result.peak, 5);
    CHECK_EQ(result.lowest, 1);
    CHECK(result.change_count >= 2);
    CHECK(result.changes[0].wall_ms - samples[60].wall_ms <= 2000);
    CHECK_EQ(result.changes[result.change_count - 1].desired, 1);
    CHECK_EQ((int)result.recorded_member_seconds, 3 * SECONDS);
    CHECK(result.member_seconds < result.recorded_member_seconds + 60);
    CHECK_EQ(result.saturated, 0);
    CHECK_CONTAINS(result.changes[0].message, "out from 1 to");
    replay_result_done(&result);
}

/* --- the policy that ran --- */

enum { LIVED_SECONDS = 300, CHANGES_MAX = 64 };

/* A group under a load that comes and goes, decided on as the daemon does: what is recorded of it goes through its
 * lines, and each change is noted. */
struct lived {
    struct sample recorded[LIVED_SECONDS];
    struct autoscale_decision changes[CHANGES_MAX];
    size_t change_count;
    int64_t due_ms[16]; /* members that start, oldest first */
    unsigned ready, starting, reporting;
};

static void members_follow(struct lived *lived, int desired, int64_t now_ms, int second)
{
    while (lived->starting && lived->due_ms[0] <= now_ms) {
        memmove(lived->due_ms, lived->due_ms + 1, sizeof lived->due_ms - sizeof lived->due_ms[0]);
        lived->starting--;
        lived->ready++;
    }
    while ((int)(lived->ready + lived->starting) > desired) {
        if (lived->starting)
            lived->starting--;
        else
            lived->ready--;
    }
    for (; (int)(lived->ready + lived->starting) < desired; lived->starting++)
        lived->due_ms[lived->starting] = now_ms + 1500 + 700 * (second % 3); /* never alike */
}

static struct sample lived_sample(struct lived *lived, int64_t now_ms, int second)
{
    double load = second < 60 ? 40 : second < 150 ? 40 + 3 * (second - 60) : second < 240 ? 250 - 2 * (second - 150) : 70;
    struct sample sample = { .wall_ms = now_ms, .ready = lived->ready, .starting = lived->starting };

    /* Who just came reports a second later. */
    if (lived->reporting > lived->ready)
        lived->reporting = lived->ready;
    sample.members = lived->ready + lived->starting;
    if (lived->reporting)
        sample.values[METRIC_CPU] = (struct metric_value){ true, load * lived->reporting / lived->ready, lived->reporting, false };
    sample.values[METRIC_CUSTOM] = (struct metric_value){ true, load / 4, lived->ready, true };
    lived->reporting = lived->ready;
    return sample;
}

static void live(struct lived *lived, const struct policy *policy, struct metric_names *names)
{
    struct autoscale_memory memory = { 0 };
    int desired = 1;

    memset(lived, 0, sizeof *lived);
    lived->ready = lived->reporting = 1;
    autoscale_begin(&memory, desired, 1000LL * 1000);
    for (int i = 0; i < LIVED_SECONDS; i++) {
        int64_t now_ms = 1000LL * (1000 + i);
        struct autoscale_group group = { .desired = desired, .idle_ms = -1 };
        struct autoscale_decision decision;
        auto_free char *line = NULL;
        struct err err;

        members_follow(lived, desired, now_ms, i);
        const struct sample sample = lived_sample(lived, now_ms, i);
        line = record_line(&sample, names);
        CHECK_OK(record_read(line, strlen(line), names, &lived->recorded[i], &err), &err);
        group.members = sample.members;
        group.ready = sample.ready;
        group.starting = sample.starting;
        autoscale_decide(&policy->rules, lived->recorded, (size_t)i + 1, &group, NULL, now_ms, &memory, &decision);
        if (decision.desired != desired)
            lived->changes[lived->change_count++] = decision;
        CHECK(lived->change_count < CHANGES_MAX);
        desired = decision.desired;
    }
}

TEST(a_replay_of_the_policy_that_ran_decides_what_was_decided)
{
    struct metric_names names = { 0 };
    struct err err;
    auto_json json_t *spec = parse(
        "{\"window\":\"2s\",\"metrics\":[{\"name\":\"c\",\"type\":\"CPU\",\"averageUtilization\":60},"
        "{\"name\":\"j\",\"type\":\"Custom\",\"metric\":\"jobs\",\"averageValue\":\"30\"}],"
        "\"steps\":[{\"name\":\"s\",\"type\":\"Custom\",\"metric\":\"jobs\",\"above\":\"8\",\"add\":1}],"
        "\"behavior\":{\"scaleDown\":{\"stabilizationWindowSeconds\":20}}}");
    auto_clean(policy_free_auto) struct policy *policy = policy_new(spec, 1, 9, &names, &err);
    static struct lived lived;
    struct replay_result result;

    live(&lived, policy, &names);
    CHECK(lived.change_count >= 3);
    replay(policy, lived.recorded, LIVED_SECONDS, 1, 5000, &result);
    CHECK_EQ(result.change_count, lived.change_count);
    for (size_t i = 0; i < lived.change_count && i < result.change_count; i++) {
        char words[AUTOSCALE_TEXT_SIZE];

        autoscale_words(&lived.changes[i], words, sizeof words);
        CHECK_EQ(result.changes[i].wall_ms, lived.changes[i].wall_ms);
        CHECK_STR(result.changes[i].message, words);
    }
    replay_result_done(&result);
}

TEST(an_empty_record_replays_to_nothing)
{
    auto_clean(policy_free_auto) struct policy *policy = policy_of("{}", 1, 6);
    struct replay_result result;

    replay(policy, NULL, 0, 2, 500, &result);
    CHECK_EQ(result.change_count, 0);
    CHECK_EQ(result.peak, 2);
    replay_result_done(&result);
}
