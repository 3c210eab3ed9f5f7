#include "site.h"

enum { WRITES_OF_A_START_MAX = 14, IMPORT_MS = 10 * 1000 };

/* Each is a flush of the disk that the one who waits for a machine waits for. */
TEST(a_start_is_decided_in_few_writes)
{
    int64_t before;

    begin(1);
    create_image();
    loop_sim_advance(site.loop, IMPORT_MS);
    before = site.store->ops->revision(site.store);
    create_instance("web", simple_spec());
    wait_for("web", "Running");
    CHECK(site.store->ops->revision(site.store) - before <= WRITES_OF_A_START_MAX);
    end();
}

TEST(a_pause_is_one_write_beyond_the_request)
{
    int64_t before;

    begin(1);
    create_image();
    create_instance("web", simple_spec());
    wait_for("web", "Running");
    loop_sim_advance(site.loop, 30 * STEP_MS);
    before = site.store->ops->revision(site.store);
    set_spec("web", "spec.powerState", "Paused");
    for (unsigned i = 0; !is_phase("web", "Paused") && i < LIMIT_MS; i++)
        loop_sim_advance(site.loop, 1);
    CHECK_EQ(site.store->ops->revision(site.store) - before, 2);
    end();
}

TEST(an_instance_runs_stops_and_goes_without_a_trace)
{
    begin(1);
    create_image();
    create_instance("web", simple_spec());
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    auto_json json_t *object = instance("web");
    CHECK(compute_fake_has_process(site.world, uid));
    CHECK_STR(json_text_at(object, "status.networks[0].ipv4Address", NULL), "10.77.0.2");
    CHECK_STR(json_text_at(object, "status.rootVolume", NULL), "web-root");
    CHECK(condition_is_true(object, "NetworkAttached"));
    set_spec("web", "spec.powerState", "Stopped");
    wait_for("web", "Stopped");
    CHECK_EQ(compute_fake_process_count(site.world), 0);
    CHECK_EQ(compute_fake_trace_count(site.world), 0);
    CHECK_EQ(network_fake_port_count(site.net), 0);
    set_spec("web", "spec.powerState", "Running");
    wait_for("web", "Running");
    CHECK_EQ(compute_fake_launches(site.world, uid), 2);
    delete_instance("web");
    check_nothing_left();
    end();
}

TEST(a_daemon_that_dies_at_any_moment_starts_each_machine_once_and_leaves_nothing)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        begin(seed);
        create_image();
        create_instance("web", simple_spec());
        site.crashes = true;
        wait_for("web", "Running");
        check_nothing_wrong();
        set_spec("web", "spec.powerState", "Stopped");
        wait_for("web", "Stopped");
        set_spec("web", "spec.powerState", "Running");
        wait_for("web", "Running");
        delete_instance("web");
        site.crashes = false;
        check_nothing_left();
        end();
    }
}

TEST(two_instances_have_two_addresses_and_one_volume_has_one_instance)
{
    begin(3);
    create_image();
    control_create(site.control, &kind_volume,
                   json_pack("{s:{s:s,s:s},s:{s:s}}", "metadata", "name", "data", "namespace", "default",
                             "spec", "size", "1Gi"),
                   nobody);
    create_instance("a", json_pack("{s:s,s:[{s:s,s:s}]}", "image", "debian", "disks", "name", "data",
                                   "volume", "data"));
    create_instance("b", json_pack("{s:s,s:[{s:s,s:s}]}", "image", "debian", "disks", "name", "data",
                                   "volume", "data"));
    loop_sim_advance(site.loop, 60000);
    auto_json json_t *a = instance("a");
    auto_json json_t *b = instance("b");
    CHECK(condition_is_true(a, "Running") != condition_is_true(b, "Running"));
    CHECK(!str_equal(json_text_at(a, "status.networks[0].ipv4Address", "x"),
                     json_text_at(b, "status.networks[0].ipv4Address", "x")));
    const char *winner = condition_is_true(a, "Running") ? "a" : "b";
    const char *other = winner[0] == 'a' ? "b" : "a";
    delete_instance(winner);
    wait_for(other, "Running");
    delete_instance(other);
    check_nothing_wrong();
    end();
}

TEST(a_machine_that_dies_is_started_again_and_one_that_shuts_down_stays_so)
{
    begin(4);
    create_image();
    create_instance("web", simple_spec());
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    compute_fake_process_dies(site.world, uid);
    loop_sim_advance(site.loop, 20000);
    CHECK(is_phase("web", "Running"));
    CHECK_EQ(compute_fake_launches(site.world, uid), 2);
    compute_fake_guest_powers_off(site.world, uid);
    wait_for("web", "Stopped");
    loop_sim_advance(site.loop, 60000);
    CHECK(is_phase("web", "Stopped"));
    set_spec("web", "spec.restartAt", "2026-01-01T00:00:00Z");
    wait_for("web", "Running");
    delete_instance("web");
    check_nothing_left();
    end();
}

