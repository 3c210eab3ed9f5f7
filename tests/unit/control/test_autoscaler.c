/* tests/unit/control/test_autoscaler.c - an Autoscaler over a group on the fakes. */
#include "scaled_site.h"
#include "base/files.h"
#include "control/autoscaler.h"
#include "scratch.h"
#include <math.h>
#include <unistd.h>

static json_t *cpu_spec(void)
{
    return json_pack("{s:{s:s},s:[{s:s,s:s,s:i}],s:{s:{s:i}}}", "scaleTargetRef", "name", "web", "metrics", "name",
                     "cpu", "type", "CPU", "averageUtilization", 50, "behavior", "scaleDown",
                     "stabilizationWindowSeconds", 10);
}

static void load_member(void *arg, const json_t *instance)
{
    compute_fake_set_load(site.world, object_uid(instance), *(unsigned *)arg, 32 << 20);
}

static void load_members(unsigned cpu_milli)
{
    control_each(site.control, &kind_instance, "default", load_member, &cpu_milli);
}

TEST(load_brings_members_and_its_end_takes_them)
{
    begin_scaled(cpu_spec());
    load_members(1000);
    wait_ready(2);
    load_members(1000);
    wait_ready(4);
    auto_json json_t *object = find(&kind_autoscaler);
    CHECK_CONTAINS(json_text_at(object, "status.decisions[2].message", ""), "out from 1 to 2: 100 % CPU per member, target 50 % CPU");
    load_members(10);
    wait_ready(1);
    CHECK_EQ(int_of(&kind_instance_group, "spec.replicas"), 1);
    end_scaled();
}

TEST(of_members_that_went_nothing_is_remembered)
{
    begin_scaled(cpu_spec());
    load_members(1000);
    wait_ready(2);
    load_members(10);
    wait_ready(1);
    loop_sim_advance(site.loop, 2000);
    CHECK_EQ(map_count(scaler_of_group(site.control, "default", "web")->uses), 1);
    end_scaled();
}

static const struct compute_ops *quick_ops;
static bool is_slow;

/* The clock goes on while members are looked at. */
static void observe_slowly(struct compute *compute, const char *uid, struct machine_status *ret_status)
{
    quick_ops->observe(compute, uid, ret_status);
    if (is_slow) {
        is_slow = false;
        loop_sim_advance(site.loop, 1);
        is_slow = true;
    }
}

static void sample_slowly(struct scaler *scaler)
{
    struct compute_ops slow_ops = *site.setup.compute->ops;
    auto_json json_t *group = find(&kind_instance_group);
    struct autoscale_group seen;
    struct sample sample;

    quick_ops = site.setup.compute->ops;
    slow_ops.observe = observe_slowly;
    site.setup.compute->ops = &slow_ops;
    is_slow = true;
    scaler_sample(scaler, group, &sample, &seen);
    is_slow = false;
    site.setup.compute->ops = quick_ops;
}

TEST(members_are_remembered_however_long_it_takes_to_look_at_them_all)
{
    struct scaler *scaler;

    begin_scaled(cpu_spec());
    load_members(1000);
    wait_ready(2);
    scaler = scaler_of_group(site.control, "default", "web");
    map_free(scaler->uses);
    scaler->uses = map_new(free);
    sample_slowly(scaler);
    CHECK_EQ(map_count(scaler->uses), 2);
    end_scaled();
}

/* --- larger members before more of them --- */

static json_t *vertical_spec(void)
{
    json_t *spec = cpu_spec();

    json_set_at(spec, "vertical", json_pack("{s:i}", "maxCPUs", 4));
    return spec;
}

static void begin_vertical(int host_takes)
{
    begin(1);
    create_image();
    if (host_takes)
        create_instance("big", json_pack("{s:s,s:i,s:s}", "image", "debian", "cpus", 16 - host_takes, "memory", "64Mi"));
    create(&kind_instance_group,
           json_pack("{s:i,s:i,s:i,s:{s:{s:s,s:s,s:i}}}", "replicas", 1, "minReplicas", 1, "maxReplicas", 4, "template",
                     "spec", "image", "debian", "memory", "64Mi", "maxCPUs", 8));
    create(&kind_autoscaler, vertical_spec());
    wait_ready(1);
}

