/* tests/unit/control/test_group_fork.c - InstanceGroups whose members fork: the seed, what is made from
 * it, and what becomes of all that when something goes wrong. */
#include "fork_site.h"

/* --- the seed --- */

TEST(a_seed_is_booted_and_frozen_and_members_fork_from_it)
{
    begin_forking(1, json_pack("{s:i}", "replicas", 3));
    for (int i = 0; i < 100 && !look()->seeds; i++)
        pass_time();
    CHECK_EQ(census.seeds, 1);
    CHECK_EQ(census.members, 0);
    auto_free char *seed = uid_of(census.seed);
    wait_settled(3, 0);
    CHECK_EQ(census.forked, 3);
    CHECK_STR(group_text("status.seed.phase"), "Ready");
    CHECK_STR(group_text("status.phase"), "Ready");
    CHECK_STR(fork_reason(), "Frozen");
    CHECK_EQ(snapshot_count(), 1);
    CHECK(!compute_fake_has_process(site.world, seed));
    set_group("spec.replicas", json_integer(5));
    wait_settled(5, 0);
    CHECK_EQ(census.forked, 5);
    CHECK_EQ(compute_fake_frozen_count(site.world), 1);
    end_forking();
}

TEST(the_seed_settles_before_it_is_frozen)
{
    int64_t settling_ms = 0;

    begin_forking(2, json_pack("{s:i,s:s}", "replicas", 1, "settle", "5s"));
    wait_text("status.seed.phase", "Settling");
    for (; str_equal(group_text("status.seed.phase"), "Settling"); settling_ms += STEP_MS)
        pass_time();
    CHECK(settling_ms >= 4800 && settling_ms <= 5200);
    wait_settled(1, 0);
    end_forking();
}

TEST(what_the_probe_found_of_a_seed_that_does_not_get_ready_is_told)
{
    begin_forking(21, json_pack("{s:i,s:{s:s,s:i}}", "replicas", 1, "readiness", "type", "HTTP", "port", 80));
    wait_message("the seed boots that members will fork from: GET / at port 80 was answered 404");
    end_forking();
}

TEST(a_group_of_none_has_its_seed_all_the_same)
{
    begin_forking(3, json_pack("{s:i}", "replicas", 0));
    wait_text("status.seed.phase", "Ready");
    wait_settled(0, 0);
    CHECK_STR(group_text("status.phase"), "Idle");
    set_group("spec.replicas", json_integer(2));
    wait_settled(2, 0);
    CHECK_EQ(census.forked, 2);
    end_forking();
}

TEST(a_changed_template_gets_its_own_seed_before_members_are_replaced)
{
    char before[512];

    begin_forking(4, json_pack("{s:i,s:i,s:i}", "replicas", 3, "minReplicas", 3, "maxReplicas", 4));
    wait_settled(3, 0);
    snprintf(before, sizeof before, "%s", group_text("status.forkFrom.snapshot"));
    set_group("spec.template.spec.memory", json_string("128Mi"));
    wait_text("status.seed.phase", "Booting");
    CHECK_STR(fork_reason(), "OldTemplate");
    set_group("spec.replicas", json_integer(4)); /* grows all the same, from what there is */
    for (int i = 0; i < 6000 && group_int("status.forkFrom.revision") != 2; i++) {
        look();
        CHECK(census.members >= 3);
        CHECK_EQ(group_int("status.updatedReplicas"), 0);
        pass_time();
    }
    set_group("spec.replicas", json_integer(3));
    for (int i = 0; i < 6000 && group_int("status.updatedReplicas") != 3; i++) {
        CHECK(group_int("status.readyReplicas") >= 3);
        CHECK(look()->members <= 4);
        pass_time();
    }
    wait_settled(3, 0);
    CHECK_EQ(census.forked, 3);
    auto_json json_t *member = instance(census.member);
    CHECK_STR(json_text_at(member, "spec.memory", NULL), "128Mi");
    CHECK(!str_equal(json_text_at(member, "spec.snapshot", ""), before));
    for (int i = 0; i < 600 && snapshot_count() != 1; i++)
        pass_time();
    CHECK_EQ(snapshot_count(), 1);
    end_forking();
}

