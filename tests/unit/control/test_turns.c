/* Turns: as many at a time as there are processors, in the order in which they came, and none for ever. */
#include "site.h"
#include "control/turns.h"
#include <unistd.h>

enum { TURN_MS = 3000 };

static bool takes(const char *uid)
{
    struct work work = { .control = site.control, .key = uid };

    return turn_take(&work, TURN_TO_BEGIN, uid);
}

static void ends(const char *uid) { turn_end(site.control, TURN_TO_BEGIN, uid); }

static int64_t rested_ms(void) { return turns_rested_ms(site.control, TURN_TO_BEGIN); }

/* One turn less than there are is taken, by nobody the tests name. */
static void take_all_but_one(void)
{
    for (long i = 1; i < sysconf(_SC_NPROCESSORS_ONLN); i++) {
        auto_free char *uid = str_printf("other-%ld", i);

        CHECK(takes(uid));
    }
}

TEST(who_came_first_has_the_next_turn)
{
    begin(1);
    take_all_but_one();
    CHECK(takes("a"));
    CHECK(!takes("b"));
    CHECK(!takes("c"));
    CHECK(takes("a")); /* it keeps it */
    ends("a");
    CHECK(!takes("c"));
    CHECK(takes("b"));
    ends("b");
    CHECK(takes("c"));
    end();
}

TEST(who_gives_up_waiting_holds_nobody_up)
{
    begin(2);
    take_all_but_one();
    CHECK(takes("a"));
    CHECK(!takes("b"));
    CHECK(!takes("c"));
    ends("b");
    ends("nobody");
    ends("a");
    CHECK(takes("c"));
    end();
}

TEST(a_turn_that_takes_long_ends_by_itself)
{
    begin(3);
    CHECK(takes("slow"));
    loop_sim_advance(site.loop, TURN_MS / 2);
    take_all_but_one();
    CHECK(!takes("b"));
    loop_sim_advance(site.loop, TURN_MS / 2 - 1);
    CHECK(!takes("b"));
    loop_sim_advance(site.loop, 1);
    CHECK(takes("b"));
    CHECK(!takes("slow")); /* as one that comes */
    ends("b");
    CHECK(takes("slow"));
    end();
}

/* The place behind the one that is over is not lost with it. */
TEST(one_that_comes_when_the_last_one_is_over_has_a_turn)
{
    begin(4);
    CHECK(takes("slow"));
    loop_sim_advance(site.loop, TURN_MS);
    CHECK(takes("new"));
    CHECK(takes("new"));
    end();
}

TEST(all_rest_from_the_end_of_the_last_turn)
{
    begin(5);
    CHECK(rested_ms() == INT64_MAX);
    CHECK(takes("a"));
    CHECK_EQ(rested_ms(), 0);
    loop_sim_advance(site.loop, 1000);
    ends("a");
    loop_sim_advance(site.loop, 500);
    CHECK_EQ(rested_ms(), 500);
    CHECK(takes("slow"));
    loop_sim_advance(site.loop, TURN_MS + 700);
    CHECK_EQ(rested_ms(), 700);
    end();
}
