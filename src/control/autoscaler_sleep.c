/* control/autoscaler_sleep.c - no member without traffic, and one again with the first connection.
 *
 *   no traffic for idleTimeout -> spec.replicas 0 -> the balancer holds the next request
 *        ^                                                   |  tells, at once
 *        +--- served <- a member serves <- spec.replicas 1 <-+
 *
 * Woken is a decision like any other: compare-and-swap of spec.replicas from 0 to 1. So however many
 * connections come, and whatever dies meanwhile, one member is made. */
#include "control/autoscaler.h"
#include "control/autoscalers.h"
#include "control/balancers.h"
#include "base/str.h"
#include "kinds/tables/tables.h"
#include "store/object.h"

static bool is_active(const json_t *autoscaler)
{
    return str_equal(view_text(&kind_autoscaler, autoscaler, "spec.mode"), "Active");
}

bool autoscaler_may_sleep(const json_t *autoscaler)
{
    return json_at(autoscaler, "spec.idleTimeout") && json_int_at(autoscaler, "spec.minReplicas", 0) == 0 &&
           is_active(autoscaler) && !object_is_deleting(autoscaler);
}

static struct sleep_obstacle find_obstacle(const struct scaler *scaler, const json_t *autoscaler, const json_t *group)
{
    if (!json_at(autoscaler, "spec.idleTimeout"))
        return (struct sleep_obstacle){ "NoIdleTimeout", "there is no idleTimeout: the last member stays" };
    if (!is_active(autoscaler))
        return (struct sleep_obstacle){ "Observing", "mode Observe changes nothing" };
    if (json_int_at(autoscaler, "spec.minReplicas", 0) > 0)
        return (struct sleep_obstacle){ "MinReplicas", "minReplicas is above 0" };
    if (view_int(&kind_instance_group, group, "spec.minReplicas") > 0)
        return (struct sleep_obstacle){ "MinReplicas", "minReplicas of the group is above 0" };
    if (!balancer_is_before_group(scaler->control, object_namespace(group), object_name(group)))
        return (struct sleep_obstacle){ "NoLoadBalancer", "no LoadBalancer passes traffic to the group, so nothing "
                                                          "would wake it: the last member stays" };
    return (struct sleep_obstacle){ NULL, "" };
}

bool scaler_may_sleep(struct scaler *scaler, const json_t *autoscaler, const json_t *group)
{
    struct sleep_obstacle obstacle = find_obstacle(scaler, autoscaler, group);

    if (!str_equal(obstacle.message, scaler->obstacle.message))
        scaler->is_dirty = true;
    scaler->obstacle = obstacle;
    return !obstacle.reason;
}

void scaler_show_sleep(struct work *work, const struct scaler *scaler)
{
    const struct sleep_obstacle *obstacle = &scaler->obstacle;
    bool asks = json_at(work->object, "spec.idleTimeout") != NULL;

    if (!asks && !condition_get(work->object, "ScaleToZero"))
        return;
    if (obstacle->reason)
        work_condition(work, "ScaleToZero", false, obstacle->reason, "%s", obstacle->message);
    else if (scaler->decision.desired == 0)
        work_condition(work, "ScaleToZero", true, "Asleep", "the next connection brings a member back");
    else
        work_condition(work, "ScaleToZero", true, "Awake", "the last member goes after %s without traffic",
                       view_text(&kind_autoscaler, work->object, "spec.idleTimeout"));
}

void autoscaler_wake(struct control *control, const char *namespace_name, const char *group)
{
    auto_json json_t *object = control_find(control, &kind_instance_group, namespace_name, group);
    struct scaler *scaler = object ? scaler_of_group(control, namespace_name, group) : NULL;
    int64_t generation = json_int_at(object, "metadata.generation", 1);

    /* Decided already and not stored yet, or not for us to decide: the next second looks again. */
    if (!scaler || scaler->woken_generation == generation || view_int(&kind_instance_group, object, "spec.replicas"))
        return;
    scaler->woken_generation = generation;
    scaler_decide_now(scaler);
}
