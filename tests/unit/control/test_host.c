/* The Host object: what is wrong with this machine shows there. */
#include "check.h"
#include "base/json.h"
#include "base/str.h"
#include "control/control.h"
#include "drivers/compute/fake/fake.h"
#include "drivers/network/fake/fake.h"
#include "drivers/storage/fake/fake.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

enum { LOOK_MS = 10 * 1000 };

static struct site {
    struct loop *loop;
    struct store *store;
    struct store_ops ops; /* the store's, but for its backups */
    struct compute_fake_world *world;
    struct network_fake *net;
    struct storage_fake *disks;
    struct control_setup setup;
    struct control *control;
} site;
static bool backup_fails;

static int backup(struct store *store, int64_t *ret_wall_ms, struct err *err)
{
    *ret_wall_ms = 1000;
    return backup_fails ? err_set(err, ERR_NO_SPACE, "virga.db.backup.new: disk is full") : 0;
}

static void ignore_change(void *arg, const char *uid) {}
static bool is_open(void *arg, const char *path) { return false; }

static void begin(void)
{
    const struct compute_fake_options options = { .seed = 1 };
    struct err err;

    site = (struct site){ .loop = loop_sim_new(1) };
    site.store = store_memory_new(site.loop);
    site.ops = *site.store->ops;
    site.ops.backup = backup;
    site.store->ops = &site.ops;
    backup_fails = false;
    site.world = compute_fake_world_new(site.loop, &options);
    site.net = network_fake_new();
    site.disks = storage_fake_new();
    storage_fake_watch_use(site.disks, is_open, NULL);
    site.setup = (struct control_setup){
        .loop = site.loop,
        .store = site.store,
        .host_name = "node1",
        .state_dir = "/state",
        .compute = compute_fake_open(
            site.world, &(struct compute_setup){ .loop = site.loop, .changed = ignore_change }),
        .network = network_fake_open(
            site.net, &(struct network_setup){ .loop = site.loop, .changed = ignore_change }),
        .storage = storage_fake_open(
            site.disks, &(struct storage_setup){ .loop = site.loop, .image_dir = "/images" }),
        .host_cpus = 4,
        .host_memory_bytes = 8LL << 30,
    };
    site.control = control_new(&site.setup, &err);
    CHECK(site.control);
    loop_sim_advance(site.loop, LOOK_MS);
}

static void end(void)
{
    control_free(site.control);
    site.setup.compute->ops->close(site.setup.compute);
    site.setup.network->ops->close(site.setup.network);
    site.setup.storage->ops->close(site.setup.storage);
    compute_fake_world_free(site.world);
    network_fake_free(site.net);
    storage_fake_free(site.disks);
    store_free(site.store);
    loop_free(site.loop);
}

static json_t *host(void)
{
    struct record *record = site.store->ops->get(site.store, "/virga.dev/hosts//node1");
    json_t *object = record ? object_decode(record) : NULL;

    record_unref(record);
    return object;
}

static void check_condition(const char *type, const char *status, const char *part)
{
    auto_json json_t *object = host();
    const json_t *condition = condition_get(object, type);

    CHECK_STR(json_text_at(condition, "status", NULL), status);
    CHECK_CONTAINS(json_text_at(condition, "message", ""), part);
}

static size_t count_events(const char *reason)
{
    size_t count, found = 0;
    struct record **records = site.store->ops->list(site.store, "/core/events/", NULL, 0, &count, NULL);

    for (size_t i = 0; i < count; i++) {
        auto_json json_t *event = object_decode(records[i]);
        found += str_equal(json_text_at(event, "reason", NULL), reason) &&
                 str_equal(json_text_at(event, "involvedObject.name", NULL), "node1");
    }
    record_list_free(records, count);
    return found;
}

TEST(a_backup_that_fails_shows_in_a_condition_and_one_event_and_so_does_its_mending)
{
    begin();
    check_condition("StoreBackedUp", "True", "1970-01-01T00:00:01Z");
    CHECK_EQ(count_events("BackupFailed"), 0);

    backup_fails = true;
    loop_sim_advance(site.loop, 5 * LOOK_MS);
    check_condition("StoreBackedUp", "False", "disk is full");
    check_condition("StoreHealthy", "True", "");
    CHECK_EQ(count_events("BackupFailed"), 1);
    CHECK_EQ(count_events("BackedUp"), 0);

    backup_fails = false;
    loop_sim_advance(site.loop, 2 * LOOK_MS);
    check_condition("StoreBackedUp", "True", "");
    CHECK_EQ(count_events("BackupFailed"), 1);
    CHECK_EQ(count_events("BackedUp"), 1);
    end();
}
