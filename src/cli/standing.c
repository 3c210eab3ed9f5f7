/* cli/standing.c - see standing.h */
#include "cli/standing.h"
#include "base/str.h"

bool standing_is_down(const json_t *instance)
{
    return str_equal(json_text_at(instance, "spec.powerState", "Running"), "Stopped") ||
           json_bool_at(instance, "status.endedByItself", false);
}

char *standing_explain(const json_t *instance, struct err *err)
{
    const char *name = json_text_at(instance, "metadata.name", "?"), *phase = json_text_at(instance, "status.phase", "Pending"),
               *message = json_text_at(instance, "status.message", "");
    bool is_paused = str_equal(phase, "Paused");

    if (is_paused && json_text_at(instance, "status.reason", NULL)) {
        (void)err_set(err, ERR_CONFLICT, "%s is paused: %s", name, message);
        return NULL;
    }
    if (str_equal(phase, "Pending") || str_equal(phase, "Starting")) {
        (void)err_set(err, ERR_CONFLICT, "%s does not run yet%s%s", name, message[0] ? ": " : "", message);
        return NULL;
    }
    (void)err_set(err, ERR_CONFLICT, "%s is %s", name, is_paused ? "paused" : "not running");
    return str_printf(is_paused ? "\"virga resume %s\" lets it go on" : "\"virga start %s\" starts it", name);
}
