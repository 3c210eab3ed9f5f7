/* cli/waiting.c - until an object is as wanted, or gone; told as it happens. */
#include "cli/common.h"
#include "cli/progress.h"
#include "cli/telling.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECONNECT_MS_MAX = 20 * 1000, RECONNECT_PAUSE_MS = 250 };

struct waiting {
    struct session *session;
    const struct kind *kind;
    const char *name;
    const char *wanted;      /* phase, or NULL */
    const char *condition;   /* to be True, instead of a phase; or NULL */
    const char *not_before;  /* status.restartAt that must have been carried out, or NULL */
    const char *uid;         /* of the object that shall go, or NULL */
    bool is_for_size;        /* it shall have the size that is wanted, instead of a phase */
    struct telling telling;
    int64_t lost_ms;         /* since when the server has not been reached, 0: it is */
    bool is_there, is_gone, is_failed, is_overruled;
    char failure[ERR_TEXT_MAX / 2];
};

static void say(const struct waiting *waiting, const char *text)
{
    if (text)
        progress_show(waiting->session, text);
}

static bool ticked(void *arg)
{
    struct waiting *waiting = arg;

    say(waiting, telling_tick(&waiting->telling));
    return true;
}

/* Whether the status is about the object as it was written last: "Failed" may be of before. */
static bool is_current(const json_t *object)
{
    int64_t generation = json_int_at(object, "metadata.generation", 0);

    return json_int_at(object, "status.observedGeneration", generation) >= generation;
}

/* What only a restart can do, when that is its size. */
static const char *size_needs_restart(const json_t *object)
{
    const json_t *condition = condition_get(object, "RestartRequired");
    const char *message = json_text_at(condition, "message", "");
    static const char *const fields[] = { "spec.cpus", "spec.memory", "spec.maxCPUs", "spec.maxMemory" };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (condition_is_true(object, "RestartRequired") && strstr(message, fields[i]))
            return message;
    return NULL;
}

static bool has_its_size(const json_t *object)
{
    const json_t *condition = condition_get(object, "Resized");

    return is_current(object) && !size_needs_restart(object) &&
           (!str_equal(json_text_at(condition, "status", "True"), "False") || !json_at(object, "status.cpus"));
}

static void hear(struct waiting *waiting, const json_t *object)
{
    const char *phase =
        waiting->uid ? "Deleting" : json_text_at(object, "status.phase", "Pending");
    const char *message =
        waiting->is_for_size ? json_text_at(condition_get(object, "Resized"), "message", "")
        : waiting->condition ? json_text_at(condition_get(object, waiting->condition), "message", "")
                             : json_text_at(object, "status.message", "");
    int64_t done = json_int_at(object, "status.progress.bytes", 0);
    int64_t total = json_int_at(object, "status.progress.totalBytes", 0);
    auto_buf struct buf detail = { 0 };

    if (total > 0)
        buf_printf(&detail, "%d%%%s", (int)((double)done / (double)total * 100),
                   *message ? ", " : "");
    buf_add_text(&detail, message);
    say(waiting, telling_hear(&waiting->telling, waiting->name, phase,
                              detail.size ? detail.bytes : ""));
}

static bool is_as_wanted(const struct waiting *waiting, const json_t *object)
{
    if (waiting->is_for_size)
        return has_its_size(object);
    if (waiting->condition)
        return condition_is_true(object, waiting->condition);
    if (waiting->not_before &&
        (!str_equal(json_text_at(object, "status.restartAt", ""), waiting->not_before) ||
         condition_is_true(object, "Restarting")))
        return false;
    return waiting->wanted && is_current(object) &&
           str_equal(json_text_at(object, "status.phase", ""), waiting->wanted);
}

/* What a machine is to be by now, when that is not what is waited for: somebody changed it meanwhile. */
static const char *other_wish(const struct waiting *waiting, const json_t *object)
{
    const char *awaited = waiting->condition ? "Running" : waiting->wanted;
    const char *wish = json_text_at(object, "spec.powerState", NULL);

    return !awaited || !wish || str_equal(wish, awaited) ? NULL : wish;
}

