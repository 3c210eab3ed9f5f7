/* cli/cmd_why.c - why: what an object waits for, and what an autoscaler decided and from what. */
#include "cli/common.h"
#include "cli/reasons.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DECISIONS_DEFAULT = 5, HISTORY_MAX = 8 * 1024 * 1024 };

static bool gather(void *arg, const char *bytes, size_t size)
{
    buf_add(arg, bytes, size);
    return !((struct buf *)arg)->overflowed;
}

static int print_decisions(struct session *session, const struct kind *kind, const char *name,
                           unsigned count, struct err *err)
{
    auto_free char *path = object_path(session, kind, name, "decisions");
    auto_buf struct buf lines = { .size_max = HISTORY_MAX }, text = { 0 };
    struct client_request request = {
        .path = path, .accept = "*/*", .take = gather, .take_arg = &lines
    };

    if (client_send(session->client, &request, NULL, err) < 0)
        return -1;
    printf("%s/%s decided:\n", kind->singular, name);
    if (lines.size == 0 || reasons_decisions(lines.bytes, lines.size, count, &text) == 0)
        puts("  nothing yet");
    else
        fputs(text.bytes, stdout);
    return 0;
}

struct scalers {
    unsigned decisions, count;
};

static int print_scaler(struct session *session, const struct kind *kind, const json_t *scaler, void *arg,
                        struct err *err)
{
    struct scalers *scalers = arg;
    auto_buf struct buf text = { 0 };

    scalers->count++;
    reasons_object(kind, scaler, &text);
    fputs(text.bytes, stdout);
    return print_decisions(session, kind, json_text_at(scaler, "metadata.name", ""), scalers->decisions, err);
}

static int why(struct session *session, const struct kind *kind, const char *name,
               unsigned decisions, struct err *err)
{
    struct client *client = session_client(session, err);
    auto_free char *path = object_path(session, kind, name, NULL);
    auto_json json_t *object = NULL;
    auto_buf struct buf text = { 0 };
    struct scalers scalers = { .decisions = decisions };

    if (!client || client_get(client, path, &object, err) < 0) {
        if (err->code == ERR_NOT_FOUND)
            session_hint(session, "\"virga get %s\" lists what there is", kind->plural);
        return -1;
    }
    reasons_object(kind, object, &text);
    fputs(text.bytes, stdout);
    if (kind_is_scaler(kind))
        return print_decisions(session, kind, name, decisions, err);
    if (str_equal(kind->name, "InstanceGroup")) {
        if (each_scaler(session, name, print_scaler, &scalers, err) < 0)
            return -1;
        if (scalers.count == 0)
            puts("no autoscaler: its size is what spec.replicas says");
    }
    return print_events(session, object, err);
}

static int decision_count(struct session *session, const struct arguments *arguments,
                          unsigned *ret_count, struct err *err)
{
    const char *text = argument(arguments, "tail");
    char *end;
    long count = text ? strtol(text, &end, 10) : DECISIONS_DEFAULT;

    if (text && (end == text || *end || count < 1 || count > 100000))
        return usage_error(session, err, "--tail: \"%s\" must be a number from 1 to 100000", text);
    *ret_count = (unsigned)count;
    return 0;
}

COMMAND(cmd_why)
{
    const char *name;
    const struct kind *kind = find_named(session, arguments, "instance", &name, err);
    unsigned count = 0;

    if (!kind || decision_count(session, arguments, &count, err) < 0)
        return -1;
    return why(session, kind, name, count, err);
}
