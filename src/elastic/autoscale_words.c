/* elastic/autoscale_words.c - a decision as sentences. */
#include "elastic/autoscale.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const reason_names[AUTOSCALE_REASON_COUNT] = {
    [AUTOSCALE_STEADY] = "Steady",
    [AUTOSCALE_OUT] = "ScaleOut",
    [AUTOSCALE_IN] = "ScaleIn",
    [AUTOSCALE_WITHIN_TOLERANCE] = "WithinTolerance",
    [AUTOSCALE_NO_METRICS] = "NoMetrics",
    [AUTOSCALE_STABILISING] = "Stabilizing",
    [AUTOSCALE_RATE_LIMITED] = "RateLimited",
    [AUTOSCALE_AT_MINIMUM] = "AtMinimum",
    [AUTOSCALE_AT_MAXIMUM] = "AtMaximum",
    [AUTOSCALE_CIRCUIT_OPEN] = "CircuitOpen",
    [AUTOSCALE_MEMBERS_GROW] = "MembersGrow",
    [AUTOSCALE_IDLE] = "Idle",
    [AUTOSCALE_WOKEN] = "Woken",
};

const char *autoscale_reason_name(enum autoscale_reason reason) { return reason_names[reason]; }

struct words {
    char *to;
    size_t size, length;
};

static void say(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct words *words, const char *format, ...)
{
    va_list args;
    int length;

    if (words->length >= words->size)
        return;
    va_start(args, format);
    length = vsnprintf(words->to + words->length, words->size - words->length, format, args);
    va_end(args);
    if (length > 0)
        words->length += (size_t)length;
}

/* "72 % CPU", "1.2 MB/s of network traffic": with at most three digits that matter. */
static void say_amount(struct words *words, enum metric_type type, const char *name, double value)
{
    switch (type) {
    case METRIC_CPU: say(words, "%.0f %% CPU", value); break;
    case METRIC_MEMORY: say(words, "%.0f %% memory", value); break;
    case METRIC_NETWORK:
        if (value >= 1e6)
            say(words, "%.1f MB/s network", value / 1e6);
        else
            say(words, "%.1f kB/s network", value / 1e3);
        break;
    case METRIC_REQUESTS: say(words, "%.*f requests/s", value < 10 ? 1 : 0, value); break;
    case METRIC_QUEUE: say(words, "%.*f queued requests", value < 10 ? 1 : 0, value); break;
    case METRIC_LATENCY: say(words, "%.0f ms latency", value); break;
    default: say(words, "%s %.3g", name, value); break;
    }
}

static void say_proposal(struct words *words, const struct autoscale_proposal *proposal)
{
    const char *per = proposal->kind == TARGET_AVERAGE ? " per member" : "";

    switch (proposal->source) {
    case FROM_TARGET:
        say_amount(words, proposal->type, proposal->name, proposal->value);
        say(words, "%s, target ", per);
        say_amount(words, proposal->type, proposal->name, proposal->target);
        break;
    case FROM_STEP:
        say_amount(words, proposal->type, proposal->name, proposal->value);
        say(words, "%s, step \"%s\" acts %s ", per, proposal->name,
            proposal->value > proposal->target ? "above" : "below");
        say_amount(words, proposal->type, proposal->name, proposal->target);
        break;
    case FROM_SCHEDULE: say(words, "schedule \"%s\" asks for at least %d", proposal->name, proposal->wanted); break;
    case FROM_FORECAST:
        say(words, "forecast of ");
        say_amount(words, proposal->type, proposal->name, proposal->value);
        say(words, " in all, target ");
        say_amount(words, proposal->type, proposal->name, proposal->target);
        say(words, "%s", per);
        break;
    }
}

/* Where its values would come from. */
static const char *source_of(enum metric_type type)
{
    switch (type) {
    case METRIC_REQUESTS:
    case METRIC_QUEUE:
    case METRIC_LATENCY: return " (no load balancer tells it)";
    case METRIC_CUSTOM: return " (nobody provides it)";
    default: return "";
    }
}