/* As one who watches the group: each state that is stored. */
static void check_not_told_as_rolled_out(void *arg, const struct store_event *event)
{
    auto_json json_t *object = object_decode(event->record);
    unsigned *states_seen = arg;

    if (json_int_at(object, "metadata.generation", 0) < 2 || json_int_at(object, "status.observedGeneration", 0) < 2)
        return;
    (*states_seen)++;
    CHECK(!str_equal(json_text_at(object, "status.phase", ""), "Ready"));
    CHECK(!condition_is_true(object, "Ready"));
}

TEST(a_template_that_waits_for_its_seed_is_not_told_as_rolled_out)
{
    unsigned states_seen = 0;
    struct store_watch *watch;
    struct err err;

    begin_forking(18, json_pack("{s:i}", "replicas", 2));
    wait_settled(2, 0);
    watch = site.store->ops->watch(site.store, "/virga.dev/instancegroups/", -1, check_not_told_as_rolled_out,
                                   &states_seen, &err);
    CHECK(watch);
    set_group("spec.template.spec.memory", json_string("128Mi"));
    wait_text("status.seed.phase", "Booting");
    site.store->ops->watch_free(watch);
    CHECK(states_seen >= 2);
    CHECK_EQ(group_int("status.currentRevision"), 2);
    CHECK_EQ(group_int("status.updatedReplicas"), 0);
    end_forking();
}

TEST(members_fork_from_the_seed_there_is_however_many_templates_came_since)
{
    begin_forking(22, json_pack("{s:i,s:i,s:i}", "replicas", 2, "maxReplicas", 4, "revisionHistoryLimit", 1));
    wait_settled(2, 0);
    set_group("spec.template.spec.memory", json_string("128Mi"));
    set_group("spec.template.spec.memory", json_string("192Mi"));
    wait_text("status.seed.phase", "Booting");
    set_group("spec.replicas", json_integer(3));
    for (int i = 0; i < 600 && look()->members < 3; i++)
        pass_time();
    CHECK_EQ(census.members, 3);
    CHECK_EQ(group_int("status.forkFrom.revision"), 1);
    wait_text("status.seed.phase", "Ready");
    wait_settled(3, 0);
    end_forking();
}

TEST(back_to_the_template_before_needs_no_new_seed)
{
    char before[512];

    begin_forking(5, json_pack("{s:i,s:{s:b}}", "replicas", 3, "update", "paused", 1));
    wait_settled(3, 0);
    snprintf(before, sizeof before, "%s", group_text("status.forkFrom.snapshot"));
    set_group("spec.template.spec.memory", json_string("128Mi"));
    for (int i = 0; i < 6000 && (group_int("status.forkFrom.revision") != 2 || look()->seeds); i++)
        pass_time();
    set_group("spec.template.spec.memory", json_string("64Mi"));
    for (int i = 0; i < 100 && group_int("status.forkFrom.revision") != 3; i++)
        pass_time();
    CHECK_STR(group_text("status.forkFrom.snapshot"), before);
    CHECK_EQ(look()->seeds, 0);
    set_group("spec.replicas", json_integer(4));
    wait_settled(4, 0);
    CHECK_EQ(census.forked, 4);
    end_forking();
}

TEST(a_seed_is_renewed_when_that_is_asked_for)
{
    char before[512];

    begin_forking(6, json_pack("{s:i,s:i,s:i}", "replicas", 2, "maxReplicas", 6, "warm", 1));
    wait_settled(2, 1);
    snprintf(before, sizeof before, "%s", group_text("status.forkFrom.snapshot"));
    set_group("spec.seedAt", json_string("2030-01-01T00:00:00Z"));
    wait_text("status.seed.seedAt", "2030-01-01T00:00:00Z");
    wait_text("status.seed.phase", "Ready");
    CHECK(!str_equal(group_text("status.forkFrom.snapshot"), before));
    for (int i = 0; i < 6000; i++) {
        auto_free char *of = text_of(look()->warm ? census.warm_one : "none", "spec.snapshot");
        if (str_equal(of, group_text("status.forkFrom.snapshot")))
            break;
        pass_time();
    }
    wait_settled(2, 1);
    auto_free char *of_warm = text_of(census.warm_one, "spec.snapshot"), *of_member = text_of(census.member, "spec.snapshot");
    CHECK_STR(of_warm, group_text("status.forkFrom.snapshot"));
    CHECK_STR(of_member, before); /* members that serve stay as they are */
    CHECK_EQ(snapshot_count(), 2);
    end_forking();
}

