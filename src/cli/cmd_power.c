/* cli/cmd_power.c - start, stop, pause, resume, restart, rm. */
#include "cli/common.h"
#include <stdio.h>
#include <time.h>

struct power {
    const struct kind *kind;
    const char *state;      /* spec.powerState */
    const char *restart_at; /* or NULL */
    const char *done;       /* "started" */
    bool needs_running;     /* refused of one that is stopped */
    json_t *patched;        /* names, as keys */
};

/* A pause would start a machine that is stopped, which nobody means by it. */
static int check_runs(struct session *session, const struct power *power, const char *name, struct err *err)
{
    auto_free char *path = object_path(session, power->kind, name, NULL);
    auto_json json_t *object = NULL;
    const char *wanted;

    if (!session_client(session, err) || client_get(session->client, path, &object, err) < 0)
        return -1;
    wanted = json_text_at(object, "spec.powerState", "Running");
    if (!str_equal(wanted, "Stopped") && !json_bool_at(object, "status.endedByItself", false))
        return 0;
    session_hint(session, "\"virga start %s\" starts it", name);
    return err_set(err, ERR_CONFLICT, "instance %s does not run", name);
}

static int ask(struct session *session, const char *name, void *arg, struct err *err)
{
    struct power *power = arg;
    auto_json json_t *patch = json_pack("{s:{s:s}}", "spec", "powerState", power->state);

    if (power->needs_running && check_runs(session, power, name, err) < 0)
        return -1;
    if (power->restart_at)
        json_set_at(patch, "spec.restartAt", json_string(power->restart_at));
    if (merge_patch(session, power->kind, name, patch, err) < 0) {
        if (err->code == ERR_NOT_FOUND)
            session_hint(session, "\"virga ls\" lists what there is");
        return -1;
    }
    json_object_set_new(power->patched, name, json_true());
    return 0;
}

static int await(struct session *session, const char *name, void *arg, struct err *err)
{
    struct power *power = arg;
    int result;

    if (!json_object_get(power->patched, name))
        return 0;
    result = power->restart_at ? wait_for_restart(session, power->kind, name, power->restart_at,
                                                  WAIT_MS_DEFAULT, err)
                               : wait_for_phase(session, power->kind, name, power->state,
                                                WAIT_MS_DEFAULT, err);
    if (result == 0)
        print_done(power->kind, name, power->done);
    return result;
}

static int set_power(struct session *session, const struct arguments *arguments, const char *state,
                     const char *restart_at, const char *done, struct err *err)
{
    auto_json json_t *patched = json_object();
    struct power power = { kind_find_name("instances"), state, restart_at, done, str_equal(done, "paused"), patched };
    int asked = each_name(session, arguments->operands, arguments->operand_count, ask, &power, err);
    int awaited = 0;

    if (!argument_given(arguments, "no-wait"))
        awaited =
            each_name(session, arguments->operands, arguments->operand_count, await, &power, err);
    return asked < 0 ? asked : awaited;
}

COMMAND(cmd_start) { return set_power(session, arguments, "Running", NULL, "started", err); }
COMMAND(cmd_stop) { return set_power(session, arguments, "Stopped", NULL, "stopped", err); }
COMMAND(cmd_pause) { return set_power(session, arguments, "Paused", NULL, "paused", err); }
COMMAND(cmd_resume) { return set_power(session, arguments, "Running", NULL, "resumed", err); }

COMMAND(cmd_restart)
{
    time_t now = time(NULL);
    struct tm parts;
    char text[32];

    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
    return set_power(session, arguments, "Running", text, "restarted", err);
}

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
