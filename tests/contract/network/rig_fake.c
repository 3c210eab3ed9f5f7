/* tests/contract/network/rig_fake.c - the contract suite on the fake. */
#include "drivers/network/fake/fake.h"
#include "rig.h"
#include <stdlib.h>

void rig_open(struct rig *rig)
{
    *rig = (struct rig){ .loop = loop_sim_new(7) };
    rig->own = network_fake_new();
    network_fake_set(rig->own, &(struct network_fake_settings){ .delay_max_ms = 20 });
    rig->setup = (struct network_setup){ .loop = rig->loop, .changed = rig_changed, .arg = rig };
    rig->network = network_fake_open(rig->own, &rig->setup);
}

void rig_close(struct rig *rig)
{
    auto_free char *left = network_fake_describe(rig->own);

    CHECK_STR(left, "");
    CHECK_STR(network_fake_violation(rig->own), NULL);
    rig->network->ops->close(rig->network);
    network_fake_free(rig->own);
    loop_free(rig->loop);
}

void rig_reopen(struct rig *rig)
{
    rig->network->ops->close(rig->network);
    rig->network = network_fake_open(rig->own, &rig->setup);
}

void rig_break(struct rig *rig, const char *uid) { network_fake_break(rig->own, uid); }

void rig_kill_dhcp(struct rig *rig, const char *uid)
{
    network_fake_kill_dhcp(rig->own, uid, 1000);
}

void rig_listen(struct rig *rig, const char *uid, const struct ip_addr *addr, uint16_t *ret_port)
{
    *ret_port = 80;
}
