/* api/openapi.h - OpenAPI documents of all kinds. Pure: from the field tables. */
#pragma once
#include "api/resource.h"
#include "base/str.h"

/* One OpenAPI 3.0 document per group and version. Owned. */
json_t *openapi_v3(const struct resources *resources, const char *group, const char *version);
/* One Swagger 2.0 document of everything. Owned. */
json_t *openapi_v2(const struct resources *resources);
/* The same in gnostic's protobuf, which old kubectl insists on. */
void openapi_v2_protobuf(const json_t *document, struct buf *to);

/* --- shared by the versions --- */

/* "dev.virga.v1.Instance", "io.k8s.api.core.v1.Secret". Owned. */
char *openapi_name(const struct kind *kind, const char *suffix);
/* {"group":...,"version":...,"kind":...}; owned. */
json_t *openapi_gvk(const char *group, const char *version, const char *kind);
/* Query parameters of a write, each {"name","in","description", type}; owned list. */
json_t *openapi_write_parameters(bool v3);
/* "/apis/virga.dev/v1/namespaces/{namespace}/instances"; owned. */
char *openapi_path(const struct kind *kind, bool namespaced);
/* Definitions every document needs: ObjectMeta, ListMeta, Status, DeleteOptions, Scale. */
void openapi_add_common(json_t *schemas, bool v3);
/* The list of a kind. */
json_t *openapi_list_schema(const struct resource *resource, bool v3);
json_t *openapi_ref(const char *name, bool v3);

#define OPENAPI_META "io.k8s.apimachinery.pkg.apis.meta.v1."
#define OPENAPI_SCALE "io.k8s.api.autoscaling.v1.Scale"
