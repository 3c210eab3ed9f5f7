#include "drivers/compute_exec.h"
#include "check.h"
#include "fake_guest.h"

static struct fake_guest guest;
static unsigned asked;      /* for the status */
static unsigned ends_after; /* so many questions */
static unsigned lost_after; /* so many questions the agent is gone; 0: never */

static json_t *answer(void *arg, const char *uid, const char *command, const json_t *arguments, struct err *err)
{
    if (str_equal(command, "guest-exec"))
        return json_pack("{s:i}", "pid", 7);
    CHECK_STR(command, "guest-exec-status");
    CHECK_EQ(json_int_at(arguments, "pid", 0), 7);
    if (lost_after && asked == lost_after) {
        (void)err_set(err, ERR_UNAVAILABLE, "the guest agent does not answer");
        return NULL;
    }
    if (++asked < ends_after)
        return json_pack("{s:b}", "exited", 0);
    return json_pack("{s:b,s:i,s:s}", "exited", 1, "exitcode", 3, "out-data", "aGk=");
}

static struct outcome {
    unsigned count;
    enum err_code code;
    int64_t exit_code;
} outcome;

static void ended(void *arg, const struct err *err, const json_t *status)
{
    outcome.count++;
    outcome.code = err ? err->code : ERR_NONE;
    outcome.exit_code = json_int_at(status, "exitcode", -1);
}

static struct compute_exec *begin(unsigned questions, int64_t timeout_ms)
{
    asked = 0;
    ends_after = questions;
    outcome = (struct outcome){ 0 };
    guest = fake_guest_begin(answer);
    return compute_exec_start(&(struct compute_exec_request){ .loop = guest.loop, .compute = guest.compute,
                                                              .uid = FAKE_GUEST_UID, .path = "true",
                                                              .timeout_ms = timeout_ms },
                              ended, NULL);
}

static void end(void)
{
    fake_guest_end(&guest);
}

TEST(a_command_is_asked_about_until_it_has_ended)
{
    begin(5, 60 * 1000);
    CHECK_EQ(outcome.count, 0);
    loop_sim_advance(guest.loop, 10 * 1000);
    CHECK_EQ(outcome.count, 1);
    CHECK_EQ(outcome.code, ERR_NONE);
    CHECK_EQ(outcome.exit_code, 3);
    CHECK_EQ(asked, 5);
    end();
}

TEST(one_that_goes_on_is_left_alone_after_its_time)
{
    begin(1000 * 1000, 3000);
    loop_sim_advance(guest.loop, 60 * 1000);
    CHECK_EQ(outcome.count, 1);
    CHECK_EQ(outcome.code, ERR_TIMEOUT);
    CHECK(asked < 50);
    end();
}

TEST(it_can_be_given_up_at_any_moment)
{
    for (int64_t ms = 0; ms < 200; ms++) {
        struct compute_exec *exec = begin(1000 * 1000, 60 * 1000);

        loop_sim_advance(guest.loop, ms);
        compute_exec_cancel(exec);
        loop_sim_advance(guest.loop, 100);
        CHECK_EQ(outcome.count, 1);
        CHECK_EQ(outcome.code, ERR_CANCELLED);
        end();
    }
}

TEST(one_whose_guest_went_away_is_not_told_as_if_it_had_never_begun)
{
    lost_after = 3;
    begin(1000 * 1000, 60 * 1000);
    loop_sim_advance(guest.loop, 10 * 1000);
    lost_after = 0;
    CHECK_EQ(outcome.count, 1);
    CHECK_EQ(outcome.code, ERR_IO);
    end();
}

TEST(a_driver_that_closes_ends_it)
{
    begin(1000 * 1000, 60 * 1000); /* the first answer is to come */
    end();
    CHECK_EQ(outcome.count, 1);
    CHECK_EQ(outcome.code, ERR_CANCELLED);
}
