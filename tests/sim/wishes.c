/* tests/sim/wishes.c - what users ask for: at random, valid in form, and often in each other's way,
 * since there are few names. */
#include "sim.h"
#include "base/quantity.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { INSTANCES = 5, VOLUMES = 4, IMAGES = 5, NETWORKS = 3, SNAPSHOTS = 2 };
#define NAMESPACE "default"

static json_t *named(const char *prefix, uint64_t nth, json_t *take_spec)
{
    auto_free char *name = str_printf("%s%d", prefix, (int)nth);

    return json_pack("{s:{s:s},s:o}", "metadata", "name", name, "spec", take_spec);
}

/* A random one that is there and is not being deleted, or NULL. */
static struct thing *any_of(struct sim *sim, const struct kind *kind)
{
    struct thing *found = NULL;
    uint64_t seen = 0;
    void *each;

    for (size_t at = 0; map_next(sim->by_key, &at, NULL, &each);) {
        struct thing *thing = each;
        if (thing->kind == kind && !thing_is_deleting(thing) && sim_draw(sim, ++seen) == 0)
            found = thing;
    }
    return found;
}

static const char *name_of(const struct thing *thing) { return object_name(thing->object); }

static void patch(struct sim *sim, const struct thing *thing, const char *path, json_t *take_value)
{
    json_t *body = json_object();

    json_set_at(body, path, take_value);
    ask_patch(sim, thing->kind, thing->kind->flags & KIND_NAMESPACED ? NAMESPACE : NULL, name_of(thing),
              body);
}

static void patch_text(struct sim *sim, const struct kind *kind, const char *path, const char *text)
{
    const struct thing *thing = any_of(sim, kind);

    if (thing)
        patch(sim, thing, path, json_string(text));
}

#define PICK(sim, ...)                                                                             \
    (TEXTS(__VA_ARGS__)[sim_draw(sim, sizeof(TEXTS(__VA_ARGS__)) / sizeof(char *) - 1)])

static void patch_now(struct sim *sim, const char *path)
{
    char now[TIME_TEXT_SIZE];

    time_format(loop_wall_ms(sim->loop), now, sizeof now);
    patch_text(sim, &kind_instance, path, now);
}

/* --- parts of an instance --- */

static json_t *some_disks(struct sim *sim)
{
    json_t *disks = json_array();

    for (int i = 0; i < VOLUMES; i++) {
        auto_free char *volume = str_printf("v%d", i);
        auto_free char *name = str_printf("d%d", i);
        /* A stranger may have the volume open; there QEMU's lock on the file is what helps. */
        if (!sim->plan.restores && sim_chance(sim, 3) && thing_named(sim, &kind_volume, NAMESPACE, volume))
            json_array_append_new(disks, json_pack("{s:s,s:s,s:b}", "name", name, "volume", volume,
                                                   "readOnly", sim_chance(sim, 4)));
    }
    return disks;
}

static void fix_address(struct sim *sim, json_t *card)
{
    const char *network = json_text_at(card, "network", "");

    if (str_equal(network, "default") && sim_chance(sim, 3))
        json_object_set_new(card, "ipv4Address", json_printf("10.77.0.%d", 2 + (int)sim_draw(sim, 5)));
    if (sim_chance(sim, 5))
        json_object_set_new(card, "macAddress", json_printf("52:54:00:aa:00:%02x", (int)sim_draw(sim, 4)));
}

static json_t *some_networks(struct sim *sim)
{
    json_t *cards = json_array();

    for (int i = -1; i < NETWORKS; i++) {
        auto_free char *network = i < 0 ? str_dup("default") : str_printf("n%d", i);
        auto_free char *name = str_printf("eth%d", i + 1);
        if (sim_chance(sim, i < 0 ? 0 : 2) || !thing_named(sim, &kind_network, NAMESPACE, network))
            continue;
        json_t *card = json_pack("{s:s,s:s}", "name", name, "network", network);
        fix_address(sim, card);
        json_array_append_new(cards, card);
    }
    return cards;
}

