/* elastic/decision.c - a decision and what it was made from. */
#include "elastic/decision.h"
#include "base/quantity.h"

enum { ROUNDED_MAX = 1000 * 1000 * 1000 };

/* Three digits behind the point are what people can use; more is noise that costs room. */
static json_t *rounded(double value)
{
    return json_real(value < ROUNDED_MAX ? (double)(int64_t)(value * 1000 + 0.5) / 1000 : value);
}

static json_t *proposal_json(const struct autoscale_proposal *proposal, bool decided)
{
    static const char *const sources[] = { [FROM_TARGET] = "Target",
                                           [FROM_STEP] = "Step",
                                           [FROM_SCHEDULE] = "Schedule",
                                           [FROM_FORECAST] = "Forecast" };
    json_t *json =
        json_pack("{s:s,s:s}", "source", sources[proposal->source], "name", proposal->name);

    if (proposal->source != FROM_SCHEDULE) {
        json_object_set_new(json, "type", json_string(metric_type_name(proposal->type)));
        json_object_set_new(json, "per",
                            json_string(proposal->kind == TARGET_AVERAGE ? "Member" : "Group"));
        if (proposal->is_known)
            json_object_set_new(json, "value", rounded(proposal->value));
        json_object_set_new(json, "target", rounded(proposal->target));
    }
    if (proposal->is_known)
        json_object_set_new(json, "wanted", json_integer(proposal->wanted));
    if (proposal->within_tolerance)
        json_object_set_new(json, "withinTolerance", json_true());
    if (decided)
        json_object_set_new(json, "decided", json_true());
    return json;
}

static json_t *group_json(const struct autoscale_group *group)
{
    json_t *json = json_pack("{s:i,s:i,s:i,s:i,s:i}", "members", (int)group->members, "ready",
                             (int)group->ready, "starting", (int)group->starting, "failed",
                             (int)group->failed, "leaving", (int)group->leaving);

    if (group->circuit_open)
        json_object_set_new(json, "circuitOpen", json_true());
    if (group->idle_ms >= 0)
        json_object_set_new(json, "idleSeconds", json_integer(group->idle_ms / 1000));
    return json;
}

json_t *decision_json(const struct autoscale_decision *decision,
                      const struct autoscale_group *group)
{
    char time[TIME_TEXT_SIZE], message[AUTOSCALE_TEXT_SIZE];
    json_t *proposals = json_array();

    time_format(decision->wall_ms, time, sizeof time);
    autoscale_words(decision, message, sizeof message);
    for (unsigned i = 0; i < decision->proposal_count; i++)
        json_array_append_new(proposals,
                              proposal_json(&decision->proposals[i], decision->winner == (int)i));
    return json_pack("{s:s,s:i,s:i,s:i,s:i,s:i,s:s,s:s,s:o,s:o}", "time", time, "from",
                     decision->from, "desired", decision->desired, "wanted", decision->wanted,
                     "min", decision->min, "max", decision->max, "reason",
                     autoscale_reason_name(decision->reason), "message", message, "group",
                     group_json(group), "proposals", proposals);
}