TEST(a_guest_that_was_booting_when_the_button_was_pressed_hears_it_later)
{
    begin(7);
    create_image();
    create_instance("web", simple_spec());
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    compute_fake_guest_ignores_power(site.world, uid, true);
    set_spec("web", "spec.powerState", "Stopped");
    loop_sim_advance(site.loop, 8000);
    CHECK(is_phase("web", "Stopping"));
    compute_fake_guest_ignores_power(site.world, uid, false);
    loop_sim_advance(site.loop, 5000); /* stopTimeout is 30 s */
    CHECK(is_phase("web", "Stopped"));
    auto_json json_t *object = instance("web");
    CHECK_STR(json_text_at(object, "status.lastEnd.reason", NULL), "GuestShutdown");
    delete_instance("web");
    check_nothing_left();
    end();
}

TEST(usage_counts_the_traffic_of_every_instance)
{
    const struct port_counters counters = { .rx_bytes = 700, .tx_bytes = 40 };

    begin(8);
    create_image();
    create_instance("a", simple_spec());
    create_instance("b", simple_spec());
    wait_for("a", "Running");
    wait_for("b", "Running");
    for (int i = 0; i < 2; i++) {
        auto_json json_t *object = instance(i ? "b" : "a");
        auto_free char *id = str_printf("%s/eth0", object_uid(object));
        network_fake_set_counters(site.net, json_text_at(object, "status.networks[0].networkUID", ""),
                                  id, &counters);
    }
    loop_sim_advance(site.loop, 30000);
    for (int i = 0; i < 2; i++) {
        auto_json json_t *object = instance(i ? "b" : "a");
        CHECK_EQ(json_int_at(object, "status.usage.networkReceiveBytes", 0), 700);
        CHECK_EQ(json_int_at(object, "status.usage.networkTransmitBytes", 0), 40);
    }
    end();
}

TEST(an_instance_that_does_not_fit_waits_for_room)
{
    begin(5);
    create_image();
    create_instance("a", json_pack("{s:s,s:s}", "image", "debian", "memory", "6Gi"));
    wait_for("a", "Running");
    create_instance("b", json_pack("{s:s,s:s}", "image", "debian", "memory", "6Gi"));
    loop_sim_advance(site.loop, 10000);
    auto_json json_t *b = instance("b");
    CHECK_STR(json_text_at(b, "status.phase", NULL), "Pending");
    CHECK_CONTAINS(json_text_at(b, "status.message", ""), "needs 6Gi memory");
    delete_instance("a");
    wait_for("b", "Running");
    end();
}

TEST(a_disk_added_to_the_spec_is_attached_while_the_machine_runs)
{
    begin(6);
    create_image();
    control_create(site.control, &kind_volume,
                   json_pack("{s:{s:s,s:s},s:{s:s}}", "metadata", "name", "data", "namespace", "default",
                             "spec", "size", "1Gi"),
                   nobody);
    create_instance("web", simple_spec());
    wait_for("web", "Running");
    loop_sim_advance(site.loop, 3000);
    auto_free char *uid = uid_of("web");
    json_t *object = instance("web");
    json_set_at(object, "spec.disks", json_pack("[{s:s,s:s}]", "name", "data", "volume", "data"));
    control_update(site.control, &kind_instance, object, nobody);
    loop_sim_advance(site.loop, 5000);
    const struct machine_config *config = compute_fake_config(site.world, uid);
    CHECK_STR(config->disks[config->disk_count - 1].name, "data");
    CHECK_EQ(compute_fake_launches(site.world, uid), 1);
    delete_instance("web");
    CHECK_EQ(compute_fake_trace_count(site.world), 0);
    end();
}

/* What it waits for may be long in coming, and its cards may be others by then. */
TEST(taps_are_not_held_by_an_instance_that_waits_for_room)
{
    begin(31);
    create_image();
    create_instance("web", json_pack("{s:s,s:{s:s}}", "image", "debian", "cdrom", "image", "absent"));
    wait_for("web", "Starting");
    loop_sim_advance(site.loop, 1000);
    CHECK_EQ(network_fake_fds_open(site.net), 1);
    set_spec("web", "spec.memory", "4Ti");
    wait_for("web", "Pending");
    loop_sim_advance(site.loop, 1000);
    CHECK_EQ(network_fake_fds_open(site.net), 0);
    end();
}
