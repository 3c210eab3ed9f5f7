#include "api_text.h"
#include "api/fields.h"
#include "api/managed.h"
#include "api/schema.h"
#include "base/mem.h"
#include <stdlib.h>

static const struct field disk_fields[] = {
    { .name = "name", .type = FIELD_TEXT },
    { .name = "size", .type = FIELD_QUANTITY },
    { .name = "bus", .type = FIELD_TEXT },
    { 0 },
};
static const struct field disk = { .type = FIELD_OBJECT, .fields = disk_fields };
static const struct field text = { .type = FIELD_TEXT };
static const struct field spec_fields[] = {
    { .name = "replicas", .type = FIELD_INT },
    { .name = "image", .type = FIELD_TEXT },
    { .name = "disks", .type = FIELD_LIST, .key = "name", .item = &disk },
    { .name = "tags", .type = FIELD_LIST, .flags = FIELD_LIST_SET, .item = &text },
    { .name = "args", .type = FIELD_LIST, .item = &text },
    { 0 },
};
static const struct field metadata_members[] = {
    { .name = "name", .type = FIELD_TEXT },
    { .name = "labels", .type = FIELD_MAP, .item = &text },
    { .name = "managedFields", .type = FIELD_LIST, .item = &text },
    { 0 },
};
static const struct field root_fields[] = {
    { .name = "metadata", .type = FIELD_OBJECT, .fields = metadata_members },
    { .name = "spec", .type = FIELD_OBJECT, .fields = spec_fields },
    { 0 },
};
static const struct field root = { .type = FIELD_OBJECT, .fields = root_fields };

enum { T0 = 1000, T1 = 61000 };

static struct field_writer writer(const char *manager, int64_t wall_ms)
{
    return (struct field_writer){ .manager = manager, .api_version = "v1", .wall_ms = wall_ms };
}

/* The set of a manager as it stands in 'object'; NULL when it has none. */
static const json_t *set_of(const json_t *object, const char *manager, const char *operation)
{
    const json_t *entries = json_at(object, "metadata.managedFields");
    size_t index;
    json_t *entry;

    json_array_foreach (entries, index, entry)
        if (str_equal(json_text_at(entry, "manager", NULL), manager) &&
            str_equal(json_text_at(entry, "operation", NULL), operation))
            return json_object_get(entry, "fieldsV1");
    return NULL;
}

/* Writes 'now' over 'before' as an ordinary update; owned. */
static json_t *update(const json_t *before, const char *now_text, const char *manager)
{
    json_t *now = json_of(now_text);
    struct field_writer by = writer(manager, T0);

    json_set_at(
        now, "metadata.managedFields",
        managed_after_update(&root, json_at(before, "metadata.managedFields"), before, now, &by));
    return now;
}

/* Applies; aborts the test on a conflict. Owned. */
static json_t *apply(const json_t *live, const char *config_text, const char *manager, bool force)
{
    auto_json json_t *config = json_of(config_text);
    struct field_writer by = writer(manager, T0);
    auto_causes struct causes causes = { 0 };
    auto_free char *message = NULL;
    json_t *object = NULL;

    if (managed_apply(&root, live, config, force, &by, &object, &causes, &message) < 0)
        check_fail(CHECK_HERE, "conflict: %s", message);
    return object;
}

static char *apply_conflict(const json_t *live, const char *config_text, const char *manager)
{
    auto_json json_t *config = json_of(config_text);
    struct field_writer by = writer(manager, T0);
    auto_causes struct causes causes = { 0 };
    char *message = NULL;
    json_t *object = NULL;

    CHECK_EQ(managed_apply(&root, live, config, false, &by, &object, &causes, &message), -1);
    CHECK(causes.count > 0);
    CHECK_STR(causes.items[0].reason, "FieldManagerConflict");
    return message;
}

static json_t *without_managed(const json_t *object)
{
    json_t *copy = json_deep_copy(object);

    json_remove_at(copy, "metadata.managedFields");
    return copy;
}

#define CHECK_OBJECT(object, expected)                                                             \
    do {                                                                                           \
        auto_json json_t *bare_ = without_managed(object);                                         \
        CHECK_JSON(bare_, expected);                                                               \
    } while (0)

