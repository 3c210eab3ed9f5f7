/* elastic/vertical.c - up at once, down after a while, within bounds. */
#include "elastic/vertical.h"
#include <math.h>

static int64_t at_least(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }

struct one { /* of processors and memory */
    const struct vertical_policy *policy;
    const struct vertical_bounds *bounds;
    const struct vertical_amount *amount;
    struct vertical_low *low;
    int64_t step;
};

/* Members lie: what is no amount is not known. */
static bool is_known(const struct vertical_amount *amount)
{
    return isfinite(amount->used) && amount->used >= 0 && amount->has > 0;
}

static int64_t highest(const struct one *one) { return at_most(one->bounds->max, one->amount->most); }

static int64_t bounded(const struct one *one, int64_t wanted)
{
    return at_most(at_least(at_least(wanted, one->bounds->min), one->amount->least), highest(one));
}

/* What the use is 'target' per cent of, in whole steps; a hair above one is rounding, not load. */
static int64_t wanted_of(const struct one *one)
{
    double steps = ceil(one->amount->used * 100 / one->bounds->target / (double)one->step - 1e-6);
    double most = (double)one->bounds->max / (double)one->step + 1;

    return (int64_t)(steps < most ? steps : most) * one->step;
}

static int64_t shrunk(struct one *one, int64_t wanted, bool may_shrink, int64_t now_ms)
{
    struct vertical_low *low = one->low;

    if (!low->since_ms || now_ms < low->since_ms)
        *low = (struct vertical_low){ now_ms, wanted };
    low->peak = at_least(low->peak, wanted);
    if (!may_shrink || now_ms - low->since_ms < one->policy->in_window_ms)
        return one->amount->has;
    wanted = low->peak;
    *low = (struct vertical_low){ 0 };
    return at_most(bounded(one, wanted), one->amount->has);
}

static int64_t decide_one(struct one *one, const struct vertical_member *member, bool may_shrink, int64_t now_ms)
{
    const struct vertical_policy *policy = one->policy;
    int64_t has = one->amount->has;
    double ratio;

    if (!one->bounds->is_used || member->is_following || member->is_held)
        return has;
    if (has < one->bounds->min) /* the bounds speak, whatever is used */
        return at_least(has, bounded(one, one->bounds->min));
    if (!is_known(one->amount)) {
        *one->low = (struct vertical_low){ 0 };
        return has;
    }
    ratio = one->amount->used * 100 / (double)has / one->bounds->target;
    if (ratio > 1 + policy->tolerance_out) {
        *one->low = (struct vertical_low){ 0 };
        return at_least(has, bounded(one, wanted_of(one)));
    }
    if (ratio < 1 - policy->tolerance_in && bounded(one, wanted_of(one)) < has)
        return shrunk(one, bounded(one, wanted_of(one)), may_shrink, now_ms);
    *one->low = (struct vertical_low){ 0 };
    return has;
}

/* One that is on its way to more counts as able to: whether that is enough is seen when it is there. */
static bool can_grow(const struct one *one, const struct vertical_member *member)
{
    return one->bounds->is_used && !member->is_held &&
           (one->amount->has + one->step <= highest(one) || member->is_following);
}

void vertical_decide(const struct vertical_policy *policy, const struct vertical_member *member,
                     bool may_shrink, int64_t now_ms, struct vertical_memory *memory,
                     struct vertical_decision *ret_decision)
{
    struct one cpus = { policy, &policy->cpus, &member->cpus, &memory->cpus, 1 };
    struct one bytes = { policy, &policy->memory, &member->memory, &memory->memory, VERTICAL_MEMORY_STEP };

    *ret_decision = (struct vertical_decision){
        .cpus = decide_one(&cpus, member, may_shrink, now_ms),
        .memory = decide_one(&bytes, member, may_shrink, now_ms),
        .cpus_can_grow = can_grow(&cpus, member),
        .memory_can_grow = can_grow(&bytes, member),
    };
}
