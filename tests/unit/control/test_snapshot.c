/* Snapshots: taken while the instance stands still for a moment, and kept while anybody stands on them. */
#include "site.h"
#include "drivers/compute/fake/world.h"
#include <errno.h>
#include <unistd.h>

static void create_snapshot(const char *name, const char *instance_name, bool memory)
{
    control_create(site.control, &kind_snapshot,
                   json_pack("{s:{s:s,s:s},s:{s:s,s:b}}", "metadata", "name", name, "namespace", "default", "spec",
                             "instanceName", instance_name, "memory", (int)memory),
                   nobody);
    loop_sim_advance(site.loop, 1);
}

static json_t *snapshot(const char *name) { return control_find(site.control, &kind_snapshot, "default", name); }

static char *of_snapshot(const char *name, const char *path)
{
    auto_json json_t *object = snapshot(name);

    return str_dup(json_text_at(object, path, NULL));
}

static bool snapshot_is(const char *name, const char *phase)
{
    auto_json json_t *object = snapshot(name);

    return phase ? str_equal(json_text_at(object, "status.phase", NULL), phase) : !object;
}

static void wait_snapshot(const char *name, const char *phase)
{
    for (int64_t waited_ms = 0; !snapshot_is(name, phase); waited_ms += STEP_MS) {
        auto_json json_t *object = snapshot(name);
        auto_free char *text = json_text(object ? json_object_get(object, "status") : json_null());
        if (waited_ms > LIMIT_MS)
            check_fail(CHECK_HERE, "snapshot %s is not %s: %s", name, phase ? phase : "gone", text);
        pass_time();
    }
}

static char *reason_of(const char *name)
{
    auto_json json_t *object = snapshot(name);

    return str_dup(json_text_at(condition_get(object, "Ready"), "reason", NULL));
}

static void delete_snapshot(const char *name)
{
    control_delete(site.control, &kind_snapshot, "default", name, nobody);
    loop_sim_advance(site.loop, 1);
}

static void run_web(uint64_t seed)
{
    begin(seed);
    create_image();
    create_instance("web", simple_spec());
    wait_for_condition("web", "AgentReady", "True");
}

static void create_fork(const char *name, const char *snapshot_name)
{
    create_instance(name, json_pack("{s:s}", "snapshot", snapshot_name));
}

/* "one" goes on from the memory of "web". */
static void run_fork(uint64_t seed)
{
    run_web(seed);
    create_snapshot("warm", "web", true);
    wait_snapshot("warm", "Ready");
    create_fork("one", "warm");
    wait_for_condition("one", "Forked", "True");
}

static char *forked_reason(const char *name)
{
    auto_json json_t *object = instance(name);

    return str_dup(json_text_at(condition_get(object, "Forked"), "reason", NULL));
}

TEST(an_instance_is_taken_and_goes_on_with_its_links_up)
{
    run_web(1);
    auto_free char *uid = uid_of("web");
    create_snapshot("warm", "web", true);
    wait_snapshot("warm", "Ready");
    wait_for("web", "Running");
    CHECK(compute_fake_links_up(site.world, uid));
    CHECK_EQ(compute_fake_frozen_count(site.world), 1);
    CHECK_EQ(compute_fake_launches(site.world, uid), 1);
    auto_free char *image = of_snapshot("warm", "status.image");
    CHECK_STR(image, "debian");
    delete_snapshot("warm");
    wait_snapshot("warm", NULL);
    CHECK_EQ(compute_fake_frozen_count(site.world), 0);
    delete_instance("web");
    check_nothing_left();
    end();
}

TEST(forks_go_on_from_the_memory_with_disks_of_their_own)
{
    run_web(2);
    create_snapshot("warm", "web", true);
    wait_snapshot("warm", "Ready");
    create_fork("one", "warm");
    create_fork("two", "warm");
    wait_for_condition("one", "Forked", "True");
    wait_for_condition("two", "Forked", "True");
    wait_for_condition("one", "Ready", "True");
    wait_for_condition("one", "OwnIdentity", "True");
    auto_free char *uid = uid_of("one");
    CHECK(compute_fake_links_up(site.world, uid));
    const struct machine_config *config = compute_fake_config(site.world, uid);
    CHECK(config->frozen);
    CHECK_EQ(config->disks[0].source.file_count, 3);
    CHECK_EQ(events_of("one", "Forked"), 1);
    delete_instance("one");
    delete_instance("two");
    delete_snapshot("warm");
    wait_snapshot("warm", NULL);
    delete_instance("web");
    check_nothing_left();
    end();
}

