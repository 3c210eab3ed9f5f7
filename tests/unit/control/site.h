/* tests/unit/control/site.h - a host in miniature for tests of controllers: a store in memory, the
 * fakes of all drivers, a simulated clock, and what a client would do. */
#pragma once
#include "check.h"
#include "base/json.h"
#include "base/random.h"
#include "base/str.h"
#include "base/worker.h"
#include "control/control.h"
#include "drivers/balancer/fake/fake.h"
#include "drivers/compute/fake/fake.h"
#include "drivers/network/fake/fake.h"
#include "drivers/storage/fake/fake.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wunused-function"

enum { STEP_MS = 100, LIMIT_MS = 600 * 1000 };

/* A host whose machines, networks, disks and proxies outlive the daemon. */
static struct site {
    struct loop *loop;
    struct store *store;
    struct compute_fake_world *world;
    struct network_fake *net;
    struct storage_fake *disks;
    struct balancer_fake *proxies;
    struct control_setup setup;
    struct control *control;
    struct random_seeded random;
    bool crashes;
    struct worker_pool *workers; /* NULL: what takes them is not done */
} site;
/* Set before begin() by tests of what is kept on disk. */
static const char *site_state_dir;

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
static void balancer_changed(void *arg, const char *uid)
{
    if (site.control)
        control_balancer_changed(site.control, uid);
}
static bool is_open(void *arg, const char *path) { return false; }

static void disk_grown(void *arg, const char *path, int64_t size_bytes)
{
    storage_fake_grown(site.disks, path, size_bytes);
}

static void daemon_starts(void)
{
    struct compute_setup compute = { .loop = site.loop, .changed = machine_changed };
    struct network_setup network = { .loop = site.loop, .changed = network_changed };
    struct storage_setup storage = { .loop = site.loop, .image_dir = "/images" };
    struct balancer_setup balancer = { .loop = site.loop, .changed = balancer_changed };
    struct err err;

    site.setup = (struct control_setup){
        .loop = site.loop,
        .store = site.store,
        .host_name = "node1",
        .state_dir = site_state_dir ? site_state_dir : "/state",
        .workers = site.workers,
        .compute = compute_fake_open(site.world, &compute),
        .network = network_fake_open(site.net, &network),
        .storage = storage_fake_open(site.disks, &storage),
        .balancer = balancer_fake_open(site.proxies, &balancer),
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
    site.setup.balancer->ops->close(site.setup.balancer);
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
    site.proxies = balancer_fake_new();
    storage_fake_watch_use(site.disks, is_open, NULL);
    compute_fake_watch_resize(site.world, disk_grown, NULL);
    if (site_state_dir)
        site.workers = worker_pool_new(site.loop, 1);
    daemon_starts();
}

static void end(void)
{
    daemon_dies();
    worker_pool_free(site.workers);
    compute_fake_world_free(site.world);
    network_fake_free(site.net);
    storage_fake_free(site.disks);
    balancer_fake_free(site.proxies);
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
    CHECK_EQ(compute_fake_log_count(site.world), 0);
    CHECK_EQ(network_fake_port_count(site.net), 0);
    CHECK_EQ(network_fake_fds_open(site.net), 0);
    CHECK(!strstr(disks, "volume "));
    CHECK(!strstr(disks, "seed "));
}

/* --- what a client does beside --- */

/* Until the write is not in conflict with the controllers' own. NULL removes. */
static void edit(const char *name, const char *path, json_t *take_value)
{
    auto_json json_t *value = take_value;

    for (unsigned tries = 0; tries < 1000; tries++) {
        auto_json json_t *object = instance(name);
        if (value ? json_equal(json_at(object, path), value) : !json_at(object, path))
            return;
        if (value)
            json_set_at(object, path, json_deep_copy(value));
        else
            json_remove_at(object, path);
        control_update(site.control, &kind_instance, json_incref(object), nobody);
        loop_sim_advance(site.loop, 1);
    }
    check_fail(CHECK_HERE, "%s of %s cannot be set", path, name);
}

static void create_volume(const char *name)
{
    control_create(site.control, &kind_volume,
                   json_pack("{s:{s:s,s:s},s:{s:s}}", "metadata", "name", name, "namespace", "default",
                             "spec", "size", "1Gi"),
                   nobody);
    loop_sim_advance(site.loop, STEP_MS);
}

static void create_network(const char *name, const char *subnet)
{
    control_create(site.control, &kind_network,
                   json_pack("{s:{s:s,s:s},s:{s:{s:s}}}", "metadata", "name", name, "namespace",
                             "default", "spec", "ipv4", "subnet", subnet),
                   nobody);
    loop_sim_advance(site.loop, STEP_MS);
}

static json_t *volume(const char *name)
{
    return control_find(site.control, &kind_volume, "default", name);
}

/* --- what is seen --- */

static bool has_condition(const char *name, const char *type, const char *status)
{
    auto_json json_t *object = instance(name);

    return str_equal(json_text_at(condition_get(object, type), "status", NULL), status);
}

static void wait_for_condition(const char *name, const char *type, const char *status)
{
    for (int64_t waited_ms = 0; !has_condition(name, type, status); waited_ms += STEP_MS) {
        auto_json json_t *object = instance(name);
        auto_free char *text = json_text(object ? json_object_get(object, "status") : json_null());
        if (waited_ms > LIMIT_MS)
            check_fail(CHECK_HERE, "%s is not %s: %s", type, status, text);
        pass_time();
    }
}

/* Of the machine's devices, as the driver has them: "root seed data | eth0". */
static char *devices_of(const char *name)
{
    auto_free char *uid = uid_of(name);
    const struct machine_config *config = compute_fake_config(site.world, uid);
    struct buf text = { 0 };

    for (unsigned i = 0; config && i < config->disk_count; i++)
        buf_printf(&text, "%s ", config->disks[i].name);
    buf_add_char(&text, '|');
    for (unsigned i = 0; config && i < config->nic_count; i++)
        buf_printf(&text, " %s", config->nics[i].name);
    return buf_take(&text);
}

static char *message_of(const char *name, const char *condition)
{
    auto_json json_t *object = instance(name);

    return str_dup(json_text_at(condition_get(object, condition), "message", ""));
}

/* How often the object's events of this reason were recorded. */
struct counted_events {
    const char *name, *reason;
    int64_t count;
};
static void count_event(void *arg, const json_t *event)
{
    struct counted_events *counted = arg;

    if (str_equal(json_text_at(event, "involvedObject.name", NULL), counted->name) &&
        str_equal(json_text_at(event, "reason", NULL), counted->reason))
        counted->count += json_int_at(event, "count", 1);
}
static int64_t events_of(const char *name, const char *reason)
{
    struct counted_events counted = { name, reason, 0 };

    control_each(site.control, &kind_event, "default", count_event, &counted);
    return counted.count;
}

/* Of the first instance with this name; the caller frees it. */
static char *text_of(const char *name, const char *path)
{
    auto_json json_t *object = instance(name);

    return str_dup(json_text_at(object, path, ""));
}
