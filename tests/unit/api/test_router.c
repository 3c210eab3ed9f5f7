#include "check.h"
#include "api/router.h"
#include "base/str.h"
#include <stdio.h>
#include <string.h>

/* The route of a path as text: "object KIND/NAMESPACE/NAME/SUB", or the type's word. */
static void route_text(const char *path, char *to, size_t size)
{
    static const char *const words[] = { "unknown",   "object",   "review",   "version",
                                         "health",    "api",      "apis",     "group",
                                         "resources", "openapi2", "openapi3", "openapi3group" };
    struct url url;
    struct err err;
    struct route route;

    CHECK_OK(url_parse(path, &url, &err), &err);
    route = route_find(&url);
    if (route.type == ROUTE_OBJECT)
        snprintf(to, size, "%s ns=%s name=%s sub=%s", route.kind->name,
                 route.namespace_name ? route.namespace_name : "-", route.name ? route.name : "-",
                 route.subresource ? route.subresource : "-");
    else
        snprintf(to, size, "%s", words[route.type]);
    url_done(&url);
}

#define CHECK_ROUTE(path, expected)                                                                \
    do {                                                                                           \
        char text_[300];                                                                           \
        route_text(path, text_, sizeof text_);                                                     \
        CHECK_STR(text_, expected);                                                                \
    } while (0)

TEST(fixed_paths_are_known)
{
    CHECK_ROUTE("/version", "version");
    CHECK_ROUTE("/version/", "version");
    CHECK_ROUTE("/healthz", "health");
    CHECK_ROUTE("/readyz/ping", "health");
    CHECK_ROUTE("/api", "api");
    CHECK_ROUTE("/api/", "api");
    CHECK_ROUTE("/apis", "apis");
    CHECK_ROUTE("/apis/virga.dev", "group");
    CHECK_ROUTE("/apis/virga.dev/v1/", "resources");
    CHECK_ROUTE("/api/v1", "resources");
    CHECK_ROUTE("/openapi/v2", "openapi2");
    CHECK_ROUTE("/openapi/v3", "openapi3");
    CHECK_ROUTE("/openapi/v3/apis/virga.dev/v1", "openapi3group");
    CHECK_ROUTE("/openapi/v3/api/v1", "openapi3group");
}

TEST(objects_have_addresses)
{
    CHECK_ROUTE("/apis/virga.dev/v1/instances", "Instance ns=- name=- sub=-");
    CHECK_ROUTE("/apis/virga.dev/v1/namespaces/d/instances", "Instance ns=d name=- sub=-");
    CHECK_ROUTE("/apis/virga.dev/v1/namespaces/d/instances/web", "Instance ns=d name=web sub=-");
    CHECK_ROUTE("/apis/virga.dev/v1/namespaces/d/instances/web/status",
                "Instance ns=d name=web sub=status");
    CHECK_ROUTE("/apis/virga.dev/v1/namespaces/d/instances/web/console",
                "Instance ns=d name=web sub=console");
    CHECK_ROUTE("/apis/virga.dev/v1/hosts/node1", "Host ns=- name=node1 sub=-");
    CHECK_ROUTE("/api/v1/namespaces", "Namespace ns=- name=- sub=-");
    CHECK_ROUTE("/api/v1/namespaces/d", "Namespace ns=- name=d sub=-");
    CHECK_ROUTE("/api/v1/namespaces/d/status", "Namespace ns=- name=d sub=status");
    CHECK_ROUTE("/api/v1/namespaces/d/secrets/s", "Secret ns=d name=s sub=-");
}

TEST(reviews_are_no_objects)
{
    CHECK_ROUTE("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "review");
    CHECK_ROUTE("/apis/authentication.k8s.io/v1/selfsubjectreviews", "review");
    CHECK_ROUTE("/apis/authorization.k8s.io/v1/namespaces/d/localsubjectaccessreviews", "review");
    CHECK_ROUTE("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews/x", "unknown");
}

TEST(what_is_not_served_is_unknown)
{
    CHECK_ROUTE("/", "unknown");
    CHECK_ROUTE("/x", "unknown");
    CHECK_ROUTE("/apis/other.dev", "unknown");
    CHECK_ROUTE("/apis/virga.dev/v2", "unknown");
    CHECK_ROUTE("/apis/virga.dev/v1/bogus", "unknown");
    CHECK_ROUTE("/apis/virga.dev/v1/instances/web", "unknown");
    CHECK_ROUTE("/apis/virga.dev/v1/namespaces/d/hosts", "unknown");
    CHECK_ROUTE("/apis/virga.dev/v1/namespaces/d/instances/web/bogus", "unknown");
    CHECK_ROUTE("/apis/virga.dev/v1/namespaces/d/instances/web/status/x", "unknown");
    CHECK_ROUTE("/api/v1/namespaces//secrets", "unknown");
    CHECK_ROUTE("/openapi/v3/apis/other/v1", "unknown");
}
