/* tests/unit/elastic/test_group_plan.c - rows of members and the next steps, and long random lives of
 * groups in which nothing may be broken. */
#include "base/random.h"
#include "check.h"
#include "elastic/group_plan.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOW = 1000 * 1000 };

static struct group_wish wish_of(int replicas, int min, int max)
{
    return (struct group_wish){ .replicas = replicas, .min = min, .max = max, .revision = 2, .is_rolling = true,
                                .surge = 1, .heals = true, .may_create = true };
}

/* One letter per member: s starting, r ready, u unready, f failed, l leaving, w warm; upper case is
 * of the older revision, '!' after it protects it. */
static size_t members_of(const char *letters, struct group_member *members)
{
    static char names[64][8];
    size_t count = 0;

    for (const char *at = letters; *at; at++) {
        const char *found = strchr("srulfw", *at | 0x20);
        struct group_member *member = &members[count];
        static const enum member_state states[] = { MEMBER_STARTING, MEMBER_READY, MEMBER_UNREADY,
                                                    MEMBER_LEAVING, MEMBER_FAILED, MEMBER_WARM };

        if (*at == '!') {
            members[count - 1].is_protected = true;
            continue;
        }
        snprintf(names[count], sizeof names[count], "m%zu", count);
        *member = (struct group_member){ .name = names[count], .state = states[found - "srulfw"],
                                         .revision = *at & 0x20 ? 2 : 1, .ordinal = (int)count,
                                         .created_ms = NOW - 2000 + (int64_t)count, .ready_since_ms = -1 };
        if (member->state == MEMBER_READY)
            member->ready_since_ms = NOW - 1000;
        count++;
    }
    return count;
}

static void describe(const struct group_plan *plan, char *to, size_t size)
{
    size_t length = (size_t)snprintf(to, size, "+%u", plan->create);

    if (plan->create_warm)
        length += (size_t)snprintf(to + length, size - length, " w%u", plan->create_warm);
    for (unsigned i = 0; i < plan->resume_count; i++)
        length += (size_t)snprintf(to + length, size - length, " r%zu", plan->resume[i]);
    for (unsigned i = 0; i < plan->leave_count; i++)
        length += (size_t)snprintf(to + length, size - length, " -%zu%c", plan->leave[i].member,
                                   "mofg"[plan->leave[i].reason]);
    if (plan->blocked)
        snprintf(to + length, size - length, " blocked");
}

static const struct row {
    const char *members;
    int replicas, min, max;
    const char *expected;
} rows[] = {
    { "", 3, 0, 6, "+3" },
    { "rrr", 3, 0, 6, "+0" },
    { "rs", 3, 0, 6, "+1" },
    { "rrrr", 2, 0, 6, "+0 -3m -2m" },
    { "rrsr", 2, 0, 6, "+0 -2m -3m" },     /* what does not serve goes first */
    { "rrrr!", 2, 0, 6, "+0 -2m -1m" },    /* a protected one never */
    { "rrrf", 3, 0, 6, "+0 -3f" },
    { "rrf", 3, 0, 6, "+1 -2f" },
    { "rrf", 3, 0, 3, "+0 -2f" },          /* no room until it is gone */
    { "rrl", 3, 0, 3, "+0" },
    { "rrf!", 3, 0, 6, "+1" },
    { "RRR", 3, 0, 6, "+1" },              /* surge first */
    { "RRRs", 3, 0, 6, "+0" },
    { "RRRr", 3, 0, 6, "+0 -2o" },
    { "RRlr", 3, 0, 6, "+1" },
    { "RRSr", 3, 0, 6, "+0 -2o" },         /* an old one that does not serve goes at once */
    { "RRR", 3, 0, 3, "+0 -2o" },          /* no room: one in place */
    { "RRs", 3, 0, 3, "+0" },
    { "RRR", 3, 3, 3, "+0 blocked" },
    { "R", 1, 1, 1, "+0 blocked" },
    { "R!r", 2, 0, 6, "+0" },
    { "rrww", 3, 0, 6, "+0 r2 -3m" },      /* warm is 0 in these rows */
    { "rrW", 2, 0, 6, "+0 -2o" },
    { "rrrr", 0, 0, 6, "+0 -3m -2m -1m -0m" },
};

