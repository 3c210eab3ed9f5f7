#include "check.h"
#include "cli/telling.h"

TEST(a_terminal_follows_everything_that_is_new)
{
    struct telling telling = { .is_terminal = true };

    CHECK_STR(telling_hear(&telling, "web", "Pending", ""), "web: Pending");
    CHECK_STR(telling_hear(&telling, "web", "Pending", "being placed"),
              "web: Pending: being placed");
    CHECK_STR(telling_hear(&telling, "web", "Pending", "being placed"), NULL);
    CHECK_STR(telling_tick(&telling), NULL);
    telling_done(&telling);
}

TEST(elsewhere_only_a_new_phase_is_told)
{
    struct telling telling = { 0 };

    CHECK_STR(telling_hear(&telling, "web", "Pending", ""), "web: Pending");
    CHECK_STR(telling_hear(&telling, "web", "Pending", "being placed"), NULL);
    CHECK_STR(telling_hear(&telling, "web", "Pending", ""), NULL);
    CHECK_STR(telling_hear(&telling, "web", "Starting", "soon"), "web: Starting");
    telling_done(&telling);
}

TEST(elsewhere_a_reason_that_stands_is_told_once)
{
    struct telling telling = { 0 };

    CHECK_STR(telling_hear(&telling, "web", "Pending", "4Gi are missing"), "web: Pending");
    for (int i = 1; i < TELLING_PATIENCE; i++)
        CHECK_STR(telling_tick(&telling), NULL);
    CHECK_STR(telling_tick(&telling), "web: Pending: 4Gi are missing");
    CHECK_STR(telling_tick(&telling), NULL);
    CHECK_STR(telling_hear(&telling, "web", "Pending", "4Gi are missing"), NULL);
    CHECK_STR(telling_tick(&telling), NULL);
    telling_done(&telling);
}

TEST(nothing_heard_is_nothing_told)
{
    struct telling telling = { 0 };

    for (int i = 0; i < 2 * TELLING_PATIENCE; i++)
        CHECK_STR(telling_tick(&telling), NULL);
    telling_done(&telling);
}
