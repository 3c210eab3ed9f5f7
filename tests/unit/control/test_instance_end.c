#include "site.h"
#include <unistd.h>

static json_t *policy(const char *text)
{
    return json_pack("{s:s,s:s}", "image", "debian", "restartPolicy", text);
}

static int64_t restarts(const char *name)
{
    auto_json json_t *object = instance(name);

    return json_int_at(object, "status.restartCount", 0);
}

/* Milliseconds from the death of the machine to the next launch. */
static int64_t comes_back_after_ms(const char *uid)
{
    unsigned launches = compute_fake_launches(site.world, uid);
    int64_t waited_ms = 0;

    compute_fake_process_dies(site.world, uid);
    while (compute_fake_launches(site.world, uid) == launches && waited_ms < LIMIT_MS) {
        loop_sim_advance(site.loop, STEP_MS);
        waited_ms += STEP_MS;
    }
    wait_for("web", "Running");
    return waited_ms;
}

TEST(a_guest_that_panics_is_ended_and_started_again)
{
    begin(1);
    create_image();
    create_instance("web", policy("OnFailure"));
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    compute_fake_guest_panics(site.world, uid);
    loop_sim_advance(site.loop, 10000);
    CHECK(is_phase("web", "Running"));
    CHECK_EQ(compute_fake_launches(site.world, uid), 2);
    CHECK_EQ(restarts("web"), 1);
    auto_free char *reason = text_of("web", "status.lastEnd.reason");
    CHECK_STR(reason, "GuestPanic");
    CHECK_EQ(events_of("web", "GuestPanic"), 1);
    delete_instance("web");
    check_nothing_left();
    end();
}

TEST(each_crash_waits_twice_as_long_until_the_machine_has_run_well)
{
    begin(2);
    create_image();
    create_instance("web", policy("OnFailure"));
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    int64_t first = comes_back_after_ms(uid), second = comes_back_after_ms(uid),
            third = comes_back_after_ms(uid);
    /* Times are kept in whole seconds. */
    CHECK(first < 2000);
    CHECK(second >= 1000 && second < 3000);
    CHECK(third >= 3000 && third < 5000);
    for (unsigned i = 0; i < 8; i++)
        third = comes_back_after_ms(uid);
    CHECK(third >= 299 * 1000 && third < 303 * 1000);
    CHECK_EQ(restarts("web"), 11);
    loop_sim_advance(site.loop, 11 * 60 * 1000);
    CHECK(comes_back_after_ms(uid) < 3000);
    CHECK_EQ(events_of("web", "ProcessDied") > 0, 1);
    end();
}

TEST(never_leaves_a_crashed_instance_failed_until_it_is_started_by_hand)
{
    begin(3);
    create_image();
    create_instance("web", policy("Never"));
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    compute_fake_guest_panics(site.world, uid);
    wait_for("web", "Failed");
    loop_sim_advance(site.loop, 60000);
    CHECK(is_phase("web", "Failed"));
    auto_free char *message = text_of("web", "status.message");
    CHECK_STR(message, "the guest panicked");
    CHECK_EQ(compute_fake_trace_count(site.world), 0);
    CHECK_EQ(restarts("web"), 0);
    set_spec("web", "spec.powerState", "Stopped");
    wait_for("web", "Stopped");
    set_spec("web", "spec.powerState", "Running");
    wait_for("web", "Running");
    end();
}

static void note_log(void *arg, const struct err *err, int take_fd)
{
    *(enum err_code *)arg = err ? err->code : ERR_NONE;
    if (take_fd >= 0)
        close(take_fd);
}

static enum err_code log_of(const char *uid)
{
    struct compute *compute = site.setup.compute;
    enum err_code code = ERR_INTERNAL;

    compute->ops->log_open(compute, uid, false, note_log, &code);
    loop_sim_advance(site.loop, STEP_MS);
    return code;
}

TEST(the_log_stays_after_a_crash_and_a_stop_and_goes_with_the_instance)
{
    begin(3);
    create_image();
    create_instance("web", policy("Never"));
    auto_free char *uid = uid_of("web");
    CHECK_EQ(log_of(uid), ERR_NOT_FOUND);
    wait_for("web", "Running");
    compute_fake_guest_panics(site.world, uid);
    wait_for("web", "Failed");
    CHECK_EQ(log_of(uid), ERR_NONE);
    set_spec("web", "spec.powerState", "Stopped");
    wait_for("web", "Stopped");
    daemon_dies();
    daemon_starts();
    CHECK_EQ(log_of(uid), ERR_NONE);
    delete_instance("web");
    CHECK_EQ(log_of(uid), ERR_NOT_FOUND);
    check_nothing_left();
    end();
}