TEST(the_next_steps_follow_from_the_members)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct group_wish wish = wish_of(rows[i].replicas, rows[i].min, rows[i].max);
        struct group_member members[64];
        struct group_plan plan;
        char text[256];

        group_plan(&wish, members, members_of(rows[i].members, members), NOW, &plan);
        describe(&plan, text, sizeof text);
        if (strcmp(text, rows[i].expected) != 0)
            check_fail(CHECK_HERE, "\"%s\" of %d: %s, not %s", rows[i].members, rows[i].replicas, text,
                       rows[i].expected);
    }
}

static void check_plan(const struct group_wish *wish, const char *letters, const char *expected)
{
    struct group_member members[64];
    struct group_plan plan;
    char text[256];

    group_plan(wish, members, members_of(letters, members), NOW, &plan);
    describe(&plan, text, sizeof text);
    if (strcmp(text, expected) != 0)
        check_fail(CHECK_HERE, "\"%s\": %s, not %s", letters, text, expected);
}

TEST(warm_members_are_kept_and_used_first)
{
    struct group_wish wish = wish_of(2, 0, 6);

    wish.warm = 2;
    check_plan(&wish, "rr", "+0 w2");
    check_plan(&wish, "rrww", "+0");
    check_plan(&wish, "rrwww", "+0 -2m");
    check_plan(&wish, "rww", "+0 r1");
    check_plan(&wish, "rsw", "+0"); /* others are made when all serve */
    check_plan(&wish, "rrw", "+0 w1");
    wish.replicas = 5;
    check_plan(&wish, "rrww", "+1 r2 r3");
    wish.max = 5;
    check_plan(&wish, "rrww", "+1 r2 r3");
}

TEST(warm_members_are_made_when_the_last_member_has_had_a_moment_to_serve)
{
    struct group_wish wish = wish_of(2, 0, 6);
    struct group_member members[64];
    size_t count = members_of("rr", members);
    struct group_plan plan;

    wish.warm = 1;
    members[1].created_ms = NOW - 400;
    group_plan(&wish, members, count, NOW, &plan);
    CHECK_EQ(plan.create_warm, 0);
    CHECK_EQ(plan.again_ms, 600);
    members[1].created_ms = NOW + 400; /* the clock was set back */
    group_plan(&wish, members, count, NOW, &plan);
    CHECK_EQ(plan.create_warm, 1);
}

TEST(a_circuit_that_is_half_open_tries_one)
{
    struct group_wish wish = wish_of(4, 0, 6);

    wish.one_only = true;
    check_plan(&wish, "r", "+1");
    check_plan(&wish, "rs", "+0");
    wish.may_create = false;
    check_plan(&wish, "r", "+0");
    check_plan(&wish, "rww", "+0 r1 -2m"); /* warm is 0 here */
}

TEST(stable_names_are_filled_from_below_and_replaced_in_place)
{
    struct group_wish wish = wish_of(3, 0, 6);
    struct group_member members[64];
    struct group_plan plan;
    size_t count;

    wish.stable_names = true;
    count = members_of("rr", members);
    members[0].ordinal = 2;
    group_plan(&wish, members, count, NOW, &plan);
    CHECK_EQ(plan.create, 1);
    CHECK_EQ(plan.ordinals[0], 0);
    check_plan(&wish, "RRR", "+0 -2o");
    check_plan(&wish, "RRl", "+0"); /* its name is not free yet */
    check_plan(&wish, "RRs", "+0");
    wish.replicas = 1;
    check_plan(&wish, "rrr", "+0 -2m -1m");
}

