/* tests/unit/control/test_group.c - InstanceGroups over the fakes: scaled, healed, updated, broken. */
#include "group_site.h"

TEST(a_group_has_as_many_members_as_asked_and_they_serve)
{
    begin_group(1, json_pack("{s:i}", "replicas", 3));
    wait_ready(3);
    CHECK_EQ(compute_fake_process_count(site.world), 3);
    auto_json json_t *object = group();
    CHECK_STR(json_text_at(object, "status.selector", NULL), "virga.dev/group=web");
    CHECK_STR(json_text_at(object, "status.phase", NULL), "Ready");
    auto_json json_t *member = instance(newest);
    CHECK(condition_is_true(member, CONDITION_SERVING));
    set_group("spec.replicas", json_integer(1));
    wait_ready(1);
    set_group("spec.replicas", json_integer(4));
    wait_ready(4);
    end_group();
}

TEST(a_member_that_dies_for_good_is_replaced)
{
    begin_group(2, json_pack("{s:i,s:{s:{s:s}}}", "replicas", 2, "template", "spec", "restartPolicy", "Never"));
    wait_ready(2);
    auto_free char *uid = uid_of(newest);
    compute_fake_process_dies(site.world, uid);
    loop_sim_advance(site.loop, 60 * 1000);
    wait_ready(2);
    CHECK_EQ(compute_fake_launches(site.world, uid), 1);
    CHECK(!compute_fake_has_process(site.world, uid));
    end_group();
}

TEST(a_changed_template_rolls_out_within_the_bounds)
{
    begin_group(3, json_pack("{s:i,s:i,s:i}", "replicas", 3, "minReplicas", 3, "maxReplicas", 4));
    wait_ready(3);
    set_group("spec.template.spec.memory", json_string("128Mi"));
    for (int i = 0; i < 6000 && group_int("status.currentRevision") != 2; i++)
        pass_time();
    for (int i = 0; i < 6000; i++) {
        int64_t ready = group_int("status.readyReplicas");

        CHECK(ready >= 3);
        CHECK(member_count() <= 4);
        if (group_int("status.updatedReplicas") == 3 && members == 3 && ready == 3)
            break;
        pass_time();
    }
    CHECK_EQ(group_int("status.updatedReplicas"), 3);
    auto_json json_t *member = instance(newest);
    CHECK_STR(json_text_at(member, "spec.memory", NULL), "128Mi");
    end_group();
}

TEST(an_update_that_is_paused_is_not_told_as_done)
{
    begin_group(18, json_pack("{s:i,s:{s:b}}", "replicas", 2, "update", "paused", 1));
    wait_ready(2);
    set_group("spec.template.spec.memory", json_string("128Mi"));
    for (int i = 0; i < 6000 && group_int("status.currentRevision") != 2; i++)
        pass_time();
    loop_sim_advance(site.loop, 5000);
    auto_json json_t *object = group();
    CHECK_STR(json_text_at(condition_get(object, "Progressing"), "reason", NULL), "Held");
    CHECK_CONTAINS(json_text_at(object, "status.message", ""), "2 of an older template stay");
    set_group("spec.update.paused", json_false());
    for (int i = 0; i < 6000 && group_int("status.updatedReplicas") != 2; i++)
        pass_time();
    wait_ready(2);
    loop_sim_advance(site.loop, 5000);
    auto_json json_t *after = group();
    CHECK_STR(json_text_at(condition_get(after, "Progressing"), "reason", NULL), "Arrived");
    end_group();
}

TEST(back_to_an_earlier_template_only_others_are_replaced)
{
    begin_group(15, json_pack("{s:i,s:i}", "replicas", 3, "maxReplicas", 4));
    wait_ready(3);
    auto_free char *uid = uid_of(newest), *name = str_dup(newest);
    edit(name, "metadata.annotations", json_pack("{s:s}", "virga.dev/protected", "true"));
    set_group("spec.template.spec.memory", json_string("128Mi"));
    for (int i = 0; i < 6000 && group_int("status.updatedReplicas") != 2; i++)
        pass_time();
    edit(name, "metadata.annotations", NULL);
    set_group("spec.template.spec.memory", json_string("64Mi"));
    for (int i = 0; i < 6000 && group_int("status.currentRevision") != 3; i++)
        pass_time();
    wait_ready(3);
    for (int i = 0; i < 6000 && group_int("status.updatedReplicas") != 3; i++)
        pass_time();
    wait_ready(3);
    CHECK_EQ(group_int("status.updatedReplicas"), 3);
    CHECK(compute_fake_has_process(site.world, uid));
    end_group();
}

