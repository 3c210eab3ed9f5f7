/* api/documents.c - what the server says about itself. */
#include "api/documents.h"
#include "api/discovery.h"
#include "api/internal.h"
#include "api/openapi.h"
#include "base/map.h"
#include "base/mem.h"
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

/* The Kubernetes release whose conventions are followed, in a form that semver parsers accept. */
#define KUBE_MAJOR "1"
#define KUBE_MINOR "31"

#define OPENAPI_V2_TYPE "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
#define DISCOVERY_TYPE "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

struct documents {
    struct api *api;
    struct map *made; /* name -> struct document, which owns its bytes */
};

static void document_free(void *value)
{
    struct document *document = value;

    free((char *)document->bytes);
    free(document);
}

struct documents *documents_new(struct api *api)
{
    struct documents *documents = mem_new(struct documents);

    *documents = (struct documents){ api, map_new(document_free) };
    return documents;
}

void documents_free(struct documents *documents)
{
    if (!documents)
        return;
    map_free(documents->made);
    free(documents);
}

/* --- making --- */

static void set_etag(struct document *document)
{
    unsigned char digest[32];

    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, document->bytes, document->size, digest) < 0)
        abort();
    document->etag[0] = '"';
    for (int i = 0; i < 16; i++)
        snprintf(document->etag + 1 + 2 * i, 3, "%02x", digest[i]);
    strcat(document->etag, "\"");
}

static struct document *document_new(const char *content_type, char *take_bytes, size_t size)
{
    struct document *document = mem_new(struct document);

    *document =
        (struct document){ .content_type = content_type, .bytes = take_bytes, .size = size };
    set_etag(document);
    return document;
}

static struct document *json_document(const char *content_type, json_t *take_value)
{
    char *text = json_text(take_value);

    json_decref(take_value);
    return document_new(content_type, text, strlen(text));
}

/* Makes a document; NULL for a name that there is none of. */
typedef struct document *make_fn(struct documents *documents, const struct request *request);

/* The document called 'name', made at the first call. */
static struct document *get(struct documents *documents, const char *name, make_fn *make,
                            const struct request *request)
{
    struct document *document = map_get(documents->made, name);

    if (!document) {
        document = make(documents, request);
        map_set(documents->made, name, document);
    }
    return document;
}

static struct document *make_api(struct documents *documents, const struct request *request)
{
    return json_document(NULL, discovery_versions());
}

static struct document *make_apis(struct documents *documents, const struct request *request)
{
    return json_document(NULL, discovery_groups());
}

static struct document *make_group(struct documents *documents, const struct request *request)
{
    return json_document(NULL, discovery_group(request->route.group));
}

static struct document *make_resources(struct documents *documents, const struct request *request)
{
    return json_document(NULL, discovery_resources(&documents->api->resources, request->route.group,
                                                   request->route.version));
}

static struct document *make_aggregated(struct documents *documents, const struct request *request)
{
    return json_document(DISCOVERY_TYPE, discovery_aggregated(&documents->api->resources,
                                                              request->route.type == ROUTE_API));
}

static struct document *make_openapi_v2(struct documents *documents, const struct request *request)
{
    return json_document(NULL, openapi_v2(&documents->api->resources));
}

static struct document *make_openapi_v2_protobuf(struct documents *documents,
                                                 const struct request *request)
{
    auto_json json_t *document = openapi_v2(&documents->api->resources);
    struct buf bytes = { 0 };

    openapi_v2_protobuf(document, &bytes);
    size_t size = bytes.size;
    return document_new(OPENAPI_V2_TYPE, buf_take(&bytes), size);
}

static struct document *make_openapi_v3_group(struct documents *documents,
                                              const struct request *request)
{
    return json_document(
        NULL, openapi_v3(&documents->api->resources, request->route.group, request->route.version));
}

/* "/openapi/v3/apis/virga.dev/v1". Owned. */
static char *group_path(const char *group, const char *version)
{
    return str_is_empty(group) ? str_printf("api/%s", version)
                               : str_printf("apis/%s/%s", group, version);
}

static struct document *group_document(struct documents *documents, const char *group,
                                       const char *version)
{
    struct request like = { .route = { .group = group, .version = version } };
    auto_free char *path = group_path(group, version);
    auto_free char *name = str_printf("openapi/v3/%s", path);

    return get(documents, name, make_openapi_v3_group, &like);
}

