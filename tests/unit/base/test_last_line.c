#include "check.h"
#include "base/auto.h"
#include "base/last_line.h"
#include <string.h>

static void check_line(const char *text, const char *expected)
{
    auto_free char *line = last_line(text, strlen(text), "prog");

    CHECK_STR(line, expected);
}

TEST(the_last_line_with_anything_in_it_counts)
{
    check_line("one\ntwo\n", "two");
    check_line("one\ntwo", "two");
    check_line("one\n \t\n\n", "one");
    check_line("  padded \n", "padded");
    check_line("one", "one");
    check_line("", "");
    check_line("\n\n", "");
    auto_free char *none = last_line(NULL, 0, "prog");
    CHECK_STR(none, "");
}

TEST(progress_that_overwrites_itself_ends_a_line)
{
    check_line("10%\r20%\rno space left\r", "no space left");
}

TEST(the_name_of_the_program_is_not_repeated)
{
    check_line("prog: bad disk\n", "bad disk");
    check_line("progress: bad disk\n", "progress: bad disk");
    check_line("prog: \n", "prog:");
}

TEST(what_is_no_text_is_made_readable)
{
    check_line("a\tb\033[31mc\x7f", "a b?[31mc?");
    check_line("caf\xc3\xa9 \xe2\x80\x98x\xe2\x80\x99 \xf0\x9f\x98\x80",
               "caf\xc3\xa9 \xe2\x80\x98x\xe2\x80\x99 \xf0\x9f\x98\x80");
    check_line("\xff\xc3(\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x80",
               "\?\?(\?\?|\?\?\?|\?\?\?\?|\?\?");
}

TEST(only_the_given_size_is_read)
{
    auto_free char *line = last_line("abcdef", 3, "prog");

    CHECK_STR(line, "abc");
}
