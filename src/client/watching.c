/* client/watching.c - a watch: one JSON event a line for as long as it lasts. */
#include "client/client.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct watching {
    struct buf line;
    const struct client_watch *watch;
    bool ended;
    bool failed;
    struct err *err;
};

/* What is there at first comes in the order of names: the highest of its versions counts. */
static void note_version(const struct watching *watching, const json_t *object)
{
    int64_t *version = watching->watch->version, heard;

    if (!version)
        return;
    heard = strtoll(json_text_at(object, "metadata.resourceVersion", "0"), NULL, 10);
    if (heard > *version)
        *version = heard;
}

/* Whether to go on. */
static bool take_line(struct watching *watching, const char *line, size_t size)
{
    if (size == 0)
        return true;

    auto_json json_t *event = json_parse(line, size, watching->err);
    const json_t *object = json_object_get(event, "object");
    const char *type = json_text_at(event, "type", "");

    if (event && str_equal(type, "ERROR"))
        (void)err_set(watching->err,
                      json_int_at(object, "code", 0) == 410 ? ERR_COMPACTED : ERR_INTERNAL, "%s",
                      json_text_at(object, "message", "the watch failed"));
    if (!event || str_equal(type, "ERROR")) {
        watching->failed = true;
        return false;
    }
    note_version(watching, object);
    if (str_equal(type, "BOOKMARK") || watching->watch->event(watching->watch->arg, type, object))
        return true;
    watching->ended = true;
    return false;
}

static bool take(void *arg, const char *bytes, size_t size)
{
    struct watching *watching = arg;
    const char *end;

    buf_add(&watching->line, bytes, size);
    if (watching->line.overflowed) {
        watching->failed = true;
        (void)err_set(watching->err, ERR_TOO_LARGE, "an event of the watch is too large");
        return false;
    }
    while (watching->line.size && (end = memchr(watching->line.bytes, '\n', watching->line.size))) {
        size_t length = (size_t)(end - watching->line.bytes);

        if (!take_line(watching, watching->line.bytes, length))
            return false;
        buf_drop_front(&watching->line, length + 1);
    }
    return true;
}

static bool tick(void *arg)
{
    struct watching *watching = arg;

    watching->ended = !watching->watch->tick(watching->watch->arg);
    return !watching->ended;
}

int client_watch(struct client *client, const struct client_watch *watch, bool *ret_ended,
                 struct err *err)
{
    struct watching watching = { .line = { .size_max = CLIENT_ANSWER_MAX },
                                 .watch = watch,
                                 .err = err };
    int result = client_send(client,
                             &(struct client_request){ .path = watch->path,
                                                       .accept = watch->accept,
                                                       .take = take,
                                                       .take_arg = &watching,
                                                       .tick = watch->tick ? tick : NULL,
                                                       .tick_arg = &watching,
                                                       .timeout_ms = watch->timeout_ms },
                             NULL, err);

    buf_done(&watching.line);
    *ret_ended = watching.ended;
    return watching.failed ? -1 : result;
}

/* --- for good --- */

struct following {
    const struct client_follow *follow;
    int64_t version;   /* 0: none was heard of */
    bool has_answered; /* once */
    int64_t lost_ms;   /* since when the server is gone; 0: it is there */
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int watch_on(struct client *client, struct following *following, bool *ret_ended, struct err *err)
{
    struct client_watch watch = following->follow->watch;
    auto_free char *path = str_dup(watch.path), *version = str_printf("%lld", (long long)following->version);

    if (following->version)
        client_path_option(&path, "resourceVersion", version);
    watch.path = path;
    watch.version = &following->version;
    return client_watch(client, &watch, ret_ended, err);
}

/* A restart of the server takes moments. */
static bool is_lost_for_good(struct following *following)
{
    if (!following->has_answered)
        return true;
    if (following->lost_ms)
        return now_ms() - following->lost_ms >= following->follow->lost_ms;
    following->lost_ms = now_ms();
    if (following->follow->lost)
        following->follow->lost(following->follow->watch.arg);
    return false;
}

static bool goes_on(struct following *following, const struct err *err)
{
    if (err->code == ERR_UNAVAILABLE)
        return !is_lost_for_good(following);
    /* ERR_TIMEOUT: a version that the server does not have yet, since an older store was put back. */
    if (!following->version || (err->code != ERR_COMPACTED && err->code != ERR_TIMEOUT))
        return false;
    following->version = 0;
    return true;
}

int client_follow(struct client *client, const struct client_follow *follow, struct err *err)
{
    struct following following = { .follow = follow };
    bool ended = false;

    for (;;) {
        int64_t version = following.version;
        int result = watch_on(client, &following, &ended, err);

        if (ended)
            return 0;
        if (result == 0 || following.version > version) {
            following.has_answered = true;
            following.lost_ms = 0;
        }
        if (result < 0 && !goes_on(&following, err))
            return -1;
        if (following.version <= version)
            poll(NULL, 0, (int)follow->pause_ms);
    }
}
