/* tests/unit/kinds/test_elastic.c - the rules of InstanceGroup and Autoscaler that span fields. */
#include "check.h"
#include "kinds/tables/tables.h"
#include <string.h>

static json_t *made(const struct kind *kind, const char *spec)
{
    auto_free char *text = str_printf("{\"apiVersion\":\"virga.dev/v1\",\"kind\":\"%s\",\"metadata\":{\"name\":"
                                      "\"web\",\"namespace\":\"default\"},\"spec\":%s}", kind->name, spec);
    struct err err;
    json_t *object = json_parse(text, strlen(text), &err);

    if (!object)
        check_fail(CHECK_HERE, "%s: %s", spec, err.text);
    kind_default(kind, object);
    return object;
}

struct row {
    const char *spec, *field, *message;
};

static void check_rows(const struct kind *kind, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        auto_json json_t *object = made(kind, rows[i].spec);
        auto_causes struct causes causes = { 0 };

        kind_validate(kind, object, NULL, &causes);
        if (causes.count != 1)
            check_fail(CHECK_HERE, "%s: %zu causes", rows[i].spec, causes.count);
        CHECK_STR(causes.items[0].field, rows[i].field);
        CHECK_CONTAINS(causes.items[0].message, rows[i].message);
    }
}

static void check_valid(const struct kind *kind, const char *spec)
{
    auto_json json_t *object = made(kind, spec);
    auto_causes struct causes causes = { 0 };

    kind_validate(kind, object, NULL, &causes);
    if (causes.count)
        check_fail(CHECK_HERE, "%s: %s: %s", spec, causes.items[0].field, causes.items[0].message);
}

#define T "\"template\":{\"spec\":{\"image\":\"micro\"}}"
#define NET(field) "\"template\":{\"spec\":{\"image\":\"m\",\"networks\":[{\"name\":\"a\",\"network\":\"n\"," field "}]}}"

TEST(groups_refuse_what_cannot_be)
{
    static const struct row rows[] = {
        { "{}", "spec.template", "Required value" },
        { "{" T ",\"minReplicas\":3,\"maxReplicas\":2}", "spec.minReplicas", "must not be above spec.maxReplicas (2)" },
        { "{" T ",\"replicas\":7,\"maxReplicas\":6}", "spec.replicas", "must be from spec.minReplicas (0) to spec.maxReplicas (6)" },
        { "{" T ",\"replicas\":0,\"minReplicas\":1}", "spec.replicas", "must be from" },
        { "{" T ",\"replicas\":-1}", "spec.replicas", "Invalid value: -1" },
        { "{" T ",\"readiness\":{\"type\":\"HTTP\"}}", "spec.readiness.port", "HTTP needs the port" },
        { "{" T ",\"readiness\":{\"type\":\"HTTP\",\"port\":80,\"path\":\"x\"}}", "spec.readiness.path", "begins with /" },
        { "{" T ",\"liveness\":{\"type\":\"HTTP\",\"port\":80,\"path\":\"/ HTTP/1.1\\r\\nX: y\"}}", "spec.liveness.path",
          "begins with /" },
        { "{\"template\":{\"spec\":{\"image\":\"m\",\"networks\":[]}},\"readiness\":{\"type\":\"TCP\",\"port\":80}}",
          "spec.readiness.type", "without a network card" },
        { "{\"template\":{\"spec\":{\"image\":\"m\",\"powerState\":\"Stopped\"}}}", "spec.template.spec.powerState",
          "must be Running" },
        { "{\"template\":{\"metadata\":{\"labels\":{\"a b\":\"c\"}},\"spec\":{\"image\":\"m\"}}}",
          "spec.template.metadata.labels", "a key must be a name" },
        { "{" T ",\"liveness\":{\"type\":\"TCP\"}}", "spec.liveness.port", "TCP needs the port" },
        { "{" T ",\"update\":{\"maxSurge\":0}}", "spec.update.maxSurge", "must not be 0 together" },
        { "{" T ",\"update\":{\"maxSurge\":\"0%\"}}", "spec.update.maxSurge", "must not be 0 together" },
        { "{" T ",\"update\":{\"maxSurge\":\"101%\"}}", "spec.update.maxSurge", "must be an integer, or of 0% to 100%" },
        { "{" T ",\"update\":{\"maxSurge\":\"1\"}}", "spec.update.maxSurge", "must be an integer, or of 0% to 100%" },
        { "{" T ",\"update\":{\"maxUnavailable\":1.5}}", "spec.update.maxUnavailable", "must be an integer, or of 0% to 100%" },
        { "{" T ",\"hooks\":{\"join\":{}}}", "spec.hooks.join.command", "Required value" },
        { "{" NET("\"macAddress\":\"52:54:00:00:00:01\"") "}", "spec.template.spec.networks[0].macAddress", "every member needs its own" },
        { "{" NET("\"ipv4Address\":\"10.0.0.9\"") "}", "spec.template.spec.networks[0].ipv4Address", "every member needs its own" },
        { "{\"template\":{\"spec\":{\"image\":\"m\",\"hostname\":\"x\"}}}", "spec.template.spec.hostname", "own name" },
        { "{\"template\":{\"spec\":{\"image\":\"m\",\"disks\":[{\"name\":\"d\",\"volume\":\"v\"}]}}}", "spec.template.spec.disks", "belongs to one instance" },
    };

    check_valid(&kind_instance_group, "{" T "}");
    check_valid(&kind_instance_group, "{" T ",\"update\":{\"maxSurge\":\"25%\",\"maxUnavailable\":\"100%\"}}");
    check_rows(&kind_instance_group, rows, sizeof rows / sizeof rows[0]);
}