/* As after a store was restored from a backup older than they. */
TEST(the_logs_of_machines_that_nobody_knows_go_when_the_host_is_told_so)
{
    static char released[] = "0b5e5c2a-6b0f-4b6e-9d0a-2f6d6f0a1b01";
    static char running[] = "0b5e5c2a-6b0f-4b6e-9d0a-2f6d6f0a1b02";
    struct machine_config config = { .uid = released, .cpus = 1, .memory_bytes = 1 << 28 };

    begin(4);
    struct compute *compute = site.setup.compute;
    compute->ops->start(compute, &config, NULL, nobody);
    loop_sim_advance(site.loop, STEP_MS);
    compute->ops->kill(compute, released, nobody);
    loop_sim_advance(site.loop, STEP_MS);
    compute->ops->release(compute, released, nobody);
    config.uid = running;
    compute->ops->start(compute, &config, NULL, nobody);
    loop_sim_advance(site.loop, STEP_MS);
    daemon_dies();
    daemon_starts();
    loop_sim_advance(site.loop, 1000);
    CHECK_EQ(compute_fake_log_count(site.world), 2);
    auto_json json_t *host = control_find(site.control, &kind_host, NULL, "node1");
    const char *told = json_text_at(condition_get(host, "AllKnown"), "message", "");
    CHECK(strstr(told, released) && strstr(told, running));
    auto_free char *both = str_printf("%s, %s", released, running);
    json_set_at(host, "metadata.annotations", json_pack("{s:s}", "virga.dev/remove-unknown", both));
    control_update(site.control, &kind_host, json_incref(host), nobody);
    loop_sim_advance(site.loop, 5000);
    check_nothing_left();
    end();
}

TEST(a_network_stays_as_long_as_an_unknown_machine_is_connected_to_it)
{
    static char uid[] = "0b5e5c2a-6b0f-4b6e-9d0a-2f6d6f0a1b03";
    const struct machine_config config = { .uid = uid, .cpus = 1, .memory_bytes = 1 << 28 };

    begin(6);
    loop_sim_advance(site.loop, 1000);
    auto_json json_t *network = control_find(site.control, &kind_network, "default", "default");
    struct port_config port = { .id = "0b5e5c2a-6b0f-4b6e-9d0a-2f6d6f0a1b03/eth0", .mac = { { 0x52, 0x54 } } };
    (void)snprintf(port.network_uid, sizeof port.network_uid, "%s", object_uid(network));
    site.setup.network->ops->port_ensure(site.setup.network, &port, nobody);
    site.setup.compute->ops->start(site.setup.compute, &config, NULL, nobody);
    loop_sim_advance(site.loop, STEP_MS);
    daemon_dies();
    daemon_starts();
    loop_sim_advance(site.loop, 1000);
    control_delete(site.control, &kind_network, "default", "default", nobody);
    loop_sim_advance(site.loop, 10 * 1000);
    auto_json json_t *going = control_find(site.control, &kind_network, "default", "default");
    CHECK_CONTAINS(json_text_at(going, "status.message", ""), "a machine that no instance knows");
    CHECK(compute_fake_has_process(site.world, uid));
    auto_json json_t *host = control_find(site.control, &kind_host, NULL, "node1");
    json_set_at(host, "metadata.annotations", json_pack("{s:s}", "virga.dev/remove-unknown", uid));
    control_update(site.control, &kind_host, json_incref(host), nobody);
    loop_sim_advance(site.loop, 10 * 1000);
    auto_json json_t *gone = control_find(site.control, &kind_network, "default", "default");
    CHECK(!gone);
    end();
}

TEST(always_starts_again_even_after_the_guest_shut_itself_down)
{
    begin(4);
    create_image();
    create_instance("web", policy("Always"));
    wait_for("web", "Running");
    auto_free char *uid = uid_of("web");
    compute_fake_guest_powers_off(site.world, uid);
    loop_sim_advance(site.loop, 10000);
    CHECK(is_phase("web", "Running"));
    CHECK_EQ(compute_fake_launches(site.world, uid), 2);
    CHECK_EQ(events_of("web", "GuestShutdown"), 1);
    end();
}

TEST(a_machine_that_does_not_start_says_why_and_is_tried_again)
{
    begin(5);
    create_image();
    compute_fake_set_failures(site.world, 0, 1000);
    create_instance("web", policy("OnFailure"));
    loop_sim_advance(site.loop, 20000);
    auto_free char *reason = text_of("web", "status.lastEnd.reason");
    CHECK_STR(reason, "StartFailed");
    CHECK(restarts("web") >= 2);
    CHECK(events_of("web", "StartFailed") >= 1);
    compute_fake_set_failures(site.world, 0, 0);
    wait_for("web", "Running");
    delete_instance("web");
    check_nothing_left();
    end();
}

TEST(a_guest_that_panics_while_the_daemon_dies_is_started_again_once)
{
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin(seed);
        create_image();
        create_instance("web", policy("OnFailure"));
        wait_for("web", "Running");
        auto_free char *uid = uid_of("web");
        site.crashes = true;
        compute_fake_guest_panics(site.world, uid);
        while (compute_fake_launches(site.world, uid) == 1)
            pass_time();
        wait_for("web", "Running");
        site.crashes = false;
        loop_sim_advance(site.loop, 5000);
        /* A start that the daemon's death cut short counts too. */
        CHECK(restarts("web") >= 1);
        CHECK_EQ(compute_fake_launches(site.world, uid), 2);
        end();
    }
}
