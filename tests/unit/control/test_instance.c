#include "check.h"
#include "base/json.h"
#include "base/random.h"
#include "base/str.h"
#include "control/control.h"
#include "drivers/compute/fake/fake.h"
#include "drivers/network/fake/fake.h"
#include "drivers/storage/fake/fake.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdlib.h>
#include <string.h>

enum { STEP_MS = 100, LIMIT_MS = 600 * 1000 };

/* A host whose machines, networks and disks outlive the daemon. */
static struct site {
    struct loop *loop;
    struct store *store;
    struct compute_fake_world *world;
    struct network_fake *net;
    struct storage_fake *disks;
    struct control_setup setup;
    struct control *control;
    struct random_seeded random;
    bool crashes;
} site;

static void machine_changed(void *arg, const char *uid)
{
    if (site.control)
        control_machine_changed(site.control, uid);
}
static void network_changed(void *arg, const char *uid)
{
    if (site.control)
        control_network_changed(site.control, uid);
}
static bool is_open(void *arg, const char *path) { return false; }

static void daemon_starts(void)
{
    struct compute_setup compute = { .loop = site.loop, .changed = machine_changed };
    struct network_setup network = { .loop = site.loop, .changed = network_changed };
    struct storage_setup storage = { .loop = site.loop, .image_dir = "/images" };
    struct err err;

    site.setup = (struct control_setup){
        .loop = site.loop,
        .store = site.store,
        .host_name = "node1",
        .state_dir = "/state",
        .compute = compute_fake_open(site.world, &compute),
        .network = network_fake_open(site.net, &network),
        .storage = storage_fake_open(site.disks, &storage),
        .host_cpus = 4,
        .host_memory_bytes = 8LL << 30,
    };
    site.control = control_new(&site.setup, &err);
    CHECK(site.control);
}

static void daemon_dies(void)
{
    control_free(site.control);
    site.control = NULL;
    site.setup.compute->ops->close(site.setup.compute);
    site.setup.network->ops->close(site.setup.network);
    site.setup.storage->ops->close(site.setup.storage);
}

static void begin(uint64_t seed)
{
    const struct compute_fake_options options = {
        .seed = seed, .delay_max_ms = 20, .guest_boot_ms = 500, .guest_shutdown_ms = 500
    };

    site = (struct site){ .loop = loop_sim_new(seed), .random = { seed } };
    site.store = store_memory_new(site.loop);
    site.world = compute_fake_world_new(site.loop, &options);
    site.net = network_fake_new();
    site.disks = storage_fake_new();
    storage_fake_watch_use(site.disks, is_open, NULL);
    daemon_starts();
}

static void end(void)
{
    daemon_dies();
    compute_fake_world_free(site.world);
    network_fake_free(site.net);
    storage_fake_free(site.disks);
    store_free(site.store);
    loop_free(site.loop);
}

static void ignore(void *arg, const struct err *err) {}
static const struct done nobody = { ignore, NULL };

static void pass_time(void)
{
    loop_sim_advance(site.loop, site.crashes ? (int64_t)random_below(&site.random, STEP_MS) : STEP_MS);
    if (site.crashes && random_below(&site.random, 3) == 0) {
        daemon_dies();
        daemon_starts();
    }
}

static void create_image(void)
{
    control_create(site.control, &kind_image,
                   json_pack("{s:{s:s},s:{s:{s:s}}}", "metadata", "name", "debian", "spec", "source",
                             "url", "http://example.com/debian.qcow2"),
                   nobody);
}

static void create_instance(const char *name, json_t *take_spec)
{
    control_create(site.control, &kind_instance,
                   json_pack("{s:{s:s,s:s},s:o}", "metadata", "name", name, "namespace", "default",
                             "spec", take_spec),
                   nobody);
    loop_sim_advance(site.loop, STEP_MS);
}

static json_t *simple_spec(void) { return json_pack("{s:s}", "image", "debian"); }

static json_t *instance(const char *name)
{
    return control_find(site.control, &kind_instance, "default", name);
}

static bool is_phase(const char *name, const char *phase)
{
    auto_json json_t *object = instance(name);

    return phase ? str_equal(json_text_at(object, "status.phase", NULL), phase) : !object;
}

/* NULL phase: until it is gone. */
static void wait_for(const char *name, const char *phase)
{
    for (int64_t waited_ms = 0; !is_phase(name, phase); waited_ms += STEP_MS) {
        auto_json json_t *object = instance(name);
        auto_free char *text = json_text(object ? json_object_get(object, "status") : json_null());
        if (waited_ms > LIMIT_MS)
            check_fail(CHECK_HERE, "%s is not %s: %s", name, phase ? phase : "gone", text);
        pass_time();
    }
}

/* As a client does: until the write is not in conflict with the controllers' own. */
static void set_spec(const char *name, const char *path, const char *text)
{
    for (unsigned tries = 0; tries < 1000; tries++) {
        auto_json json_t *object = instance(name);
        if (str_equal(json_text_at(object, path, NULL), text))
            return;
        json_set_at(object, path, json_string(text));
        control_update(site.control, &kind_instance, json_incref(object), nobody);
        loop_sim_advance(site.loop, 1);
    }
    check_fail(CHECK_HERE, "%s of %s cannot be set", path, name);
}

static bool is_deleting(const char *name)
{
    auto_json json_t *object = instance(name);

    return !object || object_is_deleting(object);
}

static void delete_instance(const char *name)
{
    while (!is_deleting(name)) {
        control_delete(site.control, &kind_instance, "default", name, nobody);
        loop_sim_advance(site.loop, 1);
    }
    wait_for(name, NULL);
}

static char *uid_of(const char *name)
{
    auto_json json_t *object = instance(name);

    return str_dup(object_uid(object));
}

static void check_nothing_wrong(void)
{
    CHECK_STR(network_fake_violation(site.net), NULL);
    CHECK_STR(storage_fake_violation(site.disks), NULL);
}

static void check_nothing_left(void)
{
    auto_free char *disks = storage_fake_describe(site.disks);

    loop_sim_advance(site.loop, 5000);
    check_nothing_wrong();
    CHECK_EQ(compute_fake_trace_count(site.world), 0);
    CHECK_EQ(network_fake_port_count(site.net), 0);
    CHECK_EQ(network_fake_fds_open(site.net), 0);
    CHECK(!strstr(disks, "volume "));
    CHECK(!strstr(disks, "seed "));
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
