#include "scratch.h"
#include "base/files.h"
#include "base/journal.h"
#include "base/str.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *folder;

static struct journal begin(size_t segment_bytes_max, unsigned segments_max)
{
    static char path[128];

    folder = scratch_new();
    snprintf(path, sizeof path, "%s/lines", folder);
    return (struct journal){ path, segment_bytes_max, segments_max };
}

static void end(void)
{
    scratch_remove(folder);
}

static void append(const struct journal *journal, const char *lines)
{
    struct err err;

    CHECK_OK(journal_append(journal, lines, strlen(lines), &err), &err);
}

static bool collect(void *arg, const char *line, size_t size)
{
    buf_printf(arg, "%.*s|", (int)size, line);
    return true;
}

static void check_lines(const struct journal *journal, const char *expected)
{
    auto_buf struct buf lines = { 0 };
    struct err err;

    buf_add_text(&lines, "");
    CHECK_OK(journal_read(journal, collect, &lines, &err), &err);
    CHECK_STR(lines.size ? lines.bytes : "", expected);
}

TEST(lines_come_back_in_the_order_they_were_written)
{
    struct journal journal = begin(1000, 3);

    check_lines(&journal, "");
    append(&journal, "one\ntwo\n");
    append(&journal, "three\n");
    check_lines(&journal, "one|two|three|");
    end();
}

TEST(the_oldest_segment_goes_when_the_newest_is_full)
{
    struct journal journal = begin(10, 3);

    append(&journal, "aaaa\n");
    append(&journal, "bbbb\n"); /* no room with the first */
    append(&journal, "cccc\n");
    check_lines(&journal, "aaaa|bbbb|cccc|");
    append(&journal, "dddd\n");
    check_lines(&journal, "bbbb|cccc|dddd|");
    end();
}

TEST(a_single_segment_begins_anew_when_it_is_full)
{
    struct journal journal = begin(10, 1);

    append(&journal, "aaaa\n");
    append(&journal, "bbbb\n");
    check_lines(&journal, "bbbb|");
    end();
}

TEST(a_torn_last_line_is_skipped_and_spoils_no_other)
{
    struct journal journal = begin(1000, 2);
    struct err err;
    int fd;

    append(&journal, "whole\n");
    fd = open(journal.path, O_WRONLY | O_APPEND | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_OK(write_all(fd, "tor", 3, &err), &err);
    close(fd);
    check_lines(&journal, "whole|");
    append(&journal, "next\n");
    check_lines(&journal, "whole|tor|next|"); /* now it is a line, that its reader can't read */
    end();
}

TEST(a_line_that_is_too_long_is_left_out)
{
    struct journal journal = begin(1000 * 1000, 2);
    auto_buf struct buf line = { 0 };

    for (int i = 0; i < JOURNAL_LINE_MAX + 10; i++)
        buf_add_char(&line, 'x');
    buf_add_char(&line, '\n');
    append(&journal, "before\n");
    append(&journal, line.bytes);
    append(&journal, "after\n");
    check_lines(&journal, "before|after|");
    end();
}

static bool only_one(void *arg, const char *line, size_t size)
{
    (*(int *)arg)++;
    return false;
}

TEST(a_reader_may_stop_early)
{
    struct journal journal = begin(1000, 2);
    struct err err;
    int seen = 0;

    append(&journal, "one\ntwo\n");
    CHECK_OK(journal_read(&journal, only_one, &seen, &err), &err);
    CHECK_EQ(seen, 1);
    end();
}

TEST(a_folder_that_is_not_there_is_an_error)
{
    struct journal journal = { "/nonexistent/folder/lines", 1000, 2 };
    struct err err;

    CHECK_FAILS(journal_append(&journal, "one\n", 4, &err), &err, ERR_NOT_FOUND);
    CHECK_CONTAINS(err.text, "/nonexistent/folder/lines");
}
