/* client/watching.c - a watch: one JSON event a line for as long as it lasts. */
#include "client/client.h"
#include <string.h>

struct watching {
    struct buf line;
    const struct client_watch *watch;
    bool ended;
    bool failed;
    struct err *err;
};

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
