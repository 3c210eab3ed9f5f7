#include "site.h"

static json_t *one_disk(const char *name, const char *volume_name)
{
    return json_pack("[{s:s,s:s,s:b}]", "name", name, "volume", volume_name, "readOnly", 0);
}

static json_t *two_cards(const char *second)
{
    return json_pack("[{s:s,s:s},{s:s,s:s}]", "name", "eth0", "network", "default", "name", "eth1",
                     "network", second);
}

static void check_devices(const char *name, const char *expected)
{
    auto_free char *devices = devices_of(name);

    CHECK_STR(devices, expected);
}

static bool is_claimed(const char *name)
{
    auto_json json_t *object = volume(name);

    return json_text_at(object, "status.attachedToUID", NULL) != NULL;
}

TEST(a_disk_taken_from_the_spec_is_detached_and_its_volume_goes_to_another_instance)
{
    begin(1);
    create_image();
    create_volume("data");
    create_instance("a", json_pack("{s:s,s:o}", "image", "debian", "disks", one_disk("data", "data")));
    create_instance("b", simple_spec());
    wait_for("a", "Running");
    wait_for("b", "Running");
    check_devices("a", "root data seed cdrom | eth0");
    edit("a", "spec.disks", json_array());
    loop_sim_advance(site.loop, 3000);
    check_devices("a", "root cdrom seed | eth0");
    CHECK(!is_claimed("data"));
    edit("b", "spec.disks", one_disk("extra", "data"));
    loop_sim_advance(site.loop, 3000);
    check_devices("b", "root seed cdrom extra | eth0");
    CHECK(is_claimed("data"));
    CHECK(has_condition("b", "DevicesReady", "True"));
    delete_instance("b");
    delete_instance("a");
    end();
}

TEST(a_disk_that_changes_its_volume_or_its_name_is_swapped)
{
    begin(2);
    create_image();
    create_volume("one");
    create_volume("two");
    create_instance("web", json_pack("{s:s,s:o}", "image", "debian", "disks", one_disk("data", "one")));
    wait_for("web", "Running");
    edit("web", "spec.disks", one_disk("data", "two"));
    loop_sim_advance(site.loop, 3000);
    auto_json json_t *object = instance("web");
    CHECK_STR(json_text_at(object, "status.disks[0].volume", NULL), "two");
    CHECK(!is_claimed("one"));
    edit("web", "spec.disks", one_disk("other", "two"));
    loop_sim_advance(site.loop, 3000);
    check_devices("web", "root cdrom seed other | eth0");
    delete_instance("web");
    end();
}

TEST(a_network_card_comes_and_goes_while_the_machine_runs)
{
    begin(3);
    create_image();
    create_network("lan", "10.5.0.0/24");
    create_network("dmz", "10.6.0.0/24");
    create_instance("web", simple_spec());
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    edit("web", "spec.networks", two_cards("lan"));
    loop_sim_advance(site.loop, 3000);
    check_devices("web", "root seed cdrom | eth0 eth1");
    auto_json json_t *object = instance("web");
    CHECK_STR(json_text_at(object, "status.networks[1].ipv4Address", NULL), "10.5.0.2");
    CHECK_EQ(network_fake_port_count(site.net), 2);
    CHECK(has_condition("web", "NetworkAttached", "True"));
    edit("web", "spec.networks", two_cards("dmz"));
    loop_sim_advance(site.loop, 3000);
    auto_json json_t *moved = instance("web");
    CHECK_STR(json_text_at(moved, "status.networks[1].ipv4Address", NULL), "10.6.0.2");
    edit("web", "spec.networks", json_pack("[{s:s,s:s}]", "name", "eth0", "network", "default"));
    loop_sim_advance(site.loop, 3000);
    check_devices("web", "root seed cdrom | eth0");
    CHECK_EQ(network_fake_port_count(site.net), 1);
    CHECK(has_condition("web", "AddressesAssigned", "True"));
    CHECK_EQ(compute_fake_launches(site.world, uid), 1);
    delete_instance("web");
    check_nothing_left();
    end();
}