/* So says docs/load-balancing.md: "remove it to have the machine back". */
TEST(a_member_that_people_drain_is_kept)
{
    begin_group(14, json_pack("{s:i}", "replicas", 2));
    wait_ready(2);
    auto_free char *uid = uid_of(newest), *name = str_dup(newest);
    edit(name, "metadata.annotations", json_pack("{s:s}", ANNOTATION_DRAIN, "2026-01-31T12:00:00Z"));
    loop_sim_advance(site.loop, 60 * 1000);
    CHECK_EQ(group_int("status.readyReplicas"), 1);
    CHECK_EQ(group_int("status.replicas"), 2);
    CHECK(compute_fake_has_process(site.world, uid));
    edit(name, "metadata.annotations", NULL);
    wait_ready(2);
    end_group();
}

TEST(members_that_cannot_start_open_the_circuit)
{
    begin_group(4, json_pack("{s:i,s:{s:i,s:s},s:{s:{s:s}}}", "replicas", 3, "healing", "circuitThreshold", 3,
                             "circuitReset", "60s", "template", "spec", "restartPolicy", "Never"));
    compute_fake_set_failures(site.world, 0, 1000);
    for (int i = 0; i < 6000; i++) {
        auto_json json_t *object = group();

        if (str_equal(json_text_at(object, "status.circuit.state", ""), "Open"))
            break;
        pass_time();
    }
    auto_json json_t *object = group();
    CHECK_STR(json_text_at(object, "status.circuit.state", NULL), "Open");
    CHECK_STR(json_text_at(object, "status.phase", NULL), "Degraded");
    CHECK_CONTAINS(json_text_at(object, "status.message", ""), ": its machine ended: ");
    CHECK_STR(json_text_at(condition_get(object, "Available"), "reason", NULL), "MinimumMissing");
    compute_fake_set_failures(site.world, 0, 0);
    wait_ready(3);
    CHECK_EQ(group_int("status.circuit.failures"), -1);
    end_group();
}

TEST(stable_names_keep_their_addresses)
{
    begin_group(5, json_pack("{s:i,s:b,s:{s:{s:s}}}", "replicas", 2, "stableNames", 1, "template", "spec",
                             "restartPolicy", "Never"));
    wait_ready(2);
    auto_json json_t *before = instance("web-1");
    auto_free char *uid = uid_of("web-1");
    CHECK(before);
    compute_fake_process_dies(site.world, uid);
    loop_sim_advance(site.loop, 30 * 1000);
    wait_ready(2);
    auto_json json_t *after = instance("web-1");
    CHECK(!str_equal(object_uid(before), object_uid(after)));
    CHECK_STR(json_text_at(after, "status.networks[0].ipv4Address", NULL),
              json_text_at(before, "status.networks[0].ipv4Address", ""));
    CHECK_STR(json_text_at(after, "status.networks[0].macAddress", NULL),
              json_text_at(before, "status.networks[0].macAddress", ""));
    end_group();
}

static unsigned commands;

static json_t *answer(void *arg, const char *uid, const char *command, const json_t *arguments, struct err *err)
{
    if (str_equal(command, "guest-exec")) {
        commands++;
        return json_pack("{s:i}", "pid", 7);
    }
    if (str_equal(command, "guest-exec-status"))
        return json_pack("{s:b,s:i}", "exited", 1, "exitcode", 0);
    return json_object();
}

TEST(what_the_probe_found_of_a_member_that_does_not_get_ready_is_told)
{
    begin_group(15, json_pack("{s:i,s:{s:s,s:i,s:s},s:{s:s}}", "replicas", 1, "readiness", "type", "HTTP", "port", 80,
                              "path", "/live", "healing", "startTimeout", "60s"));
    wait_message(": GET /live at port 80 was answered 404");
    wait_message("it was not ready within 60s (spec.healing.startTimeout): GET /live at port 80 was answered 404");
    end_group();
}

TEST(hooks_run_before_a_member_serves_and_before_it_goes)
{
    commands = 0;
    begin(6);
    compute_fake_set_agent(site.world, answer, NULL);
    create_image();
    create_group(json_pack("{s:i,s:{s:s},s:{s:{s:[s]},s:{s:[s]}}}", "replicas", 2, "readiness", "type", "Agent",
                           "hooks", "join", "command", "/bin/join", "leave", "command", "/bin/leave"));
    wait_ready(2);
    CHECK_EQ(commands, 2);
    set_group("spec.replicas", json_integer(1));
    wait_ready(1);
    CHECK_EQ(commands, 3);
    end_group();
}

