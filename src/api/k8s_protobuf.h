/* api/k8s_protobuf.h - request bodies in Kubernetes' protobuf ("k8s\0" and a runtime.Unknown).
 *
 * Typed clients send these for a handful of kinds and know no way back to JSON. Decoded through
 * one table of messages; what the table does not know is skipped, as protobuf wants it. Pure. */
#pragma once
#include "base/err.h"
#include "base/json.h"

/* The object as JSON, with apiVersion and kind; NULL with ERR_BAD_REQUEST when malformed, or
 * ERR_UNSUPPORTED_MEDIA for a kind that has no table. Owned. */
json_t *k8s_protobuf_decode(const void *bytes, size_t size, struct err *err);
