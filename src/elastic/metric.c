/* elastic/metric.c - names of metrics and their slots. */
#include "elastic/metric.h"
#include "base/str.h"
#include <string.h>

static const char *const names[METRIC_TYPE_COUNT] = {
    [METRIC_CPU] = "CPU",           [METRIC_MEMORY] = "Memory", [METRIC_NETWORK] = "Network",
    [METRIC_REQUESTS] = "Requests", [METRIC_QUEUE] = "Queue",   [METRIC_LATENCY] = "Latency",
    [METRIC_CUSTOM] = "Custom",
};

const char *metric_type_name(enum metric_type type) { return names[type]; }

enum metric_type metric_type_find(const char *name)
{
    enum metric_type type = 0;

    while (type < METRIC_TYPE_COUNT && !str_equal(names[type], name))
        type++;
    return type;
}

bool metric_is_amount(double value) { return value >= 0 && value <= METRIC_AMOUNT_MAX; }

int metric_slot(struct metric_names *known, enum metric_type type, const char *custom, bool add)
{
    if (type != METRIC_CUSTOM)
        return (int)type;
    if (!custom || !custom[0] || strlen(custom) >= METRIC_NAME_SIZE)
        return -1;
    for (int i = 0; i < CUSTOM_METRICS_MAX; i++)
        if (str_equal(known->custom[i], custom))
            return METRIC_CUSTOM + i;
    for (int i = 0; add && i < CUSTOM_METRICS_MAX; i++) {
        if (known->custom[i][0])
            continue;
        memcpy(known->custom[i], custom, strlen(custom) + 1);
        return METRIC_CUSTOM + i;
    }
    return -1;
}