static void say_unknown(struct words *words, const struct autoscale_decision *decision)
{
    const char *between = "";

    for (unsigned i = 0; i < decision->proposal_count; i++) {
        if (decision->proposals[i].is_known)
            continue;
        say(words, "%s%s%s", between, decision->proposals[i].name, source_of(decision->proposals[i].type));
        between = ", ";
    }
}

static void say_cause(struct words *words, const struct autoscale_decision *decision)
{
    if (decision->winner >= 0)
        say_proposal(words, &decision->proposals[decision->winner]);
    else
        say(words, "no metric says otherwise");
}

static void say_limit(struct words *words, const struct autoscale_decision *decision)
{
    if (!decision->is_limited || decision->wanted == decision->desired)
        return;
    if (decision->desired == decision->max && decision->wanted > decision->max)
        say(words, "; %d are wanted, %d is the maximum", decision->wanted, decision->max);
    else if (decision->desired == decision->min && decision->wanted < decision->min)
        say(words, "; %d would do, %d is the minimum", decision->wanted, decision->min);
    else
        say(words, "; %d are wanted, the rate of change holds it", decision->wanted);
}

void autoscale_unknown(const struct autoscale_decision *decision, char *to, size_t size)
{
    struct words words = { to, size, 0 };

    to[0] = '\0';
    if (decision->ready > 0)
        say_unknown(&words, decision);
}

void autoscale_words(const struct autoscale_decision *decision, char *to, size_t size)
{
    struct words words = { to, size, 0 };
    int desired = decision->desired;

    to[0] = '\0';
    switch (decision->reason) {
    case AUTOSCALE_OUT:
    case AUTOSCALE_IN:
        say(&words, "%s from %d to %d: ", decision->reason == AUTOSCALE_OUT ? "out" : "in", decision->from, desired);
        say_cause(&words, decision);
        say_limit(&words, decision);
        break;
    case AUTOSCALE_IDLE:
        if (desired == decision->from)
            say(&words, "none is needed: there is no traffic");
        else
            say(&words, "in from %d to %d: there was no traffic for the idle time", decision->from, desired);
        break;
    case AUTOSCALE_WOKEN: say(&words, "out from 0 to 1: somebody connected"); break;
    case AUTOSCALE_NO_METRICS:
        if (decision->ready == 0) {
            say(&words, "stays at %d: no member serves yet", desired);
            break;
        }
        say(&words, "stays at %d: nothing is known of ", desired);
        say_unknown(&words, decision);
        break;
    case AUTOSCALE_STABILISING:
        say(&words, "stays at %d until the stabilization window is over: %d are wanted (", desired, decision->wanted);
        say_cause(&words, decision);
        say(&words, ")");
        break;
    case AUTOSCALE_RATE_LIMITED:
        say(&words, "stays at %d until the next change is within its rate: %d are wanted", desired, decision->wanted);
        break;
    case AUTOSCALE_AT_MAXIMUM:
        say(&words, "stays at the maximum of %d: %d are wanted (", desired, decision->wanted);
        say_cause(&words, decision);
        say(&words, ")");
        break;
    case AUTOSCALE_AT_MINIMUM:
        say(&words, "stays at the minimum of %d: %d would do (", desired, decision->wanted);
        say_cause(&words, decision);
        say(&words, ")");
        break;
    case AUTOSCALE_MEMBERS_GROW:
        say(&words, "stays at %d, for its members are given more first: ", desired);
        say_cause(&words, decision);
        break;
    case AUTOSCALE_CIRCUIT_OPEN:
        say(&words, "stays at %d: %d are wanted, but starts failed repeatedly and the circuit is open", desired,
            decision->wanted);
        break;
    default:
        say(&words, "stays at %d: ", desired);
        say_cause(&words, decision);
        break;
    }
}
