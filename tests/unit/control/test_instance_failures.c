#include "site.h"

/* Everything that can fail does so now and then, and the daemon dies now and then: all the same an
 * instance comes up, changes, and goes without a trace. */
static void live_through(uint64_t seed)
{
    const struct network_fake_settings network = { .delay_max_ms = 50, .fail_one_in = 8 };
    struct storage_fake_settings storage;

    begin(seed);
    storage = storage_fake_settings(site.disks);
    storage.fail_one_in = 8;
    create_image();
    create_volume("data");
    create_network("lan", "10.5.0.0/24");
    compute_fake_set_failures(site.world, 120, 120);
    network_fake_set(site.net, &network);
    storage_fake_set(site.disks, &storage);
    create_instance("web", simple_spec());
    site.crashes = seed % 2;
    wait_for("web", "Running");
    edit("web", "spec.disks", json_pack("[{s:s,s:s}]", "name", "data", "volume", "data"));
    edit("web", "spec.networks", json_pack("[{s:s,s:s},{s:s,s:s}]", "name", "eth0", "network", "default",
                                           "name", "eth1", "network", "lan"));
    for (unsigned i = 0; i < 50; i++)
        pass_time();
    set_spec("web", "spec.restartAt", "2026-01-01T00:00:00Z");
    for (unsigned i = 0; i < 50; i++)
        pass_time();
    wait_for("web", "Running");
    edit("web", "spec.disks", json_array());
    delete_instance("web");
    site.crashes = false;
    loop_sim_advance(site.loop, 200000);
    check_nothing_wrong();
    CHECK_EQ(compute_fake_trace_count(site.world), 0);
    CHECK_EQ(network_fake_port_count(site.net), 0);
    CHECK_EQ(network_fake_fds_open(site.net), 0);
    end();
}

TEST(an_instance_lives_through_failures_of_every_driver)
{
    for (uint64_t seed = 1; seed <= 2; seed++)
        live_through(seed);
}

TEST(a_host_that_restarts_starts_its_instances_again)
{
    begin(1);
    create_image();
    create_instance("web", simple_spec());
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    daemon_dies();
    compute_fake_host_reboots(site.world);
    network_fake_reboot(site.net);
    daemon_starts();
    loop_sim_advance(site.loop, 30000);
    CHECK(is_phase("web", "Running"));
    CHECK_EQ(compute_fake_launches(site.world, uid), 2);
    end();
}
