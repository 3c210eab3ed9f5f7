/* tests/unit/elastic/test_autoscale.c - rows of what is seen and what is decided, and what no run of
 * random steps may break. */
#include "base/random.h"
#include "check.h"
#include "elastic/autoscale.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SECOND = 1000, NOW = 1000 * 1000 };

static struct autoscale_policy policy_of(int min, int max)
{
    struct autoscale_policy policy = { .min = min, .max = max, .window_ms = 2 * SECOND };

    policy.out.tolerance = policy.in.tolerance = 0.1;
    return policy;
}

static void add_target(struct autoscale_policy *policy, enum metric_type type, enum target_kind kind,
                       double target)
{
    struct autoscale_target *item = &policy->targets[policy->target_count++];

    strcpy(item->name, metric_type_name(type));
    item->type = type;
    item->slot = (int)type;
    item->kind = kind;
    item->target = target;
}

static struct autoscale_group group_of(int desired, unsigned ready, unsigned starting)
{
    return (struct autoscale_group){
        .desired = desired, .members = ready + starting, .ready = ready, .starting = starting, .idle_ms = -1
    };
}

static struct sample sample_at(int64_t wall_ms, enum metric_type type, double sum, unsigned reporting)
{
    struct sample sample = { .wall_ms = wall_ms };

    sample.values[type] = (struct metric_value){ true, sum, reporting };
    return sample;
}

static struct autoscale_decision decide(const struct autoscale_policy *policy, const struct sample *sample,
                                        struct autoscale_group group)
{
    struct autoscale_memory memory = { 0 };
    struct autoscale_decision decision;

    autoscale_decide(policy, sample, sample ? 1 : 0, &group, NULL, NOW, &memory, &decision);
    return decision;
}

static const struct row {
    const char *name;
    enum metric_type type;
    enum target_kind kind;
    double target, sum;
    unsigned reporting, ready, starting;
    int desired, expected;
    enum autoscale_reason reason;
} rows[] = {
    { "twice the load doubles", METRIC_CPU, TARGET_AVERAGE, 40, 160, 2, 2, 0, 2, 4, AUTOSCALE_OUT },
    { "a full processor", METRIC_CPU, TARGET_AVERAGE, 60, 100, 1, 1, 0, 1, 2, AUTOSCALE_OUT },
    { "within a tenth nothing", METRIC_CPU, TARGET_AVERAGE, 60, 65, 1, 1, 0, 1, 1,
      AUTOSCALE_WITHIN_TOLERANCE },
    { "a tenth below neither", METRIC_CPU, TARGET_AVERAGE, 60, 110, 2, 2, 0, 2, 2,
      AUTOSCALE_WITHIN_TOLERANCE },
    { "half the load halves", METRIC_CPU, TARGET_AVERAGE, 60, 120, 4, 4, 0, 4, 2, AUTOSCALE_IN },
    { "never below the minimum", METRIC_CPU, TARGET_AVERAGE, 60, 0, 4, 4, 0, 4, 1, AUTOSCALE_IN },
    { "never above the maximum", METRIC_CPU, TARGET_AVERAGE, 10, 900, 9, 9, 0, 9, 10, AUTOSCALE_OUT },
    { "at the maximum it says so", METRIC_CPU, TARGET_AVERAGE, 10, 900, 10, 10, 0, 10, 10,
      AUTOSCALE_AT_MAXIMUM },
    { "members that boot count as idle", METRIC_CPU, TARGET_AVERAGE, 50, 100, 1, 1, 1, 2, 2,
      AUTOSCALE_STEADY },
    { "but not for ever", METRIC_CPU, TARGET_AVERAGE, 25, 100, 1, 1, 1, 2, 4, AUTOSCALE_OUT },
    { "silent members count as busy inwards", METRIC_CPU, TARGET_AVERAGE, 60, 20, 2, 4, 0, 4, 3,
      AUTOSCALE_IN },
    { "silent members count as idle outwards", METRIC_CPU, TARGET_AVERAGE, 60, 180, 2, 4, 0, 4, 4,
      AUTOSCALE_STEADY },
    { "requests are shared", METRIC_REQUESTS, TARGET_AVERAGE, 100, 550, 2, 2, 0, 2, 6, AUTOSCALE_OUT },
    { "latency is a ratio", METRIC_LATENCY, TARGET_VALUE, 100, 200, 3, 3, 0, 3, 6, AUTOSCALE_OUT },
    { "latency does not compound", METRIC_LATENCY, TARGET_VALUE, 100, 200, 3, 3, 3, 6, 6,
      AUTOSCALE_STEADY },
    { "nobody is ready", METRIC_CPU, TARGET_AVERAGE, 60, 0, 0, 0, 3, 3, 3, AUTOSCALE_NO_METRICS },
    { "below the minimum comes up", METRIC_CPU, TARGET_AVERAGE, 60, 0, 0, 0, 0, 0, 1, AUTOSCALE_OUT },
};

