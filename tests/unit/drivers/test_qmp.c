#include "check.h"
#include "drivers/compute/qemu/qmp.h"
#include <stdlib.h>
#include <string.h>

static const char greeting[] =
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}}, "
    "\"capabilities\": []}}\r\n";

static struct qmp qmp;
static struct qmp_message message;

static void feed(const char *text) { qmp_feed(&qmp, text, strlen(text)); }

static enum qmp_kind next(void)
{
    qmp_message_done(&message);
    return qmp_next(&qmp, &message);
}

static void begin(void)
{
    qmp_init(&qmp);
    message = (struct qmp_message){ 0 };
}

static void end(void)
{
    qmp_message_done(&message);
    qmp_done(&qmp);
}

static void begin_ready(void)
{
    begin();
    feed(greeting);
    feed("{\"return\": {}, \"id\": 1}\r\n");
    CHECK_EQ(next(), QMP_IS_READY);
    buf_clear(&qmp.out);
}

static uint64_t command(const char *name)
{
    struct err err;
    uint64_t id;

    CHECK_OK(qmp_command(&qmp, name, NULL, &id, &err), &err);
    return id;
}

static void expect_failure(const char *part)
{
    CHECK_EQ(next(), QMP_FAILED);
    CHECK_EQ(message.err.code, ERR_IO);
    CHECK_CONTAINS(message.err.text, part);
    CHECK_EQ(next(), QMP_NOTHING);
    CHECK_EQ(qmp.state, QMP_BROKEN);
}

TEST(a_greeting_is_answered_with_the_capabilities)
{
    begin();
    feed(greeting);
    CHECK_EQ(next(), QMP_NOTHING);
    CHECK_EQ(qmp.state, QMP_NEGOTIATING);
    CHECK_STR(qmp.version, "7.2.22");
    CHECK_STR(qmp.out.bytes, "{\"execute\":\"qmp_capabilities\",\"id\":1}\n");
    feed("{\"return\": {}, \"id\": 1}\n");
    CHECK_EQ(next(), QMP_IS_READY);
    CHECK_EQ(qmp.state, QMP_READY);
    end();
}

TEST(messages_arrive_whole_however_the_bytes_are_cut)
{
    char text[400];

    begin();
    snprintf(text, sizeof text, "%s{\"return\": {}, \"id\": 1}\r\n{\"event\": \"STOP\"}\n",
             greeting);
    for (size_t i = 0; text[i]; i++) {
        enum qmp_kind kind;

        qmp_feed(&qmp, &text[i], 1);
        kind = next();
        if (kind == QMP_EVENT)
            CHECK_EQ(text[i + 1], '\0');
    }
    CHECK_EQ(qmp.state, QMP_READY);
    CHECK_STR(message.event, "STOP");
    end();
}

TEST(several_messages_in_one_chunk_come_one_by_one)
{
    begin_ready();
    feed("{\"event\": \"STOP\"}\n\r\n{\"event\": \"RESUME\", \"data\": {\"a\": 1}}\n{\"eve");
    CHECK_EQ(next(), QMP_EVENT);
    CHECK_STR(message.event, "STOP");
    CHECK(!message.data);
    CHECK_EQ(next(), QMP_EVENT);
    CHECK_EQ(json_int_at(message.data, "a", 0), 1);
    CHECK_EQ(next(), QMP_NOTHING);
    feed("nt\": \"RESET\"}\n");
    CHECK_EQ(next(), QMP_EVENT);
    CHECK_STR(message.event, "RESET");
    end();
}

TEST(replies_are_matched_by_id_in_any_order)
{
    uint64_t first, second;
    char text[100];

    begin_ready();
    first = command("query-status");
    second = command("query-block");
    CHECK(first != second);
    snprintf(text, sizeof text, "{\"return\": [2], \"id\": %d}\n{\"return\": {}, \"id\": %d}\n",
             (int)second, (int)first);
    feed(text);
    CHECK_EQ(next(), QMP_REPLY);
    CHECK_EQ(message.id, second);
    CHECK(json_is_array(message.result));
    CHECK_EQ(next(), QMP_REPLY);
    CHECK_EQ(message.id, first);
    end();
}