TEST(a_fork_that_shall_be_paused_becomes_somebody_else_first)
{
    run_web(13);
    create_snapshot("warm", "web", true);
    wait_snapshot("warm", "Ready");
    create_instance("one", json_pack("{s:s,s:s}", "snapshot", "warm", "powerState", "Paused"));
    wait_for("one", "Paused");
    CHECK(has_condition("one", "Forked", "True"));
    CHECK(has_condition("one", "OwnIdentity", "True"));
    set_spec("one", "spec.powerState", "Running");
    wait_for("one", "Running");
    CHECK(has_condition("one", "Ready", "True"));
    CHECK(has_condition("one", "Forked", "True"));
    end();
}

static unsigned clocks_set;

static json_t *count_clocks(void *arg, const char *uid, const char *command, const json_t *arguments, struct err *err)
{
    clocks_set += str_equal(command, "guest-set-time");
    return json_object();
}

static void pause_and_resume(const char *name)
{
    set_spec(name, "spec.powerState", "Paused");
    wait_for(name, "Paused");
    set_spec(name, "spec.powerState", "Running");
    wait_for(name, "Running");
    loop_sim_advance(site.loop, 1000);
}

TEST(a_fork_that_stood_still_is_told_the_time_by_what_made_it_itself)
{
    run_fork(4);
    wait_for_condition("one", "OwnIdentity", "True");
    clocks_set = 0;
    compute_fake_set_agent(site.world, count_clocks, NULL);
    pause_and_resume("one");
    CHECK_EQ(clocks_set, 0);
    pause_and_resume("web");
    CHECK_EQ(clocks_set, 1);
    compute_fake_refuse_identity(site.world, "it is of another version");
    pause_and_resume("one"); /* its agent can do it, too */
    CHECK_EQ(clocks_set, 2);
    delete_instance("one");
    delete_instance("web");
    delete_snapshot("warm");
    wait_snapshot("warm", NULL);
    check_nothing_left();
    end();
}

TEST(a_fork_boots_when_it_is_started_again)
{
    run_fork(3);
    set_spec("one", "spec.powerState", "Stopped");
    wait_for("one", "Stopped");
    set_spec("one", "spec.powerState", "Running");
    wait_for("one", "Running");
    auto_free char *uid = uid_of("one");
    CHECK(!compute_fake_config(site.world, uid)->frozen);
    auto_free char *reason = forked_reason("one");
    CHECK_STR(reason, "Restarted");
    end();
}

TEST(a_fork_that_is_reset_boots_at_once)
{
    run_fork(3);
    set_spec("one", "spec.restartPolicy", "Never");
    set_spec("one", "spec.resetAt", "2026-01-01T00:00:00Z");
    wait_for_condition("one", "Forked", "False");
    wait_for("one", "Running");
    auto_free char *uid = uid_of("one");
    CHECK(!compute_fake_config(site.world, uid)->frozen);
    auto_free char *reason = forked_reason("one");
    CHECK_STR(reason, "Restarted");
    auto_json json_t *object = instance("one");
    CHECK_EQ(json_int_at(object, "status.restartCount", 0), 0);
    CHECK_STR(json_text_at(object, "status.lastEnd.reason", ""), "GuestReset");
    end();
}

TEST(without_its_memory_a_snapshot_still_gives_the_disk)
{
    run_web(4);
    create_snapshot("warm", "web", true);
    wait_snapshot("warm", "Ready");
    daemon_dies();
    compute_fake_host_reboots(site.world);
    network_fake_reboot(site.net);
    daemon_starts();
    loop_sim_advance(site.loop, 1000);
    create_fork("one", "warm");
    wait_for("one", "Running");
    wait_for_condition("one", "OwnIdentity", "True");
    auto_free char *reason = forked_reason("one");
    CHECK_STR(reason, "MemoryLost");
    CHECK_EQ(events_of("warm", "MemoryLost"), 1);
    end();
}

TEST(a_fork_that_does_not_go_on_boots_at_once)
{
    run_web(5);
    create_snapshot("warm", "web", true);
    wait_snapshot("warm", "Ready");
    compute_fake_lose_frozen(site.world); /* behind the daemon's back */
    create_fork("one", "warm");
    wait_for("one", "Running");
    auto_free char *reason = forked_reason("one");
    CHECK_STR(reason, "NotForked");
    auto_json json_t *object = instance("one");
    CHECK_EQ(json_int_at(object, "status.restartCount", 0), 0);
    CHECK_EQ(events_of("one", "NotForked"), 1);
    end();
}