TEST(one_target_decides_by_its_row)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        struct autoscale_policy policy = policy_of(1, 10);
        struct sample sample = sample_at(NOW, row->type, row->sum, row->reporting);
        struct autoscale_decision decision;

        add_target(&policy, row->type, row->kind, row->target);
        decision = decide(&policy, &sample, group_of(row->desired, row->ready, row->starting));
        if (decision.desired != row->expected || decision.reason != row->reason)
            check_fail(CHECK_HERE, "%s: %d, %s", row->name, decision.desired,
                       autoscale_reason_name(decision.reason));
    }
}

/* 25 jobs at 13 each are work for two, also in the second in which the second one comes to serve. */
TEST(what_the_whole_group_has_does_not_grow_with_its_members)
{
    struct autoscale_policy policy = policy_of(1, 10);
    struct sample samples[] = { sample_at(NOW - SECOND, METRIC_CUSTOM, 25, 1), sample_at(NOW, METRIC_CUSTOM, 25, 2) };
    struct autoscale_group group = group_of(2, 2, 0);
    struct autoscale_memory memory = { 0 };
    struct autoscale_decision decision;

    samples[0].values[METRIC_CUSTOM].is_whole = samples[1].values[METRIC_CUSTOM].is_whole = true;
    add_target(&policy, METRIC_CUSTOM, TARGET_AVERAGE, 13);
    autoscale_decide(&policy, samples, 2, &group, NULL, NOW, &memory, &decision);
    CHECK_EQ(decision.desired, 2);
    CHECK(fabs(decision.proposals[0].value - 12.5) < 0.001);
    /* What each member has does. */
    samples[0].values[METRIC_CUSTOM].is_whole = samples[1].values[METRIC_CUSTOM].is_whole = false;
    samples[1].values[METRIC_CUSTOM].sum = 50;
    autoscale_decide(&policy, samples, 2, &group, NULL, NOW, &memory, &decision);
    CHECK(fabs(decision.proposals[0].value - 25) < 0.001);
}

TEST(of_several_targets_the_largest_wins_and_an_unknown_one_keeps_members)
{
    struct autoscale_policy policy = policy_of(1, 10);
    struct sample sample = sample_at(NOW, METRIC_CPU, 20, 4);
    struct autoscale_decision decision;

    add_target(&policy, METRIC_CPU, TARGET_AVERAGE, 60);
    add_target(&policy, METRIC_REQUESTS, TARGET_AVERAGE, 100);
    decision = decide(&policy, &sample, group_of(4, 4, 0));
    CHECK_EQ(decision.desired, 4);
    CHECK_EQ(decision.reason, AUTOSCALE_NO_METRICS);
    sample.values[METRIC_REQUESTS] = (struct metric_value){ true, 260, 4 };
    decision = decide(&policy, &sample, group_of(4, 4, 0));
    CHECK_EQ(decision.desired, 3);
    CHECK_STR(decision.proposals[decision.winner].name, "Requests");
    sample.values[METRIC_REQUESTS].sum = 700;
    CHECK_EQ(decide(&policy, &sample, group_of(4, 4, 0)).desired, 7);
}

