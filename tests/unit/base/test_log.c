#include "check.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Standard error goes into a pipe between capture() and captured(). */
static int saved_stderr;
static int read_end;

static void capture(void)
{
    int ends[2];

    saved_stderr = dup(STDERR_FILENO);
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    read_end = ends[0];
}

static const char *captured(void)
{
    static char text[8192];
    ssize_t got;

    dup2(saved_stderr, STDERR_FILENO); /* the last writer is gone: read() meets the end */
    close(saved_stderr);
    got = read(read_end, text, sizeof text - 1);
    close(read_end);
    text[got > 0 ? got : 0] = '\0';
    return text;
}

TEST(a_line_has_time_level_and_text)
{
    capture();
    errno = EDOM;
    log_error("vm-%c: %s", 'a', "gone");
    int kept = errno;
    const char *line = captured();
    CHECK_EQ(kept, EDOM);
    CHECK_STR(line + strlen("2026-11-21T02:13:36.123"), "Z error: vm-a: gone\n");
    CHECK_EQ(line[10], 'T');
}

TEST(the_level_decides_what_is_written)
{
    capture();
    log_debug("hidden");
    log_info("shown");
    log_set_level(LOG_LEVEL_WARNING);
    log_info("hidden");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("seen");
    log_set_level(LOG_LEVEL_INFO);
    const char *lines = captured();
    CHECK_CONTAINS(lines, "info: shown\n");
    CHECK_CONTAINS(lines, "debug: seen\n");
    CHECK(!strstr(lines, "hidden"));
}

TEST(nothing_in_a_text_starts_a_line_or_drives_a_terminal)
{
    capture();
    log_info("a\nb\x1b[2Jc\r\x7f\xc3\xa4");
    CHECK_CONTAINS(captured(), "info: a b [2Jc  \xc3\xa4\n");
}

TEST(long_lines_are_cut_and_still_end)
{
    char text[5000];

    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    capture();
    log_info("%s", text);
    log_info("next");
    const char *lines = captured();
    size_t first = strcspn(lines, "\n");
    CHECK(first > 1900 && first <= 2048);
    CHECK_CONTAINS(lines + first, "info: next\n");
}

TEST(the_journal_gets_a_priority_instead_of_a_time)
{
    struct stat status;
    char stream[64];

    capture();
    int failed = fstat(STDERR_FILENO, &status);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_warning("full");
    log_error("gone");
    setenv("JOURNAL_STREAM", "1:1", 1);
    log_info("redirected");
    unsetenv("JOURNAL_STREAM");
    const char *lines = captured();
    CHECK_EQ(failed, 0);
    CHECK_EQ(strncmp(lines, "<4>full\n<3>gone\n2", 17), 0);
}
