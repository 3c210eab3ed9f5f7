#include "daemon/agent_file.h"
#include "check.h"
#include "fake_guest.h"
#include <errno.h>
#include <unistd.h>

/* The guest's file: so many blocks of "block", and then its end or, with 'fails_after', the guest's. */
static unsigned blocks, fails_after, asked;
static bool was_closed;
static struct fake_guest guest;

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
    blocks = file_blocks;
    fails_after = failure_after;
    asked = 0;
    was_closed = false;
    outcome = (struct outcome){ .fd = -1 };
    guest = fake_guest_begin(answer);
    agent_file_read(guest.loop, guest.compute, FAKE_GUEST_UID, "/etc/hosts", opened, NULL);
    loop_sim_advance(guest.loop, 1000);
    CHECK_EQ(outcome.count, 1);
    CHECK(was_closed);
}

static void end(void)
{
    if (outcome.fd >= 0)
        close(outcome.fd);
    fake_guest_end(&guest);
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
