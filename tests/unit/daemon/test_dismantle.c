/* Everything that outlives the daemon goes, whatever fails on the way. */
#include "daemon/dismantle.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "drivers/compute/fake/fake.h"
#include "drivers/network/fake/fake.h"

enum { PATIENCE_MS = 60 * 1000 };

struct scene {
    struct loop *loop;
    struct compute_fake_world *world;
    struct network_fake *kernel;
    struct compute *compute;
    struct network_driver *network;
    bool ended;
    struct err err; /* what the last call ended with */
};

static void ignore(void *arg, const char *uid) {}

static void note_end(void *arg, const struct err *err)
{
    struct scene *scene = arg;

    CHECK(!scene->ended);
    scene->ended = true;
    scene->err = err ? *err : (struct err){ 0 };
}

static struct done begin(struct scene *scene)
{
    scene->ended = false;
    return (struct done){ note_end, scene };
}

static void finish(struct scene *scene)
{
    for (int64_t waited = 0; !scene->ended && waited < PATIENCE_MS; waited++)
        loop_sim_advance(scene->loop, 1);
    CHECK(scene->ended);
}

static void start_machine(struct scene *scene, const char *uid)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = mem_new(struct machine_config);

    config->uid = str_dup(uid);
    config->name = str_dup(uid);
    config->cpus = 1;
    config->memory_bytes = 64 << 20;
    scene->compute->ops->start(scene->compute, config, NULL, begin(scene));
    finish(scene);
    CHECK_OK(scene->err.code ? -1 : 0, &scene->err);
}

static void make_network(struct scene *scene, const char *uid)
{
    auto_clean(network_config_free_auto) struct network_config *config = mem_new(struct network_config);
    struct err err;

    config->uid = str_dup(uid);
    config->name = str_dup(uid);
    config->domain = str_dup("lan.internal");
    config->ipv4.length = 24;
    CHECK_OK(ip_parse("10.77.0.0", &config->ipv4.addr, &err), &err);
    CHECK_OK(ip_parse("10.77.0.1", &config->ipv4_gateway, &err), &err);
    scene->network->ops->network_ensure(scene->network, config, begin(scene));
    finish(scene);
    CHECK_OK(scene->err.code ? -1 : 0, &scene->err);
}

/* Two machines, two networks. */
static void scene_open(struct scene *scene)
{
    static const struct compute_fake_options options = { .seed = 3, .delay_min_ms = 1, .delay_max_ms = 9 };

    *scene = (struct scene){ .loop = loop_sim_new(3), .kernel = network_fake_new() };
    scene->world = compute_fake_world_new(scene->loop, &options);
    scene->compute = compute_fake_open(
        scene->world, &(struct compute_setup){ .loop = scene->loop, .changed = ignore });
    scene->network = network_fake_open(
        scene->kernel, &(struct network_setup){ .loop = scene->loop, .changed = ignore });
    start_machine(scene, "machine-a");
    start_machine(scene, "machine-b");
    make_network(scene, "network-a");
    make_network(scene, "network-b");
}

static void scene_close(struct scene *scene)
{
    scene->compute->ops->close(scene->compute);
    scene->network->ops->close(scene->network);
    compute_fake_world_free(scene->world);
    network_fake_free(scene->kernel);
    loop_free(scene->loop);
}

TEST(dismantling_leaves_no_machine_and_no_network)
{
    struct scene scene;

    scene_open(&scene);
    CHECK_EQ(compute_fake_process_count(scene.world), 2);
    CHECK_EQ(network_fake_network_count(scene.kernel), 2);
    dismantle(scene.compute, scene.network, NULL, begin(&scene));
    finish(&scene);
    CHECK_OK(scene.err.code ? -1 : 0, &scene.err);
    CHECK_EQ(compute_fake_process_count(scene.world), 0);
    CHECK_EQ(compute_fake_trace_count(scene.world), 0);
    CHECK_EQ(network_fake_network_count(scene.kernel), 0);
    /* Where nothing is, it succeeds too. */
    dismantle(scene.compute, scene.network, NULL, begin(&scene));
    finish(&scene);
    CHECK_OK(scene.err.code ? -1 : 0, &scene.err);
    scene_close(&scene);
}

TEST(a_failure_is_reported_and_stops_nothing_else)
{
    struct scene scene;

    scene_open(&scene);
    network_fake_fail_next(scene.kernel, "network_remove", ERR_IO);
    dismantle(scene.compute, scene.network, NULL, begin(&scene));
    finish(&scene);
    CHECK_EQ(scene.err.code, ERR_IO);
    CHECK_CONTAINS(scene.err.text, "network network-");
    CHECK_EQ(compute_fake_trace_count(scene.world), 0);
    CHECK_EQ(network_fake_network_count(scene.kernel), 1);
    scene_close(&scene);
}

TEST(machines_that_cannot_be_ended_do_not_keep_networks)
{
    struct scene scene;

    scene_open(&scene);
    compute_fake_set_failures(scene.world, 1000, 0);
    dismantle(scene.compute, scene.network, NULL, begin(&scene));
    finish(&scene);
    CHECK_EQ(scene.err.code, ERR_UNAVAILABLE);
    CHECK_CONTAINS(scene.err.text, "machine machine-");
    CHECK_EQ(compute_fake_trace_count(scene.world), 2);
    CHECK_EQ(network_fake_network_count(scene.kernel), 0);
    scene_close(&scene);
}