TEST(a_device_without_a_free_slot_waits_for_a_restart_or_for_another_to_go)
{
    begin(4);
    compute_fake_set_spare_slots(site.world, 1);
    create_image();
    create_volume("one");
    create_volume("two");
    create_instance("web", simple_spec());
    wait_for("web", "Running");
    edit("web", "spec.disks", json_pack("[{s:s,s:s},{s:s,s:s}]", "name", "one", "volume", "one", "name",
                                        "two", "volume", "two"));
    wait_for_condition("web", "RestartRequired", "True");
    auto_free char *message = message_of("web", "RestartRequired");
    CHECK_CONTAINS(message, "spec.disks[two]");
    edit("web", "spec.disks", one_disk("two", "two"));
    loop_sim_advance(site.loop, 3000);
    check_devices("web", "root seed cdrom two | eth0");
    CHECK(has_condition("web", "RestartRequired", "False"));
    edit("web", "spec.disks", json_pack("[{s:s,s:s},{s:s,s:s}]", "name", "one", "volume", "one", "name",
                                        "two", "volume", "two"));
    wait_for_condition("web", "RestartRequired", "True");
    edit("web", "spec.restartAt", json_string("2026-01-01T00:00:00Z"));
    wait_for_condition("web", "RestartRequired", "False");
    check_devices("web", "root one two seed cdrom | eth0");
    delete_instance("web");
    end();
}

TEST(a_disc_is_put_in_changed_and_taken_out_while_the_machine_runs)
{
    begin(5);
    create_image();
    control_create(site.control, &kind_image,
                   json_pack("{s:{s:s},s:{s:{s:s}}}", "metadata", "name", "tools", "spec", "source", "url",
                             "http://example.com/tools.iso"),
                   nobody);
    create_instance("web", simple_spec());
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    edit("web", "spec.cdrom", json_pack("{s:s}", "image", "tools"));
    loop_sim_advance(site.loop, 10000);
    auto_json json_t *object = instance("web");
    CHECK_STR(json_text_at(object, "status.cdrom.image", NULL), "tools");
    CHECK_EQ(compute_fake_config(site.world, uid)->disks[2].source.file_count, 1);
    edit("web", "spec.cdrom", NULL);
    loop_sim_advance(site.loop, 3000);
    CHECK_EQ(compute_fake_config(site.world, uid)->disks[2].source.file_count, 0);
    auto_json json_t *empty = instance("web");
    CHECK(!json_at(empty, "status.cdrom"));
    CHECK_EQ(compute_fake_launches(site.world, uid), 1);
    delete_instance("web");
    end();
}

TEST(a_daemon_that_dies_while_devices_come_and_go_ends_with_what_the_spec_says)
{
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin(seed);
        create_image();
        create_volume("data");
        create_network("lan", "10.5.0.0/24");
        create_instance("web", simple_spec());
        wait_for("web", "Running");
        site.crashes = true;
        for (unsigned round = 0; round < 3; round++) {
            edit("web", "spec.disks", one_disk("data", "data"));
            edit("web", "spec.networks", two_cards("lan"));
            for (unsigned i = 0; i < 20; i++)
                pass_time();
            edit("web", "spec.disks", json_array());
            edit("web", "spec.networks", json_pack("[{s:s,s:s}]", "name", "eth0", "network", "default"));
            for (unsigned i = 0; i < 20; i++)
                pass_time();
        }
        site.crashes = false;
        loop_sim_advance(site.loop, 120000);
        auto_free char *devices = devices_of("web");
        CHECK(!strstr(devices, "data") && !strstr(devices, "eth1"));
        CHECK(!is_claimed("data"));
        CHECK_EQ(network_fake_port_count(site.net), 1);
        CHECK_EQ(compute_fake_process_count(site.world), 1);
        check_nothing_wrong();
        delete_instance("web");
        end();
    }
}
