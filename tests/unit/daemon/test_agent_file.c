#include "daemon/agent_file.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "drivers/compute/fake/fake.h"
#include <errno.h>
#include <unistd.h>

/* The guest's file: so many blocks of "block", and then its end or, with 'fails_after', the guest's. */
static unsigned blocks, fails_after, asked;
static bool was_closed;
static struct loop *loop;
static struct compute_fake_world *world;
static struct compute *compute;

static void changed(void *arg, const char *uid) {}

static json_t *answer(void *arg, const char *uid, const char *command, const json_t *arguments, struct err *err)
{
    if (str_equal(command, "guest-file-open"))
        return json_integer(1000);
    if (str_equal(command, "guest-file-close")) {
        was_closed = true;
        return json_object();
    }
    CHECK_STR(command, "guest-file-read");
    if (asked == fails_after) {
        (void)err_set(err, ERR_IO, "failed to read file");
        return NULL;
    }
    if (asked == blocks)
        return json_pack("{s:i,s:b,s:s}", "count", 0, "eof", 1, "buf-b64", "");
    asked++;
    return json_pack("{s:i,s:b,s:s}", "count", 5, "eof", 0, "buf-b64", "YmxvY2s=");
}

static struct outcome {
    unsigned count;
    enum err_code code;
    int fd;
} outcome;

static void opened(void *arg, const struct err *err, int take_fd)
{
    outcome.count++;
    outcome.code = err ? err->code : ERR_NONE;
    outcome.fd = take_fd;
}

static void read_file(unsigned file_blocks, unsigned failure_after)
{
    static const struct compute_fake_options options = { .delay_min_ms = 5, .delay_max_ms = 5 };
    auto_clean(machine_config_free_auto) struct machine_config *config = mem_new(struct machine_config);
    struct compute_setup setup = { .changed = changed };

    blocks = file_blocks;
    fails_after = failure_after;
    asked = 0;
    was_closed = false;
    outcome = (struct outcome){ .fd = -1 };
    setup.loop = loop = loop_sim_new(1);
    world = compute_fake_world_new(loop, &options);
    compute = compute_fake_open(world, &setup);
    compute_fake_set_agent(world, answer, NULL);
    config->uid = str_dup("77777777-7777-4777-8777-777777777777");
    config->guest_agent = true;
    compute->ops->start(compute, config, NULL, (struct done){ 0 });
    loop_sim_advance(loop, 1000);
    agent_file_read(loop, compute, config->uid, "/etc/hosts", opened, NULL);
    loop_sim_advance(loop, 1000);
    CHECK_EQ(outcome.count, 1);
    CHECK(was_closed);
}

static void end(void)
{
    if (outcome.fd >= 0)
        close(outcome.fd);
    compute->ops->close(compute);
    compute_fake_world_free(world);
    loop_free(loop);
}

TEST(a_file_is_read_to_its_end)
{
    char bytes[64];

    read_file(3, UINT32_MAX);
    CHECK_EQ(outcome.code, ERR_NONE);
    CHECK_EQ(read(outcome.fd, bytes, sizeof bytes), 15);
    CHECK_EQ(read(outcome.fd, bytes, sizeof bytes), 0);
    end();
}

TEST(an_empty_file_is_one)
{
    char bytes[64];

    read_file(0, UINT32_MAX);
    CHECK_EQ(outcome.code, ERR_NONE);
    CHECK_EQ(read(outcome.fd, bytes, sizeof bytes), 0);
    end();
}

TEST(one_that_breaks_off_does_not_look_whole)
{
    char bytes[64];

    read_file(3, 2);
    CHECK_EQ(outcome.code, ERR_NONE);
    CHECK_EQ(read(outcome.fd, bytes, sizeof bytes), 10);
    CHECK_EQ(read(outcome.fd, bytes, sizeof bytes), -1);
    CHECK_EQ(errno, ECONNRESET);
    end();
}

TEST(what_can_be_opened_but_not_read_is_an_error)
{
    read_file(3, 0);
    CHECK_EQ(outcome.code, ERR_IO);
    CHECK_EQ(outcome.fd, -1);
    end();
}
