#include "check.h"
#include "drivers/compute/qemu/monitor.h"
#include "fake_qemu.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct loop *loop;
static struct fake_qemu *qemu;
static struct monitor *monitor;
static bool is_ready, is_lost, free_in_callback;
static struct err lost_err;
static char last_event[64];

struct answer {
    unsigned count;
    struct err err;
    char status[32]; /* of the result */
};

static void on_ready(void *arg, const char *version)
{
    CHECK_STR(version, "7.2.22");
    is_ready = true;
}

static void on_event(void *arg, const char *name, const json_t *data)
{
    snprintf(last_event, sizeof last_event, "%s", name);
    if (free_in_callback) {
        monitor_free(monitor);
        monitor = NULL;
    }
}

static void on_lost(void *arg, const struct err *err)
{
    CHECK(!is_lost);
    is_lost = true;
    lost_err = *err;
}

static const struct monitor_hooks hooks = { on_ready, on_event, on_lost };

static void keep(void *arg, const struct err *err, const json_t *result)
{
    struct answer *answer = arg;

    answer->count++;
    if (err)
        answer->err = *err;
    snprintf(answer->status, sizeof answer->status, "%s", json_text_at(result, "status", ""));
    if (free_in_callback) {
        monitor_free(monitor);
        monitor = NULL;
    }
}

static void begin(void)
{
    int fd;

    is_ready = is_lost = free_in_callback = false;
    last_event[0] = '\0';
    loop = loop_sim_new(3);
    qemu = fake_qemu_new(loop, &fd);
    monitor = monitor_new(loop, fd, &hooks, NULL);
    loop_sim_advance(loop, 1);
    CHECK(is_ready);
    fake_qemu_forget(qemu);
}

static void end(void)
{
    CHECK_STR(fake_qemu_complaints(qemu), "");
    monitor_free(monitor);
    fake_qemu_free(qemu);
    loop_free(loop);
}

TEST(a_call_is_answered)
{
    struct answer answer = { 0 };

    begin();
    fake_qemu_answer(qemu, "query-status", "{\"status\": \"running\", \"running\": true}");
    monitor_call(monitor, "query-status", NULL, -1, 1000, keep, &answer);
    CHECK_EQ(answer.count, 0);
    loop_sim_advance(loop, 1);
    CHECK_EQ(answer.count, 1);
    CHECK_EQ(answer.err.code, ERR_NONE);
    CHECK_STR(answer.status, "running");
    end();
}

TEST(a_refusal_is_an_error)
{
    struct answer answer = { 0 };

    begin();
    fake_qemu_refuse(qemu, "device_del", "DeviceNotFound", "Device 'x' not found");
    monitor_call(monitor, "device_del", json_pack("{ss}", "id", "x"), -1, 1000, keep, &answer);
    loop_sim_advance(loop, 1);
    CHECK_EQ(answer.err.code, ERR_NOT_FOUND);
    CHECK_STR(answer.err.text, "Device 'x' not found");
    end();
}

TEST(a_silent_monitor_times_out_and_its_late_reply_is_dropped)
{
    struct answer answer = { 0 };

    begin();
    fake_qemu_ignore(qemu, "cont");
    monitor_call(monitor, "cont", NULL, -1, 1000, keep, &answer);
    loop_sim_advance(loop, 999);
    CHECK_EQ(answer.count, 0);
    loop_sim_advance(loop, 2);
    CHECK_EQ(answer.count, 1);
    CHECK_EQ(answer.err.code, ERR_TIMEOUT);
    fake_qemu_write(qemu, "{\"return\": {}, \"id\": 2}\n");
    loop_sim_advance(loop, 1);
    CHECK_EQ(answer.count, 1);
    CHECK(!is_lost);
    end();
}

TEST(a_descriptor_rides_on_its_own_command)
{
    struct answer answer = { 0 };
    struct stat sent, received;
    int pipe_ends[2];

    signal(SIGPIPE, SIG_IGN);
    begin();
    CHECK_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
    CHECK_EQ(fstat(pipe_ends[0], &sent), 0);
    monitor_call(monitor, "query-status", NULL, -1, 1000, NULL, NULL);
    monitor_call(monitor, "getfd", json_pack("{ss}", "fdname", "net"), pipe_ends[0], 1000, keep,
                 &answer);
    loop_sim_advance(loop, 1);
    CHECK_STR(fake_qemu_seen(qemu), "query-status\ngetfd {\"fdname\":\"net\"} +fd\n");
    CHECK_EQ(fstat(fake_qemu_last_fd(qemu), &received), 0);
    CHECK_EQ(received.st_ino, sent.st_ino);
    end();
    /* The monitor's copy and the fake's were the last readers. */
    CHECK_EQ(write(pipe_ends[1], "x", 1), -1);
    CHECK_EQ(errno, EPIPE);
    close(pipe_ends[1]);
}

TEST(events_come_through)
{
    begin();
    fake_qemu_event(qemu, "SHUTDOWN", "{\"guest\": true, \"reason\": \"guest-shutdown\"}");
    loop_sim_advance(loop, 1);
    CHECK_STR(last_event, "SHUTDOWN");
    end();
}