static const char *some_memory(struct sim *sim) { return PICK(sim, "256Mi", "512Mi", "2Gi", "5Gi"); }

static void dress(struct sim *sim, json_t *spec)
{
    if (sim_chance(sim, 2))
        json_set_at(spec, "memory", json_string(some_memory(sim)));
    if (sim_chance(sim, 3))
        json_set_at(spec, "cpus", json_integer(1 + (json_int_t)sim_draw(sim, 6)));
    if (sim_chance(sim, 2))
        json_set_at(spec, "maxCPUs", json_integer(6));
    if (sim_chance(sim, 2))
        json_set_at(spec, "maxMemory", json_string("5Gi"));
    if (sim_chance(sim, 5))
        json_set_at(spec, "powerState", json_string(PICK(sim, "Stopped", "Paused")));
    if (sim_chance(sim, 2))
        json_set_at(spec, "restartPolicy", json_string(PICK(sim, "Always", "Never", "OnFailure")));
    if (sim_chance(sim, 2))
        json_set_at(spec, "stopTimeout", json_string(PICK(sim, "0s", "1s", "10s")));
    if (sim_chance(sim, 4))
        json_set_at(spec, "rootDisk.deletePolicy", json_string("Retain"));
    if (sim_chance(sim, 3))
        json_set_at(spec, "disks", some_disks(sim));
    if (sim_chance(sim, 2))
        json_set_at(spec, "networks", some_networks(sim));
    if (sim_chance(sim, 8))
        json_set_at(spec, "userDataSecret", json_pack("{s:s}", "name", "s0"));
    if (sim_chance(sim, 6))
        json_set_at(spec, "cdrom.image", json_string("m3"));
}

static void create_instance(struct sim *sim)
{
    json_t *spec = json_object();

    const struct thing *snapshot = sim_chance(sim, 3) ? any_of(sim, &kind_snapshot) : NULL;

    if (snapshot)
        json_set_at(spec, "snapshot", json_string(name_of(snapshot)));
    else if (sim_chance(sim, 5))
        json_set_at(spec, "rootDisk.size", json_string("1Gi"));
    else
        json_set_at(spec, "image", json_printf("m%d", (int)sim_draw(sim, 3)));
    if (!snapshot || sim_chance(sim, 3))
        dress(sim, spec);
    ask_create(sim, &kind_instance, NAMESPACE, named("i", sim_draw(sim, INSTANCES), spec));
}

static void power(struct sim *sim)
{
    patch_text(sim, &kind_instance, "spec.powerState", PICK(sim, "Running", "Stopped", "Running", "Paused"));
}
static void restart(struct sim *sim) { patch_now(sim, "spec.restartAt"); }
static void reset(struct sim *sim) { patch_now(sim, "spec.resetAt"); }
static void policy(struct sim *sim)
{
    patch_text(sim, &kind_instance, "spec.restartPolicy", PICK(sim, "Always", "Never", "OnFailure"));
}
static void stop_timeout(struct sim *sim)
{
    patch_text(sim, &kind_instance, "spec.stopTimeout", PICK(sim, "0s", "2s", "20s"));
}
static void resize_instance(struct sim *sim)
{
    const struct thing *thing = any_of(sim, &kind_instance);

    if (thing && sim_chance(sim, 3))
        patch(sim, thing, "spec.cpus", json_integer(1 + (json_int_t)sim_draw(sim, 6)));
    else if (sim_chance(sim, 2))
        patch_text(sim, &kind_instance, "spec.memory", some_memory(sim));
    else
        patch_text(sim, &kind_instance, "spec.rootDisk.size", PICK(sim, "1Gi", "2Gi", "3Gi"));
}

static void change_disks(struct sim *sim)
{
    const struct thing *thing = any_of(sim, &kind_instance);

    if (thing)
        patch(sim, thing, "spec.disks", some_disks(sim));
}

static void change_networks(struct sim *sim)
{
    const struct thing *thing = any_of(sim, &kind_instance);

    if (thing)
        patch(sim, thing, "spec.networks", some_networks(sim));
}