static void note_cpus(void *arg, const json_t *instance)
{
    if (json_at(instance, "metadata.ownerReferences") && json_at(instance, "status.cpus"))
        *(int64_t *)arg = json_int_at(instance, "status.cpus", 0);
}

static void wait_member_cpus(int64_t count)
{
    int64_t has = -1;

    for (int64_t waited_ms = 0; has != count; waited_ms += STEP_MS) {
        control_each(site.control, &kind_instance, "default", note_cpus, &has);
        if (waited_ms > LIMIT_MS)
            check_fail(CHECK_HERE, "has %lld processors, never %lld", (long long)has, (long long)count);
        pass_time();
    }
}

TEST(a_member_grows_before_others_come_and_shrinks_when_they_have_gone)
{
    begin_vertical(0);
    load_members(1000);
    wait_member_cpus(2);
    CHECK_EQ(int_of(&kind_instance_group, "spec.replicas"), 1);
    load_members(2000);
    wait_member_cpus(4);
    CHECK_EQ(int_of(&kind_instance_group, "status.replicas"), 1);
    load_members(4000);
    wait_ready(2); /* it is at its limit */
    load_members(20);
    wait_ready(1);
    wait_member_cpus(1);
    CHECK_EQ(int_of(&kind_instance_group, "status.currentRevision"), 1);
    loop_sim_advance(site.loop, 2000);
    CHECK_EQ(map_count(scaler_of_group(site.control, "default", "web")->growing), 1);
    end_scaled();
}

TEST(where_the_host_is_full_others_are_not_waited_for)
{
    begin_vertical(2);
    load_members(2000); /* wants 4 processors, of which 1 is free: and a second member has room there */
    wait_ready(2);
    wait_member_cpus(1);
    delete_instance("big");
    end_scaled();
}

/* All of a file; the caller frees it. */
static char *text_of_file(const char *part)
{
    auto_json json_t *object = find(&kind_autoscaler);
    auto_free char *path = str_printf("%s/autoscalers/%s/%s", site_state_dir, object_uid(object), part);
    struct buf text = { 0 };
    struct err err;

    CHECK_OK(file_read(path, 1 << 20, &text, &err), &err);
    return buf_take(&text);
}

