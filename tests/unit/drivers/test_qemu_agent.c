/* The channel to a guest's agent, played by the test, on a simulated clock. */
#include "scratch.h"
#include "drivers/compute/qemu/parts.h"
#include "drivers/compute/qemu/sockets.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TIMEOUT_MS = 10 * 1000 };

static const char *const uid = "77777777-7777-4777-8777-777777777777";

static struct qemu_driver driver;
static char *folder;
static int guest; /* the agent's end */

static struct answer {
    unsigned count;
    enum err_code code;
    char said[16];
} answer;

static void keep(void *arg, const struct err *err, const json_t *result)
{
    answer.count++;
    answer.code = err ? err->code : ERR_NONE;
    snprintf(answer.said, sizeof answer.said, "%s", json_text_at(result, "out", ""));
}

static void turn(int64_t ms) { loop_sim_advance(driver.setup.loop, ms); }

static void say(const char *text) { CHECK_EQ(send(guest, text, strlen(text), MSG_DONTWAIT), (ssize_t)strlen(text)); }

static void answer_sync(void)
{
    char asked[512] = "";
    const char *number;
    auto_free char *reply = NULL;

    turn(1);
    CHECK(recv(guest, asked, sizeof asked - 1, MSG_DONTWAIT) > 0);
    number = strstr(asked, "\"id\":");
    if (!number)
        check_fail(CHECK_HERE, "no sync: %s", asked);
    reply = str_printf("\xff{\"return\": %d}\n", atoi(number + strlen("\"id\":")));
    say(reply);
    turn(10);
}

static struct machine_config *config_with_agent(void)
{
    struct machine_config *config = mem_new(struct machine_config);

    config->uid = str_dup(uid);
    config->cpus = 1;
    config->guest_agent = true;
    return config;
}

static void begin(void)
{
    auto_json json_t *chardevs = json_pack("[{s:s,s:b}]", "label", "agent", "frontend-open", 1);
    struct qemu_machine *machine;
    auto_close int listener = -1;
    struct err err;

    folder = scratch_new();
    answer = (struct answer){ 0 };
    driver = (struct qemu_driver){ .compute.ops = &compute_qemu };
    driver.setup.loop = loop_sim_new(5);
    driver.state_dir = str_printf("%s/state", folder);
    driver.run_dir = str_printf("%s/run", folder);
    driver.machines = map_new(qemu_machine_free);
    changes_init(&driver.changes, &driver.setup);
    machine = qemu_machine_new(&driver, config_with_agent());
    CHECK_OK(dir_make(machine->paths.run, 0700, &err), &err);
    CHECK_OK(socket_listen(machine->paths.run, "agent", &listener, &err), &err);
    machine->run_state = MACHINE_RUNNING;
    machine->phase = PHASE_UP;
    qemu_read_chardevs(machine, chardevs);
    guest = accept(listener, NULL, NULL);
    CHECK(guest >= 0);
    answer_sync();
    CHECK(machine->status.agent_connected);
}

static void end(void)
{
    driver.is_closing = true;
    map_free(driver.machines);
    qemu_calls_cancel(&driver);
    changes_done(&driver.changes);
    close(guest);
    loop_free(driver.setup.loop);
    free(driver.state_dir);
    free(driver.run_dir);
    scratch_remove(folder);
}

static void ask(void)
{
    qemu_agent(&driver.compute, uid, "guest-exec-status", NULL, TIMEOUT_MS, keep, NULL);
    turn(1);
}

TEST(a_guest_that_says_nothing_is_given_up_after_the_commands_time)
{
    begin();
    ask();
    turn(TIMEOUT_MS - 10);
    CHECK_EQ(answer.count, 0);
    turn(20);
    CHECK_EQ(answer.count, 1);
    CHECK_EQ(answer.code, ERR_TIMEOUT);
    end();
}

TEST(an_answer_that_comes_slowly_is_waited_for)
{
    begin();
    ask();
    say("{\"return\": {\"out\": \"");
    for (int i = 0; i < 8; i++) {
        turn(TIMEOUT_MS - 1000);
        CHECK_EQ(answer.count, 0);
        say("x");
    }
    say("\"}}\n");
    turn(10);
    CHECK_EQ(answer.count, 1);
    CHECK_EQ(answer.code, ERR_NONE);
    CHECK_STR(answer.said, "xxxxxxxx");
    end();
}

TEST(one_that_stops_half_way_is_given_up)
{
    begin();
    ask();
    turn(TIMEOUT_MS / 2);
    say("{\"return\": ");
    turn(TIMEOUT_MS - 10);
    CHECK_EQ(answer.count, 0);
    turn(20);
    CHECK_EQ(answer.code, ERR_TIMEOUT);
    end();
}

TEST(one_that_never_ends_is_given_up_after_twelve_times_its_time)
{
    begin();
    ask();
    for (int seconds = 0; seconds < 12 * TIMEOUT_MS / 1000; seconds++) {
        CHECK_EQ(answer.count, 0);
        say(" ");
        turn(1000);
    }
    CHECK_EQ(answer.count, 1);
    CHECK_EQ(answer.code, ERR_TIMEOUT);
    end();
}