TEST(the_fields_of_an_object_follow_its_schema)
{
    auto_json json_t *object =
        json_of("{'apiVersion':'v1','metadata':{'name':'n','labels':{'a/b':'x'}},"
                "'spec':{'replicas':1,'disks':[{'name':'root','size':'1'}],"
                "'tags':['t'],'args':['x','y']}}");
    auto_json json_t *set = fields_of(&root, object);

    CHECK_JSON(set, "{'f:metadata':{'f:labels':{'f:a/b':{}}},'f:spec':{'f:replicas':{},'f:args':{},"
                    "'f:tags':{'v:\\'t\\'':{}},"
                    "'f:disks':{'k:{\\'name\\':\\'root\\'}':{'.':{},'f:name':{},'f:size':{}}}}}");
}

TEST(set_algebra_tells_members_from_places)
{
    auto_json json_t *a = json_of("{'f:x':{'.':{},'f:y':{}},'f:z':{}}");
    auto_json json_t *b = json_of("{'f:x':{'f:y':{}},'f:q':{}}");
    auto_json json_t *all = fields_union(a, b);
    auto_json json_t *both = fields_intersection(a, b);
    auto_json json_t *rest = fields_difference(a, b);
    auto_json json_t *none = fields_difference(a, a);

    CHECK_JSON(all, "{'f:x':{'.':{},'f:y':{}},'f:z':{},'f:q':{}}");
    CHECK_JSON(both, "{'f:x':{'f:y':{}}}");
    CHECK_JSON(rest, "{'f:x':{},'f:z':{}}");
    CHECK(fields_empty(none));
}

static void append_path(void *arg, const char *path) { buf_printf(arg, "%s;", path); }

TEST(paths_print_as_kubectl_shows_them)
{
    auto_json json_t *set =
        json_of("{'f:spec':{'f:disks':{'k:{\\'name\\':\\'root\\'}':{'.':{},'f:size':{}}},"
                "'f:tags':{'v:\\'t\\'':{}}}}");
    auto_buf struct buf text_of_paths = { 0 };

    fields_each(set, append_path, &text_of_paths);
    CHECK_STR(text_of_paths.bytes,
              ".spec.disks[name=\"root\"];.spec.disks[name=\"root\"].size;.spec.tags[=\"t\"];");
}

TEST(an_update_owns_what_it_set)
{
    auto_json json_t *object = update(NULL, "{'spec':{'replicas':1}}", "me");

    CHECK_JSON(set_of(object, "me", "Update"), "{'f:spec':{'f:replicas':{}}}");
    CHECK_STR(json_text_at(object, "metadata.managedFields[0].time", NULL), "1970-01-01T00:00:01Z");
}

TEST(an_update_takes_over_what_it_changes_and_forgets_what_it_removes)
{
    auto_json json_t *one = update(NULL, "{'spec':{'replicas':1,'image':'a'}}", "one");
    auto_json json_t *two = update(one, "{'spec':{'replicas':2,'image':'a'}}", "two");
    auto_json json_t *three = update(two, "{'spec':{'replicas':2}}", "three");

    CHECK_JSON(set_of(two, "one", "Update"), "{'f:spec':{'f:image':{}}}");
    CHECK_JSON(set_of(two, "two", "Update"), "{'f:spec':{'f:replicas':{}}}");
    CHECK(set_of(three, "one", "Update") == NULL);
    CHECK(set_of(three, "three", "Update") == NULL);
}

TEST(an_update_without_change_leaves_the_entries_and_their_time)
{
    auto_json json_t *one = update(NULL, "{'spec':{'replicas':1}}", "one");
    struct field_writer later = writer("one", T1);
    auto_json json_t *entries =
        managed_after_update(&root, json_at(one, "metadata.managedFields"), one, one, &later);

    CHECK(json_equal(entries, json_at(one, "metadata.managedFields")));
}

TEST(the_oldest_updaters_melt_into_one)
{
    json_t *object = update(NULL, "{'spec':{'image':'a'}}", "first");

    for (int i = 0; i < MANAGED_UPDATERS_MAX + 3; i++) {
        auto_free char *name = str_printf("m%d", i);
        auto_free char *now =
            str_printf("{'metadata':{'labels':{'l%d':'x'}},'spec':{'image':'a'}}", i);
        auto_json json_t *full = json_of(now);
        auto_json json_t *labels = json_copy(json_at(object, "metadata.labels"));
        json_t *next;

        if (labels)
            json_object_update(json_at(full, "metadata.labels"), labels);
        auto_free char *dump = json_text(full);
        next = update(object, dump, name);
        json_decref(object);
        object = next;
    }
    CHECK_EQ(json_array_size(json_at(object, "metadata.managedFields")), MANAGED_UPDATERS_MAX);
    CHECK(set_of(object, "ancient-changes", "Update") != NULL);
    json_decref(object);
}