TEST(old_samples_do_not_count)
{
    struct autoscale_policy policy = policy_of(1, 10);
    struct sample sample = sample_at(NOW - 2 * SECOND, METRIC_CPU, 100, 1);

    add_target(&policy, METRIC_CPU, TARGET_AVERAGE, 50);
    CHECK_EQ(decide(&policy, &sample, group_of(1, 1, 0)).reason, AUTOSCALE_NO_METRICS);
    sample.wall_ms++;
    CHECK_EQ(decide(&policy, &sample, group_of(1, 1, 0)).desired, 2);
}

TEST(steps_add_to_the_ready_members_once)
{
    struct autoscale_policy policy = policy_of(1, 10);
    struct sample sample = sample_at(NOW, METRIC_CPU, 180, 2);

    policy.steps[0] = (struct autoscale_step){ .name = "hot", .slot = METRIC_CPU, .is_above = true,
                                               .threshold = 80, .add = 3 };
    policy.steps[1] = (struct autoscale_step){ .name = "cold", .slot = METRIC_CPU, .threshold = 20,
                                               .add_percent = -50 };
    policy.step_count = 2;
    CHECK_EQ(decide(&policy, &sample, group_of(2, 2, 0)).desired, 5);
    CHECK_EQ(decide(&policy, &sample, group_of(5, 2, 3)).desired, 5);
    sample.values[METRIC_CPU].sum = 100;
    CHECK_EQ(decide(&policy, &sample, group_of(2, 2, 0)).desired, 2);
    sample.values[METRIC_CPU] = (struct metric_value){ true, 20, 5 };
    CHECK_EQ(decide(&policy, &sample, group_of(5, 5, 0)).desired, 2);
    CHECK_EQ(decide(&policy, &sample, group_of(5, 4, 1)).desired, 5);
}

TEST(a_schedule_moves_the_bounds_while_it_is_on)
{
    struct err err;
    auto_clean(calendar_free_auto) struct calendar *calendar = calendar_new("0 * * * *", "UTC", &err);
    struct autoscale_policy policy = policy_of(1, 10);
    struct autoscale_decision decision;
    struct autoscale_memory memory = { 0 };
    struct autoscale_group group = group_of(2, 2, 0);
    int64_t hour = 3600 * SECOND;

    CHECK(calendar);
    policy.schedules[0] = (struct autoscale_schedule){ "rush", calendar, 600 * SECOND, 5, 8 };
    policy.schedule_count = 1;
    autoscale_decide(&policy, NULL, 0, &group, NULL, hour, &memory, &decision);
    CHECK_EQ(decision.desired, 5);
    CHECK_EQ(decision.max, 8);
    group.desired = 9;
    autoscale_decide(&policy, NULL, 0, &group, NULL, hour + 599 * SECOND, &memory, &decision);
    CHECK_EQ(decision.desired, 8);
    group.desired = 2;
    autoscale_decide(&policy, NULL, 0, &group, NULL, hour + 600 * SECOND, &memory, &decision);
    CHECK_EQ(decision.desired, 2);
}

TEST(a_forecast_only_adds)
{
    struct autoscale_policy policy = policy_of(1, 10);
    struct sample sample = sample_at(NOW, METRIC_REQUESTS, 300, 3);
    struct autoscale_forecast forecast = { .is_used = true, .sum = 650 };
    struct autoscale_group group = group_of(3, 3, 0);
    struct autoscale_memory memory = { 0 };
    struct autoscale_decision decision;

    add_target(&policy, METRIC_REQUESTS, TARGET_AVERAGE, 100);
    autoscale_decide(&policy, &sample, 1, &group, &forecast, NOW, &memory, &decision);
    CHECK_EQ(decision.desired, 7);
    CHECK_EQ(decision.proposals[decision.winner].source, FROM_FORECAST);
    forecast.sum = 10;
    autoscale_decide(&policy, &sample, 1, &group, &forecast, NOW, &memory, &decision);
    CHECK_EQ(decision.desired, 3);
    forecast = (struct autoscale_forecast){ .is_used = false, .sum = 900 };
    autoscale_decide(&policy, &sample, 1, &group, &forecast, NOW, &memory, &decision);
    CHECK_EQ(decision.desired, 3);
}