static void change_cdrom(struct sim *sim)
{
    const struct thing *thing = any_of(sim, &kind_instance);

    if (thing)
        patch(sim, thing, "spec.cdrom",
              sim_chance(sim, 2) ? json_null() : json_pack("{s:s}", "image", PICK(sim, "m3", "m4")));
}

static void delete_any(struct sim *sim, const struct kind *kind)
{
    const struct thing *thing = any_of(sim, kind);

    if (thing)
        ask_delete(sim, kind, kind->flags & KIND_NAMESPACED ? NAMESPACE : NULL, name_of(thing));
}
static void delete_instance(struct sim *sim) { delete_any(sim, &kind_instance); }

/* --- storage --- */

static void create_volume(struct sim *sim)
{
    json_t *spec = json_object();

    if (sim_chance(sim, 4))
        json_set_at(spec, "source.image", json_printf("m%d", (int)sim_draw(sim, 3)));
    else if (sim_chance(sim, 4))
        json_set_at(spec, "source.volume", json_printf("v%d", (int)sim_draw(sim, VOLUMES)));
    else
        json_set_at(spec, "size", json_string(PICK(sim, "1Gi", "2Gi")));
    if (sim_chance(sim, 5))
        json_set_at(spec, "pool", json_string("p1"));
    ask_create(sim, &kind_volume, NAMESPACE, named("v", sim_draw(sim, VOLUMES), spec));
}

static void grow_volume(struct sim *sim)
{
    patch_text(sim, &kind_volume, "spec.size", PICK(sim, "2Gi", "3Gi", "4Gi"));
}
static void delete_volume(struct sim *sim) { delete_any(sim, &kind_volume); }

static void create_pool(struct sim *sim)
{
    ask_create(sim, &kind_storage_pool, NULL,
               named("p", 1, json_pack("{s:s,s:{s:s}}", "type", "Directory", "directory", "path", "/pools/p1")));
}

static void delete_pool(struct sim *sim)
{
    if (thing_named(sim, &kind_storage_pool, "", "p1"))
        ask_delete(sim, &kind_storage_pool, NULL, "p1");
}

/* --- images: m0 to m2 are disks, m3 and m4 CD-ROMs --- */

static json_t *image_source(struct sim *sim, uint64_t nth)
{
    if (nth >= 3)
        return json_pack("{s:{s:s}}", "source", "url", "http://example.com/cd.iso");
    if (nth == 0 || sim_chance(sim, 2))
        return json_pack("{s:{s:s}}", "source", "url", "http://example.com/disk.qcow2");
    if (sim_chance(sim, 2))
        return json_pack("{s:{s:b}}", "source", "upload", 1);
    return json_pack("{s:{s:s}}", "source", "url",
                     PICK(sim, "http://example.com/missing", "http://example.com/corrupt",
                          "http://example.com/bundle.tar"));
}

static void create_image(struct sim *sim)
{
    uint64_t nth = sim_draw(sim, IMAGES);

    ask_create(sim, &kind_image, NULL, named("m", nth, image_source(sim, nth)));
}

static void upload_image(struct sim *sim)
{
    const struct thing *thing = any_of(sim, &kind_image);
    int64_t offset;
    struct err err;
    int fd;

    if (!thing || !str_equal(thing_text(thing, "status.phase"), "Uploading") || !sim->is_up)
        return;
    sim_trace(sim, "wish: upload the content of %s", thing->key);
    if (sim->storage->ops->image_upload(sim->storage, thing->uid, &fd, &offset, &err) < 0)
        return;
    if (write(fd, sim_chance(sim, 8) ? "corrupt" : "content", 7) == 7)
        control_image_uploaded(sim->control, name_of(thing));
    close(fd);
}
static void delete_image(struct sim *sim) { delete_any(sim, &kind_image); }

/* --- networks: n0 has room for one, n1 is IPv4, n2 IPv6 alone --- */

