#include "check.h"
#include <errno.h>
#include <string.h>

TEST(set_fills_code_and_text_and_returns_minus_one)
{
    struct err err;

    CHECK_EQ(err_set(&err, ERR_INVALID, "cpus is %d", 0), -1);
    CHECK_EQ(err.code, ERR_INVALID);
    CHECK_STR(err.text, "cpus is 0");
}

TEST(set_may_use_the_text_it_replaces)
{
    struct err err;

    err_set(&err, ERR_IO, "disk");
    err_set(&err, ERR_INTERNAL, "%s, again %s", err.text, err.text);
    CHECK_STR(err.text, "disk, again disk");
}

TEST(wrap_puts_context_before_the_text_and_keeps_the_code)
{
    struct err err;

    err_set(&err, ERR_NOT_FOUND, "no /dev/net/tun");
    CHECK_EQ(err_wrap(&err, "%s", "NetworkAttached"), -1);
    err_wrap(&err, "vm-%c", 'a');
    CHECK_STR(err.text, "vm-a: NetworkAttached: no /dev/net/tun");
    CHECK_EQ(err.code, ERR_NOT_FOUND);
}

TEST(long_texts_are_cut_to_the_buffer)
{
    char text[2000];
    struct err err;

    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    err_set(&err, ERR_IO, "%s", text);
    CHECK_EQ(strlen(err.text), ERR_TEXT_MAX - 1);
    err_wrap(&err, "%s", text);
    CHECK_EQ(strlen(err.text), ERR_TEXT_MAX - 1);
    errno = ENOENT;
    err_errno(&err, "%s", text);
    CHECK_EQ(strlen(err.text), ERR_TEXT_MAX - 1);
}

/* An error text becomes JSON, which takes whole characters only. */
TEST(a_cut_never_falls_inside_a_character)
{
    static const char *const characters[] = { "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };

    for (size_t i = 0; i < 3; i++) {
        for (int shift = 0; shift < 4; shift++) {
            char text[1200] = "aaa";
            size_t width = strlen(characters[i]);
            struct err err;

            text[shift] = '\0';
            while (strlen(text) < 1000)
                strcat(text, characters[i]);
            err_set(&err, ERR_IO, "%s", text);
            CHECK_EQ((strlen(err.text) - (size_t)shift) % width, 0);
            CHECK(strlen(err.text) > ERR_TEXT_MAX - 1 - width);
        }
    }
}

TEST(errno_decides_the_code)
{
    static const struct {
        int number;
        enum err_code code;
        const char *text;
    } rows[] = {
        { ENOENT, ERR_NOT_FOUND, "open x: No such file or directory" },
        { ENOSPC, ERR_NO_SPACE, "open x: No space left on device" },
        { EDQUOT, ERR_NO_SPACE, "open x: Disk quota exceeded" },
        { EEXIST, ERR_ALREADY_EXISTS, "open x: File exists" },
        { EACCES, ERR_FORBIDDEN, "open x: Permission denied" },
        { EPERM, ERR_FORBIDDEN, "open x: Operation not permitted" },
        { ETIMEDOUT, ERR_TIMEOUT, "open x: Connection timed out" },
        { EBADF, ERR_IO, "open x: Bad file descriptor" },
        { 99999, ERR_IO, "open x: error 99999" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err err;

        errno = rows[i].number;
        CHECK_EQ(err_errno(&err, "open %s", "x"), -1);
        CHECK_EQ(err.code, rows[i].code);
        CHECK_STR(err.text, rows[i].text);
    }
}

TEST(each_code_has_status_reason_and_name)
{
    CHECK_EQ(err_http_status(ERR_COMPACTED), 410);
    CHECK_STR(err_reason(ERR_COMPACTED), "Expired");
    CHECK(err_is_retried(ERR_COMPACTED));
    CHECK(!err_is_retried(ERR_INVALID));
    CHECK_STR(err_code_name(ERR_NOT_FOUND), "ERR_NOT_FOUND");
    for (unsigned code = ERR_NONE + 1; code < ERR_CODE_COUNT; code++) {
        CHECK(err_http_status((enum err_code)code) >= 400);
        CHECK(err_reason((enum err_code)code)[0]);
    }
}

TEST(clear_leaves_no_error)
{
    struct err err;

    err_set(&err, ERR_IO, "x");
    err_clear(&err);
    CHECK_EQ(err.code, ERR_NONE);
    CHECK_STR(err.text, "");
}
