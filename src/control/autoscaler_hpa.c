/* control/autoscaler_hpa.c - HorizontalPodAutoscaler: a scaler whose object speaks Kubernetes'
 * words. */
#include "control/autoscaler.h"
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"
#include <math.h>

#define QUANTITY_MAX (INT64_MAX / 1000)

/* Applications push what they like: what is more than a quantity holds is shown as the largest. */
static int64_t rounded(double value)
{
    return value < (double)QUANTITY_MAX ? (int64_t)(value + 0.5) : QUANTITY_MAX;
}

static void set_quantity(json_t *to, const char *name, double value)
{
    bool fits = value < (double)QUANTITY_MAX;
    char text[QUANTITY_TEXT_SIZE];

    quantity_format_milli(fits ? (int64_t)(value * 1000 + 0.5) : QUANTITY_MAX * 1000, text, sizeof text);
    json_object_set_new(to, name, json_string(text));
}

/* The part of what a member has that so many per cent are: processors, or bytes. */
static double amount_of(const json_t *group, const struct autoscale_proposal *proposal)
{
    const json_t *spec = json_at(group, "spec.template.spec");
    int64_t memory = 0;
    struct err err;

    if (proposal->type == METRIC_CPU)
        return proposal->value / 100 * (double)json_int_at(spec, "cpus", 1);
    (void)quantity_parse(json_text_at(spec, "memory", "0"), &memory, &err); /* validated */
    return floor(proposal->value / 100 * (double)memory);
}

static json_t *current_of(const json_t *group, const struct autoscale_proposal *proposal)
{
    json_t *current = json_object();

    if (proposal->type == METRIC_CUSTOM) {
        set_quantity(current, proposal->kind == TARGET_AVERAGE ? "averageValue" : "value",
                     proposal->value);
        return current;
    }
    json_object_set_new(current, "averageUtilization",
                        json_integer(rounded(proposal->value)));
    set_quantity(current, "averageValue", amount_of(group, proposal));
    return current;
}

/* One item for each metric of the spec, in its order; "current" is empty while nothing is known. */
static json_t *item_of(const json_t *metric, const json_t *group,
                       const struct autoscale_proposal *proposal)
{
    const char *type = json_text_at(metric, "type", "");
    const char *block = str_equal(type, "Resource") ? "resource"
                        : str_equal(type, "Pods")   ? "pods"
                                                    : "external";
    const char *name = str_equal(type, "Resource") ? "name" : "metric";
    const json_t *identity = json_object_get(json_object_get(metric, block), name);

    return json_pack("{s:s,s:{s:O,s:o}}", "type", type, block, name, identity, "current",
                     proposal->is_known ? current_of(group, proposal) : json_object());
}

void scaler_show_hpa(struct work *work, const struct scaler *scaler)
{
    const struct autoscale_decision *decision = &scaler->decision;
    const json_t *metrics = json_at(work->object, "spec.metrics");
    auto_json json_t *group = control_find(work->control, &kind_instance_group,
                                           object_namespace(work->object), scaler->target);
    json_t *items = json_array();

    /* Targets are proposed first, in the order of the spec. */
    for (size_t i = 0; i < json_array_size(metrics) && i < decision->proposal_count; i++)
        if (decision->proposals[i].source == FROM_TARGET)
            json_array_append_new(
                items, item_of(json_array_get(metrics, i), group, &decision->proposals[i]));
    json_set_at(work->object, "status.currentMetrics", items);
}
