/* api/router.h - what a path means. Pure: from the kinds' tables and one table of fixed paths. */
#pragma once
#include "api/url.h"
#include "kinds/kind.h"

enum route_type {
    ROUTE_UNKNOWN,
    ROUTE_OBJECT,     /* a collection, an object or one of its subresources */
    ROUTE_REVIEW,     /* POST-only access reviews */
    ROUTE_VERSION,    /* /version */
    ROUTE_HEALTH,     /* /healthz /livez /readyz */
    ROUTE_API,        /* /api */
    ROUTE_APIS,       /* /apis */
    ROUTE_GROUP,      /* /apis/GROUP */
    ROUTE_RESOURCES,  /* /api/v1, /apis/GROUP/VERSION */
    ROUTE_OPENAPI_V2, /* /openapi/v2 */
    ROUTE_OPENAPI_V3, /* /openapi/v3 */
    ROUTE_OPENAPI_V3_GROUP,
};

enum route_part { PART_OBJECT, PART_STATUS, PART_SCALE, PART_CONNECT };

enum review_type { REVIEW_ACCESS, REVIEW_RULES, REVIEW_SELF, REVIEW_SUBJECT, REVIEW_LOCAL_SUBJECT };

/* Texts belong to the url or are static. */
struct route {
    enum route_type type;
    const char *group; /* "" for core */
    const char *version;
    const struct kind *kind;    /* of ROUTE_OBJECT */
    const char *namespace_name; /* NULL: none in the path */
    const char *name;           /* NULL: the collection */
    enum route_part part;
    const char *subresource; /* its name, or NULL */
    const struct connect *connect;
    enum review_type review;
};

struct route route_find(const struct url *url);

/* A review kind as discovery shows it. NULL-name-terminated. */
struct review_kind {
    const char *group, *plural, *kind;
    bool namespaced;
    enum review_type type;
};
extern const struct review_kind review_kinds[];

/* Whether any kind or review lives in that group and version. */
bool group_version_is_served(const char *group, const char *version);