TEST(a_group_that_goes_takes_all_along)
{
    struct group_wish wish = wish_of(3, 2, 6);

    wish.is_going = true;
    check_plan(&wish, "rr!lfw", "+0 -0g -1g -3g -4g");
}

TEST(victims_are_chosen_as_the_group_says)
{
    struct group_wish wish = wish_of(1, 0, 6);
    struct group_member members[64];
    struct group_plan plan;
    size_t count = members_of("rrr", members);

    wish.victim = VICTIM_OLDEST;
    group_plan(&wish, members, count, NOW, &plan);
    CHECK_EQ(plan.leave[0].member, 0);
    wish.victim = VICTIM_LEAST_BUSY;
    members[0].load = 9;
    members[1].load = 1;
    members[2].load = 5;
    group_plan(&wish, members, count, NOW, &plan);
    CHECK_EQ(plan.leave[0].member, 1);
    CHECK_EQ(plan.leave[1].member, 2);
}

TEST(a_member_counts_when_it_was_ready_for_long_enough)
{
    struct group_wish wish = wish_of(2, 0, 6);
    struct group_member members[64];
    struct group_plan plan;
    size_t count = members_of("RRr", members);

    wish.min_ready_ms = 5000;
    members[0].ready_since_ms = members[1].ready_since_ms = NOW - 10 * 1000;
    group_plan(&wish, members, count, NOW, &plan);
    CHECK_EQ(plan.leave_count, 0);
    CHECK_EQ(plan.again_ms, 4000);
    group_plan(&wish, members, count, NOW + 4000, &plan);
    CHECK_EQ(plan.leave_count, 1);
}

/* --- lives of random groups --- */

static int larger_of(int a, int b) { return a > b ? a : b; }

struct life {
    struct random_seeded random;
    struct group_wish wish;
    struct group_member members[128];
    size_t count;
    int64_t now;
    char names[128][16];
    unsigned made;
    bool calm; /* nothing fails any more */
};

static bool chance(struct life *life, unsigned one_in) { return random_below(&life->random, one_in) == 0; }

static void add_member(struct life *life, enum member_state state, int ordinal)
{
    struct group_member *member = &life->members[life->count];

    CHECK(life->count < 128);
    snprintf(life->names[life->made % 128], 16, "m%u", life->made);
    *member = (struct group_member){ .name = life->names[life->made % 128], .state = state,
                                     .revision = life->wish.revision, .ordinal = ordinal, .created_ms = life->now,
                                     .ready_since_ms = -1 };
    life->made++;
    life->count++;
}

static int serving(const struct life *life)
{
    int count = 0;

    for (size_t i = 0; i < life->count; i++)
        count += life->members[i].state == MEMBER_READY;
    return count;
}

static void carry_out(struct life *life, const struct group_plan *plan)
{
    int before = serving(life);
    bool chose_serving = false;

    for (unsigned i = 0; i < plan->leave_count; i++) {
        struct group_member *member = &life->members[plan->leave[i].member];

        CHECK(member->state != MEMBER_LEAVING);
        CHECK(!member->is_protected);
        chose_serving = chose_serving || member->state == MEMBER_READY;
        member->state = MEMBER_LEAVING;
    }
    if (chose_serving)
        CHECK(serving(life) >= life->wish.min && before > serving(life));
    for (unsigned i = 0; i < plan->resume_count; i++)
        life->members[plan->resume[i]].state = MEMBER_STARTING;
    for (unsigned i = 0; i < plan->create; i++)
        add_member(life, MEMBER_STARTING, plan->ordinals[i]);
    for (unsigned i = 0; i < plan->create_warm; i++)
        add_member(life, MEMBER_WARM, -1);
    CHECK((int)life->count <= life->wish.max);
}

