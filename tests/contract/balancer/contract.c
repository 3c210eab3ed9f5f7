/* tests/contract/balancer/contract.c - what every balancer driver must do. */
#include "base/str.h"
#include "rig.h"
#include <stdio.h>
#include <stdlib.h>

static const char *const one = "11111111-1111-4111-8111-111111111111";
static const char *const two = "22222222-2222-4222-8222-222222222222";

static struct rig rig;

static const struct balancer_status *observe(const char *uid)
{
    return rig.balancer->ops->observe(rig.balancer, uid);
}

static enum balancer_member_state state_of(const struct balancer_status *status, const char *id)
{
    const struct balancer_member_status *member =
        balancer_status_member(balancer_status_backend(status, "web"), id);

    return member ? member->state : (enum balancer_member_state) - 1;
}

static size_t count_of(const struct balancer_status *status)
{
    const struct balancer_backend_status *backend = balancer_status_backend(status, "web");

    return backend ? backend->member_count : 0;
}

static bool first_is_up(const struct balancer_status *s)
{
    return state_of(s, "member-1") == BALANCER_MEMBER_UP;
}
static bool first_is_down(const struct balancer_status *s)
{
    return state_of(s, "member-1") == BALANCER_MEMBER_DOWN;
}
static bool first_drains(const struct balancer_status *s)
{
    return state_of(s, "member-1") == BALANCER_MEMBER_DRAINING;
}
static bool two_are_up(const struct balancer_status *s)
{
    return first_is_up(s) && state_of(s, "member-2") == BALANCER_MEMBER_UP;
}
static bool one_member(const struct balancer_status *s) { return count_of(s) == 1; }
static bool no_member(const struct balancer_status *s) { return count_of(s) == 0; }
static bool serves(const struct balancer_status *s)
{
    return s->state == BALANCER_RUNNING && s->listener_count && s->listeners[0].is_open;
}
static bool serves_again(const struct balancer_status *s) { return serves(s) && s->restarts == 1; }

static void ensure(const char *uid, unsigned members)
{
    auto_clean(balancer_config_free_auto) struct balancer_config *config = rig_config(uid, members);

    rig_ensure_ok(&rig, config);
}

TEST(an_absent_balancer_is_absent_and_may_be_removed)
{
    rig_open(&rig);
    CHECK_EQ(observe(one)->state, BALANCER_ABSENT);
    rig_remove_ok(&rig, one);
    rig_close(&rig);
}

TEST(ensure_makes_it_serve_with_its_members)
{
    rig_open(&rig);
    ensure(one, 2);
    CHECK_EQ(observe(one)->state, BALANCER_RUNNING);
    CHECK(observe(one)->pid > 0);
    CHECK_STR(observe(one)->listeners[0].name, "http");
    CHECK(observe(one)->listeners[0].is_open);
    CHECK_EQ(count_of(observe(one)), 2);
    rig_reach(&rig, one, two_are_up, "both members are up");
    CHECK(rig.changes > 0);
    rig_remove_ok(&rig, one);
    CHECK_EQ(observe(one)->state, BALANCER_ABSENT);
    rig_close(&rig);
}

TEST(ensure_again_keeps_the_process)
{
    rig_open(&rig);
    ensure(one, 1);
    pid_t pid = observe(one)->pid;
    ensure(one, 1);
    CHECK_EQ(observe(one)->pid, pid);
    rig_remove_ok(&rig, one);
    rig_close(&rig);
}

TEST(members_come_and_go_without_another_process)
{
    rig_open(&rig);
    ensure(one, 1);
    pid_t pid = observe(one)->pid;
    ensure(one, 2);
    rig_reach(&rig, one, two_are_up, "both members are up");
    ensure(one, 1);
    rig_reach(&rig, one, one_member, "one member is left");
    ensure(one, 0);
    rig_reach(&rig, one, no_member, "no member is left");
    ensure(one, 2);
    rig_reach(&rig, one, two_are_up, "both are back");
    CHECK_EQ(observe(one)->pid, pid);
    rig_remove_ok(&rig, one);
    rig_close(&rig);
}

TEST(a_member_is_drained_and_taken_back)
{
    rig_open(&rig);
    ensure(one, 2);
    rig_reach(&rig, one, two_are_up, "both members are up");
    auto_clean(balancer_config_free_auto) struct balancer_config *config = rig_config(one, 2);
    config->backends[0].members[0].is_draining = true;
    rig_ensure_ok(&rig, config);
    rig_reach(&rig, one, first_drains, "the first member drains");
    CHECK_EQ(state_of(observe(one), "member-2"), BALANCER_MEMBER_UP);
    ensure(one, 2);
    rig_reach(&rig, one, two_are_up, "both members are up");
    rig_remove_ok(&rig, one);
    rig_close(&rig);
}

TEST(a_member_joins_when_it_answers_and_is_down_when_it_stops)
{
    rig_open(&rig);
    rig_set_alive(&rig, 1, false);
    ensure(one, 1);
    CHECK_EQ(state_of(observe(one), "member-1"), BALANCER_MEMBER_JOINING);
    rig_set_alive(&rig, 1, true);
    rig_reach(&rig, one, first_is_up, "it is up");
    rig_set_alive(&rig, 1, false);
    rig_reach(&rig, one, first_is_down, "it is down");
    rig_set_alive(&rig, 1, true);
    rig_remove_ok(&rig, one);
    rig_close(&rig);
}