TEST(apply_creates_and_owns_exactly_its_body)
{
    auto_json json_t *object =
        apply(NULL, "{'metadata':{'name':'n'},'spec':{'replicas':3}}", "k", false);

    CHECK_OBJECT(object, "{'metadata':{'name':'n'},'spec':{'replicas':3}}");
    CHECK_JSON(set_of(object, "k", "Apply"), "{'f:spec':{'f:replicas':{}}}");
}

TEST(applying_again_changes_nothing)
{
    const char *config = "{'metadata':{'name':'n'},'spec':{'disks':[{'name':'a','size':'1'}]}}";
    auto_json json_t *one = apply(NULL, config, "k", false);
    auto_json json_t *two = apply(one, config, "k", false);

    CHECK(json_equal(one, two));
}

TEST(what_is_applied_twice_stays_twice_for_validation_to_refuse)
{
    auto_json json_t *one =
        apply(NULL, "{'spec':{'disks':[{'name':'b'},{'name':'a'}],'tags':['x']}}", "k", false);
    auto_json json_t *two = apply(
        one, "{'spec':{'disks':[{'name':'a','size':'2'},{'name':'a','bus':'scsi'}],'tags':['x','x']}}", "k", false);

    CHECK_OBJECT(two, "{'spec':{'disks':[{'name':'a','size':'2'},{'name':'a','bus':'scsi'}],'tags':['x','x']},"
                      "'metadata':{}}");
}

