#include "check.h"
#include "base/str.h"
#include "cli/plan.h"
#include "cli/plan_check.h"
#include <string.h>

static const char three[] = "apiVersion: v1\nkind: Namespace\nmetadata: {name: lab}\n---\n"
                            "---\n# nothing here\n---\n"
                            "apiVersion: v1\nkind: List\nitems:\n"
                            "- {apiVersion: virga.dev/v1, kind: Network, metadata: {name: n, "
                            "namespace: lab}}\n"
                            "- {apiVersion: virga.dev/v1, kind: Volume, metadata: {name: v}}\n";

static int add(struct plan *plan, const char *text, struct err *err)
{
    struct session session = { .namespace_name = "home" };

    return plan_add(&session, "m.yaml", text, strlen(text), /*needs_names=*/true, plan, err);
}

TEST(all_objects_of_a_manifest_come_in_order)
{
    __attribute__((cleanup(plan_done_auto))) struct plan plan = { 0 };
    struct err err;

    CHECK_OK(add(&plan, three, &err), &err);
    CHECK_EQ(plan.count, 3);
    CHECK_STR(plan.items[0].kind->name, "Namespace");
    CHECK_STR(plan.items[0].where, "m.yaml: document 1: namespace lab");
    CHECK_STR(plan.items[1].namespace_name, "lab");
    CHECK_STR(plan.items[2].namespace_name, "home");
    CHECK_STR(plan.items[2].name, "v");
    CHECK_CONTAINS(plan.items[2].where, "volume v");
}

TEST(what_others_stand_on_comes_first_however_it_was_written)
{
    static const char text[] =
        "apiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: virga.dev/v1, kind: Autoscaler, metadata: {name: a}}\n"
        "- {apiVersion: virga.dev/v1, kind: LoadBalancer, metadata: {name: b}}\n"
        "- {apiVersion: virga.dev/v1, kind: Instance, metadata: {name: c}}\n"
        "- {apiVersion: virga.dev/v1, kind: Snapshot, metadata: {name: d}}\n"
        "- {apiVersion: virga.dev/v1, kind: Instance, metadata: {name: e}}\n"
        "- {apiVersion: virga.dev/v1, kind: Network, metadata: {name: f}}\n"
        "- {apiVersion: v1, kind: Secret, metadata: {name: g}}\n"
        "- {apiVersion: v1, kind: Namespace, metadata: {name: h}}\n";
    __attribute__((cleanup(plan_done_auto))) struct plan plan = { 0 };
    char names[16] = "";
    struct err err;

    CHECK_OK(add(&plan, text, &err), &err);
    plan_order(&plan);
    for (size_t i = 0; i < plan.count; i++)
        strcat(names, plan.items[i].name);
    CHECK_STR(names, "hgfcdeba");
}

TEST(what_is_wrong_is_said_with_file_and_document)
{
    static const char *const bad[][2] = {
        { "", "m.yaml: there is no object in it" },
        { "# nothing\n", "m.yaml: there is no object in it" },
        { "just text\n", "m.yaml: apiVersion and kind are required" },
        { "apiVersion: v1\nkind: Namespace\nmetadata: {}\n",
          "m.yaml: Namespace: metadata.name is required" },
        { "apiVersion: v1\nkind: Namespace\nmetadata: {name: 12}\n",
          "m.yaml: Namespace: metadata.name: Invalid value: 12: must be a text, in quotes" },
        { "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: 5}\n",
          "m.yaml: Secret: metadata.namespace: Invalid value: 5: must be a text, in quotes" },
        { "apiVersion: v1\nkind: Namespace\nmetadata: {name: a/../b}\n",
          "m.yaml: Namespace: metadata.name: Invalid value: \"a/../b\": must not be \".\" or \"..\", nor contain \"/\"" },
        { "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Bogus\n",
          "m.yaml: document 2: there is no kind Bogus of v1" },
        { "apiVersion: v1\nkind: List\nitems: [{kind: Pod}]\n",
          "m.yaml: items[0]: apiVersion and kind are required" },
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        __attribute__((cleanup(plan_done_auto))) struct plan plan = { 0 };
        struct err err;

        CHECK_FAILS(add(&plan, bad[i][0], &err), &err, ERR_BAD_REQUEST);
        CHECK_STR(err.text, bad[i][1]);
    }
}

TEST(a_namespace_that_is_empty_is_as_good_as_none)
{
    __attribute__((cleanup(plan_done_auto))) struct plan plan = { 0 };
    struct err err;

    CHECK_OK(add(&plan, "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: ''}\n", &err), &err);
    CHECK_STR(plan.items[0].namespace_name, "home");
}

#define NET(name, rest) "apiVersion: virga.dev/v1\nkind: Network\nmetadata: {name: " name "}\nspec: " rest "\n---\n"
#define INSTANCE(name, card)                                                                                          \
    "apiVersion: virga.dev/v1\nkind: Instance\nmetadata: {name: " name "}\nspec: {networks: [" card "]}\n---\n"
