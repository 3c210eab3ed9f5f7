#include "api_text.h"
#include "api/patch.h"
#include "api/schema.h"

static const struct field disk_fields[] = {
    { .name = "name", .type = FIELD_TEXT },
    { .name = "size", .type = FIELD_QUANTITY },
    { 0 },
};
static const struct field disk = { .type = FIELD_OBJECT, .fields = disk_fields };
static const struct field text = { .type = FIELD_TEXT };
static const struct field root_fields[] = {
    { .name = "disks", .type = FIELD_LIST, .key = "name", .item = &disk },
    { .name = "tags", .type = FIELD_LIST, .flags = FIELD_LIST_SET, .item = &text },
    { .name = "args", .type = FIELD_LIST, .item = &text },
    { .name = "labels", .type = FIELD_MAP, .item = &text },
    { 0 },
};
static const struct field root = { .type = FIELD_OBJECT, .fields = root_fields };

/* --- merge patch: the examples of RFC 7386, appendix A --- */

static void check_merge(const char *target, const char *patch, const char *expected)
{
    auto_json json_t *from = json_of(target);
    auto_json json_t *before = json_deep_copy(from);
    auto_json json_t *with = json_of(patch);
    auto_json json_t *result = patch_merge(from, with);

    CHECK_JSON(result, expected);
    CHECK(json_equal(from, before));
}

TEST(merge_patch_follows_the_examples_of_its_rfc)
{
    check_merge("{'a':'b'}", "{'a':'c'}", "{'a':'c'}");
    check_merge("{'a':'b'}", "{'b':'c'}", "{'a':'b','b':'c'}");
    check_merge("{'a':'b'}", "{'a':null}", "{}");
    check_merge("{'a':'b','b':'c'}", "{'a':null}", "{'b':'c'}");
    check_merge("{'a':['b']}", "{'a':'c'}", "{'a':'c'}");
    check_merge("{'a':'c'}", "{'a':['b']}", "{'a':['b']}");
    check_merge("{'a':{'b':'c'}}", "{'a':{'b':'d','c':null}}", "{'a':{'b':'d'}}");
    check_merge("{'a':[{'b':'c'}]}", "{'a':[1]}", "{'a':[1]}");
    check_merge("['a','b']", "['c','d']", "['c','d']");
    check_merge("{'e':null}", "{'a':1}", "{'e':null,'a':1}");
    check_merge("[1,2]", "{'a':'b','c':null}", "{'a':'b'}");
    check_merge("{}", "{'a':{'bb':{'ccc':null}}}", "{'a':{'bb':{}}}");
}

/* --- JSON patch: the examples of RFC 6902, appendix A --- */

static void check_patched(const char *target, const char *operations, const char *expected)
{
    auto_json json_t *from = json_of(target);
    auto_json json_t *before = json_deep_copy(from);
    auto_json json_t *with = json_of(operations);
    struct err err = { 0 };
    auto_json json_t *result = patch_json(from, with, &err);

    if (!result)
        check_fail(CHECK_HERE, "%s: %s", operations, err.text);
    CHECK_JSON(result, expected);
    CHECK(json_equal(from, before));
}

static void check_patch_fails(const char *target, const char *operations, enum err_code code)
{
    auto_json json_t *from = json_of(target);
    auto_json json_t *with = json_of(operations);
    struct err err = { 0 };

    CHECK(patch_json(from, with, &err) == NULL);
    CHECK_EQ(err.code, code);
}