static void create_network(struct sim *sim)
{
    uint64_t nth = sim_draw(sim, NETWORKS);
    json_t *spec = json_object();

    if (nth < 2)
        json_set_at(spec, "ipv4.subnet", json_string(nth == 0 ? "10.80.0.0/30" : "10.81.0.0/24"));
    else
        json_set_at(spec, "ipv6.subnet", json_string("fd00:2::/64"));
    json_set_at(spec, "nat", json_boolean(sim_chance(sim, 2)));
    ask_create(sim, &kind_network, NAMESPACE, named("n", nth, spec));
}

static void change_network(struct sim *sim)
{
    const struct thing *thing = any_of(sim, &kind_network);

    if (thing)
        patch(sim, thing, "spec.nat", json_boolean(sim_chance(sim, 2)));
}
static void delete_network(struct sim *sim) { delete_any(sim, &kind_network); }

/* --- snapshots. An older store that is put back knows nothing of them: they would be strangers. --- */

static void create_snapshot(struct sim *sim)
{
    const struct thing *thing = any_of(sim, &kind_instance);

    if (thing && !sim->plan.restores)
        ask_create(sim, &kind_snapshot, NAMESPACE,
                   named("w", sim_draw(sim, SNAPSHOTS),
                         json_pack("{s:s,s:b}", "instanceName", name_of(thing), "memory", !sim_chance(sim, 4))));
}

static void delete_snapshot(struct sim *sim) { delete_any(sim, &kind_snapshot); }

/* --- the rest --- */

static void create_secret(struct sim *sim)
{
    ask_create(sim, &kind_secret, NAMESPACE,
               json_pack("{s:{s:s},s:{s:s}}", "metadata", "name", "s0", "data", "userData",
                         "I2Nsb3VkLWNvbmZpZwo="));
}

static void change_host(struct sim *sim)
{
    const struct thing *thing = any_of(sim, &kind_host);

    if (thing)
        patch(sim, thing, "spec.unschedulable", json_boolean(sim_chance(sim, 4)));
}

static const struct {
    unsigned weight;
    void (*make)(struct sim *sim);
} wishes[] = {
    { 16, create_instance }, { 12, power },          { 4, restart },         { 3, reset },
    { 3, policy },           { 2, stop_timeout },    { 5, resize_instance }, { 6, change_disks },
    { 5, change_networks },  { 4, change_cdrom },    { 7, delete_instance }, { 6, create_volume },
    { 4, grow_volume },      { 3, delete_volume },   { 2, create_pool },     { 1, delete_pool },
    { 4, create_image },     { 3, upload_image },    { 2, delete_image },    { 4, create_network },
    { 2, change_network },   { 2, delete_network },  { 6, create_snapshot }, { 2, delete_snapshot }, { 1, create_secret },   { 1, change_host },
};
enum { WISH_COUNT = sizeof wishes / sizeof wishes[0] };

static void make_any(struct sim *sim)
{
    uint64_t sum = 0, at;
    size_t i = 0;

    for (size_t j = 0; j < WISH_COUNT; j++)
        sum += wishes[j].weight;
    for (at = sim_draw(sim, sum); at >= wishes[i].weight; i++)
        at -= wishes[i].weight;
    wishes[i].make(sim);
}

static void wish(void *arg)
{
    struct sim *sim = arg;

    if (sim->is_calm)
        return;
    loop_timer_again(sim->wish_timer, 1 + (int64_t)sim_draw(sim, (uint64_t)sim->plan.wish_gap_ms));
    sim->wishes_made++;
    make_any(sim);
}

/* Something to start from, soon after the daemon's own defaults. */
static void first_wishes(void *arg)
{
    struct sim *sim = arg;

    loop_source_free(take_pointer(sim->wish_timer));
    ask_create(sim, &kind_image, NULL, named("m", 0, image_source(sim, 0)));
    ask_create(sim, &kind_image, NULL, named("m", 3, image_source(sim, 3)));
    create_network(sim);
    sim->wish_timer = loop_timer(sim->loop, sim->plan.wish_gap_ms, wish, sim);
}

void wishes_begin(struct sim *sim)
{
    sim->wish_timer = loop_timer(sim->loop, 10, first_wishes, sim);
}
