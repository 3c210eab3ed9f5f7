/* tests/fake_guest.h - one running machine of the fake driver, whose guest agent a test plays. */
#pragma once
#include "base/mem.h"
#include "base/str.h"
#include "drivers/compute/fake/fake.h"

#define FAKE_GUEST_UID "77777777-7777-4777-8777-777777777777"

struct fake_guest {
    struct loop *loop; /* simulated */
    struct compute_fake_world *world;
    struct compute *compute;
};

static inline void fake_guest_changed(void *arg, const char *uid) {}

static inline struct fake_guest fake_guest_begin(compute_fake_agent_fn *answer)
{
    static const struct compute_fake_options options = { .delay_min_ms = 5, .delay_max_ms = 5 };
    auto_clean(machine_config_free_auto) struct machine_config *config = mem_new(struct machine_config);
    struct fake_guest guest = { .loop = loop_sim_new(1) };
    struct compute_setup setup = { .loop = guest.loop, .changed = fake_guest_changed };

    guest.world = compute_fake_world_new(guest.loop, &options);
    guest.compute = compute_fake_open(guest.world, &setup);
    compute_fake_set_agent(guest.world, answer, NULL);
    config->uid = str_dup(FAKE_GUEST_UID);
    config->guest_agent = true;
    guest.compute->ops->start(guest.compute, config, NULL, (struct done){ 0 });
    loop_sim_advance(guest.loop, 1000);
    return guest;
}

static inline void fake_guest_end(struct fake_guest *guest)
{
    guest->compute->ops->close(guest->compute);
    compute_fake_world_free(guest->world);
    loop_free(guest->loop);
}