TEST(applied_items_come_in_the_order_in_which_they_are_applied)
{
    static const struct row {
        const char *live, *config, *wanted; /* names of disks */
    } rows[] = {
        { "abc", "cba", "cba" }, { "abc", "ca", "cba" }, { "axbyc", "cba", "cxbya" },
        { "ab", "cb", "abc" },   { "ab", "dba", "bad" }, { "", "ba", "ba" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_json json_t *live = json_pack("{s:{s:[]}}", "spec", "disks"), *config = json_deep_copy(live);
        auto_buf struct buf found = { 0 };
        const json_t *disks;

        for (const char *name = rows[i].live; *name; name++)
            json_array_append_new(json_at(live, "spec.disks"), json_pack("{s:s%}", "name", name, 1));
        for (const char *name = rows[i].config; *name; name++)
            json_array_append_new(json_at(config, "spec.disks"), json_pack("{s:s%}", "name", name, 1));
        auto_free char *body = json_text(config);
        auto_json json_t *object = apply(live, body, "k", false);
        disks = json_at(object, "spec.disks");
        for (size_t k = 0; k < json_array_size(disks); k++)
            buf_add_text(&found, json_text_at(json_array_get(disks, k), "name", "?"));
        CHECK_STR(found.bytes, rows[i].wanted);
    }
}

TEST(apply_conflicts_with_what_another_manager_changed)
{
    auto_json json_t *one = apply(NULL, "{'metadata':{},'spec':{'replicas':3}}", "k", false);
    auto_json json_t *two = update(one, "{'metadata':{},'spec':{'replicas':5}}", "kubectl-edit");
    auto_free char *message = apply_conflict(two, "{'spec':{'replicas':3}}", "k");

    CHECK_STR(message, "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using v1: "
                       ".spec.replicas");
}

TEST(several_conflicts_are_listed_by_manager)
{
    auto_json json_t *one = apply(NULL, "{'spec':{'replicas':3,'image':'a'}}", "a", false);
    auto_free char *message = apply_conflict(one, "{'spec':{'replicas':4,'image':'b'}}", "b");

    CHECK_STR(message, "Apply failed with 2 conflicts: conflicts with \"a\":\n- .spec.replicas\n"
                       "- .spec.image");
}

TEST(apply_of_the_same_value_shares_ownership)
{
    auto_json json_t *one = apply(NULL, "{'spec':{'replicas':3}}", "a", false);
    auto_json json_t *two = apply(one, "{'spec':{'replicas':3}}", "b", false);
    auto_json json_t *three = apply(two, "{'spec':{'image':'x'}}", "a", false);

    CHECK(set_of(two, "a", "Apply") && set_of(two, "b", "Apply"));
    CHECK_OBJECT(three, "{'metadata':{},'spec':{'replicas':3,'image':'x'}}");
}

TEST(force_takes_the_field_from_the_other_manager)
{
    auto_json json_t *one = apply(NULL, "{'spec':{'replicas':3,'image':'x'}}", "a", false);
    auto_json json_t *two = apply(one, "{'spec':{'replicas':4}}", "b", true);

    CHECK_JSON(set_of(two, "a", "Apply"), "{'f:spec':{'f:image':{}}}");
    CHECK_JSON(set_of(two, "b", "Apply"), "{'f:spec':{'f:replicas':{}}}");
    CHECK_JSON(json_at(two, "spec.replicas"), "4");
}

TEST(a_field_no_longer_applied_goes_when_nobody_else_owns_it)
{
    auto_json json_t *one = apply(NULL,
                                  "{'metadata':{'labels':{'x':'1','y':'2'}},'spec':{'replicas':3,"
                                  "'disks':[{'name':'a','size':'1'},{'name':'b','size':'2'}],"
                                  "'tags':['s','t']}}",
                                  "k", false);
    auto_json json_t *two = apply(one,
                                  "{'metadata':{'labels':{'x':'1'}},'spec':{"
                                  "'disks':[{'name':'a'}],'tags':['t']}}",
                                  "k", false);

    CHECK_OBJECT(two,
                 "{'metadata':{'labels':{'x':'1'}},'spec':{'disks':[{'name':'a'}],'tags':['t']}}");
}

TEST(an_item_another_manager_reaches_into_stays)
{
    auto_json json_t *one = apply(NULL, "{'spec':{'disks':[{'name':'a','size':'1'}]}}", "k", false);
    auto_json json_t *two =
        apply(one, "{'spec':{'disks':[{'name':'a','bus':'scsi'}]}}", "other", false);
    auto_json json_t *three = apply(two, "{'spec':{'replicas':1}}", "k", false);

    CHECK_OBJECT(three,
                 "{'metadata':{},'spec':{'disks':[{'name':'a','bus':'scsi'}],'replicas':1}}");
}

TEST(apply_leaves_fields_it_never_owned)
{
    auto_json json_t *one = update(NULL, "{'spec':{'replicas':1,'disks':[{'name':'a'}]}}", "u");
    auto_json json_t *two = apply(one, "{'spec':{'disks':[{'name':'b'}]}}", "k", false);

    CHECK_OBJECT(two, "{'metadata':{},'spec':{'replicas':1,'disks':[{'name':'a'},{'name':'b'}]}}");
}

TEST(an_atomic_list_is_one_field)
{
    auto_json json_t *one = apply(NULL, "{'spec':{'args':['x']}}", "a", false);
    auto_free char *message = apply_conflict(one, "{'spec':{'args':['x','y']}}", "b");

    CHECK_CONTAINS(message, ".spec.args");
}

TEST(a_list_that_was_owned_by_items_before_is_one_field_now)
{
    auto_json json_t *live =
        json_of("{'metadata':{'managedFields':[{'manager':'k','operation':'Apply','apiVersion':'v1','time':null,"
                "'fieldsType':'FieldsV1','fieldsV1':{'f:spec':{'f:args':{'v:\\'x\\'':{}}}}}]},'spec':{'args':['x']}}");
    auto_json json_t *object = apply(live, "{'spec':{'args':['y','x']}}", "k", false);

    CHECK_OBJECT(object, "{'spec':{'args':['y','x']},'metadata':{}}");
    CHECK_JSON(set_of(object, "k", "Apply"), "{'f:spec':{'f:args':{}}}");
}

TEST(managed_fields_written_by_clients_are_checked)
{
    static const struct {
        const char *entries;
        bool valid;
    } rows[] = {
        { "[]", true },
        { "[{}]", true },
        { "[{'manager':'m','operation':'Apply','fieldsV1':{'f:a':{'.':{}}}}]", true },
        { "[{'manager':'m','operation':'Apply','fieldsV1':{'a':{}}}]", false },
        { "[{'manager':'m','operation':'Bogus','fieldsV1':{}}]", false },
        { "[{'operation':'Apply','fieldsV1':{}}]", false },
        { "[{},{}]", false },
        { "{}", false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_json json_t *entries = json_of(rows[i].entries);
        CHECK_EQ(managed_are_valid(entries), rows[i].valid);
    }
}
