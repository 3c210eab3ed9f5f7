#include "site.h"

static const char first_time[] = "2026-01-01T00:00:00Z", second_time[] = "2026-01-02T00:00:00Z";

TEST(an_instance_is_paused_resumed_and_stopped_out_of_the_pause)
{
    begin(1);
    create_image();
    create_instance("web", simple_spec());
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    set_spec("web", "spec.powerState", "Paused");
    wait_for("web", "Paused");
    CHECK(has_condition("web", "Ready", "False"));
    set_spec("web", "spec.powerState", "Running");
    wait_for("web", "Running");
    CHECK_EQ(compute_fake_launches(site.world, uid), 1);
    set_spec("web", "spec.powerState", "Paused");
    wait_for("web", "Paused");
    set_spec("web", "spec.powerState", "Stopped");
    wait_for("web", "Stopped");
    CHECK_EQ(compute_fake_trace_count(site.world), 0);
    CHECK_EQ(events_of("web", "GuestShutdown"), 1);
    set_spec("web", "spec.powerState", "Paused");
    wait_for("web", "Paused");
    delete_instance("web");
    check_nothing_left();
    end();
}

/* Begins to stop a guest that does not obey and has 12 s. */
static void begin_ignored_stop(uint64_t seed)
{
    begin(seed);
    create_image();
    create_instance("web", json_pack("{s:s,s:s}", "image", "debian", "stopTimeout", "12s"));
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    compute_fake_guest_ignores_power(site.world, uid, true);
    set_spec("web", "spec.powerState", "Stopped");
    loop_sim_advance(site.loop, 5000);
    CHECK(is_phase("web", "Stopping"));
}

/* Not within the time, and soon after it. */
static void check_stops_after(int64_t left_ms)
{
    loop_sim_advance(site.loop, left_ms);
    CHECK(is_phase("web", "Stopping"));
    loop_sim_advance(site.loop, 2000);
    CHECK(is_phase("web", "Stopped"));
}

TEST(a_guest_that_does_not_obey_is_forced_after_the_time_out)
{
    begin_ignored_stop(2);
    auto_free char *uid = uid_of("web");
    check_stops_after(6000);
    CHECK_EQ(compute_fake_presses(site.world, uid), 4);
    auto_free char *reason = text_of("web", "status.lastEnd.reason");
    CHECK_STR(reason, "Stopped");
    end();
}

TEST(a_clock_that_is_set_neither_draws_the_time_out_nor_cuts_it_short)
{
    for (int hours = -3; hours <= 3; hours += 6) {
        begin_ignored_stop(2);
        auto_free char *uid = uid_of("web");
        loop_sim_set_wall(site.loop, hours * 3600 * 1000LL);
        check_stops_after(6000);
        CHECK_EQ(compute_fake_presses(site.world, uid), 4);
        end();
    }
}

TEST(a_clock_set_back_while_the_daemon_was_away_costs_the_time_out_once_more_at_most)
{
    begin_ignored_stop(2);
    daemon_dies();
    loop_sim_set_wall(site.loop, -3 * 3600 * 1000LL);
    daemon_starts();
    check_stops_after(11000);
    end();
}

TEST(a_guest_that_missed_the_first_press_obeys_a_later_one)
{
    begin(3);
    create_image();
    create_instance("web", simple_spec());
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    compute_fake_guest_ignores_power(site.world, uid, true);
    set_spec("web", "spec.powerState", "Stopped");
    loop_sim_advance(site.loop, 2000);
    compute_fake_guest_ignores_power(site.world, uid, false);
    loop_sim_advance(site.loop, 5000);
    CHECK(is_phase("web", "Stopped"));
    auto_free char *reason = text_of("web", "status.lastEnd.reason");
    CHECK_STR(reason, "GuestShutdown");
    end();
}

TEST(a_time_out_of_zero_forces_at_once)
{
    begin(4);
    create_image();
    create_instance("web", json_pack("{s:s,s:s}", "image", "debian", "stopTimeout", "0s"));
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    set_spec("web", "spec.powerState", "Stopped");
    loop_sim_advance(site.loop, 1000);
    CHECK(is_phase("web", "Stopped"));
    CHECK_EQ(compute_fake_presses(site.world, uid), 0);
    end();
}

TEST(each_new_time_of_reset_resets_once_and_each_of_restart_restarts_once)
{
    begin(5);
    create_image();
    create_instance("web", simple_spec());
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    set_spec("web", "spec.resetAt", first_time);
    loop_sim_advance(site.loop, 3000);
    CHECK_EQ(compute_fake_resets(site.world, uid), 1);
    set_spec("web", "spec.resetAt", second_time);
    loop_sim_advance(site.loop, 3000);
    CHECK_EQ(compute_fake_resets(site.world, uid), 2);
    CHECK_EQ(compute_fake_launches(site.world, uid), 1);
    set_spec("web", "spec.restartAt", first_time);
    loop_sim_advance(site.loop, 10000);
    CHECK(is_phase("web", "Running"));
    CHECK_EQ(compute_fake_launches(site.world, uid), 2);
    daemon_dies();
    daemon_starts();
    loop_sim_advance(site.loop, 10000);
    CHECK_EQ(compute_fake_resets(site.world, uid), 2);
    CHECK_EQ(compute_fake_launches(site.world, uid), 2);
    delete_instance("web");
    end();
}

TEST(a_reset_brings_back_a_guest_that_panicked)
{
    begin(6);
    create_image();
    create_instance("web", json_pack("{s:s,s:s}", "image", "debian", "restartPolicy", "Never"));
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    set_spec("web", "spec.resetAt", first_time);
    compute_fake_guest_panics(site.world, uid);
    loop_sim_advance(site.loop, 3000);
    CHECK(is_phase("web", "Running"));
    CHECK_EQ(compute_fake_resets(site.world, uid), 1);
    CHECK_EQ(compute_fake_launches(site.world, uid), 1);
    end();
}

static bool is_down;

static void down(void *arg, const struct err *err) { is_down = !err; }

TEST(a_host_that_shuts_down_stops_all_and_its_instances_come_back_with_the_next_daemon)
{
    begin(7);
    is_down = false;
    create_image();
    create_instance("a", simple_spec());
    create_instance("b", simple_spec());
    create_instance("off", json_pack("{s:s,s:s}", "image", "debian", "powerState", "Stopped"));
    wait_for("a", "Running");
    wait_for("b", "Running");
    control_shutdown_host(site.control, (struct done){ down, NULL });
    create_instance("late", simple_spec());
    loop_sim_advance(site.loop, 5000);
    CHECK(is_down);
    CHECK_EQ(compute_fake_process_count(site.world), 0);
    CHECK_EQ(events_of("a", "GuestShutdown"), 1);
    daemon_dies();
    daemon_starts();
    wait_for("a", "Running");
    wait_for("b", "Running");
    wait_for("late", "Running");
    CHECK(is_phase("off", "Stopped"));
    end();
}