TEST(a_fork_with_another_size_boots)
{
    run_web(6);
    create_snapshot("warm", "web", true);
    wait_snapshot("warm", "Ready");
    create_instance("one", json_pack("{s:s,s:i}", "snapshot", "warm", "cpus", 2));
    wait_for("one", "Running");
    auto_free char *reason = forked_reason("one");
    CHECK_STR(reason, "DoesNotFit");
    auto_free char *message = message_of("one", "Forked");
    CHECK_CONTAINS(message, "spec.cpus must be 1");
    end();
}

/* The spec of an instance, or of a group's template, as the API completes it; owned. */
static char *completed(const struct kind *kind, const char *spec)
{
    auto_json json_t *object = json_pack("{s:{s:s,s:s}}", "metadata", "name", "new", "namespace", "default");
    struct err err;
    json_t *value = json_parse(spec, strlen(spec), &err);

    CHECK(value);
    json_object_set_new(object, "spec", value);
    control_fill(site.control, kind, object);
    return json_text(json_object_get(object, "spec"));
}

#define LIKE_WEB "\"cpus\":2,\"memory\":\"256Mi\",\"maxCPUs\":4,\"firmware\":\"BIOS\",\"guestAgent\":true"

TEST(what_an_instance_leaves_out_is_as_in_its_snapshot)
{
    static const struct row {
        const struct kind *kind;
        const char *spec, *completed;
    } rows[] = {
        { &kind_instance, "{\"snapshot\":\"warm\"}", "{\"snapshot\":\"warm\"," LIKE_WEB ",\"console\":{\"vnc\":true}}" },
        { &kind_instance, "{\"snapshot\":\"warm\",\"memory\":\"1Gi\",\"cpus\":3,\"console\":7}",
          "{\"snapshot\":\"warm\",\"memory\":\"1Gi\",\"cpus\":3,\"console\":7,\"firmware\":\"BIOS\",\"guestAgent\":true}" },
        { &kind_instance_group, "{\"template\":{\"spec\":{\"snapshot\":\"warm\",\"console\":{}}}}",
          "{\"template\":{\"spec\":{\"snapshot\":\"warm\",\"console\":{\"vnc\":true}," LIKE_WEB "}}}" },
        { &kind_instance, "{\"snapshot\":\"cold\"}", "{\"snapshot\":\"cold\"," LIKE_WEB ",\"console\":{\"vnc\":true}}" },
        { &kind_instance, "{\"snapshot\":\"none\"}", "{\"snapshot\":\"none\"}" },
        { &kind_instance, "{\"snapshot\":5}", "{\"snapshot\":5}" },
        { &kind_instance, "[]", "[]" },
        { &kind_instance, "{\"image\":\"debian\"}", "{\"image\":\"debian\"}" },
    };

    begin(8);
    create_image();
    create_instance("web", json_pack("{s:s,s:i,s:s,s:i}", "image", "debian", "cpus", 2, "memory", "256Mi", "maxCPUs", 4));
    wait_for("web", "Running");
    create_snapshot("cold", "web", false);
    wait_snapshot("cold", "Ready");
    create_snapshot("warm", "web", true);
    CHECK(!snapshot_is("warm", "Ready"));
    for (int taken = 0; taken < 2; taken++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            auto_free char *is = completed(rows[i].kind, rows[i].spec);
            auto_json json_t *a = json_loads(is, 0, NULL), *b = json_loads(rows[i].completed, 0, NULL);
            if (!json_equal(a, b))
                check_fail(CHECK_HERE, "%s: is %s, should be %s", rows[i].spec, is, rows[i].completed);
        }
        wait_snapshot("warm", "Ready");
    }
    end();
}

TEST(the_disk_alone_is_taken_of_an_instance_that_does_not_run)
{
    run_web(7);
    set_spec("web", "spec.powerState", "Stopped");
    wait_for("web", "Stopped");
    create_snapshot("cold", "web", false);
    wait_snapshot("cold", "Ready");
    create_instance("one", json_pack("{s:s,s:i}", "snapshot", "cold", "cpus", 2));
    wait_for("one", "Running");
    auto_free char *reason = forked_reason("one");
    CHECK_STR(reason, "DiskOnly");
    end();
}

