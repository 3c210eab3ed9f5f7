/* tests/unit/control/web_site.h - a host in miniature where whatever there is, a group, its Autoscaler and
 * its balancer, is called "web". */
#pragma once
#include "site.h"

static void create(const struct kind *kind, json_t *take_spec)
{
    control_create(site.control, kind,
                   json_pack("{s:{s:s,s:s},s:o}", "metadata", "name", "web", "namespace", "default", "spec", take_spec),
                   nobody);
    loop_sim_advance(site.loop, STEP_MS);
}

static json_t *find(const struct kind *kind) { return control_find(site.control, kind, "default", "web"); }

static int64_t int_of(const struct kind *kind, const char *path)
{
    auto_json json_t *object = find(kind);

    return json_int_at(object, path, -1);
}

static void wait_ready(int64_t count)
{
    for (int64_t waited_ms = 0; int_of(&kind_instance_group, "status.readyReplicas") != count; waited_ms += STEP_MS) {
        auto_json json_t *object = find(&kind_instance_group);
        auto_free char *text = json_text(object);
        if (waited_ms > LIMIT_MS)
            check_fail(CHECK_HERE, "never %lld ready: %s", (long long)count, text);
        pass_time();
    }
}
