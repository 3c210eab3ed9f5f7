#include "check.h"
#include "drivers/compute/qemu/agent_protocol.h"
#include <string.h>

static struct agent_protocol protocol;
static struct agent_message message;
static struct buf out;

static void begin(void)
{
    agent_protocol_init(&protocol);
    out = (struct buf){ 0 };
    message = (struct agent_message){ 0 };
}

static void end(void)
{
    agent_message_done(&message);
    agent_protocol_done(&protocol);
    buf_done(&out);
}

static enum agent_kind hear(const char *bytes)
{
    agent_message_done(&message);
    agent_protocol_feed(&protocol, bytes, strlen(bytes));
    return agent_protocol_next(&protocol, &message);
}

static void begin_synced(void)
{
    begin();
    agent_protocol_sync(&protocol, 7, &out);
    CHECK_EQ(hear("\xff{\"return\": 7}\n"), AGENT_SYNCED);
    buf_clear(&out);
}

TEST(a_sync_begins_with_the_mark_and_repeats_our_number)
{
    begin();
    agent_protocol_sync(&protocol, 7, &out);
    CHECK_STR(out.bytes, "\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":7}}\n");
    CHECK_EQ(hear("\xff{\"return\": 7}\n"), AGENT_SYNCED);
    CHECK_EQ(protocol.state, AGENT_READY);
    end();
}

TEST(what_was_said_before_the_mark_is_forgotten)
{
    begin();
    agent_protocol_sync(&protocol, 7, &out);
    CHECK_EQ(hear("{\"return\": {}}\nlogin: "), AGENT_NOTHING);
    CHECK_EQ(hear("\xff{\"ret"), AGENT_NOTHING);
    CHECK_EQ(hear("urn\": 7}\n"), AGENT_SYNCED);
    end();
}

TEST(the_answer_to_an_older_sync_is_passed_over)
{
    begin();
    agent_protocol_sync(&protocol, 7, &out);
    CHECK_EQ(hear("\xff{\"return\": 6}\n"), AGENT_NOTHING);
    CHECK_EQ(hear("\xff{\"return\": 7}\n"), AGENT_SYNCED);
    end();
}

TEST(a_guest_that_never_answers_a_sync_costs_bounded_memory)
{
    char noise[8192];
    enum agent_kind kind = AGENT_NOTHING;

    memset(noise, 'x', sizeof noise - 1);
    noise[sizeof noise - 1] = '\0';
    begin();
    agent_protocol_sync(&protocol, 7, &out);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(hear(noise), AGENT_NOTHING);
    CHECK_EQ(protocol.in.size, 0);
    CHECK_EQ(hear("\xff"), AGENT_NOTHING);
    for (int i = 0; i < 100 && kind == AGENT_NOTHING; i++)
        kind = hear(noise);
    CHECK_EQ(kind, AGENT_BROKEN);
    CHECK_EQ(message.err.code, ERR_IO);
    end();
}

TEST(a_command_is_answered_by_a_return_or_an_error)
{
    auto_json json_t *arguments = json_pack("{si}", "pid", 3);

    begin_synced();
    agent_protocol_command(&protocol, "guest-exec-status", arguments, &out);
    CHECK_STR(out.bytes, "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":3}}\n");
    CHECK_EQ(hear("{\"return\": {\"exited\": true}}\n"), AGENT_REPLY);
    CHECK(json_bool_at(message.result, "exited", false));
    agent_protocol_command(&protocol, "guest-x", NULL, &out);
    CHECK_EQ(hear("{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no\\nsuch\"}}\n"),
             AGENT_REPLY);
    CHECK_EQ(message.err.code, ERR_UNSUPPORTED);
    CHECK_STR(message.err.text, "guest agent: no such");
    end();
}

TEST(nonsense_must_be_followed_by_a_sync)
{
    static const char *const rows[] = { "nonsense\n", "[]\n", "{}\n", "\n" };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin_synced();
        agent_protocol_command(&protocol, "guest-ping", NULL, &out);
        CHECK_EQ(hear(rows[i]), AGENT_BROKEN);
        CHECK_EQ(protocol.state, AGENT_DEAF);
        CHECK_EQ(hear("{\"return\": {}}\n"), AGENT_NOTHING);
        end();
    }
}

TEST(what_is_said_without_being_asked_is_not_kept)
{
    begin_synced();
    CHECK_EQ(hear("{\"return\": {}}\n"), AGENT_NOTHING);
    CHECK_EQ(protocol.in.size, 0);
    end();
}