TEST(members_that_can_grow_do_so_before_others_come)
{
    struct autoscale_policy policy = policy_of(1, 10);
    struct sample sample = sample_at(NOW, METRIC_CPU, 200, 2);
    struct autoscale_group group = group_of(2, 2, 0);
    struct autoscale_decision decision;
    char words[AUTOSCALE_TEXT_SIZE];

    add_target(&policy, METRIC_CPU, TARGET_AVERAGE, 50);
    group.cpu_grows = true;
    decision = decide(&policy, &sample, group);
    CHECK_EQ(decision.desired, 2);
    CHECK_EQ(decision.reason, AUTOSCALE_MEMBERS_GROW);
    autoscale_words(&decision, words, sizeof words);
    CHECK_STR(words, "stays at 2, for its members are given more first: 100 % CPU per member, target 50 % CPU");
    /* Larger members do not help against requests, and not below the minimum. */
    add_target(&policy, METRIC_REQUESTS, TARGET_AVERAGE, 10);
    sample.values[METRIC_REQUESTS] = (struct metric_value){ true, 30, 2 };
    CHECK_EQ(decide(&policy, &sample, group).desired, 3);
    policy.min = 4;
    CHECK_EQ(decide(&policy, &sample, group).desired, 4);
    /* And they are no reason to keep members. */
    policy.min = 1;
    sample.values[METRIC_CPU].sum = 20;
    sample.values[METRIC_REQUESTS].sum = 5;
    CHECK_EQ(decide(&policy, &sample, group).desired, 1);
}

TEST(an_open_circuit_adds_nobody_and_says_so)
{
    struct autoscale_policy policy = policy_of(1, 10);
    struct sample sample = sample_at(NOW, METRIC_CPU, 200, 2);
    struct autoscale_group group = group_of(2, 2, 0);
    struct autoscale_decision decision;

    add_target(&policy, METRIC_CPU, TARGET_AVERAGE, 50);
    group.circuit_open = true;
    decision = decide(&policy, &sample, group);
    CHECK_EQ(decision.desired, 2);
    CHECK_EQ(decision.reason, AUTOSCALE_CIRCUIT_OPEN);
    sample.values[METRIC_CPU].sum = 20;
    CHECK_EQ(decide(&policy, &sample, group).desired, 1);
}

TEST(the_last_member_goes_after_the_idle_time_and_comes_when_somebody_waits)
{
    struct autoscale_policy policy = policy_of(0, 10);
    struct sample sample = sample_at(NOW, METRIC_CPU, 1, 1);
    struct autoscale_group group = group_of(1, 1, 0);

    policy.idle_ms = 60 * SECOND;
    add_target(&policy, METRIC_CPU, TARGET_AVERAGE, 50);
    CHECK_EQ(decide(&policy, &sample, group).desired, 1); /* no balancer, nothing known */
    group.idle_ms = 59 * SECOND;
    CHECK_EQ(decide(&policy, &sample, group).desired, 1);
    group.idle_ms = 60 * SECOND;
    CHECK_EQ(decide(&policy, &sample, group).desired, 0);
    group = group_of(0, 0, 0);
    group.idle_ms = 90 * SECOND;
    CHECK_EQ(decide(&policy, NULL, group).desired, 0);
    group.wake = true;
    CHECK_EQ(decide(&policy, NULL, group).desired, 1);
    CHECK_EQ(decide(&policy, NULL, group).reason, AUTOSCALE_WOKEN);
}