static unsigned count_lines(const char *text)
{
    unsigned count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

TEST(decisions_with_their_inputs_and_samples_outlive_the_daemon)
{
    char *folder = scratch_new();
    auto_free char *none = NULL;

    site_state_dir = folder;
    begin_scaled(cpu_spec());
    load_members(1000);
    wait_ready(2);
    loop_sim_advance(site.loop, 10 * 1000);
    auto_free char *decisions = text_of_file("decisions"), *samples = text_of_file("samples");
    CHECK_CONTAINS(decisions, "\"from\":1,\"desired\":2,\"wanted\":2,\"min\":1,\"max\":4,\"reason\":\"ScaleOut\"");
    CHECK_CONTAINS(decisions, "\"group\":{\"members\":1,\"ready\":1,");
    CHECK_CONTAINS(decisions, "{\"source\":\"Target\",\"name\":\"cpu\",\"type\":\"CPU\",\"per\":\"Member\",\"value\":100.0,"
                              "\"target\":50.0,\"wanted\":2,\"decided\":true}");
    CHECK(count_lines(samples) >= 10);
    CHECK_CONTAINS(samples, "\"CPU\":{\"sum\":");
    daemon_dies();
    daemon_starts();
    loop_sim_advance(site.loop, 10 * 1000);
    auto_free char *later = text_of_file("samples");
    CHECK(str_starts(later, samples));
    CHECK(count_lines(later) >= count_lines(samples) + 5);
    none = str_printf("%s/autoscalers", folder);
    end_scaled();
    CHECK_EQ(rmdir(none), 0); /* the folder of the Autoscaler went with it */
    scratch_remove(folder);
    site_state_dir = NULL;
}

TEST(a_disk_that_takes_no_history_is_told_of)
{
    site_state_dir = "/proc/nowhere";
    begin_scaled(cpu_spec());
    load_members(1000);
    wait_ready(2);
    auto_json json_t *object = find(&kind_autoscaler);
    CHECK_STR(json_text_at(condition_get(object, "HistoryKept"), "reason", NULL), "CannotWrite");
    end_scaled();
    site_state_dir = NULL;
}

enum { SEASON_S = 120, RUSH_S = 60 };

/* A season of two minutes: the second of them is a rush. The members share what there is to do. */
static void live_one_second(void)
{
    bool is_rush = control_wall_ms(site.control) / 1000 % SEASON_S >= RUSH_S;
    int64_t ready = int_of(&kind_instance_group, "status.readyReplicas");

    load_members((is_rush ? 1500u : 200u) / (unsigned)(ready > 0 ? ready : 1));
    loop_sim_advance(site.loop, 1000);
}

static void live_until_second(unsigned second)
{
    do
        live_one_second();
    while (control_wall_ms(site.control) / 1000 % SEASON_S != second);
}

static json_t *predicting_spec(void)
{
    json_t *spec = cpu_spec();

    json_object_set_new(spec, "prediction",
                        json_pack("{s:s,s:s,s:s,s:i}", "metric", "cpu", "season", "2m", "horizon", "10s", "maxError", 50));
    return spec;
}

TEST(a_rush_that_repeats_is_met_before_it_begins)
{
    char *folder = scratch_new();

    site_state_dir = folder;
    begin_scaled(predicting_spec());
    live_until_second(RUSH_S - 2);
    CHECK_EQ(int_of(&kind_instance_group, "spec.replicas"), 1); /* nothing is known yet */
    auto_json json_t *learning = find(&kind_autoscaler);
    CHECK_STR(json_text_at(condition_get(learning, "PredictionUsed"), "reason", NULL), "Learning");
    for (int i = 0; i < 2; i++)
        live_until_second(RUSH_S - 2);
    CHECK(int_of(&kind_instance_group, "spec.replicas") >= 3);
    auto_json json_t *object = find(&kind_autoscaler);
    CHECK_STR(json_text_at(condition_get(object, "PredictionUsed"), "reason", NULL), "Accurate");
    auto_free char *decisions = text_of_file("decisions");
    CHECK_CONTAINS(decisions, "\"source\":\"Forecast\"");
    /* What was learnt is in the logbook: the next daemon need not learn it anew. */
    daemon_dies();
    daemon_starts();
    live_until_second(RUSH_S + 8);
    auto_json json_t *later = find(&kind_autoscaler);
    CHECK_STR(json_text_at(condition_get(later, "PredictionUsed"), "reason", NULL), "Accurate");
    end_scaled();
    scratch_remove(folder);
    site_state_dir = NULL;
}

TEST(a_daemon_that_starts_takes_nobody_away_before_the_window_is_over)
{
    begin_scaled(cpu_spec());
    load_members(1000);
    wait_ready(2);
    load_members(500);
    loop_sim_advance(site.loop, 20 * 1000);
    daemon_dies();
    daemon_starts();
    load_members(10);
    loop_sim_advance(site.loop, 7 * 1000);
    CHECK_EQ(int_of(&kind_instance_group, "spec.replicas"), 2);
    wait_ready(1);
    end_scaled();
}

TEST(an_observer_tells_and_changes_nothing)
{
    json_t *spec = cpu_spec();

    json_set_at(spec, "mode", json_string("Observe"));
    begin_scaled(spec);
    load_members(1000);
    loop_sim_advance(site.loop, 10 * 1000);
    CHECK_EQ(int_of(&kind_instance_group, "spec.replicas"), 1);
    CHECK_EQ(int_of(&kind_autoscaler, "status.desiredReplicas"), 2);
    auto_json json_t *object = find(&kind_autoscaler);
    CHECK_STR(json_text_at(object, "status.phase", NULL), "Observing");
    end_scaled();
}

static bool misses_its_group(void)
{
    auto_json json_t *object = find(&kind_autoscaler);

    return str_equal(json_text_at(condition_get(object, "ScalingActive"), "reason", NULL), "TargetNotFound");
}

TEST(a_daemon_that_starts_does_not_miss_the_group_before_it_has_looked)
{
    begin_scaled(cpu_spec());
    load_members(10);
    loop_sim_advance(site.loop, 4000);
    CHECK(!misses_its_group());
    daemon_dies();
    daemon_starts();
    for (int i = 0; i < 40; i++) {
        CHECK(!misses_its_group());
        loop_sim_advance(site.loop, 50);
    }
    end_scaled();
}

TEST(without_its_group_it_waits_and_says_so)
{
    begin(1);
    create(&kind_autoscaler, cpu_spec());
    loop_sim_advance(site.loop, 3000);
    auto_json json_t *object = find(&kind_autoscaler);
    CHECK_STR(json_text_at(object, "status.phase", NULL), "Pending");
    CHECK_STR(json_text_at(condition_get(object, "ScalingActive"), "reason", NULL), "TargetNotFound");
    end();
}

static json_t *hpa_spec(void)
{
    return json_pack("{s:{s:s,s:s,s:s},s:i,s:i,s:[{s:s,s:{s:s,s:{s:s,s:i}}}],s:{s:{s:i}}}", "scaleTargetRef",
                     "apiVersion", "virga.dev/v1", "kind", "InstanceGroup", "name", "web", "minReplicas", 1,
                     "maxReplicas", 3, "metrics", "type", "Resource", "resource", "name", "cpu", "target", "type",
                     "Utilization", "averageUtilization", 50, "behavior", "scaleDown", "stabilizationWindowSeconds", 10);
}

static void begin_with_hpa(void)
{
    begin(1);
    create_image();
    create(&kind_instance_group,
           json_pack("{s:i,s:i,s:i,s:{s:{s:s,s:s}}}", "replicas", 1, "minReplicas", 1, "maxReplicas", 9, "template",
                     "spec", "image", "debian", "memory", "64Mi"));
    create(&kind_hpa, hpa_spec());
    wait_ready(1);
}

TEST(a_horizontal_pod_autoscaler_scales_a_group_and_tells_in_its_words)
{
    begin_with_hpa();
    load_members(1000);
    wait_ready(2);
    load_members(1000);
    wait_ready(3);
    load_members(1000);
    loop_sim_advance(site.loop, 10 * 1000);
    auto_json json_t *object = find(&kind_hpa);
    CHECK_EQ(json_int_at(object, "status.desiredReplicas", 0), 3); /* its own maximum, not the group's */
    CHECK_EQ(json_int_at(object, "status.currentReplicas", 0), 3);
    CHECK_EQ(json_int_at(object, "status.currentMetrics[0].resource.current.averageUtilization", 0), 100);
    CHECK_STR(json_text_at(object, "status.currentMetrics[0].resource.current.averageValue", NULL), "1");
    CHECK(condition_is_true(object, "ScalingActive"));
    CHECK(condition_is_true(object, "ScalingLimited"));
    CHECK(!json_at(object, "status.phase"));
    load_members(10);
    wait_ready(1);
    control_delete(site.control, &kind_hpa, "default", "web", nobody);
    end_scaled();
}

static void set_int(const struct kind *kind, const char *path, int64_t value)
{
    for (unsigned tries = 0; tries < 1000 && int_of(kind, path) != value; tries++) {
        json_t *object = find(kind);

        json_set_at(object, path, json_integer(value));
        control_update(site.control, kind, object, nobody);
        loop_sim_advance(site.loop, 1);
    }
    CHECK_EQ(int_of(kind, path), value);
}

TEST(bounds_that_the_groups_cut_are_told)
{
    begin_with_hpa();
    set_int(&kind_hpa, "spec.minReplicas", 3);
    set_int(&kind_instance_group, "spec.maxReplicas", 2);
    loop_sim_advance(site.loop, 10 * 1000);
    auto_json json_t *object = find(&kind_hpa);
    const json_t *limited = condition_get(object, "ScalingLimited");
    CHECK_STR(json_text_at(limited, "status", NULL), "True");
    CHECK_STR(json_text_at(limited, "reason", NULL), "TooManyReplicas");
    CHECK_STR(json_text_at(limited, "message", NULL),
              "spec.minReplicas (3) counts as 2: the group web has spec.maxReplicas 2");
    set_int(&kind_instance_group, "spec.maxReplicas", 9);
    set_int(&kind_instance_group, "spec.minReplicas", 4);
    loop_sim_advance(site.loop, 10 * 1000);
    auto_json json_t *few = find(&kind_hpa);
    CHECK_STR(json_text_at(condition_get(few, "ScalingLimited"), "message", NULL),
              "spec.maxReplicas (3) counts as 4: the group web has spec.minReplicas 4");
    set_int(&kind_instance_group, "spec.minReplicas", 1);
    loop_sim_advance(site.loop, 10 * 1000);
    auto_json json_t *apart = find(&kind_hpa);
    CHECK_STR(json_text_at(condition_get(apart, "ScalingLimited"), "reason", NULL), "Limited");
    control_delete(site.control, &kind_hpa, "default", "web", nobody);
    end_scaled();
}

TEST(a_value_beyond_all_quantities_is_shown_as_the_largest)
{
    struct err err;

    begin(1);
    create_image();
    create(&kind_instance_group, json_pack("{s:i,s:{s:{s:s,s:s}}}", "maxReplicas", 2, "template", "spec", "image",
                                           "debian", "memory", "64Mi"));
    create(&kind_hpa, json_pack("{s:{s:s,s:s},s:i,s:[{s:s,s:{s:{s:s},s:{s:s,s:s}}}]}", "scaleTargetRef", "kind",
                                "InstanceGroup", "name", "web", "maxReplicas", 2, "metrics", "type", "External",
                                "external", "metric", "name", "jobs", "target", "type", "Value", "value", "10"));
    wait_ready(1);
    CHECK_OK(push("web", NULL, "jobs", METRIC_AMOUNT_MAX, &err), &err);
    loop_sim_advance(site.loop, 5000);
    auto_json json_t *object = find(&kind_hpa);
    CHECK_STR(json_text_at(object, "status.currentMetrics[0].external.current.value", NULL), "9223372036854775");
    control_delete(site.control, &kind_hpa, "default", "web", nobody);
    end_scaled();
}

TEST(the_older_of_two_autoscalers_scales)
{
    begin_with_hpa();
    loop_sim_advance(site.loop, 2000);
    create(&kind_autoscaler, cpu_spec()); /* as if both had been made at once: nothing refuses it here */
    loop_sim_advance(site.loop, 3000);
    auto_json json_t *object = find(&kind_autoscaler), *older = find(&kind_hpa);
    CHECK_STR(json_text_at(condition_get(object, "ScalingActive"), "reason", NULL), "TargetTaken");
    CHECK_CONTAINS(json_text_at(condition_get(object, "ScalingActive"), "message", ""),
                   "the horizontalpodautoscaler web scales the group web already");
    CHECK(condition_is_true(older, "ScalingActive"));
    control_delete(site.control, &kind_hpa, "default", "web", nobody);
    loop_sim_advance(site.loop, 5000);
    auto_json json_t *heir = find(&kind_autoscaler);
    CHECK(condition_is_true(heir, "ScalingActive"));
    end_scaled();
}

static void check_refused(const struct kind *kind, json_t *take_object, const char *field, const char *message)
{
    auto_json json_t *object = take_object;
    auto_causes struct causes causes = { 0 };

    kind_default(kind, object);
    control_admit(site.control, kind, object, NULL, &causes);
    CHECK_EQ(causes.count, 1);
    CHECK_STR(causes.items[0].field, field);
    CHECK_CONTAINS(causes.items[0].message, message);
}

TEST(what_the_clock_and_other_objects_forbid_is_refused)
{
    json_t *other = json_pack("{s:{s:s,s:s},s:o}", "metadata", "name", "other", "namespace", "default", "spec", cpu_spec());

    begin_scaled(cpu_spec());
    check_refused(&kind_autoscaler, other, "spec.scaleTargetRef.name", "Autoscaler \"web\" scales it already");
    check_refused(&kind_hpa,
                  json_pack("{s:s,s:{s:s,s:s},s:o}", "kind", "HorizontalPodAutoscaler", "metadata", "name", "web",
                            "namespace", "default", "spec", hpa_spec()),
                  "spec.scaleTargetRef.name", "Autoscaler \"web\" scales it already");
    check_refused(&kind_autoscaler,
                  json_pack("{s:{s:s,s:s},s:{s:{s:s},s:[{s:s,s:s,s:s,s:i}]}}", "metadata", "name", "b", "namespace",
                            "default", "spec", "scaleTargetRef", "name", "b", "schedules", "name", "s", "schedule",
                            "0 0 30 2 *", "duration", "1h", "minReplicas", 2),
                  "spec.schedules[0].schedule", "never fires");
    check_refused(&kind_instance_group,
                  json_pack("{s:{s:s,s:s},s:{s:{s:{s:s}}}}", "metadata", "name", "g", "namespace", "default", "spec",
                            "template", "spec", "image", "nowhere"),
                  "spec.template.spec.image", "there is no image \"nowhere\"");
    end_scaled();
}
