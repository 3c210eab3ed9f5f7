#include "check.h"
#include "base/str.h"
#include "cli/advice.h"
#include <string.h>

static void check_advice(const char *details, const char *wanted)
{
    struct err err;
    auto_json json_t *object = json_parse(details, strlen(details), &err);
    auto_free char *advice = advice_of(object);

    CHECK(object);
    CHECK_STR(advice, wanted);
}

TEST(a_refused_field_is_explained)
{
    check_advice("{\"kind\":\"Instance\",\"name\":\"x\",\"causes\":[{\"field\":\"spec.memory\"}]}",
                 "\"virga explain Instance.spec.memory\" tells what it takes");
    check_advice("{\"kind\":\"Instance\",\"causes\":[{\"field\":\"spec.networks[0].macAddress\"},"
                 "{\"field\":\"spec.cpus\"}]}",
                 "\"virga explain Instance.spec.networks.macAddress\" tells what it takes");
    check_advice("{\"kind\":\"Instance\",\"causes\":[{\"field\":\"spec.odd[\"}]}",
                 "\"virga explain Instance.spec.odd\" tells what it takes");
}

TEST(what_is_not_there_or_there_already_is_looked_for_among_its_kind)
{
    check_advice("{\"kind\":\"instances\",\"name\":\"web\"}",
                 "\"virga get instances\" lists what there is");
}

TEST(what_the_error_says_itself_gets_no_advice)
{
    check_advice("{}", NULL);
    check_advice("{\"kind\":\"images\",\"name\":\"micro\",\"causes\":[{\"reason\":\"InUse\"}]}", NULL);
    check_advice("{\"kind\":\"Instance\",\"name\":\"X\",\"causes\":[{\"field\":\"metadata.name\"}]}",
                 NULL);
    CHECK_STR(advice_of(NULL), NULL);
}
