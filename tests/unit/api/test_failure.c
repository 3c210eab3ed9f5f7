#include "api_text.h"
#include "api/failure.h"

static const struct kind *instance(void) { return kind_find("virga.dev", "v1", "instances"); }

TEST(not_found_names_resource_and_object)
{
    auto_failure struct failure failure = { 0 };

    CHECK_EQ(failure_not_found(&failure, instance(), "web"), -1);
    auto_json json_t *status = failure_status(&failure);
    CHECK_JSON(status,
               "{'kind':'Status','apiVersion':'v1','metadata':{},'status':'Failure',"
               "'message':'instances.virga.dev \\'web\\' not found','reason':'NotFound',"
               "'details':{'name':'web','group':'virga.dev','kind':'instances'},'code':404}");
}

TEST(core_resources_have_no_group)
{
    auto_failure struct failure failure = { 0 };

    failure_exists(&failure, kind_find("", "v1", "secrets"), "s");
    CHECK_STR(failure.message, "secrets \"s\" already exists");
    CHECK_EQ(failure_http_status(&failure), 409);
}

TEST(invalid_lists_its_causes_and_names_the_kind)
{
    auto_failure struct failure failure = { 0 };

    causes_add(&failure.causes, "FieldValueRequired", "spec.image", "Required value");
    causes_add(&failure.causes, "FieldValueInvalid", "spec.cpus",
               "Invalid value: 0: must be 1 or more");
    failure_invalid(&failure, instance(), "web");
    auto_json json_t *status = failure_status(&failure);
    CHECK_STR(json_text_at(status, "message", ""),
              "Instance.virga.dev \"web\" is invalid: [spec.image: Required value, spec.cpus: "
              "Invalid value: 0: must be 1 or more]");
    CHECK_STR(json_text_at(status, "details.kind", ""), "Instance");
    CHECK_STR(json_text_at(status, "details.causes[1].field", ""), "spec.cpus");
    CHECK_EQ(json_int_at(status, "code", 0), 422);
}

TEST(an_object_in_use_is_a_conflict)
{
    auto_failure struct failure failure = { 0 };

    causes_add(&failure.causes, "InUse", "", "is in use by instance \"web\"; delete that first");
    failure_invalid(&failure, kind_find("virga.dev", "v1", "images"), "debian");
    CHECK_EQ(failure_http_status(&failure), 409);
    CHECK_STR(failure.message, "image \"debian\" is in use by instance \"web\"; delete that first");
}

TEST(bytes_that_are_no_text_do_not_break_the_status)
{
    auto_failure struct failure failure = { 0 };

    failure_set(&failure, ERR_BAD_REQUEST, "bad \xff byte");
    auto_json json_t *status = failure_status(&failure);
    CHECK_STR(json_text_at(status, "message", ""), "bad \xef\xbf\xbd byte");
}
