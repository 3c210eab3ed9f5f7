/* tests/contract/compute/guest_size.c - a guest that gets and gives processors and memory. */
#include "guest.h"
#include "base/str.h"
#include <stdlib.h>

enum { MIB = 1024 * 1024 };

static void ready_to_grow(struct machine_config *config)
{
    free(config->uid);
    config->uid = str_dup("99999999-9999-4999-8999-999999999999");
    uid = "99999999-9999-4999-8999-999999999999";
    config->memory_bytes = 256LL * MIB;
    config->memory_bytes_max = 640LL * MIB;
    config->cpus_max = 3;
}

static bool has_cpus(unsigned count)
{
    auto_free char *script = str_printf("test $(nproc) = %u && echo yes", count);

    return guest_says_yes(script);
}

/* Not Linux from 6.12 on without KVM: it sees what there is when it boots. */
static bool takes_processors(void) { return guest_says_yes("test $(cat /sys/devices/system/cpu/possible) != 0 && echo yes"); }

static bool has_total_above(int mib)
{
    auto_free char *script =
        str_printf("test $(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo) -gt %d && echo yes", mib);

    return guest_says_yes(script);
}

#define AVAILABLE "$(awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)"

static void note_available(void) { expect_in_guest("echo " AVAILABLE " >/run/available", ""); }

static bool has_grown(void) { return has_total_above(350); }
static bool has_shrunk(void) { return !has_total_above(300); }
static bool has_given(void) { return guest_says_yes("test $((" AVAILABLE " + 25)) -lt $(cat /run/available) && echo yes"); }
static bool has_it_back(void) { return guest_says_yes("test $((" AVAILABLE " + 15)) -gt $(cat /run/available) && echo yes"); }

TEST(a_guest_gets_and_gives_processors_and_memory)
{
    begin_with(ready_to_grow);
    CHECK(has_cpus(1));
    CHECK(!has_total_above(300));
    bool takes = takes_processors();
    if (takes)
        RIG_OK(&rig, resize, uid, 3, 640LL * MIB);
    else
        RIG_FAILS(&rig, ERR_TIMEOUT, resize, uid, 3, 640LL * MIB);
    CHECK(rig_reaches_size(&rig, uid, takes ? 3 : 1, 640LL * MIB));
    CHECK(has_cpus(takes ? 3 : 1));
    wait_until(has_grown, "the guest has the memory");
    RIG_FAILS(&rig, ERR_CONFLICT, freeze, uid, "77777777-7777-4777-8777-777777777777");

    /* The next daemon finds it so, and a guest that boots again has it all again, once it was told. */
    rig_reopen(&rig);
    wait_until(agent_is_connected, "the agent is there");
    CHECK(!takes || rig_reaches_size(&rig, uid, 3, 640LL * MIB));
    RIG_OK(&rig, reset, uid);
    wait_until(agent_is_connected, "the agent connects again");
    wait_until(has_grown, "the guest has the memory again");
    CHECK(rig_reaches_size(&rig, uid, 3, 640LL * MIB));
    CHECK(has_cpus(3));

    RIG_OK(&rig, resize, uid, 2, 512LL * MIB);
    CHECK(rig_reaches_size(&rig, uid, 2, 512LL * MIB));
    CHECK(has_cpus(2));
    RIG_OK(&rig, resize, uid, 1, 256LL * MIB);
    CHECK(rig_reaches_size(&rig, uid, 1, 256LL * MIB));
    CHECK(has_cpus(1));
    wait_until(has_shrunk, "the guest has given the memory back");
    end();
}

static bool all_is_used(void) { return has_cpus(3) && has_total_above(350); }

TEST(what_a_guest_gets_before_its_agent_answers_it_uses_all_the_same)
{
    auto_clean(machine_config_free_auto) struct machine_config *config = NULL;
    int tap;

    rig_open(&rig);
    config = micro();
    ready_to_grow(config);
    tap = open_tap();
    RIG_OK(&rig, start, config, &tap);
    RIG_OK(&rig, resize, uid, 3, 640LL * MIB);
    wait_until(agent_is_connected, "the agent connects");
    wait_until(all_is_used, "the guest uses all");
    CHECK(rig_reaches_size(&rig, uid, 3, 640LL * MIB));
    end();
}

static bool told_its_use(void)
{
    struct wait wait;

    RIG_CALL(&rig, &wait, resize, uid, 1, 256LL * MIB - 4 * MIB);
    return wait.err.code == ERR_NONE;
}

TEST(below_what_it_was_started_with_a_guest_gives_what_it_does_not_use)
{
    begin_with(ready_to_grow);
    wait_until(told_its_use, "the guest tells what it uses");
    note_available();
    RIG_OK(&rig, resize, uid, 1, 216LL * MIB);
    CHECK(rig_reaches_size(&rig, uid, 1, 216LL * MIB));
    wait_until(has_given, "the guest has less");
    RIG_FAILS(&rig, ERR_EXHAUSTED, resize, uid, 1, 32LL * MIB);
    CHECK(guest_says_yes("echo yes"));
    RIG_OK(&rig, resize, uid, 1, 256LL * MIB);
    CHECK(rig_reaches_size(&rig, uid, 1, 256LL * MIB));
    wait_until(has_it_back, "the guest has it again");
    end();
}

TEST(a_fork_gets_and_gives_memory_beyond_what_it_went_on_with)
{
    static const char *const fork_uid = "66666666-6666-4666-8666-666666666666",
                            *const frozen = "77777777-7777-4777-8777-777777777777";
    auto_clean(machine_config_free_auto) struct machine_config *config = NULL;
    const char *parent;
    int tap;

    begin_with(ready_to_grow);
    parent = uid;
    RIG_OK(&rig, freeze, parent, frozen);
    config = micro();
    ready_to_grow(config);
    make_fork(config, fork_uid, frozen);
    tap = open_tap();
    RIG_OK(&rig, start, config, &tap);
    uid = fork_uid;
    wait_until(agent_is_connected, "the fork's agent connects");
    RIG_OK(&rig, resize, uid, 1, 512LL * MIB);
    CHECK(rig_reaches_size(&rig, uid, 1, 512LL * MIB));
    wait_until(has_grown, "the fork has the memory");
    RIG_OK(&rig, resize, uid, 1, 256LL * MIB);
    CHECK(rig_reaches_size(&rig, uid, 1, 256LL * MIB));
    RIG_OK(&rig, kill, uid);
    RIG_OK(&rig, release, uid);
    uid = parent;
    RIG_OK(&rig, frozen_remove, frozen);
    end();
}
