#include "check.h"
#include "api/accept.h"
#include <stddef.h>

enum { TABLES = ACCEPT_TABLE | ACCEPT_TABLE_BETA };

TEST(nothing_asked_for_is_json)
{
    CHECK_EQ(accept_choose(NULL, TABLES), ACCEPT_JSON);
    CHECK_EQ(accept_choose("", TABLES), ACCEPT_JSON);
    CHECK_EQ(accept_choose("*/*", TABLES), ACCEPT_JSON);
    CHECK_EQ(accept_choose("application/json, */*;q=0.8", TABLES), ACCEPT_JSON);
}

TEST(the_first_form_on_offer_wins)
{
    const char *kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,"
                          "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";

    CHECK_EQ(accept_choose(kubectl, TABLES), ACCEPT_TABLE);
    CHECK_EQ(accept_choose(kubectl, ACCEPT_TABLE_BETA), ACCEPT_TABLE_BETA);
    CHECK_EQ(accept_choose(kubectl, 0), ACCEPT_JSON);
}

TEST(parameters_come_in_any_order_and_spacing)
{
    CHECK_EQ(accept_choose("application/json;v=v2;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList",
                           ACCEPT_DISCOVERY),
             ACCEPT_DISCOVERY);
    CHECK_EQ(accept_choose("application/json ; g=\"meta.k8s.io\"; v=v1 ;as = Table", TABLES),
             ACCEPT_TABLE);
}

TEST(an_older_discovery_falls_back_to_json)
{
    CHECK_EQ(accept_choose("application/json;g=apidiscovery.k8s.io;v=v2beta1;"
                           "as=APIGroupDiscoveryList,application/json",
                           ACCEPT_DISCOVERY),
             ACCEPT_JSON);
}

TEST(protobuf_clients_get_json)
{
    CHECK_EQ(accept_choose("application/vnd.kubernetes.protobuf,application/json", TABLES),
             ACCEPT_JSON);
    CHECK_EQ(accept_choose("application/vnd.kubernetes.protobuf", TABLES), ACCEPT_JSON);
}

TEST(the_openapi_protobuf_type_is_known_with_its_at_sign)
{
    CHECK_EQ(accept_choose("application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
                           ACCEPT_OPENAPI_PROTOBUF),
             ACCEPT_OPENAPI_PROTOBUF);
}

TEST(what_cannot_be_made_is_none)
{
    CHECK_EQ(accept_choose("text/html", TABLES), ACCEPT_NONE);
    CHECK_EQ(accept_choose("application/json;q=0", TABLES), ACCEPT_NONE);
    CHECK_EQ(accept_choose("application/json;as=Table;v=v9;g=meta.k8s.io", TABLES), ACCEPT_NONE);
    CHECK_EQ(accept_choose(";;,,=,;as", TABLES), ACCEPT_NONE);
}
