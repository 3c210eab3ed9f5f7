/* control/autoscaler_vertical.c - larger members before more of them.
 *
 * Once a second, beside the decision about their number: what each member that serves should have
 * (elastic/vertical.h) is written into its spec, and the Instance controller makes it so. One that
 * the host has no room for, or whose guest does not follow, gets its wish taken back and counts as at
 * its limit for a while. The group's template stays as it is. */
#include "control/autoscaler.h"
#include "control/balancers.h"
#include "control/group.h"
#include "control/internal.h"
#include "base/mem.h"
#include "base/quantity.h"
#include "base/str.h"
#include "drivers/compute.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <stdlib.h>
#include <string.h>

enum { HELD_MS = 60 * 1000 };

struct growing { /* what is remembered of a member */
    struct vertical_memory memory;
    int64_t held_until_ms;
};

static bool is_wanted(const struct scaler *scaler)
{
    const struct vertical_policy *policy = &scaler->policy->vertical;

    return policy->cpus.is_used || policy->memory.is_used;
}

static struct growing *growing_of(struct scaler *scaler, const char *uid)
{
    struct growing *growing;

    if (!scaler->growing)
        scaler->growing = map_new(free);
    growing = map_get(scaler->growing, uid);
    if (!growing) {
        growing = mem_new(struct growing);
        map_set(scaler->growing, uid, growing);
    }
    return growing;
}

/* --- a member as it is --- */

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* Whether what was asked for will not come: no room, or not without a restart. */
static bool is_stuck(const json_t *instance)
{
    const json_t *resized = condition_get(instance, "Resized"), *restart = condition_get(instance, "RestartRequired");
    const char *fields = json_text_at(restart, "message", "");

    if (str_equal(json_text_at(resized, "status", ""), "False") &&
        str_equal(json_text_at(resized, "reason", ""), "NoRoom"))
        return true;
    return str_equal(json_text_at(restart, "status", ""), "True") &&
           (strstr(fields, "spec.cpus") || strstr(fields, "spec.memory"));
}

static struct vertical_member member_of(struct scaler *scaler, const json_t *instance, const struct growing *growing,
                                        int64_t now_ms)
{
    const struct member_use *use = map_get(scaler->uses, object_uid(instance));
    int64_t cpus = view_int(&kind_instance, instance, "spec.cpus");
    int64_t bytes = view_bytes(&kind_instance, instance, "spec.memory");
    bool is_fork = condition_is_true(instance, CONDITION_FORKED); /* which gives nothing of what it went on with */
    int64_t apart = bytes - view_bytes(&kind_instance, instance, "status.memory");

    return (struct vertical_member){
        .cpus = { cpus, 1,
                  larger(view_int(&kind_instance, instance, "status.machine.cpus"),
                         view_int(&kind_instance, instance, "status.machine.maxCPUs")),
                  use ? use->cpus_used : -1 },
        .memory = { bytes, is_fork ? view_bytes(&kind_instance, instance, "status.machine.memory") : 0,
                    larger(view_bytes(&kind_instance, instance, "status.machine.memory"),
                           view_bytes(&kind_instance, instance, "status.machine.maxMemory")),
                    use ? use->memory_used : -1 },
        .is_following = cpus != view_int(&kind_instance, instance, "status.cpus") || apart >= MACHINE_MEMORY_STEP ||
                        apart <= -MACHINE_MEMORY_STEP,
        .is_held = now_ms < growing->held_until_ms,
    };
}

/* --- carried out --- */

static void on_written(void *arg, const struct err *err) {} /* after a conflict: decided anew in a second */

static void tell(struct scaler *scaler, const json_t *instance, int64_t cpus, int64_t bytes, const char *why)
{
    char from[QUANTITY_TEXT_SIZE], to[QUANTITY_TEXT_SIZE];

    quantity_format_human(view_bytes(&kind_instance, instance, "spec.memory"), from, sizeof from);
    quantity_format_human(bytes, to, sizeof to);
    auto_free char *text = str_printf("%s %s: from %lld cpus, %s to %lld cpus, %s: %s", scaler->kind->singular,
                                      scaler->name, (long long)view_int(&kind_instance, instance, "spec.cpus"), from,
                                      (long long)cpus, to, why);
    recorder_record(scaler->control->recorder, &kind_instance, instance, "Normal", "Resizing", text);
}

