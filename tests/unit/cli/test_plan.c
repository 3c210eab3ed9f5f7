#include "check.h"
#include "base/str.h"
#include "cli/plan.h"
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

TEST(what_is_wrong_is_said_with_file_and_document)
{
    static const char *const bad[][2] = {
        { "", "m.yaml: there is no object in it" },
        { "# nothing\n", "m.yaml: there is no object in it" },
        { "just text\n", "m.yaml: apiVersion and kind are required" },
        { "apiVersion: v1\nkind: Namespace\nmetadata: {}\n",
          "m.yaml: Namespace: metadata.name is required" },
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