/* The command is begun, and its end is a long time coming. */
static json_t *answer_slowly(void *arg, const char *uid, const char *command, const json_t *arguments, struct err *err)
{
    if (str_equal(command, "guest-exec-status"))
        return json_pack("{s:b}", "exited", 0);
    return answer(arg, uid, command, arguments, err);
}

TEST(a_member_whose_machine_was_started_anew_serves_after_its_hook_has_run_again)
{
    commands = 0;
    begin(18);
    compute_fake_set_agent(site.world, answer, NULL);
    create_image();
    create_group(json_pack("{s:i,s:b,s:{s:s},s:{s:{s:[s]}}}", "replicas", 1, "stableNames", 1, "readiness", "type", "Agent",
                           "hooks", "join", "command", "/bin/join"));
    wait_ready(1);
    CHECK_EQ(commands, 1);
    loop_sim_advance(site.loop, 60 * 1000);
    CHECK_EQ(commands, 1);

    compute_fake_set_agent(site.world, answer_slowly, NULL);
    auto_free char *uid = uid_of("web-0");
    compute_fake_process_dies(site.world, uid);
    for (int i = 0; i < 6000 && commands < 2; i++)
        pass_time();
    loop_sim_advance(site.loop, 10 * 1000); /* its end is still to come */
    auto_json json_t *object = instance("web-0");
    CHECK_STR(object_uid(object), uid);
    CHECK_EQ(commands, 2);
    CHECK_STR(json_text_at(condition_get(object, "Serving"), "status", NULL), "False");
    compute_fake_set_agent(site.world, answer, NULL);
    wait_ready(1);
    loop_sim_advance(site.loop, 60 * 1000);
    CHECK_EQ(commands, 2);
    end_group();
}

/* "no \xff\n", which is no text. */
static json_t *answer_badly(void *arg, const char *uid, const char *command, const json_t *arguments, struct err *err)
{
    if (str_equal(command, "guest-exec-status"))
        return json_pack("{s:b,s:i,s:s}", "exited", 1, "exitcode", 1, "out-data", "bm8g/wo=");
    return answer(arg, uid, command, arguments, err);
}

static void find_complaint(void *arg, const json_t *event)
{
    if (str_equal(json_text_at(event, "reason", NULL), "JoinFailed"))
        snprintf(arg, 128, "%s", json_text_at(event, "message", ""));
}

TEST(what_a_hook_says_is_told_whatever_it_is)
{
    char complaint[128] = "";

    begin(8);
    compute_fake_set_agent(site.world, answer_badly, NULL);
    create_image();
    create_group(json_pack("{s:i,s:{s:s},s:{s:{s:[s]}}}", "replicas", 1, "readiness", "type", "Agent", "hooks", "join",
                           "command", "/bin/join"));
    for (int i = 0; i < 600 && !complaint[0]; i++) {
        pass_time();
        control_each(site.control, &kind_event, "default", find_complaint, complaint);
    }
    CHECK_CONTAINS(complaint, "the command ended with status 1: no \xef\xbf\xbd");
    auto_json json_t *object = group(); /* where it stays when the member has gone */
    CHECK_CONTAINS(json_text_at(object, "status.message", ""), "its join hook failed: the command ended with status 1: no");
    compute_fake_set_agent(site.world, answer, NULL);
    end_group();
}

TEST(stable_names_keep_their_addresses_on_a_network_that_came_later)
{
    begin_group(17, json_pack("{s:i,s:b,s:{s:{s:s}}}", "replicas", 1, "stableNames", 1, "template", "spec",
                              "restartPolicy", "Never"));
    wait_ready(1);
    create_network("other", "10.9.0.0/24");
    set_group("spec.template.spec.networks", json_pack("[{s:s,s:s}]", "name", "eth0", "network", "other"));
    for (int i = 0; i < 6000 && group_int("status.currentRevision") != 2; i++)
        pass_time();
    for (int i = 0; i < 6000 && group_int("status.updatedReplicas") != 1; i++)
        pass_time();
    wait_ready(1);
    auto_json json_t *before = instance("web-0");
    CHECK_STR(json_text_at(before, "status.networks[0].network", NULL), "other");
    auto_free char *uid = uid_of("web-0");
    compute_fake_process_dies(site.world, uid);
    loop_sim_advance(site.loop, 30 * 1000);
    wait_ready(1);
    auto_json json_t *after = instance("web-0");
    CHECK(!str_equal(object_uid(before), object_uid(after)));
    CHECK_STR(json_text_at(after, "status.networks[0].macAddress", NULL),
              json_text_at(before, "status.networks[0].macAddress", ""));
    end_group();
}