TEST(without_any_metric_all_members_go_after_the_idle_time_but_those_of_a_schedule)
{
    struct autoscale_policy policy = policy_of(0, 10);
    struct autoscale_group group = group_of(3, 3, 0);
    struct err err;

    policy.idle_ms = 60 * SECOND;
    group.idle_ms = 59 * SECOND;
    CHECK_EQ(decide(&policy, NULL, group).desired, 3);
    group.idle_ms = 60 * SECOND;
    CHECK_EQ(decide(&policy, NULL, group).desired, 0);
    CHECK_EQ(decide(&policy, NULL, group).reason, AUTOSCALE_IDLE);
    group.wake = true;
    CHECK_EQ(decide(&policy, NULL, group).desired, 3);
    group.wake = false;
    policy.schedules[policy.schedule_count++] = (struct autoscale_schedule){
        .calendar = calendar_new("* * * * *", NULL, &err), .duration_ms = 60 * SECOND, .min = 2, .max = -1
    };
    CHECK_EQ(decide(&policy, NULL, group).desired, 3);
    calendar_free(policy.schedules[0].calendar);
}

/* Feeds the same CPU sum second by second and follows the decisions. */
static int run_seconds(struct autoscale_policy *policy, struct autoscale_memory *memory, int *desired,
                       int64_t *now, double sum, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        struct sample sample = sample_at(*now += SECOND, METRIC_CPU, sum, (unsigned)*desired);
        struct autoscale_group group = group_of(*desired, (unsigned)*desired, 0);
        struct autoscale_decision decision;

        autoscale_decide(policy, &sample, 1, &group, NULL, *now, memory, &decision);
        *desired = decision.desired;
    }
    return *desired;
}

TEST(inwards_the_highest_wish_of_the_window_counts)
{
    struct autoscale_policy policy = policy_of(1, 10);
    struct autoscale_memory memory = { 0 };
    int desired = 1;
    int64_t now = NOW;

    policy.in.stabilisation_ms = 30 * SECOND;
    add_target(&policy, METRIC_CPU, TARGET_AVERAGE, 50);
    CHECK_EQ(run_seconds(&policy, &memory, &desired, &now, 300, 1), 6);
    CHECK_EQ(run_seconds(&policy, &memory, &desired, &now, 100, 29), 6);
    CHECK_EQ(run_seconds(&policy, &memory, &desired, &now, 100, 1), 2);
    /* A dip that is shorter than the window does nothing. */
    CHECK_EQ(run_seconds(&policy, &memory, &desired, &now, 300, 5), 6);
    CHECK_EQ(run_seconds(&policy, &memory, &desired, &now, 20, 20), 6);
    CHECK_EQ(run_seconds(&policy, &memory, &desired, &now, 300, 20), 6);
}

TEST(outwards_the_lowest_wish_of_the_window_counts)
{
    struct autoscale_policy policy = policy_of(1, 10);
    struct autoscale_memory memory = { 0 };
    int desired = 1;
    int64_t now = NOW;

    policy.out.stabilisation_ms = 10 * SECOND;
    add_target(&policy, METRIC_CPU, TARGET_AVERAGE, 50);
    CHECK_EQ(run_seconds(&policy, &memory, &desired, &now, 50, 1), 1);
    CHECK_EQ(run_seconds(&policy, &memory, &desired, &now, 300, 9), 1);
    CHECK_EQ(run_seconds(&policy, &memory, &desired, &now, 300, 1), 6);
}

TEST(what_went_within_a_period_may_come_back_in_it)
{
    struct autoscale_policy policy = policy_of(1, 20);
    struct autoscale_memory memory = { 0 };
    int desired = 2;
    int64_t now = NOW;

    policy.out.rates[0] = (struct autoscale_rate){ false, 4, 15 * SECOND };
    policy.out.rate_count = 1;
    policy.window_ms = SECOND;
    add_target(&policy, METRIC_CPU, TARGET_AVERAGE, 50);
    CHECK_EQ(run_seconds(&policy, &memory, &desired, &now, 1000, 1), 6); /* 2 + 4 */
    CHECK_EQ(run_seconds(&policy, &memory, &desired, &now, 10, 2), 1);
    CHECK_EQ(run_seconds(&policy, &memory, &desired, &now, 1000, 1), 6);
}

