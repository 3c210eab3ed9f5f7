/* elastic/autoscale.c - proposals, the largest of them, and the bounds. */
#include "elastic/autoscale.h"
#include "elastic/autoscale_rates.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static int at_least(int a, int b) { return a > b ? a : b; }
static int at_most(int a, int b) { return a < b ? a : b; }

/* Up to the next whole member; a hair above a whole number is rounding, not load. */
static int whole_members(double members)
{
    double up = ceil(members - 1e-6);

    return up <= 0 ? 0 : up >= GROUP_SIZE_MAX ? GROUP_SIZE_MAX : (int)up;
}

/* These are measured at the balancer for all members together. */
static bool is_shared(int slot)
{
    return slot == METRIC_REQUESTS || slot == METRIC_QUEUE || slot == METRIC_LATENCY;
}

/* The amount as so many members would have it: what each of them has grows with their number, what
 * they share does not. */
static double amount_for(const struct metric_value *value, int slot, unsigned members)
{
    return is_shared(slot) || value->is_whole ? value->sum : value->sum / value->reporting * members;
}

struct metric_value samples_average(const struct sample *samples, size_t count, int slot,
                                    int64_t now_ms, int64_t window_ms)
{
    struct metric_value average = { 0 };
    unsigned found = 0;

    for (size_t i = count; i-- > 0 && samples[i].wall_ms > now_ms - window_ms;) {
        const struct metric_value *value = &samples[i].values[slot];

        /* Members lie, too: what is no amount is not known. */
        if (!value->is_known || value->reporting == 0 || samples[i].wall_ms > now_ms ||
            !isfinite(value->sum) || value->sum < 0)
            continue;
        if (found++ == 0)
            average = (struct metric_value){ true, 0, value->reporting, value->is_whole };
        average.sum += amount_for(value, slot, average.reporting);
    }
    if (found > 0)
        average.sum /= found;
    return average;
}

struct deciding {
    const struct autoscale_policy *policy;
    const struct autoscale_group *group;
    const struct sample *samples;
    size_t sample_count;
    int64_t now_ms;
    struct autoscale_decision *decision;
    bool some_unknown;
};

static struct autoscale_proposal *propose(struct deciding *deciding, enum proposal_source source,
                                          const char *name)
{
    struct autoscale_proposal *proposal =
        &deciding->decision->proposals[deciding->decision->proposal_count++];

    *proposal = (struct autoscale_proposal){ .source = source };
    (void)snprintf(proposal->name, sizeof proposal->name, "%s", name);
    return proposal;
}

/* Members that 'average' per member, at 'target' each, is work for. Those that do not report yet
 * are taken for idle when it is too much, and for busy when it is too little: neither a member
 * that still boots nor one that went silent makes the group swing. */
static int wanted_by_average(const struct deciding *deciding, struct autoscale_proposal *proposal,
                             const struct metric_value *value)
{
    const struct autoscale_group *group = deciding->group;
    unsigned silent = group->ready > value->reporting ? group->ready - value->reporting : 0;
    double ratio = proposal->value / proposal->target;
    unsigned counted = value->reporting + silent + group->starting;

    if (ratio > 1) {
        double eased = value->sum / (counted * proposal->target);

        if (eased <= 1 + deciding->policy->out.tolerance) {
            proposal->within_tolerance = ratio <= 1 + deciding->policy->out.tolerance;
            return group->desired;
        }
        return at_least(whole_members(value->sum / proposal->target), group->desired);
    }
    if (ratio >= 1 - deciding->policy->in.tolerance) {
        proposal->within_tolerance = true;
        return group->desired;
    }
    return at_most(whole_members(value->sum / proposal->target + silent), group->desired);
}

static int wanted_by_value(const struct deciding *deciding, struct autoscale_proposal *proposal)
{
    const struct autoscale_group *group = deciding->group;
    double ratio = proposal->value / proposal->target;
    int ready = group->ready ? (int)group->ready : 1;

    if (ratio <= 1 + deciding->policy->out.tolerance && ratio >= 1 - deciding->policy->in.tolerance) {
        proposal->within_tolerance = true;
        return group->desired;
    }
    return ratio > 1 ? at_least(whole_members(ratio * ready), group->desired)
                     : at_most(whole_members(ratio * ready), group->desired);
}

static void propose_target(struct deciding *deciding, const struct autoscale_target *target)
{
    struct autoscale_proposal *proposal = propose(deciding, FROM_TARGET, target->name);
    struct metric_value value = samples_average(deciding->samples, deciding->sample_count, target->slot,
                                                deciding->now_ms, deciding->policy->window_ms);

    proposal->type = target->type;
    proposal->kind = target->kind;
    proposal->target = target->target;
    proposal->is_known = value.is_known && deciding->group->ready > 0;
    if (!proposal->is_known) {
        deciding->some_unknown = true;
        return;
    }
    if (target->kind == TARGET_AVERAGE) {
        proposal->value = value.sum / value.reporting;
        proposal->wanted = wanted_by_average(deciding, proposal, &value);
    } else {
        proposal->value = value.sum;
        proposal->wanted = wanted_by_value(deciding, proposal);
    }
}