TEST(json_patch_follows_the_examples_of_its_rfc)
{
    check_patched("{'foo':'bar'}", "[{'op':'add','path':'/baz','value':'qux'}]",
                  "{'baz':'qux','foo':'bar'}");
    check_patched("{'foo':['bar','baz']}", "[{'op':'add','path':'/foo/1','value':'qux'}]",
                  "{'foo':['bar','qux','baz']}");
    check_patched("{'baz':'qux','foo':'bar'}", "[{'op':'remove','path':'/baz'}]", "{'foo':'bar'}");
    check_patched("{'foo':['bar','qux','baz']}", "[{'op':'remove','path':'/foo/1'}]",
                  "{'foo':['bar','baz']}");
    check_patched("{'baz':'qux','foo':'bar'}", "[{'op':'replace','path':'/baz','value':'boo'}]",
                  "{'baz':'boo','foo':'bar'}");
    check_patched("{'foo':{'bar':'baz','waldo':'fred'},'qux':{'corge':'grault'}}",
                  "[{'op':'move','from':'/foo/waldo','path':'/qux/thud'}]",
                  "{'foo':{'bar':'baz'},'qux':{'corge':'grault','thud':'fred'}}");
    check_patched("{'foo':['all','grass','cows','eat']}",
                  "[{'op':'move','from':'/foo/1','path':'/foo/3'}]",
                  "{'foo':['all','cows','eat','grass']}");
    check_patched("{'baz':'qux','foo':['a',2,'c']}",
                  "[{'op':'test','path':'/baz','value':'qux'},"
                  "{'op':'test','path':'/foo/1','value':2}]",
                  "{'baz':'qux','foo':['a',2,'c']}");
    check_patched("{'foo':'bar'}", "[{'op':'add','path':'/child','value':{'grandchild':{}}}]",
                  "{'foo':'bar','child':{'grandchild':{}}}");
    check_patched("{'/':9,'~1':10}", "[{'op':'test','path':'/~01','value':10}]", "{'/':9,'~1':10}");
    check_patched("{'foo':['bar']}", "[{'op':'add','path':'/foo/-','value':['abc','def']}]",
                  "{'foo':['bar',['abc','def']]}");
    check_patched("{'a':{'b':1}}", "[{'op':'copy','from':'/a','path':'/c'}]",
                  "{'a':{'b':1},'c':{'b':1}}");
    check_patched("{'a':1}", "[{'op':'replace','path':'','value':{'b':2}}]", "{'b':2}");
}

TEST(json_patch_that_does_not_fit_is_invalid)
{
    check_patch_fails("{'baz':'qux'}", "[{'op':'test','path':'/baz','value':'bar'}]", ERR_INVALID);
    check_patch_fails("{'foo':'bar'}", "[{'op':'add','path':'/baz/bat','value':'qux'}]",
                      ERR_INVALID);
    check_patch_fails("{'a':[1]}", "[{'op':'add','path':'/a/2','value':1}]", ERR_INVALID);
    check_patch_fails("{'a':[1]}", "[{'op':'remove','path':'/a/01'}]", ERR_INVALID);
    check_patch_fails("{'a':1}", "[{'op':'remove','path':'/b'}]", ERR_INVALID);
    check_patch_fails("{'a':1}", "[{'op':'replace','path':'/b','value':1}]", ERR_INVALID);
    check_patch_fails("{'a':{'b':1}}", "[{'op':'move','from':'/a','path':'/a/b'}]", ERR_INVALID);
}

TEST(what_is_no_json_patch_is_a_bad_request)
{
    check_patch_fails("{}", "{}", ERR_BAD_REQUEST);
    check_patch_fails("{}", "[1]", ERR_BAD_REQUEST);
    check_patch_fails("{}", "[{'op':'bogus','path':'/a'}]", ERR_BAD_REQUEST);
    check_patch_fails("{}", "[{'op':'add','path':'/a'}]", ERR_BAD_REQUEST);
    check_patch_fails("{}", "[{'op':'add','path':'a','value':1}]", ERR_BAD_REQUEST);
    check_patch_fails("{}", "[{'op':'add','path':'/~2','value':1}]", ERR_BAD_REQUEST);
    check_patch_fails("{}", "[{'op':'copy','path':'/a'}]", ERR_BAD_REQUEST);
}