TEST(rates_count_from_the_beginning_of_their_period)
{
    struct autoscale_policy policy = policy_of(1, 20);
    struct autoscale_memory memory = { 0 };
    int desired = 2;
    int64_t now = NOW;

    policy.out.rates[0] = (struct autoscale_rate){ true, 100, 15 * SECOND };
    policy.out.rates[1] = (struct autoscale_rate){ false, 4, 15 * SECOND };
    policy.out.rate_count = 2;
    add_target(&policy, METRIC_CPU, TARGET_AVERAGE, 50);
    CHECK_EQ(run_seconds(&policy, &memory, &desired, &now, 1000, 1), 6);   /* 2 + 4 */
    CHECK_EQ(run_seconds(&policy, &memory, &desired, &now, 1000, 14), 6);
    CHECK_EQ(run_seconds(&policy, &memory, &desired, &now, 1000, 1), 12);  /* twice 6 */
    policy.out.select = RATE_MIN;
    CHECK_EQ(run_seconds(&policy, &memory, &desired, &now, 1000, 15), 16); /* 12 + 4 */
    policy.out.select = RATE_DISABLED;
    CHECK_EQ(run_seconds(&policy, &memory, &desired, &now, 2000, 60), 16);
    policy.in.rates[0] = (struct autoscale_rate){ false, 1, 10 * SECOND };
    policy.in.rate_count = 1;
    CHECK_EQ(run_seconds(&policy, &memory, &desired, &now, 50, 31), 12);
}

TEST(a_group_that_was_there_before_waits_for_its_window)
{
    struct autoscale_policy policy = policy_of(1, 6);
    struct sample sample = sample_at(NOW, METRIC_CPU, 10, 4);
    struct autoscale_group group = group_of(4, 4, 0);
    struct autoscale_memory memory = { 0 };
    struct autoscale_decision decision;

    add_target(&policy, METRIC_CPU, TARGET_AVERAGE, 60);
    policy.in.stabilisation_ms = 60 * SECOND;
    autoscale_begin(&memory, group.desired, NOW);
    autoscale_decide(&policy, &sample, 1, &group, NULL, NOW, &memory, &decision);
    CHECK_EQ(decision.desired, 4);
    CHECK_EQ(decision.reason, AUTOSCALE_STABILISING);
    sample.wall_ms += 61 * SECOND;
    autoscale_decide(&policy, &sample, 1, &group, NULL, NOW + 61 * SECOND, &memory, &decision);
    CHECK_EQ(decision.desired, 1);
}

TEST(a_decision_reads_as_a_sentence)
{
    struct autoscale_policy policy = policy_of(1, 6);
    struct sample sample = sample_at(NOW, METRIC_REQUESTS, 730, 2);
    struct autoscale_decision decision;
    char text[AUTOSCALE_TEXT_SIZE];

    add_target(&policy, METRIC_REQUESTS, TARGET_AVERAGE, 100);
    decision = decide(&policy, &sample, group_of(2, 2, 0));
    autoscale_words(&decision, text, sizeof text);
    CHECK_STR(text, "out from 2 to 6: 365 requests/s per member, target 100 requests/s; 8 are wanted, 6 is the maximum");
    decision = decide(&policy, NULL, group_of(2, 2, 0));
    autoscale_words(&decision, text, sizeof text);
    CHECK_STR(text, "stays at 2: nothing is known of Requests (no load balancer tells it)");
}

/* A group that starts, fails, goes silent and lies, under a random policy. */
struct world {
    struct random_seeded random;
    struct autoscale_policy policy;
    struct autoscale_memory memory;
    struct autoscale_group group;
    int64_t now;
};

static double noise(struct world *world, double limit)
{
    switch (random_below(&world->random, 20)) {
    case 0: return 1e300;
    case 1: return 0;
    case 2: return -5;
    case 3: return (double)NAN;
    case 4: return (double)INFINITY;
    default: return limit * (double)random_below(&world->random, 1000) / 1000;
    }
}

