/* tests/network/test_crashes.c - a daemon killed at any point, and calls that fail at any: the
 * next one makes the network whole, or takes all of it away. */
#include "../contract/network/leftovers.h"
#include "base/fault.h"
#include "base/files.h"
#include "base/str.h"
#include "lab.h"
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const one = "11111111-1111-4111-8111-111111111111";

static const char *const making[] = {
    "network.folder",
    "network.namespace",
    "network.rules",
    "network.bridge",
    "network.addresses",
    "network.uplink",
    "network.uplink.addresses",
    "network.uplink.rules",
    "network.inside",
    "network.config",
    "network.server.start",
    "network.server.up",
    "network.tap",
    "network.port.link",
    "network.port.rules",
};
static const char *const unmaking[] = {
    "network.port.remove.files", "network.port.remove.rules", "network.remove.server",
    "network.remove.rules",      "network.remove.uplink",     "network.remove.namespace",
    "network.remove.state",
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct rig rig;

/* --- what a daemon does --- */

static void make(struct rig *daemon)
{
    struct port_config port = rig_port(one, 2);

    lab_network(daemon, one, /*nat=*/true);
    RIG_OK(daemon, port_ensure, &port);
}

static void unmake(struct rig *daemon)
{
    struct port_config port = rig_port(one, 2);

    RIG_OK(daemon, port_remove, one, port.id);
    RIG_OK(daemon, network_remove, one);
}

/* Another process runs 'life' and is killed at 'point'. Ours has no driver open meanwhile. */
static void kill_at(const char *point, void (*life)(struct rig *daemon))
{
    auto_free char *setting = str_printf("%s=kill@1", point);
    struct err err;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct rig daemon = rig;

        CHECK_OK(fault_init(setting, &err), &err);
        daemon.loop = daemon.setup.loop = loop_new(&err);
        daemon.setup.workers = worker_pool_new(daemon.loop, 2);
        daemon.setup.arg = &daemon;
        daemon.network = network_netns.open(&daemon.setup, &err);
        life(&daemon);
        _exit(0);
    }
    CHECK(pid > 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        check_fail(CHECK_HERE, "the daemon was not killed at %s", point);
}

/* --- what must be so afterwards --- */

static void on_time(void *arg) { loop_stop(((struct rig *)arg)->loop); }

/* dnsmasq's own start has a process that waits for its child; it goes by itself. */
static void check_one_server(void)
{
    struct err err;

    for (unsigned i = 0; i < 1000 && count_servers(rig.setup.run_dir) != 1; i++) {
        auto_clean(loop_source_free_auto) struct loop_source *timer =
            loop_timer(rig.loop, 10, on_time, &rig);
        CHECK_OK(loop_run(rig.loop, &err), &err);
    }
    CHECK_EQ(count_servers(rig.setup.run_dir), 1);
}

static bool is_whole(const struct network_status *status)
{
    return status->is_up && status->dhcp_running;
}

static void check_whole(void)
{
    struct port_config port = rig_port(one, 2);

    CHECK(rig_reaches(&rig, one, is_whole));
    check_one_server();
    CHECK_EQ(host_uplinks(), 1);
    char **names = rig.network->ops->list(rig.network);
    CHECK_STR(names[0], one);
    CHECK(!names[1]);
    network_names_free(names);
    names = rig.network->ops->list_ports(rig.network, one);
    CHECK_STR(names[0], port.id);
    CHECK(!names[1]);
    network_names_free(names);

    struct guest guest = guest_join(&rig, one, 2); /* the gateway answers it */
    guest_leave(&guest);
}

/* What the daemon does that finds networks nobody wants any more. */
static void sweep(void)
{
    char **names = rig.network->ops->list(rig.network);

    for (char **name = names; *name; name++)
        RIG_OK(&rig, network_remove, *name);
    network_names_free(names);
}

static void reopen(void)
{
    struct err err;

    rig.network = network_netns.open(&rig.setup, &err);
    CHECK(rig.network);
}

static void begin(void)
{
    rig_open(&rig);
    rig.network->ops->close(rig.network);
}

TEST(killed_while_making_a_network_the_next_daemon_makes_it_whole)
{
    for (size_t i = 0; i < COUNT(making); i++) {
        begin();
        kill_at(making[i], make);
        reopen();
        make(&rig);
        check_whole();
        unmake(&rig);
        rig_close(&rig);
    }
}

TEST(killed_while_making_a_network_the_next_daemon_can_take_it_away)
{
    for (size_t i = 0; i < COUNT(making); i++) {
        begin();
        kill_at(making[i], make);
        reopen();
        sweep();
        rig_close(&rig);
    }
}

/* One that was killed while it removed a network, and the next one is up. */
static void die_removing(const char *point)
{
    begin();
    reopen();
    make(&rig);
    rig.network->ops->close(rig.network);
    kill_at(point, unmake);
    reopen();
}

TEST(killed_while_removing_a_network_the_next_daemon_finishes_it)
{
    for (size_t i = 0; i < COUNT(unmaking); i++) {
        die_removing(unmaking[i]);
        sweep();
        rig_close(&rig);
    }
}

TEST(killed_while_removing_a_network_it_can_be_made_again)
{
    for (size_t i = 0; i < COUNT(unmaking); i++) {
        die_removing(unmaking[i]);
        make(&rig);
        check_whole();
        unmake(&rig);
        rig_close(&rig);
    }
}

/* --- the tables above --- */

static bool is_listed(const char *point, size_t length)
{
    for (size_t i = 0; i < COUNT(making); i++)
        if (strlen(making[i]) == length && strncmp(making[i], point, length) == 0)
            return true;
    for (size_t i = 0; i < COUNT(unmaking); i++)
        if (strlen(unmaking[i]) == length && strncmp(unmaking[i], point, length) == 0)
            return true;
    return false;
}

static unsigned check_listed(const char *text)
{
    static const char call[] = "fault_point(\"";
    unsigned count = 0;

    while ((text = strstr(text, call))) {
        text += strlen(call);
        if (!is_listed(text, strcspn(text, "\"")))
            check_fail(CHECK_HERE, "nobody is killed at %.40s", text);
        count++;
    }
    return count;
}

TEST(every_point_of_the_driver_is_tried)
{
    auto_free char *folder = str_printf("%s/src/drivers/network/netns", getenv("VIRGA_SOURCE"));
    DIR *dir = opendir(folder);
    struct dirent *entry;
    unsigned count = 0;

    CHECK(dir);
    while ((entry = readdir(dir))) {
        auto_free char *path = str_printf("%s/%s", folder, entry->d_name);
        auto_buf struct buf text = { 0 };
        struct err err;

        if (str_ends(path, ".c") && file_read(path, 1 << 20, &text, &err) == 0)
            count += check_listed(text.bytes);
    }
    closedir(dir);
    CHECK_EQ(count, COUNT(making) + COUNT(unmaking));
}

/* --- calls that fail --- */

static bool try_network(bool wanted)
{
    auto_clean(network_config_free_auto) struct network_config *config = rig_network(one);
    struct wait wait = { 0 };

    config->nat = true;
    if (wanted)
        RIG_CALL(&rig, &wait, network_ensure, config);
    else
        RIG_CALL(&rig, &wait, network_remove, one);
    return wait.err.code == ERR_NONE;
}

static bool try_port(bool wanted)
{
    struct port_config port = rig_port(one, 2);
    struct wait wait = { 0 };

    if (wanted)
        RIG_CALL(&rig, &wait, port_ensure, &port);
    else
        RIG_CALL(&rig, &wait, port_remove, one, port.id);
    return wait.err.code == ERR_NONE;
}

/* As a controller would: again, until it is so. One failure takes one more try. */
static void insist(bool (*try)(bool wanted), bool wanted)
{
    if (!try(wanted))
        CHECK(try(wanted));
}

TEST(whichever_call_to_the_kernel_fails_the_next_try_succeeds)
{
    unsigned seen = 0;

    rig_open(&rig);
    for (unsigned nth = 1; nth == 1 || seen >= nth - 1; nth++) {
        fault_fail_nth(nth);
        insist(try_network, true);
        insist(try_port, true);
        CHECK(rig_reaches(&rig, one, is_whole));
        insist(try_port, false);
        insist(try_network, false);
        seen = fault_calls_seen();
        fault_fail_nth(0);
        check_nothing_left(rig.setup.run_dir, rig.setup.state_dir, "vt");
    }
    CHECK(seen > 40);
    rig_close(&rig);
}
