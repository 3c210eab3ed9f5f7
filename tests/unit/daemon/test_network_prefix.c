/* tests/unit/daemon/test_network_prefix.c - networks keep the prefix they were made with. */
#include "base/files.h"
#include "base/str.h"
#include "check.h"
#include "daemon/network_prefix.h"
#include "scratch.h"
#include <string.h>

static struct config config;
static char *folder;

static void begin(const char *prefix)
{
    struct err err;

    folder = scratch_new();
    config_default(&config);
    CHECK_OK(config_set(&config, "state-dir", folder, &err), &err);
    CHECK_OK(config_set(&config, "network-prefix", prefix, &err), &err);
}

static void set(const char *prefix)
{
    struct err err;

    CHECK_OK(config_set(&config, "network-prefix", prefix, &err), &err);
}

static void end(void)
{
    config_done(&config);
    scratch_remove(folder);
}

TEST(a_prefix_is_kept_from_the_first_start_on)
{
    struct err err;

    begin("one");
    CHECK_OK(network_prefix_keep(&config, /*has_networks=*/true, &err), &err); /* of an older virgad */
    CHECK_OK(network_prefix_keep(&config, /*has_networks=*/true, &err), &err);
    end();
}

TEST(another_prefix_is_refused_while_there_are_networks)
{
    struct err err;

    begin("one");
    CHECK_OK(network_prefix_keep(&config, /*has_networks=*/false, &err), &err);
    set("two");
    CHECK_FAILS(network_prefix_keep(&config, /*has_networks=*/true, &err), &err, ERR_CONFLICT);
    CHECK_CONTAINS(err.text, "made with --network-prefix one, not two");
    CHECK_CONTAINS(err.text, "virgad --dismantle");
    set("one");
    CHECK_OK(network_prefix_keep(&config, /*has_networks=*/true, &err), &err);
    end();
}

TEST(without_networks_the_prefix_can_change)
{
    struct err err;

    begin("one");
    CHECK_OK(network_prefix_keep(&config, /*has_networks=*/false, &err), &err);
    set("two");
    CHECK_OK(network_prefix_keep(&config, /*has_networks=*/false, &err), &err);
    set("one");
    CHECK_FAILS(network_prefix_keep(&config, /*has_networks=*/true, &err), &err, ERR_CONFLICT);
    end();
}

TEST(dismantling_takes_the_prefix_that_was_used)
{
    struct err err;

    begin("one");
    CHECK_OK(network_prefix_take(&config, &err), &err); /* none is known */
    CHECK_STR(config.network_prefix, "one");
    CHECK_OK(network_prefix_keep(&config, /*has_networks=*/false, &err), &err);
    set("vg");
    CHECK_OK(network_prefix_take(&config, &err), &err);
    CHECK_STR(config.network_prefix, "one");
    end();
}

static void check_refused(const char *text)
{
    auto_free char *path = str_printf("%s/network-prefix", folder);
    struct err err;

    CHECK_OK(file_write_atomic(path, text, strlen(text), 0644, &err), &err);
    CHECK_FAILS(network_prefix_take(&config, &err), &err, ERR_INVALID);
    CHECK_CONTAINS(err.text, "must be 1 to 4 of a-z0-9");
    CHECK_FAILS(network_prefix_keep(&config, /*has_networks=*/true, &err), &err, ERR_CONFLICT);
}

TEST(a_file_that_holds_no_prefix_is_refused)
{
    begin("one");
    check_refused("");
    check_refused("\n");
    check_refused("a; drop\n");
    end();
}
