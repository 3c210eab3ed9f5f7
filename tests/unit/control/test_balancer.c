#include "site.h"
#include "parsed.h"
#include "control/balancers.h"

static void begin_with_image(uint64_t seed)
{
    begin(seed);
    create_image();
}

static json_t *find(const struct kind *kind, const char *name)
{
    return control_find(site.control, kind, "default", name);
}

static void create_labelled(const char *name, const char *app)
{
    control_create(site.control, &kind_instance,
                   json_pack("{s:{s:s,s:s,s:{s:s}},s:{s:s}}", "metadata", "name", name, "namespace",
                             "default", "labels", "app", app, "spec", "image", "debian"),
                   nobody);
}

static json_t *balancer_named(const char *name, const char *listeners, const char *members)
{
    auto_free char *text =
        str_printf("{\"metadata\":{\"name\":\"%s\",\"namespace\":\"default\"},\"spec\":{"
                   "\"listeners\":%s,\"backends\":[{\"name\":\"web\",\"port\":80,"
                   "\"drainTimeout\":\"10s\",\"members\":%s}]}}",
                   name, listeners, members);

    return parse(text);
}

#define HTTP "[{\"name\":\"http\",\"port\":8080}]"
#define INSIDE "[{\"name\":\"http\",\"port\":8080,\"network\":\"default\"}]"
#define BY_LABEL "{\"selector\":{\"matchLabels\":{\"app\":\"web\"}}}"

static void create_balancer(const char *listeners, const char *members)
{
    control_create(site.control, &kind_load_balancer, balancer_named("front", listeners, members),
                   nobody);
}

/* Passes time until status has 'text' at 'path'. */
static void wait_until(const struct kind *kind, const char *name, const char *path, const char *text)
{
    for (int64_t ms = 0; ms < LIMIT_MS; ms += STEP_MS) {
        auto_json json_t *object = find(kind, name);
        const json_t *value = json_at(object, path);
        auto_free char *now = value ? json_text(value) : NULL;
        if (str_equal(now, text))
            return;
        loop_sim_advance(site.loop, STEP_MS);
    }
    auto_json json_t *object = find(kind, name);
    auto_free char *shown = json_text(json_object_get(object, "status"));
    check_fail(CHECK_HERE, "%s never has %s at %s: %s", name, text, path, shown);
}

static void wait_gone(const struct kind *kind, const char *name)
{
    for (int64_t ms = 0; ms < LIMIT_MS; ms += STEP_MS) {
        auto_json json_t *object = find(kind, name);
        if (!object)
            return;
        loop_sim_advance(site.loop, STEP_MS);
    }
    check_fail(CHECK_HERE, "%s never goes", name);
}

static char *front_uid(void)
{
    auto_json json_t *object = find(&kind_load_balancer, "front");

    return str_dup(object_uid(object));
}

static const struct balancer_config *config(void)
{
    auto_free char *uid = front_uid();

    return balancer_fake_config(site.proxies, uid);
}

static const struct balancer_member *member(const char *instance)
{
    const struct balancer_config *now = config();
    auto_free char *start = str_printf("%s.", instance);

    for (size_t i = 0; now && i < now->backends[0].member_count; i++)
        if (str_starts(now->backends[0].members[i].id, start))
            return &now->backends[0].members[i];
    return NULL;
}

static void set_load(unsigned connections)
{
    const struct balancer_fake_load load = { .connections = connections,
                                             .request_rate = 40,
                                             .p50_ms = 1,
                                             .p90_ms = 2,
                                             .p95_ms = 3,
                                             .p99_ms = 4 };
    auto_free char *uid = front_uid();

    balancer_fake_set_load(site.proxies, uid, "web", &load);
}

/* Two instances behind a balancer, all up. */
static void begin_with_two(uint64_t seed)
{
    begin_with_image(seed);
    create_labelled("a", "web");
    create_labelled("b", "web");
    create_balancer(HTTP, BY_LABEL);
    wait_until(&kind_load_balancer, "front", "status.healthy", "2");
    wait_until(&kind_load_balancer, "front", "status.phase", "\"Ready\"");
}

TEST(members_are_the_instances_that_run_and_have_the_labels)
{
    begin_with_two(1);
    create_labelled("c", "other");
    wait_until(&kind_instance, "c", "status.phase", "\"Running\"");
    loop_sim_advance(site.loop, 2000);
    CHECK_EQ(config()->backends[0].member_count, 2);
    CHECK(member("a") && member("b") && !member("c"));
    CHECK_EQ(member("a")->port, 80);
    auto_json json_t *front = find(&kind_load_balancer, "front");
    CHECK_STR(json_text_at(front, "status.backends[0].memberStatus[0].name", NULL), "a");
    CHECK_STR(json_text_at(front, "status.addresses[0]", NULL)
                  ? json_text_at(front, "status.listeners[0].address", NULL)
                  : "",
              "0.0.0.0:8080");
    end();
}

