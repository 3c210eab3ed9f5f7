/* api/router.c - what a path means. */
#include "api/router.h"
#include "base/str.h"
#include <string.h>

const struct review_kind review_kinds[] = {
    { "authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview", false,
      REVIEW_ACCESS },
    { "authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview", false,
      REVIEW_RULES },
    { "authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview", false,
      REVIEW_SUBJECT },
    { "authorization.k8s.io", "localsubjectaccessreviews", "LocalSubjectAccessReview", true,
      REVIEW_LOCAL_SUBJECT },
    { "authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview", false, REVIEW_SELF },
    { 0 },
};

/* Fixed paths, segments joined by a slash. */
static const struct {
    const char *path;
    enum route_type type;
} fixed_paths[] = {
    { "version", ROUTE_VERSION },
    { "healthz", ROUTE_HEALTH },
    { "livez", ROUTE_HEALTH },
    { "readyz", ROUTE_HEALTH },
    { "api", ROUTE_API },
    { "apis", ROUTE_APIS },
    { "openapi/v2", ROUTE_OPENAPI_V2 },
    { "openapi/v3", ROUTE_OPENAPI_V3 },
};

/* The path below the group and version: "namespaces/NS/PLURAL/NAME/SUB" or "PLURAL/NAME/SUB". */
struct tail {
    const char *const *steps;
    unsigned count;
};

static bool group_is_served(const char *group)
{
    for (const struct kind *const *kind = all_kinds; *kind; kind++)
        if (str_equal((*kind)->group, group))
            return true;
    for (const struct review_kind *review = review_kinds; review->group; review++)
        if (str_equal(review->group, group))
            return true;
    return false;
}

bool group_version_is_served(const char *group, const char *version)
{
    for (const struct kind *const *kind = all_kinds; *kind; kind++)
        if (str_equal((*kind)->group, group) && str_equal((*kind)->version, version))
            return true;
    for (const struct review_kind *review = review_kinds; review->group; review++)
        if (str_equal(review->group, group) && str_equal(version, "v1"))
            return true;
    return false;
}

static void find_fixed(const struct url *url, struct route *route)
{
    for (size_t i = 0; i < sizeof fixed_paths / sizeof fixed_paths[0]; i++) {
        const char *slash = strchr(fixed_paths[i].path, '/');
        size_t first = slash ? (size_t)(slash - fixed_paths[i].path) : strlen(fixed_paths[i].path);

        if (url->segment_count == (slash ? 2 : 1) && strlen(url->segments[0]) == first &&
            memcmp(url->segments[0], fixed_paths[i].path, first) == 0 &&
            (!slash || str_equal(slash + 1, url->segments[1])))
            route->type = fixed_paths[i].type;
    }
}

/* "/readyz/ping" and the like answer as their parent does. */
static void find_health(const struct url *url, struct route *route)
{
    if (url->segment_count == 2 &&
        (str_equal(url->segments[0], "readyz") || str_equal(url->segments[0], "livez") ||
         str_equal(url->segments[0], "healthz")))
        route->type = ROUTE_HEALTH;
}

static void find_openapi_group(const struct url *url, struct route *route)
{
    if (url->segment_count == 4 && str_equal(url->segments[2], "api"))
        route->group = "", route->version = url->segments[3];
    else if (url->segment_count == 5 && str_equal(url->segments[2], "apis"))
        route->group = url->segments[3], route->version = url->segments[4];
    if (route->version && group_version_is_served(route->group, route->version))
        route->type = ROUTE_OPENAPI_V3_GROUP;
}

/* Names the subresource; false when the kind has none of that name. */
static bool set_part(struct route *route, const char *subresource)
{
    const struct kind *kind = route->kind;

    route->subresource = subresource;
    route->connect = kind_find_connect(kind, subresource);
    if (str_equal(subresource, "status") && (kind->flags & KIND_HAS_STATUS))
        route->part = PART_STATUS;
    else if (str_equal(subresource, "scale") && kind->scale.spec_replicas)
        route->part = PART_SCALE;
    else if (route->connect)
        route->part = PART_CONNECT;
    else
        return false;
    return true;
}

static bool find_review(const struct tail *tail, struct route *route)
{
    for (const struct review_kind *review = review_kinds; review->group; review++) {
        if (tail->count != 1 || !str_equal(review->group, route->group) ||
            !str_equal(review->plural, tail->steps[0]) ||
            review->namespaced != (route->namespace_name != NULL))
            continue;
        route->type = ROUTE_REVIEW;
        route->review = review->type;
        return true;
    }
    return false;
}

static void find_kind(const struct tail *tail, struct route *route)
{
    if (tail->count < 1 || tail->count > 3 || find_review(tail, route))
        return;
    route->kind = kind_find(route->group, route->version, tail->steps[0]);
    if (!route->kind)
        return;
    if (route->namespace_name && !(route->kind->flags & KIND_NAMESPACED))
        return;
    if (tail->count > 1)
        route->name = tail->steps[1];
    /* A namespaced object has no address without its namespace. */
    if (route->name && !route->namespace_name && (route->kind->flags & KIND_NAMESPACED))
        return;
    if ((route->name && !*route->name) || (tail->count == 3 && !set_part(route, tail->steps[2])))
        return;
    route->type = ROUTE_OBJECT;
}

static void find_object(struct tail tail, struct route *route)
{
    bool has_scope =
        tail.count >= 3 && str_equal(tail.steps[0], "namespaces") &&
        !(str_equal(route->group, "") && tail.count == 3 && str_equal(tail.steps[2], "status"));

    if (has_scope) {
        route->namespace_name = tail.steps[1];
        tail.steps += 2;
        tail.count -= 2;
        if (!*route->namespace_name)
            return;
    }
    find_kind(&tail, route);
}

static void find_below_group(const struct url *url, unsigned used, struct route *route)
{
    struct tail tail = { url->segments + used, url->segment_count - used };

    if (!group_version_is_served(route->group, route->version))
        return;
    if (tail.count == 0)
        route->type = ROUTE_RESOURCES;
    else
        find_object(tail, route);
}

struct route route_find(const struct url *url)
{
    struct route route = { .type = ROUTE_UNKNOWN, .group = "" };
    const char *first = url->segment_count ? url->segments[0] : "";

    find_fixed(url, &route);
    if (route.type != ROUTE_UNKNOWN)
        return route;
    if (str_equal(first, "api") && url->segment_count >= 2) {
        route.version = url->segments[1];
        find_below_group(url, 2, &route);
    } else if (str_equal(first, "apis") && url->segment_count == 2) {
        route.group = url->segments[1];
        route.type = group_is_served(route.group) ? ROUTE_GROUP : ROUTE_UNKNOWN;
    } else if (str_equal(first, "apis") && url->segment_count >= 3 && *url->segments[1]) {
        route.group = url->segments[1];
        route.version = url->segments[2];
        find_below_group(url, 3, &route);
    } else if (str_equal(first, "openapi") && url->segment_count >= 2 &&
               str_equal(url->segments[1], "v3")) {
        find_openapi_group(url, &route);
    } else {
        find_health(url, &route);
    }
    return route;
}
