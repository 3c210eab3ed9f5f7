/* cli/progress.c - see progress.h */
#include "cli/progress.h"
#include "base/quantity.h"
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH_USUAL = 80, BAR_WIDTH = 24 };

static size_t terminal_width(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : WIDTH_USUAL;
}

/* Bytes of the first 'width' characters. */
static size_t cut(const char *text, size_t width)
{
    size_t at = 0, left = strlen(text);

    while (left && width--) {
        size_t size = str_utf8_size(text + at, left);

        size += !size;
        at += size;
        left -= size;
    }
    return at;
}

void progress_show(const struct session *session, const char *text)
{
    if (session->err_is_terminal)
        fprintf(stderr, "\r\033[K%.*s", (int)cut(text, terminal_width() - 1), text);
    else
        fprintf(stderr, "%s\n", text);
    fflush(stderr);
}

void progress_clear(const struct session *session)
{
    if (session->err_is_terminal)
        fputs("\r\033[K", stderr);
}

char *progress_bar(int64_t done, int64_t total, int64_t elapsed_ms)
{
    char amount[QUANTITY_TEXT_SIZE], speed[QUANTITY_TEXT_SIZE];
    int filled = total > 0 ? (int)((double)done / (double)total * BAR_WIDTH) : 0;

    quantity_format_human(total > 0 ? total : done, amount, sizeof amount);
    quantity_format_human(elapsed_ms > 0 ? done * 1000 / elapsed_ms : 0, speed, sizeof speed);
    if (total <= 0)
        return str_printf("%s, %s/s", amount, speed);
    return str_printf("[%.*s%.*s] %3d%% of %s, %s/s", filled, "########################",
                      BAR_WIDTH - filled, "------------------------",
                      (int)((double)done / (double)total * 100), amount, speed);
}

int64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