TEST(an_instance_that_gets_the_label_joins)
{
    begin_with_two(2);
    create_labelled("c", "other");
    wait_until(&kind_instance, "c", "status.phase", "\"Running\"");
    json_t *c = find(&kind_instance, "c");
    json_set_at(c, "metadata.labels.app", json_string("web"));
    control_update(site.control, &kind_instance, c, nobody);
    wait_until(&kind_load_balancer, "front", "status.healthy", "3");
    end();
}

TEST(the_proxy_is_told_of_an_instance_that_is_found_ready)
{
    begin_with_two(22);
    json_t *a = find(&kind_instance, "a");
    CHECK(!member("a")->is_proven);
    (void)condition_set(a, CONDITION_SERVING, "True", "Ready", "", control_wall_ms(site.control));
    control_update(site.control, &kind_instance, a, nobody);
    loop_sim_advance(site.loop, 3000);
    CHECK(member("a")->is_proven);
    CHECK(!member("b")->is_proven);
    end();
}

TEST(a_deleted_instance_is_stopped_when_its_requests_are_done)
{
    begin_with_two(3);
    set_load(5);
    control_delete(site.control, &kind_instance, "default", "a", nobody);
    loop_sim_advance(site.loop, 3000);
    CHECK(member("a") && member("a")->is_draining);
    auto_json json_t *a = find(&kind_instance, "a");
    CHECK(condition_is_true(a, CONDITION_DRAINING));
    CHECK(condition_is_true(a, "Ready"));
    CHECK(!balancers_let_go(site.control, a));
    set_load(0);
    wait_gone(&kind_instance, "a");
    CHECK(!member("a"));
    CHECK(member("b") && !member("b")->is_draining);
    end();
}

TEST(draining_ends_with_its_time_also_over_a_restart)
{
    begin_with_two(4);
    set_load(5);
    control_delete(site.control, &kind_instance, "default", "a", nobody);
    loop_sim_advance(site.loop, 6000);
    daemon_dies();
    daemon_starts();
    auto_json json_t *before = find(&kind_instance, "a");
    CHECK(before != NULL);
    CHECK(!balancers_let_go(site.control, before));
    loop_sim_advance(site.loop, 2000);
    CHECK(member("a") && member("a")->is_draining);
    loop_sim_advance(site.loop, 10000);
    CHECK(!member("a"));
    wait_gone(&kind_instance, "a");
    end();
}

static void set_members(const char *members)
{
    for (unsigned tries = 0; tries < 100; tries++) {
        auto_json json_t *wanted = parse(members);
        json_t *front = find(&kind_load_balancer, "front");

        if (json_equal(json_at(front, "spec.backends[0].members"), wanted)) {
            json_decref(front);
            return;
        }
        json_object_set(json_at(front, "spec.backends[0]"), "members", wanted);
        control_update(site.control, &kind_load_balancer, front, nobody);
        loop_sim_advance(site.loop, 1);
    }
    check_fail(CHECK_HERE, "the members cannot be set");
}

TEST(an_address_that_is_taken_off_the_list_finishes_what_it_has_begun)
{
    begin_with_image(26);
    create_balancer(HTTP, "{\"addresses\":[\"10.9.0.1\",\"10.9.0.2\"]}");
    wait_until(&kind_load_balancer, "front", "status.healthy", "2");
    set_load(5);
    set_members("{\"addresses\":[\"10.9.0.2\"]}");
    loop_sim_advance(site.loop, 5000);
    CHECK_EQ(config()->backends[0].member_count, 2);
    CHECK_STR(config()->backends[0].members[1].id, "10.9.0.1");
    CHECK(config()->backends[0].members[1].is_draining && !config()->backends[0].members[0].is_draining);
    set_members("{\"addresses\":[\"10.9.0.2\",\"10.9.0.1\"]}"); /* and back */
    loop_sim_advance(site.loop, 20 * 1000);
    CHECK(!config()->backends[0].members[1].is_draining);
    set_members("{\"addresses\":[\"10.9.0.2\"]}");
    loop_sim_advance(site.loop, 5000);
    CHECK_EQ(config()->backends[0].member_count, 2);
    loop_sim_advance(site.loop, 10 * 1000); /* its time is over */
    CHECK_EQ(config()->backends[0].member_count, 1);
    end();
}

