/* tests/contract/compute/rig_fake.c - the contract suite on the fake. */
#include "drivers/compute/fake/fake.h"
#include "base/mem.h"
#include "base/str.h"
#include "rig.h"
#include <stdio.h>

static const struct compute_fake_options options = {
    .seed = 7,
    .delay_min_ms = 1,
    .delay_max_ms = 20,
    .guest_boot_ms = 500,
    .guest_shutdown_ms = 300,
};

void rig_open(struct rig *rig)
{
    struct compute_fake_world *world;

    *rig = (struct rig){ .loop = loop_sim_new(7), .guest_obeys = true };
    world = compute_fake_world_new(rig->loop, &options);
    rig->own = world;
    rig->setup = (struct compute_setup){ .loop = rig->loop, .changed = rig_changed, .arg = rig };
    rig->compute = compute_fake_open(world, &rig->setup);
}

void rig_close(struct rig *rig)
{
    rig->compute->ops->close(rig->compute);
    compute_fake_world_free(rig->own);
    loop_free(rig->loop);
}

void rig_reopen(struct rig *rig)
{
    rig->compute->ops->close(rig->compute);
    rig->compute = compute_fake_open(rig->own, &rig->setup);
}

struct machine_config *rig_config(struct rig *rig, const char *uid)
{
    struct machine_config *config = mem_new(struct machine_config);

    config->uid = str_dup(uid);
    config->name = str_printf("default/%.4s", uid);
    config->cpus = 1;
    config->memory_bytes = 64 << 20;
    config->guest_agent = true;
    config->vnc = true;
    return config;
}

void rig_break_start(struct rig *rig, struct machine_config *config)
{
    compute_fake_set_failures(rig->own, 0, 1000);
}

void rig_end_process(struct rig *rig, const char *uid) { compute_fake_process_dies(rig->own, uid); }

void rig_blank_disk(struct rig *rig, const char *name, struct machine_disk *ret_disk)
{
    *ret_disk = (struct machine_disk){ 0 };
    snprintf(ret_disk->name, sizeof ret_disk->name, "%s", name);
    ret_disk->source.file_count = 1;
    ret_disk->source.files[0].path = str_printf("/disks/%s", name);
    ret_disk->source.files[0].format = str_dup("raw");
}