TEST(the_disk_alone_of_a_running_instance_needs_no_agent)
{
    begin(8);
    create_image();
    create_instance("web", json_pack("{s:s,s:b}", "image", "debian", "guestAgent", 0));
    wait_for("web", "Running");
    create_snapshot("cold", "web", false);
    wait_snapshot("cold", "Ready");
    wait_for("web", "Running");
    create_snapshot("warm", "web", true);
    loop_sim_advance(site.loop, 5000);
    auto_free char *reason = reason_of("warm");
    CHECK_STR(reason, "NoGuestAgent");
    delete_snapshot("warm");
    wait_snapshot("warm", NULL);
    end();
}

/* Asked for with memory; ready as soon as "web" runs. */
static void check_memory_waits(const char *reason)
{
    create_snapshot("warm", "web", true);
    loop_sim_advance(site.loop, 5000);
    auto_free char *shown = reason_of("warm");
    CHECK_STR(shown, reason);
    set_spec("web", "spec.powerState", "Running");
    wait_snapshot("warm", "Ready");
}

TEST(memory_waits_for_an_instance_that_runs)
{
    begin(9);
    create_image();
    create_instance("web", json_pack("{s:s,s:s}", "image", "debian", "powerState", "Stopped"));
    wait_for("web", "Stopped");
    check_memory_waits("NotRunning");
    end();
}

TEST(memory_waits_for_an_instance_that_is_paused)
{
    run_web(14);
    set_spec("web", "spec.powerState", "Paused");
    wait_for("web", "Paused");
    check_memory_waits("Paused");
    end();
}

/* The program that waits for the forks' identity ends with a Linux error number. */
static json_t *no_such_device(void *arg, const char *uid, const char *command, const json_t *arguments,
                              struct err *err)
{
    if (str_equal(command, "guest-exec"))
        return json_pack("{s:i}", "pid", 7);
    if (str_equal(command, "guest-exec-status"))
        return json_pack("{s:b,s:i}", "exited", 1, "exitcode", ENODEV);
    return json_object();
}

TEST(an_instance_whose_forks_could_be_told_nothing_is_not_frozen)
{
    run_web(15);
    auto_free char *uid = uid_of("web");
    compute_fake_set_agent(site.world, no_such_device, NULL);
    create_snapshot("warm", "web", true);
    wait_snapshot("warm", "Failed");
    auto_json json_t *object = snapshot("warm");
    const char *message = json_text_at(condition_get(object, "Ready"), "message", "");
    CHECK_CONTAINS(message, "its memory can be taken once it was restarted");
    CHECK_EQ(compute_fake_frozen_count(site.world), 0);
    CHECK(compute_fake_links_up(site.world, uid));
    wait_for("web", "Running");
    end();
}

TEST(a_fork_that_does_not_take_its_identity_boots)
{
    run_web(16);
    create_snapshot("warm", "web", true);
    wait_snapshot("warm", "Ready");
    compute_fake_refuse_identity(site.world, "network cards: error 19");
    create_fork("one", "warm");
    wait_for_condition("one", "Ready", "True");
    auto_free char *reason = forked_reason("one");
    CHECK_STR(reason, "IdentityFailed");
    auto_free char *message = message_of("one", "Forked");
    CHECK_CONTAINS(message, "network cards: error 19");
    CHECK_EQ(events_of("one", "IdentityFailed"), 1);
    end();
}

/* --- turns --- */

enum { CROWD = 7 };

/* All in one turn of the loop. */
static void create_crowd(void)
{
    for (unsigned i = 0; i < CROWD; i++) {
        auto_free char *name = str_printf("crowd-%u", i);

        control_create(site.control, &kind_instance,
                       json_pack("{s:{s:s,s:s},s:{s:s}}", "metadata", "name", name, "namespace", "default", "spec",
                                 "snapshot", "warm"),
                       nobody);
    }
    loop_sim_advance(site.loop, 1);
}

static bool crowd_member_begins(unsigned index)
{
    auto_free char *name = str_printf("crowd-%u", index);
    auto_free char *uid = uid_of(name);
    const struct fake_machine *machine = fake_machine_find(site.world, uid);

    return machine && machine->links_down && machine->config->nic_count;
}

static unsigned count_crowd(const char *condition)
{
    unsigned count = 0;

    for (unsigned i = 0; i < CROWD; i++) {
        auto_free char *name = str_printf("crowd-%u", i);

        count += has_condition(name, condition, "True");
    }
    return count;
}