static void make_world(struct world *world, uint64_t seed)
{
    struct autoscale_policy *policy = &world->policy;

    memset(world, 0, sizeof *world);
    world->random.state = seed;
    world->now = NOW;
    *policy = policy_of((int)random_below(&world->random, 4), 0);
    policy->max = policy->min + 1 + (int)random_below(&world->random, 12);
    policy->idle_ms = 5 * SECOND;
    for (int i = (int)random_below(&world->random, 4); i >= 0; i--)
        add_target(policy, (enum metric_type)random_below(&world->random, METRIC_CUSTOM),
                   (enum target_kind)random_below(&world->random, 2),
                   1 + (double)random_below(&world->random, 99));
    if (random_below(&world->random, 2)) {
        policy->steps[0] = (struct autoscale_step){ .name = "s", .slot = METRIC_CPU, .is_above = true,
                                                    .threshold = 50,
                                                    .add = (int)random_below(&world->random, 200) - 50 };
        policy->step_count = 1;
    }
    policy->in.stabilisation_ms = (int64_t)random_below(&world->random, 10) * SECOND;
    policy->out.stabilisation_ms = (int64_t)random_below(&world->random, 4) * SECOND;
    if (random_below(&world->random, 2)) {
        policy->in.rates[0] = (struct autoscale_rate){ random_below(&world->random, 2), 1, 3 * SECOND };
        policy->in.rate_count = 1;
    }
    world->group.idle_ms = -1;
    world->group.desired = policy->min;
}

static struct sample lying_sample(struct world *world)
{
    struct sample sample = { .wall_ms = world->now };

    for (int i = 0; i < METRIC_SLOTS; i++)
        if (random_below(&world->random, 8))
            sample.values[i] = (struct metric_value){ true, noise(world, 600),
                                                      (unsigned)random_below(&world->random, 15) };
    return sample;
}

static struct autoscale_forecast lying_forecast(struct world *world)
{
    return (struct autoscale_forecast){ .is_used = random_below(&world->random, 2) == 0,
                                        .target = (int)random_below(&world->random, AUTOSCALE_TARGETS_MAX + 2),
                                        .sum = noise(world, 600) };
}

static void shake_group(struct world *world)
{
    struct autoscale_group *group = &world->group;
    unsigned desired = (unsigned)group->desired;

    group->ready = desired ? (unsigned)random_below(&world->random, desired + 1) : 0;
    group->starting = desired - group->ready;
    group->failed = (unsigned)random_below(&world->random, 3);
    group->members = group->ready + group->starting + group->failed;
    group->circuit_open = random_below(&world->random, 10) == 0;
    group->idle_ms = (int64_t)random_below(&world->random, 10) * SECOND - 1;
    group->wake = random_below(&world->random, 5) == 0;
}

static void check_step(const struct world *world, const struct autoscale_decision *decision)
{
    const struct autoscale_policy *policy = &world->policy;
    const struct autoscale_group *group = &world->group;

    CHECK(decision->desired <= policy->max);
    CHECK(decision->desired >= policy->min);
    if (group->circuit_open && group->desired >= policy->min && !(group->desired == 0 && group->wake))
        CHECK(decision->desired <= group->desired);
    if (policy->min == 0 && decision->desired == 0 && group->desired > 0)
        CHECK((group->desired == 1 || (!policy->target_count && !policy->step_count)) &&
              group->idle_ms >= policy->idle_ms && !group->wake);
    if (policy->in.rate_count && !policy->in.rates[0].is_percent && decision->desired)
        CHECK(decision->desired >= group->desired - 1);
}

TEST(random_steps_with_lying_members_break_no_bound)
{
    const char *count_text = getenv("VIRGA_STEPS");
    long steps = count_text ? atol(count_text) : 100 * 1000;
    struct world world;

    for (long i = 0; i < steps; i++) {
        struct autoscale_decision decision;
        struct autoscale_forecast forecast;
        struct sample sample;
        char text[AUTOSCALE_TEXT_SIZE];

        if (i % 100 == 0)
            make_world(&world, (uint64_t)i);
        shake_group(&world);
        sample = lying_sample(&world);
        forecast = lying_forecast(&world);
        autoscale_decide(&world.policy, &sample, 1, &world.group, &forecast, world.now, &world.memory, &decision);
        check_step(&world, &decision);
        if (i % 50 == 0) {
            autoscale_words(&decision, text, sizeof text);
            CHECK(text[0]);
        }
        world.group.desired = decision.desired;
        world.now += SECOND;
    }
}