/* A machine that ended, and by its restart policy stays so. */
static bool stays_ended(const struct waiting *waiting, const json_t *object)
{
    return (waiting->condition || str_equal(waiting->wanted, "Running")) && is_current(object) &&
           json_bool_at(object, "status.endedByItself", false);
}

static void fail(struct waiting *waiting, const char *text)
{
    waiting->is_failed = true;
    snprintf(waiting->failure, sizeof waiting->failure, "%s", text);
}

static bool saw(void *arg, const char *type, const json_t *object)
{
    struct waiting *waiting = arg;

    if (waiting->uid && !str_equal(json_text_at(object, "metadata.uid", ""), waiting->uid))
        return true;
    if (str_equal(type, "DELETED")) {
        waiting->is_gone = true;
        return false;
    }
    waiting->is_there = is_as_wanted(waiting, object);
    /* What follows says that it is as wanted. */
    if (!waiting->is_there && (waiting->uid || is_current(object)))
        hear(waiting, object);
    waiting->is_overruled = other_wish(waiting, object) != NULL;
    if (waiting->is_overruled)
        fail(waiting, other_wish(waiting, object));
    else if (stays_ended(waiting, object) || (waiting->wanted && is_current(object) &&
                                              str_equal(json_text_at(object, "status.phase", ""), "Failed")))
        fail(waiting, json_text_at(object, "status.message", ""));
    else if (waiting->is_for_size && is_current(object) && size_needs_restart(object))
        fail(waiting, size_needs_restart(object));
    return !waiting->is_there && !waiting->is_failed;
}

static int outcome(const struct waiting *waiting, struct err *err)
{
    const char *line = waiting->telling.line;

    if (waiting->is_there || (waiting->is_gone && waiting->uid))
        return 0;
    if (waiting->is_failed || waiting->is_gone)
        session_hint(waiting->session, "\"virga describe %s %s\" tells more",
                     waiting->kind->singular, waiting->name);
    if (waiting->is_gone)
        return err_set(err, ERR_NOT_FOUND, "%s was deleted meanwhile", waiting->name);
    if (waiting->is_overruled)
        return err_set(err, ERR_CONFLICT, "%s is to be %s by now: spec.powerState was changed meanwhile",
                       waiting->name, waiting->failure);
    if (waiting->is_failed && waiting->is_for_size) {
        session_hint(waiting->session, "\"virga restart %s\" starts it with what it is to have", waiting->name);
        return err_set(err, ERR_CONFLICT, "%s needs a restart: %s", waiting->name, waiting->failure);
    }
    if (waiting->is_failed)
        return err_set(err, ERR_INTERNAL, "%s failed: %s", waiting->name, waiting->failure);
    session_hint(waiting->session, "it goes on by itself; \"virga describe %s %s\" tells more",
                 waiting->kind->singular, waiting->name);
    return err_set(err, ERR_TIMEOUT, "%s is not %s yet (%s)", waiting->name,
                   waiting->uid         ? "gone"
                   : waiting->is_for_size ? "resized"
                   : waiting->condition ? waiting->condition
                                        : waiting->wanted,
                   line ? line : "nothing was heard of it");
}

/* From 'version' on (NULL: from the object as it is), until it is as wanted. */
static int watch(struct waiting *waiting, const char *version, int64_t timeout_ms, bool *ret_ended,
                 struct err *err)
{
    auto_free char *path = object_path(waiting->session, waiting->kind, NULL, NULL);
    auto_free char *selector = str_printf("metadata.name=%s", waiting->name);
    struct client_watch request = { .timeout_ms = timeout_ms, .event = saw, .tick = ticked,
                                    .arg = waiting };

    client_path_option(&path, "watch", "1");
    client_path_option(&path, "fieldSelector", selector);
    if (version)
        client_path_option(&path, "resourceVersion", version);
    request.path = path;
    return client_watch(waiting->session->client, &request, ret_ended, err);
}

