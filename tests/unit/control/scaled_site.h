/* tests/unit/control/scaled_site.h - group "web" of the fakes with an Autoscaler. */
#pragma once
#include "web_site.h"
#include "control/autoscaler.h"

/* One member of at most four is ready. */
static inline void begin_scaled(json_t *take_spec)
{
    begin(1);
    create_image();
    create(&kind_instance_group,
           json_pack("{s:i,s:i,s:i,s:{s:{s:s,s:s}}}", "replicas", 1, "minReplicas", 1, "maxReplicas", 4, "template",
                     "spec", "image", "debian", "memory", "64Mi"));
    create(&kind_autoscaler, take_spec);
    wait_ready(1);
}

/* Nothing is left. */
static inline void end_scaled(void)
{
    control_delete(site.control, &kind_autoscaler, "default", "web", nobody);
    loop_sim_advance(site.loop, 3000);
    for (unsigned i = 0; i < 1000 && int_of(&kind_instance_group, "status.replicas") >= 0; i++) {
        control_delete(site.control, &kind_instance_group, "default", "web", nobody);
        pass_time();
    }
    check_nothing_left();
    end();
}

static inline int push(const char *group, const char *member, const char *metric, double value, struct err *err)
{
    return control_push_metrics(site.control, "default", group, &(struct pushed_metric){ metric, member, value }, 1,
                                err);
}
