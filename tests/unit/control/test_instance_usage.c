#include "site.h"

TEST(usage_is_read_while_the_machine_runs_and_gone_when_it_is_stopped)
{
    const struct port_counters counters = { .rx_bytes = 1000, .tx_bytes = 2000 };

    begin(1);
    create_image();
    create_instance("web", simple_spec());
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    auto_free char *port = str_printf("%s/eth0", uid);
    auto_free char *network = text_of("web", "status.networks[0].networkUID");
    compute_fake_set_load(site.world, uid, 500, 256 << 20);
    network_fake_set_counters(site.net, network, port, &counters);
    loop_sim_advance(site.loop, 40000);
    auto_json json_t *object = instance("web");
    CHECK_STR(json_text_at(object, "status.usage.cpu", NULL), "500m");
    CHECK_STR(json_text_at(object, "status.usage.memory", NULL), "256Mi");
    CHECK_STR(json_text_at(object, "status.usage.guestMemory", NULL), "256Mi");
    CHECK_EQ(json_int_at(object, "status.usage.networkReceiveBytes", 0), 1000);
    CHECK_EQ(json_int_at(object, "status.usage.networkTransmitBytes", 0), 2000);
    CHECK(json_real_value(json_at(object, "status.usage.cpuSeconds")) >= 10);
    set_spec("web", "spec.powerState", "Stopped");
    wait_for("web", "Stopped");
    auto_json json_t *stopped = instance("web");
    CHECK(!json_at(stopped, "status.usage"));
    end();
}

TEST(a_card_is_pulled_out_while_its_traffic_is_read)
{
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin(seed);
        create_image();
        create_network("lan", "10.5.0.0/24");
        create_instance("web", json_pack("{s:s,s:[{s:s,s:s},{s:s,s:s}]}", "image", "debian", "networks", "name",
                                         "eth0", "network", "default", "name", "eth1", "network", "lan"));
        wait_for("web", "Running");
        loop_sim_advance(site.loop, 9950 + (int64_t)seed * 10);
        edit("web", "spec.networks", json_pack("[{s:s,s:s}]", "name", "eth0", "network", "default"));
        loop_sim_advance(site.loop, 30000);
        CHECK_EQ(network_fake_port_count(site.net), 1);
        CHECK(has_condition("web", "AddressesAssigned", "True"));
        check_nothing_wrong();
        end();
    }
}