static int step_size(const struct autoscale_step *step, unsigned ready)
{
    double part = (double)step->add_percent * ready / 100;

    if (step->add)
        return step->add;
    return (int)(part < 0 ? floor(part) : ceil(part));
}

/* A step acts on members that are ready, so that it does not act again while those it added come
 * up; one that takes away waits until the group is what was asked for. */
static void propose_step(struct deciding *deciding, const struct autoscale_step *step)
{
    const struct autoscale_group *group = deciding->group;
    struct metric_value value = samples_average(deciding->samples, deciding->sample_count, step->slot,
                                                deciding->now_ms, deciding->policy->window_ms);
    bool whole = step->slot == METRIC_LATENCY || step->slot == METRIC_QUEUE;
    struct autoscale_proposal *proposal;
    double seen;
    int by;

    if (!value.is_known || group->ready == 0) {
        deciding->some_unknown = true;
        proposal = propose(deciding, FROM_STEP, step->name);
        proposal->type = step->type;
        proposal->target = step->threshold;
        return;
    }
    seen = whole ? value.sum : value.sum / value.reporting;
    if (step->is_above ? seen <= step->threshold : seen >= step->threshold)
        return;
    by = step_size(step, group->ready);
    if (by < 0 && (int)group->ready != group->desired)
        return;
    proposal = propose(deciding, FROM_STEP, step->name);
    proposal->type = step->type;
    proposal->kind = whole ? TARGET_VALUE : TARGET_AVERAGE;
    proposal->is_known = true;
    proposal->value = seen;
    proposal->target = step->threshold;
    proposal->wanted = by > 0 ? at_least(at_most((int)group->ready + by, GROUP_SIZE_MAX), group->desired)
                              : at_least(group->desired + by, 0);
}

/* A schedule that is on moves the bounds, within those of the policy. */
static void apply_schedules(struct deciding *deciding)
{
    const struct autoscale_policy *policy = deciding->policy;
    struct autoscale_decision *decision = deciding->decision;
    int lowest_max = policy->max;

    for (unsigned i = 0; i < policy->schedule_count; i++) {
        const struct autoscale_schedule *schedule = &policy->schedules[i];
        struct autoscale_proposal *proposal;

        /* One that lasts an hour is over when the hour is. */
        if (calendar_last(schedule->calendar, deciding->now_ms, schedule->duration_ms - 1) < 0)
            continue;
        if (schedule->max >= 0)
            lowest_max = at_most(lowest_max, schedule->max);
        if (schedule->min < 0)
            continue;
        decision->min = at_least(decision->min, at_most(schedule->min, policy->max));
        proposal = propose(deciding, FROM_SCHEDULE, schedule->name);
        proposal->is_known = true;
        proposal->wanted = at_most(schedule->min, policy->max);
    }
    decision->max = at_least(lowest_max, decision->min);
}

static void propose_forecast(struct deciding *deciding, const struct autoscale_forecast *forecast)
{
    const struct autoscale_target *target;
    struct autoscale_proposal *proposal;

    if (!forecast || !forecast->is_used || !isfinite(forecast->sum) || forecast->target >= (int)deciding->policy->target_count)
        return;
    target = &deciding->policy->targets[forecast->target];
    proposal = propose(deciding, FROM_FORECAST, target->name);
    proposal->type = target->type;
    proposal->kind = target->kind;
    proposal->is_known = true;
    proposal->value = forecast->sum;
    proposal->target = target->target;
    proposal->wanted = whole_members(forecast->sum / target->target);
}

/* Larger members before more of them, where that helps. */
static void prefer_growth(struct deciding *deciding)
{
    const struct autoscale_group *group = deciding->group;

    for (unsigned i = 0; i < deciding->decision->proposal_count; i++) {
        struct autoscale_proposal *proposal = &deciding->decision->proposals[i];
        bool grows = (proposal->type == METRIC_CPU && group->cpu_grows) ||
                     (proposal->type == METRIC_MEMORY && group->memory_grows);

        if ((proposal->source != FROM_TARGET && proposal->source != FROM_FORECAST) || !proposal->is_known || !grows ||
            proposal->wanted <= group->desired)
            continue;
        proposal->wanted = group->desired;
        proposal->members_grow = true;
    }
}

