/* api/dispatch.c - from a route and a method to the function that serves it. */
#include "api/dispatch.h"
#include "api/auth.h"
#include "api/connect.h"
#include "api/documents.h"
#include "api/internal.h"
#include "api/list.h"
#include "api/reviews.h"
#include "api/scale.h"
#include "api/verbs.h"
#include "api/watch.h"
#include <string.h>

struct verb {
    enum route_part part;
    bool has_name;
    enum http_method method;
    const char *name; /* as authorization and discovery call it */
    void (*run)(struct request *request);
};

static const struct verb verbs[] = {
    { PART_OBJECT, false, METHOD_GET, "list", list_run },
    { PART_OBJECT, false, METHOD_POST, "create", verb_create },
    { PART_OBJECT, false, METHOD_DELETE, "deletecollection", verb_delete_collection },
    { PART_OBJECT, true, METHOD_GET, "get", verb_get },
    { PART_OBJECT, true, METHOD_PUT, "update", verb_update },
    { PART_OBJECT, true, METHOD_PATCH, "patch", verb_patch },
    { PART_OBJECT, true, METHOD_DELETE, "delete", verb_delete },
    { PART_STATUS, true, METHOD_GET, "get", verb_get },
    { PART_STATUS, true, METHOD_PUT, "update", verb_update },
    { PART_STATUS, true, METHOD_PATCH, "patch", verb_patch },
    { PART_SCALE, true, METHOD_GET, "get", scale_get },
    { PART_SCALE, true, METHOD_PUT, "update", scale_update },
    { PART_SCALE, true, METHOD_PATCH, "patch", scale_update },
};

static enum http_method served_method(const struct request *request)
{
    return request->method == METHOD_HEAD ? METHOD_GET : request->method;
}

static const struct verb *find_verb(const struct request *request)
{
    const struct route *route = &request->route;

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (verbs[i].part == route->part && verbs[i].has_name == (route->name != NULL) &&
            verbs[i].method == served_method(request))
            return &verbs[i];
    return NULL;
}

static int not_allowed(struct failure *failure)
{
    return failure_set(failure, ERR_METHOD_NOT_ALLOWED,
                       "the server does not allow this method on the requested resource");
}

static bool is_watch(const struct request *request)
{
    return request->route.part == PART_OBJECT && served_method(request) == METHOD_GET &&
           url_flag(&request->url, "watch");
}

static bool is_served(const struct request *request)
{
    const struct route *route = &request->route;
    bool reads = served_method(request) == METHOD_GET;

    if (resource_is_computed(request->resource))
        return reads && !is_watch(request);
    /* Without a namespace in the path a namespaced kind can only be read. */
    if (!reads && resource_is_namespaced(request->resource) && !route->namespace_name)
        return false;
    return find_verb(request) != NULL;
}

static int prepare_object(struct request *request, struct failure *failure)
{
    if (request->route.part == PART_CONNECT) {
        request->verb = connect_verb(request);
        return request->verb ? auth_check(request, request->verb, failure) : not_allowed(failure);
    }
    if (!is_served(request))
        return not_allowed(failure);
    request->verb = is_watch(request) ? "watch" : find_verb(request)->name;
    return auth_check(request, request->verb, failure);
}

int dispatch_prepare(struct request *request, struct failure *failure)
{
    switch (request->route.type) {
    case ROUTE_UNKNOWN:
        return failure_set(failure, ERR_NOT_FOUND,
                           "the server could not find the requested resource");
    case ROUTE_OBJECT:
        return prepare_object(request, failure);
    case ROUTE_REVIEW:
        return request->method == METHOD_POST ? 0 : not_allowed(failure);
    default:
        return served_method(request) == METHOD_GET ? 0 : not_allowed(failure);
    }
}

void dispatch_run(struct request *request)
{
    if (request->route.type == ROUTE_REVIEW)
        review_run(request);
    else if (request->route.type != ROUTE_OBJECT)
        documents_run(request);
    else if (request->route.part == PART_CONNECT)
        connect_run(request);
    else if (is_watch(request))
        watch_run(request);
    else
        find_verb(request)->run(request);
}

bool dispatch_takes_upload(const struct request *request)
{
    return request->route.part == PART_CONNECT && request->method == METHOD_PUT &&
           request->verb != NULL;
}
