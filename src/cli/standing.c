/* cli/standing.c - see standing.h */
#include "cli/standing.h"
#include "base/str.h"

bool standing_is_down(const json_t *instance)
{
    return str_equal(json_text_at(instance, "spec.powerState", "Running"), "Stopped") ||
           json_bool_at(instance, "status.endedByItself", false);
}

char *standing_warm(const json_t *instance)
{
    const json_t *labels = json_at(instance, "metadata.labels");
    const char *group = json_string_value(json_object_get(labels, "virga.dev/group"));

    if (!group || !str_equal(json_string_value(json_object_get(labels, "virga.dev/warm")), "true"))
        return NULL;
    return str_printf("it is kept warm by instancegroup/%s, which resumes it when one more is wanted", group);
}

char *standing_explain(const json_t *instance, struct err *err)
{
    const char *name = json_text_at(instance, "metadata.name", "?"), *phase = json_text_at(instance, "status.phase", "Pending"),
               *message = json_text_at(instance, "status.message", "");
    bool is_paused = str_equal(phase, "Paused");
    auto_free char *warm = standing_warm(instance);

    if (is_paused && json_text_at(instance, "status.reason", NULL)) {
        (void)err_set(err, ERR_CONFLICT, "%s is paused: %s", name, message);
        return NULL;
    }
    if (is_paused && warm) {
        (void)err_set(err, ERR_CONFLICT, "%s is paused: %s", name, warm);
        return NULL;
    }
    if (str_equal(phase, "Pending") || str_equal(phase, "Starting")) {
        (void)err_set(err, ERR_CONFLICT, "%s does not run yet%s%s", name, message[0] ? ": " : "", message);
        return NULL;
    }
    (void)err_set(err, ERR_CONFLICT, "%s is %s", name, is_paused ? "paused" : "not running");
    return str_printf(is_paused ? "\"virga resume %s\" lets it go on" : "\"virga start %s\" starts it", name);
}
