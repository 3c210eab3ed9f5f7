/* base/log.c - one write(2) per line, so that lines of several processes never mix. */
#include "base/log.h"
#include "base/quantity.h"
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE_MAX = 2048 };

static const struct {
    const char *name;
    int priority; /* syslog's, as the journal wants it */
} levels[] = {
    [LOG_LEVEL_ERROR] = { "error", 3 },
    [LOG_LEVEL_WARNING] = { "warning", 4 },
    [LOG_LEVEL_INFO] = { "info", 6 },
    [LOG_LEVEL_DEBUG] = { "debug", 7 },
};

static enum log_level level_max = LOG_LEVEL_INFO;

void log_set_level(enum log_level level) { level_max = level; }

/* The journal names the descriptor it gave us in JOURNAL_STREAM; standard error may have been
 * redirected since. */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat status;

    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

/* "<3>" for the journal, which keeps the time itself, else "2026-11-21T02:13:36.123Z error: ". */
static size_t start_line(enum log_level level, char *line)
{
    struct timespec now;
    char second[TIME_TEXT_SIZE];
    int length;

    if (is_journal()) {
        length = snprintf(line, LINE_SIZE_MAX, "<%d>", levels[level].priority);
        return (size_t)length;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    time_format(now.tv_sec * 1000LL, second, sizeof second);
    length = snprintf(line, LINE_SIZE_MAX, "%.19s.%03ldZ %s: ", second, now.tv_nsec / 1000000,
                      levels[level].name);
    return (size_t)length;
}

/* Names and guest output get into texts: no control character of theirs may start a line
 * or drive a terminal. */
static void blank_controls(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = ' ';
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[LINE_SIZE_MAX + 1]; /* and the newline */
    size_t start, length;
    int saved = errno;
    int added;
    va_list args;

    if (level > level_max)
        return;
    start = start_line(level, line);
    va_start(args, format);
    added = vsnprintf(line + start, LINE_SIZE_MAX - start, format, args);
    va_end(args);
    length = start + (added < 0 ? 0 : (size_t)added);
    if (length > LINE_SIZE_MAX - 1)
        length = LINE_SIZE_MAX - 1;
    blank_controls(line + start, length - start);
    line[length++] = '\n';
    if (write(STDERR_FILENO, line, length) < 0) {
        /* nowhere is left to report it */
    }
    errno = saved;
}
