/* Processors and memory of instances that run. */
#include "site.h"
#include "control/placement.h"

static void check_promised(int64_t cpus, int64_t gib)
{
    struct promised promised = placement_promised(site.control);

    CHECK_EQ(promised.cpus, cpus);
    CHECK_EQ(promised.memory_bytes, gib << 30);
}

static json_t *growing(int cpus, const char *memory)
{
    return json_pack("{s:s,s:i,s:s,s:i,s:s}", "image", "debian", "cpus", cpus, "memory", memory, "maxCPUs", 8,
                     "maxMemory", "8Gi");
}

static void start(const char *name, int cpus, const char *memory)
{
    create_instance(name, growing(cpus, memory));
    wait_for(name, "Running");
}

static bool has_size(const char *name, int64_t cpus, const char *memory)
{
    auto_json json_t *object = instance(name);

    return json_int_at(object, "status.cpus", 0) == cpus && str_equal(json_text_at(object, "status.memory", NULL), memory);
}

static void wait_for_size(const char *name, int64_t cpus, const char *memory)
{
    for (int64_t waited_ms = 0; !has_size(name, cpus, memory); waited_ms += STEP_MS) {
        auto_json json_t *object = instance(name);
        auto_free char *text = json_text(json_object_get(object, "status"));
        if (waited_ms > LIMIT_MS)
            check_fail(CHECK_HERE, "%s has not %lld, %s: %s", name, (long long)cpus, memory, text);
        pass_time();
    }
}

TEST(a_running_instance_grows_and_shrinks_without_a_restart)
{
    begin(1);
    create_image();
    start("web", 1, "1Gi");
    auto_free char *uid = uid_of("web");
    CHECK(has_size("web", 1, "1Gi"));
    check_promised(1, 1);
    edit("web", "spec.cpus", json_integer(3));
    edit("web", "spec.memory", json_string("4Gi"));
    wait_for_size("web", 3, "4Gi");
    wait_for_condition("web", "Resized", "True");
    CHECK(!has_condition("web", "RestartRequired", "True"));
    check_promised(3, 4);
    daemon_dies();
    daemon_starts();
    loop_sim_advance(site.loop, 5000);
    check_promised(3, 4);
    edit("web", "spec.cpus", json_integer(2));
    edit("web", "spec.memory", json_string("512Mi"));
    wait_for_size("web", 2, "512Mi");
    CHECK_EQ(compute_fake_launches(site.world, uid), 1);
    /* The next start is with what is wanted. */
    edit("web", "spec.restartAt", json_string("2026-01-01T00:00:00Z"));
    wait_for("web", "Stopping");
    wait_for("web", "Running");
    CHECK_EQ(compute_fake_config(site.world, uid)->cpus, 2);
    CHECK(has_size("web", 2, "512Mi"));
    delete_instance("web");
    check_promised(0, 0);
    check_nothing_left();
    end();
}

TEST(an_instance_grows_when_there_is_room)
{
    begin(2);
    create_image();
    start("big", 1, "5Gi");
    start("web", 1, "1Gi");
    edit("web", "spec.memory", json_string("4Gi"));
    wait_for_condition("web", "Resized", "False");
    auto_free char *message = message_of("web", "Resized");
    CHECK_CONTAINS(message, "has 1 cpus, 1Gi of 1 cpus, 4Gi: needs 4Gi memory, 2.5Gi of 7.5Gi free");
    check_promised(2, 6);
    edit("big", "spec.memory", json_string("2Gi"));
    wait_for_size("web", 1, "4Gi");
    wait_for_condition("web", "Resized", "True");
    check_promised(2, 6);
    end();
}

TEST(beyond_what_it_was_started_ready_for_an_instance_waits_for_the_next_start)
{
    begin(3);
    create_image();
    create_instance("web", json_pack("{s:s,s:i,s:s,s:s}", "image", "debian", "cpus", 1, "memory", "1Gi", "maxMemory", "2Gi"));
    wait_for("web", "Running");
    edit("web", "spec.maxMemory", json_string("6Gi"));
    edit("web", "spec.memory", json_string("4Gi"));
    wait_for_condition("web", "RestartRequired", "True");
    auto_free char *message = message_of("web", "RestartRequired");
    CHECK_CONTAINS(message, "spec.memory (the machine was started ready for 2Gi, see spec.maxMemory), spec.maxMemory: "
                            "in effect from the next start");
    CHECK(has_size("web", 1, "1Gi"));
    edit("web", "spec.restartAt", json_string("2026-01-01T00:00:00Z"));
    wait_for_size("web", 1, "4Gi");
    wait_for_condition("web", "RestartRequired", "False");
    end();
}

TEST(a_guest_that_holds_its_memory_counts_with_it_and_could_be_restarted)
{
    begin(4);
    create_image();
    start("web", 1, "4Gi");
    auto_free char *uid = uid_of("web");
    compute_fake_guest_holds_memory(site.world, uid, 3LL << 30);
    edit("web", "spec.memory", json_string("1Gi"));
    wait_for_size("web", 1, "3Gi");
    check_promised(1, 3);
    CHECK(has_condition("web", "Resized", "False"));
    for (unsigned i = 0; i < 1000; i++) { /* also while the guest is asked again */
        edit("web", "spec.stopTimeout", json_string(i % 2 ? "31s" : "30s"));
        loop_sim_advance(site.loop, 5);
        auto_free char *why = message_of("web", "Resized");
        CHECK_CONTAINS(why, "the guest uses its memory");
    }
    loop_sim_advance(site.loop, 90 * 1000);
    auto_free char *message = message_of("web", "RestartRequired");
    CHECK_CONTAINS(message, "spec.memory (the guest uses its memory): in effect from the next start");
    compute_fake_guest_holds_memory(site.world, uid, 0);
    wait_for_size("web", 1, "1Gi");
    wait_for_condition("web", "RestartRequired", "False");
    check_promised(1, 1);
    end();
}

TEST(a_guest_gives_nothing_before_its_agent_answers)
{
    begin(5);
    create_image();
    create_instance("web", growing(4, "2Gi"));
    wait_for("web", "Running");
    edit("web", "spec.cpus", json_integer(1));
    edit("web", "spec.memory", json_string("3Gi"));
    wait_for_size("web", 1, "3Gi");
    edit("web", "spec.powerState", json_string("Stopped"));
    wait_for("web", "Stopped");
    auto_json json_t *object = instance("web");
    CHECK(!json_at(object, "status.cpus"));
    end();
}

/* Whatever fails and dies on the way, it comes to what is wanted. */
TEST(it_converges_through_failures_and_crashes)
{
    for (uint64_t seed = 10; seed < 20; seed++) {
        begin(seed);
        create_image();
        start("web", 1, "1Gi");
        auto_free char *uid = uid_of("web");
        compute_fake_set_failures(site.world, 200, 0);
        site.crashes = true;
        edit("web", "spec.cpus", json_integer(1 + (int)(seed % 4)));
        edit("web", "spec.memory", json_string(seed % 2 ? "512Mi" : "3Gi"));
        wait_for_size("web", 1 + (int64_t)(seed % 4), seed % 2 ? "512Mi" : "3Gi");
        CHECK_EQ(compute_fake_launches(site.world, uid), 1);
        compute_fake_set_failures(site.world, 0, 0);
        site.crashes = false;
        delete_instance("web");
        check_nothing_left();
        end();
    }
}