/* How many begin now; how many are forks in '*ret_done'. */
static unsigned look_at_crowd(unsigned *ret_done)
{
    unsigned begin = 0;

    for (unsigned i = 0; i < CROWD; i++)
        begin += crowd_member_begins(i);
    *ret_done = count_crowd("Forked");
    return begin;
}

TEST(forks_that_begin_at_once_take_turns)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned done = 0, most = 0;

    run_web(17);
    create_snapshot("warm", "web", true);
    wait_snapshot("warm", "Ready");
    create_crowd();
    for (int64_t waited_ms = 0; done < CROWD; waited_ms++) {
        unsigned begin = look_at_crowd(&done);

        CHECK(waited_ms < LIMIT_MS);
        CHECK(begin <= (unsigned)processors);
        most = begin > most ? begin : most;
        loop_sim_advance(site.loop, 1);
    }
    CHECK(most > 0);
    end();
}

TEST(keys_and_files_of_forks_come_when_the_last_of_them_has_had_time_to_serve)
{
    run_web(17);
    create_snapshot("warm", "web", true);
    wait_snapshot("warm", "Ready");
    create_crowd();
    for (int64_t waited_ms = 0; count_crowd("Forked") < CROWD; waited_ms++) {
        CHECK(waited_ms < LIMIT_MS);
        loop_sim_advance(site.loop, 1);
    }
    loop_sim_advance(site.loop, 900);
    CHECK_EQ(count_crowd("OwnIdentity"), 0);
    for (int64_t waited_ms = 0; count_crowd("OwnIdentity") < CROWD; waited_ms += 10) {
        CHECK(waited_ms < LIMIT_MS);
        loop_sim_advance(site.loop, 10);
    }
    end();
}

TEST(forks_and_instances_with_further_disks_have_no_memory_to_take)
{
    run_fork(10);
    create_snapshot("second", "one", true);
    wait_snapshot("second", "Failed");
    auto_free char *reason = reason_of("second");
    CHECK_STR(reason, "IsFork");
    create_snapshot("third", "one", false);
    wait_snapshot("third", "Ready");
    auto_free char *parent = of_snapshot("third", "status.parentUID");
    auto_json json_t *warm = snapshot("warm");
    CHECK_STR(parent, object_uid(warm));
    create_volume("data");
    edit("web", "spec.disks", json_pack("[{s:s,s:s}]", "name", "data", "volume", "data"));
    create_snapshot("fourth", "web", true);
    wait_snapshot("fourth", "Failed");
    auto_free char *other = reason_of("fourth");
    CHECK_STR(other, "FurtherDisks");
    end();
}

TEST(a_snapshot_stays_until_nobody_stands_on_it)
{
    run_fork(11);
    delete_snapshot("warm");
    loop_sim_advance(site.loop, 10 * 1000);
    CHECK(snapshot_is("warm", "Terminating"));
    auto_free char *message = of_snapshot("warm", "status.message");
    CHECK_CONTAINS(message, "instance \"one\"");
    delete_instance("one");
    wait_snapshot("warm", NULL);
    check_nothing_wrong();
    end();
}

TEST(a_snapshot_that_cannot_be_copied_fails_and_the_instance_goes_on)
{
    run_web(12);
    auto_free char *uid = uid_of("web");
    struct storage_fake_settings settings = storage_fake_settings(site.disks), full = settings;
    full.foreign_bytes = settings.capacity_bytes;
    storage_fake_set(site.disks, &full);
    create_snapshot("warm", "web", true);
    wait_snapshot("warm", "Failed");
    wait_for("web", "Running");
    CHECK(compute_fake_links_up(site.world, uid));
    CHECK_EQ(compute_fake_frozen_count(site.world), 0);
    CHECK_EQ(events_of("warm", "NotTaken"), 1);
    end();
}

TEST(two_snapshots_of_one_instance_are_taken_one_after_the_other)
{
    run_web(14);
    auto_free char *uid = uid_of("web");
    create_snapshot("first", "web", true);
    create_snapshot("second", "web", true);
    create_snapshot("third", "web", false);
    wait_snapshot("first", "Ready");
    wait_snapshot("second", "Ready");
    wait_snapshot("third", "Ready");
    CHECK_EQ(compute_fake_frozen_count(site.world), 2);
    loop_sim_advance(site.loop, 1000);
    CHECK(compute_fake_links_up(site.world, uid));
    CHECK(is_phase("web", "Running"));
    end();
}

