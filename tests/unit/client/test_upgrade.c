#include "check.h"
#include "client/upgrade.h"
#include <string.h>

/* The example of RFC 6455, section 1.3. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define GOOD                                                                                       \
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: Upgrade\r\n"            \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \r\n\r\n"

static int parse(const char *text, struct upgrade_answer *ret_answer, struct err *err)
{
    return upgrade_parse(text, strlen(text), KEY, ret_answer, err);
}

TEST(the_answer_of_the_standard_is_taken)
{
    struct upgrade_answer answer;
    struct err err;

    CHECK_EQ(parse(GOOD "frame", &answer, &err), 1);
    CHECK_EQ(answer.status, 101);
    CHECK_EQ(answer.head_size, strlen(GOOD));
    CHECK_EQ(answer.content_length, -1);
}

TEST(half_an_answer_is_waited_for)
{
    struct upgrade_answer answer;
    struct err err;

    for (size_t size = 0; size < strlen(GOOD); size++)
        CHECK_EQ(upgrade_parse(GOOD, size, KEY, &answer, &err), 0);
}

TEST(an_answer_to_another_key_is_refused)
{
    struct upgrade_answer answer;
    struct err err;

    CHECK_FAILS(upgrade_parse(GOOD, strlen(GOOD), "x3JJHMbDL1EzLkh9GBhXDw==", &answer, &err), &err,
                ERR_UNAVAILABLE);
    CHECK_FAILS(parse("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", &answer, &err),
                &err, ERR_UNAVAILABLE);
}

TEST(a_refusal_says_its_status_and_the_size_of_its_body)
{
    struct upgrade_answer answer;
    struct err err;

    CHECK_EQ(parse("HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\n\r\n{}", &answer, &err), 1);
    CHECK_EQ(answer.status, 404);
    CHECK_EQ(answer.content_length, 12);
    CHECK_EQ(parse("HTTP/1.1 500 x\r\nContent-Length: -5\r\n\r\n", &answer, &err), 1);
    CHECK_EQ(answer.content_length, -1);
}

TEST(what_is_no_http_is_refused)
{
    struct upgrade_answer answer;
    auto_free char *endless = str_printf("HTTP/1.1 101 %*s", UPGRADE_HEAD_MAX, "");
    struct err err;

    CHECK_FAILS(parse("SSH-2.0-OpenSSH_9.2\r\n\r\n", &answer, &err), &err, ERR_UNAVAILABLE);
    CHECK_FAILS(parse("HTTP/1.1 1x1 Odd\r\n\r\n", &answer, &err), &err, ERR_UNAVAILABLE);
    CHECK_FAILS(parse("\r\n\r\n", &answer, &err), &err, ERR_UNAVAILABLE);
    CHECK_FAILS(parse(endless, &answer, &err), &err, ERR_UNAVAILABLE);
}

TEST(a_request_carries_the_key_and_the_token)
{
    char key[UPGRADE_KEY_LENGTH + 1], other[UPGRADE_KEY_LENGTH + 1];

    upgrade_key(key);
    upgrade_key(other);
    CHECK_EQ(strlen(key), UPGRADE_KEY_LENGTH);
    CHECK(strcmp(key, other) != 0);

    auto_free char *plain = upgrade_request("localhost", "/x?y=1", key, NULL);
    auto_free char *with_token = upgrade_request("h:1", "/x", key, "secret");
    CHECK(str_starts(plain, "GET /x?y=1 HTTP/1.1\r\nHost: localhost\r\n"));
    CHECK_CONTAINS(plain, key);
    CHECK(!strstr(plain, "Authorization"));
    CHECK(str_ends(plain, "\r\n\r\n"));
    CHECK_CONTAINS(with_token, "\r\nAuthorization: Bearer secret\r\n\r\n");
}
