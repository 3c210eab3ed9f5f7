/* cli/waiting.c - until an object is in a phase, told as it happens. */
#include "cli/common.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct waiting {
    struct session *session;
    const struct kind *kind;
    const char *name, *wanted;
    char *last_line;
    bool is_there, is_gone, is_failed;
    char failure[ERR_TEXT_MAX / 2];
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void say(struct waiting *waiting, const char *phase, const char *message, int64_t done,
                int64_t total)
{
    auto_buf struct buf line = { 0 };

    buf_printf(&line, "%s: %s", waiting->name, phase);
    if (total > 0)
        buf_printf(&line, " %lld%%", (long long)(done * 100 / total));
    if (*message)
        buf_printf(&line, ": %s", message);
    if (str_equal(line.bytes, waiting->last_line))
        return;
    free(waiting->last_line);
    waiting->last_line = buf_take(&line);
    /* On a terminal one line that changes. */
    fprintf(stderr, waiting->session->err_is_terminal ? "\r\033[K%s" : "%s\n", waiting->last_line);
    fflush(stderr);
}

/* Whether the status is about the object as it was written last: "Failed" may be of before. */
static bool is_current(const json_t *object)
{
    int64_t generation = json_int_at(object, "metadata.generation", 0);

    return json_int_at(object, "status.observedGeneration", generation) >= generation;
}

static bool saw(void *arg, const char *type, const json_t *object)
{
    struct waiting *waiting = arg;
    const char *phase = json_text_at(object, "status.phase", "Pending");
    const char *message = json_text_at(object, "status.message", "");

    if (str_equal(type, "DELETED")) {
        waiting->is_gone = true;
        return false;
    }
    say(waiting, phase, message, json_int_at(object, "status.progress.bytes", 0),
        json_int_at(object, "status.progress.totalBytes", 0));
    waiting->is_there = str_equal(phase, waiting->wanted);
    waiting->is_failed = str_equal(phase, "Failed") && is_current(object);
    if (waiting->is_failed)
        snprintf(waiting->failure, sizeof waiting->failure, "%s", message);
    return !waiting->is_there && !waiting->is_failed;
}

static int outcome(const struct waiting *waiting, struct err *err)
{
    if (waiting->is_there)
        return 0;
    if (waiting->is_failed || waiting->is_gone)
        session_hint(waiting->session, "\"virga describe %s %s\" tells more",
                     waiting->kind->singular, waiting->name);
    if (waiting->is_gone)
        return err_set(err, ERR_NOT_FOUND, "%s was deleted meanwhile", waiting->name);
    if (waiting->is_failed)
        return err_set(err, ERR_INTERNAL, "%s failed: %s", waiting->name, waiting->failure);
    session_hint(waiting->session, "it goes on by itself; \"virga describe %s %s\" tells more",
                 waiting->kind->singular, waiting->name);
    return err_set(err, ERR_TIMEOUT, "%s is not %s yet (%s)", waiting->name, waiting->wanted,
                   waiting->last_line ? waiting->last_line : "nothing was heard of it");
}

int wait_for_phase(struct session *session, const struct kind *kind, const char *name,
                   const char *wanted, int64_t timeout_ms, struct err *err)
{
    struct waiting waiting = { session, kind, name, wanted, NULL, false, false, false, "" };
    struct client *client = session_client(session, err);
    auto_free char *path = object_path(session, kind, NULL, NULL);
    auto_free char *selector = str_printf("metadata.name=%s", name);
    int64_t end = now_ms() + timeout_ms, left;
    bool ended = false;
    int result = client ? 0 : -1;

    client_path_option(&path, "watch", "1");
    client_path_option(&path, "fieldSelector", selector);
    while (result == 0 && !ended && (left = end - now_ms()) > 0) {
        result = client_watch(client, path, NULL, left, saw, &waiting, &ended, err);
        if (result < 0 && err->code == ERR_TIMEOUT)
            break;
    }
    if (waiting.last_line && session->err_is_terminal)
        fputc('\n', stderr);
    if (result == 0 || ended || (err->code == ERR_TIMEOUT && client))
        result = outcome(&waiting, err);
    free(waiting.last_line);
    return result;
}
