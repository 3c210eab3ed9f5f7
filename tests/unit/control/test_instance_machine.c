#include "site.h"
#include "control/placement.h"

static const char restart_time[] = "2026-01-01T00:00:00Z";

static void check_promised(int64_t cpus, int64_t gib)
{
    struct promised promised = placement_promised(site.control);

    CHECK_EQ(promised.cpus, cpus);
    CHECK_EQ(promised.memory_bytes, gib << 30);
}

static json_t *sized(int cpus, const char *memory)
{
    return json_pack("{s:s,s:i,s:s}", "image", "debian", "cpus", cpus, "memory", memory);
}

TEST(what_a_running_machine_cannot_change_waits_for_the_restart_and_is_named)
{
    begin(1);
    create_image();
    create_instance("web", sized(1, "1Gi"));
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    CHECK(!has_condition("web", "RestartRequired", "True"));
    edit("web", "spec.cpus", json_integer(3));
    edit("web", "spec.bootOrder", json_pack("[s]", "Network"));
    edit("web", "spec.firmware", json_string("UEFI"));
    edit("web", "spec.console.vnc", json_false());
    edit("web", "spec.hostname", json_string("other"));
    loop_sim_advance(site.loop, 2000);
    auto_free char *message = message_of("web", "RestartRequired");
    CHECK_CONTAINS(message,
                   "spec.cpus (the machine was started ready for 1, see spec.maxCPUs), spec.hostname, spec.firmware, spec.bootOrder, spec.console.vnc: in effect");
    CHECK_EQ(compute_fake_config(site.world, uid)->cpus, 1);
    edit("web", "spec.restartAt", json_string(restart_time));
    wait_for_condition("web", "RestartRequired", "False");
    CHECK(is_phase("web", "Running"));
    CHECK_EQ(compute_fake_config(site.world, uid)->cpus, 3);
    CHECK(compute_fake_config(site.world, uid)->uefi);
    CHECK(!compute_fake_config(site.world, uid)->vnc);
    auto_json json_t *object = instance("web");
    auto_free char *port = str_printf("%s/eth0", uid);
    const char *network = json_text_at(object, "status.networks[0].networkUID", "");
    CHECK_STR(network_fake_port(site.net, network, port)->hostname, "other");
    delete_instance("web");
    check_nothing_left();
    end();
}

TEST(a_change_taken_back_and_another_spelling_need_no_restart)
{
    begin(2);
    create_image();
    create_instance("web", sized(1, "1Gi"));
    wait_for("web", "Running");
    edit("web", "spec.cpus", json_integer(2));
    wait_for_condition("web", "RestartRequired", "True");
    edit("web", "spec.cpus", json_integer(1));
    edit("web", "spec.memory", json_string("1024Mi"));
    wait_for_condition("web", "RestartRequired", "False");
    end();
}

TEST(a_machine_counts_with_the_larger_of_what_it_has_and_is_to_have)
{
    begin(3);
    create_image();
    create_instance("web", sized(4, "2Gi"));
    wait_for("web", "Running");
    check_promised(4, 2);
    edit("web", "spec.guestAgent", json_false());
    edit("web", "spec.restartAt", json_string("2025-01-01T00:00:00Z"));
    wait_for_condition("web", "RestartRequired", "False");
    edit("web", "spec.memory", json_string("3Gi"));
    edit("web", "spec.cpus", json_integer(1));
    loop_sim_advance(site.loop, 2000);
    auto_free char *message = message_of("web", "RestartRequired");
    CHECK_CONTAINS(message, "spec.cpus (only a guest agent can take processors away)");
    check_promised(4, 3);
    daemon_dies();
    daemon_starts();
    loop_sim_advance(site.loop, 5000);
    check_promised(4, 3);
    edit("web", "spec.restartAt", json_string(restart_time));
    wait_for_condition("web", "RestartRequired", "False");
    check_promised(1, 3);
    delete_instance("web");
    check_promised(0, 0);
    end();
}

TEST(a_growth_without_room_says_so_and_waits_at_the_restart_until_there_is)
{
    begin(4);
    create_image();
    create_instance("big", sized(1, "4Gi"));
    create_instance("web", sized(1, "1Gi"));
    wait_for("big", "Running");
    wait_for("web", "Running");
    edit("web", "spec.memory", json_string("6Gi"));
    wait_for_condition("web", "RestartRequired", "True");
    auto_free char *message = message_of("web", "RestartRequired");
    CHECK_CONTAINS(message, "there is no room now: needs 6Gi memory");
    check_promised(2, 5);
    edit("web", "spec.restartAt", json_string(restart_time));
    wait_for("web", "Pending");
    loop_sim_advance(site.loop, 2000);
    auto_free char *placed = message_of("web", "Placed");
    CHECK_CONTAINS(placed, "needs 6Gi memory");
    delete_instance("big");
    wait_for("web", "Running");
    check_promised(1, 6);
    end();
}