/* Looks at the object first, so that one that is gone already is not waited for. */
static int look_and_watch(struct waiting *waiting, int64_t timeout_ms, bool *ret_ended,
                          struct err *err)
{
    auto_free char *path = object_path(waiting->session, waiting->kind, waiting->name, NULL);
    auto_json json_t *object = NULL;
    int result = client_get(waiting->session->client, path, &object, err);

    if (result == 0)
        waiting->lost_ms = 0;
    waiting->is_gone =
        (result < 0 && err->code == ERR_NOT_FOUND) ||
        (result == 0 && waiting->uid &&
         !str_equal(json_text_at(object, "metadata.uid", ""), waiting->uid));
    *ret_ended = waiting->is_gone || (result == 0 && !saw(waiting, "ADDED", object));
    if (*ret_ended || result < 0)
        return *ret_ended ? 0 : -1;
    return watch(waiting, json_text_at(object, "metadata.resourceVersion", NULL), timeout_ms,
                 ret_ended, err);
}

/* A restart of the server takes moments, and what is waited for goes on meanwhile. */
static bool is_worth_another_try(struct waiting *waiting, const struct err *err)
{
    int64_t now = monotonic_ms();

    if (err->code == ERR_TIMEOUT || err->code == ERR_COMPACTED)
        return true;
    if (err->code != ERR_UNAVAILABLE)
        return false;
    if (!waiting->lost_ms) {
        waiting->lost_ms = now;
        progress_show(waiting->session, "the server is gone; it is waited for");
    }
    if (now - waiting->lost_ms >= RECONNECT_MS_MAX) {
        session_hint(waiting->session, "what was asked for goes on when the server is back");
        return false;
    }
    poll(NULL, 0, RECONNECT_PAUSE_MS);
    return true;
}

static int wait_until(struct waiting *waiting, int64_t timeout_ms, struct err *err)
{
    int64_t end = monotonic_ms() + timeout_ms, left;
    bool ended = false;
    int result = session_client(waiting->session, err) ? 0 : -1;

    waiting->telling.is_terminal = waiting->session->err_is_terminal;
    while (result == 0 && !ended && (left = end - monotonic_ms()) > 0) {
        result = look_and_watch(waiting, left, &ended, err);
        if (result < 0 && is_worth_another_try(waiting, err))
            result = 0;
    }
    progress_clear(waiting->session);
    if (result == 0)
        result = outcome(waiting, err);
    telling_done(&waiting->telling);
    return result;
}

int wait_for_phase(struct session *session, const struct kind *kind, const char *name,
                   const char *wanted, int64_t timeout_ms, struct err *err)
{
    return wait_until(&(struct waiting){ .session = session, .kind = kind, .name = name,
                                         .wanted = wanted },
                      timeout_ms, err);
}

int wait_for_restart(struct session *session, const struct kind *kind, const char *name,
                     const char *restart_at, int64_t timeout_ms, struct err *err)
{
    return wait_until(&(struct waiting){ .session = session, .kind = kind, .name = name,
                                         .wanted = "Running", .not_before = restart_at },
                      timeout_ms, err);
}

int wait_for_size(struct session *session, const struct kind *kind, const char *name,
                  int64_t timeout_ms, struct err *err)
{
    return wait_until(&(struct waiting){ .session = session, .kind = kind, .name = name,
                                         .is_for_size = true },
                      timeout_ms, err);
}

int wait_for_condition(struct session *session, const struct kind *kind, const char *name,
                       const char *condition, int64_t timeout_ms, struct err *err)
{
    return wait_until(&(struct waiting){ .session = session, .kind = kind, .name = name,
                                         .condition = condition },
                      timeout_ms, err);
}

int wait_until_gone(struct session *session, const struct kind *kind, const char *name,
                    const char *uid, int64_t timeout_ms, struct err *err)
{
    return wait_until(&(struct waiting){ .session = session, .kind = kind, .name = name,
                                         .uid = uid },
                      timeout_ms, err);
}