/* --- failures --- */

TEST(members_boot_when_the_seed_is_not_ready_in_time)
{
    begin_forking(7, json_pack("{s:i,s:{s:s,s:s},s:{s:s}}", "replicas", 2, "healing", "startTimeout", "3s", "backoff",
                               "10m", "readiness", "type", "Agent"));
    for (int i = 0; i < 100 && !look()->seeds; i++)
        loop_sim_advance(site.loop, 1);
    set_spec(census.seed, "spec.powerState", "Paused"); /* so that it gets nowhere */
    wait_text("status.seed.phase", "Failed");
    CHECK_STR(fork_reason(), "SeedFailed");
    wait_settled(2, 0);
    CHECK_EQ(census.booted, 2);
    CHECK(events_of("web", "SeedFailed") >= 1);
    CHECK_EQ(snapshot_count(), 0);
    end_forking();
}

TEST(a_failed_seed_is_tried_again_while_members_boot)
{
    begin_forking(8, json_pack("{s:i,s:{s:s,s:s}}", "replicas", 2, "healing", "startTimeout", "5s", "backoff", "20s"));
    for (int i = 0; i < 100 && !look()->seeds; i++)
        loop_sim_advance(site.loop, 1);
    delete_instance(census.seed);
    wait_text("status.seed.phase", "Failed");
    wait_settled(2, 0);
    CHECK_EQ(census.booted, 2);
    wait_text("status.seed.phase", "Ready");
    set_group("spec.replicas", json_integer(3));
    wait_settled(3, 0);
    CHECK_EQ(census.booted, 2);
    CHECK_EQ(census.forked, 1);
    CHECK_EQ(group_int("status.seed.failures"), -1); /* forgotten once a fork serves */
    end_forking();
}

TEST(a_seed_that_has_lost_its_memory_is_made_anew)
{
    char before[512];

    begin_forking(9, json_pack("{s:i}", "replicas", 1));
    wait_settled(1, 0);
    snprintf(before, sizeof before, "%s", group_text("status.forkFrom.snapshot"));
    daemon_dies();
    compute_fake_lose_frozen(site.world);
    daemon_starts();
    loop_sim_advance(site.loop, STEP_MS);
    set_group("spec.replicas", json_integer(3));
    wait_settled(3, 0);
    CHECK(!str_equal(group_text("status.forkFrom.snapshot"), before));
    CHECK_EQ(census.forked, 3);
    end_forking();
}

TEST(members_whose_fork_fails_boot_and_serve)
{
    begin_forking(10, json_pack("{s:i}", "replicas", 1));
    wait_settled(1, 0);
    compute_fake_refuse_identity(site.world, "network cards: error 19");
    set_group("spec.replicas", json_integer(3));
    wait_settled(3, 0);
    CHECK_EQ(census.forked, 1);
    CHECK_EQ(census.booted, 0); /* they stand on the disk of the seed */
    end_forking();
}

/* --- from one to the other, and crashes --- */

TEST(a_group_that_boots_again_leaves_no_seed_behind)
{
    begin_forking(14, json_pack("{s:i,s:i}", "replicas", 2, "warm", 1));
    wait_settled(2, 1);
    set_group("spec.warm", json_integer(0));
    set_group("spec.start", json_string("Boot"));
    wait_settled(2, 0);
    CHECK_EQ(snapshot_count(), 1); /* members stand on it */
    set_group("spec.replicas", json_integer(0));
    wait_settled(0, 0);
    for (int i = 0; i < 600 && snapshot_count(); i++)
        pass_time();
    CHECK_EQ(snapshot_count(), 0);
    wait_text("status.seed.name", "");
    end_forking();
}

