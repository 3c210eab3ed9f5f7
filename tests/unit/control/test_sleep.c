/* tests/unit/control/test_sleep.c - groups that have no member without traffic, on the fakes. */
#include "control/autoscalers.h"
#include "web_site.h"

enum { IDLE_MS = 30 * 1000 };

static void check_condition(const struct kind *kind, const char *type, const char *reason)
{
    auto_json json_t *object = find(kind);

    CHECK_STR(json_text_at(condition_get(object, type), "reason", NULL), reason);
}

static void create_group(int least)
{
    create(&kind_instance_group,
           json_pack("{s:i,s:i,s:i,s:{s:{s:s,s:s}}}", "replicas", 1, "minReplicas", least, "maxReplicas", 4, "template",
                     "spec", "image", "debian", "memory", "64Mi"));
}

static void create_balancer(void)
{
    create(&kind_load_balancer,
           json_pack("{s:[{s:s,s:s,s:i}],s:[{s:s,s:i,s:{s:s}}]}", "listeners", "name", "http", "address", "127.0.0.1",
                     "port", 8080, "backends", "name", "web", "port", 80, "members", "instanceGroup", "web"));
}

static void create_scaler(void)
{
    create(&kind_autoscaler,
           json_pack("{s:{s:s},s:s,s:[{s:s,s:s,s:s}]}", "scaleTargetRef", "name", "web", "idleTimeout", "30s", "metrics",
                     "name", "requests", "type", "Requests", "averageValue", "10"));
}

static void set_traffic(struct balancer_fake_load load)
{
    auto_json json_t *object = find(&kind_load_balancer);

    load.p50_ms = load.p90_ms = load.p95_ms = load.p99_ms = -1;
    balancer_fake_set_load(site.proxies, object_uid(object), "web", &load);
}

static unsigned held_max(void)
{
    auto_json json_t *object = find(&kind_load_balancer);
    const struct balancer_config *config = balancer_fake_config(site.proxies, object_uid(object));

    return config ? config->backends[0].held_max : 0;
}

static void begin_awake(void)
{
    begin(1);
    create_image();
    create_group(0);
    create_balancer();
    create_scaler();
    wait_ready(1);
}

static void fall_asleep(void)
{
    for (int64_t waited_ms = 0; int_of(&kind_instance_group, "status.replicas") != 0; waited_ms += STEP_MS) {
        if (waited_ms > LIMIT_MS)
            check_fail(CHECK_HERE, "the last member stays");
        pass_time();
    }
}

static void end_all(void)
{
    static const struct kind *const kinds[] = { &kind_autoscaler, &kind_load_balancer, &kind_instance_group };

    for (unsigned i = 0; i < 3; i++)
        control_delete(site.control, kinds[i], "default", "web", nobody);
    for (unsigned i = 0; i < 1000 && int_of(&kind_instance_group, "status.replicas") >= 0; i++)
        pass_time();
    check_nothing_left();
    end();
}

TEST(without_traffic_the_last_member_goes_and_requests_bring_back_one)
{
    begin_awake();
    CHECK(held_max() > 0);
    check_condition(&kind_autoscaler, "ScaleToZero", "Awake");
    fall_asleep();
    loop_sim_advance(site.loop, 5000);
    check_condition(&kind_autoscaler, "ScaleToZero", "Asleep");
    check_condition(&kind_load_balancer, "MembersHealthy", "Asleep");
    CHECK_EQ(events_of("web", "Idle"), 1);
    set_traffic((struct balancer_fake_load){ .held = 5 });
    loop_sim_advance(site.loop, 50);
    CHECK_EQ(int_of(&kind_instance_group, "spec.replicas"), 1); /* at once, not with the next second */
    wait_ready(1);
    loop_sim_advance(site.loop, 5000);
    CHECK_EQ(int_of(&kind_instance_group, "status.replicas"), 1);
    CHECK_EQ(events_of("web", "Woken"), 1);
    auto_json json_t *object = find(&kind_autoscaler);
    CHECK_STR(json_text_at(condition_get(object, "ScaleToZero"), "reason", NULL), "Awake");
    end_all();
}

