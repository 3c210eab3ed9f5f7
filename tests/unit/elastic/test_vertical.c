/* tests/unit/elastic/test_vertical.c - rows of what a member has and uses, and what no run of random
 * steps may break. */
#include "base/random.h"
#include "check.h"
#include "elastic/vertical.h"
#include <math.h>
#include <string.h>

enum { SECOND = 1000, NOW = 1000 * 1000, WINDOW = 60 * SECOND };
static const int64_t MIB = 1024 * 1024;

static struct vertical_policy policy(void)
{
    return (struct vertical_policy){
        .cpus = { true, 1, 8, 60 }, .memory = { true, 256 * MIB, 2048 * MIB, 50 },
        .tolerance_out = 0.1, .tolerance_in = 0.1, .in_window_ms = WINDOW,
    };
}

static struct vertical_member member(int64_t cpus, double cpus_used, int64_t mib, double mib_used)
{
    return (struct vertical_member){ .cpus = { cpus, 1, 8, cpus_used },
                                     .memory = { mib * MIB, 0, 2048 * MIB, mib_used < 0 ? -1 : mib_used * (double)MIB } };
}

static struct vertical_decision decide(const struct vertical_member *now)
{
    struct vertical_policy rules = policy();
    struct vertical_memory memory = { 0 };
    struct vertical_decision decision;

    vertical_decide(&rules, now, /*may_shrink=*/true, NOW, &memory, &decision);
    return decision;
}

static const struct row {
    const char *name;
    int64_t cpus;
    double cpus_used;
    int64_t mib;
    double mib_used;
    int64_t wanted_cpus, wanted_mib;
} rows[] = {
    { "as it should be", 2, 1.2, 512, 256, 2, 512 },
    { "a little over is tolerated", 2, 1.3, 512, 280, 2, 512 },
    { "busy processors", 1, 1.0, 512, 256, 2, 512 },
    { "very busy processors", 4, 4.0, 512, 256, 7, 512 },
    { "more than may be", 8, 8.0, 512, 256, 8, 512 },
    { "full memory", 2, 1.2, 512, 400, 2, 832 },
    { "both", 1, 0.9, 256, 256, 2, 512 },
    { "less is not known to be enough yet", 4, 0.1, 1024, 10, 4, 1024 },
    { "nothing is known", 4, -1, 1024, -1, 4, 1024 },
    { "below its bounds", 2, -1, 128, -1, 2, 256 },
    { "no amount", 2, NAN, 512, INFINITY, 2, 512 },
};

TEST(each_row_is_decided_as_written)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vertical_member now = member(rows[i].cpus, rows[i].cpus_used, rows[i].mib, rows[i].mib_used);
        struct vertical_decision decision = decide(&now);

        if (decision.cpus != rows[i].wanted_cpus || decision.memory != rows[i].wanted_mib * MIB)
            check_fail(CHECK_HERE, "%s: %lld cpus, %lld MiB", rows[i].name, (long long)decision.cpus,
                       (long long)(decision.memory / MIB));
    }
}

TEST(nothing_is_asked_for_while_a_change_is_under_way_or_did_not_come)
{
    struct vertical_member now = member(1, 1, 512, 512);

    now.is_following = true;
    CHECK_EQ(decide(&now).cpus, 1);
    CHECK(decide(&now).cpus_can_grow);
    now.is_following = false;
    now.is_held = true;
    CHECK_EQ(decide(&now).cpus, 1);
    CHECK_EQ(decide(&now).memory, 512 * MIB);
    CHECK(!decide(&now).cpus_can_grow);
}

TEST(a_member_at_its_limit_cannot_grow)
{
    struct vertical_member now = member(4, 4, 512, 512);

    now.cpus.most = 4;
    CHECK_EQ(decide(&now).cpus, 4);
    CHECK(!decide(&now).cpus_can_grow);
    CHECK(decide(&now).memory_can_grow);
    now = member(8, 8, 2048, 2048);
    CHECK(!decide(&now).cpus_can_grow);
    CHECK(!decide(&now).memory_can_grow);
}

TEST(a_member_shrinks_to_the_most_of_the_window_when_it_may)
{
    struct vertical_policy rules = policy();
    struct vertical_memory memory = { 0 };
    struct vertical_decision decision;
    struct vertical_member idle = member(8, 0.3, 512, 256), busier = member(8, 1.7, 512, 256);

    vertical_decide(&rules, &idle, true, NOW, &memory, &decision);
    CHECK_EQ(decision.cpus, 8);
    vertical_decide(&rules, &busier, true, NOW + 10 * SECOND, &memory, &decision);
    vertical_decide(&rules, &idle, true, NOW + WINDOW - 1, &memory, &decision);
    CHECK_EQ(decision.cpus, 8);
    vertical_decide(&rules, &idle, false, NOW + WINDOW, &memory, &decision);
    CHECK_EQ(decision.cpus, 8); /* others go first */
    vertical_decide(&rules, &idle, true, NOW + WINDOW, &memory, &decision);
    CHECK_EQ(decision.cpus, 3);
}