TEST(a_group_that_goes_takes_a_seed_that_boots_along)
{
    begin_forking(15, json_pack("{s:i}", "replicas", 2));
    for (int i = 0; i < 100 && !look()->seeds; i++)
        pass_time();
    end_forking();
}

TEST(a_daemon_that_dies_at_any_moment_makes_one_seed_and_not_too_many_members)
{
    begin_forking(101, json_pack("{s:i,s:i,s:i,s:s}", "replicas", 2, "maxReplicas", 4, "warm", 1, "settle", "200ms"));
    site.crashes = true;
    for (int i = 0; i < 3000 && group_int("status.readyReplicas") != 2; i++) {
        look();
        CHECK(census.seeds <= 1);
        CHECK(census.members + census.warm <= 4);
        pass_time();
    }
    wait_settled(2, 1);
    set_group("spec.template.spec.memory", json_string("128Mi"));
    for (int i = 0; i < 3000 && group_int("status.updatedReplicas") != 2; i++) {
        look();
        CHECK(census.seeds <= 1);
        CHECK(census.members + census.warm <= 4);
        pass_time();
    }
    wait_settled(2, 1);
    check_nothing_wrong();
    end_forking();
}

/* --- all of it at random --- */

static char *uid_of_any(void)
{
    auto_free char *name = str_dup(random_below(&site.random, 2) ? look()->member : look()->warm_one);
    auto_json json_t *object = instance(name);

    return str_dup(object_uid(object));
}

static void host_restarts(void)
{
    daemon_dies();
    compute_fake_host_reboots(site.world); /* frozen memory is lost with it */
    network_fake_reboot(site.net);
    daemon_starts();
}

static void wish_or_misfortune(unsigned nth)
{
    static const char *const memories[] = { "64Mi", "128Mi", "192Mi" };
    auto_free char *uid = uid_of_any();

    switch (random_below(&site.random, 12)) {
    case 0:
    case 1:
    case 2: set_group("spec.replicas", json_integer((json_int_t)random_below(&site.random, 4))); break;
    case 3: set_group("spec.warm", json_integer((json_int_t)random_below(&site.random, 3))); break;
    case 4:
    case 5: set_group("spec.template.spec.memory", json_string(memories[random_below(&site.random, 3)])); break;
    case 6: set_group("spec.seedAt", json_printf("2030-01-01T00:00:%02uZ", nth % 60)); break;
    case 7: set_group("spec.start", json_string(random_below(&site.random, 2) ? "Boot" : "Fork")); break;
    case 8:
        if (compute_fake_has_process(site.world, uid))
            compute_fake_process_dies(site.world, uid);
        break;
    case 9: control_delete(site.control, &kind_instance, "default", look()->member, nobody); break;
    case 10: host_restarts(); break;
    case 11: compute_fake_set_failures(site.world, random_below(&site.random, 2) ? 100 : 0, 100); break;
    }
}

TEST(whatever_is_wished_and_happens_there_are_never_too_many_and_in_the_end_as_many_as_wished)
{
    for (uint64_t seed = 1000; seed < 1002; seed++) {
        unsigned ready, warm;

        begin_forking(seed, json_pack("{s:i,s:i,s:i,s:s}", "replicas", 2, "maxReplicas", 4, "warm", 1, "settle", "200ms"));
        for (unsigned nth = 0; nth < 20; nth++) {
            wish_or_misfortune(nth);
            site.crashes = random_below(&site.random, 4) == 0;
            for (uint64_t i = random_below(&site.random, 40); i > 0; i--) {
                pass_time();
                look();
                if (census.members + census.warm > 4 || census.seeds > 2)
                    check_fail(CHECK_HERE, "seed %llu: %u members, %u warm, %u seeds", (unsigned long long)seed,
                               census.members, census.warm, census.seeds);
            }
        }
        site.crashes = false;
        compute_fake_set_failures(site.world, 0, 0);
        ready = (unsigned)random_below(&site.random, 4);
        warm = (unsigned)random_below(&site.random, 2);
        set_group("spec.start", json_string("Fork"));
        set_group("spec.replicas", json_integer(ready));
        set_group("spec.warm", json_integer(warm));
        wait_settled(ready, warm);
        check_nothing_wrong();
        end_forking();
    }
}