static bool runs_with_links(const char *uid)
{
    struct machine_status status;

    site.setup.compute->ops->observe(site.setup.compute, uid, &status);
    return status.state == MACHINE_RUNNING && compute_fake_links_up(site.world, uid);
}

/* Whenever the daemon dies, the instance is found going on, and the snapshot whole. */
TEST(a_crash_at_any_moment_leaves_the_instance_running)
{
    for (int64_t moment_ms = 0; moment_ms < 120; moment_ms += 10) {
        run_web(100 + (uint64_t)moment_ms);
        auto_free char *uid = uid_of("web");
        create_snapshot("warm", "web", true);
        loop_sim_advance(site.loop, moment_ms);
        daemon_dies();
        daemon_starts();
        wait_snapshot("warm", "Ready");
        wait_for("web", "Running");
        loop_sim_advance(site.loop, 1000);
        CHECK(runs_with_links(uid));
        CHECK_EQ(compute_fake_frozen_count(site.world), 1);
        CHECK_EQ(compute_fake_launches(site.world, uid), 1);
        check_nothing_wrong();
        end();
    }
}

/* Whenever the host goes with all its machines: what was not taken yet is taken of those that start. */
TEST(a_reboot_before_all_is_taken_begins_anew)
{
    for (int64_t moment_ms = 0; moment_ms < 100; moment_ms += 10) {
        run_web(200 + (uint64_t)moment_ms);
        create_snapshot("warm", "web", true);
        loop_sim_advance(site.loop, moment_ms);
        CHECK(snapshot_is("warm", "Taking"));
        daemon_dies();
        compute_fake_host_reboots(site.world);
        network_fake_reboot(site.net);
        daemon_starts();
        wait_snapshot("warm", "Ready");
        wait_for("web", "Running");
        loop_sim_advance(site.loop, 1000);
        auto_json json_t *object = snapshot("warm");
        CHECK(condition_is_true(object, "MemoryReady"));
        CHECK_EQ(compute_fake_frozen_count(site.world), 1);
        end();
    }
}

/* And so when it is deleted in the middle, with crashes. */
TEST(a_snapshot_deleted_while_it_is_taken_leaves_nothing)
{
    for (int64_t moment_ms = 0; moment_ms < 120; moment_ms += 15) {
        run_web(300 + (uint64_t)moment_ms);
        auto_free char *uid = uid_of("web");
        create_snapshot("warm", "web", true);
        loop_sim_advance(site.loop, moment_ms);
        while (!snapshot_is("warm", NULL)) {
            auto_json json_t *object = snapshot("warm");
            if (object_is_deleting(object))
                break;
            delete_snapshot("warm");
        }
        if (moment_ms % 2) {
            daemon_dies();
            daemon_starts();
        }
        wait_snapshot("warm", NULL);
        wait_for("web", "Running");
        loop_sim_advance(site.loop, 1000);
        CHECK(runs_with_links(uid));
        CHECK_EQ(compute_fake_frozen_count(site.world), 0);
        delete_instance("web");
        check_nothing_left();
        end();
    }
}

TEST(forks_come_up_whatever_crashes)
{
    for (uint64_t seed = 500; seed < 504; seed++) {
        run_web(seed);
        site.crashes = true;
        create_snapshot("warm", "web", true);
        wait_snapshot("warm", "Ready");
        create_fork("one", "warm");
        wait_for("one", "Running");
        site.crashes = false;
        wait_for_condition("one", "OwnIdentity", "True");
        wait_for_condition("one", "Ready", "True");
        check_nothing_wrong();
        end();
    }
}

static void deletion_begun(const char *name)
{
    control_delete(site.control, &kind_instance, "default", name, nobody);
    loop_sim_advance(site.loop, 1);
}

TEST(an_instance_is_not_stopped_while_it_is_taken)
{
    for (int64_t moment_ms = 0; moment_ms < 100; moment_ms += 25) {
        run_web(700 + (uint64_t)moment_ms);
        create_snapshot("warm", "web", true);
        loop_sim_advance(site.loop, moment_ms);
        deletion_begun("web");
        wait_for("web", NULL);
        while (!snapshot_is("warm", "Ready") && !snapshot_is("warm", "Failed"))
            pass_time();
        delete_snapshot("warm");
        wait_snapshot("warm", NULL);
        check_nothing_left();
        end();
    }
}