TEST(a_share_of_the_members_is_rounded_for_the_update_to_go_on)
{
    auto_json json_t *object = made(&kind_instance_group, "{" T ",\"update\":{\"maxSurge\":\"25%\",\"maxUnavailable\":2}}");

    CHECK_EQ(view_share(&kind_instance_group, object, "spec.update.maxSurge", 10, true), 3);
    CHECK_EQ(view_share(&kind_instance_group, object, "spec.update.maxSurge", 10, false), 2);
    CHECK_EQ(view_share(&kind_instance_group, object, "spec.update.maxSurge", 0, true), 0);
    CHECK_EQ(view_share(&kind_instance_group, object, "spec.update.maxUnavailable", 10, false), 2);
}

TEST(a_template_may_change_where_an_instance_may_not)
{
    auto_json json_t *old = made(&kind_instance_group, "{\"template\":{\"spec\":{\"image\":\"a\",\"firmware\":\"BIOS\","
                                                       "\"rootDisk\":{\"size\":\"4Gi\"}}}}");
    auto_json json_t *object = made(&kind_instance_group, "{\"template\":{\"spec\":{\"image\":\"b\",\"firmware\":\"UEFI\","
                                                          "\"rootDisk\":{\"size\":\"2Gi\"}}}}");
    auto_causes struct causes causes = { 0 };

    kind_validate(&kind_instance_group, object, old, &causes);
    CHECK_EQ(causes.count, 0);
}

#define G "\"scaleTargetRef\":{\"name\":\"web\"}"
#define M(rest) "{" G ",\"metrics\":[{\"name\":\"m\"," rest "}]}"
#define CPU "\"metrics\":[{\"name\":\"m\",\"type\":\"CPU\",\"averageUtilization\":60}]"
#define S(rest) "{" G ",\"steps\":[{\"name\":\"s\",\"type\":\"CPU\"," rest "}]}"