#define BALANCER(name, listener)                                                                                      \
    "apiVersion: virga.dev/v1\nkind: LoadBalancer\nmetadata: {name: " name "}\nspec: {listeners: [" listener "]}\n---\n"
#define HPA(name) \
    "apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: " name "}\n" \
    "spec: {scaleTargetRef: {name: g}}\n---\n"
#define SCALER(name) \
    "apiVersion: virga.dev/v1\nkind: Autoscaler\nmetadata: {name: " name "}\nspec: {scaleTargetRef: {name: g}}\n---\n"

TEST(documents_that_exclude_each_other_are_refused_together)
{
    static const struct row {
        const char *text, *wanted; /* NULL: they go together */
    } rows[] = {
        { NET("a", "{ipv4: {subnet: 10.1.0.0/16}}") NET("b", "{ipv4: {subnet: 10.1.7.0/24}}"),
          "m.yaml: document 2: network b: spec.ipv4.subnet: Invalid value: \"10.1.7.0/24\": overlaps network a of the "
          "same manifest (m.yaml: document 1: network a)" },
        { NET("a", "{ipv4: {subnet: 10.1.0.0/24}}") NET("b", "{ipv4: {subnet: 10.1.1.0/24}}"), NULL },
        { INSTANCE("a", "{name: eth0, network: n, ipv4Address: 10.1.0.9}")
              INSTANCE("b", "{name: eth0, network: m}, {name: eth1, network: n, ipv4Address: 10.1.0.9}"),
          "m.yaml: document 2: instance b: spec.networks[1].ipv4Address: Invalid value: \"10.1.0.9\": is taken by instance a "
          "of the same manifest (m.yaml: document 1: instance a)" },
        { INSTANCE("a", "{name: eth0, network: n, ipv4Address: 10.1.0.9}")
              INSTANCE("b", "{name: eth0, network: m, ipv4Address: 10.1.0.9}"), NULL },
        { SCALER("a") SCALER("b"),
          "m.yaml: document 2: autoscaler b: spec.scaleTargetRef.name: Invalid value: \"g\": is scaled by autoscaler a of the "
          "same manifest (m.yaml: document 1: autoscaler a)" },
        { SCALER("a") SCALER("a"), NULL },
        { SCALER("a") HPA("a"),
          "m.yaml: document 2: horizontalpodautoscaler a: spec.scaleTargetRef.name: Invalid value: \"g\": is scaled by "
          "autoscaler a of the same manifest (m.yaml: document 1: autoscaler a)" },
        { INSTANCE("a", "{name: eth0, network: n, macAddress: '52:54:00:AB:00:01', ipv6Address: 'fd00::1'}")
              INSTANCE("b", "{name: eth0, network: n, macAddress: '52:54:00:ab:00:01'}"),
          "m.yaml: document 2: instance b: spec.networks[0].macAddress: Invalid value: \"52:54:00:ab:00:01\": is taken by "
          "instance a of the same manifest (m.yaml: document 1: instance a)" },
        { INSTANCE("a", "{name: eth0, network: n, ipv6Address: 'fd00::1'}")
              INSTANCE("b", "{name: eth0, network: n, ipv6Address: 'FD00::0001'}"),
          "m.yaml: document 2: instance b: spec.networks[0].ipv6Address: Invalid value: \"FD00::0001\": is taken by "
          "instance a of the same manifest (m.yaml: document 1: instance a)" },
        { BALANCER("a", "{name: http, port: 80}") BALANCER("b", "{name: http, port: 80, address: 127.0.0.1}"),
          "m.yaml: document 2: loadbalancer b: spec.listeners[0].port: Invalid value: 80: is the port of loadbalancer a of "
          "the same manifest (m.yaml: document 1: loadbalancer a)" },
        { BALANCER("a", "{name: http, port: 80}") BALANCER("b", "{name: http, port: 80, network: default}"), NULL },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        __attribute__((cleanup(plan_done_auto))) struct plan plan = { 0 };
        struct err err = { 0 };

        CHECK_OK(add(&plan, rows[i].text, &err), &err);
        CHECK_EQ(plan_check(&plan, &err), rows[i].wanted ? -1 : 0);
        CHECK_STR(err.text, rows[i].wanted ? rows[i].wanted : "");
    }
}

TEST(a_plan_has_room_for_many_objects)
{
    auto_buf struct buf text = { 0 };
    __attribute__((cleanup(plan_done_auto))) struct plan plan = { 0 };
    struct err err;

    for (int i = 0; i < 300; i++)
        buf_printf(&text, "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: n%d}\n", i);
    CHECK_OK(add(&plan, text.bytes, &err), &err);
    CHECK_EQ(plan.count, 300);
    CHECK_STR(plan.items[299].name, "n299");
}
