/* elastic/hpa.c - metric by metric. */
#include "elastic/hpa.h"
#include "base/str.h"

/* As an Autoscaler's default. */
#define WINDOW "2s"

/* The one target that is given, under the name an Autoscaler has for it. */
static void set_target(json_t *item, const json_t *target)
{
    static const char *const names[][2] = { { "Utilization", "averageUtilization" },
                                            { "AverageValue", "averageValue" },
                                            { "Value", "value" } };
    const char *type = json_text_at(target, "type", "");

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_equal(names[i][0], type))
            json_object_set(item, names[i][1], json_object_get(target, names[i][1]));
}

static json_t *resource_item(const json_t *resource)
{
    const char *name = json_text_at(resource, "name", "");
    json_t *item =
        json_pack("{s:s,s:s}", "name", name, "type", str_equal(name, "cpu") ? "CPU" : "Memory");

    set_target(item, json_object_get(resource, "target"));
    return item;
}

static json_t *custom_item(const json_t *custom)
{
    const char *name = json_text_at(custom, "metric.name", "");
    json_t *item = json_pack("{s:s,s:s,s:s}", "name", name, "type", "Custom", "metric", name);

    set_target(item, json_object_get(custom, "target"));
    return item;
}

static json_t *metric_item(const json_t *metric)
{
    const json_t *resource = json_object_get(metric, "resource"),
                 *pods = json_object_get(metric, "pods");

    return resource ? resource_item(resource)
                    : custom_item(pods ? pods : json_object_get(metric, "external"));
}

json_t *hpa_as_autoscaler(const json_t *spec)
{
    static const char *const same[] = { "minReplicas", "maxReplicas", "behavior" };
    const json_t *metrics = json_object_get(spec, "metrics");
    json_t *items = json_array(),
           *made = json_pack("{s:s,s:o}", "window", WINDOW, "metrics", items);

    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        if (json_object_get(spec, same[i]))
            json_object_set(made, same[i], json_object_get(spec, same[i]));
    for (size_t i = 0; i < json_array_size(metrics); i++)
        json_array_append_new(items, metric_item(json_array_get(metrics, i)));
    return made;
}