TEST(autoscalers_refuse_what_cannot_be)
{
    static const struct row rows[] = {
        { "{" CPU "}", "spec.scaleTargetRef", "Required value" },
        { "{" G "}", "spec.metrics", "metrics, steps, schedules or idleTimeout" },
        { M("\"type\":\"CPU\",\"averageUtilization\":0"), "spec.metrics[0].averageUtilization", "Invalid value: 0" },
        { M("\"type\":\"CPU\",\"averageUtilization\":150"), "spec.metrics[0].averageUtilization", "Invalid value: 150" },
        { M("\"type\":\"CPU\""), "spec.metrics[0].averageUtilization", "the target of type CPU" },
        { M("\"type\":\"CPU\",\"value\":\"3\""), "spec.metrics[0].value", "the target of type CPU is averageUtilization" },
        { M("\"type\":\"Requests\",\"averageValue\":\"0\""), "spec.metrics[0].averageValue", "must be above 0" },
        { M("\"type\":\"Requests\",\"averageValue\":\"-4\""), "spec.metrics[0].averageValue", "Invalid value" },
        { M("\"type\":\"Queue\",\"averageValue\":4,\"value\":4"), "spec.metrics[0].value", "one target only" },
        { M("\"type\":\"Custom\",\"value\":4"), "spec.metrics[0].metric", "name of the custom metric" },
        { M("\"type\":\"Custom\",\"metric\":\"x\",\"value\":4,\"scrape\":{\"port\":80,\"path\":\"/a b\"}"),
          "spec.metrics[0].scrape.path", "begins with /" },
        { M("\"type\":\"CPU\",\"metric\":\"x\",\"averageUtilization\":50"), "spec.metrics[0].metric", "only type Custom" },
        { M("\"type\":\"Disk\",\"value\":4"), "spec.metrics[0].type", "Unsupported value" },
        { S("\"add\":1"), "spec.steps[0].above", "either above or below" },
        { S("\"above\":80"), "spec.steps[0].add", "either add or addPercent" },
        { S("\"above\":80,\"add\":1,\"addPercent\":5"), "spec.steps[0].add", "either add or addPercent" },
        { "{" G ",\"schedules\":[{\"name\":\"s\",\"schedule\":\"0 8 * * *\",\"duration\":\"1h\"}]}", "spec.schedules[0].minReplicas", "maxReplicas or both" },
        { "{" G ",\"schedules\":[{\"name\":\"s\",\"schedule\":\"0 8 * * *\",\"duration\":\"1h\",\"minReplicas\":4,\"maxReplicas\":2}]}", "spec.schedules[0].minReplicas", "must not be above maxReplicas (2)" },
        { "{" G "," CPU ",\"vertical\":{\"minCPUs\":4,\"maxCPUs\":2}}", "spec.vertical.maxCPUs", "must not be less than spec.vertical.minCPUs" },
        { "{" G "," CPU ",\"vertical\":{\"maxMemory\":\"1Gi\"}}", "spec.vertical.maxMemory", "needs a metric of type Memory" },
        { "{" G "," CPU ",\"minReplicas\":5,\"maxReplicas\":2}", "spec.minReplicas", "must not be above" },
        { "{" G ",\"idleTimeout\":\"1m\",\"minReplicas\":1}", "spec.idleTimeout", "the last member always stays" },
        { "{" G ",\"idleTimeout\":\"1s\"}", "spec.idleTimeout", "Invalid value" },
        { "{\"scaleTargetRef\":{\"name\":\"w\",\"kind\":\"Deployment\"}," CPU "}", "spec.scaleTargetRef.kind", "Unsupported value" },
    };

    check_valid(&kind_autoscaler, "{" G "," CPU "}");
    check_valid(&kind_autoscaler, M("\"type\":\"Latency\",\"latency\":\"200ms\""));
    check_valid(&kind_autoscaler, "{" G ",\"idleTimeout\":\"1m\",\"minReplicas\":0}");
    check_valid(&kind_autoscaler, "{" G "," CPU ",\"vertical\":{\"maxCPUs\":4}}");
    check_valid(&kind_autoscaler, S("\"above\":80,\"add\":2"));
    check_rows(&kind_autoscaler, rows, sizeof rows / sizeof rows[0]);
}

#define PREDICTION(rest) "{" G "," CPU ",\"prediction\":{" rest "}}"

TEST(autoscalers_predict_only_what_they_measure)
{
    static const struct row rows[] = {
        { PREDICTION("\"metric\":\"other\""), "spec.prediction.metric", "must be the name of an item of spec.metrics" },
        { PREDICTION("\"season\":\"1h\""), "spec.prediction.metric", "Required value" },
        { "{" G ",\"metrics\":[{\"name\":\"q\",\"type\":\"Queue\",\"value\":5}],\"prediction\":{\"metric\":\"q\"}}",
          "spec.prediction.metric", "must have a target per member" },
        { PREDICTION("\"metric\":\"m\",\"season\":\"10m\",\"horizon\":\"6m\""), "spec.prediction.horizon",
          "must be at most half the season" },
        { PREDICTION("\"metric\":\"m\",\"season\":\"1m\",\"horizon\":\"5s\""), "spec.prediction.season", "Invalid value" },
    };

    check_valid(&kind_autoscaler, PREDICTION("\"metric\":\"m\""));
    check_rows(&kind_autoscaler, rows, sizeof rows / sizeof rows[0]);
}