TEST(a_member_does_not_shrink_below_what_it_can_give)
{
    struct vertical_policy rules = policy();
    struct vertical_memory memory = { 0 };
    struct vertical_decision decision;
    struct vertical_member idle = member(2, 1.2, 1024, 10);

    idle.memory.least = 768 * MIB;
    vertical_decide(&rules, &idle, true, NOW, &memory, &decision);
    vertical_decide(&rules, &idle, true, NOW + WINDOW, &memory, &decision);
    CHECK_EQ(decision.memory, 768 * MIB);
    idle.memory.has = 768 * MIB;
    vertical_decide(&rules, &idle, true, NOW + WINDOW + SECOND, &memory, &decision);
    vertical_decide(&rules, &idle, true, NOW + 3 * WINDOW, &memory, &decision);
    CHECK_EQ(decision.memory, 768 * MIB);
}

TEST(load_in_between_begins_the_window_anew)
{
    struct vertical_policy rules = policy();
    struct vertical_memory memory = { 0 };
    struct vertical_decision decision;
    struct vertical_member idle = member(4, 0.3, 512, 256), busy = member(4, 2.4, 512, 256);

    vertical_decide(&rules, &idle, true, NOW, &memory, &decision);
    vertical_decide(&rules, &busy, true, NOW + 30 * SECOND, &memory, &decision);
    vertical_decide(&rules, &idle, true, NOW + WINDOW, &memory, &decision);
    CHECK_EQ(decision.cpus, 4);
    vertical_decide(&rules, &idle, true, NOW + 2 * WINDOW, &memory, &decision);
    CHECK_EQ(decision.cpus, 1);
}

/* --- what nothing may break --- */

static double some_use(struct random_seeded *random, int64_t has)
{
    switch (random_below(random, 12)) {
    case 0: return -1;
    case 1: return NAN;
    case 2: return INFINITY;
    case 3: return 1e300;
    default: return (double)random_below(random, 1001) / 1000 * (double)has;
    }
}

static void check_one(const struct vertical_bounds *bounds, const struct vertical_amount *amount, int64_t wanted,
                      const struct vertical_member *now, bool may_shrink)
{
    int64_t highest = amount->most < bounds->max ? amount->most : bounds->max;

    if (!bounds->is_used || now->is_following)
        CHECK_EQ(wanted, amount->has);
    if (wanted > amount->has)
        CHECK(wanted <= highest && !now->is_held);
    if (wanted < amount->has)
        CHECK(may_shrink && !now->is_held && (wanted >= bounds->min || wanted >= highest));
    if (!(isfinite(amount->used) && amount->used >= 0) && amount->has >= bounds->min)
        CHECK_EQ(wanted, amount->has);
}

/* A member is never given more than bounds and machine allow, nor less than the least; what is not
 * known changes nothing; and two changes down of one thing are a window apart. */
TEST(bounds_hold_over_half_a_million_random_steps)
{
    struct random_seeded random = { 42 };

    for (unsigned run = 0; run < 500; run++) {
        struct vertical_policy rules = policy();
        struct vertical_memory memory = { 0 };
        struct vertical_member now = member(1 + (int64_t)random_below(&random, 8), -1, 512, -1);
        int64_t now_ms = NOW, shrunk_ms = 0;

        rules.cpus.is_used = random_below(&random, 8) != 0;
        rules.cpus.min = 1 + (int64_t)random_below(&random, 3);
        rules.cpus.max = rules.cpus.min + (int64_t)random_below(&random, 6);
        for (unsigned step = 0; step < 1000; step++) {
            struct vertical_decision decision;
            bool may_shrink = random_below(&random, 3) != 0;

            now.cpus.most = 1 + (int64_t)random_below(&random, 12);
            now.cpus.used = some_use(&random, now.cpus.has);
            now.memory.used = some_use(&random, now.memory.has);
            now.is_following = random_below(&random, 6) == 0;
            now.is_held = random_below(&random, 6) == 0;
            vertical_decide(&rules, &now, may_shrink, now_ms, &memory, &decision);
            check_one(&rules.cpus, &now.cpus, decision.cpus, &now, may_shrink);
            check_one(&rules.memory, &now.memory, decision.memory, &now, may_shrink);
            if (decision.cpus < now.cpus.has) {
                CHECK(!shrunk_ms || now_ms - shrunk_ms >= rules.in_window_ms);
                shrunk_ms = now_ms;
            }
            now.cpus.has = decision.cpus;
            now.memory.has = decision.memory;
            now_ms += 1 + (int64_t)random_below(&random, 5 * SECOND);
        }
    }
}
