/* tests/unit/control/test_guest_exec.c - commands in guests, on the fake. */
#include "site.h"
#include "control/guest_exec.h"

struct heard {
    unsigned count;
    enum err_code code;
    int exit_code;
    char output[8192];
};

static void hear(void *arg, const struct err *err, int exit_code, const char *output)
{
    struct heard *heard = arg;

    heard->count++;
    heard->code = err ? err->code : ERR_NONE;
    heard->exit_code = exit_code;
    snprintf(heard->output, sizeof heard->output, "%s", output);
}

/* 'arg' is what guest-exec-status answers. */
static json_t *answer(void *arg, const char *uid, const char *command, const json_t *arguments, struct err *err)
{
    struct err ignored;

    return str_equal(command, "guest-exec-status") ? json_parse(arg, strlen(arg), &ignored) : json_pack("{s:i}", "pid", 7);
}

static void run(const char *status, struct heard *heard)
{
    static const char *const argv[] = { "/bin/true", NULL };

    begin(1);
    create_image();
    create_instance("web", simple_spec());
    wait_for_condition("web", "AgentReady", "True");
    auto_free char *uid = uid_of("web");
    compute_fake_set_agent(site.world, answer, (void *)status);
    guest_exec(site.control, uid, argv, NULL, 0, 60 * 1000, hear, heard);
    loop_sim_advance(site.loop, 5000);
}

TEST(what_a_command_wrote_is_told_with_its_status)
{
    struct heard heard = { 0 };

    run("{\"exited\":true,\"exitcode\":3,\"out-data\":\"b3V0\",\"err-data\":\"ZXJyb3I=\"}", &heard);
    CHECK_EQ(heard.count, 1);
    CHECK_EQ(heard.exit_code, 3);
    CHECK_STR(heard.output, "outerror");
    end();
}

TEST(of_much_output_the_end_is_told)
{
    struct heard heard = { 0 };
    char much[10001];

    for (unsigned i = 0; i < 10000; i += 4)
        memcpy(much + i, "YWFh", 4); /* aaa */
    much[10000] = '\0';
    auto_free char *status = str_printf("{\"exited\":true,\"exitcode\":1,\"out-data\":\"%sZW5k\"}", much); /* end */
    run(status, &heard);
    CHECK_EQ(heard.count, 1);
    CHECK_CONTAINS(heard.output, "aaaend");
    end();
}

TEST(what_is_no_base64_is_no_output)
{
    struct heard heard = { 0 };

    run("{\"exited\":true,\"signal\":9,\"out-data\":\"!!!\"}", &heard);
    CHECK_EQ(heard.count, 1);
    CHECK_EQ(heard.exit_code, 128 + 9);
    CHECK_STR(heard.output, "");
    end();
}

TEST(a_command_that_runs_on_ends_with_the_control)
{
    struct heard heard = { 0 };

    run("{\"exited\":false}", &heard);
    CHECK_EQ(heard.count, 0);
    daemon_dies();
    CHECK_EQ(heard.count, 1);
    CHECK_EQ(heard.code, ERR_CANCELLED);
    daemon_starts();
    end();
}
