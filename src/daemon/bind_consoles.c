/* daemon/bind_consoles.c - seeing a machine: console, vnc, screenshot, log. */
#include "daemon/assemble.h"
#include "kinds/tables/tables.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/object.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The instance is there, or the call had not come so far; what is not is its machine. */
static void answer_failure(struct api_call *call, const struct err *err)
{
    struct err failure = *err;

    if (failure.code == ERR_NOT_FOUND)
        failure.code = ERR_CONFLICT;
    api_call_error(call, &failure);
}

static void answer_stream(void *arg, const struct err *err, int take_fd)
{
    struct api_call *call = arg;

    if (err)
        answer_failure(call, err);
    else
        api_call_stream(call, take_fd);
}

static const char *uid_of(const struct api_call *call) { return object_uid(api_call_object(call)); }

static void console(void *arg, struct api_call *call)
{
    struct compute *compute = ((struct daemon *)arg)->compute;

    compute->ops->console_open(compute, uid_of(call), answer_stream, call);
}

static void vnc(void *arg, struct api_call *call)
{
    struct compute *compute = ((struct daemon *)arg)->compute;

    compute->ops->vnc_open(compute, uid_of(call), answer_stream, call);
}

static void answer_png(void *arg, const struct err *err, const void *bytes, size_t size)
{
    struct api_call *call = arg;

    if (err)
        answer_failure(call, err);
    else
        api_call_bytes(call, "image/png", bytes, size);
}

static void screenshot(void *arg, struct api_call *call)
{
    struct compute *compute = ((struct daemon *)arg)->compute;

    compute->ops->screenshot(compute, uid_of(call), answer_png, call);
}

/* --- log --- */

enum { TAIL_BLOCK = 4096, TAIL_SIZE_MAX = 16 * 1024 * 1024 };

/* Counts back 'wanted' lines from the end within one block; returns the offset to start at in the
 * block, or -1 when more is needed. */
static ssize_t count_back(const char *block, ssize_t size, long *wanted)
{
    for (ssize_t i = size; i-- > 0;)
        if (block[i] == '\n' && --*wanted < 0)
            return i + 1;
    return -1;
}

/* Moves the descriptor to where the last 'lines' lines begin. */
static void seek_tail(int fd, long lines)
{
    char block[TAIL_BLOCK];
    off_t end = lseek(fd, 0, SEEK_END), floor = end > TAIL_SIZE_MAX ? end - TAIL_SIZE_MAX : 0;
    off_t at = end;
    char last = '\n';

    if (end <= 0)
        return;
    /* A last line without its end counts as a line. */
    if (pread(fd, &last, 1, end - 1) == 1 && last != '\n')
        lines--;
    while (at > floor) {
        off_t from = at - floor > TAIL_BLOCK ? at - TAIL_BLOCK : floor;
        ssize_t size = pread(fd, block, (size_t)(at - from), from);
        ssize_t begin = size > 0 ? count_back(block, size, &lines) : 0;

        if (begin >= 0) {
            lseek(fd, from + begin, SEEK_SET);
            return;
        }
        at = from;
    }
    lseek(fd, floor, SEEK_SET);
}

static void answer_log(void *arg, const struct err *err, int take_fd)
{
    struct api_call *call = arg;
    const char *tail = api_call_option(call, "tailLines");
    const char *follow = api_call_option(call, "follow");

    if (err) {
        api_call_error(call, err);
        return;
    }
    if (tail)
        seek_tail(take_fd, strtol(tail, NULL, 10));
    api_call_file(call, take_fd, "text/plain; charset=utf-8",
                  follow && !str_equal(follow, "false") && !str_equal(follow, "0"));
}

static void log_of(void *arg, struct api_call *call)
{
    struct compute *compute = ((struct daemon *)arg)->compute;
    bool qemu = str_equal(api_call_option(call, "source"), "qemu");

    compute->ops->log_open(compute, uid_of(call), qemu, answer_log, call);
}

void bind_consoles(struct daemon *daemon)
{
    api_bind(daemon->api, &kind_instance, "console", console, daemon);
    api_bind(daemon->api, &kind_instance, "vnc", vnc, daemon);
    api_bind(daemon->api, &kind_instance, "screenshot", screenshot, daemon);
    api_bind(daemon->api, &kind_instance, "log", log_of, daemon);
}
