/* api/accept.h - what form of an answer a client asks for. Pure. */
#pragma once

enum accept_form {
    ACCEPT_NONE = 0, /* nothing we can make: 406 */
    ACCEPT_JSON = 1,
    ACCEPT_TABLE = 2,         /* meta.k8s.io v1 */
    ACCEPT_TABLE_BETA = 4,    /* meta.k8s.io v1beta1 */
    ACCEPT_PARTIAL = 8,       /* PartialObjectMetadata */
    ACCEPT_PARTIAL_LIST = 16, /* PartialObjectMetadataList */
    ACCEPT_DISCOVERY = 32,    /* apidiscovery.k8s.io v2 APIGroupDiscoveryList */
    ACCEPT_OPENAPI_PROTOBUF = 64,
};

/* The first form in an Accept header that is among 'offered' (bits; ACCEPT_JSON is always).
 * Order decides, not q; q=0 is skipped. Parameters come in any order and spacing. NULL or
 * empty is JSON, and so is what Kubernetes' typed clients send: protobuf. */
enum accept_form accept_choose(const char *accept, unsigned offered);
