#include "check.h"
#include "base/str.h"
#include "cli/standing.h"
#include <string.h>

static json_t *instance(const char *phase, const char *power_state)
{
    return json_pack("{s:{s:s},s:{s:s},s:{s:s}}", "metadata", "name", "web", "spec", "powerState", power_state, "status",
                     "phase", phase);
}

static void check_explained(json_t *take_instance, const char *text, const char *help)
{
    auto_json json_t *object = take_instance;
    struct err err;
    auto_free char *line = standing_explain(object, &err);

    CHECK_EQ(err.code, ERR_CONFLICT);
    CHECK_STR(err.text, text);
    CHECK_STR(line, help);
}

TEST(what_lets_it_run_is_named)
{
    check_explained(instance("Paused", "Paused"), "web is paused", "\"virga resume web\" lets it go on");
    check_explained(instance("Stopped", "Stopped"), "web is not running", "\"virga start web\" starts it");
    check_explained(instance("Failed", "Running"), "web is not running", "\"virga start web\" starts it");
}

TEST(where_no_command_helps_none_is_named)
{
    json_t *object = instance("Paused", "Running");

    json_set_at(object, "status.reason", json_string("WriteFailed"));
    json_set_at(object, "status.message", json_string("disk root: no space left on device"));
    check_explained(object, "web is paused: disk root: no space left on device", NULL);
    check_explained(instance("Starting", "Running"), "web does not run yet", NULL);
}

TEST(a_warm_member_is_resumed_by_its_group)
{
    json_t *object = instance("Paused", "Paused");

    json_set_at(object, "metadata.labels", json_pack("{s:s,s:s}", "virga.dev/warm", "true", "virga.dev/group", "front"));
    check_explained(object, "web is paused: it is kept warm by instancegroup/front, which resumes it when one more is wanted",
                    NULL);
}

TEST(only_a_start_brings_back_what_was_stopped_or_ended_by_itself)
{
    auto_json json_t *stopped = instance("Stopped", "Stopped"), *paused = instance("Paused", "Paused"),
                     *ended = instance("Stopped", "Running");

    json_set_at(ended, "status.endedByItself", json_true());
    CHECK(standing_is_down(stopped));
    CHECK(standing_is_down(ended));
    CHECK(!standing_is_down(paused));
}