TEST(another_listener_takes_another_process_and_the_first_stays_open)
{
    rig_open(&rig);
    auto_clean(balancer_config_free_auto) struct balancer_config *config = rig_config(one, 1);
    rig_ensure_ok(&rig, config);
    pid_t pid = observe(one)->pid;
    config->listeners[0].port = 9081;
    rig_ensure_ok(&rig, config);
    CHECK(observe(one)->pid != pid);
    CHECK(serves(observe(one)));
    rig_remove_ok(&rig, one);
    rig_close(&rig);
}

TEST(a_port_in_use_is_shown_and_the_rest_serves)
{
    rig_open(&rig);
    rig_take_port(&rig, 9080);
    ensure(one, 1);
    CHECK_EQ(observe(one)->state, BALANCER_RUNNING);
    CHECK(!observe(one)->listeners[0].is_open);
    CHECK(observe(one)->listeners[0].is_port_taken);
    CHECK_CONTAINS(observe(one)->listeners[0].problem, "in use");
    rig_remove_ok(&rig, one);
    rig_close(&rig);
}

TEST(a_config_that_is_wrong_is_refused_and_changes_nothing)
{
    struct wait wait;

    rig_open(&rig);
    auto_clean(balancer_config_free_auto) struct balancer_config *config = rig_config(one, 1);
    (void)snprintf(config->listeners[0].backend, sizeof config->listeners[0].backend, "nobody");
    rig_ensure(&rig, config, &wait);
    CHECK_EQ(wait.err.code, ERR_INVALID);
    CHECK_EQ(observe(one)->state, BALANCER_ABSENT);
    rig_close(&rig);
}

TEST(balancers_do_not_mind_each_other)
{
    rig_open(&rig);
    auto_clean(balancer_config_free_auto) struct balancer_config *other = rig_config(two, 1);
    other->listeners[0].port = 9082;
    ensure(one, 1);
    rig_ensure_ok(&rig, other);
    pid_t pid = observe(two)->pid;
    char **uids = rig.balancer->ops->list(rig.balancer);
    CHECK(uids[0] && uids[1] && !uids[2]);
    balancer_uids_free(uids);
    rig_crash(&rig, one);
    rig_reach(&rig, one, serves_again, "the first serves again");
    CHECK_EQ(observe(two)->pid, pid);
    CHECK_EQ(observe(two)->restarts, 0);
    rig_remove_ok(&rig, one);
    CHECK_EQ(observe(two)->state, BALANCER_RUNNING);
    rig_remove_ok(&rig, two);
    rig_close(&rig);
}

TEST(a_crash_is_mended_and_shown)
{
    rig_open(&rig);
    ensure(one, 1);
    rig_reach(&rig, one, first_is_up, "its member is up");
    pid_t pid = observe(one)->pid;
    rig_crash(&rig, one);
    rig_reach(&rig, one, serves_again, "it serves again");
    CHECK(observe(one)->pid != pid);
    CHECK_CONTAINS(observe(one)->last_end, "signal 9");
    rig_reach(&rig, one, first_is_up, "its member is up again");
    rig_remove_ok(&rig, one);
    rig_close(&rig);
}

TEST(after_a_restart_it_is_found_and_goes_on)
{
    rig_open(&rig);
    ensure(one, 2);
    pid_t pid = observe(one)->pid;
    rig_reopen(&rig);
    char **uids = rig.balancer->ops->list(rig.balancer);
    CHECK_STR(uids[0], one);
    balancer_uids_free(uids);
    CHECK_EQ(observe(one)->state, BALANCER_RUNNING);
    CHECK_EQ(observe(one)->pid, pid);
    ensure(one, 1);
    CHECK_EQ(observe(one)->pid, pid);
    rig_reach(&rig, one, one_member, "one member is left");
    rig_remove_ok(&rig, one);
    rig_close(&rig);
}

TEST(after_a_restart_it_can_be_removed_at_once)
{
    rig_open(&rig);
    ensure(one, 1);
    rig_reopen(&rig);
    rig_remove_ok(&rig, one);
    rig_close(&rig);
}

TEST(a_newer_config_takes_the_place_of_one_under_way)
{
    struct wait older, newer;

    rig_open(&rig);
    auto_clean(balancer_config_free_auto) struct balancer_config *config = rig_config(one, 1);
    rig.balancer->ops->ensure(rig.balancer, config, -1, wait_done(&rig, &older));
    config->listeners[0].port = 9083;
    rig.balancer->ops->ensure(rig.balancer, config, -1, wait_done(&rig, &newer));
    rig_wait(&rig, &older);
    rig_wait(&rig, &newer);
    CHECK_EQ(older.err.code, ERR_CANCELLED);
    CHECK_STR(newer.err.text, "");
    rig_remove_ok(&rig, one);
    rig_close(&rig);
}

TEST(calls_under_way_end_when_the_driver_closes)
{
    struct wait wait;

    rig_open(&rig);
    auto_clean(balancer_config_free_auto) struct balancer_config *config = rig_config(one, 1);
    rig.balancer->ops->ensure(rig.balancer, config, -1, wait_done(&rig, &wait));
    rig_reopen(&rig);
    CHECK(wait.called);
    CHECK_EQ(wait.err.code, ERR_CANCELLED);
    rig_remove_ok(&rig, one);
    rig_close(&rig);
}