TEST(a_hang_up_ends_the_calls_and_is_told_once)
{
    struct answer answer = { 0 }, late = { 0 };

    begin();
    fake_qemu_ignore(qemu, "stop");
    monitor_call(monitor, "stop", NULL, -1, 1000, keep, &answer);
    loop_sim_advance(loop, 1);
    fake_qemu_free(take_pointer(qemu));
    loop_sim_advance(loop, 1);
    CHECK(is_lost);
    CHECK_EQ(lost_err.code, ERR_UNAVAILABLE);
    CHECK_EQ(answer.count, 1);
    CHECK_EQ(answer.err.code, ERR_UNAVAILABLE);
    monitor_call(monitor, "stop", NULL, -1, 1000, keep, &late);
    CHECK_EQ(late.count, 0);
    loop_sim_advance(loop, 1);
    CHECK_EQ(late.count, 1);
    CHECK_EQ(late.err.code, ERR_UNAVAILABLE);
    monitor_free(monitor);
    loop_free(loop);
}

TEST(nonsense_from_the_peer_loses_the_monitor)
{
    begin();
    fake_qemu_write(qemu, "nonsense\n");
    loop_sim_advance(loop, 1);
    CHECK(is_lost);
    CHECK_CONTAINS(lost_err.text, "speaks no QMP");
    end();
}

TEST(freeing_ends_the_calls_with_cancelled)
{
    struct answer answer = { 0 };

    begin();
    monitor_call(monitor, "stop", NULL, -1, 1000, keep, &answer);
    monitor_free(take_pointer(monitor));
    CHECK_EQ(answer.count, 1);
    CHECK_EQ(answer.err.code, ERR_CANCELLED);
    CHECK(!is_lost);
    end();
}

TEST(it_may_be_freed_from_inside_a_reply_and_an_event)
{
    struct answer answer = { 0 }, other = { 0 };

    begin();
    monitor_call(monitor, "stop", NULL, -1, 1000, keep, &answer);
    monitor_call(monitor, "cont", NULL, -1, 1000, keep, &other);
    free_in_callback = true;
    loop_sim_advance(loop, 1);
    CHECK_EQ(answer.count + other.count, 2);
    end();
    begin();
    free_in_callback = true;
    fake_qemu_event(qemu, "STOP", NULL);
    fake_qemu_event(qemu, "RESUME", NULL);
    loop_sim_advance(loop, 1);
    CHECK_STR(last_event, "STOP");
    end();
}

TEST(a_peer_that_never_greets_is_given_up)
{
    int ends[2];

    is_ready = is_lost = false;
    loop = loop_sim_new(3);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    monitor = monitor_new(loop, ends[0], &hooks, NULL);
    loop_sim_advance(loop, MONITOR_HANDSHAKE_MS + 1);
    CHECK(is_lost);
    CHECK_EQ(lost_err.code, ERR_TIMEOUT);
    close(ends[1]);
    monitor_free(monitor);
    loop_free(loop);
}

TEST(the_fake_refuses_what_the_schema_does_not_allow)
{
    auto_clean(qmp_schema_free_auto) struct qmp_schema *schema =
        qmp_schema_load("qmp-schema-7.2.json.gz");
    auto_json json_t *good =
        json_pack("{ss,ss,ss}", "driver", "file", "node-name", "a", "filename", "/dev/fdset/1");
    auto_json json_t *bad =
        json_pack("{ss,ss,ss}", "driver", "file", "node-name", "a", "flename", "/dev/fdset/1");
    struct err err;

    CHECK_OK(qmp_schema_check(schema, "blockdev-add", good, &err), &err);
    CHECK_FAILS(qmp_schema_check(schema, "blockdev-add", bad, &err), &err, ERR_INVALID);
    CHECK_CONTAINS(err.text, "filename: missing");
    CHECK_FAILS(qmp_schema_check(schema, "blockdev-adder", good, &err), &err, ERR_UNSUPPORTED);
    json_object_set_new(good, "extra", json_true());
    CHECK_FAILS(qmp_schema_check(schema, "blockdev-add", good, &err), &err, ERR_INVALID);
    CHECK_CONTAINS(err.text, "extra: no such member");
}

TEST(a_monitor_that_talks_without_end_is_made_to_wait)
{
    struct answer answer = { 0 };
    auto_buf struct buf events = { 0 };

    begin();
    while (events.size < 60 * 1000)
        buf_add_text(&events, "{\"event\": \"STOP\"}\n");
    /* More than one turn takes, and yet the reply behind it all arrives. */
    fake_qemu_write(qemu, events.bytes);
    fake_qemu_write(qemu, events.bytes);
    monitor_call(monitor, "cont", NULL, -1, 1000, keep, &answer);
    loop_sim_advance(loop, 5);
    CHECK_EQ(answer.count, 0);
    loop_sim_advance(loop, 50);
    CHECK_EQ(answer.count, 1);
    CHECK_EQ(answer.err.code, ERR_NONE);
    end();
}