/* The largest proposal. A schedule alone is no reason to shrink what no metric speaks about. */
static void choose_winner(struct deciding *deciding)
{
    struct autoscale_decision *decision = deciding->decision;
    bool heard = false;

    decision->winner = -1;
    decision->wanted = -1;
    for (unsigned i = 0; i < decision->proposal_count; i++) {
        const struct autoscale_proposal *proposal = &decision->proposals[i];

        if (!proposal->is_known)
            continue;
        heard = heard || proposal->source == FROM_TARGET || proposal->source == FROM_STEP;
        if (proposal->wanted > decision->wanted) {
            decision->wanted = proposal->wanted;
            decision->winner = (int)i;
        }
    }
    if (decision->wanted >= deciding->group->desired || (heard && !deciding->some_unknown))
        return;
    decision->wanted = deciding->group->desired;
    decision->winner = -1;
}

static enum autoscale_reason why_unchanged(const struct deciding *deciding, enum autoscale_reason held_by)
{
    const struct autoscale_decision *decision = deciding->decision;

    if (decision->wanted > decision->max && decision->desired == decision->max)
        return AUTOSCALE_AT_MAXIMUM;
    if (decision->wanted < decision->min && decision->desired == decision->min)
        return AUTOSCALE_AT_MINIMUM;
    if (held_by != AUTOSCALE_STEADY)
        return held_by;
    if (deciding->some_unknown && decision->winner < 0)
        return AUTOSCALE_NO_METRICS;
    if (decision->winner >= 0 && decision->proposals[decision->winner].members_grow)
        return AUTOSCALE_MEMBERS_GROW;
    if (decision->winner >= 0 && decision->proposals[decision->winner].within_tolerance)
        return AUTOSCALE_WITHIN_TOLERANCE;
    return AUTOSCALE_STEADY;
}

/* Metrics bring a group down to its last member. Without any, nothing else says that there are too many. */
static bool may_go_to_none(const struct deciding *deciding)
{
    const struct autoscale_policy *policy = deciding->policy;

    return (deciding->group->desired == 1 && deciding->decision->wanted <= 1) ||
           (policy->target_count == 0 && policy->step_count == 0);
}

/* With none wanted at rest: the last member goes after the idle time, the first comes when somebody
 * waits. True when that decides. */
static bool decide_idle(struct deciding *deciding)
{
    const struct autoscale_group *group = deciding->group;
    struct autoscale_decision *decision = deciding->decision;

    if (deciding->policy->min > 0 || decision->min > 0)
        return false;
    if (group->desired == 0) {
        decision->desired = group->wake ? 1 : 0;
        decision->reason = group->wake ? AUTOSCALE_WOKEN : AUTOSCALE_IDLE;
        return true;
    }
    if (may_go_to_none(deciding) && !group->wake && group->idle_ms >= 0 &&
        group->idle_ms >= deciding->policy->idle_ms) {
        decision->desired = 0;
        decision->reason = AUTOSCALE_IDLE;
        return true;
    }
    decision->min = 1;
    return false;
}

static void decide_by_load(struct deciding *deciding, struct autoscale_memory *memory)
{
    struct autoscale_decision *decision = deciding->decision;
    int from = decision->from;
    enum autoscale_reason held_by = AUTOSCALE_STEADY;
    int next = rates_stabilise(memory, deciding->policy, decision->wanted, from, deciding->now_ms);

    if (next != decision->wanted)
        held_by = AUTOSCALE_STABILISING;
    int limited = rates_limit(memory, deciding->policy, next, from, deciding->now_ms);
    if (limited != next)
        held_by = AUTOSCALE_RATE_LIMITED;
    if (limited > from && deciding->group->circuit_open) {
        limited = from;
        held_by = AUTOSCALE_CIRCUIT_OPEN;
    }
    decision->desired = at_most(at_least(limited, decision->min), decision->max);
    decision->is_limited = held_by == AUTOSCALE_RATE_LIMITED || decision->desired != limited;
    decision->reason = decision->desired > from   ? AUTOSCALE_OUT
                       : decision->desired < from ? AUTOSCALE_IN
                                                  : why_unchanged(deciding, held_by);
}

void autoscale_decide(const struct autoscale_policy *policy, const struct sample *samples,
                      size_t sample_count, const struct autoscale_group *group,
                      const struct autoscale_forecast *forecast, int64_t now_ms,
                      struct autoscale_memory *memory, struct autoscale_decision *ret_decision)
{
    struct deciding deciding = { policy, group, samples, sample_count, now_ms, ret_decision, false };

    memset(ret_decision, 0, sizeof *ret_decision);
    ret_decision->wall_ms = now_ms;
    ret_decision->from = group->desired;
    ret_decision->ready = group->ready;
    ret_decision->min = policy->min;
    ret_decision->max = policy->max;
    for (unsigned i = 0; i < policy->target_count; i++)
        propose_target(&deciding, &policy->targets[i]);
    for (unsigned i = 0; i < policy->step_count; i++)
        propose_step(&deciding, &policy->steps[i]);
    propose_forecast(&deciding, forecast);
    prefer_growth(&deciding);
    apply_schedules(&deciding);
    choose_winner(&deciding);
    if (!decide_idle(&deciding))
        decide_by_load(&deciding, memory);
    rates_remember(memory, ret_decision);
}
