/* tests/contract/network/contract.c - what every network driver must do. */
#include "base/str.h"
#include "rig.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *const one = "11111111-1111-4111-8111-111111111111";
static const char *const two = "22222222-2222-4222-8222-222222222222";

static struct rig rig;

static struct network_status observe(const char *uid)
{
    struct network_status status;

    rig.network->ops->network_observe(rig.network, uid, &status);
    return status;
}

static void ensure(const char *uid)
{
    auto_clean(network_config_free_auto) struct network_config *config = rig_network(uid);

    RIG_OK(&rig, network_ensure, config);
}

static void ensure_port(const char *uid, unsigned number)
{
    struct port_config port = rig_port(uid, number);

    RIG_OK(&rig, port_ensure, &port);
}

static struct wait open_port(const char *uid, unsigned number)
{
    struct port_config port = rig_port(uid, number);
    struct wait wait;

    (void)wait_done(&rig, &wait);
    rig.network->ops->port_open(rig.network, uid, port.id, wait_fd, &wait);
    CHECK(!wait.called);
    rig_wait(&rig, &wait);
    return wait;
}

static struct wait read_port(const char *uid, unsigned number)
{
    struct port_config port = rig_port(uid, number);
    struct wait wait;

    (void)wait_done(&rig, &wait);
    rig.network->ops->port_read(rig.network, uid, port.id, wait_counters, &wait);
    CHECK(!wait.called);
    rig_wait(&rig, &wait);
    return wait;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "a b c", sorted; 'names' is consumed. */
static const char *joined(char **names)
{
    static char text[1024];
    size_t count = 0;

    CHECK(names != NULL);
    while (names[count])
        count++;
    qsort(names, count, sizeof *names, by_text);
    text[0] = '\0';
    for (char **name = names; *name; name++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", text[0] ? " " : "",
                 *name);
    network_names_free(names);
    return text;
}

static const char *networks(void) { return joined(rig.network->ops->list(rig.network)); }

static const char *ports(const char *uid)
{
    return joined(rig.network->ops->list_ports(rig.network, uid));
}

static bool is_whole(const struct network_status *status)
{
    return status->is_up && status->dhcp_running;
}

static bool is_down(const struct network_status *status) { return !status->is_up; }

static bool has_no_dhcp(const struct network_status *status) { return !status->dhcp_running; }

TEST(an_ensured_network_is_up_and_listed_until_it_is_removed)
{
    rig_open(&rig);
    CHECK_STR(networks(), "");
    CHECK(!observe(one).is_up);
    ensure(one);
    CHECK_STR(observe(one).message, "");
    CHECK(observe(one).is_up);
    CHECK(observe(one).dhcp_running);
    CHECK(rig.changes > 0);
    CHECK_STR(networks(), one);
    RIG_OK(&rig, network_remove, one);
    CHECK(!observe(one).is_up);
    CHECK(observe(one).message[0] != '\0');
    CHECK_STR(networks(), "");
    rig_close(&rig);
}

TEST(ensuring_again_changes_nothing_and_tells_nobody)
{
    rig_open(&rig);
    ensure(one);
    rig.changes = 0;
    ensure(one);
    CHECK_EQ(rig.changes, 0);
    CHECK(observe(one).is_up);
    RIG_OK(&rig, network_remove, one);
    rig_close(&rig);
}

TEST(removing_what_is_absent_succeeds)
{
    struct port_config port = rig_port(one, 2);

    rig_open(&rig);
    RIG_OK(&rig, network_remove, one);
    RIG_OK(&rig, port_remove, one, port.id);
    ensure(one);
    RIG_OK(&rig, port_remove, one, port.id);
    RIG_OK(&rig, network_remove, one);
    RIG_OK(&rig, network_remove, one);
    rig_close(&rig);
}

TEST(ports_are_listed_by_their_network)
{
    struct port_config second = rig_port(one, 2), third = rig_port(one, 3);
    char both[2 * PORT_ID_SIZE];

    rig_open(&rig);
    ensure(one);
    ensure(two);
    ensure_port(one, 2);
    ensure_port(one, 3);
    ensure_port(one, 3);
    ensure_port(two, 2);
    snprintf(both, sizeof both, "%s %s", second.id, third.id);
    CHECK_STR(ports(one), both);
    CHECK_STR(ports(two), second.id);
    RIG_OK(&rig, port_remove, one, second.id);
    CHECK_STR(ports(one), third.id);
    RIG_OK(&rig, network_remove, one);
    CHECK_STR(ports(one), "");
    RIG_OK(&rig, network_remove, two);
    rig_close(&rig);
}

TEST(an_opened_port_is_a_descriptor_of_its_own)
{
    struct wait first, again;

    rig_open(&rig);
    ensure(one);
    ensure_port(one, 2);
    first = open_port(one, 2);
    CHECK_STR(first.err.text, "");
    CHECK(first.fd >= 0);
    CHECK((fcntl(first.fd, F_GETFD) & FD_CLOEXEC) != 0);
    again = open_port(one, 2);
    CHECK_EQ(again.err.code, ERR_CONFLICT);
    CHECK_EQ(again.fd, -1);
    close(first.fd);
    again = open_port(one, 2);
    CHECK_STR(again.err.text, "");
    close(again.fd);
    RIG_OK(&rig, network_remove, one);
    rig_close(&rig);
}

TEST(a_port_needs_its_network_and_opening_needs_the_port)
{
    struct port_config port = rig_port(one, 2);

    rig_open(&rig);
    RIG_FAILS(&rig, ERR_NOT_FOUND, port_ensure, &port);
    CHECK_EQ(open_port(one, 2).err.code, ERR_NOT_FOUND);
    ensure(one);
    CHECK_EQ(open_port(one, 2).err.code, ERR_NOT_FOUND);
    CHECK_EQ(read_port(one, 2).err.code, ERR_NOT_FOUND);
    RIG_OK(&rig, network_remove, one);
    rig_close(&rig);
}

TEST(counters_begin_at_nothing)
{
    struct wait wait;

    rig_open(&rig);
    ensure(one);
    ensure_port(one, 2);
    wait = read_port(one, 2);
    CHECK_STR(wait.err.text, "");
    CHECK_EQ(wait.counters.tx_packets, 0);
    CHECK_EQ(wait.counters.spoof_drops, 0);
    RIG_OK(&rig, network_remove, one);
    rig_close(&rig);
}

TEST(networks_and_ports_are_found_again_after_a_restart)
{
    struct port_config port = rig_port(one, 2);
    struct wait held;

    rig_open(&rig);
    ensure(one);
    ensure_port(one, 2);
    held = open_port(one, 2);
    rig_reopen(&rig);
    CHECK_STR(networks(), one);
    CHECK_STR(ports(one), port.id);
    CHECK_EQ(open_port(one, 2).err.code, ERR_CONFLICT);
    ensure(one);
    CHECK(observe(one).is_up);
    CHECK(observe(one).dhcp_running);
    ensure_port(one, 2);
    close(held.fd);
    RIG_OK(&rig, network_remove, one);
    rig_close(&rig);
}

/* Thousands of clients take thousands of descriptors; some libraries know only 1,024 of them. */
TEST(networks_are_made_and_removed_beside_thousands_of_descriptors)
{
    enum { TAKEN_COUNT = 1500 };
    static int taken[TAKEN_COUNT];
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    rig_open(&rig);
    for (int i = 0; i < TAKEN_COUNT; i++)
        CHECK((taken[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
    ensure(one);
    ensure_port(one, 2);
    RIG_OK(&rig, network_remove, one);
    for (int i = 0; i < TAKEN_COUNT; i++)
        close(taken[i]);
    rig_close(&rig);
}

TEST(a_port_can_be_given_other_addresses)
{
    struct port_config port = rig_port(one, 2), moved = rig_port(one, 9);

    rig_open(&rig);
    ensure(one);
    RIG_OK(&rig, port_ensure, &port);
    memcpy(moved.id, port.id, sizeof moved.id);
    RIG_OK(&rig, port_ensure, &moved);
    CHECK_STR(ports(one), port.id);
    RIG_OK(&rig, network_remove, one);
    rig_close(&rig);
}

TEST(a_broken_network_is_noticed_and_ensured_again)
{
    rig_open(&rig);
    ensure(one);
    ensure_port(one, 2);
    rig.changes = 0;
    rig_break(&rig, one);
    RIG_OK(&rig, network_refresh, one);
    CHECK(rig_reaches(&rig, one, is_down));
    CHECK(rig.changes > 0);
    CHECK(observe(one).message[0] != '\0');
    ensure(one);
    CHECK(observe(one).is_up);
    RIG_OK(&rig, network_remove, one);
    rig_close(&rig);
}

TEST(a_dead_dhcp_server_comes_back_by_itself)
{
    rig_open(&rig);
    ensure(one);
    rig_kill_dhcp(&rig, one);
    CHECK(rig_reaches(&rig, one, has_no_dhcp));
    CHECK(rig_reaches(&rig, one, is_whole));
    RIG_OK(&rig, network_remove, one);
    rig_close(&rig);
}

TEST(the_namespace_of_a_network_is_handed_out)
{
    struct wait wait;

    rig_open(&rig);
    ensure(one);
    (void)wait_done(&rig, &wait);
    rig.network->ops->namespace_open(rig.network, one, wait_fd, &wait);
    CHECK(!wait.called);
    rig_wait(&rig, &wait);
    CHECK_STR(wait.err.text, "");
    CHECK(fcntl(wait.fd, F_GETFD) == FD_CLOEXEC);
    close(wait.fd);

    (void)wait_done(&rig, &wait);
    rig.network->ops->namespace_open(rig.network, two, wait_fd, &wait);
    rig_wait(&rig, &wait);
    CHECK_EQ(wait.err.code, ERR_NOT_FOUND);
    RIG_OK(&rig, network_remove, one);
    rig_close(&rig);
}

TEST(a_connection_is_dialled_from_inside_the_network)
{
    auto_clean(network_config_free_auto) struct network_config *config = rig_network(one);
    uint16_t port;
    struct wait wait;

    rig_open(&rig);
    ensure(one);
    rig_listen(&rig, one, &config->ipv4_gateway, &port);
    (void)wait_done(&rig, &wait);
    rig.network->ops->dial(rig.network, one, &config->ipv4_gateway, port, 5000, wait_fd, &wait);
    CHECK(!wait.called);
    rig_wait(&rig, &wait);
    CHECK_STR(wait.err.text, "");
    CHECK_EQ(write(wait.fd, "hello", 5), 5);
    close(wait.fd);
    (void)wait_done(&rig, &wait);
    rig.network->ops->dial(rig.network, two, &config->ipv4_gateway, port, 5000, wait_fd, &wait);
    rig_wait(&rig, &wait);
    CHECK_EQ(wait.err.code, ERR_NOT_FOUND);
    RIG_OK(&rig, network_remove, one);
    rig_close(&rig);
}

TEST(bad_input_is_refused_and_changes_nothing)
{
    auto_clean(network_config_free_auto) struct network_config *config = rig_network(one);
    struct port_config port = rig_port(one, 2);

    rig_open(&rig);
    config->ipv4_gateway.octet[0] = 11;
    RIG_FAILS(&rig, ERR_INVALID, network_ensure, config);
    config->ipv4_gateway.octet[0] = 10;
    free(config->domain);
    config->domain = str_dup("lan\nserver=1.2.3.4");
    RIG_FAILS(&rig, ERR_INVALID, network_ensure, config);
    CHECK_STR(networks(), "");
    RIG_FAILS(&rig, ERR_INVALID, network_remove, "../etc");
    ensure(one);
    snprintf(port.hostname, sizeof port.hostname, "a b");
    RIG_FAILS(&rig, ERR_INVALID, port_ensure, &port);
    snprintf(port.hostname, sizeof port.hostname, "a");
    port.mac.octet[0] = 1;
    RIG_FAILS(&rig, ERR_INVALID, port_ensure, &port);
    CHECK_STR(ports(one), "");
    RIG_OK(&rig, network_remove, one);
    rig_close(&rig);
}

TEST(closing_answers_what_is_under_way)
{
    auto_clean(network_config_free_auto) struct network_config *config = rig_network(one);
    struct wait ensured, opened;

    rig_open(&rig);
    rig.network->ops->network_ensure(rig.network, config, wait_done(&rig, &ensured));
    (void)wait_done(&rig, &opened);
    rig.network->ops->port_open(rig.network, one, "a/b", wait_fd, &opened);
    rig_reopen(&rig);
    CHECK(ensured.called);
    CHECK_EQ(ensured.err.code, ERR_CANCELLED);
    CHECK(opened.called);
    CHECK_EQ(opened.fd, -1);
    ensure(one);
    RIG_OK(&rig, network_remove, one);
    rig_close(&rig);
}
