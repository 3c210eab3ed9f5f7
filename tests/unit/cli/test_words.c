#include "check.h"
#include "base/str.h"
#include "cli/ports.h"
#include "cli/progress.h"
#include "cli/shell.h"

TEST(ports_are_pairs_of_here_and_there)
{
    struct port_pair pair;
    struct err err;

    CHECK_OK(port_pair_parse("8080:80", &pair, &err), &err);
    CHECK_EQ(pair.local, 8080);
    CHECK_EQ(pair.remote, 80);
    CHECK_OK(port_pair_parse("22", &pair, &err), &err);
    CHECK_EQ(pair.local, 22);
    CHECK_EQ(pair.remote, 22);
    CHECK_OK(port_pair_parse(":443", &pair, &err), &err);
    CHECK_EQ(pair.local, 0);
    CHECK_EQ(pair.remote, 443);
}

TEST(what_is_no_port_is_refused)
{
    static const char *const bad[] = { "",      "x",    "80:",   "80:0",   "1:2:3", "65536",
                                       "-1",    "80:x", " 80",   "80 ",    "0x10",  "1:65536",
                                       "99999999999999999999:80" };
    struct port_pair pair = { 7, 7 };
    struct err err;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_FAILS(port_pair_parse(bad[i], &pair, &err), &err, ERR_BAD_REQUEST);
    CHECK_EQ(pair.local, 7);
}

TEST(a_quoted_word_is_one_word_to_the_shell)
{
    auto_free char *plain = shell_quote("web"), *hostile = shell_quote("a'; rm -rf $HOME `x`"),
                   *empty = shell_quote("");

    CHECK_STR(plain, "'web'");
    CHECK_STR(hostile, "'a'\\''; rm -rf $HOME `x`'");
    CHECK_STR(empty, "''");
}

TEST(ssh_expands_nothing_in_an_escaped_command)
{
    auto_free char *text = ssh_escape("/a%h/b %% c");

    CHECK_STR(text, "/a%%h/b %%%% c");
}

TEST(a_progress_bar_fills_as_bytes_come)
{
    auto_free char *none = progress_bar(0, 4096, 0), *half = progress_bar(2048, 4096, 1000),
                   *all = progress_bar(4096, 4096, 500), *unknown = progress_bar(2048, -1, 1000);

    CHECK_STR(none, "[------------------------]   0% of 4Ki, 0/s");
    CHECK_STR(half, "[############------------]  50% of 4Ki, 2Ki/s");
    CHECK_STR(all, "[########################] 100% of 4Ki, 8Ki/s");
    CHECK_STR(unknown, "2Ki, 2Ki/s");
}