TEST(errors_carry_the_class_and_a_printable_reason)
{
    char text[200];

    begin_ready();
    snprintf(text, sizeof text,
             "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"Device\\n\\u001b[31mx\"}, "
             "\"id\": %d}\n",
             (int)command("device_del"));
    feed(text);
    CHECK_EQ(next(), QMP_REPLY);
    CHECK_EQ(message.err.code, ERR_NOT_FOUND);
    CHECK_STR(message.err.text, "Device  [31mx");
    end();
}

TEST(arguments_travel_as_given)
{
    auto_json json_t *arguments = json_pack("{si}", "value", 5);
    struct err err;
    uint64_t id;

    begin_ready();
    CHECK_OK(qmp_command(&qmp, "balloon", arguments, &id, &err), &err);
    CHECK_STR(qmp.out.bytes, "{\"execute\":\"balloon\",\"arguments\":{\"value\":5},\"id\":2}\n");
    end();
}

TEST(no_command_before_the_handshake)
{
    struct err err;
    uint64_t id;

    begin();
    CHECK_FAILS(qmp_command(&qmp, "cont", NULL, &id, &err), &err, ERR_UNAVAILABLE);
    feed(greeting);
    CHECK_EQ(next(), QMP_NOTHING);
    CHECK_FAILS(qmp_command(&qmp, "cont", NULL, &id, &err), &err, ERR_UNAVAILABLE);
    end();
}

TEST(commands_without_reply_are_bounded)
{
    struct err err;
    uint64_t id;

    begin_ready();
    for (int i = 0; i < QMP_PENDING_MAX; i++)
        (void)command("query-status");
    CHECK_FAILS(qmp_command(&qmp, "cont", NULL, &id, &err), &err, ERR_EXHAUSTED);
    end();
}

TEST(unsigned_numbers_beyond_int64_are_clamped)
{
    begin_ready();
    feed("{\"event\": \"X\", \"data\": {\"a\": 18446744073709551615, \"b\": 9223372036854775807, "
         "\"c\": 9223372036854775808, \"d\": \"18446744073709551615 \\\" 18446744073709551615\", "
         "\"e\": -18446744073709551615, \"f\": 0.12345678901234567890123}}\n");
    CHECK_EQ(next(), QMP_EVENT);
    CHECK_EQ(json_int_at(message.data, "a", 0), INT64_MAX);
    CHECK_EQ(json_int_at(message.data, "b", 0), INT64_MAX);
    CHECK_EQ(json_int_at(message.data, "c", 0), INT64_MAX);
    CHECK_EQ(json_int_at(message.data, "e", 0), -INT64_MAX);
    CHECK_STR(json_text_at(message.data, "d", ""), "18446744073709551615 \" 18446744073709551615");
    CHECK(json_is_real(json_object_get(message.data, "f")));
    end();
}

/* --- hostile input --- */

TEST(a_peer_that_does_not_greet_is_refused)
{
    begin();
    feed("{\"return\": {}}\n");
    expect_failure("no greeting");
    end();
}

TEST(what_is_no_json_object_ends_the_conversation)
{
    static const char *const rows[] = {
        "hello\n", "[]\n", "1\n", "{\"a\": }\n", "{}\n", "\"x\"\n"
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin_ready();
        feed(rows[i]);
        expect_failure("speaks no QMP");
        end();
    }
}

TEST(replies_that_nobody_waits_for_are_refused)
{
    static const char *const rows[] = { "{\"return\": {}}\n", "{\"return\": {}, \"id\": 2}\n",
                                        "{\"return\": {}, \"id\": \"x\"}\n",
                                        "{\"error\": {}, \"id\": -1}\n",
                                        "{\"return\": {}, \"id\": 1}\n" };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin_ready();
        feed(rows[i]);
        expect_failure("nobody waits for");
        end();
    }
}

TEST(one_reply_answers_one_command)
{
    char text[100];

    begin_ready();
    snprintf(text, sizeof text, "{\"return\": {}, \"id\": %d}\n", (int)command("cont"));
    feed(text);
    CHECK_EQ(next(), QMP_REPLY);
    feed(text);
    expect_failure("nobody waits for");
    end();
}

TEST(a_message_without_end_is_cut_off)
{
    char chunk[64 * 1024];

    memset(chunk, ' ', sizeof chunk);
    begin_ready();
    for (size_t fed = 0; fed <= QMP_LINE_SIZE_MAX; fed += sizeof chunk) {
        qmp_feed(&qmp, chunk, sizeof chunk);
        if (qmp.state != QMP_BROKEN)
            CHECK_EQ(next(), QMP_NOTHING);
    }
    expect_failure("without end");
    CHECK(qmp.in.size <= QMP_LINE_SIZE_MAX);
    end();
}

TEST(a_long_event_name_is_cut)
{
    begin_ready();
    feed("{\"event\": \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\", "
         "\"data\": 3}\n");
    CHECK_EQ(next(), QMP_EVENT);
    CHECK_EQ(strlen(message.event), sizeof message.event - 1);
    CHECK(!message.data);
    end();
}

TEST(the_buffer_of_a_large_reply_is_given_back)
{
    auto_buf struct buf text = { 0 };

    begin_ready();
    buf_printf(&text, "{\"return\": \"");
    for (int i = 0; i < 200000; i++)
        buf_add_char(&text, 'x');
    buf_printf(&text, "\", \"id\": %d}\n", (int)command("query-qmp-schema"));
    feed(text.bytes);
    CHECK_EQ(next(), QMP_REPLY);
    CHECK_EQ(next(), QMP_NOTHING);
    CHECK_EQ(qmp.in.capacity, 0);
    end();
}
