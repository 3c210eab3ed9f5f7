/* tests/unit/control/test_group_warm.c - members that are made ready in advance and stand still. */
#include "fork_site.h"
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER "HTTP/1.0 200 OK\r\n"

TEST(warm_members_are_paused_and_one_is_resumed_first)
{
    begin_forking(11, json_pack("{s:i,s:i,s:i}", "replicas", 1, "maxReplicas", 5, "warm", 2));
    wait_settled(1, 2);
    CHECK(is_phase(census.warm_one, "Paused"));
    CHECK_EQ(group_int("status.replicas"), 1);
    CHECK_STR(group_text("status.phase"), "Ready");
    auto_free char *first = str_dup(census.warm_one);
    set_group("spec.replicas", json_integer(3));
    wait_settled(3, 2);
    CHECK(is_phase(first, "Running"));
    CHECK_EQ(events_of("web", "MemberResumed"), 2);
    set_group("spec.replicas", json_integer(4));
    wait_settled(4, 1); /* maxReplicas has room for no more */
    set_group("spec.replicas", json_integer(5));
    wait_settled(5, 0);
    set_group("spec.replicas", json_integer(1));
    wait_settled(1, 2);
    set_group("spec.warm", json_integer(0));
    wait_settled(1, 0);
    end_forking();
}

static int64_t generation_of(const char *name)
{
    auto_json json_t *object = instance(name);

    return json_int_at(object, "metadata.generation", 1);
}

/* Answers each connection that is made meanwhile; NULL: none gets an answer. */
static void pass_seconds_answering(unsigned seconds, const char *answer)
{
    for (unsigned i = 0; i < seconds * 20; i++) {
        struct ip_addr to;
        uint16_t port;
        int fd;

        loop_sim_advance(site.loop, 50);
        while ((fd = network_fake_take_dialled(site.net, &to, &port)) >= 0) {
            if (answer)
                CHECK(send(fd, answer, strlen(answer), MSG_NOSIGNAL) > 0);
            close(fd);
        }
    }
}

/* A member that serves by an HTTP probe, and a warm one that has had no answer to give for four seconds. */
static void begin_with_one_that_waits(uint64_t seed, const char *start_timeout)
{
    begin_forking(seed, json_pack("{s:i,s:{s:s},s:{s:s,s:i}}", "replicas", 1, "healing", "startTimeout", start_timeout,
                                  "readiness", "type", "HTTP", "port", 80));
    pass_seconds_answering(20, ANSWER);
    CHECK_EQ(group_int("status.readyReplicas"), 1);
    set_group("spec.warm", json_integer(1));
    pass_seconds_answering(4, NULL);
    CHECK_EQ(look()->warm, 1);
}

TEST(a_warm_member_stands_still_when_it_has_given_an_answer)
{
    begin_with_one_that_waits(16, "10m");
    pass_seconds_answering(16, NULL);
    CHECK_EQ(look()->warm, 1);
    CHECK(is_phase(census.warm_one, "Running"));
    CHECK_EQ(group_int("status.warmReplicas"), 0);
    pass_seconds_answering(1, ANSWER); /* it settles for two */
    CHECK(is_phase(census.warm_one, "Running"));
    pass_seconds_answering(5, ANSWER);
    CHECK(is_phase(census.warm_one, "Paused"));
    CHECK_EQ(generation_of(census.warm_one), 2); /* its spec was changed */
    CHECK_EQ(group_int("status.warmReplicas"), 1);
    auto_free char *first = str_dup(census.warm_one);
    set_group("spec.replicas", json_integer(2));
    pass_seconds_answering(3, ANSWER);
    CHECK(is_phase(first, "Running"));
    CHECK_EQ(group_int("status.readyReplicas"), 2);
    end_forking();
}

TEST(a_warm_member_that_is_wanted_before_it_stands_still_goes_on_as_it_is)
{
    begin_with_one_that_waits(24, "10m");
    auto_free char *first = str_dup(census.warm_one);
    set_group("spec.replicas", json_integer(2));
    pass_seconds_answering(3, ANSWER);
    CHECK(is_phase(first, "Running"));
    CHECK_EQ(generation_of(first), 1); /* its spec was not changed: nobody paused it */
    CHECK_EQ(group_int("status.readyReplicas"), 2);
    CHECK_EQ(events_of("web", "MemberCreated"), 1);
    end_forking();
}

TEST(a_warm_member_that_is_never_ready_is_replaced)
{
    begin_with_one_that_waits(17, "10s");
    auto_free char *first = str_dup(census.warm_one);
    pass_seconds_answering(10, NULL);
    pass_seconds_answering(30, ANSWER);
    CHECK_EQ(look()->warm, 1);
    CHECK(!str_equal(census.warm_one, first));
    CHECK(is_phase(census.warm_one, "Paused"));
    end_forking();
}

TEST(a_warm_member_that_a_write_error_stopped_is_not_ready)
{
    begin_with_one_that_waits(18, "20s");
    auto_free char *first = str_dup(census.warm_one), *uid = uid_of(census.warm_one);
    compute_fake_disk_full(site.world, uid, true);
    pass_seconds_answering(2, NULL);
    CHECK(is_phase(first, "Paused"));
    CHECK_EQ(group_int("status.warmReplicas"), 0);
    pass_seconds_answering(20, NULL);
    CHECK(strstr(group_text("status.circuit.message"), "no space left on device"));
    pass_seconds_answering(40, ANSWER);
    CHECK_EQ(look()->warm, 1);
    CHECK(!str_equal(census.warm_one, first));
    CHECK_EQ(group_int("status.warmReplicas"), 1);
    end_forking();
}

