/* elastic/autoscale_rates.c - what was wanted and what was changed lately, and what follows. */
#include "elastic/autoscale_rates.h"
#include <math.h>
#include <string.h>

/* The same wish again lengthens its span, so that many hours fit into few spans. */
static void remember_wish(struct autoscale_memory *memory, int wanted, int64_t now_ms)
{
    struct autoscale_span *last = memory->span_count ? &memory->spans[memory->span_count - 1] : NULL;

    if (last && last->proposed == wanted) {
        last->to_ms = now_ms;
        return;
    }
    if (memory->span_count == AUTOSCALE_MEMORY_MAX) {
        memory->span_count--;
        memmove(memory->spans, memory->spans + 1, memory->span_count * sizeof memory->spans[0]);
    }
    memory->spans[memory->span_count++] = (struct autoscale_span){ now_ms, now_ms, wanted };
}

void autoscale_begin(struct autoscale_memory *memory, int desired, int64_t now_ms)
{
    *memory = (struct autoscale_memory){ 0 };
    remember_wish(memory, desired, now_ms);
}

int rates_stabilise(struct autoscale_memory *memory, const struct autoscale_policy *policy, int wanted,
                    int from, int64_t now_ms)
{
    int lowest = wanted, highest = wanted, next = from;

    for (unsigned i = 0; i < memory->span_count; i++) {
        const struct autoscale_span *span = &memory->spans[i];

        if (span->to_ms > now_ms - policy->out.stabilisation_ms && span->proposed < lowest)
            lowest = span->proposed;
        if (span->to_ms > now_ms - policy->in.stabilisation_ms && span->proposed > highest)
            highest = span->proposed;
    }
    remember_wish(memory, wanted, now_ms);
    if (next < lowest)
        next = lowest;
    if (next > highest)
        next = highest;
    return next;
}

/* Members that came (or went, negative) within the last 'period_ms'. */
static int changed_within(const struct autoscale_memory *memory, bool out, int64_t now_ms, int64_t period_ms)
{
    int sum = 0;

    for (unsigned i = 0; i < memory->change_count; i++) {
        const struct autoscale_change *change = &memory->changes[i];

        if (change->wall_ms > now_ms - period_ms && (change->by > 0) == out)
            sum += change->by;
    }
    return sum;
}

/* Where one rate lets the group go to: counted from what it was when the period began. Members that went
 * meanwhile may come back; those that came do not make it shrink faster. */
static int bound_of(const struct autoscale_rate *rate, const struct autoscale_memory *memory, bool out,
                    int from, int64_t now_ms)
{
    int start = from - changed_within(memory, out, now_ms, rate->period_ms) -
                (out ? changed_within(memory, /*out=*/false, now_ms, rate->period_ms) : 0);
    double part = rate->is_percent ? (double)start * rate->value / 100 : rate->value;
    double bound = out ? ceil(start + part) : floor(start - part);

    return bound < 0 ? 0 : bound > GROUP_SIZE_MAX ? GROUP_SIZE_MAX : (int)bound;
}

int rates_limit(const struct autoscale_memory *memory, const struct autoscale_policy *policy, int next,
                int from, int64_t now_ms)
{
    bool out = next > from;
    const struct autoscale_behaviour *behaviour = out ? &policy->out : &policy->in;
    int limit = 0;

    if (next == from)
        return next;
    if (behaviour->select == RATE_DISABLED)
        return from;
    if (behaviour->rate_count == 0)
        return next;
    for (unsigned i = 0; i < behaviour->rate_count; i++) {
        int bound = bound_of(&behaviour->rates[i], memory, out, from, now_ms);
        bool farther = out ? bound > limit : bound < limit;

        if (i == 0 || farther == (behaviour->select == RATE_MAX))
            limit = bound;
    }
    /* What went beyond a rate already (by hand, by a schedule) is not taken back by it. */
    if (out)
        return limit < from ? from : next < limit ? next : limit;
    return limit > from ? from : next > limit ? next : limit;
}

void rates_remember(struct autoscale_memory *memory, const struct autoscale_decision *decision)
{
    if (decision->desired == decision->from)
        return;
    if (memory->change_count == AUTOSCALE_MEMORY_MAX) {
        memory->change_count--;
        memmove(memory->changes, memory->changes + 1, memory->change_count * sizeof memory->changes[0]);
    }
    memory->changes[memory->change_count++] =
        (struct autoscale_change){ decision->wall_ms, decision->desired - decision->from };
}