static void let_members_live(struct life *life)
{
    for (size_t i = 0; i < life->count; i++) {
        struct group_member *member = &life->members[i];
        bool bad = !life->calm && chance(life, 12);

        if (member->state == MEMBER_LEAVING && chance(life, 2)) {
            *member = life->members[--life->count];
            i--;
        } else if ((member->state == MEMBER_STARTING || member->state == MEMBER_UNREADY) && chance(life, 2)) {
            member->state = bad ? MEMBER_FAILED : MEMBER_READY;
            member->ready_since_ms = bad ? -1 : life->now;
        } else if (member->state == MEMBER_READY && bad) {
            member->state = chance(life, 2) ? MEMBER_FAILED : MEMBER_UNREADY;
            member->ready_since_ms = -1;
        }
    }
}

/* The bounds of a group that exists move only as far as its members allow at once: as admission and
 * the autoscaler do, this life keeps 'max' at or above what is there. */
static void change_wishes(struct life *life)
{
    struct group_wish *wish = &life->wish;

    wish->max = larger_of((int)life->count, 1 + (int)random_below(&life->random, 20));
    wish->min = (int)random_below(&life->random, 1 + (unsigned)(wish->max > 3 ? 3 : wish->max - 1));
    wish->replicas = wish->min + (int)random_below(&life->random, 1 + (unsigned)(wish->max - wish->min));
    wish->warm = chance(life, 3) ? (int)random_below(&life->random, 3) : 0;
    wish->revision += chance(life, 2);
    wish->surge = (int)random_below(&life->random, 3);
    wish->unavailable = wish->surge == 0 ? 1 : (int)random_below(&life->random, 2);
    wish->min_ready_ms = chance(life, 3) ? 2000 : 0;
    wish->victim = (enum group_victim)random_below(&life->random, 3);
    wish->may_create = !chance(life, 6);
    wish->one_only = chance(life, 6);
}

static void step(struct life *life)
{
    struct group_plan plan;

    group_plan(&life->wish, life->members, life->count, life->now, &plan);
    carry_out(life, &plan);
    let_members_live(life);
    life->now += 1000;
}

static void check_arrived(const struct life *life, uint64_t seed)
{
    int current = 0, warm = 0, room = life->wish.max - life->wish.replicas;

    for (size_t i = 0; i < life->count; i++)
        warm += life->members[i].state == MEMBER_WARM && life->members[i].revision == life->wish.revision;
    if (warm != (life->wish.warm < room ? life->wish.warm : room))
        check_fail(CHECK_HERE, "seed %llu: %d of %d are warm, %zu members, max %d", (unsigned long long)seed, warm,
                   life->wish.warm, life->count, life->wish.max);
    for (size_t i = 0; i < life->count; i++)
        current += life->members[i].state == MEMBER_READY && life->members[i].revision == life->wish.revision;
    if (current != life->wish.replicas || serving(life) != current)
        check_fail(CHECK_HERE, "seed %llu: %d of %d serve, %d current, %zu members, max %d",
                   (unsigned long long)seed, serving(life), life->wish.replicas, current, life->count,
                   life->wish.max);
}

static void live(uint64_t seed, unsigned steps)
{
    struct life life = { .random.state = seed, .now = NOW, .wish = wish_of(1, 0, 5) };

    life.wish.stable_names = seed % 5 == 0;
    for (unsigned i = 0; i < steps; i++) {
        if (chance(&life, 15))
            change_wishes(&life);
        step(&life);
    }
    life.calm = true;
    life.wish.may_create = true;
    life.wish.one_only = false;
    if (life.wish.max <= life.wish.replicas && life.wish.min == life.wish.replicas)
        life.wish.max++; /* an update that is blocked says so and stays: see the rows */
    for (unsigned i = 0; i < 40 + 20 * (unsigned)life.wish.max; i++)
        step(&life);
    if (!(life.wish.stable_names && life.wish.min == life.wish.replicas))
        check_arrived(&life, seed);
}

TEST(random_groups_break_no_bound_and_arrive)
{
    const char *lives_text = getenv("VIRGA_LIVES");
    unsigned lives = lives_text ? (unsigned)atol(lives_text) : 300;

    for (unsigned i = 0; i < lives; i++)
        live(i, 200);
}