TEST(requests_and_bytes_are_traffic_and_open_connections_are_not)
{
    struct balancer_fake_load load = { .connections = 3 };

    begin_awake();
    for (unsigned i = 0; i < 2 * IDLE_MS / 5000; i++) {
        if (i % 2)
            load.requests++;
        else
            load.bytes += 100;
        set_traffic(load);
        loop_sim_advance(site.loop, 5000);
    }
    CHECK_EQ(int_of(&kind_instance_group, "spec.replicas"), 1);
    loop_sim_advance(site.loop, IDLE_MS + 2000);
    CHECK_EQ(int_of(&kind_instance_group, "spec.replicas"), 0);
    end_all();
}

TEST(the_idle_time_begins_when_a_member_serves)
{
    begin_awake();
    fall_asleep();
    set_traffic((struct balancer_fake_load){ .held = 1 });
    wait_ready(1);
    set_traffic((struct balancer_fake_load){ 0 });
    loop_sim_advance(site.loop, IDLE_MS - 2000);
    CHECK_EQ(int_of(&kind_instance_group, "spec.replicas"), 1);
    loop_sim_advance(site.loop, 4000);
    CHECK_EQ(int_of(&kind_instance_group, "spec.replicas"), 0);
    end_all();
}

TEST(a_daemon_that_dies_while_clients_wait_wakes_the_group_once)
{
    begin_awake();
    fall_asleep();
    site.crashes = true;
    set_traffic((struct balancer_fake_load){ .held = 3 });
    for (unsigned i = 0; i < 50; i++)
        pass_time();
    site.crashes = false;
    wait_ready(1);
    loop_sim_advance(site.loop, 3000);
    CHECK_EQ(int_of(&kind_instance_group, "status.replicas"), 1);
    set_traffic((struct balancer_fake_load){ 0 });
    end_all();
}

TEST(what_nothing_would_wake_keeps_its_last_member)
{
    begin(1);
    create_image();
    create_group(0);
    create_scaler();
    wait_ready(1);
    loop_sim_advance(site.loop, 2 * IDLE_MS);
    CHECK_EQ(int_of(&kind_instance_group, "spec.replicas"), 1);
    check_condition(&kind_autoscaler, "ScaleToZero", "NoLoadBalancer");
    create_balancer();
    fall_asleep();
    check_condition(&kind_autoscaler, "ScaleToZero", "Asleep");
    /* Its balancer goes: one member comes back, since nothing could wake it. */
    control_delete(site.control, &kind_load_balancer, "default", "web", nobody);
    wait_ready(1);
    check_condition(&kind_autoscaler, "ScaleToZero", "NoLoadBalancer");
    end_all();
}

TEST(a_group_that_wants_a_member_keeps_it)
{
    begin(1);
    create_image();
    create_group(1);
    create_balancer();
    create_scaler();
    wait_ready(1);
    loop_sim_advance(site.loop, 2 * IDLE_MS);
    CHECK_EQ(int_of(&kind_instance_group, "spec.replicas"), 1);
    check_condition(&kind_autoscaler, "ScaleToZero", "MinReplicas");
    end_all();
}

TEST(nobody_is_held_for_a_group_that_is_gone)
{
    begin_awake();
    fall_asleep();
    check_condition(&kind_load_balancer, "MembersHealthy", "Asleep");
    control_delete(site.control, &kind_instance_group, "default", "web", nobody);
    loop_sim_advance(site.loop, 1000);
    CHECK_EQ(held_max(), 0);
    check_condition(&kind_load_balancer, "MembersHealthy", "NoneHealthy");
    auto_json json_t *object = find(&kind_load_balancer);
    CHECK_STR(json_text_at(object, "status.message", NULL), "backend web: there is no InstanceGroup \"web\"");
    create_group(0);
    loop_sim_advance(site.loop, 1000);
    CHECK_EQ(held_max(), 1000);
    end_all();
}

TEST(requests_are_held_only_for_groups_that_may_sleep)
{
    begin_awake();
    CHECK_EQ(held_max(), 1000);
    control_delete(site.control, &kind_autoscaler, "default", "web", nobody);
    loop_sim_advance(site.loop, 5000);
    CHECK_EQ(held_max(), 0);
    end_all();
}