TEST(who_changes_from_addresses_to_instances_and_back_cuts_nobody_off)
{
    begin_with_two(27);
    set_load(5);
    set_members("{\"addresses\":[\"10.9.0.1\"]}");
    loop_sim_advance(site.loop, 5000);
    CHECK(member("a") && member("a")->is_draining && member("b"));
    CHECK_EQ(config()->backends[0].member_count, 3);
    set_members(BY_LABEL);
    loop_sim_advance(site.loop, 5000);
    CHECK(member("a") && !member("a")->is_draining);
    CHECK_EQ(config()->backends[0].member_count, 3);
    set_load(0);
    loop_sim_advance(site.loop, 5000);
    CHECK_EQ(config()->backends[0].member_count, 2);
    end();
}

TEST(who_leaves_is_waited_for_while_a_proxy_that_was_replaced_may_be_at_it)
{
    begin_with_two(28);
    set_load(0);
    auto_free char *uid = front_uid();
    balancer_fake_set_retired(site.proxies, uid, true);
    control_delete(site.control, &kind_instance, "default", "a", nobody);
    loop_sim_advance(site.loop, 4000);
    CHECK(member("a") && member("a")->is_draining);
    balancer_fake_set_retired(site.proxies, uid, false);
    loop_sim_advance(site.loop, 1000);
    CHECK(!member("a"));
    wait_gone(&kind_instance, "a");
    end();
}

TEST(an_annotation_drains_and_whoever_set_it_is_told_when_it_is_done)
{
    begin_with_two(5);
    set_load(1);
    json_t *a = find(&kind_instance, "a");
    json_set_at(a, "metadata.annotations",
                json_pack("{s:s}", ANNOTATION_DRAIN, "2030-01-01T00:00:00Z"));
    control_update(site.control, &kind_instance, a, nobody);
    loop_sim_advance(site.loop, 3000);
    CHECK(member("a") && member("a")->is_draining);
    set_load(0);
    loop_sim_advance(site.loop, 3000);
    auto_json json_t *now = find(&kind_instance, "a");
    CHECK(balancers_let_go(site.control, now));
    CHECK_STR(json_text_at(now, "status.phase", NULL), "Running");
    end();
}

TEST(a_drain_that_is_said_to_begin_in_the_future_ends_with_its_time_too)
{
    begin_with_two(15);
    set_load(1); /* a client that never goes */
    json_t *a = find(&kind_instance, "a");
    json_set_at(a, "metadata.annotations", json_pack("{s:s}", ANNOTATION_DRAIN, "2130-01-01T00:00:00Z"));
    control_update(site.control, &kind_instance, a, nobody);
    loop_sim_advance(site.loop, 5000);
    CHECK(member("a") && member("a")->is_draining);
    control_delete(site.control, &kind_instance, "default", "a", nobody);
    wait_gone(&kind_instance, "a");
    end();
}

TEST(deleting_the_balancer_lets_its_instances_go_and_removes_the_proxy)
{
    begin_with_two(6);
    set_load(5);
    control_delete(site.control, &kind_load_balancer, "default", "front", nobody);
    wait_gone(&kind_load_balancer, "front");
    CHECK_EQ(balancer_fake_count(site.proxies), 0);
    auto_json json_t *a = find(&kind_instance, "a");
    CHECK(balancers_let_go(site.control, a));
    end();
}

TEST(a_taken_port_is_a_condition_and_tried_again)
{
    begin_with_image(7);
    balancer_fake_take_port(site.proxies, 8080, true);
    create_labelled("a", "web");
    create_balancer(HTTP, BY_LABEL);
    wait_until(&kind_load_balancer, "front", "status.phase", "\"Degraded\"");
    auto_json json_t *front = find(&kind_load_balancer, "front");
    CHECK_STR(json_text_at(condition_get(front, "ListenersOpen"), "reason", NULL), "PortInUse");
    CHECK_CONTAINS(json_text_at(front, "status.message", ""), "in use");
    balancer_fake_take_port(site.proxies, 8080, false);
    wait_until(&kind_load_balancer, "front", "status.phase", "\"Ready\"");
    end();
}

TEST(a_crash_is_shown_and_mended)
{
    begin_with_two(8);
    auto_free char *uid = front_uid();
    balancer_fake_crash(site.proxies, uid, 500);
    wait_until(&kind_load_balancer, "front", "status.restartCount", "1");
    wait_until(&kind_load_balancer, "front", "status.phase", "\"Ready\"");
    end();
}

