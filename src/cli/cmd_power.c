/* cli/cmd_power.c - start, stop, pause, resume, restart, rm. */
#include "cli/common.h"
#include "cli/standing.h"
#include <stdio.h>
#include <time.h>

struct power {
    const struct kind *kind;
    const char *state; /* spec.powerState */
    bool restarts;
    const char *done;    /* "started" */
    const char *verb;    /* not NULL: refused of one that is stopped */
    const char *now;     /* for spec.restartAt */
    json_t *patched;     /* by name: the spec.restartAt that was asked for, or null */
};

/* A pause or resume would start a machine that is stopped, which nobody means by it. */
static int check_is_up(struct session *session, const struct power *power, const json_t *object, const char *name,
                       struct err *err)
{
    if (!power->verb || !standing_is_down(object))
        return 0;
    session_hint(session, "\"virga start %s\" starts it", name);
    return err_set(err, ERR_CONFLICT, "instance %s is stopped: there is nothing to %s", name, power->verb);
}

/* One that ended by itself is wanted to run all the time: only a restart starts it. */
static bool needs_restart(const struct power *power, const json_t *object)
{
    return power->restarts ||
           (str_equal(power->state, "Running") && json_bool_at(object, "status.endedByItself", false));
}

static int change(struct session *session, const struct power *power, const char *name, struct err *err)
{
    auto_free char *path = object_path(session, power->kind, name, NULL);
    auto_json json_t *patch = json_pack("{s:{s:s}}", "spec", "powerState", power->state), *object = NULL;
    bool restarts;

    if (!session_client(session, err) || client_get(session->client, path, &object, err) < 0 ||
        check_is_up(session, power, object, name, err) < 0)
        return -1;
    restarts = needs_restart(power, object);
    if (restarts)
        json_set_at(patch, "spec.restartAt", json_string(power->now));
    if (merge_patch(session, power->kind, name, patch, err) < 0)
        return -1;
    json_object_set_new(power->patched, name, restarts ? json_string(power->now) : json_null());
    return 0;
}

static int ask(struct session *session, const char *name, void *arg, struct err *err)
{
    if (change(session, arg, name, err) == 0)
        return 0;
    if (err->code == ERR_NOT_FOUND)
        session_hint(session, "\"virga ls\" lists what there is");
    return -1;
}

static int await(struct session *session, const char *name, void *arg, struct err *err)
{
    struct power *power = arg;
    const json_t *patched = json_object_get(power->patched, name);
    int result;

    if (!patched)
        return 0;
    result = json_is_string(patched)
                 ? wait_for_restart(session, power->kind, name, json_string_value(patched), WAIT_MS_DEFAULT, err)
                 : wait_for_phase(session, power->kind, name, power->state, WAIT_MS_DEFAULT, err);
    if (result == 0)
        print_done(power->kind, name, power->done);
    return result;
}

static int set_power(struct session *session, const struct arguments *arguments, const char *state,
                     bool restarts, const char *done, const char *verb, struct err *err)
{
    auto_json json_t *patched = json_object();
    time_t now = time(NULL);
    struct tm parts;
    char text[32];
    struct power power = { kind_find_name("instances"), state, restarts, done, verb, text,
                           patched };
    int asked, awaited = 0;

    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
    asked = each_name(session, arguments->operands, arguments->operand_count, ask, &power, err);
    if (!argument_given(arguments, "no-wait"))
        awaited =
            each_name(session, arguments->operands, arguments->operand_count, await, &power, err);
    return asked < 0 ? asked : awaited;
}

COMMAND(cmd_start) { return set_power(session, arguments, "Running", false, "started", NULL, err); }
COMMAND(cmd_stop) { return set_power(session, arguments, "Stopped", false, "stopped", NULL, err); }
COMMAND(cmd_pause) { return set_power(session, arguments, "Paused", false, "paused", "pause", err); }
COMMAND(cmd_resume) { return set_power(session, arguments, "Running", false, "resumed", "resume", err); }

COMMAND(cmd_restart) { return set_power(session, arguments, "Running", true, "restarted", NULL, err); }

static int remove_all(struct session *session, const struct arguments *arguments,
                      const char *kind_name, struct err *err)
{
    return delete_names(session, kind_find_name(kind_name), arguments->operands,
                        arguments->operand_count, !argument_given(arguments, "no-wait"), err);
}

COMMAND(cmd_rm) { return remove_all(session, arguments, "instances", err); }
COMMAND(cmd_image_rm) { return remove_all(session, arguments, "images", err); }
COMMAND(cmd_volume_rm) { return remove_all(session, arguments, "volumes", err); }
COMMAND(cmd_snapshot_rm) { return remove_all(session, arguments, "snapshots", err); }
COMMAND(cmd_network_rm) { return remove_all(session, arguments, "networks", err); }
