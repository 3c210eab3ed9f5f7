/* tests/contract/balancer/rig_fake.c - the contract suite on the fake, in simulated time. */
#include "base/mem.h"
#include "drivers/balancer/fake/fake.h"
#include "rig.h"

static const struct ip_addr loopback = { 4, { 127, 0, 0, 1 } };

void rig_open(struct rig *rig)
{
    *rig = (struct rig){ .loop = loop_sim_new(7), .own = balancer_fake_new() };
    rig->setup = (struct balancer_setup){ .loop = rig->loop, .changed = rig_changed, .arg = rig };
    rig->balancer = balancer_fake_open(rig->own, &rig->setup);
}

void rig_close(struct rig *rig)
{
    CHECK_EQ(balancer_fake_count(rig->own), 0);
    rig->balancer->ops->close(rig->balancer);
    balancer_fake_free(rig->own);
    loop_free(rig->loop);
}

void rig_reopen(struct rig *rig)
{
    rig->balancer->ops->close(rig->balancer);
    rig->balancer = balancer_fake_open(rig->own, &rig->setup);
}

void rig_crash(struct rig *rig, const char *uid) { balancer_fake_crash(rig->own, uid, 100); }

void rig_take_port(struct rig *rig, uint16_t port)
{
    balancer_fake_take_port(rig->own, port, true);
}

void rig_set_alive(struct rig *rig, unsigned number, bool is_alive)
{
    balancer_fake_set_health(rig->own, &loopback, rig_member_port(number), is_alive);
}