TEST(without_healthy_members_it_is_degraded_and_says_so)
{
    begin_with_image(9);
    create_balancer(HTTP, BY_LABEL);
    wait_until(&kind_load_balancer, "front", "status.phase", "\"Degraded\"");
    auto_json json_t *front = find(&kind_load_balancer, "front");
    CHECK_STR(json_text_at(front, "status.message", NULL), "backend web has no member");
    end();
}

static void create_member(const char *name, const char *status)
{
    auto_free char *text =
        str_printf("{\"metadata\":{\"name\":\"%s\",\"namespace\":\"default\",\"labels\":{\"virga.dev/group\":\"web\"},"
                   "\"ownerReferences\":[{\"apiVersion\":\"virga.dev/v1\",\"kind\":\"InstanceGroup\",\"name\":\"web\","
                   "\"uid\":\"g\",\"controller\":true}]},\"spec\":{\"image\":\"debian\"},\"status\":{%s}}",
                   name, status);

    control_create(site.control, &kind_instance, parse(text), nobody);
}

TEST(load_is_told_of_groups_and_members)
{
    struct balancer_load load;

    begin_with_image(10);
    create_balancer(HTTP, "{\"instanceGroup\":\"web\"}");
    create_member("a", "\"conditions\":[{\"type\":\"Serving\",\"status\":\"True\",\"reason\":\"Ready\"}]");
    create_member("awaited", ""); /* its group has not found it ready */
    control_create(site.control, &kind_instance,
                   parse("{\"metadata\":{\"name\":\"liar\",\"namespace\":\"default\",\"labels\":{"
                         "\"virga.dev/group\":\"web\"}},\"spec\":{\"image\":\"debian\"}}"),
                   nobody);
    balancer_load_of_group(site.control, "default", "web", &load);
    CHECK(!load.is_known);
    wait_until(&kind_load_balancer, "front", "status.healthy", "1");
    wait_until(&kind_instance, "liar", "status.phase", "\"Running\"");
    wait_until(&kind_instance, "awaited", "status.phase", "\"Running\"");
    set_load(3);
    loop_sim_advance(site.loop, 2000);
    balancer_load_of_group(site.control, "default", "web", &load);
    CHECK(load.is_known);
    CHECK_EQ(load.members, 1); /* the one without the owner is none, nor is the awaited one yet */
    CHECK_EQ(load.connections, 3);
    CHECK_EQ((int)load.request_rate, 40);
    CHECK_EQ(load.latency_p95_ms, 3);
    auto_json json_t *a = find(&kind_instance, "a");
    balancer_load_of_instance(site.control, a, &load);
    CHECK_EQ((int)load.request_rate, 40);
    end();
}

TEST(a_member_of_a_group_is_drained_though_its_guest_is_given_no_time)
{
    begin_with_image(25);
    create_balancer(HTTP, "{\"instanceGroup\":\"web\"}");
    create_member("a", "\"conditions\":[{\"type\":\"Serving\",\"status\":\"True\",\"reason\":\"Ready\"}]");
    wait_until(&kind_load_balancer, "front", "status.healthy", "1");
    wait_until(&kind_instance, "a", "status.phase", "\"Running\"");
    json_t *a = find(&kind_instance, "a");
    json_set_at(a, "spec.stopTimeout", json_string("0s"));
    control_update(site.control, &kind_instance, a, nobody);
    loop_sim_advance(site.loop, 1000);
    CHECK(member("a"));
    set_load(5);
    control_delete(site.control, &kind_instance, "default", "a", nobody);
    loop_sim_advance(site.loop, 3000);
    CHECK(member("a") && member("a")->is_draining);
    set_load(0);
    wait_gone(&kind_instance, "a");
    end();
}

static size_t admit(json_t *take_object, const char *field, const char *message)
{
    auto_json json_t *object = take_object;
    auto_causes struct causes causes = { 0 };

    kind_default(&kind_load_balancer, object);
    control_admit(site.control, &kind_load_balancer, object, NULL, &causes);
    if (causes.count) {
        CHECK_STR(causes.items[0].field, field);
        CHECK_CONTAINS(causes.items[0].message, message);
    }
    return causes.count;
}