static void give(struct scaler *scaler, const json_t *instance, int64_t cpus, int64_t bytes, const char *why)
{
    json_t *copy = json_deep_copy(instance);
    char text[QUANTITY_TEXT_SIZE];

    tell(scaler, instance, cpus, bytes, why);

    quantity_format_bytes(bytes, text, sizeof text);
    json_set_at(copy, "spec.cpus", json_integer(cpus));
    if (bytes != view_bytes(&kind_instance, instance, "spec.memory"))
        json_set_at(copy, "spec.memory", json_string(text));
    control_update(scaler->control, &kind_instance, copy, (struct done){ on_written, NULL });
}

/* The wish is taken back, so that no room is kept for it. */
static void take_back(struct scaler *scaler, const json_t *instance, struct growing *growing, int64_t now_ms)
{
    growing->held_until_ms = now_ms + HELD_MS;
    if (!scaler->policy->only_observes)
        give(scaler, instance, view_int(&kind_instance, instance, "status.cpus"),
             view_bytes(&kind_instance, instance, "status.memory"),
             "taken back, for the host has no room or the guest does not follow");
}

/* "97 % of its processors and 40 % of its memory in use"; owned. */
static char *use_of(const struct vertical_member *member)
{
    struct buf text = { 0 };

    if (member->cpus.used >= 0)
        buf_printf(&text, "%.0f %% of its processors", member->cpus.used * 100 / (double)member->cpus.has);
    if (member->memory.used >= 0)
        buf_printf(&text, "%s%.0f %% of its memory", text.size ? " and " : "",
                   member->memory.used * 100 / (double)member->memory.has);
    buf_add_text(&text, text.size ? " in use" : "nothing is known of its use");
    return buf_take(&text);
}

struct look {
    struct scaler *scaler;
    struct autoscale_group *group; /* NULL: decide about members instead */
    bool may_shrink;
    int64_t now_ms;
    unsigned count;
};

static void look_at(struct look *look, const json_t *instance)
{
    struct scaler *scaler = look->scaler;
    struct growing *growing = growing_of(scaler, object_uid(instance));
    struct vertical_member member = member_of(scaler, instance, growing, look->now_ms);
    struct vertical_memory memory = growing->memory;
    struct vertical_decision decision;

    if (!json_at(instance, "status.cpus") || !json_at(instance, "status.machine"))
        return;
    vertical_decide(&scaler->policy->vertical, &member, look->may_shrink, look->now_ms, &memory, &decision);
    look->count++;
    if (look->group) {
        look->group->cpu_grows = look->group->cpu_grows && decision.cpus_can_grow;
        look->group->memory_grows = look->group->memory_grows && decision.memory_can_grow;
        return;
    }
    growing->memory = memory;
    if (member.is_following && is_stuck(instance))
        take_back(scaler, instance, growing, look->now_ms);
    else if ((decision.cpus != member.cpus.has || decision.memory != member.memory.has) &&
             !scaler->policy->only_observes) {
        auto_free char *use = use_of(&member);

        give(scaler, instance, decision.cpus, decision.memory, use);
    }
}

static void look_at_all(struct look *look, const json_t *group)
{
    struct control *control = look->scaler->control;
    struct group_book *book = group_book_of(control, group);
    const char *name;

    for (size_t at = 0; map_next(book->members, &at, &name, NULL);) {
        auto_json json_t *instance = control_find(control, &kind_instance, book->namespace_name, name);

        if (instance && !object_is_deleting(instance) && condition_is_true(instance, CONDITION_SERVING))
            look_at(look, instance);
    }
}

void scaler_vertical_look(struct scaler *scaler, const json_t *group, struct autoscale_group *now)
{
    struct look look = { scaler, now, .now_ms = control_wall_ms(scaler->control) };

    if (!is_wanted(scaler))
        return;
    now->cpu_grows = now->memory_grows = true;
    look_at_all(&look, group);
    now->cpu_grows = now->cpu_grows && look.count;
    now->memory_grows = now->memory_grows && look.count;
}

void scaler_vertical_act(struct scaler *scaler, const json_t *group)
{
    struct look look = { .scaler = scaler, .now_ms = control_wall_ms(scaler->control) };

    look.may_shrink = scaler->decision.desired <= scaler->decision.min && scaler->decision.from == scaler->decision.desired;
    if (is_wanted(scaler))
        look_at_all(&look, group);
}