TEST(a_warm_member_settles_for_longer_than_it_may_take_to_start)
{
    begin_forking(22, json_pack("{s:i,s:i,s:s,s:{s:s}}", "replicas", 1, "warm", 1, "settle", "30s", "healing",
                                "startTimeout", "10s"));
    wait_settled(1, 1);
    CHECK_EQ(group_int("status.circuit.failures"), -1);
    end_forking();
}

TEST(a_warm_member_that_is_wanted_no_more_goes_at_once)
{
    begin_forking(23, json_pack("{s:i,s:i}", "replicas", 1, "warm", 1));
    wait_settled(1, 1);
    auto_free char *first = str_dup(census.warm_one), *uid = uid_of(census.warm_one);
    compute_fake_guest_ignores_power(site.world, uid, true);
    set_group("spec.warm", json_integer(0));
    loop_sim_advance(site.loop, 2 * 1000);
    CHECK(is_phase(first, NULL));
    end_forking();
}

TEST(a_warm_member_that_people_stop_is_replaced_and_is_no_failed_start)
{
    begin_forking(24, json_pack("{s:i,s:i}", "replicas", 1, "warm", 1));
    wait_settled(1, 1);
    auto_free char *first = str_dup(census.warm_one);
    set_spec(first, "spec.powerState", "Stopped");
    loop_sim_advance(site.loop, 5 * 1000);
    wait_settled(1, 1);
    CHECK(is_phase(first, NULL));
    CHECK_EQ(group_int("status.circuit.failures"), -1);
    end_forking();
}

TEST(a_warm_member_that_people_resume_is_ready_anew_and_stands_still_again)
{
    begin_forking(19, json_pack("{s:i,s:i,s:{s:s}}", "replicas", 1, "warm", 1, "healing", "startTimeout", "10s"));
    wait_settled(1, 1);
    auto_free char *first = str_dup(census.warm_one);
    loop_sim_advance(site.loop, 30 * 1000);
    set_spec(first, "spec.powerState", "Running");
    loop_sim_advance(site.loop, 5 * 1000);
    wait_settled(1, 1);
    CHECK_STR(census.warm_one, first);
    CHECK(is_phase(first, "Paused"));
    CHECK_EQ(group_int("status.circuit.failures"), -1);
    end_forking();
}

TEST(a_member_that_was_warm_for_long_has_all_the_time_to_start)
{
    begin_forking(12, json_pack("{s:i,s:i,s:{s:s}}", "replicas", 1, "warm", 1, "healing", "startTimeout", "10s"));
    wait_settled(1, 1);
    auto_free char *first = str_dup(census.warm_one);
    loop_sim_advance(site.loop, 30 * 1000);
    wait_settled(1, 1);
    CHECK_STR(census.warm_one, first);
    set_group("spec.replicas", json_integer(2));
    wait_settled(2, 1);
    CHECK(is_phase(first, "Running"));
    CHECK_EQ(group_int("status.circuit.failures"), -1);
    end_forking();
}

TEST(a_warm_member_that_dies_is_replaced_and_is_no_failed_start)
{
    begin_forking(13, json_pack("{s:i,s:i,s:{s:{s:s}}}", "replicas", 1, "warm", 1, "template", "spec", "restartPolicy",
                                "Never"));
    wait_settled(1, 1);
    auto_free char *first = str_dup(census.warm_one), *uid = uid_of(census.warm_one);
    compute_fake_process_dies(site.world, uid);
    loop_sim_advance(site.loop, 60 * 1000);
    wait_settled(1, 1);
    CHECK(!str_equal(census.warm_one, first));
    CHECK_EQ(group_int("status.circuit.failures"), -1);
    end_forking();
}

TEST(a_warm_member_that_comes_or_goes_is_none_of_the_replicas)
{
    begin_forking(21, json_pack("{s:i,s:i}", "replicas", 1, "warm", 1));
    wait_settled(1, 1);
    auto_free char *first = str_dup(census.warm_one);
    control_delete(site.control, &kind_instance, "default", first, nobody);
    for (int i = 0; i < 6000 && (!look()->warm || str_equal(census.warm_one, first)); i++) {
        loop_sim_advance(site.loop, 1);
        CHECK_EQ(group_int("status.replicas"), 1);
        CHECK_EQ(group_int("status.startingReplicas"), 0);
        CHECK_EQ(group_int("status.leavingReplicas"), 0);
        CHECK_STR(group_text("status.phase"), "Ready");
    }
    CHECK(!str_equal(census.warm_one, first));
    end_forking();
}

TEST(warm_members_whose_machines_are_started_anew_are_no_failed_starts)
{
    begin_forking(20, json_pack("{s:i,s:i,s:{s:i}}", "replicas", 1, "warm", 3, "healing", "circuitThreshold", 3));
    wait_settled(1, 3);
    auto_free char *seed = str_dup(group_text("status.forkFrom.snapshot"));
    for (int i = 0; i < 4; i++) {
        auto_free char *uid = uid_of(look()->warm_one);

        compute_fake_process_dies(site.world, uid);
        loop_sim_advance(site.loop, 10 * 1000);
        CHECK_STR(group_text("status.circuit.message"), "");
    }
    wait_settled(1, 3);
    CHECK_STR(group_text("status.forkFrom.snapshot"), seed);
    end_forking();
}
