/* cli/cmd_power.c - start, stop, pause, resume, restart, rm of instances. */
#include "cli/common.h"
#include <stdio.h>
#include <time.h>

static int set_power(struct session *session, const struct arguments *arguments, const char *state,
                     struct err *err)
{
    const struct kind *kind = kind_find_name("instances");
    auto_json json_t *patch = json_pack("{s:{s:s}}", "spec", "powerState", state);

    for (int i = 0; i < arguments->operand_count; i++)
        if (merge_patch(session, kind, arguments->operands[i], patch, err) < 0)
            return -1;
    for (int i = 0; i < arguments->operand_count && !argument_given(arguments, "no-wait"); i++)
        if (wait_for_phase(session, kind, arguments->operands[i], state, WAIT_MS_DEFAULT, err) < 0)
            return -1;
    return 0;
}

COMMAND(cmd_start) { return set_power(session, arguments, "Running", err); }
COMMAND(cmd_stop) { return set_power(session, arguments, "Stopped", err); }
COMMAND(cmd_pause) { return set_power(session, arguments, "Paused", err); }

COMMAND(cmd_restart)
{
    const struct kind *kind = kind_find_name("instances");
    time_t now = time(NULL);
    struct tm parts;
    char text[32];

    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
    auto_json json_t *patch =
        json_pack("{s:{s:s,s:s}}", "spec", "restartAt", text, "powerState", "Running");
    for (int i = 0; i < arguments->operand_count; i++) {
        if (merge_patch(session, kind, arguments->operands[i], patch, err) < 0)
            return -1;
        print_done(kind, arguments->operands[i], "restarting");
    }
    return 0;
}

static int remove_all(struct session *session, const struct arguments *arguments,
                      const char *kind_name, struct err *err)
{
    const struct kind *kind = kind_find_name(kind_name);

    for (int i = 0; i < arguments->operand_count; i++) {
        if (delete_object(session, kind, arguments->operands[i], err) < 0)
            return -1;
        print_done(kind, arguments->operands[i], "deleted");
    }
    return 0;
}

COMMAND(cmd_rm) { return remove_all(session, arguments, "instances", err); }
COMMAND(cmd_image_rm) { return remove_all(session, arguments, "images", err); }
COMMAND(cmd_volume_rm) { return remove_all(session, arguments, "volumes", err); }
COMMAND(cmd_network_rm) { return remove_all(session, arguments, "networks", err); }