TEST(copies_that_double_the_object_again_and_again_are_stopped)
{
    auto_json json_t *target = json_of("{'a':{'x':'0123456789012345678901234567890123456789'}}");
    auto_json json_t *operations = json_array();
    struct err err;

    for (int i = 0; i < 200; i++)
        json_array_append_new(operations, json_of("{'op':'copy','from':'/a','path':'/a/b'}"));
    for (int i = 0; i < 40; i++) {
        json_array_append_new(operations, json_of("{'op':'copy','from':'/a','path':'/b'}"));
        json_array_append_new(operations, json_of("{'op':'copy','from':'/b','path':'/a/c'}"));
    }
    CHECK(patch_json(target, operations, &err) == NULL);
    CHECK_EQ(err.code, ERR_INVALID);
}

/* --- strategic merge patch --- */

static void check_strategic(const char *target, const char *patch, const char *expected)
{
    auto_json json_t *from = json_of(target);
    auto_json json_t *before = json_deep_copy(from);
    auto_json json_t *with = json_of(patch);
    struct err err = { 0 };
    auto_json json_t *result = patch_strategic(&root, from, with, &err);

    if (!result)
        check_fail(CHECK_HERE, "%s: %s", patch, err.text);
    CHECK_JSON(result, expected);
    CHECK(json_equal(from, before));
}

TEST(strategic_patch_merges_list_maps_by_key)
{
    check_strategic("{'disks':[{'name':'a','size':'1Gi'},{'name':'b'}]}",
                    "{'disks':[{'name':'b','size':'2Gi'},{'name':'c'}]}",
                    "{'disks':[{'name':'a','size':'1Gi'},{'name':'b','size':'2Gi'},{'name':'c'}]}");
}

TEST(strategic_patch_adds_to_sets_and_replaces_other_lists)
{
    check_strategic("{'tags':['x'],'args':['a']}", "{'tags':['x','y'],'args':['b']}",
                    "{'tags':['x','y'],'args':['b']}");
}

TEST(strategic_patch_deletes_with_null_and_directives)
{
    check_strategic("{'labels':{'a':'1','b':'2'},'disks':[{'name':'a'},{'name':'b'}]}",
                    "{'labels':{'a':null},'disks':[{'$patch':'delete','name':'a'}]}",
                    "{'labels':{'b':'2'},'disks':[{'name':'b'}]}");
    check_strategic("{'labels':{'a':'1'},'x':1}", "{'labels':{'$patch':'delete'}}", "{'x':1}");
    check_strategic("{'labels':{'a':'1'}}", "{'labels':{'$patch':'replace','b':'2'}}",
                    "{'labels':{'b':'2'}}");
    check_strategic("{'disks':[{'name':'a'}]}", "{'disks':[{'$patch':'replace'},{'name':'z'}]}",
                    "{'disks':[{'name':'z'}]}");
    check_strategic("{'tags':['x','y']}", "{'$deleteFromPrimitiveList/tags':['x','q']}",
                    "{'tags':['y']}");
    check_strategic("{'a':1,'b':2}", "{'$retainKeys':['b','c'],'c':3}", "{'b':2,'c':3}");
}

TEST(strategic_patch_orders_lists)
{
    check_strategic("{'disks':[{'name':'a'},{'name':'b'}]}",
                    "{'$setElementOrder/disks':[{'name':'c'},{'name':'b'},{'name':'a'}],"
                    "'disks':[{'name':'c'}]}",
                    "{'disks':[{'name':'c'},{'name':'b'},{'name':'a'}]}");
    check_strategic("{'tags':['x','y']}", "{'$setElementOrder/tags':['y','x']}",
                    "{'tags':['y','x']}");
}

TEST(strategic_patch_refuses_directives_it_does_not_know)
{
    auto_json json_t *target = json_of("{}");
    static const char *const wrong[] = { "{'$patch':'bogus'}", "{'$bogus':1}",
                                         "{'disks':[{'size':'1'}]}", "{'$setElementOrder/disks':1}",
                                         "[1]" };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        auto_json json_t *patch = json_of(wrong[i]);
        struct err err = { 0 };

        CHECK(patch_strategic(&root, target, patch, &err) == NULL);
        CHECK_EQ(err.code, ERR_BAD_REQUEST);
    }
}
