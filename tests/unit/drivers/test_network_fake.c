#include "check.h"
#include "drivers/network/fake/fake.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct loop *loop;
static struct network_fake *fake;
static struct network_driver *network;
static struct network_setup setup;
static unsigned changes;

static void count_change(void *arg, const char *uid) { changes++; }

static void begin(uint64_t seed)
{
    changes = 0;
    loop = loop_sim_new(seed);
    fake = network_fake_new();
    setup = (struct network_setup){ .loop = loop, .changed = count_change };
    network = network_fake_open(fake, &setup);
}

static void end(void)
{
    network->ops->close(network);
    network_fake_free(fake);
    loop_free(loop);
}

struct answer {
    unsigned count;
    enum err_code code;
    int fd;
};

static void on_answer(void *arg, const struct err *err)
{
    struct answer *answer = arg;

    answer->count++;
    answer->code = err ? err->code : ERR_NONE;
}

static void on_fd(void *arg, const struct err *err, int take_fd)
{
    struct answer *answer = arg;

    on_answer(arg, err);
    answer->fd = take_fd;
}

static struct answer ensure(const char *uid)
{
    struct network_config config = { .uid = (char *)uid };
    struct answer answer = { 0 };

    network->ops->network_ensure(network, &config, (struct done){ on_answer, &answer });
    loop_sim_advance(loop, 1000);
    CHECK_EQ(answer.count, 1);
    return answer;
}

static struct port_config port_of(const char *id, uint8_t number)
{
    struct port_config port = { .network_uid = "net", .mac = { { 2, 0, 0, 0, 0, number } } };

    snprintf(port.id, sizeof port.id, "%s", id);
    port.ipv4 = (struct ip_addr){ 4, { 10, 0, 0, number } };
    return port;
}

static struct answer ensure_port(const char *id, uint8_t number)
{
    struct port_config port = port_of(id, number);
    struct answer answer = { 0 };

    network->ops->port_ensure(network, &port, (struct done){ on_answer, &answer });
    loop_sim_advance(loop, 1000);
    CHECK_EQ(answer.count, 1);
    return answer;
}

static struct answer open_port(const char *id)
{
    struct answer answer = { .fd = -1 };

    network->ops->port_open(network, "net", id, on_fd, &answer);
    loop_sim_advance(loop, 1000);
    CHECK_EQ(answer.count, 1);
    return answer;
}

TEST(what_was_made_outlives_the_driver)
{
    begin(1);
    CHECK_EQ(ensure("net").code, ERR_NONE);
    CHECK_EQ(ensure_port("a/0", 2).code, ERR_NONE);
    network->ops->close(network);
    network = network_fake_open(fake, &setup);
    CHECK_EQ(network_fake_network_count(fake), 1);
    CHECK_EQ(network_fake_port_count(fake), 1);
    CHECK_EQ(network_fake_port(fake, "net", "a/0")->mac.octet[5], 2);
    end();
}

TEST(a_reboot_leaves_nothing)
{
    begin(1);
    CHECK_EQ(ensure("net").code, ERR_NONE);
    network->ops->close(network);
    network_fake_reboot(fake);
    network = network_fake_open(fake, &setup);
    CHECK_EQ(network_fake_network_count(fake), 0);
    end();
}

TEST(a_close_cuts_a_call_before_within_or_after_its_work)
{
    unsigned absent = 0, half = 0, whole = 0;

    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct network_config config = { .uid = (char *)"net" };
        struct answer answer = { 0 };

        begin(seed);
        network->ops->network_ensure(network, &config, (struct done){ on_answer, &answer });
        network->ops->close(network);
        CHECK_EQ(answer.code, ERR_CANCELLED);
        if (network_fake_network_count(fake) == 0)
            absent++;
        else if (!network_fake_network(fake, "net"))
            half++;
        else
            whole++;
        network = network_fake_open(fake, &setup);
        CHECK_EQ(ensure("net").code, ERR_NONE);
        CHECK(network_fake_network(fake, "net"));
        end();
    }
    CHECK(absent > 5 && half > 5 && whole > 5);
}

TEST(a_call_told_to_fail_fails_once_and_changes_nothing)
{
    begin(1);
    network_fake_fail_next(fake, "network_ensure", ERR_NO_SPACE);
    CHECK_EQ(ensure("net").code, ERR_NO_SPACE);
    CHECK_EQ(network_fake_network_count(fake), 0);
    CHECK_EQ(ensure("net").code, ERR_NONE);
    end();
}

TEST(chance_fails_the_share_of_calls_it_was_told_to)
{
    unsigned failed = 0;

    begin(3);
    network_fake_set(fake, &(struct network_fake_settings){ .delay_max_ms = 2, .fail_one_in = 4 });
    for (unsigned i = 0; i < 400; i++)
        failed += ensure("net").code == ERR_IO;
    CHECK(failed > 60 && failed < 140);
    end();
}

TEST(an_open_descriptor_is_counted_until_it_is_closed)
{
    struct answer port;

    begin(1);
    ensure("net");
    ensure_port("a/0", 2);
    port = open_port("a/0");
    CHECK_EQ(network_fake_fds_open(fake), 1);
    CHECK_EQ(open_port("a/0").code, ERR_CONFLICT);
    close(port.fd);
    CHECK_EQ(network_fake_fds_open(fake), 0);
    CHECK_STR(network_fake_violation(fake), NULL);
    end();
}

TEST(two_ports_with_one_address_are_a_violation)
{
    begin(1);
    ensure("net");
    ensure_port("a/0", 2);
    CHECK_STR(network_fake_violation(fake), NULL);
    ensure_port("b/0", 2);
    CHECK_CONTAINS(network_fake_violation(fake), "same MAC address");
    end();
}

TEST(removing_a_port_that_is_in_use_is_a_violation)
{
    struct answer port, removed = { 0 };

    begin(1);
    ensure("net");
    ensure_port("a/0", 2);
    port = open_port("a/0");
    network->ops->port_remove(network, "net", "a/0", (struct done){ on_answer, &removed });
    loop_sim_advance(loop, 1000);
    CHECK_EQ(removed.count, 1);
    CHECK_CONTAINS(network_fake_violation(fake), "in use");
    close(port.fd);
    end();
}

TEST(the_description_names_what_is_left)
{
    begin(1);
    ensure("net");
    ensure_port("a/0", 2);
    auto_free char *text = network_fake_describe(fake);
    CHECK_STR(text, "network net\nnetwork net port a/0\n");
    end();
}

TEST(the_far_ends_of_dials_belong_to_the_test)
{
    struct answer answers[2] = { { .fd = -1 }, { .fd = -1 } };

    begin(1);
    ensure("net");
    for (unsigned i = 0; i < 2; i++) {
        struct ip_addr to = { 4, { 10, 0, 0, (uint8_t)(2 + i) } };
        network->ops->dial(network, "net", &to, (uint16_t)(22 + i), 1000, on_fd, &answers[i]);
    }
    loop_sim_advance(loop, 1000);
    for (unsigned i = 0; i < 2; i++) {
        struct ip_addr asked;
        uint16_t port;
        char text[6] = "";
        int far = network_fake_take_dialled(fake, &asked, &port);

        CHECK_EQ(asked.octet[3], 2 + i);
        CHECK_EQ(port, 22 + i);
        CHECK_EQ(write(answers[i].fd, "hello", 5), 5);
        CHECK_EQ(read(far, text, 5), 5);
        CHECK_STR(text, "hello");
        close(far);
        close(answers[i].fd);
    }
    end();
}