#define HG "\"scaleTargetRef\":{\"kind\":\"InstanceGroup\",\"name\":\"web\"}"
#define HM(metric) "{" HG ",\"maxReplicas\":3,\"metrics\":[{" metric "}]}"

TEST(horizontal_pod_autoscalers_refuse_what_cannot_be)
{
    static const struct row rows[] = {
        { "{" HG "}", "spec.maxReplicas", "Required value" },
        { "{" HG ",\"minReplicas\":4,\"maxReplicas\":3}", "spec.minReplicas", "must not be above spec.maxReplicas (3)" },
        { "{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"web\"},\"maxReplicas\":3}", "spec.scaleTargetRef.kind",
          "must be InstanceGroup" },
        { HM("\"type\":\"Resource\""), "spec.metrics[0].resource", "Required value" },
        { HM("\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":\"Utilization\","
             "\"averageUtilization\":150}}"), "spec.metrics[0].resource.target.averageUtilization", "from 1 to 100" },
        { HM("\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":\"AverageValue\","
             "\"averageValue\":\"500m\"}}"), "spec.metrics[0].resource.target.type", "it is Utilization" },
        { HM("\"type\":\"Object\""), "spec.metrics[0].type", "Unsupported value" },
        { HM("\"type\":\"Pods\",\"pods\":{\"metric\":{\"name\":\"jobs\"},\"target\":{\"type\":\"AverageValue\","
             "\"averageValue\":\"0\"}}"), "spec.metrics[0].pods.target.averageValue", "must be above 0" },
        { HM("\"type\":\"Pods\",\"pods\":{\"metric\":{\"name\":\"jobs\"},\"target\":{\"type\":\"AverageValue\","
             "\"averageValue\":\"0m\"}}"), "spec.metrics[0].pods.target.averageValue", "must be above 0" },
        { HM("\"type\":\"External\",\"external\":{\"metric\":{\"name\":\"jobs\"},\"target\":{\"type\":\"Value\","
             "\"value\":0}}"), "spec.metrics[0].external.target.value", "must be above 0" },
    };
    auto_json json_t *object = made(&kind_hpa, "{" HG ",\"maxReplicas\":3}");

    CHECK_EQ(json_int_at(object, "spec.minReplicas", 0), 1);
    CHECK_EQ(json_int_at(object, "spec.metrics[0].resource.target.averageUtilization", 0), 80);
    check_rows(&kind_hpa, rows, sizeof rows / sizeof rows[0]);
}

TEST(version_1_keeps_what_only_version_2_can_say)
{
    auto_json json_t *stored = made(&kind_hpa, "{" HG ",\"maxReplicas\":3,\"behavior\":{\"scaleDown\":{\"selectPolicy\":"
        "\"Disabled\"}},\"metrics\":[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":"
        "\"Utilization\",\"averageUtilization\":70}}},{\"type\":\"Resource\",\"resource\":{\"name\":\"memory\",\"target\":"
        "{\"type\":\"Utilization\",\"averageUtilization\":90}}}]}");
    auto_json json_t *shown = kind_hpa_v1.show(stored);

    CHECK_STR(json_text_at(shown, "apiVersion", NULL), "autoscaling/v1");
    CHECK_EQ(json_int_at(shown, "spec.targetCPUUtilizationPercentage", 0), 70);
    json_set_at(shown, "spec.targetCPUUtilizationPercentage", json_integer(50));
    auto_json json_t *taken = kind_hpa_v1.take(shown, stored);
    CHECK_STR(json_text_at(taken, "apiVersion", NULL), "autoscaling/v2");
    CHECK_EQ(json_int_at(taken, "spec.metrics[0].resource.target.averageUtilization", 0), 50);
    CHECK_EQ(json_int_at(taken, "spec.metrics[1].resource.target.averageUtilization", 0), 90);
    CHECK_STR(json_text_at(taken, "spec.behavior.scaleDown.selectPolicy", NULL), "Disabled");
    CHECK(!json_at(taken, "spec.targetCPUUtilizationPercentage"));
}