TEST(admission_refuses_ports_of_others_and_secrets_that_are_not_there)
{
    begin_with_two(11);
    CHECK_EQ(
        admit(balancer_named("other", HTTP, BY_LABEL), "spec.listeners[0].port", "default/front"),
        1);
    CHECK_EQ(
        admit(balancer_named("other", "[{\"name\":\"a\",\"port\":8080,\"address\":\"127.0.0.1\"}]",
                             BY_LABEL),
              "spec.listeners[0].port", "default/front"),
        1);
    CHECK_EQ(admit(balancer_named("other", "[{\"name\":\"a\",\"port\":8081}]", BY_LABEL), "", ""),
             0);
    CHECK_EQ(admit(balancer_named("front", HTTP, BY_LABEL), "", ""), 0); /* itself */
    control_create(site.control, &kind_load_balancer, balancer_named("inner", INSIDE, BY_LABEL), nobody);
    loop_sim_advance(site.loop, 100);
    CHECK_EQ(admit(balancer_named("other", INSIDE, BY_LABEL), "spec.listeners[0].port", "default/inner"), 1);
    json_t *elsewhere = balancer_named("other", INSIDE, BY_LABEL);
    json_set_at(elsewhere, "metadata.namespace", json_string("lab"));
    CHECK_EQ(admit(elsewhere, "spec.network", "there is no network"), 1); /* and nothing else */
    CHECK_EQ(
        admit(
            balancer_named(
                "other",
                "[{\"name\":\"a\",\"port\":443,\"protocol\":\"HTTPS\",\"tls\":{\"secret\":\"x\"}}]",
                BY_LABEL),
            "spec.listeners[0].tls.secret", "there is no secret \"x\""),
        1);
    control_create(site.control, &kind_secret,
                   parse("{\"metadata\":{\"name\":\"empty\",\"namespace\":\"default\"},\"data\":{"
                         "\"tls.crt\":\"eA==\"}}"),
                   nobody);
    loop_sim_advance(site.loop, 100);
    CHECK_EQ(admit(balancer_named("other",
                                  "[{\"name\":\"a\",\"port\":443,\"protocol\":\"HTTPS\",\"tls\":{"
                                  "\"secret\":\"empty\"}}]",
                                  BY_LABEL),
                   "spec.listeners[0].tls.secret", "has no tls.key"),
             1);
    end();
}

/* A daemon that has just begun has not heard yet which listeners its proxies have open. */
TEST(a_listener_whose_secret_has_gone_is_left_to_the_certificate_in_force)
{
    begin_with_image(13);
    create_balancer("[{\"name\":\"a\",\"port\":443,\"protocol\":\"HTTPS\",\"tls\":{\"secret\":\"gone\"}}]",
                    BY_LABEL);
    loop_sim_advance(site.loop, 5000);
    auto_json json_t *object = find(&kind_load_balancer, "front");
    CHECK(config() && config()->listener_count == 1);
    CHECK_STR(config()->listeners[0].certificate, "");
    CHECK_CONTAINS(json_text_at(condition_get(object, "CertificatesValid"), "message", ""), "is not there");
    end();
}

TEST(failing_calls_and_crashes_anywhere_still_converge)
{
    for (uint64_t seed = 20; seed < 26; seed++) {
        begin_with_image(seed);
        balancer_fake_set(site.proxies, &(struct balancer_fake_settings){ 0, 200, 3 });
        create_labelled("a", "web");
        create_labelled("b", "web");
        create_balancer(HTTP, BY_LABEL);
        for (int i = 0; i < 10; i++) {
            loop_sim_advance(site.loop, (int64_t)(loop_random(site.loop) % 800));
            daemon_dies();
            daemon_starts();
        }
        wait_until(&kind_load_balancer, "front", "status.phase", "\"Ready\"");
        wait_until(&kind_load_balancer, "front", "status.healthy", "2");
        control_delete(site.control, &kind_instance, "default", "a", nobody);
        for (int i = 0; i < 5; i++) {
            loop_sim_advance(site.loop, (int64_t)(loop_random(site.loop) % 800));
            daemon_dies();
            daemon_starts();
        }
        wait_gone(&kind_instance, "a");
        control_delete(site.control, &kind_load_balancer, "default", "front", nobody);
        wait_gone(&kind_load_balancer, "front");
        CHECK_EQ(balancer_fake_count(site.proxies), 0);
        end();
    }
}

TEST(a_restart_of_the_daemon_takes_no_member_away)
{
    begin_with_two(12);
    daemon_dies();
    daemon_starts();
    for (int ms = 0; ms < 3000; ms += 5) {
        loop_sim_advance(site.loop, 5);
        CHECK_EQ(config()->backends[0].member_count, 2);
        CHECK(!member("a")->is_draining);
    }
    end();
}