static struct document *make_openapi_v3(struct documents *documents, const struct request *request)
{
    json_t *paths = json_object();

    for (const struct group_version *at = discovery_group_versions(); at->version; at++) {
        const struct document *group = group_document(documents, at->group, at->version);
        auto_free char *path = group_path(at->group, at->version);
        /* The hash lets a client keep its copy; without the quotes of the tag. */
        json_t *url = json_printf("/openapi/v3/%s?hash=%.32s", path, group->etag + 1);

        json_object_set_new(paths, path, json_pack("{s:o}", "serverRelativeURL", url));
    }
    return json_document(NULL, json_pack("{s:o}", "paths", paths));
}

/* --- answering --- */

static void answer_version(struct request *request)
{
    reply_json(request, 200,
               json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "major", KUBE_MAJOR, "minor",
                         KUBE_MINOR, "gitVersion",
                         "v" KUBE_MAJOR "." KUBE_MINOR ".0+virga-" VIRGA_VERSION, "gitCommit", "",
                         "gitTreeState", "clean", "buildDate", "1970-01-01T00:00:00Z", "goVersion",
                         "", "compiler", "", "platform", "linux/amd64"));
}

static void answer_health(struct request *request)
{
    struct store *store = request->api->store;
    bool must_be_ready = str_equal(request->url.segments[0], "readyz");
    struct err err;

    if (must_be_ready && store->ops->health(store, &err) < 0)
        reply_error(request, &err);
    else
        reply_text(request, 200, "text/plain; charset=utf-8", str_dup("ok"), 2);
}

static void answer_not_acceptable(struct request *request)
{
    struct err err;

    err_set(&err, ERR_NOT_ACCEPTABLE,
            "only the following media types are accepted: "
            "application/json");
    reply_error(request, &err);
}

/* /api and /apis answer both ways; each needs to say so to caches. */
static void answer_discovery(struct request *request, make_fn *make_legacy)
{
    struct documents *documents = request->api->documents;
    bool is_core = request->route.type == ROUTE_API;
    enum accept_form form = accept_choose(request->headers.accept, ACCEPT_DISCOVERY);

    if (form == ACCEPT_DISCOVERY)
        reply_document(request, get(documents, is_core ? "api aggregated" : "apis aggregated",
                                    make_aggregated, request));
    else if (form == ACCEPT_JSON)
        reply_document(request, get(documents, is_core ? "api" : "apis", make_legacy, request));
    else
        answer_not_acceptable(request);
}

static void answer_openapi_v2(struct request *request)
{
    struct documents *documents = request->api->documents;
    enum accept_form form = accept_choose(request->headers.accept, ACCEPT_OPENAPI_PROTOBUF);

    if (form == ACCEPT_OPENAPI_PROTOBUF)
        reply_document(request,
                       get(documents, "openapi/v2 protobuf", make_openapi_v2_protobuf, request));
    else if (form == ACCEPT_JSON)
        reply_document(request, get(documents, "openapi/v2", make_openapi_v2, request));
    else
        answer_not_acceptable(request);
}

/* The others are named by their path. */
static void answer_path(struct request *request, make_fn *make)
{
    const struct route *route = &request->route;
    auto_free char *name =
        str_printf("%d %s/%s", route->type, route->group, route->version ? route->version : "");

    reply_document(request, get(request->api->documents, name, make, request));
}

void documents_run(struct request *request)
{
    const struct route *route = &request->route;

    switch (route->type) {
    case ROUTE_VERSION:
        answer_version(request);
        break;
    case ROUTE_HEALTH:
        answer_health(request);
        break;
    case ROUTE_API:
        answer_discovery(request, make_api);
        break;
    case ROUTE_APIS:
        answer_discovery(request, make_apis);
        break;
    case ROUTE_GROUP:
        answer_path(request, make_group);
        break;
    case ROUTE_RESOURCES:
        answer_path(request, make_resources);
        break;
    case ROUTE_OPENAPI_V2:
        answer_openapi_v2(request);
        break;
    case ROUTE_OPENAPI_V3:
        answer_path(request, make_openapi_v3);
        break;
    default:
        reply_document(request,
                       group_document(request->api->documents, route->group, route->version));
    }
}
