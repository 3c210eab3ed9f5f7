/* Every check can fail: each test but the last breaks one, and main() wants it seen. */
#include "check.h"
#include "check_run.h"
#include <stdio.h>
#include <stdlib.h>

enum { BROKEN_COUNT = 15 };

static struct err wrong = { ERR_IO, "disk" };
static struct err silent = { ERR_IO, "" };

TEST(fails_condition) { CHECK(1 == 2); }
TEST(fails_equal) { CHECK_EQ(1, 2); }
TEST(fails_equal_beyond_32_bits) { CHECK_EQ(1, 0x100000001); }
TEST(fails_text) { CHECK_STR("a", "b"); }
TEST(fails_text_null) { CHECK_STR(NULL, ""); }
TEST(fails_text_not_null) { CHECK_STR("", NULL); }
TEST(fails_contains) { CHECK_CONTAINS("abc", "d"); }
TEST(fails_contains_null) { CHECK_CONTAINS(NULL, "d"); }
TEST(fails_ok) { CHECK_OK(-1, &wrong); }
TEST(fails_ok_other_value) { CHECK_OK(1, &wrong); }
TEST(fails_fails_succeeded) { CHECK_FAILS(0, &wrong, ERR_IO); }
TEST(fails_fails_other_value) { CHECK_FAILS(1, &wrong, ERR_IO); }
TEST(fails_fails_code) { CHECK_FAILS(-1, &wrong, ERR_INVALID); }
TEST(fails_fails_text) { CHECK_FAILS(-1, &silent, ERR_IO); }
TEST(fails_at_once)
{
    CHECK(false);
    exit(EXIT_FAILURE);
}

TEST(holds)
{
    CHECK(true);
    CHECK_EQ(-1, -1);
    CHECK_STR(NULL, NULL);
    CHECK_STR("a", "a");
    CHECK_CONTAINS("abc", "c");
    CHECK_OK(0, &wrong);
    CHECK_FAILS(-1, &wrong, ERR_IO);
}

int main(void)
{
    int all = check_run_all(NULL);
    int broken = check_run_all("fails_*");
    int good = check_run_all("holds");

    printf("failed: %d of all, %d of the broken, %d of the good\n", all, broken, good);
    return all == BROKEN_COUNT && broken == BROKEN_COUNT && good == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
