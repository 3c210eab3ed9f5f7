#include "check.h"
#include "api/deadlines.h"
#include <stddef.h>

static struct deadline *last_expired;
static enum deadline_type last_type;
static unsigned expired_count;
static struct deadlines deadlines;

static void note(struct deadline *deadline)
{
    last_expired = deadline;
    last_type = deadlines.expired_type;
    expired_count++;
}

static struct loop *begin(void)
{
    struct loop *loop = loop_sim_new(1);

    last_expired = NULL;
    expired_count = 0;
    deadlines_init(&deadlines, loop, note);
    return loop;
}

static void end(struct loop *loop)
{
    deadlines_done(&deadlines);
    loop_free(loop);
}

TEST(a_head_that_does_not_come_expires)
{
    struct loop *loop = begin();
    struct deadline one = { 0 };

    deadline_set(&deadlines, &one, DEADLINE_HEAD);
    loop_sim_advance(loop, DEADLINE_HEAD_MS - 1);
    CHECK_EQ(expired_count, 0);
    loop_sim_advance(loop, 1);
    CHECK(last_expired == &one);
    CHECK_EQ(last_type, DEADLINE_HEAD);
    CHECK_EQ(one.type, DEADLINE_NONE);
    end(loop);
}

TEST(another_deadline_takes_the_place_of_the_first)
{
    struct loop *loop = begin();
    struct deadline one = { 0 };

    deadline_set(&deadlines, &one, DEADLINE_HEAD);
    loop_sim_advance(loop, DEADLINE_HEAD_MS - 1);
    deadline_set(&deadlines, &one, DEADLINE_BODY);
    loop_sim_advance(loop, DEADLINE_BODY_MS - 1);
    CHECK_EQ(expired_count, 0);
    loop_sim_advance(loop, 1);
    CHECK_EQ(last_type, DEADLINE_BODY);
    end(loop);
}

TEST(none_stops_the_clock)
{
    struct loop *loop = begin();
    struct deadline one = { 0 };

    deadline_set(&deadlines, &one, DEADLINE_HEAD);
    deadline_set(&deadlines, &one, DEADLINE_NONE);
    loop_sim_advance(loop, 10 * DEADLINE_IDLE_MS);
    CHECK_EQ(expired_count, 0);
    end(loop);
}

TEST(a_short_deadline_set_after_a_long_one_expires_first)
{
    struct loop *loop = begin();
    struct deadline idle = { 0 }, head = { 0 };

    deadline_set(&deadlines, &idle, DEADLINE_IDLE);
    loop_sim_advance(loop, 1000);
    deadline_set(&deadlines, &head, DEADLINE_HEAD);
    loop_sim_advance(loop, DEADLINE_HEAD_MS);
    CHECK(last_expired == &head);
    loop_sim_advance(loop, DEADLINE_IDLE_MS);
    CHECK(last_expired == &idle);
    CHECK_EQ(expired_count, 2);
    end(loop);
}

TEST(many_expire_each_in_its_turn)
{
    struct loop *loop = begin();
    struct deadline all[10] = { 0 };

    for (int i = 0; i < 10; i++) {
        deadline_set(&deadlines, &all[i], DEADLINE_HEAD);
        loop_sim_advance(loop, 100);
    }
    deadline_set(&deadlines, &all[4], DEADLINE_NONE);
    loop_sim_advance(loop, DEADLINE_HEAD_MS - 1000);
    CHECK_EQ(expired_count, 1);
    CHECK(last_expired == &all[0]);
    loop_sim_advance(loop, 400);
    CHECK_EQ(expired_count, 4);
    CHECK(last_expired == &all[3]);
    loop_sim_advance(loop, 10000);
    CHECK_EQ(expired_count, 9);
    end(loop);
}
