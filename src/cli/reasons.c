/* cli/reasons.c - see reasons.h */
#include "cli/reasons.h"
#include "cli/standing.h"
#include "base/mem.h"
#include <string.h>

/* --- conditions --- */

/* Of these True is what is out of the ordinary; of all others False is. */
static const char *const unusual[] = { "RestartRequired", "Draining",  "ScalingLimited",
                                       "Ended",           "Stopping",  "Resetting",
                                       "Restarting",      "DiskError", "Progressing" };

static bool is_unusual(const char *type)
{
    for (size_t i = 0; i < sizeof unusual / sizeof unusual[0]; i++)
        if (str_equal(unusual[i], type))
            return true;
    return false;
}

static bool says_something(const json_t *condition)
{
    bool holds = str_equal(json_text_at(condition, "status", ""), "True");

    return holds == is_unusual(json_text_at(condition, "type", ""));
}

static void say_condition(const json_t *condition, struct buf *to)
{
    const char *message = json_text_at(condition, "message", "");

    buf_printf(to, "  %s is %s since %s: %s%s%s\n", json_text_at(condition, "type", "?"),
               json_text_at(condition, "status", "?"),
               json_text_at(condition, "lastTransitionTime", "?"),
               json_text_at(condition, "reason", "?"), *message ? ": " : "", message);
}

void reasons_object(const struct kind *kind, const json_t *object, struct buf *to)
{
    const char *phase = json_text_at(object, "status.phase", NULL),
               *message = json_text_at(object, "status.message", "");
    const json_t *conditions = json_at(object, "status.conditions");
    auto_free char *warm = standing_warm(object);
    bool said = warm != NULL;

    buf_printf(to, "%s/%s: %s%s%s\n", kind->singular, json_text_at(object, "metadata.name", "?"),
               phase ? phase : "nothing was done with it yet", *message ? ": " : "", message);
    if (json_at(object, "metadata.deletionTimestamp"))
        buf_printf(to, "  it is being deleted since %s\n",
                   json_text_at(object, "metadata.deletionTimestamp", "?"));
    if (warm)
        buf_printf(to, "  %s\n", warm);
    for (size_t i = 0; i < json_array_size(conditions); i++) {
        if (!says_something(json_array_get(conditions, i)))
            continue;
        say_condition(json_array_get(conditions, i), to);
        said = true;
    }
    if (!said && phase)
        buf_add_text(to, "  all is as it should be\n");
}

/* --- decisions --- */

static void say_number(const json_t *object, const char *name, struct buf *to)
{
    const json_t *value = json_object_get(object, name);

    if (json_is_number(value))
        buf_printf(to, "%.10g", json_number_value(value));
    else
        buf_add_text(to, "unknown");
}

static void say_proposal(const json_t *proposal, struct buf *to)
{
    bool is_schedule = str_equal(json_text_at(proposal, "source", ""), "Schedule");
    bool whole = str_equal(json_text_at(proposal, "per", ""), "Group");

    buf_printf(to, "    %s %s", json_text_at(proposal, "source", "?"),
               json_text_at(proposal, "name", "?"));
    if (!is_schedule) {
        buf_printf(to, " (%s%s): ", json_text_at(proposal, "type", "?"),
                   whole ? ", whole group" : ", per member");
        say_number(proposal, "value", to);
        buf_add_text(to, " against ");
        say_number(proposal, "target", to);
    }
    if (json_object_get(proposal, "wanted"))
        buf_printf(to, "%s wants %lld", is_schedule ? ":" : ",",
                   (long long)json_int_at(proposal, "wanted", 0));
    if (json_bool_at(proposal, "withinTolerance", false))
        buf_add_text(to, ", within tolerance");
    if (json_bool_at(proposal, "decided", false))
        buf_add_text(to, " (decides)");
    buf_add_char(to, '\n');
}

static void say_group(const json_t *decision, struct buf *to)
{
    static const char *const states[] = { "ready", "starting", "failed", "leaving" };
    const json_t *group = json_object_get(decision, "group");

    buf_printf(to, "    %lld to %lld are allowed; members: %lld",
               (long long)json_int_at(decision, "min", 0),
               (long long)json_int_at(decision, "max", 0),
               (long long)json_int_at(group, "members", 0));
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (json_int_at(group, states[i], 0) > 0)
            buf_printf(to, ", %lld %s", (long long)json_int_at(group, states[i], 0), states[i]);
    if (json_object_get(group, "idleSeconds"))
        buf_printf(to, "; idle for %lld s", (long long)json_int_at(group, "idleSeconds", 0));
    buf_add_char(to, '\n');
}

void reasons_decision(const json_t *decision, struct buf *to)
{
    const json_t *proposals = json_object_get(decision, "proposals");

    buf_printf(to, "  %s  %s\n", json_text_at(decision, "time", "?"),
               json_text_at(decision, "message", "?"));
    say_group(decision, to);
    for (size_t i = 0; i < json_array_size(proposals); i++)
        say_proposal(json_array_get(proposals, i), to);
}

/* Where the last 'count' lines begin. */
static const char *last_lines(const char *lines, size_t size, unsigned count)
{
    const char *at = lines + size;

    if (at > lines && at[-1] == '\n')
        at--;
    while (count-- > 0 && at > lines)
        while (--at > lines && at[-1] != '\n')
            ;
    return at;
}

unsigned reasons_decisions(const char *lines, size_t size, unsigned count, struct buf *to)
{
    const char *end = lines + size;
    unsigned said = 0;

    for (const char *at = last_lines(lines, size, count); at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop ? stop : end) - at);
        struct err err;
        auto_json json_t *decision = length ? json_parse(at, length, &err) : NULL;

        if (decision) {
            reasons_decision(decision, to);
            said++;
        }
        at += length + 1;
    }
    return said;
}