TEST(a_name_that_somebody_else_has_is_told)
{
    begin(16);
    create_image();
    create_instance("web-0", json_pack("{s:s,s:i,s:s}", "image", "debian", "cpus", 1, "memory", "64Mi"));
    create_group(json_pack("{s:i,s:b}", "replicas", 1, "stableNames", 1));
    loop_sim_advance(site.loop, 20 * 1000);
    auto_json json_t *object = group();
    CHECK_CONTAINS(json_text_at(object, "status.message", ""), "member web-0 was not made: ");
    control_delete(site.control, &kind_instance, "default", "web-0", nobody);
    wait_ready(1);
    loop_sim_advance(site.loop, 5000);
    auto_json json_t *after = group();
    CHECK_STR(json_text_at(after, "status.message", NULL), NULL);
    end_group();
}

TEST(hooks_run_for_each_member_that_ever_has_a_stable_name)
{
    commands = 0;
    begin(7);
    compute_fake_set_agent(site.world, answer, NULL);
    create_image();
    create_group(json_pack("{s:i,s:b,s:{s:s},s:{s:{s:[s]},s:{s:[s]}}}", "replicas", 1, "stableNames", 1, "readiness",
                           "type", "Agent", "hooks", "join", "command", "/bin/join", "leave", "command", "/bin/leave"));
    for (unsigned life = 1; life <= 3; life++) {
        set_group("spec.replicas", json_integer(1));
        wait_ready(1);
        CHECK_EQ(commands, 2 * life - 1);
        set_group("spec.replicas", json_integer(0));
        wait_ready(0);
        CHECK_EQ(commands, 2 * life);
    }
    end_group();
}

static bool is_other(const char *name, const char *uid)
{
    auto_json json_t *object = instance(name);

    return object && !str_equal(object_uid(object), uid);
}

TEST(a_hook_of_a_member_that_went_says_nothing_of_the_next_of_its_name)
{
    char complaint[128] = "";

    commands = 0;
    begin(9);
    compute_fake_set_agent(site.world, answer_slowly, NULL);
    create_image();
    create_group(json_pack("{s:i,s:b,s:{s:s},s:{s:{s:s}},s:{s:{s:[s]}}}", "replicas", 1, "stableNames", 1, "readiness",
                           "type", "Agent", "template", "spec", "stopTimeout", "0s", "hooks", "join", "command",
                           "/bin/join"));
    for (int i = 0; i < 600 && commands == 0; i++)
        pass_time();
    auto_free char *uid = uid_of("web-0");
    loop_sim_advance(site.loop, 5000); /* its end is now looked for every half second only */
    control_delete(site.control, &kind_instance, "default", "web-0", nobody);
    for (int i = 0; i < 600 && !is_other("web-0", uid); i++)
        pass_time();
    compute_fake_set_agent(site.world, answer, NULL);
    wait_ready(1);
    control_each(site.control, &kind_event, "default", find_complaint, complaint);
    CHECK_STR(complaint, "");
    CHECK_EQ(commands, 2);
    end_group();
}

TEST(a_daemon_that_dies_at_any_moment_never_has_too_many_members)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        begin_group(seed, json_pack("{s:i,s:i}", "replicas", 3, "maxReplicas", 4));
        site.crashes = true;
        wait_ready(3);
        set_group("spec.template.spec.memory", json_string("128Mi"));
        for (int i = 0; i < 3000 && (group_int("status.updatedReplicas") != 3 || member_count() != 3); i++)
            pass_time();
        wait_ready(3);
        CHECK(most_members <= 4);
        check_nothing_wrong();
        end_group();
    }
}

static unsigned not_serving;

static void count_not_serving(void *arg, const json_t *instance)
{
    not_serving += !condition_is_true(instance, CONDITION_SERVING);
}

TEST(a_daemon_that_begins_anew_takes_no_member_from_its_balancer)
{
    begin_group(9, json_pack("{s:i,s:{s:s}}", "replicas", 3, "readiness", "type", "Agent"));
    wait_ready(3);
    for (int i = 0; i < 50; i++) {
        if (i % 10 == 0) {
            daemon_dies();
            daemon_starts();
        }
        loop_sim_advance(site.loop, 20);
        control_each(site.control, &kind_instance, "default", count_not_serving, NULL);
    }
    CHECK_EQ(not_serving, 0);
    end_group();
}
